// What operators and the sequencer do.

internal import Slabs
internal import Terms
internal import Wire

extension Engine {
    // MARK: The sequencer's records

    mutating func check(_ c: HashMark) -> Outcome {
        if c.eventHash != events.hash { hasDiverged = true }
        return Outcome()
    }

    mutating func check(_ c: EpochMark) -> Outcome {
        if c.eventHash != events.hash { hasDiverged = true }
        return Outcome()
    }

    mutating func check(_ c: Genesis) -> Outcome {
        // Keys can't change once tables were filled under others.
        if c.limits != limits || sequence != 1 { return .refused(.termsInvalid) }
        hashKey = (c.hashKeyHigh, c.hashKeyLow)
        orders.setHashKey(c.hashKeyHigh, c.hashKeyLow)
        if c.format == Genesis.currentFormat, isKnown(rules: c.rules) {
            rules = c.rules
        } else {
            hasDiverged = true
        }
        return Outcome()
    }

    mutating func setRules(_ c: SetRules) -> Outcome {
        if c.version <= rules { return .refused(.termsInvalid) }
        if isKnown(rules: c.version) { rules = c.version } else { hasDiverged = true }
        return Outcome()
    }

    func isKnown(rules: UInt32) -> Bool { rules >= 1 && rules <= rulesKnown }

    mutating func voidSequence(_ c: VoidSequence) -> Outcome {
        if c.sequence == 0 || c.sequence >= sequence || voids.contains(c.sequence) {
            return .refused(.termsInvalid)
        }
        if voids.count >= Limits.voidsMax { return .refused(.tableFull) }
        voids.append(c.sequence)
        return Outcome(id: c.sequence)
    }

    // MARK: Sessions

    mutating func openSession(_ c: OpenSession) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if sessions.lastID == .max { return .refused(.tableFull) }
        if sessions.session(c.name) == nil, sessions.count >= Int(limits.sessions) {
            guard let place = sessions.idle(at: timestamp) else { return .refused(.tableFull) }
            let idle = sessions.list[place].id
            sessions.close(place)
            events.append(.sessionClosed(idle))
        }
        sessions.lastID += 1
        let id = SessionID(sessions.lastID)
        sessions.open(SessionView(id: id, name: c.name, lastNumber: 0, lastUsed: timestamp))
        events.append(.sessionOpened(id))
        return Outcome(id: UInt64(id.number))
    }

    mutating func closeSession(_ c: CloseSession) -> Outcome {
        guard let place = sessions.find(c.session) else { return .refused(.sessionUnknown) }
        sessions.close(place)
        events.append(.sessionClosed(c.session))
        return Outcome(id: UInt64(c.session.number))
    }

    // MARK: Assets and instruments

    mutating func setAsset(_ c: SetAsset) -> Outcome {
        if c.code.isEmpty { return .refused(.nameInvalid) }
        if c.scale > Limits.scaleMax { return .refused(.termsInvalid) }
        if let known = asset(code: c.code) {
            return known.scale == c.scale
                ? Outcome(id: UInt64(known.id.number)) : .refused(.nameInvalid)
        }
        if UInt32(assetsUsed) >= limits.assets { return .refused(.tableFull) }
        assetsUsed += 1
        let id = AssetID(assetsUsed)
        assets[Int(assetsUsed)] = AssetView(id: id, code: c.code, scale: c.scale)
        events.append(.assetChanged(id))
        return Outcome(id: UInt64(id.number))
    }

    mutating func setInstrument(_ c: SetInstrument) -> Outcome {
        if c.symbol.isEmpty { return .refused(.nameInvalid) }
        guard let base = asset(c.base), let quote = asset(c.quote) else {
            return .refused(.assetUnknown)
        }
        guard let unit = Self.notionalUnit(c, base, quote), areLimitsValid(c, unit) else {
            return .refused(.termsInvalid)
        }
        if let known = instrument(symbol: c.symbol) {
            if known.base != c.base || known.quote != c.quote || known.lotUnits != c.lotUnits
                || known.tickMantissa != c.tickMantissa || known.tickScale != c.tickScale
            {
                return .refused(.nameInvalid)
            }
            if hasFlight(known.id.number) { return .refused(.instrumentBusy) }
            setLimits(c, Int(known.id.number))
            events.append(.instrumentChanged(known.id))
            return Outcome(id: UInt64(known.id.number))
        }
        if c.state == .auction { return .refused(.stateInvalid) }
        if UInt32(instrumentsUsed) >= limits.instruments { return .refused(.tableFull) }
        instrumentsUsed += 1
        let i = Int(instrumentsUsed)
        instruments[i].id = InstrumentID(instrumentsUsed)
        instruments[i].symbol = c.symbol
        instruments[i].base = c.base
        instruments[i].quote = c.quote
        instruments[i].tickScale = c.tickScale
        instruments[i].tickMantissa = c.tickMantissa
        instruments[i].lotUnits = c.lotUnits
        instruments[i].notionalUnit = unit
        instruments[i].state = c.state
        setLimits(c, i)
        events.append(.instrumentChanged(instruments[i].id))
        return Outcome(id: UInt64(instrumentsUsed))
    }

    private mutating func setLimits(_ c: SetInstrument, _ i: Int) {
        instruments[i].priceMin = c.priceMin
        instruments[i].priceMax = c.priceMax
        instruments[i].quantityMin = c.quantityMin
        instruments[i].quantityMax = c.quantityMax
        instruments[i].notionalMin = c.notionalMin
        instruments[i].notionalMax = c.notionalMax
        instruments[i].referencePrice = c.referencePrice
        instruments[i].selfTradePrevention = c.selfTradePrevention
        instruments[i].bandUp = c.bandUp
        instruments[i].bandDown = c.bandDown
    }

    /// Quote units in one tick × one lot; nil when that is not a whole number or out of range.
    static func notionalUnit(_ c: SetInstrument, _ base: AssetView, _ quote: AssetView) -> Int64? {
        guard c.base != c.quote, c.tickMantissa >= 1, c.tickMantissa <= 1_000_000_000_000_000_000,
            c.tickScale <= Limits.scaleMax, c.lotUnits >= 1
        else { return nil }
        var product = Int128(c.tickMantissa) * Int128(c.lotUnits)
        // Up to 36 decimals either way: step by step, so that nothing overflows.
        var shift = Int(quote.scale) - Int(c.tickScale) - Int(base.scale)
        while shift < 0 {
            guard product % 10 == 0 else { return nil }
            product /= 10
            shift += 1
        }
        while shift > 0 {
            guard product <= 1 << 62 else { return nil }
            product *= 10
            shift -= 1
        }
        return product >= 1 && product <= 1 << 62 ? Int64(product) : nil
    }

    func areLimitsValid(_ c: SetInstrument, _ unit: Int64) -> Bool {
        guard c.priceMin.ticks >= 1, c.priceMax >= c.priceMin,
            c.priceMax.ticks <= Limits.priceTicksMax, c.quantityMin.lots >= 1,
            c.quantityMax >= c.quantityMin, c.quantityMax.lots <= Limits.quantityLotsMax,
            c.notionalMin.units >= 0, c.notionalMax.units >= 0, c.referencePrice.ticks >= 0,
            c.referencePrice <= c.priceMax, c.bandUp >= 0, c.bandUp <= 1_000_000_000,
            c.bandDown >= 0, c.bandDown < 1_000_000, c.selfTradePrevention != .instrumentDefault
        else { return false }
        let most = Limits.amountUnitsMax
        let value = Int128(c.priceMax.ticks) * Int128(c.quantityMax.lots)
        // Keeps the total that one price can show within 64 bits.
        let together = Int128(c.quantityMax.lots) * Int128(limits.openOrders)
        return value <= most / Int128(unit)
            && Int128(c.quantityMax.lots) * Int128(c.lotUnits) <= most && together <= 1 << 62
    }

    mutating func setInstrumentState(_ c: SetInstrumentState) -> Outcome {
        let number = c.instrument.number
        if number > instrumentsUsed { return .refused(.instrumentUnknown) }
        if c.state == .auction { return .refused(.stateInvalid) }
        if number != 0 {
            if hasFlight(number) { return .refused(.instrumentBusy) }
            change(number, to: c.state)
        } else if instrumentsUsed > 0 {
            for number in 1...instrumentsUsed {
                if hasFlight(number) {
                    deferredStates[Int(number)] = c.state.rawValue + 1
                } else {
                    change(number, to: c.state)
                }
            }
        }
        return Outcome(id: UInt64(number))
    }

    private mutating func change(_ number: UInt16, to state: InstrumentState) {
        let wasTrading = instruments[Int(number)].state == .trading
        instruments[Int(number)].state = state
        if !elections.isEmpty, wasTrading != (state == .trading) {
            elections.run(number, state == .trading)
        }
        events.append(.instrumentChanged(InstrumentID(number)))
    }

    /// Changes the state of an instrument whose last flight has ended, if a change of all
    /// instruments skipped it.
    mutating func applyDeferredState(_ instrument: UInt16) {
        let raw = deferredStates[Int(instrument)]
        if raw == 0 { return }
        deferredStates[Int(instrument)] = 0
        if let state = InstrumentState(rawValue: raw - 1) { change(instrument, to: state) }
    }

    mutating func setReferencePrice(_ c: SetReferencePrice) -> Outcome {
        guard let v = instrument(c.instrument) else { return .refused(.instrumentUnknown) }
        if c.price < v.priceMin || c.price > v.priceMax { return .refused(.priceInvalid) }
        if hasFlight(c.instrument.number) { return .refused(.instrumentBusy) }
        instruments[Int(c.instrument.number)].rebasedPrice = c.price
        events.append(.instrumentChanged(c.instrument))
        return Outcome(id: UInt64(c.instrument.number))
    }

    // MARK: Fees

    mutating func setFees(_ c: SetFees) -> Outcome {
        if UInt32(c.tier) >= limits.feeTiers
            || !Self.areRatesValid(maker: c.maker.e8, taker: c.taker.e8)
        {
            return .refused(.termsInvalid)
        }
        if c.instrument.number > instrumentsUsed { return .refused(.instrumentUnknown) }
        if hasFlightUnder(c) { return .refused(.instrumentBusy) }
        accounts.setFee(
            c.tier, c.instrument.number, FeeSlot(maker: c.maker.e8, taker: c.taker.e8, isSet: true))
        events.append(.venueChanged)
        return Outcome(id: UInt64(c.tier))
    }

    /// Whether these fees may apply to an order in flight.
    func hasFlightUnder(_ c: SetFees) -> Bool {
        c.instrument.number == 0 ? !flights.isEmpty : hasFlight(c.instrument.number)
    }

    /// Whether these are valid rates of a tier, in 10⁻⁸: in range, and their sum not negative.
    static func areRatesValid(maker: Int32, taker: Int32) -> Bool {
        let most = Limits.feeRateMax
        return (-most...most).contains(maker) && (-most...most).contains(taker)
            && maker + taker >= 0
    }

    // MARK: Accounts and their limits

    mutating func openAccount(_ c: OpenAccount) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if let known = accounts.find(c.name) { return Outcome(id: UInt64(known)) }
        if accounts.count >= limits.accounts { return .refused(.tableFull) }
        let number = accounts.open(c.name)
        events.append(.accountChanged(AccountID(number)))
        return Outcome(id: UInt64(number))
    }

    mutating func setAccountLimits(_ c: SetAccountLimits) -> Outcome {
        let number = c.account.number
        if number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        accounts.slots[number].openOrdersMax = c.openOrdersMax
        accounts.slots[number].messagesPerSecondMax = c.messagesPerSecondMax
        accounts.slots[number].hasOwnLimits = true
        events.append(number == 0 ? .venueChanged : .accountChanged(c.account))
        return Outcome(id: UInt64(number))
    }

    mutating func setOrderLimits(_ c: SetOrderLimits) -> Outcome {
        let number = c.account.number
        if number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        if instrument(c.instrument) == nil { return .refused(.instrumentUnknown) }
        if c.orderQuantityMax.lots < 0 || c.orderNotionalMax.units < 0 {
            return .refused(.termsInvalid)
        }
        let row = OrderLimitSlot(
            notionalMax: c.orderNotionalMax.units, quantityMax: c.orderQuantityMax.lots)
        let isNew = !row.isEmpty && accounts.orderLimitRow(number, c.instrument.number).isEmpty
        if isNew, accounts.orderLimitCount >= Int(limits.orderLimits) {
            return .refused(.tableFull)
        }
        accounts.setOrderLimitRow(number, c.instrument.number, row)
        events.append(number == 0 ? .venueChanged : .accountChanged(c.account))
        return Outcome(id: UInt64(number))
    }

    mutating func setAccountTier(_ c: SetAccountTier) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if UInt32(c.tier) >= limits.feeTiers { return .refused(.termsInvalid) }
        if accounts.slots[c.account.number].flights > 0 { return .refused(.instrumentBusy) }
        accounts.slots[c.account.number].tier = c.tier
        events.append(.accountChanged(c.account))
        return Outcome(id: UInt64(c.account.number))
    }

    // MARK: Ends of many orders

    mutating func setKillSwitch(_ c: SetKillSwitch) -> Outcome {
        let number = c.account.number
        if number == 0 {
            isKilled = c.isOn
            events.append(.venueChanged)
        } else {
            if !hasAccount(c.account) { return .refused(.accountUnknown) }
            accounts.slots[number].isKilled = c.isOn
            events.append(.accountChanged(c.account))
        }
        if c.isOn { startKill(number) }
        return Outcome(id: UInt64(number))
    }

    mutating func massCancel(_ c: MassCancel) -> Outcome {
        if c.deadline != 0, timestamp > c.deadline { return .refused(.deadlinePassed) }
        if c.account.number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        if c.instrument.number > instrumentsUsed { return .refused(.instrumentUnknown) }
        if massCancels.count >= Limits.massCancelsMax { return .refused(.instrumentBusy) }
        let count = startMassCancel(
            account: c.account.number, instrument: c.instrument.number, side: c.side)
        return Outcome(status: .canceled, id: UInt64(count))
    }

    // MARK: Money

    /// Why money can't move between an account and the house under a reference: the first checks
    /// of all bookings.
    private func bookingRefusal(
        _ account: AccountID, _ asset: AssetID, _ amount: Amount, reference: Text64
    ) -> Refusal {
        if !hasAccount(account) { return .accountUnknown }
        if self.asset(asset) == nil { return .assetUnknown }
        if reference.isEmpty { return .nameInvalid }
        let most = Limits.amountUnitsMax
        return amount.units == 0 || amount.units > most || amount.units < -most
            ? .amountInvalid : .none
    }

    /// Whether this amount can come in from outside, or go out if negative.
    private func canAdjust(_ asset: AssetID, _ units: Int128) -> Bool {
        // What chains took came in as well.
        let house = ledger.house[Int(asset.number)]
        let outside = house.external.units + house.chain.units - units
        return outside <= Limits.amountUnitsMax && outside >= -Limits.amountUnitsMax
    }

    /// Why a reference can't be stored.
    private func refusal(of reference: ReferenceHash) -> Refusal {
        if references.contains(reference) { return .referenceDuplicate }
        return references.isFull ? .tableFull : .none
    }

    mutating func adjustBalance(_ c: AdjustBalance) -> Outcome {
        let first = bookingRefusal(c.account, c.asset, c.amount, reference: c.reference)
        if first != .none { return .refused(first) }
        if !canAdjust(c.asset, c.amount.units) { return .refused(.amountInvalid) }
        let reference = ReferenceHash.of(c.reference, hashKey)
        let second = refusal(of: reference)
        if second != .none { return .refused(second) }
        if ledger.available(c.account.number, c.asset.number) + c.amount.units < 0 {
            return .refused(.insufficientFunds)
        }
        references.insert(reference)
        ledger.adjust(c.account.number, c.asset.number, c.amount.units)
        events.append(.balanceAdjusted(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func transferFees(_ c: TransferFees) -> Outcome {
        let first = bookingRefusal(c.account, c.asset, c.amount, reference: c.reference)
        if first != .none { return .refused(first) }
        let reference = ReferenceHash.of(c.reference, hashKey)
        let second = refusal(of: reference)
        if second != .none { return .refused(second) }
        if c.amount.units > ledger.house[Int(c.asset.number)].fees.units, c.amount.units > 0 {
            return .refused(.feesInsufficient)
        }
        if ledger.available(c.account.number, c.asset.number) + c.amount.units < 0 {
            return .refused(.insufficientFunds)
        }
        references.insert(reference)
        ledger.transferFees(c.account.number, c.asset.number, c.amount.units)
        events.append(.feesTransferred(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func creditDeposit(_ c: CreditDeposit) -> Outcome {
        // Before there were networks its place in the record was reserved.
        let hasNetworks = rules >= CommandKind.setNetwork.rules
        if !hasNetworks, c.network.number != 0 { return .refused(.malformed) }
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        if c.amount.units < 1 || c.amount.units > Limits.amountUnitsMax
            || !canAdjust(c.asset, c.amount.units)
        {
            return .refused(.amountInvalid)
        }
        if hasNetworks, network(c.asset, c.network) == nil { return .refused(.networkUnknown) }
        let transaction = TransactionID(high: c.transactionHigh, low: c.transactionLow)
        if isCredited(c.asset, NetworkID(0), transaction, c.output) {
            return .refused(.referenceDuplicate)
        }
        let reference = ReferenceHash.of(
            asset: c.asset, network: c.network, transactionHigh: c.transactionHigh,
            transactionLow: c.transactionLow, output: c.output, hashKey)
        let refusal = refusal(of: reference)
        if refusal != .none { return .refused(refusal) }
        references.insert(reference)
        ledger.adjust(c.account.number, c.asset.number, c.amount.units)
        events.append(.depositCredited(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    /// Whether an output was credited on a chain; on chain 0, before networks were named.
    func isCredited(
        _ asset: AssetID, _ network: NetworkID, _ transaction: TransactionID, _ output: UInt32
    ) -> Bool {
        references.contains(
            .of(
                asset: asset, network: network, transactionHigh: transaction.high,
                transactionLow: transaction.low, output: output, hashKey))
    }

    // MARK: API keys

    mutating func addAPIKey(_ c: AddAPIKey) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if c.keyID.isEmpty || keys.find(c.keyID) != nil { return .refused(.nameInvalid) }
        if keys.count >= Int(limits.apiKeys) { return .refused(.tableFull) }
        keys.add(
            APIKeyView(
                keyID: c.keyID, account: c.account, permissions: c.permissions,
                algorithm: c.algorithm, sealedSecret: c.sealedSecret))
        events.append(.apiKeyChanged(c.keyID))
        freezeWithdrawals(c.account)
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func revokeAPIKey(_ c: RevokeAPIKey) -> Outcome {
        guard let key = keys.remove(c.keyID) else { return .refused(.apiKeyUnknown) }
        events.append(.apiKeyChanged(c.keyID))
        freezeWithdrawals(key.account)
        return Outcome(id: UInt64(key.account.number))
    }

    // MARK: Limits

    mutating func raiseLimits(_ c: RaiseLimits) -> Outcome {
        let new = c.limits
        guard new.isReasonable, new.turnSteps == limits.turnSteps, new.covers(limits),
            quantitiesFit(openOrders: new.openOrders)
        else { return .refused(.termsInvalid) }
        raise(to: new)
        events.append(.venueChanged)
        return Outcome()
    }

    /// Whether the total that one price shows stays within 64 bits with this many open orders.
    /// O(open orders).
    private func quantitiesFit(openOrders: UInt32) -> Bool {
        if openOrders == limits.openOrders { return true }
        var most: Int64 = 0
        for i in 0..<Int(instrumentsUsed) { most = max(most, instruments[i + 1].quantityMax.lots) }
        for slot in 0..<orders.used where orders.hot[slot].account != 0 {
            most = max(most, orders.hot[slot].quantity)
        }
        return Int128(most) * Int128(openOrders) <= 1 << 62
    }

    /// Makes room. Most tables grow in place at no cost; `Accounts.raise`, `Ledger.raise`,
    /// `Orders.raise`, `Ladders.raise` and `APIKeys.raise` say which work is in proportion to what
    /// is there: the one command whose turn may be a long one.
    mutating func raise(to new: EngineLimits) {
        orders.raise(capacity: Int(new.openOrders), accounts: Int(new.accounts))
        ladders.raise(instruments: Int(new.instruments), orders: Int(new.openOrders))
        ledger.raise(
            accounts: Int(new.accounts), assets: Int(new.assets), used: Int(accounts.count))
        accounts.raise(to: new)
        kills.raise(through: Int(new.accounts))
        instruments.raise(capacity: Int(new.instruments) + 1)
        deferredStates.raise(capacity: Int(new.instruments) + 1)
        flights.raise(through: Int(new.instruments))
        elections.raise(instruments: Int(new.instruments))
        flightTerms.raise(capacity: Int(new.instruments) + 1)
        let before = triggers.capacity
        triggers.raise(capacity: Int(new.instruments) + 1)
        for i in before..<triggers.capacity { triggers[i] = TriggerPrices() }
        assets.raise(capacity: Int(new.assets) + 1)
        references.raise(capacity: Int(new.references))
        sessions.raise(capacity: Int(new.sessions))
        keys.raise(capacity: Int(new.apiKeys))
        limits = new
        events.raise(capacity: Self.eventsMax(new))
    }
}
