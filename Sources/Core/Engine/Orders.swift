// Open orders: a hot line that matching walks, a cold part that replies and settlement read, and
// two indices. An order takes one slot from acceptance until it ends.

internal import Slabs
internal import Terms

/// What matching touches, in one cache line of 64 bytes.
struct HotOrder: BitwiseCopyable {
    var id: UInt64 = 0
    var price: Int64 = 0
    /// Open quantity, hidden included.
    var leaves: Int64 = 0
    /// What the level shows of it.
    var shown: Int64 = 0
    /// Slice size of an iceberg, or 0.
    var display: Int64 = 0
    /// Total quantity.
    var quantity: Int64 = 0
    /// Its level; while the slot is free, the next free slot.
    var level: UInt32 = none
    /// 0 while the slot is free.
    var account: UInt32 = 0
    var instrument: UInt16 = 0
    var side: Side = .buy
    var type: OrderType = .limit
    var timeInForce: TimeInForce = .gtc
    var selfTradePrevention: SelfTradePrevention = .none
    /// False while a stop waits for its trigger.
    var isWorking = true

    /// What it shows at first where it rests with so much.
    @inline(__always) func slice(of lots: Int64) -> Int64 {
        display > 0 ? min(display, lots) : lots
    }

    /// New terms, with a fresh slice.
    @inline(__always) mutating func move(to price: Int64, _ leaves: Int64) {
        self.price = price
        self.leaves = leaves
        shown = slice(of: leaves)
    }

    /// The ladder that it stands in.
    @inline(__always) var ladder: LadderKind {
        if isWorking { return LadderKind(side) }
        return Self.triggersUp(side, type) ? .stopsUp : .stopsDown
    }

    /// Whether a stop of this side and type waits for the price to rise.
    @inline(__always) static func triggersUp(_ side: Side, _ type: OrderType) -> Bool {
        (side == .buy) == (type == .stopLoss || type == .stopLossLimit)
    }
}

/// The rest of an order.
struct ColdOrder: BitwiseCopyable {
    // Two words: a field of 128 bits would make every order 8 bytes larger.
    private var cumQuoteLow: UInt64 = 0
    private var cumQuoteHigh: Int64 = 0
    var stopPrice: Int64 = 0
    var expireTime: Int64 = 0
    var createdTime: Int64 = 0
    var updatedTime: Int64 = 0
    var clOrdID = Text40()
    var account: UInt32 = 0
    /// Place in the heap of timers, or `none`.
    var timer: UInt32 = none

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
        updatedTime: Int64 = 0, clOrdID: Text40 = Text40(), account: UInt32 = 0
    ) {
        self.stopPrice = stopPrice
        self.expireTime = expireTime
        self.createdTime = createdTime
        self.updatedTime = updatedTime
        self.clOrdID = clOrdID
        self.account = account
    }

    /// The key of the index by client order id.
    var clOrdHash: UInt64 {
        // Texts differ mostly in their last bytes, the high bits of a word: each word is multiplied
        // and its high half folded down before the next.
        var hash = UInt64(account) &* 0x9E37_79B9_7F4A_7C15
        hash = Self.mix(hash ^ clOrdID.w0)
        hash = Self.mix(hash ^ clOrdID.w1)
        hash = Self.mix(hash ^ clOrdID.w2)
        hash = Self.mix(hash ^ clOrdID.w3)
        return Self.mix(hash ^ clOrdID.w4)
    }

    @inline(__always) private static func mix(_ word: UInt64) -> UInt64 {
        let folded = (word ^ (word >> 32)) &* 0xD6E8_FEB8_6659_FD93
        return folded ^ (folded >> 32)
    }
}

/// The slots, their indices, and the timers of GTD orders.
struct Orders: ~Copyable {
    var hot: Slab<HotOrder>
    var cold: Slab<ColdOrder>
    private var byID: HashIndex
    private var byClOrdID: HashIndex
    /// A binary heap of slots by (expireTime, id).
    private var heap: Slab<UInt32>
    private(set) var timerCount = 0
    private var freeSlot: UInt32 = none
    /// Slots that were ever used.
    private(set) var used: UInt32 = 0
    /// Open orders.
    private(set) var count = 0
    let capacity: Int
    private let byAddress = ByAddress()

    init(capacity: Int) {
        precondition(capacity > 0 && capacity < 1 << 24, "open orders within the index's range")
        self.capacity = capacity
        hot = Slab(capacity: capacity)
        cold = Slab(capacity: capacity)
        byID = HashIndex(capacity: capacity)
        byClOrdID = HashIndex(capacity: capacity)
        heap = Slab(capacity: capacity)
    }

    /// The slot of an order, or `none`. O(1) expected.
    @inline(__always) func find(_ id: UInt64) -> UInt32 {
        byID.find(scatter(id)) { hot[$0].id == id } ?? none
    }

    /// Loads what `find` will read, ahead of time.
    @inline(__always) func prefetchIndex(_ id: UInt64) { byID.prefetch(scatter(id)) }

    /// The slot of an account's order by the client's id, or `none`. O(1) expected.
    func find(account: UInt32, clOrdID: Text40) -> UInt32 {
        var key = ColdOrder()
        key.clOrdID = clOrdID
        key.account = account
        return byClOrdID.find(key.clOrdHash) {
            cold[$0].clOrdID == clOrdID && cold[$0].account == account
        } ?? none
    }

    /// Puts an order in a free slot. The caller has seen that there is one.
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
        byID.insert(scatter(order.id), slot, keys: hot) { scatter($0[$1].id) }
        if rest.clOrdID.w0 != 0 {
            byClOrdID.insert(rest.clOrdHash, slot, keys: cold) { $0[$1].clOrdHash }
        }
        if order.timeInForce == .gtd { addTimer(slot) }
        return slot
    }

    /// Frees a slot. Its order stands in no ladder any more.
    @inline(__always)
    mutating func remove(_ slot: UInt32) {
        byID.remove(scatter(hot[slot].id), slot, keys: hot) { scatter($0[$1].id) }
        if cold[slot].clOrdID.w0 != 0 {
            byClOrdID.remove(cold[slot].clOrdHash, slot, keys: cold) { $0[$1].clOrdHash }
        }
        if cold[slot].timer != none { removeTimer(slot) }
        hot[slot].account = 0
        hot[slot].id = 0
        hot[slot].level = freeSlot
        freeSlot = slot
        count -= 1
    }

    // MARK: Timers

    /// The slot whose GTD time comes first, or `none`.
    var firstTimer: UInt32 { timerCount == 0 ? none : heap[0] }

    private func isBefore(_ a: UInt32, _ b: UInt32) -> Bool {
        let (left, right) = (cold[a].expireTime, cold[b].expireTime)
        return left != right ? left < right : hot[a].id < hot[b].id
    }

    private mutating func put(_ slot: UInt32, at place: Int) {
        heap[place] = slot
        cold[slot].timer = UInt32(place)
    }

    private mutating func addTimer(_ slot: UInt32) {
        timerCount += 1
        put(slot, at: timerCount - 1)
        siftUp(timerCount - 1)
    }

    private mutating func removeTimer(_ slot: UInt32) {
        let place = Int(cold[slot].timer)
        cold[slot].timer = none
        timerCount -= 1
        if place == timerCount { return }
        put(heap[timerCount], at: place)
        siftUp(place)
        siftDown(place)
    }

    private mutating func siftUp(_ start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            if !isBefore(heap[place], heap[parent]) { return }
            swap(place, parent)
            place = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var place = start
        while true {
            var first = place
            for child in [2 * place + 1, 2 * place + 2] where child < timerCount {
                if isBefore(heap[child], heap[first]) { first = child }
            }
            if first == place { return }
            swap(place, first)
            place = first
        }
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        let (left, right) = (heap[a], heap[b])
        put(right, at: a)
        put(left, at: b)
    }
}

// MARK: Growing, and restoring

extension Orders {
    /// Makes room. Nothing is copied: O(pages).
    mutating func raise(capacity: Int, accounts: Int) {
        hot.grow(to: capacity)
        cold.grow(to: capacity)
        byID.raise(capacity: capacity)
        byClOrdID.raise(capacity: capacity)
        heap.grow(to: capacity)
        links.grow(to: capacity)
        ends.grow(to: accounts + 1)
        accountBits.grow(to: accounts / 64 + 1)
        self.capacity = max(self.capacity, capacity)
    }

    /// Links each account's orders anew in the order of their acceptance, after they came in
    /// another. O(n log n).
    mutating func linkAccounts() {
        if !linksAccounts { return }
        var slots: [UInt32] = []
        slots.reserveCapacity(count)
        for slot in 0..<used where hot[slot].account != 0 {
            slots.append(slot)
            ends[hot[slot].account] = Link(next: 0, previous: 0)
        }
        slots.sort { hot[$0].id < hot[$1].id }
        for slot in slots { appendToAccount(slot, hot[slot].account) }
    }
}
