// Generates replay files from a seed.

public import Engine
internal import Slabs
internal import Terms

/// The parameters of a generated market.
public struct MarketShape: Sendable {
    /// Number of events, those that fill the books included.
    public var events: Int
    /// Instruments.
    public var symbols: Int
    /// Open orders over all instruments, held steady.
    public var liveOrders: Int
    /// Accounts.
    public var accounts: Int
    /// The same seed gives the same file.
    public var seed: UInt64
    /// The mix of messages and the course of the price.
    public var flow: Flow

    /// A market.
    public init(
        events: Int, symbols: Int, liveOrders: Int, accounts: Int, seed: UInt64,
        flow: Flow = .steady
    ) {
        (self.events, self.symbols, self.liveOrders) = (events, symbols, liveOrders)
        (self.accounts, self.seed, self.flow) = (accounts, seed, flow)
    }
}

/// Generates events one by one. A steady flow has about 83 % replaces, 9 % new, 6 % cancels, 3 %
/// IOC and market orders, and further new orders that keep the number of open ones; a longer file
/// begins like a shorter one. Other flows are as in `Flow`, stretched over the whole file.
public struct Generator: ~Copyable {
    private struct Live {
        var id: UInt64
        var account: UInt32
        var symbol: UInt16
        var side: Side
    }

    private let shape: MarketShape
    private var random: SplitMix64
    private var book: Replay
    private var live: [Live] = []
    private var places: [UInt64: Int] = [:]
    private var middle: [Int64]
    private var phase: Flow.Phase
    private var made = 0
    private var lastID: UInt64 = 0

    /// A generator of this market.
    public init(_ shape: MarketShape) {
        precondition(
            shape.symbols > 0 && shape.accounts > 0 && shape.liveOrders > 0, "a market has some")
        self.shape = shape
        random = SplitMix64(seed: shape.seed)
        middle = [Int64](repeating: Self.start, count: shape.symbols + 1)
        phase = shape.flow.phase(at: 0)
        book = Replay(
            symbols: shape.symbols, accounts: shape.accounts,
            openOrders: shape.liveOrders * 2 + 1024, ledger: false)
        live.reserveCapacity(shape.liveOrders * 2)
    }

    /// The middle of each market before it moves, in ticks.
    private static var start: Int64 { 100_000 }

    /// A price on its side of the middle, mostly near it, sometimes across.
    private mutating func price(_ symbol: UInt16, _ side: Side) -> Int64 {
        let isSteady = shape.flow == .steady
        let depth =
            isSteady
            ? 3 + random.below(7) : phase.depthMin + random.below(phase.depth + 1 - phase.depthMin)
        let away = Int64(random.below(1 << depth)) + 1 - (random.below(64) == 0 ? 4 : 0)
        let middle = middle[Int(symbol)]
        return max(1, side == .buy ? middle - away : middle + away)
    }

    /// The next event.
    public mutating func makeEvent() -> ReplayEvent {
        let event = shape.flow == .steady ? choose() : chooseInFlow()
        made += 1
        unsafe withUnsafePointer(to: event) {
            unsafe book.run(UnsafeBufferPointer(start: $0, count: 1))
        }
        note(event)
        return event
    }

    private mutating func choose() -> ReplayEvent {
        let dice = random.below(100)
        // Additional new orders replace those that takers and cancels removed.
        if live.count < shape.liveOrders, live.count < shape.liveOrders * 99 / 100 || dice >= 83 {
            return make(.limit)
        }
        switch dice {
        case 0..<83: return change(.replace)
        case 83..<91: return live.count > shape.liveOrders ? change(.cancel) : make(.limit)
        case 91..<97: return live.count < shape.liveOrders ? make(.limit) : change(.cancel)
        case 97, 98: return make(.immediateOrCancel)
        default: return make(.market)
        }
    }

    private mutating func chooseInFlow() -> ReplayEvent {
        if made % 64 == 0 { proceed() }
        let steady = shape.liveOrders
        if live.count < max(1, steady / 8) { return make(.limit) }
        let dice = random.below(100)
        if dice < phase.new {
            return live.count > steady + steady / 8 ? change(.cancel) : make(.limit)
        }
        if dice < phase.new + phase.cancel {
            // In a crash orders are withdrawn even when few are left.
            let isFew = live.count < steady && phase.new > phase.cancel
            return isFew ? make(.limit) : change(.cancel)
        }
        let rest = dice - phase.new - phase.cancel
        if rest < phase.immediate { return make(.immediateOrCancel) }
        return rest < phase.immediate + phase.market ? make(.market) : change(.replace)
    }

    /// Advances the flow: the phase, and the middles along their path.
    private mutating func proceed() {
        phase = shape.flow.phase(at: made * 1_000 / max(shape.events, 1))
        let flow = shape.flow
        let before = flow.path(at: max(made - 64, 0), of: shape.events)
        let way = (flow.path(at: made, of: shape.events) - before) * Self.start / 100_000
        for symbol in middle.indices { middle[symbol] = max(1_000, middle[symbol] + way) }
    }

    private mutating func make(_ kind: ReplayEvent.Kind) -> ReplayEvent {
        lastID += 1
        let symbol = UInt16(random.below(shape.symbols) + 1)
        let side: Side = random.below(2) == 0 ? .buy : .sell
        // The middle moves from time to time, so that trades happen at new prices.
        if random.below(phase.wanderEvery) == 0 {
            middle[Int(symbol)] += Int64(random.below(3)) - 1
        }
        var price = price(symbol, side)
        if kind == .immediateOrCancel { price = middle[Int(symbol)] + (side == .buy ? 8 : -8) }
        return ReplayEvent(
            kind: kind, side: side, symbol: symbol,
            account: UInt32(random.below(shape.accounts) + 1),
            orderID: lastID, price: kind == .market ? 0 : price,
            quantity: Int64(random.below(kind == .market ? phase.sweepMax : 100) + 1))
    }

    private mutating func change(_ kind: ReplayEvent.Kind) -> ReplayEvent {
        // Half of the changed orders are recent: the latest are at the list's end.
        let young = live.count - min(live.count, 256)
        let isYoung = shape.flow != .steady && random.below(2) == 0
        let order = live[
            isYoung ? young + random.below(live.count - young) : random.below(live.count)]
        let price = kind == .cancel ? 0 : price(order.symbol, order.side)
        let open = kind == .cancel ? 0 : book.leaves(order.id) ?? 0
        return ReplayEvent(
            kind: kind, side: order.side, symbol: order.symbol, account: order.account,
            orderID: order.id, price: price, quantity: open)
    }

    /// Maintains the list of open orders.
    private mutating func note(_ event: ReplayEvent) {
        var gone: [UInt64] = []
        book.forEachTrade { trade in if book.leaves(trade.maker) == nil { gone.append(trade.maker) }
        }
        let isOpen = book.leaves(event.orderID) != nil
        if isOpen, places[event.orderID] == nil {
            places[event.orderID] = live.count
            live.append(
                Live(
                    id: event.orderID, account: event.account, symbol: event.symbol,
                    side: event.side == 0 ? .buy : .sell))
        } else if !isOpen {
            gone.append(event.orderID)
        }
        for id in gone {
            guard let place = places.removeValue(forKey: id) else { continue }
            let last = live.removeLast()
            if last.id != id {
                live[place] = last
                places[last.id] = place
            }
        }
    }
}
