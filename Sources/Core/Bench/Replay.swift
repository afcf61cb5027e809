// Replays order events on one thread and measures it.

internal import CCycles
public import Engine
internal import Terms

/// A replay's result, to compare engines: the same file gives the same numbers everywhere.
public struct ReplayTotals: Hashable, Sendable {
    /// Events replayed.
    public var events = 0
    /// Trades made.
    public var trades = 0
    /// Lots traded, wrapping.
    public var quantity: UInt64 = 0
    /// 64-bit FNV-1a over words: maker order, taker order, price and quantity of each trade.
    public var checksum: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Nothing yet.
    public init() {}

    @inline(__always) mutating func take(_ word: UInt64) {
        checksum = (checksum ^ word) &* 0x0000_0100_0000_01B3
    }
}

/// The target of a replay: the engine, or the bare book.
protocol ReplayBook: ~Copyable {
    var openOrderCount: Int { get }
    mutating func replay(_ event: ReplayEvent) -> Bool
    func forEachTrade(_ body: (ReplayTrade) -> Void)
    func prefetchFirst(_ event: ReplayEvent)
    func prefetchSecond(_ event: ReplayEvent) -> ReplayAhead
    func prefetchThird(_ ahead: ReplayAhead)
}

extension Engine: ReplayBook {}
extension BareBook: ReplayBook {}

extension ReplayBook where Self: ~Copyable {
    @inline(__always) mutating func step(_ event: ReplayEvent, _ totals: inout ReplayTotals) {
        if !replay(event) { return }
        forEachTrade { trade in
            totals.trades += 1
            totals.quantity &+= UInt64(bitPattern: trade.quantity)
            totals.take(trade.maker)
            totals.take(trade.taker)
            totals.take(UInt64(bitPattern: trade.price))
            totals.take(UInt64(bitPattern: trade.quantity))
        }
    }

    @inline(__always) mutating func run(
        _ events: UnsafeBufferPointer<ReplayEvent>, _ totals: inout ReplayTotals
    ) {
        let count = events.count
        var looksAhead = false
        var ahead = InlineArray<16, ReplayAhead>(repeating: ReplayAhead())
        for i in 0..<count {
            if i % Replay.block == 0 { looksAhead = openOrderCount > Replay.lookAheadOrders }
            if looksAhead, i + Replay.lookAhead < count {
                unsafe prefetchFirst(events[i + Replay.lookAhead])
                // The third step follows the second by a third of the distance.
                let second = i + Replay.lookAhead * 2 / 3
                unsafe ahead[second & 15] = prefetchSecond(events[second])
                prefetchThird(ahead[(i + Replay.lookAhead / 3) & 15])
            }
            unsafe step(events[i], &totals)
        }
    }

    @inline(__always) mutating func run(
        _ events: UnsafeBufferPointer<ReplayEvent>, _ totals: inout ReplayTotals,
        _ record: (UInt64) -> Void
    ) {
        for i in 0..<events.count {
            let start = bourse_cycles()
            unsafe step(events[i], &totals)
            record(bourse_cycles() &- start)
        }
    }
}

/// A replay of events on its own engine or bare book.
public struct Replay: ~Copyable {
    private var engine: Engine?
    private var book: BareBook?
    /// The result so far.
    public private(set) var totals = ReplayTotals()

    /// The prefetch distance in events. A gateway's batch allows the same.
    static let lookAhead = 12
    /// Fewer open orders than this stay in the caches without prefetching.
    static let lookAheadOrders = 8_192
    /// Events between two checks of the number of open orders.
    static let block = 4_096

    /// An engine for these events, or without the ledger a bare book. Accounts are
    /// 1 … `accounts`.
    public init(symbols: Int, accounts: Int, openOrders: Int, ledger: Bool) {
        engine =
            ledger ? .forReplay(symbols: symbols, accounts: accounts, openOrders: openOrders) : nil
        book = ledger ? nil : BareBook(symbols: symbols, openOrders: openOrders)
    }

    /// Borrows the target. Optional chaining would consume it.
    private func read<T>(_ whole: (borrowing Engine) -> T, _ bare: (borrowing BareBook) -> T) -> T {
        switch engine {
        case .some(let engine): return whole(engine)
        case .none: break
        }
        switch book {
        case .some(let book): return bare(book)
        case .none: preconditionFailure("one of both is there")
        }
    }

    /// Open orders.
    public var openOrderCount: Int { read({ $0.openOrderCount }, { $0.openOrderCount }) }

    /// Bytes of open orders and books, indices included.
    public var bookMemory: Int { read({ $0.bookMemory }, { $0.bookMemory }) }

    /// Open lots of an order; nil if it is not open.
    public func leaves(_ id: UInt64) -> Int64? {
        read({ $0.order(OrderID(id))?.leavesQty.lots }, { $0.leaves(id) })
    }

    /// The fault of the engine's state, or nil.
    public func checkInvariants() -> String? { read({ $0.checkInvariants() }, { _ in nil }) }

    /// The trades of the last event.
    public func forEachTrade(_ body: (ReplayTrade) -> Void) {
        read({ $0.forEachTrade(body) }, { $0.forEachTrade(body) })
    }

    /// Replays all of `events` as fast as it goes.
    public mutating func run(_ events: UnsafeBufferPointer<ReplayEvent>) {
        unsafe engine?.run(events, &totals)
        unsafe book?.run(events, &totals)
        totals.events += events.count
    }

    /// Replays all of `events` and passes the cycles of each step to `record`; they include the
    /// counter's own cost.
    public mutating func run(
        _ events: UnsafeBufferPointer<ReplayEvent>, record: (UInt64) -> Void
    ) {
        unsafe engine?.run(events, &totals, record)
        unsafe book?.run(events, &totals, record)
        totals.events += events.count
    }

    /// The cycle counter (RDTSC, CNTVCT): two readings with two of a clock give its rate.
    public static func cycles() -> UInt64 { bourse_cycles() }
}
