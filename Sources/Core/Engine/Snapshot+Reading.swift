// Reading a state from its canonical form: complete and valid, or not at all.

internal import Glibc
internal import Slabs
internal import Terms
public import Wire

extension WireReader {
    /// Skips the padding that ends a part.
    mutating func endPart() { reserved((8 - offset & 7) & 7) }

    /// The number of items that follow; nil when more than `most`.
    mutating func count(most: Int) -> Int? {
        let value: UInt64 = integer()
        return isValid && value <= UInt64(most) ? Int(value) : nil
    }

    /// An owned amount: not negative, and within the ledger's range.
    mutating func owned() -> Amount {
        let amount = Amount(units: integer())
        if amount.units < 0 || amount.units > Limits.amountUnitsMax { invalidate() }
        return amount
    }

    /// An amount of either sign within the ledger's range.
    fileprivate mutating func signed() -> Amount {
        let amount = Amount(units: integer())
        let most = Limits.amountUnitsMax
        if amount.units < -most || amount.units > most { invalidate() }
        return amount
    }
}

extension Engine {
    /// The state that `writeSnapshot` wrote; nil when the bytes are not a complete and valid state
    /// in canonical form. A snapshot with right checksums that fails here has an unknown version.
    public init?(
        snapshot bytes: UnsafeRawBufferPointer, keepsEvents: Bool = true,
        rulesKnown: UInt32 = SetRules.current
    ) {
        var r = unsafe WireReader(bytes)
        let magic: UInt64 = r.integer()
        // Later, each older version gets a case here.
        let isKnown = magic == snapshotMagic | snapshotVersion << 48
        let limits = EngineLimits(from: &r)
        let isSound = isKnown && r.isValid && limits.isReasonable
        // A noncopyable value must be complete before it can be discarded.
        self.init(
            limits: isSound ? limits : .small, keepsEvents: keepsEvents, rulesKnown: rulesKnown)
        guard isSound, readHead(&r), readMarkets(&r), readAccounts(&r), readBalances(&r),
            readWriters(&r), readReferences(&r), readOrders(&r), readFlights(&r),
            readElections(&r), readKills(&r), readMassCancels(&r), rules < 2 || readCustody(&r),
            rules < 3 || readOperators(&r) && readWithdrawalRules(&r) && readColdStorage(&r),
            rules < 4 || readWithdrawalTerms(&r)
        else { return nil }
        let end: UInt64 = r.integer()
        guard end == snapshotEnd, r.isValid, r.remaining == 0, isWhole(), unsafe isCanonical(bytes)
        else { return nil }
    }

    /// Whether writing the state gives the same bytes: no part is out of order, duplicated or
    /// meaningless.
    private func isCanonical(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        var isSame = true
        unsafe writeSnapshot { piece in
            guard isSame, bytes.count - offset >= piece.count else {
                isSame = false
                return
            }
            let theirs = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[offset..<offset + piece.count])
            isSame = unsafe Self.areSame(piece, theirs)
            offset += piece.count
        }
        return isSame && offset == bytes.count
    }

    private static func areSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard let left = a.baseAddress, let right = b.baseAddress else { return unsafe a.isEmpty }
        return unsafe memcmp(left, right, a.count) == 0
    }

    /// Checks of the whole state: money is conserved, held amounts equal the orders' holds, and no
    /// book is crossed.
    private func isWhole() -> Bool {
        if instrumentsUsed > 0 {
            for number in 1...instrumentsUsed {
                if isCrossed(number) { return false }
                if deferredStates[Int(number)] != 0, !hasFlight(number) { return false }
            }
        }
        return checkConservation() == nil && checkHolds() == nil && checkCustody() == nil
    }

    private mutating func readHead(_ r: inout WireReader) -> Bool {
        rules = r.integer()
        epoch = r.integer()
        sequence = r.integer()
        timestamp = r.integer()
        second = timestamp / 1_000_000_000
        events.hash = r.integer()
        lastOrder = r.integer()
        hashKey = (r.integer(), r.integer())
        orders.setHashKey(hashKey.high, hashKey.low)
        isKilled = r.flag()
        hasDiverged = r.flag()
        r.endPart()
        // No log reaches 2^62 records, orders or trades; so no counter overflows.
        guard isKnown(rules: rules), sequence < 1 << 62, lastOrder < 1 << 62,
            timestamp >= 0, let count = r.count(most: Limits.voidsMax)
        else { return false }
        for _ in 0..<count { voids.append(r.integer()) }
        // A record accepts at most one order, and voids one earlier record.
        return r.isValid && lastOrder <= sequence && Set(voids).count == voids.count
            && voids.allSatisfy { $0 >= 1 && $0 < sequence }
    }

    private mutating func readMarkets(_ r: inout WireReader) -> Bool {
        guard let assetCount = r.count(most: Int(limits.assets)) else { return false }
        for i in 0..<assetCount {
            let code: Text16 = r.text()
            let scale: UInt64 = r.integer()
            guard r.isValid, !code.isEmpty, scale <= UInt64(Limits.scaleMax),
                asset(code: code) == nil
            else { return false }
            assets[i + 1] = AssetView(id: AssetID(UInt16(i + 1)), code: code, scale: UInt8(scale))
            ledger.house[i + 1] = HouseBalance(
                external: r.signed(), fees: r.owned(), rounding: r.owned(), inTransit: r.owned(),
                chain: r.signed())
            // What chains took is at the house's expense, and none took anything before rules 2.
            let chain = ledger.house[i + 1].chain.units
            if chain > 0 || chain != 0 && rules < 2 { return false }
            assetsUsed = UInt16(i + 1)
        }
        guard let instrumentCount = r.count(most: Int(limits.instruments)) else { return false }
        for i in 0..<instrumentCount {
            readInstrument(&r, i + 1)
            guard r.isValid, isSound(instruments[i + 1]), isDeferrable(deferredStates[i + 1]),
                instrument(symbol: instruments[i + 1].symbol) == nil
            else { return false }
            instrumentsUsed = UInt16(i + 1)
        }
        return readFees(&r)
    }

    private mutating func readFees(_ r: inout WireReader) -> Bool {
        while true {
            let tier: UInt32 = r.integer()
            let instrument: UInt32 = r.integer()
            guard r.isValid else { return false }
            if tier == 0 { return instrument == 0 }
            let fee = FeeSlot(maker: r.integer(), taker: r.integer(), isSet: true)
            guard tier <= limits.feeTiers, instrument <= UInt32(instrumentsUsed),
                Self.areRatesValid(maker: fee.maker, taker: fee.taker)
            else { return false }
            accounts.setFee(UInt16(tier - 1), UInt16(instrument), fee)
        }
    }

    private mutating func readInstrument(_ r: inout WireReader, _ i: Int) {
        instruments[i].id = InstrumentID(UInt16(i))
        instruments[i].symbol = r.text()
        instruments[i].base = AssetID(r.integer())
        instruments[i].quote = AssetID(r.integer())
        instruments[i].tickScale = r.integer()
        instruments[i].state = r.choice(.closed)
        instruments[i].selfTradePrevention = r.choice(.none)
        deferredStates[i] = r.integer()
        instruments[i].tickMantissa = r.integer()
        instruments[i].lotUnits = r.integer()
        instruments[i].notionalUnit = r.integer()
        instruments[i].priceMin = Price(ticks: r.integer())
        instruments[i].priceMax = Price(ticks: r.integer())
        instruments[i].quantityMin = Quantity(lots: r.integer())
        instruments[i].quantityMax = Quantity(lots: r.integer())
        instruments[i].notionalMin = Amount(units: r.integer())
        instruments[i].notionalMax = Amount(units: r.integer())
        instruments[i].referencePrice = Price(ticks: r.integer())
        instruments[i].rebasedPrice = Price(ticks: r.integer())
        instruments[i].bandUp = r.integer()
        instruments[i].bandDown = r.integer()
        instruments[i].lastPrice = Price(ticks: r.integer())
        instruments[i].lastTrade = TradeID(r.integer())
        r.endPart()
    }

    /// Whether these bits are a valid pending state: none, or one that can be set.
    private func isDeferrable(_ raw: UInt8) -> Bool {
        if raw == 0 { return true }
        let state = InstrumentState(rawValue: raw - 1)
        return state != nil && state != .auction
    }

    /// Whether an operator could have set these terms, and the prices are possible.
    private func isSound(_ v: InstrumentView) -> Bool {
        guard let base = asset(v.base), let quote = asset(v.quote), !v.symbol.isEmpty else {
            return false
        }
        let terms = SetInstrument(
            symbol: v.symbol, base: v.base, quote: v.quote, tickMantissa: v.tickMantissa,
            tickScale: v.tickScale, lotUnits: v.lotUnits, state: v.state, priceMin: v.priceMin,
            priceMax: v.priceMax, quantityMin: v.quantityMin, quantityMax: v.quantityMax,
            notionalMin: v.notionalMin, notionalMax: v.notionalMax,
            referencePrice: v.referencePrice, bandUp: v.bandUp, bandDown: v.bandDown,
            selfTradePrevention: v.selfTradePrevention,
            audit: Audit(operatorName: Text40(), reason: ""))
        let prices = 0...Limits.priceTicksMax
        return Self.notionalUnit(terms, base, quote) == v.notionalUnit
            && areLimitsValid(terms, v.notionalUnit) && v.state != .auction
            && prices.contains(v.lastPrice.ticks) && prices.contains(v.rebasedPrice.ticks)
            && v.lastTrade.number < 1 << 62 && (v.lastTrade.number == 0) == (v.lastPrice.ticks == 0)
    }

    private mutating func readAccounts(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(limits.accounts)) else { return false }
        for number in 0...UInt32(count) {
            let name: Text40 = r.text()
            guard r.isValid, name.isEmpty == (number == 0) else { return false }
            if number > 0 {
                guard accounts.find(name) == nil, accounts.open(name) == number else {
                    return false
                }
            }
            accounts.slots[number].messageSecond = r.integer()
            accounts.slots[number].messages = r.integer()
            accounts.slots[number].messagesPerSecondMax = r.integer()
            accounts.slots[number].openOrdersMax = r.integer()
            accounts.slots[number].tier = r.integer()
            accounts.slots[number].isKilled = r.flag()
            accounts.slots[number].hasOwnLimits = r.flag()
            r.endPart()
            guard r.isValid, isSound(accounts.slots[number], isDefault: number == 0) else {
                return false
            }
        }
        guard let rows = r.count(most: Int(limits.orderLimits)) else { return false }
        for _ in 0..<rows {
            let account: UInt32 = r.integer()
            let instrument: UInt32 = r.integer()
            let row = Self.orderLimitRow(&r)
            guard r.isValid, account <= accounts.count, instrument >= 1,
                instrument <= UInt32(instrumentsUsed), row.quantityMax >= 0,
                row.notionalMax >= 0, !row.isEmpty
            else { return false }
            accounts.setOrderLimitRow(account, UInt16(instrument), row)
        }
        return true
    }

    /// Whether an account's line is one that commands can leave.
    private func isSound(_ slot: AccountSlot, isDefault: Bool) -> Bool {
        let hasLimits = slot.openOrdersMax > 0 || slot.messagesPerSecondMax > 0
        if isDefault, slot.messages > 0 || slot.tier > 0 || slot.isKilled { return false }
        return UInt32(slot.tier) < limits.feeTiers && slot.messages < .max
            && 0...second ~= slot.messageSecond && (slot.messages > 0 || slot.messageSecond == 0)
            && (slot.hasOwnLimits || !hasLimits)
    }

    private static func orderLimitRow(_ r: inout WireReader) -> OrderLimitSlot {
        let quantityMax: Int64 = r.integer()
        return OrderLimitSlot(notionalMax: r.integer(), quantityMax: quantityMax)
    }

    private mutating func readBalances(_ r: inout WireReader) -> Bool {
        while true {
            let number: UInt32 = r.integer()
            let asset: UInt32 = r.integer()
            guard r.isValid else { return false }
            if number == 0 { return asset == 0 }
            let balance = Balance(available: r.owned(), held: r.owned(), withdrawing: r.owned())
            guard r.isValid, number <= accounts.count, asset >= 1, asset <= UInt32(assetsUsed)
            else { return false }
            ledger.set(number, UInt16(asset), balance)
        }
    }

    private mutating func readWriters(_ r: inout WireReader) -> Bool {
        sessions.lastID = r.integer()
        let sessionCount: UInt32 = r.integer()
        guard r.isValid, sessionCount <= limits.sessions else { return false }
        for _ in 0..<sessionCount {
            let name: Text40 = r.text()
            let id: UInt64 = r.integer()
            let lastNumber: UInt64 = r.integer()
            let lastUsed: Int64 = r.integer()
            guard r.isValid, !name.isEmpty, id >= 1, id <= UInt64(sessions.lastID),
                lastNumber < 1 << 62, 0...timestamp ~= lastUsed, sessions.session(name) == nil,
                sessions.session(SessionID(UInt32(id))) == nil
            else { return false }
            sessions.open(
                SessionView(
                    id: SessionID(UInt32(id)), name: name, lastNumber: lastNumber,
                    lastUsed: lastUsed))
        }
        guard let keyCount = r.count(most: Int(limits.apiKeys)) else { return false }
        for _ in 0..<keyCount {
            let keyID: Text64 = r.text()
            let account = AccountID(r.integer())
            let permissions = Permissions(rawValue: r.integer())
            let algorithm = r.choice(KeyAlgorithm.hmacSHA256)
            r.reserved(1)
            let secret = r.blob(most: Limits.sealedSecretBytesMax)
            r.endPart()
            guard r.isValid, hasAccount(account), !keyID.isEmpty, keys.find(keyID) == nil else {
                return false
            }
            keys.add(
                APIKeyView(
                    keyID: keyID, account: account, permissions: permissions,
                    algorithm: algorithm, sealedSecret: secret))
        }
        return true
    }

    private mutating func readReferences(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(limits.references)) else { return false }
        for _ in 0..<count {
            let hash = ReferenceHash(high: r.integer(), low: r.integer())
            guard r.isValid, !references.contains(hash) else { return false }
            references.insert(hash)
        }
        return true
    }
}
