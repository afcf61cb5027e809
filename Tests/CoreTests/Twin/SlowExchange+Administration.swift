// What operators and writers change.

import Engine
import Terms
import Wire

extension SlowExchange {
    func voidSequence(_ c: VoidSequence) -> Outcome {
        if c.sequence == 0 || c.sequence >= sequence || voids.contains(c.sequence) {
            return .refused(.termsInvalid)
        }
        if voids.count >= Limits.voidsMax { return .refused(.tableFull) }
        voids.append(c.sequence)
        return Outcome(id: c.sequence)
    }

    func raiseLimits(_ c: RaiseLimits) -> Outcome {
        let (old, new) = (limits, c.limits)
        let pairs: [(UInt32, UInt32)] = [
            (old.assets, new.assets), (old.instruments, new.instruments),
            (old.accounts, new.accounts), (old.openOrders, new.openOrders),
            (old.apiKeys, new.apiKeys), (old.sessions, new.sessions),
            (old.feeTiers, new.feeTiers), (old.orderLimits, new.orderLimits),
            (old.references, new.references),
        ]
        if pairs.contains(where: { $1 < $0 }) || old.turnSteps != new.turnSteps
            || new.assets > 65_535 || new.instruments > 65_535 || new.openOrders > 1 << 24 - 1
        {
            return .refused(.termsInvalid)
        }
        let lots = (instruments.map(\.quantityMax) + open.map(\.view.quantity)).map(\.lots).max()
        if product(Int128(lots ?? 0), Int128(new.openOrders), 1) > 1 << 62 {
            return .refused(.termsInvalid)
        }
        limits = new
        events.append(.venueChanged)
        return Outcome()
    }

    // MARK: Sessions

    func openSession(_ c: OpenSession) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        let index = sessions.firstIndex { $0.name == c.name }
        if index == nil, sessions.count >= Int(limits.sessions) {
            guard let idle = idleSession() else { return .refused(.tableFull) }
            sessions.removeAll { $0.id == idle.id }
            events.append(.sessionClosed(idle.id))
        }
        lastSession += 1
        let view = SessionView(
            id: SessionID(lastSession), name: c.name, lastNumber: 0, lastUsed: timestamp)
        if let index {
            sessions[index] = view
        } else {
            sessions.append(view)
        }
        events.append(.sessionOpened(view.id))
        return Outcome(id: UInt64(lastSession))
    }

    /// The operator's session that gives way to another.
    private func idleSession() -> SessionView? {
        let hour: Int64 = 3_600 * 1_000_000_000
        let idle = sessions.filter {
            let isOperators = "\($0.name)".hasPrefix("operator/") || flaw == .gatewayGivesWay
            return isOperators
                && (timestamp - $0.lastUsed >= hour || flaw == .sessionInUseGivesWay)
        }
        return idle.min { ($0.lastUsed, $0.id.number) < ($1.lastUsed, $1.id.number) }
    }

    func closeSession(_ c: CloseSession) -> Outcome {
        guard sessions.contains(where: { $0.id == c.session }) else {
            return .refused(.sessionUnknown)
        }
        sessions.removeAll { $0.id == c.session }
        events.append(.sessionClosed(c.session))
        return Outcome(id: UInt64(c.session.number))
    }

    // MARK: Assets

    func setAsset(_ c: SetAsset) -> Outcome {
        if c.code.isEmpty { return .refused(.nameInvalid) }
        if c.scale > Limits.scaleMax { return .refused(.termsInvalid) }
        if let known = assets.first(where: { $0.code == c.code }) {
            if known.scale != c.scale { return .refused(.nameInvalid) }
            return Outcome(id: UInt64(known.id.number))
        }
        if assets.count >= Int(limits.assets) { return .refused(.tableFull) }
        let id = AssetID(UInt16(assets.count + 1))
        assets.append(AssetView(id: id, code: c.code, scale: c.scale))
        houses.append(HouseBalance(external: .zero, fees: .zero, rounding: .zero))
        events.append(.assetChanged(id))
        return Outcome(id: UInt64(id.number))
    }

    // MARK: Instruments

    func setInstrument(_ c: SetInstrument) -> Outcome {
        if c.symbol.isEmpty { return .refused(.nameInvalid) }
        guard let base = assetOrNil(c.base), let quote = assetOrNil(c.quote) else {
            return .refused(.assetUnknown)
        }
        guard let unit = notionalUnit(c, base, quote), areTermsValid(c, unit) else {
            return .refused(.termsInvalid)
        }
        var view = InstrumentView(
            id: InstrumentID(UInt16(instruments.count + 1)), symbol: c.symbol, base: c.base,
            quote: c.quote, tickScale: c.tickScale, tickMantissa: c.tickMantissa,
            lotUnits: c.lotUnits, notionalUnit: unit, state: c.state,
            selfTradePrevention: c.selfTradePrevention, priceMin: c.priceMin, priceMax: c.priceMax,
            quantityMin: c.quantityMin, quantityMax: c.quantityMax,
            notionalMin: c.notionalMin, notionalMax: c.notionalMax,
            referencePrice: c.referencePrice, bandUp: c.bandUp, bandDown: c.bandDown,
            lastPrice: .none, lastTrade: TradeID(0))
        if let known = instruments.first(where: { $0.symbol == c.symbol }) {
            if known.base != c.base || known.quote != c.quote || known.tickScale != c.tickScale
                || known.tickMantissa != c.tickMantissa || known.lotUnits != c.lotUnits
            {
                return .refused(.nameInvalid)
            }
            if mustWait(in: known.id) { return .refused(.instrumentBusy) }
            view.id = known.id
            view.state = known.state
            view.lastPrice = known.lastPrice
            view.lastTrade = known.lastTrade
            view.rebasedPrice = known.rebasedPrice
            instruments[Int(known.id.number) - 1] = view
        } else {
            if c.state == .auction { return .refused(.stateInvalid) }
            if instruments.count >= Int(limits.instruments) { return .refused(.tableFull) }
            instruments.append(view)
        }
        events.append(.instrumentChanged(view.id))
        return Outcome(id: UInt64(view.id.number))
    }

    /// Quote units in one tick times one lot; nil when that is no whole number in its range.
    private func notionalUnit(
        _ c: SetInstrument, _ base: AssetView, _ quote: AssetView
    ) -> Int64? {
        guard c.tickMantissa >= 1, c.tickMantissa <= Int64(1_000_000_000_000_000_000),
            c.tickScale <= 18, c.lotUnits >= 1
        else { return nil }
        func power(_ exponent: UInt8) -> UInt128 {
            (0..<exponent).reduce(UInt128(1)) { value, _ in value * 10 }
        }
        let digits = UInt128(c.tickMantissa) * UInt128(c.lotUnits)
        let wide = digits.multipliedFullWidth(by: power(quote.scale))
        let divisor = power(c.tickScale) * power(base.scale)
        if wide.high >= divisor { return nil }
        let (unit, left) = divisor.dividingFullWidth(wide)
        return left == 0 && unit >= 1 && unit <= 1 << 62 ? Int64(unit) : nil
    }

    private func areTermsValid(_ c: SetInstrument, _ unit: Int64) -> Bool {
        guard c.base != c.quote, c.selfTradePrevention != .instrumentDefault else { return false }
        guard 1 <= c.priceMin.ticks, c.priceMin <= c.priceMax,
            c.priceMax.ticks <= Limits.priceTicksMax
        else { return false }
        guard 1 <= c.quantityMin.lots, c.quantityMin <= c.quantityMax,
            c.quantityMax.lots <= Limits.quantityLotsMax
        else { return false }
        let lots = Int128(c.quantityMax.lots)
        let most = Limits.amountUnitsMax
        guard product(Int128(c.priceMax.ticks), lots, Int128(unit)) <= most,
            product(lots, Int128(c.lotUnits), 1) <= most,
            product(lots, Int128(limits.openOrders), 1) <= 1 << 62
        else { return false }
        return c.notionalMin.units >= 0 && c.notionalMax.units >= 0
            && c.referencePrice.ticks >= 0 && c.referencePrice <= c.priceMax && c.bandUp >= 0
            && c.bandUp <= 1_000_000_000 && c.bandDown >= 0 && c.bandDown <= 999_999
    }

    func setInstrumentState(_ c: SetInstrumentState) -> Outcome {
        if c.instrument.number != 0, instrumentOrNil(c.instrument) == nil {
            return .refused(.instrumentUnknown)
        }
        if c.state == .auction { return .refused(.stateInvalid) }
        if c.instrument.number != 0, hasFlight(c.instrument) { return .refused(.instrumentBusy) }
        for index in instruments.indices
        where c.instrument.number == 0 || instruments[index].id == c.instrument {
            let id = instruments[index].id
            if hasFlight(id) {
                statesToCome[id] = c.state
            } else {
                change(id, to: c.state)
            }
        }
        return Outcome(id: UInt64(c.instrument.number))
    }

    /// Elected stops that waited for the instrument to trade go on behind the others.
    func change(_ id: InstrumentID, to state: InstrumentState) {
        let index = Int(id.number) - 1
        if instruments[index].state != .trading, state == .trading, electing.contains(id) {
            electing.removeAll { $0 == id }
            electing.append(id)
        }
        instruments[index].state = state
        events.append(.instrumentChanged(id))
    }

    /// Whether terms can't change, for an order in flight there, or anywhere where it is 0.
    private func mustWait(in id: InstrumentID) -> Bool {
        if flaw == .termsOvertakeFlight { return false }
        return id.number == 0 ? !flights.isEmpty : hasFlight(id)
    }

    func setReferencePrice(_ c: SetReferencePrice) -> Outcome {
        guard let i = instrumentOrNil(c.instrument) else { return .refused(.instrumentUnknown) }
        if c.price < i.priceMin || c.price > i.priceMax { return .refused(.priceInvalid) }
        if mustWait(in: c.instrument) { return .refused(.instrumentBusy) }
        instruments[Int(c.instrument.number) - 1].rebasedPrice = c.price
        events.append(.instrumentChanged(c.instrument))
        return Outcome(id: UInt64(c.instrument.number))
    }

    // MARK: Fees

    func setFees(_ c: SetFees) -> Outcome {
        let most = Limits.feeRateMax
        if UInt32(c.tier) >= limits.feeTiers || c.maker.e8 < -most || c.maker.e8 > most
            || c.taker.e8 < -most || c.taker.e8 > most || c.maker.e8 + c.taker.e8 < 0
        {
            return .refused(.termsInvalid)
        }
        if c.instrument.number != 0, instrumentOrNil(c.instrument) == nil {
            return .refused(.instrumentUnknown)
        }
        if mustWait(in: c.instrument) { return .refused(.instrumentBusy) }
        fees[FeeKey(tier: c.tier, instrument: c.instrument)] = (c.maker, c.taker)
        events.append(.venueChanged)
        return Outcome(id: UInt64(c.tier))
    }

    func feesOf(
        _ account: AccountID, _ instrument: InstrumentID
    ) -> (maker: FeeRate, taker: FeeRate) {
        let tier = self.account(account)?.view.tier ?? 0
        return fees[FeeKey(tier: tier, instrument: instrument)]
            ?? fees[FeeKey(tier: tier, instrument: InstrumentID(0))]
            ?? (FeeRate(e8: 0), FeeRate(e8: 0))
    }

    // MARK: Accounts

    func openAccount(_ c: OpenAccount) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if let known = accounts.first(where: { $0.view.name == c.name }) {
            return Outcome(id: UInt64(known.view.id.number))
        }
        if accounts.count >= Int(limits.accounts) { return .refused(.tableFull) }
        let id = AccountID(UInt32(accounts.count + 1))
        accounts.append(
            SlowAccount(
                view: AccountView(
                    id: id, name: c.name, tier: 0, isKilled: false, openOrders: 0,
                    openOrdersMax: 0, messagesPerSecondMax: 0)))
        events.append(.accountChanged(id))
        return Outcome(id: UInt64(id.number))
    }

    func setAccountLimits(_ c: SetAccountLimits) -> Outcome {
        if c.account.number != 0, account(c.account) == nil { return .refused(.accountUnknown) }
        if c.account.number == 0 {
            defaultLimits = SlowLimits(
                openOrders: c.openOrdersMax, messagesPerSecond: c.messagesPerSecondMax)
            events.append(.venueChanged)
        } else {
            let index = Int(c.account.number) - 1
            accounts[index].hasOwnLimits = true
            accounts[index].view.openOrdersMax = c.openOrdersMax
            accounts[index].view.messagesPerSecondMax = c.messagesPerSecondMax
            events.append(.accountChanged(c.account))
        }
        return Outcome(id: UInt64(c.account.number))
    }

    func setOrderLimits(_ c: SetOrderLimits) -> Outcome {
        if c.account.number != 0, account(c.account) == nil { return .refused(.accountUnknown) }
        if instrumentOrNil(c.instrument) == nil { return .refused(.instrumentUnknown) }
        if c.orderQuantityMax.lots < 0 || c.orderNotionalMax.units < 0 {
            return .refused(.termsInvalid)
        }
        let isNone = c.orderQuantityMax == .zero && c.orderNotionalMax == .zero
        let others = orderLimits.filter {
            $0.account != c.account || $0.instrument != c.instrument
        }
        let isNew = others.count == orderLimits.count
        if isNew, !isNone, orderLimits.count >= Int(limits.orderLimits) {
            return .refused(.tableFull)
        }
        orderLimits = others
        if !isNone {
            orderLimits.append(
                OrderLimitsView(
                    account: c.account, instrument: c.instrument,
                    orderQuantityMax: c.orderQuantityMax, orderNotionalMax: c.orderNotionalMax))
        }
        events.append(c.account.number == 0 ? .venueChanged : .accountChanged(c.account))
        return Outcome(id: UInt64(c.account.number))
    }

    func setAccountTier(_ c: SetAccountTier) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if UInt32(c.tier) >= limits.feeTiers { return .refused(.termsInvalid) }
        if flights.contains(where: { $0.view.account == c.account }), flaw != .termsOvertakeFlight {
            return .refused(.instrumentBusy)
        }
        accounts[Int(c.account.number) - 1].view.tier = c.tier
        events.append(.accountChanged(c.account))
        return Outcome(id: UInt64(c.account.number))
    }

    func setKillSwitch(_ c: SetKillSwitch) -> Outcome {
        let isVenue = c.account.number == 0
        if !isVenue, account(c.account) == nil { return .refused(.accountUnknown) }
        if isVenue {
            isKilled = c.isOn
            events.append(.venueChanged)
        } else {
            accounts[Int(c.account.number) - 1].view.isKilled = c.isOn
            events.append(.accountChanged(c.account))
        }
        if c.isOn {
            kill(c.account)
        }
        return Outcome(id: UInt64(c.account.number))
    }

    // MARK: Bookings

    func adjustBalance(_ c: AdjustBalance) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if c.reference.isEmpty { return .refused(.nameInvalid) }
        let amount = c.amount.units
        if amount == 0 || !isWithinRange(amount) || !canCome(amount, c.asset) {
            return .refused(.amountInvalid)
        }
        let reference = SlowReference.text(c.reference)
        if let refusal = refusal(of: reference) { return .refused(refusal) }
        if -amount > balance(c.account, c.asset).available.units {
            return .refused(.insufficientFunds)
        }
        remember(reference)
        houses[Int(c.asset.number) - 1].external.units -= amount
        post(c.account, c.asset, available: amount)
        events.append(.balanceAdjusted(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    func transferFees(_ c: TransferFees) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if c.reference.isEmpty { return .refused(.nameInvalid) }
        let amount = c.amount.units
        if amount == 0 || !isWithinRange(amount) { return .refused(.amountInvalid) }
        let reference = SlowReference.text(c.reference)
        if let refusal = refusal(of: reference) { return .refused(refusal) }
        let index = Int(c.asset.number) - 1
        if amount > 0, amount > houses[index].fees.units { return .refused(.feesInsufficient) }
        if amount < 0, -amount > balance(c.account, c.asset).available.units {
            return .refused(.insufficientFunds)
        }
        remember(reference)
        houses[index].fees.units -= amount
        post(c.account, c.asset, available: amount)
        events.append(.feesTransferred(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    func creditDeposit(_ c: CreditDeposit) -> Outcome {
        if rules < 2, c.network != NetworkID(0) { return .refused(.malformed) }
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        let amount = c.amount.units
        if amount < 1 || !isWithinRange(amount) || !canCome(amount, c.asset) {
            return .refused(.amountInvalid)
        }
        if rules > 1, network(c.asset, c.network) == nil { return .refused(.networkUnknown) }
        let before = SlowReference.output(
            NetworkID(0), c.asset, high: c.transactionHigh, low: c.transactionLow,
            output: c.output)
        if references.contains(before) { return .refused(.referenceDuplicate) }
        let reference = SlowReference.output(
            flaw == .outputOfAnyChain ? NetworkID(1) : c.network, c.asset,
            high: c.transactionHigh, low: c.transactionLow, output: c.output)
        if let refusal = refusal(of: reference) { return .refused(refusal) }
        remember(reference)
        houses[Int(c.asset.number) - 1].external.units -= amount
        post(c.account, c.asset, available: amount)
        events.append(.depositCredited(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    func isWithinRange(_ amount: Int128) -> Bool {
        amount >= -Limits.amountUnitsMax && amount <= Limits.amountUnitsMax
    }

    /// Whether `amount` may come from outside: what is inside keeps to its range.
    private func canCome(_ amount: Int128, _ asset: AssetID) -> Bool {
        let house = houses[Int(asset.number) - 1]
        return isWithinRange(house.external.units + house.chain.units - amount)
    }

    func refusal(of reference: SlowReference) -> Refusal? {
        if references.contains(reference) { return .referenceDuplicate }
        return references.count >= Int(limits.references) ? .tableFull : nil
    }

    func remember(_ reference: SlowReference) {
        if flaw != .referenceForgotten { references.insert(reference) }
    }

    // MARK: API keys

    func addAPIKey(_ c: AddAPIKey) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if c.keyID.isEmpty || keys.contains(where: { $0.keyID == c.keyID }) {
            return .refused(.nameInvalid)
        }
        if keys.count >= Int(limits.apiKeys) { return .refused(.tableFull) }
        keys.append(
            APIKeyView(
                keyID: c.keyID, account: c.account, permissions: c.permissions,
                algorithm: c.algorithm, sealedSecret: c.sealedSecret))
        keysChanged(c.account)
        events.append(.apiKeyChanged(c.keyID))
        return Outcome(id: UInt64(c.account.number))
    }

    func revokeAPIKey(_ c: RevokeAPIKey) -> Outcome {
        guard let key = keys.first(where: { $0.keyID == c.keyID }) else {
            return .refused(.apiKeyUnknown)
        }
        keys.removeAll { $0.keyID == c.keyID }
        keysChanged(key.account)
        events.append(.apiKeyChanged(c.keyID))
        return Outcome(id: UInt64(key.account.number))
    }
}
