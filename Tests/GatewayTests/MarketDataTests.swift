// Goal: what market data shows is what the books and the trades were: replayed depth updates always
// give the engine's own book, and candles and statistics are sums over the trades.

import Engine
import MarketData
import Slabs
import Terms
import Testing
import Wire

/// A venue with market data that follows it.
private struct Followed: ~Copyable {
    var venue: TestVenue
    var data: MarketData
    var trades: [MarketTrade] = []

    init(turnSteps: UInt32 = 512) {
        var data = MarketData(limits: MarketDataLimits(trades: 50, candles: 100))
        venue = TestVenue(turnSteps: turnSteps) { _ = data.apply($0, $1) }
        self.data = data
    }

    @discardableResult
    mutating func run(_ command: Command) -> Outcome {
        var data = self.data
        var trades: [MarketTrade] = []
        let outcome = venue.run(command) { header, engine in
            data.apply(header, engine)
            unsafe engine.withEvents { events in
                for index in 0..<events.count {
                    if case .trade(let trade) = unsafe events[index] {
                        trades.append(MarketTrade(trade, time: engine.timestamp))
                    }
                }
            }
        }
        self.data = data
        self.trades += trades
        return outcome
    }

    /// All that changed since the last call.
    mutating func depth(_ cadence: DepthCadence) -> [DepthUpdate] {
        var updates: [DepthUpdate] = []
        data.takeDepthUpdates(cadence, venue.engine) { updates.append($0) }
        return updates
    }

    /// The whole book as the engine has it.
    func book(_ instrument: InstrumentID) -> [[Int64: Int64]] {
        Side.allCases.map { side in
            var levels: [Int64: Int64] = [:]
            venue.engine.forEachLevel(instrument, side) {
                levels[$0.price.ticks] = $0.quantity.lots
                return true
            }
            return levels
        }
    }
}

/// A book that a client keeps from a snapshot and depth updates, by Binance's rules.
private struct ClientBook {
    var sides: [[Int64: Int64]]
    var lastUpdateID: UInt64

    mutating func take(_ update: DepthUpdate) {
        if update.finalUpdateID <= lastUpdateID { return }
        #expect(update.firstUpdateID <= lastUpdateID + 1, "no update is missing")
        for (side, levels) in [update.bids, update.asks].enumerated() {
            for level in levels {
                sides[side][level.price.ticks] =
                    level.quantity.lots == 0 ? nil : level.quantity.lots
            }
        }
        lastUpdateID = update.finalUpdateID
    }
}

@Suite struct MarketDataTests {
    @Test func `a resting order shows as one level, its cancel as zero`() {
        var market = Followed()
        let id = market.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5)).id
        var updates = market.depth(.fast)
        #expect(updates.count == 1)
        #expect(updates[0].instrument == TestVenue.btc)
        #expect(updates[0].finalUpdateID == market.venue.engine.sequence)
        #expect(updates[0].bids.map(\.price.ticks) == [100])
        #expect(updates[0].bids.map(\.quantity.lots) == [5])
        #expect(updates[0].asks.isEmpty)
        #expect(market.depth(.fast).isEmpty)

        market.run(
            .cancel(
                Cancel(
                    account: TestVenue.alice, instrument: TestVenue.btc, order: OrderID(id))))
        let before = updates[0].finalUpdateID
        updates = market.depth(.fast)
        #expect(updates.count == 1)
        #expect(updates[0].firstUpdateID == before + 1)
        #expect(updates[0].bids.map(\.quantity.lots) == [0])
    }

    @Test func `orders that never rest and triggers that wait change no level`() {
        var market = Followed()
        market.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5, timeInForce: .ioc))
        market.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5, timeInForce: .fok))
        market.run(TestVenue.market(TestVenue.alice, .buy, 5))
        market.run(
            .place(
                Place(
                    account: TestVenue.alice, instrument: TestVenue.btc, side: .buy,
                    type: .stopLossLimit, price: Price(ticks: 90), quantity: Quantity(lots: 1),
                    stopPrice: Price(ticks: 95))))
        #expect(market.depth(.fast).isEmpty)
        #expect(market.data.bookUpdateID(TestVenue.btc) == 0)
    }

    @Test func `an order that comes to rest some turns later shows then`() {
        for mode in [SelfTradePrevention.none, .expireMaker] {
            var market = Followed(turnSteps: 2)
            // The last asks are the buyer's own: with its mode none of their ends names the order.
            for index in 0..<5 {
                let seller = index < 3 ? TestVenue.bob : TestVenue.alice
                market.run(TestVenue.limit(seller, .sell, 100 + Int64(index), 5))
            }
            var book = ClientBook(sides: [[:], [:]], lastUpdateID: 0)
            for update in market.depth(.fast) { book.take(update) }
            let id = market.run(
                .place(
                    Place(
                        account: TestVenue.alice, instrument: TestVenue.btc, side: .buy,
                        type: .limit, selfTradePrevention: mode, price: Price(ticks: 110),
                        quantity: Quantity(lots: 40)))
            ).id
            let hasTakenOff = market.venue.engine.isInFlight(OrderID(id))
            #expect(hasTakenOff)
            for update in market.depth(.fast) { book.take(update) }
            #expect(book.sides == market.book(TestVenue.btc))
            var turns = 0
            while market.venue.engine.isInFlight(OrderID(id)), turns < 9 {
                market.run(.tick(Tick()))
                for update in market.depth(.fast) { book.take(update) }
                #expect(book.sides == market.book(TestVenue.btc), "\(mode), turn \(turns)")
                turns += 1
            }
            #expect(turns > 0 && turns < 9)
            #expect(book.sides[0][110] == (mode == .none ? 15 : 25))
        }
    }

    @Test func `levels come best first on both sides`() {
        var market = Followed()
        for price in [101, 99, 100] as [Int64] {
            market.run(TestVenue.limit(TestVenue.alice, .buy, price, 1))
            market.run(TestVenue.limit(TestVenue.alice, .sell, price + 10, 1))
        }
        let updates = market.depth(.fast)
        #expect(updates[0].bids.map(\.price.ticks) == [101, 100, 99])
        #expect(updates[0].asks.map(\.price.ticks) == [109, 110, 111])
    }

    @Test func `best prices come only when they changed`() {
        var market = Followed()
        var tops: [BookTop] = []
        func take(_ market: inout Followed) {
            tops.removeAll()
            market.data.takeBookTops(market.venue.engine) { tops.append($0) }
        }
        market.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5))
        take(&market)
        #expect(tops.map(\.bid?.quantity.lots) == [5])
        #expect(tops.map(\.ask) == [nil])
        market.run(TestVenue.limit(TestVenue.alice, .buy, 99, 5))
        take(&market)
        #expect(tops.isEmpty)
        market.run(TestVenue.limit(TestVenue.bob, .sell, 100, 2))
        take(&market)
        #expect(tops.map(\.bid?.quantity.lots) == [3])
    }

    @Test func `recent trades are the newest, and no more than fit`() {
        var market = Followed()
        for number in 1...60 as ClosedRange<Int64> {
            market.run(TestVenue.limit(TestVenue.alice, .sell, 100 + number, 2))
            market.run(TestVenue.market(TestVenue.bob, .buy, 2))
        }
        let all = market.data.trades(TestVenue.btc, limit: 1_000)
        #expect(all == Array(market.trades.suffix(50)))
        #expect(market.data.trades(TestVenue.btc, limit: 3) == Array(market.trades.suffix(3)))
        #expect(market.data.lastTrade(TestVenue.btc) == market.trades.last)
        #expect(market.data.trades(TestVenue.eth, limit: 3).isEmpty)
        #expect(market.data.trades(InstrumentID(0), limit: 3).isEmpty)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `replayed updates of both cadences give the engine's book`(seed: UInt64) {
        var market = Followed()
        var random = SplitMix64(seed: seed)
        let books = [TestVenue.btc, TestVenue.eth]
        var clients = DepthCadence.allCases.map { _ in
            books.map { ClientBook(sides: market.book($0), lastUpdateID: 0) }
        }
        for step in 1...3_000 {
            market.run(random.command(openUpTo: market.venue.engine))
            market.venue.time += Int64(random.below(3)) * 20_000_000_000
            for (index, cadence) in DepthCadence.allCases.enumerated() {
                guard random.below(cadence == .fast ? 7 : 40) == 0 else { continue }
                for update in market.depth(cadence) {
                    clients[index][Int(update.instrument.number) - 1].take(update)
                }
                for (place, book) in books.enumerated() {
                    // A client that joins now goes on from a snapshot.
                    let snapshot = ClientBook(
                        sides: market.book(book), lastUpdateID: market.data.bookUpdateID(book))
                    #expect(
                        clients[index][place].sides == snapshot.sides,
                        "seed \(seed), step \(step), \(cadence), \(book)")
                    if random.below(5) == 0 { clients[index][place] = snapshot }
                }
            }
        }
        #expect(market.trades.count > 200, "the stream traded")
        check(market.data, market.trades, now: market.venue.time, seed)
    }

    /// Candles and statistics against plain sums over all trades.
    private func check(
        _ data: MarketData, _ trades: [MarketTrade], now: Int64, _ seed: UInt64
    ) {
        var data = data
        let btc = trades.filter { $0.instrument == TestVenue.btc }
        for interval in CandleInterval.allCases {
            let candles = data.candles(TestVenue.btc, interval, now: now, limit: 40)
            #expect(candles.last?.openTime == interval.openTime(at: now))
            for (index, candle) in candles.enumerated() {
                if index > 0 {
                    #expect(candle.openTime == candles[index - 1].openTime + interval.length)
                }
                let inside = btc.filter { interval.openTime(at: $0.time) == candle.openTime }
                expect(candle, sums: inside, before: btc, "seed \(seed), \(interval), \(index)")
            }
        }
        let day = data.dayStatistics(TestVenue.btc, now: now)
        let since = CandleInterval.minute1.openTime(at: now - 86_400_000_000_000 - 1)
        let inside = btc.filter {
            CandleInterval.minute1.openTime(at: $0.time) >= now - 86_400_000_000_000
                && $0.time > since
        }
        expect(day.candle, sums: inside, before: btc, "seed \(seed), the day")
        #expect(day.lastQuantity == btc.last?.quantity)
    }

    private func expect(
        _ candle: Candle, sums trades: [MarketTrade], before all: [MarketTrade],
        _ place: Comment
    ) {
        #expect(candle.tradeCount == Int64(trades.count), place)
        #expect(candle.volume == trades.reduce(0) { $0 + Int128($1.quantity.lots) }, place)
        #expect(
            candle.quoteVolume.units == trades.reduce(0) { $0 + $1.quoteAmount.units }, place)
        let bought = trades.filter { $0.takerSide == .buy }
        #expect(candle.takerBuyVolume == bought.reduce(0) { $0 + Int128($1.quantity.lots) }, place)
        guard let first = trades.first, let last = trades.last else { return }
        #expect(candle.open == first.price, place)
        #expect(candle.close == last.price, place)
        #expect(candle.high == trades.map(\.price).max(), place)
        #expect(candle.low == trades.map(\.price).min(), place)
        #expect(candle.firstTrade == first.id, place)
        #expect(candle.lastTrade == last.id, place)
    }

    @Test func `a day drops older trades`() {
        var market = Followed()
        func trade(_ market: inout Followed, _ price: Int64, _ quantity: Int64) {
            market.run(TestVenue.limit(TestVenue.alice, .sell, price, quantity))
            market.run(TestVenue.market(TestVenue.bob, .buy, quantity))
        }
        let hour: Int64 = 3_600_000_000_000
        trade(&market, 500, 1)
        market.venue.time += 10 * hour
        trade(&market, 100, 2)
        market.venue.time += 10 * hour
        trade(&market, 200, 3)
        var day = market.data.dayStatistics(TestVenue.btc, now: market.venue.time)
        #expect((day.candle.open.ticks, day.candle.close.ticks) == (500, 200))
        #expect((day.candle.high.ticks, day.candle.low.ticks) == (500, 100))
        #expect((day.candle.volume, day.candle.tradeCount) == (6, 3))
        #expect(day.previousClose == .none)
        day = market.data.dayStatistics(TestVenue.btc, now: market.venue.time + 5 * hour)
        #expect((day.candle.open.ticks, day.candle.high.ticks) == (100, 200))
        #expect((day.candle.volume, day.candle.tradeCount) == (5, 2))
        #expect(day.previousClose.ticks == 500)
        day = market.data.dayStatistics(TestVenue.btc, now: market.venue.time + 50 * hour)
        #expect((day.candle.volume, day.candle.tradeCount) == (0, 0))
        #expect((day.candle.close.ticks, day.previousClose.ticks) == (200, 200))
    }

    @Test func `minutes and trades from history give the same as having seen the trades`() {
        var market = Followed()
        var random = SplitMix64(seed: 9)
        for _ in 0..<1_000 {
            market.run(random.command(openUpTo: market.venue.engine))
            market.venue.time += Int64(random.below(3)) * 20_000_000_000
        }
        var minutes: [Candle] = []
        for trade in market.trades where trade.instrument == TestVenue.btc {
            let openTime = CandleInterval.minute1.openTime(at: trade.time)
            if minutes.last?.openTime == openTime {
                minutes[minutes.count - 1].add(trade)
            } else {
                minutes.append(Candle(trade, openTime: openTime))
            }
        }
        var restored = MarketData(limits: market.data.limits, sequence: 7)
        for minute in minutes { restored.restore(minute, TestVenue.btc) }
        for trade in market.trades where trade.instrument == TestVenue.btc {
            restored.restore(recent: trade)
        }
        let now = market.venue.time
        #expect(
            restored.trades(TestVenue.btc, limit: 100)
                == market.data.trades(TestVenue.btc, limit: 100))
        #expect(
            restored.dayStatistics(TestVenue.btc, now: now)
                == market.data.dayStatistics(TestVenue.btc, now: now))
        for interval in CandleInterval.allCases {
            #expect(
                restored.candles(TestVenue.btc, interval, now: now, limit: 90)
                    == market.data.candles(TestVenue.btc, interval, now: now, limit: 90))
        }
        #expect(restored.bookUpdateID(TestVenue.btc) == 7)
        var given = 0
        restored.takeCandles(now: now) { _, _, _ in given += 1 }
        #expect(given == 0, "history is not news")
    }

    @Test func `candles are given when they change and once when they close`() {
        var market = Followed()
        let minute: Int64 = 60_000_000_000
        let week = CandleInterval.week1
        market.venue.time = week.openTime(at: market.venue.time) + week.length + minute
        let start = market.venue.time
        func trade(_ market: inout Followed, _ price: Int64) {
            market.run(TestVenue.limit(TestVenue.alice, .sell, price, 1))
            market.run(TestVenue.market(TestVenue.bob, .buy, 1))
        }
        func minutes(_ market: inout Followed) -> [Int64] {
            var prices: [Int64] = []
            market.data.takeCandles(now: market.venue.time) { _, interval, candle in
                if interval == .minute1 { prices.append(candle.close.ticks) }
            }
            return prices
        }
        trade(&market, 10)
        #expect(minutes(&market) == [10])
        #expect(minutes(&market) == [])
        trade(&market, 11)
        #expect(minutes(&market) == [11])
        market.venue.time = start + minute
        trade(&market, 12)
        #expect(minutes(&market) == [11, 12], "the one that closed comes once more")
        market.venue.time = start + 2 * minute
        #expect(minutes(&market) == [12], "it closes without a trade")
        #expect(minutes(&market) == [])
        market.venue.time = start + 5 * minute
        trade(&market, 13)
        trade(&market, 14)
        #expect(minutes(&market) == [14])
    }

    @Test func `candles of a window, with its empty intervals`() {
        var market = Followed()
        let minute: Int64 = 60_000_000_000
        let week = CandleInterval.week1
        market.venue.time = week.openTime(at: market.venue.time) + week.length
        let start = market.venue.time
        for (offset, price) in [(0, 10), (3, 13), (4, 14)] as [(Int64, Int64)] {
            market.venue.time = start + offset * minute + 5
            market.run(TestVenue.limit(TestVenue.alice, .sell, price, 1))
            market.run(TestVenue.market(TestVenue.bob, .buy, 1))
        }
        func closes(_ from: Int64?, _ to: Int64?, _ limit: Int) -> [Int64] {
            market.data.candles(
                TestVenue.btc, .minute1, from: from, to: to, now: start + 6 * minute, limit: limit
            ).map(\.close.ticks)
        }
        #expect(closes(nil, nil, 100) == [10, 10, 10, 13, 14, 14, 14])
        #expect(closes(nil, nil, 3) == [14, 14, 14])
        #expect(closes(start + minute, nil, 3) == [10, 10, 13])
        #expect(closes(start + 1, start + 3 * minute, 9) == [10, 10, 13])
        #expect(closes(start - 1_000 * minute, start, 9) == [10])
        #expect(closes(nil, start - 1, 9) == [])
        #expect(closes(nil, nil, 0) == [])
        // Whatever times are asked for: a time in microseconds read as milliseconds, and the ends.
        let far: [Int64] = [.max, .max - 1, 9_223_372_036_854_000_000, .min, .min + 1, -1, 0]
        for interval in CandleInterval.allCases {
            for from in far {
                for to in far {
                    let found = market.data.candles(
                        TestVenue.btc, interval, from: from, to: to, now: start + 6 * minute,
                        limit: 1_000)
                    #expect(found.isEmpty == (from > start || to < start))
                }
            }
        }
    }

    @Test func `weeks begin on Monday, all else at midnight or on the hour`() {
        // 2023-11-14 22:13:20 UTC, a Tuesday.
        let time: Int64 = 1_700_000_000_000_000_000
        let second: Int64 = 1_000_000_000
        #expect(CandleInterval.week1.openTime(at: time) == 1_699_833_600 * second)
        #expect(CandleInterval.day1.openTime(at: time) == 1_699_920_000 * second)
        #expect(CandleInterval.hour4.openTime(at: time) == 1_699_992_000 * second)
        #expect(CandleInterval.minute1.openTime(at: time) == 1_699_999_980 * second)
        #expect(CandleInterval(rawValue: "1m") == .minute1)
        #expect(CandleInterval(rawValue: "1M") == nil)
    }
}

extension SplitMix64 {
    /// An order, a change or a cancel near the same few prices.
    mutating func command(openUpTo engine: borrowing Engine) -> Command {
        let account = AccountID(UInt32(1 + below(3)))
        let instrument = below(4) == 0 ? TestVenue.eth : TestVenue.btc
        let side: Side = below(2) == 0 ? .buy : .sell
        let price = Int64(95 + below(11))
        let quantity = Int64(1 + below(20))
        // A guess among the newest orders: some are open, some are not.
        let guess = OrderID(UInt64(1 + below(400)))
        switch below(12) {
        case 0...5:
            return TestVenue.limit(
                account, side, price, quantity, instrument, display: below(5) == 0 ? 2 : 0)
        case 6:
            return TestVenue.limit(account, side, price, quantity, instrument, timeInForce: .ioc)
        case 7: return TestVenue.market(account, side, quantity)
        case 8:
            return .place(
                Place(
                    account: account, instrument: instrument, side: side, type: .stopLossLimit,
                    selfTradePrevention: .decrement, price: Price(ticks: price),
                    quantity: Quantity(lots: quantity),
                    stopPrice: Price(ticks: Int64(95 + below(11)))))
        case 9:
            guard let order = engine.order(guess) else { fallthrough }
            return .amend(
                Amend(
                    account: order.account, instrument: order.instrument, order: guess,
                    price: Price(ticks: price), quantity: order.cumQty))
        case 10:
            guard let order = engine.order(guess) else {
                return .massCancel(MassCancel(account: account, side: side))
            }
            return .cancel(
                Cancel(account: order.account, instrument: order.instrument, order: guess))
        default:
            return .massCancel(MassCancel(account: account, instrument: instrument, side: side))
        }
    }
}
