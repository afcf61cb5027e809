// The whole state in one canonical form: the same bytes on every replica at the same sequence,
// however its slots lie. Its hash is the state hash.
//
// In order, each part padded to 8 bytes: head, voids, assets with the house's balances, instruments,
// fees, accounts, order limits, balances other than zero, sessions, API keys, references, orders
// ladder by ladder in order of priority, flights, elections, mass cancels, end mark.

internal import Glibc
internal import Slabs
internal import Terms
internal import Wire

/// The first word of a snapshot's body: "BSNAP" in its lower 48 bits, above them the form's version.
private let snapshotMagic: UInt64 = 0x0050_414E_5342
private let snapshotVersion: UInt64 = 2
private let snapshotEnd: UInt64 = 0x444E_4550_414E_5342

/// Hands a state on in pieces of bounded size.
@safe private struct SnapshotSink: ~Copyable {
    private let chunk: UnsafeMutableRawBufferPointer
    var writer: WireWriter
    private let sink: (UnsafeRawBufferPointer) -> Void

    /// Bytes of one piece at most.
    static let chunkBytes = 1 << 16
    /// No part is larger: an API key with its secret is the largest.
    static let partBytes = 4096

    init(_ sink: @escaping (UnsafeRawBufferPointer) -> Void) {
        unsafe chunk = .allocate(byteCount: Self.chunkBytes, alignment: 16)
        writer = unsafe WireWriter(chunk)
        unsafe self.sink = sink
    }

    deinit { unsafe chunk.deallocate() }

    /// Ends a part, and hands the piece on when another part might not fit.
    @inline(__always) mutating func endPart() {
        writer.pad()
        if writer.offset > Self.chunkBytes - Self.partBytes { flush() }
    }

    mutating func flag(_ value: Bool) { writer.integer(UInt8(value ? 1 : 0)) }

    /// A part that says how many there are of what follows.
    mutating func count(_ value: Int) {
        writer.integer(UInt64(value))
        endPart()
    }

    mutating func flush() {
        unsafe sink(UnsafeRawBufferPointer(rebasing: chunk[..<writer.offset]))
        writer = unsafe WireWriter(chunk)
    }
}

extension Engine {
    /// Gives the whole state in canonical form to `sink`, piece by piece; each piece is a multiple
    /// of 8 bytes. O(state).
    public borrowing func writeSnapshot(_ sink: (UnsafeRawBufferPointer) -> Void) {
        unsafe withoutActuallyEscaping(sink) { sink in
            var out = unsafe SnapshotSink(sink)
            writeHead(&out)
            writeMarkets(&out)
            writeAccounts(&out)
            writeWriters(&out)
            writeReferences(&out)
            writeOrders(&out)
            writeWork(&out)
            out.writer.integer(snapshotEnd)
            out.flush()
        }
    }

    /// The hash over the whole state, the same for replicas at the same sequence. O(state).
    public borrowing func stateHash() -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        unsafe writeSnapshot { bytes in
            var offset = 0
            while offset < bytes.count {
                let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                hash = (hash ^ word.littleEndian) &* 0x9E37_79B9_7F4A_7C15
                hash ^= hash >> 32
                offset += 8
            }
        }
        return hash
    }

    private func writeHead(_ out: inout SnapshotSink) {
        out.writer.integer(snapshotMagic | snapshotVersion << 48)
        limits.encode(into: &out.writer)
        out.writer.integer(rules)
        out.writer.integer(epoch)
        out.writer.integer(sequence)
        out.writer.integer(timestamp)
        out.writer.integer(eventHash)
        out.writer.integer(lastOrder)
        out.writer.integer(hashKey.high)
        out.writer.integer(hashKey.low)
        out.flag(isKilled)
        out.flag(hasDiverged)
        out.endPart()
        out.count(voids.count)
        for sequence in voids {
            out.writer.integer(sequence)
            out.endPart()
        }
    }

    private func writeMarkets(_ out: inout SnapshotSink) {
        out.count(Int(assetsUsed))
        for i in 0..<Int(assetsUsed) {
            let (asset, house) = (assets[i + 1], ledger.house[i + 1])
            out.writer.text(asset.code)
            out.writer.integer(UInt64(asset.scale))
            out.writer.integer(house.external.units)
            out.writer.integer(house.fees.units)
            out.writer.integer(house.rounding.units)
            out.writer.integer(house.inTransit.units)
            out.writer.integer(house.chain.units)
            out.endPart()
        }
        out.count(Int(instrumentsUsed))
        for i in 0..<Int(instrumentsUsed) {
            write(instruments[i + 1], deferred: deferredStates[i + 1], &out)
        }
        for tier in 0..<UInt16(limits.feeTiers) {
            for instrument in 0...instrumentsUsed {
                let fee = accounts.fee(tier, instrument)
                if !fee.isSet { continue }
                out.writer.integer(UInt32(tier) + 1)
                out.writer.integer(UInt32(instrument))
                out.writer.integer(fee.maker)
                out.writer.integer(fee.taker)
                out.endPart()
            }
        }
        out.count(0)
    }

    private func write(_ v: InstrumentView, deferred: UInt8, _ out: inout SnapshotSink) {
        out.writer.text(v.symbol)
        out.writer.integer(v.base.number)
        out.writer.integer(v.quote.number)
        out.writer.integer(v.tickScale)
        out.writer.choice(v.state)
        out.writer.choice(v.selfTradePrevention)
        out.writer.integer(deferred)
        out.writer.integer(v.tickMantissa)
        out.writer.integer(v.lotUnits)
        out.writer.integer(v.notionalUnit)
        out.writer.integer(v.priceMin.ticks)
        out.writer.integer(v.priceMax.ticks)
        out.writer.integer(v.quantityMin.lots)
        out.writer.integer(v.quantityMax.lots)
        out.writer.integer(v.notionalMin.units)
        out.writer.integer(v.notionalMax.units)
        out.writer.integer(v.referencePrice.ticks)
        out.writer.integer(v.rebasedPrice.ticks)
        out.writer.integer(v.bandUp)
        out.writer.integer(v.bandDown)
        out.writer.integer(v.lastPrice.ticks)
        out.writer.integer(v.lastTrade.number)
        out.endPart()
    }

    private func writeAccounts(_ out: inout SnapshotSink) {
        out.count(Int(accounts.count))
        for number in 0...accounts.count {
            let slot = accounts.slots[number]
            out.writer.text(accounts.names[number])
            out.writer.integer(slot.messageSecond)
            out.writer.integer(slot.messages)
            out.writer.integer(slot.messagesPerSecondMax)
            out.writer.integer(slot.openOrdersMax)
            out.writer.integer(slot.tier)
            out.flag(slot.isKilled)
            out.flag(slot.hasOwnLimits)
            out.endPart()
        }
        let rows = accounts.orderLimitKeys(instruments: instrumentsUsed)
        out.count(rows.count)
        for (account, instrument) in rows {
            let row = accounts.orderLimitRow(account, instrument)
            out.writer.integer(account)
            out.writer.integer(UInt32(instrument))
            out.writer.integer(row.quantityMax)
            out.writer.integer(row.notionalMax)
            out.endPart()
        }
        for asset in 0...assetsUsed {
            for number in 0...accounts.count where !ledger.isEmpty(number, asset) {
                let balance = ledger.balance(number, asset)
                out.writer.integer(number)
                out.writer.integer(UInt32(asset))
                out.writer.integer(balance.available.units)
                out.writer.integer(balance.held.units)
                out.writer.integer(balance.withdrawing.units)
                out.endPart()
            }
        }
        out.count(0)
    }

    private func writeWriters(_ out: inout SnapshotSink) {
        out.writer.integer(sessions.lastID)
        out.writer.integer(UInt32(sessions.count))
        out.endPart()
        for session in sessions.sorted() {
            out.writer.text(session.name)
            out.writer.integer(UInt64(session.id.number))
            out.writer.integer(session.lastNumber)
            out.endPart()
        }
        out.count(keys.count)
        var place = keys.next(after: 0)
        while place != 0 {
            if let key = keys.key(place) { write(key, &out) }
            place = keys.next(after: place)
        }
    }

    private func write(_ key: APIKeyView, _ out: inout SnapshotSink) {
        out.writer.text(key.keyID)
        out.writer.integer(key.account.number)
        out.writer.integer(key.permissions.rawValue)
        out.writer.choice(key.algorithm)
        out.writer.reserved(1)
        out.writer.blob(key.sealedSecret)
        out.endPart()
    }

    private func writeReferences(_ out: inout SnapshotSink) {
        out.count(references.count)
        for i in 0..<references.count {
            let hash = references.hash(i)
            out.writer.integer(hash.high)
            out.writer.integer(hash.low)
            out.endPart()
        }
    }

    private func writeOrders(_ out: inout SnapshotSink) {
        out.count(orders.count - flights.count)
        for instrument in 0...instrumentsUsed {
            for kind in [LadderKind.bids, .asks, .stopsUp, .stopsDown] {
                let ladder = Ladders.index(instrument, kind)
                var level = ladders.best(ladder)
                while level != none {
                    var slot = ladders.first(level)
                    while slot != none {
                        write(slot, &out)
                        slot = ladders.next(slot)
                    }
                    level = ladders.after(ladder, kind, ladders.price(level))
                }
            }
        }
        out.count(flights.count)
        for flight in flights {
            write(flight.slot, &out)
            out.writer.integer(flight.funds)
            out.writer.integer(flight.quoteQuantity)
            out.writer.integer(flight.bound)
            out.writer.integer(flight.lotsHeld)
            out.writer.integer(flight.cumQty)
            out.writer.integer(Self.code(flight.kind))
            out.endPart()
        }
    }

    private static func code(_ kind: Incoming.Kind) -> UInt8 {
        switch kind {
        case .limit: 0
        case .market: 1
        case .quote: 2
        }
    }

    private func write(_ slot: UInt32, _ out: inout SnapshotSink) {
        let (hot, cold) = (orders.hot[slot], orders.cold[slot])
        out.writer.integer(hot.id)
        out.writer.integer(hot.price)
        out.writer.integer(hot.leaves)
        out.writer.integer(hot.shown)
        out.writer.integer(hot.display)
        out.writer.integer(hot.quantity)
        out.writer.integer(hot.account)
        out.writer.integer(hot.instrument)
        out.writer.choice(hot.side)
        out.writer.choice(hot.type)
        out.writer.choice(hot.timeInForce)
        out.writer.choice(hot.selfTradePrevention)
        out.flag(hot.isWorking)
        out.writer.reserved(1)
        out.writer.integer(cold.strategyType)
        out.writer.integer(cold.cumQuote)
        out.writer.integer(cold.preventedQuantity)
        out.writer.integer(cold.stopPrice)
        out.writer.integer(cold.expireTime)
        out.writer.integer(cold.createdTime)
        out.writer.integer(cold.updatedTime)
        out.writer.integer(cold.workingTime)
        out.writer.integer(cold.strategyID)
        out.writer.text(cold.clOrdID)
        out.writer.integer(cold.feeOverpaid)
        out.endPart()
    }

    private func writeWork(_ out: inout SnapshotSink) {
        out.count(elections.count)
        for election in elections {
            let ranges = election.ranges[election.head...]
            out.writer.integer(UInt32(election.instrument))
            out.writer.integer(UInt32(ranges.count))
            out.endPart()
            for range in ranges {
                out.writer.integer(range.bound)
                out.flag(range.isUp)
                out.endPart()
            }
        }
        out.count(massCancels.count)
        for work in massCancels {
            out.writer.integer(work.account)
            out.writer.integer(work.instrument)
            out.writer.integer(work.side?.rawValue ?? 255)
            out.writer.choice(work.reason)
            out.writer.integer(work.lastOrder)
            out.writer.integer(UInt64(work.current))
            out.writer.integer(work.slot == none ? UInt64(0) : orders.hot[work.slot].id)
            out.endPart()
        }
    }
}

extension WireReader {
    /// Passes over the padding that ends a part.
    fileprivate mutating func endPart() { reserved((8 - offset & 7) & 7) }

    fileprivate mutating func flag() -> Bool {
        let raw: UInt8 = integer()
        if raw > 1 { invalidate() }
        return raw == 1
    }

    /// How many there are of what follows; nil when more than `most`.
    fileprivate mutating func count(most: Int) -> Int? {
        let value: UInt64 = integer()
        return isValid && value <= UInt64(most) ? Int(value) : nil
    }

    /// An amount that somebody owns: not below zero, nor above what there can be.
    fileprivate mutating func owned() -> Amount {
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
    /// The state that `writeSnapshot` gave; nil when the bytes are not a whole and sound state in
    /// canonical form. A snapshot that passed its checksums and fails here is of an unknown version.
    public init?(snapshot bytes: UnsafeRawBufferPointer, keepsEvents: Bool = true) {
        var r = unsafe WireReader(bytes)
        let magic: UInt64 = r.integer()
        // Older versions get a case of their own here from now on.
        let isKnown = magic == snapshotMagic | snapshotVersion << 48
        let limits = EngineLimits(from: &r)
        let isSound = isKnown && r.isValid && limits.isReasonable
        // What cannot be copied must be whole before it can be given up.
        self.init(limits: isSound ? limits : .small, keepsEvents: keepsEvents)
        guard isSound, readHead(&r), readMarkets(&r), readAccounts(&r), readBalances(&r),
            readWriters(&r), readReferences(&r), readOrders(&r), readFlights(&r),
            readElections(&r), readMassCancels(&r)
        else { return nil }
        let end: UInt64 = r.integer()
        guard end == snapshotEnd, r.isValid, r.remaining == 0, isWhole(),
            unsafe isCanonical(bytes)
        else { return nil }
    }

    /// Whether the state as it was read is written as the same bytes: nothing stands there in
    /// another order, or twice, or without a meaning.
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

    private static func areSame(
        _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer
    ) -> Bool {
        guard let left = a.baseAddress, let right = b.baseAddress else {
            return unsafe a.isEmpty
        }
        return unsafe memcmp(left, right, a.count) == 0
    }

    /// What only the whole can show: money is conserved, orders' holds are what is held, and no book
    /// is crossed.
    private func isWhole() -> Bool {
        if instrumentsUsed > 0 {
            for number in 1...instrumentsUsed {
                if isCrossed(number) { return false }
                if deferredStates[Int(number)] != 0, !hasFlight(number) { return false }
            }
        }
        return checkConservation() == nil && checkHolds() == nil
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
        // A log of 2^62 records, orders or trades is never reached; so nothing counts beyond its
        // type.
        guard Self.isKnown(rules: rules), sequence < 1 << 62, lastOrder < 1 << 62,
            timestamp >= 0, let count = r.count(most: Limits.voidsMax)
        else { return false }
        for _ in 0..<count { voids.append(r.integer()) }
        return r.isValid && voids.allSatisfy { $0 <= sequence }
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
            assetsUsed = UInt16(i + 1)
        }
        guard let instrumentCount = r.count(most: Int(limits.instruments)) else { return false }
        for i in 0..<instrumentCount {
            readInstrument(&r, i + 1)
            guard r.isValid, isSound(instruments[i + 1]), deferredStates[i + 1] <= 6,
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

    /// The same terms as an operator may set, and prices that can have been.
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
            && v.lastTrade.number < 1 << 62
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
            guard r.isValid, UInt32(accounts.slots[number].tier) < limits.feeTiers,
                accounts.slots[number].messages < .max
            else { return false }
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
            let balance = Balance(
                available: r.owned(), held: r.owned(), withdrawing: r.owned())
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
            guard r.isValid, !name.isEmpty, id >= 1, id <= UInt64(sessions.lastID),
                lastNumber < 1 << 62, sessions.session(name) == nil,
                sessions.session(SessionID(UInt32(id))) == nil
            else { return false }
            sessions.open(
                SessionView(id: SessionID(UInt32(id)), name: name, lastNumber: lastNumber))
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

    // MARK: Orders

    private mutating func readOrders(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: orders.capacity) else { return false }
        for _ in 0..<count {
            guard let (hot, cold) = readOrder(&r), isResting(hot, cold) else { return false }
            rest(hot, cold)
        }
        return true
    }

    /// The next order, as far as what holds for each open one; nil where it does not.
    private mutating func readOrder(_ r: inout WireReader) -> (HotOrder, ColdOrder)? {
        var hot = HotOrder(
            id: r.integer(), price: r.integer(), leaves: r.integer(), shown: r.integer(),
            display: r.integer(), quantity: r.integer(), account: r.integer(),
            instrument: r.integer(), side: r.choice(.buy), type: r.choice(.limit),
            timeInForce: r.choice(.gtc), selfTradePrevention: r.choice(.none),
            isWorking: r.flag())
        r.reserved(1)
        var cold = ColdOrder(account: hot.account, strategyType: r.integer())
        cold.cumQuote = r.owned().units
        cold.preventedQuantity = r.integer()
        cold.stopPrice = r.integer()
        cold.expireTime = r.integer()
        cold.createdTime = r.integer()
        cold.updatedTime = r.integer()
        cold.workingTime = r.integer()
        cold.strategyID = r.integer()
        cold.clOrdID = r.text()
        cold.feeOverpaid = r.integer()
        r.endPart()
        hot.hasClOrdID = !cold.clOrdID.isEmpty
        let prices = 0...Limits.priceTicksMax
        let lots = 0...Limits.quantityLotsMax
        guard r.isValid, hot.id >= 1, hot.id <= lastOrder, orders.find(hot.id) == none,
            orders.count < orders.capacity, hasAccount(AccountID(hot.account)),
            hot.instrument >= 1, hot.instrument <= instrumentsUsed, prices.contains(hot.price),
            prices.contains(cold.stopPrice), lots.contains(hot.quantity),
            lots.contains(hot.leaves), lots.contains(hot.shown), lots.contains(hot.display),
            lots.contains(cold.preventedQuantity),
            Int128(hot.quantity) * Int128(limits.openOrders) <= 1 << 62,
            cold.feeOverpaid < 100_000_000, hot.selfTradePrevention != .instrumentDefault,
            cold.clOrdID.count <= Limits.clOrdIDBytesMax,
            !hot.hasClOrdID
                || orders.find(account: hot.account, clOrdID: cold.clOrdID) == none
        else { return nil }
        return (hot, cold)
    }

    /// Whether an order can stand in a ladder.
    private func isResting(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        let stays = hot.timeInForce == .gtc || hot.timeInForce == .gtd
        let stands =
            hot.isWorking
            ? hot.type.hasPrice && hot.price >= 1 && stays
            : hot.type.isTriggered && cold.stopPrice >= 1
        return stands && (!hot.type.hasPrice || hot.price >= 1) && hot.shown >= 1
            && hot.shown <= hot.leaves && cold.preventedQuantity <= hot.quantity - hot.leaves
            && hot.leaves <= hot.quantity
            && isHoldSound(hot, at: hot.type.hasPrice ? hot.price : cold.stopPrice)
    }

    /// Whether what an order holds, at so many lots of this price, is an amount that there can be.
    private func isHoldSound(_ hot: HotOrder, at price: Int64) -> Bool {
        let instrument = instruments[Int(hot.instrument)]
        let hold =
            hot.side == .sell
            ? Int128(hot.leaves) * Int128(instrument.lotUnits)
            : notional(price, hot.leaves, instrument.notionalUnit)
        return hold <= Limits.amountUnitsMax
    }

    private mutating func readFlights(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(instrumentsUsed)) else { return false }
        for _ in 0..<count {
            guard let (terms, cold) = readOrder(&r) else { return false }
            var hot = terms
            let (funds, quoteQuantity) = (r.owned().units, r.owned().units)
            let (bound, lotsHeld, cumQty): (Int64, Int64, Int64) = (
                r.integer(), r.integer(), r.integer()
            )
            let code: UInt8 = r.integer()
            r.endPart()
            guard r.isValid, hot.isWorking, !hasFlight(hot.instrument),
                let kind = [Incoming.Kind.limit, .market, .quote].first(where: {
                    Self.code($0) == code
                }),
                isFlying(hot, cold, kind, quoteQuantity: quoteQuantity, cumQty: cumQty),
                lotsHeld >= 0,
                Int128(lotsHeld) * Int128(instruments[Int(hot.instrument)].lotUnits)
                    <= Limits.amountUnitsMax
            else { return false }
            hot.level = none
            let slot = enter(hot, cold)
            flights.append(
                Flight(
                    slot: slot, kind: kind, bound: bound, funds: funds, lotsHeld: lotsHeld,
                    quoteQuantity: quoteQuantity, cumQty: cumQty))
        }
        linkAccounts()
        return true
    }

    /// Links each account's orders anew in the order of their acceptance, for they came in that of
    /// the books. O(n log n).
    private mutating func linkAccounts() {
        for account in 0...accounts.count {
            accounts.slots[account].firstOrder = none
            accounts.slots[account].lastOrder = none
            accounts.slots[account].openOrders = 0
        }
        for slot in orders.accepted() { join(slot, orders.hot[slot].account) }
    }

    /// Whether an order can be in flight as this kind.
    private func isFlying(
        _ hot: HotOrder, _ cold: ColdOrder, _ kind: Incoming.Kind, quoteQuantity: Int128,
        cumQty: Int64
    ) -> Bool {
        if kind == .quote {
            return hot.type == .market && quoteQuantity >= 1 && hot.leaves == 0
                && hot.quantity == cumQty
        }
        return quoteQuantity == 0 && hot.type.hasPrice == (kind == .limit)
            && (kind == .market || hot.price >= 1) && hot.leaves >= 1
            && cumQty == hot.quantity - cold.preventedQuantity - hot.leaves && cumQty >= 0
            && isHoldSound(hot, at: hot.price)
    }

    // MARK: Work that goes on

    private mutating func readElections(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(instrumentsUsed)) else { return false }
        for _ in 0..<count {
            let instrument: UInt32 = r.integer()
            let rangeCount: UInt32 = r.integer()
            guard r.isValid, instrument >= 1, instrument <= UInt32(instrumentsUsed),
                !elections.contains(where: { $0.instrument == UInt16(instrument) }),
                rangeCount >= 1, Int(rangeCount) <= r.remaining / 16
            else { return false }
            var ranges: [Election.Range] = []
            for _ in 0..<rangeCount {
                let bound: Int64 = r.integer()
                let isUp = r.flag()
                r.endPart()
                guard r.isValid, bound >= 1, bound <= Limits.priceTicksMax,
                    ranges.last?.isUp != isUp
                else { return false }
                ranges.append(Election.Range(isUp: isUp, bound: bound))
            }
            elections.append(Election(instrument: UInt16(instrument), ranges: ranges))
        }
        if instrumentsUsed > 0 { for number in 1...instrumentsUsed { updateTriggers(number) } }
        return true
    }

    private mutating func readMassCancels(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: r.remaining / 32) else { return false }
        for _ in 0..<count {
            let account: UInt32 = r.integer()
            let instrument: UInt16 = r.integer()
            let rawSide: UInt8 = r.integer()
            let reason: EndReason = r.choice(.massCancel)
            let last: UInt64 = r.integer()
            let current: UInt64 = r.integer()
            let order: UInt64 = r.integer()
            guard r.isValid, account <= accounts.count, instrument <= instrumentsUsed,
                rawSide == 255 || Side(rawValue: rawSide) != nil,
                reason == .massCancel || reason == .killSwitch, last <= lastOrder, current >= 1,
                current <= UInt64(accounts.count), account == 0 || current == UInt64(account)
            else { return false }
            let slot = order == 0 ? none : orders.find(order)
            if order != 0 {
                guard slot != none, UInt64(orders.hot[slot].account) == current else {
                    return false
                }
            }
            massCancels.append(
                MassCancelWork(
                    account: account, instrument: instrument, side: Side(rawValue: rawSide),
                    reason: reason, lastOrder: last, current: UInt32(current), slot: slot))
        }
        return true
    }
}
