// The events of one command, and the running hash over all of them.

internal import Slabs
internal import Terms
internal import Wire

/// The kinds of events as the hash has them. Every journal's hash marks depend on them: a number
/// never changes, and is never used again.
enum EventCode: UInt64 {
    case orderAccepted = 1
    case orderRefused = 2
    case trade = 3
    case orderReplenished = 4
    case orderEnded = 5
    case orderAmended = 6
    case orderTriggered = 7
    case balanceAdjusted = 8
    case assetChanged = 9
    case instrumentChanged = 10
    case accountChanged = 11
    case venueChanged = 12
    case apiKeyChanged = 13
    case sessionOpened = 14
    case sessionClosed = 15
    case feesTransferred = 16
    case depositCredited = 17
    case depositNoted = 18
    case addressAssigned = 19
    case withdrawalChanged = 20
    case transactionSigned = 21
    case transactionSettled = 22
    case transactionDropped = 23
    case networkChanged = 24
    case withdrawalsStopped = 25
    case chainChanged = 26
    case blockChecked = 27
    case operatorChanged = 28
    case custodyPolicyChanged = 29
    case proposalChanged = 30
    case withdrawalPolicyChanged = 40
    case withdrawalLimitsChanged = 41
    case addressBookChanged = 42
    case coldStorageChanged = 43
    case withdrawalTermsChanged = 44
}

/// The kind of an order's event and what goes with it, as a word of the hash.
struct EventTag {
    let word: UInt64

    static var accepted: EventTag { EventTag(word: EventCode.orderAccepted.rawValue) }
    static var triggered: EventTag { EventTag(word: EventCode.orderTriggered.rawValue) }
    static func ended(_ reason: EndReason) -> EventTag {
        EventTag(word: EventCode.orderEnded.rawValue | UInt64(reason.rawValue) << 8)
    }
    static func amended(oldPrice: Int64) -> EventTag {
        EventTag(word: EventCode.orderAmended.rawValue | UInt64(bitPattern: oldPrice) << 8)
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
        Self.mix(&hash, .orderRefused, UInt64(refusal.rawValue), 0, 0)
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
        Self.mix(
            &hash, EventCode.trade.rawValue | id << 8, Self.word(price), Self.word(lots), maker)
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

    @inline(__always)
    private static func mix(
        _ h: inout UInt64, _ code: EventCode, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) {
        mix(&h, code.rawValue, b, c, d)
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
        case .orderReplenished(let e):
            mix(&h, .orderReplenished, e.order.number, word(e.displayed.lots), 0)
        case .balanceAdjusted(let account, let asset, let amount):
            mix(&h, .balanceAdjusted, UInt64(account.number), UInt64(asset.number), low(amount))
        case .assetChanged(let id): mix(&h, .assetChanged, UInt64(id.number), 0, 0)
        case .instrumentChanged(let id): mix(&h, .instrumentChanged, UInt64(id.number), 0, 0)
        case .accountChanged(let id): mix(&h, .accountChanged, UInt64(id.number), 0, 0)
        case .venueChanged: mix(&h, .venueChanged, 0, 0, 0)
        case .apiKeyChanged(let key): mix(&h, .apiKeyChanged, key.low.0, key.low.1, key.high.3)
        case .sessionOpened(let id): mix(&h, .sessionOpened, UInt64(id.number), 0, 0)
        case .sessionClosed(let id): mix(&h, .sessionClosed, UInt64(id.number), 0, 0)
        case .feesTransferred(let account, let asset, let amount):
            mix(&h, .feesTransferred, UInt64(account.number), UInt64(asset.number), low(amount))
        case .depositCredited(let account, let asset, let amount):
            mix(&h, .depositCredited, UInt64(account.number), UInt64(asset.number), low(amount))
        case .depositNoted(let e):
            mix(&h, .depositNoted, UInt64(e.account.number), low(e.transaction), low(e.amount))
            mix(
                &h, UInt64(e.asset.number) << 16 | UInt64(e.network.number),
                UInt64(e.status.rawValue), UInt64(e.output), UInt64(e.confirmations))
        case .addressAssigned(let account, let network, let index):
            mix(&h, .addressAssigned, UInt64(account.number), UInt64(network.number), UInt64(index))
        case .withdrawalChanged(let id, let status):
            mix(&h, .withdrawalChanged, id.number, UInt64(status.rawValue), 0)
        case .transactionSigned(let id): mix(&h, .transactionSigned, low(id), 0, 0)
        case .transactionSettled(let id): mix(&h, .transactionSettled, low(id), 0, 0)
        case .transactionDropped(let id): mix(&h, .transactionDropped, low(id), 0, 0)
        case .networkChanged(let asset, let network):
            mix(&h, .networkChanged, UInt64(asset.number), UInt64(network.number), 0)
        case .withdrawalsStopped(let asset, let isStopped):
            mix(&h, .withdrawalsStopped, UInt64(asset.number), isStopped ? 1 : 0, 0)
        case .operatorChanged(let name):
            mix(&h, .operatorChanged, name.w0 ^ name.w3, name.w1 ^ name.w4, name.w2)
        case .custodyPolicyChanged(let endorsements):
            mix(&h, .custodyPolicyChanged, UInt64(endorsements), 0, 0)
        case .proposalChanged(let id, let status):
            mix(
                &h, .proposalChanged, UInt64(truncatingIfNeeded: id.number),
                UInt64(truncatingIfNeeded: id.number >> 64), UInt64(status.rawValue))
        case .withdrawalPolicyChanged(let delay, let freeze):
            mix(&h, .withdrawalPolicyChanged, UInt64(delay), UInt64(freeze), 0)
        case .withdrawalLimitsChanged(let account, let asset):
            mix(&h, .withdrawalLimitsChanged, UInt64(account.number), UInt64(asset.number), 0)
        case .withdrawalTermsChanged(let account, let asset, let network):
            mix(
                &h, .withdrawalTermsChanged, UInt64(account.number), UInt64(asset.number),
                UInt64(network.number))
        case .addressBookChanged(let account, let network, let isAdded):
            mix(
                &h, .addressBookChanged, UInt64(account.number), UInt64(network.number),
                isAdded ? 1 : 0)
        case .coldStorageChanged(let asset, let network):
            mix(&h, .coldStorageChanged, UInt64(asset.number), UInt64(network.number), 0)
        case .chainChanged(let network): mix(&h, .chainChanged, UInt64(network.number), 0, 0)
        case .blockChecked(let network, let stage, let height, let block):
            let word = UInt64(truncatingIfNeeded: block.high ^ block.low)
            mix(
                &h, .blockChecked, UInt64(network.number) << 8 | UInt64(stage.rawValue), height,
                word)
        }
    }
}
