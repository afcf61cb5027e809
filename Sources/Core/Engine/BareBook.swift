// The bare book: orders, levels and trades, without accounts, money, checks and events. Compared
// with the engine on the same replay, it shows the book's share of a step's time.

internal import Slabs
internal import Terms

/// A book of some instruments that trades by price, then time.
public struct BareBook: ~Copyable {
    private var orders: Orders
    private var ladders: Ladders
    private var trades: Slab<ReplayTrade>
    private var tradeCount = 0
    private let symbols: UInt16
    private let quantityMax: Int64

    /// A book of `symbols` instruments with room for this many open orders.
    public init(symbols: Int, openOrders: Int) {
        orders = Orders(capacity: openOrders, accounts: 1)
        ladders = Ladders(instruments: symbols, orders: openOrders)
        trades = Slab(capacity: openOrders)
        self.symbols = UInt16(symbols)
        quantityMax = Engine.replayQuantityMax(openOrders: openOrders).lots
    }

    /// Open orders.
    public var openOrderCount: Int { orders.count }

    /// Bytes used by open orders, indices included.
    public var bookMemory: Int { orders.memory + ladders.memory }

    /// Open lots of an order; nil if it is not open.
    public func leaves(_ id: UInt64) -> Int64? {
        let slot = orders.find(id)
        return slot == none ? nil : orders.hot[slot].leaves
    }

    /// Applies one event; true when it traded. An event that names an order that is not open, is
    /// malformed or finds no room has no effect.
    public mutating func replay(_ event: ReplayEvent) -> Bool {
        tradeCount = 0
        guard event.isWellFormed(symbols: symbols, quantityMax: quantityMax) else { return false }
        switch ReplayEvent.Kind(rawValue: event.kind) {
        case .replace:
            let slot = orders.find(event.orderID)
            if slot != none { move(slot, to: event.price) }
        case .cancel:
            let slot = orders.find(event.orderID)
            if slot != none { end(slot) }
        case .limit, .immediateOrCancel, .market: place(event)
        case nil: break
        }
        return tradeCount > 0
    }

    private mutating func place(_ event: ReplayEvent) {
        let side: Side = event.side == 0 ? .buy : .sell
        let isMarket = event.kind == ReplayEvent.Kind.market.rawValue
        var order = HotOrder(
            id: event.orderID, price: event.price, leaves: event.quantity, quantity: event.quantity,
            account: 1, instrument: event.symbol, side: side, type: isMarket ? .market : .limit,
            timeInForce: event.kind == ReplayEvent.Kind.limit.rawValue ? .gtc : .ioc)
        match(&order, bound: !isMarket ? event.price : side == .buy ? .max : 0)
        guard order.leaves > 0, order.timeInForce == .gtc, orders.count < orders.capacity else {
            return
        }
        attach(orders.insert(order, ColdOrder()))
    }

    /// Moves an order to the end of another price's queue; it may trade first.
    private mutating func move(_ slot: UInt32, to price: Int64) {
        detach(slot)
        var order = orders.hot[slot]
        order.price = price
        match(&order, bound: price)
        orders.hot[slot] = order
        if order.leaves > 0 { attach(slot) } else { orders.remove(slot) }
    }

    @inline(__always) private mutating func match(_ order: inout HotOrder, bound: Int64) {
        let kind = LadderKind(order.side.opposite)
        let ladder = Ladders.index(order.instrument, kind)
        while order.leaves > 0 {
            let level = ladders.best(ladder)
            if level == none || !ladders.crosses(ladder, kind, bound) { return }
            let maker = ladders.first(level)
            orders.prefetch(orders.hot[maker].link.next)
            let lots = min(order.leaves, orders.hot[maker].leaves)
            trades[tradeCount] = ReplayTrade(
                maker: orders.hot[maker].id, taker: order.id, price: ladders.price(level),
                quantity: lots)
            tradeCount += 1
            order.leaves -= lots
            if lots == orders.hot[maker].leaves {
                end(maker)
            } else {
                orders.hot[maker].leaves -= lots
                ladders.levels[level].shown -= lots
                ladders.levels[level].open -= lots
            }
        }
    }

    @inline(__always) private mutating func attach(_ slot: UInt32) {
        let (kind, lots) = (orders.hot[slot].ladder, orders.hot[slot].leaves)
        let ladder = Ladders.index(orders.hot[slot].instrument, kind)
        let level = ladders.take(ladder, kind, orders.hot[slot].price)
        orders.hot[slot].level = level
        ladders.append(slot, level, &orders.hot, shown: lots, open: lots)
    }

    @inline(__always) private mutating func detach(_ slot: UInt32) {
        let (kind, lots) = (orders.hot[slot].ladder, orders.hot[slot].leaves)
        let (level, instrument) = (orders.hot[slot].level, orders.hot[slot].instrument)
        let link = ladders.unlink(slot, level, &orders.hot, shown: lots, open: lots)
        ladders.giveBack(Ladders.index(instrument, kind), kind, level, after: link)
    }

    private mutating func end(_ slot: UInt32) {
        detach(slot)
        orders.remove(slot)
    }

    // MARK: Prefetching, as in `Engine`

    /// First prefetch step: the index.
    @inline(__always) public func prefetchFirst(_ event: ReplayEvent) {
        orders.prefetchIndex(event.orderID)
    }

    /// Second step: the order's line, and its new level.
    @inline(__always) public func prefetchSecond(_ event: ReplayEvent) -> ReplayAhead {
        ReplayAhead(event, symbols: symbols, orders, ladders)
    }

    /// Third step: its old and new neighbours.
    @inline(__always) public func prefetchThird(_ ahead: ReplayAhead) {
        ahead.prefetch(orders, ladders)
    }

    /// The trades of the last event.
    @inline(__always) public func forEachTrade(_ body: (ReplayTrade) -> Void) {
        for i in 0..<tradeCount { body(trades[i]) }
    }
}
