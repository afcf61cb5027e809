// The events of one command, and the running hash over all of them.

internal import Slabs
internal import Terms
internal import Wire

/// Events of the command at hand, in memory that is used again for each command.
struct EventLog: ~Copyable {
    private var events: Slab<Event>
    private(set) var count = 0
    /// The running hash over outcomes and events.
    var hash: UInt64 = 0

    /// Room for what one command can bring: see `Engine.stepsMax`.
    init(capacity: Int) { events = Slab(capacity: capacity) }

    @inline(__always) mutating func clear() { count = 0 }

    @inline(__always) mutating func append(_ event: Event) {
        events[count] = event
        count += 1
    }

    func withEvents<R>(_ body: (UnsafeBufferPointer<Event>) -> R) -> R {
        unsafe events.withSpan(0..<count) { unsafe body($0) }
    }

    /// Takes the command's outcome and its events into the running hash.
    @inline(__always) mutating func fold(_ outcome: Outcome) {
        var h = hash
        for i in 0..<count { Self.mix(&h, events[i]) }
        let code = UInt64(outcome.refusal.rawValue) << 8 | UInt64(outcome.status.rawValue)
        Self.mix(&h, code, outcome.id, 0, 0)
        hash = h
    }

    /// One multiplication in the chain; the words are spread beside it by constants of their own.
    @inline(__always)
    private static func mix(
        _ h: inout UInt64, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) {
        let left = (a &* 0x9E37_79B9_7F4A_7C15) ^ (b &* 0xC2B2_AE3D_27D4_EB4F)
        let right = (c &* 0x1656_67B1_9E37_79F9) &+ (d &* 0x27D4_EB2F_1656_67C5)
        h = (h ^ left &+ right) &* 0x0000_0100_0000_01B3
        h ^= h >> 29
    }

    private static func mix(_ h: inout UInt64, _ fill: Fill) {
        mix(
            &h, fill.order.number, UInt64(fill.account.number), low(fill.fee),
            UInt64(fill.feeAsset.number) << 8 | UInt64(fill.status.rawValue))
        mix(&h, word(fill.cumQty.lots), word(fill.leavesQty.lots), low(fill.cumQuote), 3)
    }

    @inline(__always) private static func word(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value)
    }

    @inline(__always) private static func low(_ value: Amount) -> UInt64 {
        UInt64(truncatingIfNeeded: value.units) ^ UInt64(truncatingIfNeeded: value.units >> 64)
    }

    @inline(__always) private static func mix(_ h: inout UInt64, _ v: OrderView, _ tag: UInt64) {
        mix(&h, tag, v.order.number, word(v.price.ticks), word(v.quantity.lots))
        mix(
            &h, word(v.leavesQty.lots), UInt64(v.status.rawValue) << 8 | UInt64(v.side.rawValue),
            word(v.stopPrice.ticks), UInt64(v.account.number))
    }

    @inline(__always) private static func mix(_ h: inout UInt64, _ event: Event) {
        switch event {
        case .orderAccepted(let view): mix(&h, view, 1)
        case .orderRefused(let e): mix(&h, 2, UInt64(e.refusal.rawValue), 0, 0)
        case .trade(let t):
            mix(&h, 3, t.id.number, word(t.price.ticks), word(t.quantity.lots))
            mix(&h, t.maker)
            mix(&h, t.taker)
        case .orderReplenished(let e): mix(&h, 4, e.order.number, word(e.displayed.lots), 0)
        case .orderEnded(let view, let reason): mix(&h, view, 5 | UInt64(reason.rawValue) << 8)
        case .orderAmended(let view, let old): mix(&h, view, 6 | UInt64(old.ticks) << 8)
        case .orderTriggered(let view): mix(&h, view, 7)
        case .balanceAdjusted(let account, let asset, let amount):
            mix(&h, 8, UInt64(account.number), UInt64(asset.number), low(amount))
        case .assetChanged(let id): mix(&h, 9, UInt64(id.number), 0, 0)
        case .instrumentChanged(let id): mix(&h, 10, UInt64(id.number), 0, 0)
        case .accountChanged(let id): mix(&h, 11, UInt64(id.number), 0, 0)
        case .venueChanged: mix(&h, 12, 0, 0, 0)
        case .apiKeyChanged(let key): mix(&h, 13, key.low.0, key.low.1, key.high.3)
        case .sessionOpened(let id): mix(&h, 14, UInt64(id.number), 0, 0)
        }
    }
}
