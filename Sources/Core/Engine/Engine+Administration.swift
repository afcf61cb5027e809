// What operators and the sequencer do.

internal import Slabs
internal import Terms
internal import Wire

extension Engine {
    mutating func check(_ c: HashMark) -> Outcome {
        if c.eventHash != events.hash { hasDiverged = true }
        return Outcome()
    }

    func check(_ c: Genesis) -> Outcome {
        c.limits == limits ? Outcome() : .refused(.termsInvalid)
    }

    mutating func openSession(_ c: OpenSession) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        let place = sessions.list.firstIndex { $0.name == c.name }
        if place == nil, sessions.list.count >= Int(limits.sessions) {
            return .refused(.tableFull)
        }
        sessions.lastID += 1
        let session = SessionView(
            id: SessionID(sessions.lastID), name: c.name, lastNumber: 0)
        if let place {
            sessions.list[place] = session
        } else {
            sessions.list.append(session)
        }
        events.append(.sessionOpened(session.id))
        return Outcome(id: UInt64(session.id.number))
    }

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
        instruments[i].bandUp = c.bandUp
        instruments[i].bandDown = c.bandDown
    }

    /// Quote units in one tick × one lot; nil when that is no whole number or out of range.
    static func notionalUnit(_ c: SetInstrument, _ base: AssetView, _ quote: AssetView) -> Int64? {
        guard c.base != c.quote, c.tickMantissa >= 1, c.tickMantissa <= 1_000_000_000_000_000_000,
            c.tickScale <= Limits.scaleMax, c.lotUnits >= 1
        else { return nil }
        var product = Int128(c.tickMantissa) * Int128(c.lotUnits)
        // Up to 36 decimals either way: divide or multiply step by step, so nothing overflows.
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

    private func areLimitsValid(_ c: SetInstrument, _ unit: Int64) -> Bool {
        guard c.priceMin.ticks >= 1, c.priceMax >= c.priceMin,
            c.priceMax.ticks <= Limits.priceTicksMax, c.quantityMin.lots >= 1,
            c.quantityMax >= c.quantityMin, c.quantityMax.lots <= Limits.quantityLotsMax,
            c.notionalMin.units >= 0, c.notionalMax.units >= 0, c.referencePrice.ticks >= 0,
            c.referencePrice <= c.priceMax, c.bandUp >= 0, c.bandUp <= 1_000_000_000,
            c.bandDown >= 0, c.bandDown < 1_000_000
        else { return false }
        let most = Limits.amountUnitsMax
        let value = Int128(c.priceMax.ticks) * Int128(c.quantityMax.lots)
        // So that what one price shows, of all orders that there can be, is a number of 64 bits.
        let together = Int128(c.quantityMax.lots) * Int128(limits.openOrders)
        return value <= most / Int128(unit)
            && Int128(c.quantityMax.lots) * Int128(c.lotUnits) <= most && together <= 1 << 62
    }

    mutating func setInstrumentState(_ c: SetInstrumentState) -> Outcome {
        if c.instrument.number > instrumentsUsed { return .refused(.instrumentUnknown) }
        if c.state == .auction { return .refused(.stateInvalid) }
        let first = c.instrument.number == 0 ? 1 : c.instrument.number
        let last = c.instrument.number == 0 ? instrumentsUsed : c.instrument.number
        var number = first
        while number <= last {
            instruments[Int(number)].state = c.state
            events.append(.instrumentChanged(InstrumentID(number)))
            number += 1
        }
        return Outcome(id: UInt64(c.instrument.number))
    }

    mutating func setFees(_ c: SetFees) -> Outcome {
        if UInt32(c.tier) >= limits.feeTiers || c.maker.e8.magnitude > Limits.feeRateMax
            || c.taker.e8.magnitude > Limits.feeRateMax || c.maker.e8 + c.taker.e8 < 0
        {
            return .refused(.termsInvalid)
        }
        if c.instrument.number > instrumentsUsed { return .refused(.instrumentUnknown) }
        accounts.setFee(
            c.tier, c.instrument.number,
            FeeSlot(maker: c.maker.e8, taker: c.taker.e8, isSet: true))
        events.append(.venueChanged)
        return Outcome(id: UInt64(c.tier))
    }

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
        if c.orderQuantityMax.lots < 0 || c.orderNotionalMax.units < 0 {
            return .refused(.termsInvalid)
        }
        accounts.slots[number].openOrdersMax = c.openOrdersMax
        accounts.slots[number].messagesPerSecondMax = c.messagesPerSecondMax
        accounts.slots[number].orderQuantityMax = c.orderQuantityMax.lots
        accounts.slots[number].orderNotionalMax = c.orderNotionalMax.units
        accounts.slots[number].hasOwnLimits = true
        events.append(number == 0 ? .venueChanged : .accountChanged(c.account))
        return Outcome(id: UInt64(number))
    }

    mutating func setAccountTier(_ c: SetAccountTier) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if UInt32(c.tier) >= limits.feeTiers { return .refused(.termsInvalid) }
        accounts.slots[c.account.number].tier = c.tier
        events.append(.accountChanged(c.account))
        return Outcome(id: UInt64(c.account.number))
    }

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
        if c.isOn { _ = endAll(account: number, instrument: 0, side: nil, .killSwitch) }
        return Outcome(id: UInt64(number))
    }

    mutating func adjustBalance(_ c: AdjustBalance) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        guard asset(c.asset) != nil else { return .refused(.assetUnknown) }
        let units = c.amount.units
        let most = Limits.amountUnitsMax
        if units == 0 || units > most || units < -most { return .refused(.amountInvalid) }
        let external = ledger.house[Int(c.asset.number)].external.units - units
        if external > most || external < -most { return .refused(.amountInvalid) }
        if ledger.available(c.account.number, c.asset.number) + units < 0 {
            return .refused(.insufficientFunds)
        }
        ledger.adjust(c.account.number, c.asset.number, units)
        events.append(
            .balanceAdjusted(account: c.account, asset: c.asset, amount: c.amount))
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func addAPIKey(_ c: AddAPIKey) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if c.keyID.isEmpty || keys.places[c.keyID] != nil { return .refused(.nameInvalid) }
        if keys.list.count >= Int(limits.apiKeys) { return .refused(.tableFull) }
        keys.places[c.keyID] = keys.list.count
        keys.list.append(
            APIKeyView(
                keyID: c.keyID, account: c.account, permissions: c.permissions,
                algorithm: c.algorithm, sealedSecret: c.sealedSecret))
        keys.isRevoked.append(false)
        events.append(.apiKeyChanged(c.keyID))
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func revokeAPIKey(_ c: RevokeAPIKey) -> Outcome {
        guard let place = keys.places[c.keyID], !keys.isRevoked[place] else {
            return .refused(.apiKeyUnknown)
        }
        keys.isRevoked[place] = true
        keys.list[place].sealedSecret = []
        events.append(.apiKeyChanged(c.keyID))
        return Outcome(id: UInt64(keys.list[place].account.number))
    }
}
