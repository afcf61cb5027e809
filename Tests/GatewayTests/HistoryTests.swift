// Goal: the history file holds every order's last state, every trade and every adjustment up to its
// cursor, once, whatever ends the process and whatever the disk does.

import Engine
import Glibc
import History
import MarketData
import Slabs
import Terms
import Testing
import Wire

/// A record's events.
struct RecordedEvents: Sendable {
    var sequence: UInt64
    var time: Int64
    var events: [Event]
}

/// A directory of its own, removed with its owner.
final class TestDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/bourse-history-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { preconditionFailure("a directory in /tmp") }
        path = template.dropLast().reduce(into: "") {
            $0.unicodeScalars.append(Unicode.Scalar(UInt8(bitPattern: $1)))
        }
    }

    deinit {
        for name in ["", ".damaged-1", ".damaged-2", ".damaged"].flatMap({ kept in
            ["", "-wal", "-shm"].map { "h.sqlite\(kept)\($0)" }
        }) {
            unsafe unlink("\(path)/history/\(name)")
        }
        unsafe rmdir("\(path)/history")
        unsafe rmdir(path)
    }

    var file: String { "\(path)/history/h.sqlite" }
}

/// The events of a seeded stream of commands, with the engine at its end.
struct RecordedStream: ~Copyable {
    var venue: TestVenue
    var records: [RecordedEvents] = []

    init(seed: UInt64, commands: Int) {
        var records: [RecordedEvents] = []
        func record(_ header: RecordHeader, _ engine: borrowing Engine) {
            var all: [Event] = []
            unsafe engine.withEvents { events in
                for index in 0..<events.count { all.append(unsafe events[index]) }
            }
            records.append(
                RecordedEvents(sequence: header.sequence, time: engine.timestamp, events: all))
        }
        venue = TestVenue(record)
        var random = SplitMix64(seed: seed)
        for _ in 0..<commands {
            let command = random.command(openUpTo: venue.engine)
            venue.run(command, record)
            venue.time += Int64(random.below(3)) * 7_000_000_000
        }
        self.records = records
    }
}

/// What history must hold, gathered in the plainest way.
struct ExpectedHistory {
    var orders: [UInt64: OrderView] = [:]
    var reasons: [UInt64: EndReason] = [:]
    var trades: [(trade: Trade, time: Int64)] = []
    var adjustments: [Adjustment] = []

    init(_ records: some Sequence<RecordedEvents>) {
        for record in records {
            for event in record.events { take(event, record) }
        }
    }

    private mutating func take(_ event: Event, _ record: RecordedEvents) {
        switch event {
        case .orderAccepted(let order), .orderTriggered(let order):
            orders[order.order.number] = order
        case .orderAmended(let order, oldPrice: _): orders[order.order.number] = order
        case .orderEnded(let order, let reason):
            orders[order.order.number] = order
            reasons[order.order.number] = reason
        case .trade(let trade):
            trades.append((trade, record.time))
            for fill in [trade.maker, trade.taker] {
                orders[fill.order.number]?.cumQty = fill.cumQty
                orders[fill.order.number]?.leavesQty = fill.leavesQty
                orders[fill.order.number]?.cumQuote = fill.cumQuote
                orders[fill.order.number]?.status = fill.status
                orders[fill.order.number]?.updatedTime = record.time
            }
        case .balanceAdjusted(let account, let asset, let amount):
            adjustments.append(
                Adjustment(
                    sequence: record.sequence, kind: .booking, account: account, asset: asset,
                    amount: amount, time: record.time))
        default: break
        }
    }

    /// Everything in `history` against this.
    func check(_ history: History) throws {
        let ids = orders.keys.sorted()
        try history.readNow { reader in
            for id in ids {
                let found = try reader.order(OrderID(id))
                guard let found, let expected = orders[id] else {
                    Issue.record("order \(id) is missing")
                    continue
                }
                #expect(same(found.order, expected), "order \(id): \(found.order) \(expected)")
                #expect(found.endReason == reasons[id], "order \(id)")
            }
            #expect(try reader.order(OrderID((ids.last ?? 0) + 1)) == nil)
            for instrument in [TestVenue.btc, TestVenue.eth] {
                let mine = trades.filter { $0.trade.instrument == instrument }
                var stored: [MarketTrade] = []
                while true {
                    let range = HistoryRange(fromID: (stored.last?.id.number ?? 0) + 1)
                    let page = try reader.marketTrades(instrument, range)
                    if page.isEmpty { break }
                    stored += page
                }
                #expect(stored == mine.map { MarketTrade($0.trade, time: $0.time) })
            }
            for account in [TestVenue.alice, TestVenue.bob, TestVenue.carol] {
                #expect(
                    try reader.adjustments(account, HistoryRange())
                        == adjustments.filter { $0.account == account })
            }
        }
    }
}

/// Whether two views are the same in every field.
func same(_ a: OrderView, _ b: OrderView) -> Bool {
    (a.order, a.account, a.instrument, a.side, a.type, a.timeInForce)
        == (b.order, b.account, b.instrument, b.side, b.type, b.timeInForce)
        && (a.selfTradePrevention, a.status, a.isWorking, a.price, a.stopPrice, a.quantity)
            == (b.selfTradePrevention, b.status, b.isWorking, b.price, b.stopPrice, b.quantity)
        && (a.cumQty, a.leavesQty, a.displayQuantity, a.quoteQuantity, a.cumQuote)
            == (b.cumQty, b.leavesQty, b.displayQuantity, b.quoteQuantity, b.cumQuote)
        && (a.expireTime, a.createdTime, a.updatedTime, a.workingTime, a.clOrdID)
            == (b.expireTime, b.createdTime, b.updatedTime, b.workingTime, b.clOrdID)
        && (a.preventedQuantity, a.strategyID, a.strategyType)
            == (b.preventedQuantity, b.strategyID, b.strategyType)
}

/// Waits until `condition` holds; a minute is the most.
func wait(_ words: StaticString, until condition: () -> Bool) {
    for _ in 0..<60_000 {
        if condition() { return }
        usleep(1_000)
    }
    preconditionFailure("waited a minute: \(words)")
}

extension History {
    /// Appends records in batches of `size`; waits while the queue takes no more.
    func feed(_ records: some Collection<RecordedEvents>, batch size: Int) {
        var rest = records[...]
        while !rest.isEmpty {
            var batch = HistoryBatch()
            for record in rest.prefix(size) {
                batch.add(sequence: record.sequence, time: record.time, events: record.events)
            }
            wait("the queue takes no more") { append(batch) }
            rest = rest.dropFirst(size)
        }
    }
}

@Suite struct HistoryTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `it holds every order, trade and adjustment of a random stream`(seed: UInt64) throws {
        let stream = RecordedStream(seed: seed, commands: 2_000)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: seed)
        history.feed(stream.records, batch: Int(seed) * 17)
        let expected = ExpectedHistory(stream.records)
        #expect(expected.trades.count > 100)
        try expected.check(history)
        #expect(history.cursor == stream.venue.engine.sequence)
        // Orders that are open now are exactly what the engine has.
        for (id, order) in expected.orders where order.status.isOpen {
            let open = stream.venue.engine.order(OrderID(id))
            #expect(open.map { same($0, order) } == true, "seed \(seed), order \(id)")
        }
        #expect(history.close() == nil)
    }

    @Test func `it continues after its cursor, and writes nothing twice`() throws {
        let stream = RecordedStream(seed: 5, commands: 600)
        let directory = TestDirectory()
        var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.openedAt == 0)
        history.feed(stream.records[..<300], batch: 50)
        #expect(history.close() == nil)

        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.openedAt == 300)
        history.feed(stream.records[200..<300], batch: 100)
        history.feed(stream.records[300...], batch: 100)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
    }

    @Test func `a feed passes over what the file has and gathers the rest`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        var feed = HistoryFeed(history)
        var venue = TestVenue { feed.add($0, $1) }
        #expect(feed.sequence == venue.engine.sequence)
        let isTaken = feed.flush()
        #expect(isTaken)
        let end = venue.engine.sequence
        #expect(try history.readNow { try $0.cursor() } == end)
        var again = HistoryFeed(try reopened(history, directory))
        venue.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5)) { again.add($0, $1) }
        again.flush()
        let order = try again.history.readNow { try $0.order(OrderID(1)) }
        #expect(order?.order.price.ticks == 100)
        #expect(again.history.close() == nil)
    }

    private func reopened(_ history: History, _ directory: TestDirectory) throws -> History {
        #expect(history.close() == nil)
        return try History(file: directory.file, journalHigh: 1, journalLow: 2)
    }

    @Test func `records that are missing before a batch are a fault`() throws {
        let stream = RecordedStream(seed: 5, commands: 100)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records[10...], batch: 1_000)
        let error = #expect(throws: HistoryError.self) { try history.readNow { try $0.cursor() } }
        #expect(error == .gap(file: directory.file, cursor: 0, first: 11))
        #expect(history.cursor == 0)
        #expect(history.close() == error)
    }

    @Test func `amounts of 128 bits come back to the last unit`() throws {
        let large = Amount(units: (1 << 120) - 1)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        var batch = HistoryBatch()
        let amounts = [
            large, Amount(units: -large.units), Amount(units: 1 << 63), Amount(units: -1),
        ]
        for (index, amount) in amounts.enumerated() {
            batch.add(
                sequence: UInt64(index + 1), time: 7,
                events: [
                    .balanceAdjusted(
                        account: TestVenue.alice, asset: AssetID(1), amount: amount)
                ])
        }
        #expect(history.append(batch))
        let stored = try history.readNow {
            try $0.adjustments(TestVenue.alice, HistoryRange())
        }
        #expect(stored.map(\.amount) == amounts)
        #expect(history.close() == nil)
    }

    @Test func `ranges by id and by time give what fits, oldest first`() throws {
        let stream = RecordedStream(seed: 8, commands: 1_500)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records, batch: 100)
        let expected = ExpectedHistory(stream.records)
        let orders = expected.orders.values
            .filter { $0.account == TestVenue.bob && $0.instrument == TestVenue.btc }
            .sorted { $0.order < $1.order }
        let trades = expected.trades.filter { $0.trade.instrument == TestVenue.btc }
        let times = [0, 3, 10, 11].map { trades[trades.count * $0 / 12].time }
        var ranges = [HistoryRange(limit: 7), HistoryRange(limit: 5_000), HistoryRange(limit: 0)]
        for low in times {
            ranges.append(HistoryRange(start: low, limit: 9))
            ranges.append(HistoryRange(end: low, limit: 9))
            ranges.append(HistoryRange(fromID: orders[orders.count / 2].order.number, end: low))
            for high in times {
                ranges.append(HistoryRange(start: low, end: high, limit: 1_000))
            }
        }
        try history.readNow { reader in
            for range in ranges {
                let found = try reader.orders(TestVenue.bob, TestVenue.btc, range)
                let fitting = orders.filter { range.takes($0.order.number, $0.createdTime) }
                #expect(
                    found.map(\.order.order) == range.cut(fitting).map(\.order), "\(range)")

                let market = try reader.marketTrades(TestVenue.btc, range)
                let inside = trades.filter { range.takes($0.trade.id.number, $0.time) }
                #expect(market.map(\.id) == range.cut(inside).map(\.trade.id), "\(range)")

                let sides = inside.flatMap { item in
                    [item.trade.maker, item.trade.taker].filter { $0.account == TestVenue.bob }
                        .map { (item.trade.id, $0.order, $0.fee) }
                }
                let mine = try reader.trades(TestVenue.bob, TestVenue.btc, range)
                let shown = range.cut(sides)
                // A trade with itself is given whole: one row more than was asked for.
                let whole = sides.filter { side in shown.contains { $0.0 == side.0 } }
                #expect(mine.map(\.order) == whole.map(\.1), "\(range)")
                #expect(mine.map(\.fee) == whole.map(\.2), "\(range)")
            }
        }
        #expect(history.close() == nil)
    }

    @Test func `an order is found by the client's id, the newest of several`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        var feed = HistoryFeed(history)
        var venue = TestVenue { feed.add($0, $1) }
        for _ in 1...2 {
            venue.run(TestVenue.limit(TestVenue.alice, .buy, 100, 5, clOrdID: "mine")) {
                feed.add($0, $1)
            }
            venue.run(.massCancel(MassCancel(account: TestVenue.alice))) { feed.add($0, $1) }
        }
        venue.run(TestVenue.limit(TestVenue.bob, .buy, 100, 5, clOrdID: "mine")) {
            feed.add($0, $1)
        }
        feed.flush()
        try history.readNow { reader in
            let found = try reader.order(TestVenue.alice, clOrdID: TestVenue.text("mine"))
            #expect(found?.order.order == OrderID(2))
            #expect(found?.order.status == .canceled)
            #expect(found?.endReason == .massCancel)
            #expect(try reader.order(TestVenue.carol, clOrdID: TestVenue.text("mine")) == nil)
            #expect(try reader.order(TestVenue.alice, clOrdID: Text40()) == nil)
        }
        #expect(history.close() == nil)
    }

    @Test func `fees and deposits stand beside bookings, each with its kind`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        let (alice, asset, amount) = (TestVenue.alice, AssetID(1), Amount(units: 5))
        var batch = HistoryBatch()
        for (index, event) in [
            Event.balanceAdjusted(account: alice, asset: asset, amount: amount),
            .feesTransferred(account: alice, asset: asset, amount: amount),
            .depositCredited(account: alice, asset: asset, amount: amount),
        ].enumerated() {
            batch.add(sequence: UInt64(index + 1), time: 7, events: [event])
        }
        #expect(history.append(batch))
        let stored = try history.readNow { try $0.adjustments(alice, HistoryRange()) }
        #expect(stored.map(\.kind) == [.booking, .fees, .deposit])
        #expect(history.close() == nil)
    }

    @Test func `both sides of an order's trades are found by its id`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        var feed = HistoryFeed(history)
        var venue = TestVenue { feed.add($0, $1) }
        let commands = [
            TestVenue.limit(TestVenue.alice, .sell, 100, 5),
            TestVenue.limit(TestVenue.alice, .sell, 101, 5),
            TestVenue.limit(TestVenue.alice, .buy, 101, 7),
        ]
        for command in commands { venue.run(command) { feed.add($0, $1) } }
        feed.flush()
        try history.readNow { reader in
            func rows(_ order: OrderID?) throws -> [[Int64]] {
                try reader.trades(
                    TestVenue.alice, TestVenue.btc, order: order, HistoryRange()
                ).map {
                    [
                        Int64($0.id.number), Int64($0.order.number), $0.quantity.lots,
                        $0.isMaker ? 1 : 0, Int64($0.side.rawValue),
                    ]
                }
            }
            let (second, third) = (try rows(OrderID(2)), try rows(OrderID(3)))
            let (none, all) = (try rows(OrderID(9)), try rows(nil))
            #expect(second == [[2, 2, 2, 1, 1]])
            #expect(third == [[1, 3, 5, 0, 0], [2, 3, 2, 0, 0]])
            #expect(none.isEmpty)
            #expect(all.count == 4)
            let foreign = try reader.trades(
                TestVenue.bob, TestVenue.btc, order: OrderID(3), HistoryRange())
            #expect(foreign.isEmpty)
        }
        #expect(history.close() == nil)
    }

    @Test(arguments: [1, 2, 3, 4])
    func `pages by id show both sides of a trade with oneself`(limit: Int) throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        var feed = HistoryFeed(history)
        var venue = TestVenue { feed.add($0, $1) }
        for maker in [TestVenue.alice, TestVenue.bob, TestVenue.alice, TestVenue.alice] {
            for command in [
                TestVenue.limit(maker, .sell, 100, 5),
                TestVenue.limit(TestVenue.alice, .buy, 100, 5),
            ] { venue.run(command) { feed.add($0, $1) } }
        }
        feed.flush()
        try history.readNow { reader in
            var rows: [AccountTrade] = []
            var page: [AccountTrade] = []
            repeat {
                let from = (rows.last?.id.number ?? 0) + 1
                page = try reader.trades(
                    TestVenue.alice, TestVenue.btc, HistoryRange(fromID: from, limit: limit))
                rows += page
            } while page.count >= limit
            #expect(rows.map(\.id.number) == [1, 1, 2, 3, 3, 4, 4])
            #expect(rows.map(\.order.number) == [1, 2, 4, 5, 6, 7, 8])
            let newest = try reader.trades(
                TestVenue.alice, TestVenue.btc, HistoryRange(limit: limit))
            #expect(newest.map(\.order.number) == (limit > 2 ? [5, 6, 7, 8] : [7, 8]))
        }
        #expect(history.close() == nil)
    }

    @Test func `minutes are the same as those of market data`() throws {
        let stream = RecordedStream(seed: 4, commands: 1_500)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records, batch: 13)
        var expected: [Candle] = []
        for (trade, time) in ExpectedHistory(stream.records).trades
        where trade.instrument == TestVenue.btc {
            let market = MarketTrade(trade, time: time)
            let openTime = CandleInterval.minute1.openTime(at: time)
            if expected.last?.openTime == openTime {
                expected[expected.count - 1].add(market)
            } else {
                expected.append(Candle(market, openTime: openTime))
            }
        }
        #expect(expected.count > 20)
        try history.readNow { reader in
            let all = try reader.minutes(TestVenue.btc, from: 0, limit: 10_000)
            let some = try reader.minutes(
                TestVenue.btc, from: expected[5].openTime, to: expected[9].openTime, limit: 3)
            #expect(all == expected)
            #expect(some == Array(expected[7...9]))
        }
        #expect(history.close() == nil)
    }

    @Test func `a queued read sees what was appended before it`() async throws {
        let stream = RecordedStream(seed: 4, commands: 500)
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        for record in stream.records {
            history.feed([record], batch: 1)
            guard record.sequence % 50 == 0 else { continue }
            let cursor = await withCheckedContinuation { continuation in
                history.read({ try $0.cursor() }, { continuation.resume(returning: $0) })
            }
            #expect(try cursor.get() == record.sequence)
        }
        #expect(history.close() == nil)
        let late = await withCheckedContinuation { continuation in
            history.read({ try $0.cursor() }, { continuation.resume(returning: $0) })
        }
        #expect(throws: HistoryError.closed) { try late.get() }
    }
}

extension HistoryRange {
    /// Whether a row of this id and time is in it.
    fileprivate func takes(_ id: UInt64, _ time: Int64) -> Bool {
        id >= fromID ?? 0 && time >= start ?? 0 && time <= end ?? .max
    }

    /// What of all that fits is given.
    fileprivate func cut<T>(_ all: [T]) -> [T] {
        Array(fromID == nil && start == nil ? all.suffix(limit) : all.prefix(limit))
    }
}
