// Open orders: a hot line that matching walks, a cold part of two lines (fields that trades change,
// and terms that only replies read), two indices, and a list of each account's orders. An order has
// one slot from its first rest, wait or flight until it ends.

internal import Slabs
internal import Terms

/// The fields that matching touches, in one cache line of 64 bytes.
struct HotOrder: BitwiseCopyable {
    /// Its neighbours in its level's queue.
    var link = Link()
    var id: UInt64 = 0
    var price: Int64 = 0
    /// Open quantity, hidden included.
    var leaves: Int64 = 0
    /// Total quantity.
    var quantity: Int64 = 0
    var updatedTime: Int64 = 0
    /// Its level, or `none` in flight; the next free slot while the slot is free.
    var level: UInt32 = none
    /// 0 while the slot is free.
    var account: UInt32 = 0
    var instrument: UInt16 = 0
    var side: Side = .buy
    var type: OrderType = .limit
    var timeInForce: TimeInForce = .gtc
    var selfTradePrevention: SelfTradePrevention = .none
    private var flags: UInt8

    private static var working: UInt8 { 1 }
    private static var named: UInt8 { 2 }
    private static var sliced: UInt8 { 4 }

    init(
        id: UInt64 = 0, price: Int64 = 0, leaves: Int64 = 0, quantity: Int64 = 0,
        updatedTime: Int64 = 0, account: UInt32 = 0, instrument: UInt16 = 0, side: Side = .buy,
        type: OrderType = .limit, timeInForce: TimeInForce = .gtc,
        selfTradePrevention: SelfTradePrevention = .none, isWorking: Bool = true,
        hasClOrdID: Bool = false, isIceberg: Bool = false
    ) {
        (self.id, self.price, self.leaves, self.quantity) = (id, price, leaves, quantity)
        (self.updatedTime, self.account) = (updatedTime, account)
        (self.instrument, self.side, self.type) = (instrument, side, type)
        (self.timeInForce, self.selfTradePrevention) = (timeInForce, selfTradePrevention)
        flags =
            (isWorking ? Self.working : 0) | (hasClOrdID ? Self.named : 0)
            | (isIceberg ? Self.sliced : 0)
    }

    /// False while a stop waits for its trigger.
    var isWorking: Bool {
        @inline(__always) get { flags & Self.working != 0 }
        @inline(__always) set { set(Self.working, newValue) }
    }

    /// Whether it has a client order id, readable without another line.
    var hasClOrdID: Bool {
        @inline(__always) get { flags & Self.named != 0 }
        @inline(__always) set { set(Self.named, newValue) }
    }

    /// Whether its level shows it in slices; else the level shows all of it.
    var isIceberg: Bool {
        @inline(__always) get { flags & Self.sliced != 0 }
        @inline(__always) set { set(Self.sliced, newValue) }
    }

    @inline(__always) private mutating func set(_ flag: UInt8, _ isOn: Bool) {
        flags = isOn ? flags | flag : flags & ~flag
    }

    /// Its ladder.
    @inline(__always) var ladder: LadderKind {
        if isWorking { return LadderKind(side) }
        return Self.triggersUp(side, type) ? .stopsUp : .stopsDown
    }

    /// Whether a stop of this side and type waits for the price to rise.
    @inline(__always) static func triggersUp(_ side: Side, _ type: OrderType) -> Bool {
        (side == .buy) == (type == .stopLoss || type == .stopLossLimit)
    }
}

/// An order's other fields: 64 bytes that trades change, then 64 bytes of terms.
struct ColdOrder: BitwiseCopyable {
    // Two words: a 128-bit field would need another alignment.
    private var cumQuoteLow: UInt64 = 0
    private var cumQuoteHigh: Int64 = 0
    /// Displayed lots of an iceberg.
    var shown: Int64 = 0
    /// Slice size of an iceberg, or 0.
    var display: Int64 = 0
    /// Lots that self-trade prevention took by decrement.
    var preventedQuantity: Int64 = 0
    var workingTime: Int64 = 0
    var createdTime: Int64 = 0
    /// The charge beyond the exact fee so far: 10⁻⁸ units, below one unit.
    var feeOverpaid: UInt32 = 0
    var strategyType: Int32 = 0

    var stopPrice: Int64 = 0
    var expireTime: Int64 = 0
    var strategyID: Int64 = 0
    var clOrdID = Text40()

    /// Quote amount traded so far.
    var cumQuote: Int128 {
        get { Int128(cumQuoteHigh) << 64 | Int128(cumQuoteLow) }
        set {
            cumQuoteLow = UInt64(truncatingIfNeeded: newValue)
            cumQuoteHigh = Int64(truncatingIfNeeded: newValue >> 64)
        }
    }

    init(
        stopPrice: Int64 = 0, expireTime: Int64 = 0, createdTime: Int64 = 0,
        workingTime: Int64 = 0, clOrdID: Text40 = Text40(), strategyID: Int64 = 0,
        strategyType: Int32 = 0, display: Int64 = 0
    ) {
        (self.stopPrice, self.expireTime) = (stopPrice, expireTime)
        (self.createdTime, self.workingTime, self.clOrdID) = (createdTime, workingTime, clOrdID)
        (self.strategyID, self.strategyType, self.display) = (strategyID, strategyType, display)
    }

    /// An iceberg's first slice when it rests with these lots.
    @inline(__always) func slice(of lots: Int64) -> Int64 { min(display, lots) }
}

/// When an order expires. The heap compares these without reading the orders.
struct OrderTimer: BitwiseCopyable {
    var time: Int64
    var id: UInt64
    var slot: UInt32

    @inline(__always) func isBefore(_ other: OrderTimer) -> Bool {
        time != other.time ? time < other.time : id < other.id
    }
}

/// The slots, their indices, the accounts' lists, and the timers of GTD orders.
struct Orders: ~Copyable {
    var hot: Slab<HotOrder>
    var cold: Slab<ColdOrder>
    private var byID: ChainIndex
    private var byClOrdID: ChainIndex
    /// The key of both indices.
    private(set) var hashKey = KeyedHash(high: 0, low: 0)
    /// A heap by (expireTime, id) with four children per node: half as deep as a binary one.
    private var heap: Slab<OrderTimer>
    /// Each slot's place in the heap plus one, or 0.
    private var timerPlaces: Slab<UInt32>
    private(set) var timerCount = 0
    private var freeSlot: UInt32 = none
    /// Slots used so far.
    private(set) var used: UInt32 = 0
    /// Open orders.
    private(set) var count = 0
    private(set) var capacity: Int
    /// Each account's orders in the order of acceptance: the neighbours of each slot. The account
    /// has the first and the last.
    var links: Slab<Link>
    /// Accounts with open orders, a bit each.
    private var accountBits: Slab<UInt64>
    private let byAddress = ByAddress()

    /// Room for `capacity` open orders of `accounts` accounts.
    init(capacity: Int, accounts: Int) {
        precondition(capacity > 0 && capacity < 1 << 24, "open orders within the index's range")
        self.capacity = capacity
        hot = Slab(capacity: capacity)
        cold = Slab(capacity: capacity)
        byID = ChainIndex(capacity: capacity)
        byClOrdID = ChainIndex(capacity: capacity)
        heap = Slab(capacity: capacity)
        timerPlaces = Slab(capacity: capacity)
        links = Slab(capacity: capacity)
        accountBits = Slab(capacity: accounts / 64 + 1)
    }

    /// The slot of an order, or `none`. O(1) expected.
    @inline(__always) func find(_ id: UInt64) -> UInt32 {
        byID.find(hash(id)) { hot[$0].id == id } ?? none
    }

    /// Bytes of the slots used so far, indices included.
    var memory: Int {
        let order =
            MemoryLayout<HotOrder>.stride + MemoryLayout<ColdOrder>.stride
            + MemoryLayout<Link>.stride
        return Int(used) * (order + 4 * 4)
    }

    // MARK: Displayed quantity

    /// An order's displayed lots.
    @inline(__always) func shown(_ slot: UInt32) -> Int64 {
        hot[slot].isIceberg ? cold[slot].shown : hot[slot].leaves
    }

    /// Shows a fresh slice of an iceberg, at most.
    @inline(__always) mutating func slice(_ slot: UInt32) {
        if hot[slot].isIceberg { cold[slot].shown = cold[slot].slice(of: hot[slot].leaves) }
    }

    /// Reduces an order.
    @inline(__always) mutating func take(_ lots: Int64, from slot: UInt32) {
        hot[slot].leaves -= lots
        if hot[slot].isIceberg { cold[slot].shown = min(cold[slot].shown, hot[slot].leaves) }
    }

    // MARK: Finding

    /// Prefetches what `find` will read.
    @inline(__always) func prefetchIndex(_ id: UInt64) { byID.prefetch(hash(id)) }

    /// The likely slot of an order whose index line is loaded.
    @inline(__always) func guess(_ id: UInt64) -> UInt32? { byID.guess(hash(id)) }

    /// Prefetches what a trade touches of a resting order.
    @inline(__always) func prefetchMaker(_ slot: UInt32) {
        hot.prefetch(Int(slot))
        cold.prefetch(Int(slot))
    }

    /// Prefetches the line of a slot that most commands touch.
    @inline(__always) func prefetch(_ slot: UInt32) { hot.prefetch(Int(slot)) }

    /// Ids are sequential, but keeping every 4,096th order open would pile those up.
    @inline(__always) private func hash(_ id: UInt64) -> UInt64 { hashKey.hash(id) }

    /// The slot of an account's order by the client's id, or `none`. O(1) expected.
    func find(account: UInt32, clOrdID: Text40) -> UInt32 {
        byClOrdID.find(hash(account, clOrdID)) {
            cold[$0].clOrdID == clOrdID && hot[$0].account == account
        } ?? none
    }

    private func hash(_ account: UInt32, _ text: Text40) -> UInt64 {
        hashKey.hash(text.w0, text.w1, text.w2, text.w3, text.w4, owner: account)
    }

    /// Sets the keys of the log's hashes. No order is open yet.
    mutating func setHashKey(_ high: UInt64, _ low: UInt64) {
        precondition(count == 0, "keys come before orders")
        hashKey = KeyedHash(high: high, low: low)
    }

    /// Stores an order in a free slot. The caller has checked that there is one.
    @inline(__always)
    mutating func insert(_ order: HotOrder, _ rest: ColdOrder) -> UInt32 {
        let slot: UInt32
        if freeSlot != none {
            slot = freeSlot
            freeSlot = hot[slot].level
        } else {
            slot = used
            used += 1
        }
        hot[slot] = order
        cold[slot] = rest
        count += 1
        byID.insert(hash(order.id), slot)
        if order.hasClOrdID { byClOrdID.insert(hash(order.account, rest.clOrdID), slot) }
        if order.timeInForce == .gtd { addTimer(slot) }
        return slot
    }

    /// Frees a slot. Its order is in no ladder.
    @inline(__always)
    mutating func remove(_ slot: UInt32) {
        byID.remove(hash(hot[slot].id), slot)
        if hot[slot].hasClOrdID {
            byClOrdID.remove(hash(hot[slot].account, cold[slot].clOrdID), slot)
        }
        if hot[slot].timeInForce == .gtd, hasTimer(slot) { removeTimer(slot) }
        hot[slot].account = 0
        hot[slot].id = 0
        hot[slot].level = freeSlot
        freeSlot = slot
        count -= 1
    }

    /// Changes an order's client order id.
    mutating func rename(_ slot: UInt32, _ clOrdID: Text40) {
        let account = hot[slot].account
        if hot[slot].hasClOrdID { byClOrdID.remove(hash(account, cold[slot].clOrdID), slot) }
        cold[slot].clOrdID = clOrdID
        hot[slot].hasClOrdID = true
        byClOrdID.insert(hash(account, clOrdID), slot)
    }

    // MARK: Accounts

    /// Marks whether an account has open orders.
    @inline(__always) mutating func mark(account: UInt32, hasOrders: Bool) {
        let bit: UInt64 = 1 << UInt64(account & 63)
        if hasOrders { accountBits[account >> 6] |= bit } else { accountBits[account >> 6] &= ~bit }
    }

    /// The first account from `start` on that has open orders; nil when there is none up to `last`.
    /// O(accounts ÷ 64).
    func account(from start: UInt32, through last: UInt32) -> UInt32? {
        if start > last { return nil }
        var word = start >> 6
        var bits = accountBits[word] & (~0 << UInt64(start & 63))
        while bits == 0 {
            word += 1
            if word > last >> 6 { return nil }
            bits = accountBits[word]
        }
        let found = word << 6 | UInt32(bits.trailingZeroBitCount)
        return found <= last ? found : nil
    }

    // MARK: Timers

    /// The slot with the earliest expire time, or `none`.
    var firstTimer: UInt32 { timerCount == 0 ? none : heap[0].slot }

    /// Whether a slot's order expires.
    func hasTimer(_ slot: UInt32) -> Bool { timerPlaces[slot] != 0 }

    @inline(__always) private mutating func put(_ timer: OrderTimer, at place: Int) {
        heap[place] = timer
        timerPlaces[timer.slot] = UInt32(place) + 1
    }

    private mutating func addTimer(_ slot: UInt32) {
        let timer = OrderTimer(time: cold[slot].expireTime, id: hot[slot].id, slot: slot)
        timerCount += 1
        siftUp(timer, from: timerCount - 1)
    }

    private mutating func removeTimer(_ slot: UInt32) {
        let place = Int(timerPlaces[slot]) - 1
        timerPlaces[slot] = 0
        timerCount -= 1
        if place == timerCount { return }
        let last = heap[timerCount]
        if place > 0, last.isBefore(heap[(place - 1) / 4]) {
            siftUp(last, from: place)
        } else {
            siftDown(last, from: place)
        }
    }

    private mutating func siftUp(_ timer: OrderTimer, from start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 4
            if !timer.isBefore(heap[parent]) { break }
            put(heap[parent], at: place)
            place = parent
        }
        put(timer, at: place)
    }

    private mutating func siftDown(_ timer: OrderTimer, from start: Int) {
        var place = start
        while true {
            let child = 4 * place + 1
            if child >= timerCount { break }
            var first = child
            for other in child + 1..<max(child + 1, min(child + 4, timerCount))
            where heap[other].isBefore(heap[first]) {
                first = other
            }
            if !heap[first].isBefore(timer) { break }
            put(heap[first], at: place)
            place = first
        }
        put(timer, at: place)
    }
}

// MARK: Growing

extension Orders {
    /// Makes room. Nothing is copied.
    mutating func raise(capacity: Int, accounts: Int) {
        hot.raise(capacity: capacity)
        cold.raise(capacity: capacity)
        byID.raise(capacity: capacity)
        byClOrdID.raise(capacity: capacity)
        heap.raise(capacity: capacity)
        timerPlaces.raise(capacity: capacity)
        links.raise(capacity: capacity)
        accountBits.raise(capacity: accounts / 64 + 1)
        self.capacity = capacity
    }

    /// The slots of open orders in the order of acceptance. O(n log n).
    func accepted() -> [UInt32] {
        var slots: [UInt32] = []
        slots.reserveCapacity(count)
        for slot in 0..<used where hot[slot].account != 0 { slots.append(slot) }
        slots.sort { hot[$0].id < hot[$1].id }
        return slots
    }
}

extension Orders {
    /// The pages of all tables.
    var slabMemory: [SlabMemory] {
        [
            hot.memory, cold.memory, links.memory, heap.memory, timerPlaces.memory,
            accountBits.memory,
        ] + byID.memory + byClOrdID.memory
    }
}
