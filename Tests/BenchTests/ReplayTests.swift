// The replay benchmark, small: the same events give the same trades with the ledger, without it,
// and on a book that sorts a list for every event.

import Bench
import Engine
import Terms
import Testing

/// The obvious book: a list of orders, searched whole.
private struct ListBook {
    struct Order {
        var id: UInt64
        var symbol: UInt16
        var side: UInt8
        var price: Int64
        var open: Int64
        var priority: Int
    }

    var orders: [Order] = []
    var turn = 0
    var totals = ReplayTotals()

    mutating func apply(_ event: ReplayEvent) {
        turn += 1
        totals.events += 1
        let place = orders.firstIndex { $0.id == event.orderID }
        switch ReplayEvent.Kind(rawValue: event.kind) {
        case .cancel:
            if let place { orders.remove(at: place) }
        case .replace:
            guard let place else { return }
            var order = orders.remove(at: place)
            order.price = event.price
            take(order, rests: true)
        default:
            let isMarket = event.kind == ReplayEvent.Kind.market.rawValue
            let worst: Int64 = event.side == 0 ? .max : 0
            let order = Order(
                id: event.orderID, symbol: event.symbol, side: event.side,
                price: isMarket ? worst : event.price, open: event.quantity, priority: turn)
            take(order, rests: event.kind == ReplayEvent.Kind.limit.rawValue)
        }
    }

    private mutating func take(_ incoming: Order, rests: Bool) {
        var order = incoming
        while order.open > 0 {
            let sign: Int64 = order.side == 0 ? 1 : -1
            let candidates = orders.indices.filter {
                orders[$0].symbol == order.symbol && orders[$0].side != order.side
                    && (orders[$0].price - order.price) * sign <= 0
            }
            guard
                let best = candidates.min(by: {
                    let (a, b) = (orders[$0], orders[$1])
                    return a.price != b.price
                        ? (a.price - b.price) * sign < 0 : a.priority < b.priority
                })
            else { break }
            let lots = min(order.open, orders[best].open)
            trade(maker: orders[best], taker: order.id, lots)
            order.open -= lots
            orders[best].open -= lots
            if orders[best].open == 0 { orders.remove(at: best) }
        }
        if rests, order.open > 0 {
            order.priority = turn
            orders.append(order)
        }
    }

    private mutating func trade(maker: Order, taker: UInt64, _ lots: Int64) {
        totals.trades += 1
        totals.quantity &+= UInt64(lots)
        for word in [maker.id, taker, UInt64(maker.price), UInt64(lots)] {
            totals.checksum = (totals.checksum ^ word) &* 0x100_0000_01B3
        }
    }
}

@Suite struct ReplayTests {
    private func events(_ shape: MarketShape) -> [ReplayEvent] {
        var generator = Generator(shape)
        return (0..<shape.events).map { _ in generator.makeEvent() }
    }

    @Test(arguments: [false, true])
    func `events that no order can have do nothing`(_ ledger: Bool) {
        let good = ReplayEvent(
            kind: .limit, side: .buy, symbol: 1, account: 1, orderID: 1, price: 5, quantity: 5)
        var odd: [ReplayEvent] = []
        for change: (inout ReplayEvent) -> Void in [
            { $0.price = -1 }, { $0.price = 0 }, { $0.price = .min }, { $0.price = .max },
            { $0.quantity = -5 }, { $0.quantity = 0 }, { $0.quantity = .max }, { $0.side = 2 },
            { $0.symbol = 0 }, { $0.symbol = 9 }, { $0.orderID = 0 }, { $0.kind = 9 },
        ] {
            var event = good
            event.orderID = 2
            change(&event)
            odd.append(event)
        }
        var move = good
        (move.kind, move.price) = (ReplayEvent.Kind.replace.rawValue, -7)
        odd.append(move)
        var replay = Replay(symbols: 1, accounts: 2, openOrders: 16, ledger: ledger)
        unsafe ([good] + odd).withUnsafeBufferPointer { unsafe replay.run($0) }
        #expect(replay.openOrderCount == 1)
        #expect(replay.totals.trades == 0)
        #expect(replay.checkInvariants() == nil)
    }

    private func replay(_ events: [ReplayEvent], symbols: Int, ledger: Bool) -> ReplayTotals {
        var replay = Replay(symbols: symbols, accounts: 20, openOrders: 4_096, ledger: ledger)
        unsafe events.withUnsafeBufferPointer { unsafe replay.run($0) }
        #expect(replay.checkInvariants() == nil)
        return replay.totals
    }

    @Test(arguments: [(1, 300, 1), (3, 200, 2), (2, 50, 3)])
    func `gives the trades of a list that is searched whole`(
        _ symbols: Int, _ live: Int, _ seed: UInt64
    ) {
        let events = events(
            MarketShape(
                events: 12_000, symbols: symbols, liveOrders: live, accounts: 20, seed: seed))
        var list = ListBook()
        for event in events { list.apply(event) }
        #expect(list.totals.trades > 100)
        #expect(replay(events, symbols: symbols, ledger: false) == list.totals)
        #expect(replay(events, symbols: symbols, ledger: true) == list.totals)
    }

    @Test func `a generated market is what it says`() {
        let events = events(
            MarketShape(events: 60_000, symbols: 2, liveOrders: 500, accounts: 20, seed: 9))
        let steady = events.dropFirst(10_000)
        let replaces = steady.count { $0.kind == ReplayEvent.Kind.replace.rawValue }
        let takers = steady.count { $0.kind == 1 || $0.kind == 2 }
        #expect((steady.count * 81 / 100...steady.count * 85 / 100).contains(replaces))
        #expect((steady.count * 2 / 100...steady.count * 4 / 100).contains(takers))
        var replay = Replay(symbols: 2, accounts: 20, openOrders: 4_096, ledger: false)
        unsafe events.withUnsafeBufferPointer { unsafe replay.run($0) }
        #expect((450...550).contains(replay.openOrderCount))
    }

    @Test(arguments: Flow.allCases)
    func `every flow gives the trades of a list that is searched whole`(_ flow: Flow) {
        let events = events(
            MarketShape(
                events: 8_000, symbols: 1, liveOrders: 250, accounts: 20, seed: 5, flow: flow))
        var list = ListBook()
        for event in events { list.apply(event) }
        #expect(list.totals.trades > 50)
        #expect(replay(events, symbols: 1, ledger: false) == list.totals)
        #expect(replay(events, symbols: 1, ledger: true) == list.totals)
    }

    @Test func `flows move the price as they say`() {
        func lastPrices(_ flow: Flow) -> [Int64] {
            let shape = MarketShape(
                events: 40_000, symbols: 1, liveOrders: 500, accounts: 20, seed: 6, flow: flow)
            var replay = Replay(symbols: 1, accounts: 20, openOrders: 4_096, ledger: false)
            var prices: [Int64] = []
            for event in events(shape) {
                unsafe withUnsafePointer(to: event) {
                    unsafe replay.run(UnsafeBufferPointer(start: $0, count: 1))
                }
                replay.forEachTrade { prices.append($0.price) }
            }
            return prices
        }
        let calm = lastPrices(.calm)
        #expect(calm.max()! - calm.min()! < 500)
        let swing = lastPrices(.swing)
        #expect(swing.max()! > 108_000 && swing.min()! < 92_000)
        let crash = lastPrices(.crash)
        #expect(crash.max()! > 99_000 && crash.min()! < 70_000 && crash.last! > crash.min()!)
    }

    @Test func `the same seed gives the same file`() {
        let shape = MarketShape(events: 5_000, symbols: 3, liveOrders: 100, accounts: 5, seed: 4)
        func words(_ events: [ReplayEvent]) -> [[UInt64]] {
            events.map {
                [
                    UInt64($0.kind), UInt64($0.side), UInt64($0.symbol), UInt64($0.account),
                    $0.orderID, UInt64($0.price), UInt64($0.quantity),
                ]
            }
        }
        #expect(words(events(shape)) == words(events(shape)))
    }

    @Test(arguments: [64, 128, 6_400, 640_000])
    func `a walk through bare memory meets each line once`(bytes: Int) {
        var memory = BareMemory(bytes: bytes)
        let lines = bytes / 64
        var seen = Set<UInt32>()
        for _ in 0..<lines { seen.insert(memory.walk(1)) }
        #expect(seen.count == lines)
        #expect(memory.walk(lines) == 0 && memory.bytes == bytes)
    }
}
