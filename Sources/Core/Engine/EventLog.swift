// The events of one command, and the running hash over all of them.

internal import Slabs
internal import Terms
internal import Wire

/// The kind of an order's event, as a word of the hash.
struct EventTag {
    let word: UInt64

    static var accepted: EventTag { EventTag(word: 1) }
    static var triggered: EventTag { EventTag(word: 7) }
    static func ended(_ reason: EndReason) -> EventTag {
        EventTag(word: 5 | UInt64(reason.rawValue) << 8)
    }
    static func amended(oldPrice: Int64) -> EventTag {
        EventTag(word: 6 | UInt64(bitPattern: oldPrice) << 8)
    }
}

/// Events of the current command, in memory that is reused for each command.
///
/// An event is hashed where it happens, from the order's own fields, so an engine whose events
/// nobody reads (matchd's own) need not record them.
struct EventLog: ~Copyable {
    /// Which events are recorded.
    enum Kept {
        case all, trades
    }

    private var events: Slab<Event>
    private(set) var count = 0
    let kept: Kept
    private let byAddress = ByAddress()
    /// The running hash over outcomes and events.
    var hash: UInt64 = 0

    /// Room for the events of one turn: see `Engine.eventsMax`.
    init(capacity: Int, kept: Kept) {
        events = Slab(capacity: capacity)
        self.kept = kept
    }

    /// Makes room for `capacity` events.
    mutating func raise(capacity: Int) { events.raise(capacity: capacity) }

    @inline(__always) mutating func clear() { count = 0 }

    /// Records an event that was hashed.
    @inline(__always) mutating func keep(_ event: Event) {
        events[count] = event
        count += 1
    }

    /// Hashes and records an event of administration.
    mutating func append(_ event: Event) {
        Self.mix(&hash, event)
        if kept == .all { keep(event) }
    }

    func withEvents<R>(_ body: (UnsafeBufferPointer<Event>) -> R) -> R {
        unsafe events.withSpan(0..<count) { unsafe body($0) }
    }

    /// Hashes the command's outcome.
    @inline(__always) mutating func fold(_ outcome: Outcome) {
        let code = UInt64(outcome.refusal.rawValue) << 8 | UInt64(outcome.status.rawValue)
        Self.mix(&hash, code, outcome.id, 0, 0)
    }

    /// Hashes a new order's refusal.
    mutating func mix(_ refusal: Refusal) {
        Self.mix(&hash, 2, UInt64(refusal.rawValue), 0, 0)
    }

    /// Hashes an order's event.
    @inline(__always)
    mutating func mix(
        _ tag: EventTag, _ hot: HotOrder, stopPrice: Int64, _ status: OrderStatus, leaves: Int64
    ) {
        Self.mix(&hash, tag.word, hot.id, Self.word(hot.price), Self.word(hot.quantity))
        Self.mix(
            &hash, Self.word(leaves), UInt64(status.rawValue) << 8 | UInt64(hot.side.rawValue),
            Self.word(stopPrice), UInt64(hot.account))
    }

    /// Hashes a trade.
    @inline(__always)
    mutating func mix(
        trade id: UInt64, price: Int64, lots: Int64, maker: UInt64, taker: UInt64,
        makerFee: Int128, takerFee: Int128, makerLeaves: Int64, takerLeaves: Int64
    ) {
        Self.mix(&hash, 3 | id << 8, Self.word(price), Self.word(lots), maker)
        Self.mix(
            &hash, taker, UInt64(truncatingIfNeeded: makerFee),
            UInt64(truncatingIfNeeded: takerFee),
            Self.word(makerLeaves) ^ Self.word(takerLeaves) &* 0x9E37_79B1)
    }

    /// One multiplication in the dependency chain; the words are mixed in parallel to it.
    @inline(__always)
    private static func mix(
        _ h: inout UInt64, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) {
        let left = (a &* 0x9E37_79B9_7F4A_7C15) ^ (b &* 0xC2B2_AE3D_27D4_EB4F)
        let right = (c &* 0x1656_67B1_9E37_79F9) &+ (d &* 0x27D4_EB2F_1656_67C5)
        h = (h ^ left &+ right) &* 0x0000_0100_0000_01B3
        h ^= h >> 29
    }

    @inline(__always) private static func word(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value)
    }

    @inline(__always) private static func low(_ value: Amount) -> UInt64 {
        UInt64(truncatingIfNeeded: value.units) ^ UInt64(truncatingIfNeeded: value.units >> 64)
    }

    private static func low(_ value: TransactionID) -> UInt64 {
        UInt64(truncatingIfNeeded: value.high ^ value.low)
            ^ UInt64(truncatingIfNeeded: (value.high ^ value.low) >> 64)
    }

    private static func mix(_ h: inout UInt64, _ event: Event) {
        switch event {
        case .orderAccepted, .orderRefused, .trade, .orderEnded, .orderAmended, .orderTriggered:
            preconditionFailure("an order's events are hashed where they happen")
        case .orderReplenished(let e): mix(&h, 4, e.order.number, word(e.displayed.lots), 0)
        case .balanceAdjusted(let account, let asset, let amount):
            mix(&h, 8, UInt64(account.number), UInt64(asset.number), low(amount))
        case .assetChanged(let id): mix(&h, 9, UInt64(id.number), 0, 0)
        case .instrumentChanged(let id): mix(&h, 10, UInt64(id.number), 0, 0)
        case .accountChanged(let id): mix(&h, 11, UInt64(id.number), 0, 0)
        case .venueChanged: mix(&h, 12, 0, 0, 0)
        case .apiKeyChanged(let key): mix(&h, 13, key.low.0, key.low.1, key.high.3)
        case .sessionOpened(let id): mix(&h, 14, UInt64(id.number), 0, 0)
        case .sessionClosed(let id): mix(&h, 15, UInt64(id.number), 0, 0)
        case .feesTransferred(let account, let asset, let amount):
            mix(&h, 16, UInt64(account.number), UInt64(asset.number), low(amount))
        case .depositCredited(let account, let asset, let amount):
            mix(&h, 17, UInt64(account.number), UInt64(asset.number), low(amount))
        case .depositNoted(let e):
            mix(&h, 18, UInt64(e.account.number), low(e.transaction), low(e.amount))
            mix(
                &h, UInt64(e.asset.number) << 16 | UInt64(e.network.number),
                UInt64(e.status.rawValue), UInt64(e.output), UInt64(e.confirmations))
        case .addressAssigned(let account, let network, let index):
            mix(&h, 19, UInt64(account.number), UInt64(network.number), UInt64(index))
        case .withdrawalChanged(let id, let status):
            mix(&h, 20, id.number, UInt64(status.rawValue), 0)
        case .transactionSigned(let id): mix(&h, 21, low(id), 0, 0)
        case .transactionSettled(let id): mix(&h, 22, low(id), 0, 0)
        case .transactionDropped(let id): mix(&h, 23, low(id), 0, 0)
        case .networkChanged(let asset, let network):
            mix(&h, 24, UInt64(asset.number), UInt64(network.number), 0)
        case .withdrawalsStopped(let asset, let isStopped):
            mix(&h, 25, UInt64(asset.number), isStopped ? 1 : 0, 0)
        case .chainChanged(let network): mix(&h, 26, UInt64(network.number), 0, 0)
        case .blockChecked(let network, let height):
            mix(&h, 27, UInt64(network.number), height, 0)
        }
    }
}
