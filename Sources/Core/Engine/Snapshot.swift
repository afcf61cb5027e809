// The whole state in one canonical form: the same bytes on every replica at the same sequence,
// however its slots lie. Its hash is the state hash.
//
// In order, each part padded to 8 bytes: head, assets with the house's balances, instruments, fees,
// accounts, balances other than zero, sessions, API keys, waiting triggers, orders ladder by ladder
// in order of priority, end mark.

internal import Slabs
public import Terms
internal import Wire

/// The first word of a snapshot's body: "BSNAP" and the form's version.
private let snapshotMagic: UInt64 = 0x0001_0050_414E_5342
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

    mutating func flush() {
        unsafe sink(UnsafeRawBufferPointer(rebasing: chunk[..<writer.offset]))
        writer = unsafe WireWriter(chunk)
    }
}

extension Engine {
    /// Gives the whole state in canonical form to `sink`, piece by piece; each piece is a multiple
    /// of
    /// 8 bytes. O(state).
    public borrowing func writeSnapshot(_ sink: (UnsafeRawBufferPointer) -> Void) {
        unsafe withoutActuallyEscaping(sink) { sink in
            var out = unsafe SnapshotSink(sink)
            writeHead(&out)
            writeMarkets(&out)
            writeAccounts(&out)
            writeWriters(&out)
            writeOrders(&out)
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
        out.writer.integer(snapshotMagic)
        out.writer.integer(limits.assets)
        out.writer.integer(limits.instruments)
        out.writer.integer(limits.accounts)
        out.writer.integer(limits.openOrders)
        out.writer.integer(limits.apiKeys)
        out.writer.integer(limits.sessions)
        out.writer.integer(limits.feeTiers)
        out.writer.integer(epoch)
        out.writer.integer(sequence)
        out.writer.integer(timestamp)
        out.writer.integer(eventHash)
        out.writer.integer(lastOrder)
        out.writer.integer(UInt8(isKilled ? 1 : 0))
        out.writer.integer(UInt8(hasDiverged ? 1 : 0))
        out.endPart()
    }

    private func writeMarkets(_ out: inout SnapshotSink) {
        out.writer.integer(UInt64(assetsUsed))
        for i in 0..<Int(assetsUsed) {
            let (asset, house) = (assets[i + 1], ledger.house[i + 1])
            out.writer.text(asset.code)
            out.writer.integer(UInt64(asset.scale))
            out.writer.integer(house.external.units)
            out.writer.integer(house.fees.units)
            out.writer.integer(house.rounding.units)
            out.endPart()
        }
        out.writer.integer(UInt64(instrumentsUsed))
        for i in 0..<Int(instrumentsUsed) { write(instruments[i + 1], &out) }
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
        out.writer.integer(UInt64(0))
    }

    private func write(_ v: InstrumentView, _ out: inout SnapshotSink) {
        out.writer.text(v.symbol)
        out.writer.integer(v.base.number)
        out.writer.integer(v.quote.number)
        out.writer.integer(v.tickScale)
        out.writer.choice(v.state)
        out.writer.reserved(2)
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
        out.writer.integer(v.bandUp)
        out.writer.integer(v.bandDown)
        out.writer.integer(v.lastPrice.ticks)
        out.writer.integer(v.lastTrade.number)
        out.endPart()
    }

    private func writeAccounts(_ out: inout SnapshotSink) {
        out.writer.integer(UInt64(accounts.count))
        for number in 0...accounts.count {
            let slot = accounts.slots[number]
            out.writer.text(accounts.names[number])
            out.writer.integer(slot.orderNotionalMax)
            out.writer.integer(slot.orderQuantityMax)
            out.writer.integer(slot.messageSecond)
            out.writer.integer(slot.messages)
            out.writer.integer(slot.messagesPerSecondMax)
            out.writer.integer(slot.openOrdersMax)
            out.writer.integer(slot.tier)
            out.writer.integer(UInt8(slot.isKilled ? 1 : 0))
            out.writer.integer(UInt8(slot.hasOwnLimits ? 1 : 0))
            out.endPart()
        }
        for number in 0...accounts.count {
            for asset in 0...assetsUsed where !ledger.isEmpty(number, asset) {
                let balance = ledger.balance(number, asset)
                out.writer.integer(number)
                out.writer.integer(UInt32(asset))
                out.writer.integer(balance.available.units)
                out.writer.integer(balance.held.units)
                out.endPart()
            }
        }
        out.writer.integer(UInt64(0))
    }

    private func writeWriters(_ out: inout SnapshotSink) {
        out.writer.integer(sessions.lastID)
        out.writer.integer(UInt32(sessions.list.count))
        for session in sessions.list {
            out.writer.text(session.name)
            out.writer.integer(UInt64(session.id.number))
            out.writer.integer(session.lastNumber)
            out.endPart()
        }
        out.writer.integer(UInt64(keys.list.count))
        for (i, key) in keys.list.enumerated() {
            out.writer.text(key.keyID)
            out.writer.integer(key.account.number)
            out.writer.integer(key.permissions.rawValue)
            out.writer.choice(key.algorithm)
            out.writer.integer(UInt8(keys.isRevoked[i] ? 1 : 0))
            out.writer.blob(key.sealedSecret)
            out.endPart()
        }
        out.writer.integer(UInt64(pendingTriggers.count))
        for instrument in pendingTriggers { out.writer.integer(UInt64(instrument)) }
        out.endPart()
    }

    private func writeOrders(_ out: inout SnapshotSink) {
        out.writer.integer(UInt64(orders.count))
        for instrument in 0...instrumentsUsed {
            for kind in [LadderKind.bids, .asks, .stopsUp, .stopsDown] {
                let ladder = Ladders.index(instrument, kind)
                var level = ladders.best(ladder)
                while level != none {
                    var slot = ladders.first(level)
                    while slot != none {
                        write(orders.hot[slot], orders.cold[slot], &out)
                        slot = ladders.next(slot)
                    }
                    level = ladders.after(ladder, kind, ladders.price(level))
                }
            }
        }
    }

    private func write(_ hot: HotOrder, _ cold: ColdOrder, _ out: inout SnapshotSink) {
        out.writer.integer(hot.id)
        out.writer.integer(hot.price)
        out.writer.integer(hot.leaves)
        out.writer.integer(hot.shown)
        out.writer.integer(hot.display)
        out.writer.integer(hot.account)
        out.writer.integer(hot.instrument)
        out.writer.choice(hot.side)
        out.writer.choice(hot.type)
        out.writer.choice(hot.timeInForce)
        out.writer.choice(hot.selfTradePrevention)
        out.writer.integer(UInt8(hot.isWorking ? 1 : 0))
        out.writer.reserved(5)
        out.writer.integer(cold.cumQuote)
        out.writer.integer(hot.quantity)
        out.writer.integer(cold.stopPrice)
        out.writer.integer(cold.expireTime)
        out.writer.integer(cold.createdTime)
        out.writer.integer(cold.updatedTime)
        out.writer.text(cold.clOrdID)
        out.endPart()
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
}

extension Engine {
    /// The state that `writeSnapshot` gave; nil when the bytes are not well formed to the last. A
    /// snapshot that passed its checksums and fails here is of another version.
    public init?(snapshot bytes: UnsafeRawBufferPointer, keepsEvents: Bool = true) {
        var r = unsafe WireReader(bytes)
        let magic: UInt64 = r.integer()
        let limits = EngineLimits(
            assets: r.integer(), instruments: r.integer(), accounts: r.integer(),
            openOrders: r.integer(), apiKeys: r.integer(), sessions: r.integer(),
            feeTiers: r.integer())
        let isKnown = magic == snapshotMagic && r.isValid && limits.isReasonable
        // What cannot be copied must be whole before it can be given up.
        self.init(limits: isKnown ? limits : .small, keepsEvents: keepsEvents)
        guard isKnown else { return nil }
        epoch = r.integer()
        sequence = r.integer()
        timestamp = r.integer()
        second = timestamp / 1_000_000_000
        events.hash = r.integer()
        lastOrder = r.integer()
        isKilled = r.flag()
        hasDiverged = r.flag()
        r.endPart()
        guard readMarkets(&r), readAccounts(&r), readWriters(&r), readOrders(&r) else {
            return nil
        }
        let end: UInt64 = r.integer()
        guard end == snapshotEnd, r.isValid, r.remaining == 0 else { return nil }
    }

    private mutating func readMarkets(_ r: inout WireReader) -> Bool {
        let assetCount: UInt64 = r.integer()
        guard r.isValid, assetCount <= UInt64(limits.assets) else { return false }
        for i in 0..<Int(assetCount) {
            assets[i + 1] = AssetView(
                id: AssetID(UInt16(i + 1)), code: r.text(),
                scale: UInt8(clamping: r.integer(UInt64.self)))
            ledger.house[i + 1] = HouseBalance(
                external: Amount(units: r.integer()), fees: Amount(units: r.integer()),
                rounding: Amount(units: r.integer()))
            guard r.isValid, assets[i + 1].scale <= Limits.scaleMax else { return false }
        }
        assetsUsed = UInt16(assetCount)
        let instrumentCount: UInt64 = r.integer()
        guard r.isValid, instrumentCount <= UInt64(limits.instruments) else { return false }
        for i in 0..<Int(instrumentCount) {
            readInstrument(&r, i + 1)
            guard r.isValid, isSound(instruments[i + 1]) else { return false }
        }
        instrumentsUsed = UInt16(instrumentCount)
        while true {
            let tier: UInt32 = r.integer()
            let instrument: UInt32 = r.integer()
            guard r.isValid else { return false }
            if tier == 0 { return instrument == 0 }
            guard tier <= limits.feeTiers, instrument <= UInt32(instrumentsUsed) else {
                return false
            }
            let fee = FeeSlot(maker: r.integer(), taker: r.integer(), isSet: true)
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
        r.reserved(2)
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
        instruments[i].bandUp = r.integer()
        instruments[i].bandDown = r.integer()
        instruments[i].lastPrice = Price(ticks: r.integer())
        instruments[i].lastTrade = TradeID(r.integer())
        r.endPart()
    }

    private func isSound(_ v: InstrumentView) -> Bool {
        asset(v.base) != nil && asset(v.quote) != nil && v.notionalUnit >= 1 && v.lotUnits >= 1
            && v.priceMax.ticks <= Limits.priceTicksMax && v.lastPrice.ticks >= 0
            && v.lastPrice.ticks <= Limits.priceTicksMax
    }

    private mutating func readAccounts(_ r: inout WireReader) -> Bool {
        let count: UInt64 = r.integer()
        guard r.isValid, count <= UInt64(limits.accounts) else { return false }
        for number in 0...UInt32(count) {
            let name: Text40 = r.text()
            if number > 0 {
                guard r.isValid, !name.isEmpty, accounts.find(name) == nil,
                    accounts.open(name) == number
                else { return false }
            }
            accounts.slots[number].orderNotionalMax = r.integer()
            accounts.slots[number].orderQuantityMax = r.integer()
            accounts.slots[number].messageSecond = r.integer()
            accounts.slots[number].messages = r.integer()
            accounts.slots[number].messagesPerSecondMax = r.integer()
            accounts.slots[number].openOrdersMax = r.integer()
            accounts.slots[number].tier = r.integer()
            accounts.slots[number].isKilled = r.flag()
            accounts.slots[number].hasOwnLimits = r.flag()
            r.endPart()
            guard r.isValid, UInt32(accounts.slots[number].tier) < limits.feeTiers else {
                return false
            }
        }
        return readBalances(&r)
    }

    private mutating func readBalances(_ r: inout WireReader) -> Bool {
        while true {
            let number: UInt32 = r.integer()
            let asset: UInt32 = r.integer()
            guard r.isValid else { return false }
            if number == 0 { return asset == 0 }
            let balance = Balance(
                available: Amount(units: r.integer()), held: Amount(units: r.integer()))
            // What came from outside, and as much again in rebates.
            let most = 2 * Limits.amountUnitsMax
            guard r.isValid, number <= accounts.count, asset >= 1, asset <= UInt32(assetsUsed),
                balance.available.units >= 0, balance.held.units >= 0,
                balance.available.units <= most, balance.held.units <= most
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
            guard r.isValid, id <= UInt64(sessions.lastID) else { return false }
            sessions.list.append(
                SessionView(id: SessionID(UInt32(id)), name: name, lastNumber: r.integer()))
        }
        let keyCount: UInt64 = r.integer()
        guard r.isValid, keyCount <= UInt64(limits.apiKeys) else { return false }
        for place in 0..<Int(keyCount) {
            let keyID: Text64 = r.text()
            let account = AccountID(r.integer())
            let permissions = Permissions(rawValue: r.integer())
            let algorithm = r.choice(KeyAlgorithm.hmacSHA256)
            keys.isRevoked.append(r.flag())
            keys.list.append(
                APIKeyView(
                    keyID: keyID, account: account, permissions: permissions,
                    algorithm: algorithm,
                    sealedSecret: r.blob(most: Limits.sealedSecretBytesMax)))
            r.endPart()
            guard r.isValid, hasAccount(account), keys.places[keyID] == nil else { return false }
            keys.places[keyID] = place
        }
        let pendingCount: UInt64 = r.integer()
        guard r.isValid, pendingCount <= UInt64(instrumentsUsed) else { return false }
        for _ in 0..<pendingCount {
            let instrument: UInt64 = r.integer()
            guard instrument >= 1, instrument <= UInt64(instrumentsUsed) else { return false }
            pendingTriggers.append(UInt16(instrument))
        }
        r.endPart()
        return r.isValid
    }

    private mutating func readOrders(_ r: inout WireReader) -> Bool {
        let count: UInt64 = r.integer()
        guard r.isValid, count <= UInt64(limits.openOrders) else { return false }
        for _ in 0..<count {
            var hot = HotOrder(
                id: r.integer(), price: r.integer(), leaves: r.integer(), shown: r.integer(),
                display: r.integer(), account: r.integer(), instrument: r.integer())
            hot.side = r.choice(.buy)
            hot.type = r.choice(.limit)
            hot.timeInForce = r.choice(.gtc)
            hot.selfTradePrevention = r.choice(.none)
            hot.isWorking = r.flag()
            r.reserved(5)
            let cumQuote: Int128 = r.integer()
            hot.quantity = r.integer()
            var cold = ColdOrder(
                stopPrice: r.integer(), expireTime: r.integer(), createdTime: r.integer(),
                updatedTime: r.integer(), clOrdID: r.text(), account: hot.account)
            cold.cumQuote = cumQuote
            r.endPart()
            guard r.isValid, isSound(hot, cold) else { return false }
            _ = rest(hot, cold)
        }
        return true
    }

    private func isSound(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        let at = hot.isWorking ? hot.price : cold.stopPrice
        return hot.id >= 1 && hot.id <= lastOrder && orders.find(hot.id) == none
            && hasAccount(AccountID(hot.account)) && hot.instrument >= 1
            && hot.instrument <= instrumentsUsed && at >= 1 && at <= Limits.priceTicksMax
            && hot.price >= 0 && hot.price <= Limits.priceTicksMax && hot.leaves >= 1
            && hot.shown >= 1 && hot.shown <= hot.leaves && hot.leaves <= hot.quantity
            && hot.quantity <= Limits.quantityLotsMax && (hot.isWorking || hot.type.isTriggered)
    }
}

extension EngineLimits {
    /// Whether an engine can be made with these limits: they may come from a damaged file.
    public var isReasonable: Bool {
        assets >= 1 && assets < 65_535 && instruments >= 1 && instruments < 65_535
            && accounts >= 1 && accounts <= 16_000_000 && openOrders >= 1 && openOrders < 1 << 24
            && apiKeys <= 16_000_000 && sessions >= 1 && sessions <= 65_536 && feeTiers >= 1
            && feeTiers <= 1_024 && UInt64(accounts) * UInt64(assets) <= 1 << 31
    }
}
