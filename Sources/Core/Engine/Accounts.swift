// Accounts, their limits, fees, sessions and API keys.

internal import Slabs
internal import Terms
internal import Wire

/// The fields of an account that checks and trades touch: one cache line.
struct AccountSlot: BitwiseCopyable {
    /// The second of the log's clock that `messages` counts.
    var messageSecond: Int64 = 0
    var messages: UInt32 = 0
    var messagesPerSecondMax: UInt32 = 0
    var openOrdersMax: UInt32 = 0
    var openOrders: UInt32 = 0
    /// Its open orders that were accepted first and last, or `none`.
    var firstOrder: UInt32 = none
    var lastOrder: UInt32 = none
    /// Rows of order limits of its own.
    var orderLimitRows: UInt32 = 0
    var tier: UInt16 = 0
    var isKilled = false
    var hasOwnLimits = false
    /// Its kill switch still has to end its orders up to this id; 0 if none is left.
    var killedThrough: UInt64 = 0
    /// Its orders in flight.
    var flights: UInt32 = 0
    // Pads to a line of 64 bytes, so that no account spans two.
    private var padding: UInt32 = 0

    /// Whether it has order limits of its own in some instrument.
    @inline(__always) var hasOrderLimits: Bool { orderLimitRows > 0 }

    /// Counts a message; false, and not counted, if there were `most` in this second already.
    @inline(__always) mutating func countMessage(at second: Int64, most: UInt32) -> Bool {
        let before = messageSecond == second ? messages : 0
        messageSecond = second
        let isFull = most > 0 && before >= most
        // The log's clock may stand still until a 32-bit count is exhausted.
        messages = isFull || before >= .max - 1 ? before : before + 1
        return !isFull
    }
}

/// A tier's rates, in general or for one instrument.
struct FeeSlot: BitwiseCopyable {
    var maker: Int32 = 0
    var taker: Int32 = 0
    var isSet = false
}

/// Maximum size of one order: in lots and in quote units, 0 for no limit.
struct OrderLimitSlot: BitwiseCopyable {
    var notionalMax: Int128 = 0
    var quantityMax: Int64 = 0

    var isEmpty: Bool { notionalMax == 0 && quantityMax == 0 }
}

/// All accounts. Number 0 holds the limits of accounts without their own, and the orders that the
/// venue's kill switch still has to end.
struct Accounts: ~Copyable {
    var slots: Slab<AccountSlot>
    var names: Slab<Text40>
    private var fees: Slab<FeeSlot>
    private var feeStride: Int
    private var tiers: Int
    /// The default rows of order limits, by instrument.
    private var defaultOrderLimits: Slab<OrderLimitSlot>
    private let byAddress = ByAddress()
    private(set) var count: UInt32 = 0
    private var byName: [Text40: UInt32] = [:]
    /// Rows of accounts, by account and instrument.
    private var orderLimits: [UInt64: OrderLimitSlot] = [:]
    private var defaultRows = 0

    init(limits: EngineLimits) {
        slots = Slab(capacity: Int(limits.accounts) + 1)
        names = Slab(capacity: Int(limits.accounts) + 1)
        tiers = Int(limits.feeTiers)
        feeStride = Int(limits.instruments) + 1
        fees = Slab(capacity: tiers * feeStride)
        defaultOrderLimits = Slab(capacity: feeStride)
        slots[0] = AccountSlot()
        reserve(limits)
    }

    /// Reserved so that no table doubles in the middle of a turn. Unused memory is not taken.
    private mutating func reserve(_ limits: EngineLimits) {
        byName.reserveCapacity(Int(limits.accounts))
        orderLimits.reserveCapacity(Int(limits.orderLimits))
    }

    /// Makes room. O(accounts + rows + tiers × instruments): the tables of names and rows are
    /// rebuilt, and the fees if there are more instruments.
    mutating func raise(to limits: EngineLimits) {
        slots.raise(capacity: Int(limits.accounts) + 1)
        names.raise(capacity: Int(limits.accounts) + 1)
        defaultOrderLimits.raise(capacity: Int(limits.instruments) + 1)
        let stride = Int(limits.instruments) + 1
        if stride > feeStride {
            var wider = Slab<FeeSlot>(capacity: Int(limits.feeTiers) * stride)
            for tier in 0..<tiers {
                for instrument in 0..<feeStride {
                    let fee = fees[tier * feeStride + instrument]
                    if fee.isSet { wider[tier * stride + instrument] = fee }
                }
            }
            fees = wider
            feeStride = stride
        } else {
            fees.raise(capacity: Int(limits.feeTiers) * stride)
        }
        tiers = Int(limits.feeTiers)
        reserve(limits)
    }

    /// Opens the next account. The caller has checked name and room.
    mutating func open(_ name: Text40) -> UInt32 {
        count += 1
        slots[count] = AccountSlot()
        names[count] = name
        byName[name] = count
        return count
    }

    /// The pages of the tables that trading touches.
    var slabMemory: [SlabMemory] { [slots.memory, names.memory, fees.memory] }

    func find(_ name: Text40) -> UInt32? { byName[name] }

    /// Prefetches what placing reads of an account.
    @inline(__always) func prefetch(_ account: UInt32) { slots.prefetch(Int(account)) }

    /// The slot whose limits apply to the account.
    @inline(__always) func limits(_ account: UInt32) -> UInt32 {
        slots[account].hasOwnLimits ? account : 0
    }

    // MARK: Order limits

    private static func key(_ account: UInt32, _ instrument: UInt16) -> UInt64 {
        UInt64(account) << 16 | UInt64(instrument)
    }

    /// Number of rows, those of the default included.
    var orderLimitCount: Int { orderLimits.count + defaultRows }

    /// The limits of the account in the instrument: its row, else the default's. O(1) expected; one
    /// load for an account without rows.
    @inline(__always)
    func orderLimits(
        _ account: UInt32, _ instrument: UInt16
    ) -> (quantityMax: Int64, notionalMax: Int128) {
        if slots[account].hasOrderLimits,
            let own = orderLimits[Self.key(account, instrument)]
        {
            return (own.quantityMax, own.notionalMax)
        }
        let row = defaultOrderLimits[Int(instrument)]
        return (row.quantityMax, row.notionalMax)
    }

    /// The row of an account, or of the default if it is 0; empty if there is none.
    func orderLimitRow(_ account: UInt32, _ instrument: UInt16) -> OrderLimitSlot {
        if account == 0 { return defaultOrderLimits[Int(instrument)] }
        return orderLimits[Self.key(account, instrument)] ?? OrderLimitSlot()
    }

    /// Sets a row, or removes it if it is empty. The caller has checked that there is room.
    mutating func setOrderLimitRow(
        _ account: UInt32, _ instrument: UInt16, _ row: OrderLimitSlot
    ) {
        let had = !orderLimitRow(account, instrument).isEmpty
        let change = (row.isEmpty ? 0 : 1) - (had ? 1 : 0)
        if account == 0 {
            defaultOrderLimits[Int(instrument)] = row
            defaultRows += change
        } else {
            orderLimits[Self.key(account, instrument)] = row.isEmpty ? nil : row
            if change > 0 { slots[account].orderLimitRows += 1 }
            if change < 0 { slots[account].orderLimitRows -= 1 }
        }
    }

    /// All rows as (account, instrument), the default's first, in ascending order.
    /// O(rows × log rows + instruments).
    func orderLimitKeys(instruments: UInt16) -> [(account: UInt32, instrument: UInt16)] {
        var keys: [UInt64] = []
        keys.reserveCapacity(orderLimitCount)
        for instrument in 0...instruments where !defaultOrderLimits[Int(instrument)].isEmpty {
            keys.append(UInt64(instrument))
        }
        keys.append(contentsOf: orderLimits.keys.sorted())
        return keys.map { (UInt32($0 >> 16), UInt16(truncatingIfNeeded: $0)) }
    }

    // MARK: Fees

    func fee(_ tier: UInt16, _ instrument: UInt16) -> FeeSlot {
        fees[Int(tier) * feeStride + Int(instrument)]
    }

    mutating func setFee(_ tier: UInt16, _ instrument: UInt16, _ fee: FeeSlot) {
        fees[Int(tier) * feeStride + Int(instrument)] = fee
    }

    /// The rates of an account: its tier's for the instrument, else its tier's own, else none.
    @inline(__always) func rates(_ account: UInt32, _ instrument: UInt16) -> FeeSlot {
        let row = Int(slots[account].tier) * feeStride
        let own = fees[row + Int(instrument)]
        return own.isSet ? own : fees[row]
    }
}

/// Writers' sessions: one per name, the latest incarnation.
struct Sessions: ~Copyable {
    /// Open sessions by place; a place whose id is 0 is free.
    var list: Slab<SessionView>
    var lastID: UInt32 = 0
    private(set) var count = 0
    private var byID: [UInt32: Int] = [:]
    private var byName: [Text40: Int] = [:]
    private var free: [Int] = []
    private var used = 0
    private var recent = 0
    private let prefix: Text40
    private let byAddress = ByAddress()

    init(capacity: Int) {
        guard let prefix = Text40(OpenSession.operatorPrefix), prefix.count == 9 else {
            preconditionFailure("the prefix is nine bytes of ASCII")
        }
        self.prefix = prefix
        list = Slab(capacity: capacity)
        reserve(capacity)
    }

    private mutating func reserve(_ capacity: Int) {
        byID.reserveCapacity(capacity)
        byName.reserveCapacity(capacity)
        free.reserveCapacity(capacity)
    }

    /// Makes room for `capacity` sessions. O(sessions).
    mutating func raise(capacity: Int) {
        list.raise(capacity: capacity)
        reserve(capacity)
    }

    /// The place of a session that is open, or nil. O(1) expected.
    @inline(__always) mutating func find(_ id: SessionID) -> Int? {
        if list[recent].id == id, id.number != 0 { return recent }
        guard let place = byID[id.number] else { return nil }
        recent = place
        return place
    }

    /// A session that is open, or nil. O(1) expected.
    func session(_ id: SessionID) -> SessionView? { byID[id.number].map { list[$0] } }

    /// The session that a name has open, or nil. O(1) expected.
    func session(_ name: Text40) -> SessionView? { byName[name].map { list[$0] } }

    /// Opens a session, replacing the name's previous one. The caller has checked that there is
    /// room.
    mutating func open(_ session: SessionView) {
        let place: Int
        if let known = byName[session.name] {
            place = known
            byID[list[place].id.number] = nil
        } else {
            place = free.popLast() ?? used
            if place == used { used += 1 }
            byName[session.name] = place
            count += 1
        }
        list[place] = session
        byID[session.id.number] = place
    }

    /// The place of the least recently used operator's session, if it was idle long enough; of
    /// several the one opened first. O(places), one line each: even 65,536 take a fraction of a
    /// turn, and only when all are in use.
    func idle(at time: Int64) -> Int? {
        var found: Int?
        for place in 0..<used where list[place].id.number != 0 && isOperators(place) {
            let session = list[place]
            if time - session.lastUsed < Limits.sessionIdleNanos { continue }
            if let found, isBefore(list[found], session) { continue }
            found = place
        }
        return found
    }

    private func isBefore(_ a: SessionView, _ b: SessionView) -> Bool {
        a.lastUsed != b.lastUsed ? a.lastUsed < b.lastUsed : a.id.number < b.id.number
    }

    /// Whether a name has the operators' prefix. Word by word: a text has its first byte lowest.
    private func isOperators(_ place: Int) -> Bool {
        let name = list[place].name
        return name.w0 == prefix.w0 && name.w1 & 0xFF == prefix.w1
    }

    /// Closes the session at a place.
    mutating func close(_ place: Int) {
        byID[list[place].id.number] = nil
        byName[list[place].name] = nil
        list[place] = SessionView(id: SessionID(0), name: Text40(), lastNumber: 0, lastUsed: 0)
        free.append(place)
        count -= 1
    }

    /// The open sessions in the order of their ids. O(sessions × log sessions).
    func sorted() -> [SessionView] { byID.keys.sorted().compactMap { session(SessionID($0)) } }
}

/// API keys, linked in the order of their creation. Revoked keys are removed.
struct APIKeys: ~Copyable {
    struct Entry {
        var key: APIKeyView?
        var next: Int
        var previous: Int
    }

    /// Place 0 closes the ring of those in use.
    private var entries: [Entry]
    private var places: [Text64: Int] = [:]
    private var free: [Int] = []

    init(capacity: Int) {
        entries = [Entry(key: nil, next: 0, previous: 0)]
        raise(capacity: capacity)
    }

    /// Makes room for `capacity` keys. O(keys).
    mutating func raise(capacity: Int) {
        entries.reserveCapacity(capacity + 1)
        places.reserveCapacity(capacity)
        free.reserveCapacity(capacity)
    }

    /// Keys in use.
    var count: Int { places.count }

    /// A key in use, or nil. O(1) expected.
    func find(_ keyID: Text64) -> APIKeyView? { places[keyID].flatMap { entries[$0].key } }

    /// Adds a key. The caller has checked that the id is free and there is room. O(1) expected.
    mutating func add(_ key: APIKeyView) {
        let last = entries[0].previous
        let entry = Entry(key: key, next: 0, previous: last)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            entries[place] = entry
        } else {
            place = entries.count
            entries.append(entry)
        }
        entries[last].next = place
        entries[0].previous = place
        places[key.keyID] = place
    }

    /// Removes and returns a key, or nil. O(1) expected.
    mutating func remove(_ keyID: Text64) -> APIKeyView? {
        guard let place = places.removeValue(forKey: keyID) else { return nil }
        let entry = entries[place]
        entries[entry.previous].next = entry.next
        entries[entry.next].previous = entry.previous
        entries[place] = Entry(key: nil, next: 0, previous: 0)
        free.append(place)
        return entry.key
    }

    /// The place of the key created next after the one at `place`; 0 is before the first and after
    /// the last.
    func next(after place: Int) -> Int { entries[place].next }

    /// The key at a place in use.
    func key(_ place: Int) -> APIKeyView? { entries[place].key }
}
