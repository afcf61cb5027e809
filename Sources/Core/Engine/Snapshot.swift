// The whole state in canonical form: identical bytes on every replica at the same sequence,
// whatever its slots. Its hash is the state hash.
//
// In order, each part padded to 8 bytes: head, voids, assets with the house's balances,
// instruments, fees, accounts, order limits, balances other than zero, sessions, API keys,
// references, orders ladder by ladder in order of priority, flights, elections, kill switches, mass
// cancels, custody (from rules 2 on), operators with keys and the rules of withdrawals (from rules
// 3 on), end mark.

internal import Slabs
internal import Terms
internal import Wire

/// The first word of a snapshot's body: "BSNAP" in the lower 48 bits, the version above.
let snapshotMagic: UInt64 = 0x0050_414E_5342
let snapshotVersion: UInt64 = 2
let snapshotEnd: UInt64 = 0x444E_4550_414E_5342

/// Passes a state on in pieces of bounded size.
@safe struct SnapshotSink: ~Copyable {
    private let chunk: UnsafeMutableRawBufferPointer
    var writer: WireWriter
    private let sink: (UnsafeRawBufferPointer) -> Void

    /// Maximum bytes of one piece.
    static let chunkBytes = 1 << 16
    /// Maximum bytes of a part: an API key with its secret.
    static let partBytes = 4096

    init(_ sink: @escaping (UnsafeRawBufferPointer) -> Void) {
        unsafe chunk = .allocate(byteCount: Self.chunkBytes, alignment: 16)
        writer = unsafe WireWriter(chunk)
        unsafe self.sink = sink
    }

    deinit { unsafe chunk.deallocate() }

    /// Ends a part, and passes the piece on if another part might not fit.
    @inline(__always) mutating func endPart() {
        writer.pad()
        if writer.offset > Self.chunkBytes - Self.partBytes { flush() }
    }

    mutating func flag(_ value: Bool) { writer.flag(value) }

    /// A part with the number of items that follow.
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
    /// Passes the whole state in canonical form to `sink` in pieces, each of which is a multiple
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
            if rules >= 2 { writeCustody(&out) }
            if rules >= 3 {
                writeOperators(&out)
                writeWithdrawalRules(&out)
                writeColdStorage(&out)
            }
            if rules >= 4 { writeWithdrawalTerms(&out) }
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
            out.writer.integer(session.lastUsed)
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
                        slot = orders.hot[slot].link.nextOrder
                    }
                    level = ladders.after(ladder, kind, ladders.price(level))
                }
            }
        }
        out.count(flights.count)
        flights.forEach { instrument in
            let flight = flightTerms[instrument]
            write(flight.slot, &out)
            out.writer.integer(flight.funds)
            out.writer.integer(flight.quoteQuantity)
            out.writer.integer(flight.bound)
            out.writer.integer(flight.lotsHeld)
            out.writer.integer(flight.cumQty)
            out.writer.integer(flight.kind.rawValue)
            out.endPart()
        }
    }

    private func write(_ slot: UInt32, _ out: inout SnapshotSink) {
        let (hot, cold) = (orders.hot[slot], orders.cold[slot])
        out.writer.integer(hot.id)
        out.writer.integer(hot.price)
        out.writer.integer(hot.leaves)
        out.writer.integer(hot.level == none ? 0 : orders.shown(slot))
        out.writer.integer(cold.display)
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
        out.writer.integer(hot.updatedTime)
        out.writer.integer(cold.workingTime)
        out.writer.integer(cold.strategyID)
        out.writer.text(cold.clOrdID)
        out.writer.integer(cold.feeOverpaid)
        out.endPart()
    }

    private func writeElection(_ instrument: UInt16, _ out: inout SnapshotSink) {
        let runs = electedRuns(instrument)
        out.writer.integer(UInt32(instrument))
        out.writer.integer(UInt32(runs.count))
        out.endPart()
        for run in runs {
            out.writer.integer(run.bound)
            out.flag(run.isUp)
            out.endPart()
        }
    }

    private func writeWork(_ out: inout SnapshotSink) {
        out.count(elections.count)
        elections.running.forEach { writeElection(UInt16($0), &out) }
        for number in 0...instrumentsUsed
        where elections.contains(number) && !elections.running.contains(UInt32(number)) {
            writeElection(number, &out)
        }
        out.writer.integer(UInt32(kills.count))
        out.writer.integer(killCursor)
        out.endPart()
        kills.forEach { account in
            out.writer.integer(UInt64(account))
            out.writer.integer(accounts.slots[account].killedThrough)
            out.endPart()
        }
        out.count(massCancels.count)
        for work in massCancels {
            out.writer.integer(work.account)
            out.writer.integer(work.instrument)
            out.writer.integer(work.side?.rawValue ?? 255)
            out.writer.reserved(1)
            out.writer.integer(work.lastOrder)
            out.writer.integer(UInt64(work.current))
            out.writer.integer(work.slot == none ? UInt64(0) : orders.hot[work.slot].id)
            out.endPart()
        }
    }
}
