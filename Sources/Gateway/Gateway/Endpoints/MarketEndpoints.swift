// Market data on request.

import Engine
import Follower
import History
import Logging
import MarketData
import NIOCore
import SpotAPI
import Terms

extension Endpoint {
    static let marketEndpoints: [Endpoint] = [
        Endpoint(
            .get, "/api/v3/depth", .open, weight: depthWeight, needs: [.symbol],
            takes: [.limit, .symbolStatus], depth),
        Endpoint(
            .get, "/api/v3/trades", .open, 25, needs: [.symbol], takes: [.limit], trades),
        Endpoint(
            .get, "/api/v3/historicalTrades", .open, 25, needs: [.symbol],
            takes: [.limit, .fromId], historicalTrades),
        Endpoint(
            .get, "/api/v3/aggTrades", .open, 4, needs: [.symbol],
            takes: [.fromId, .startTime, .endTime, .limit], aggregateTrades),
        Endpoint(
            .get, "/api/v3/klines", .open, 2, needs: [.symbol, .interval],
            takes: [.startTime, .endTime, .timeZone, .limit], klines),
        Endpoint(
            .get, "/api/v3/uiKlines", .open, 2, needs: [.symbol, .interval],
            takes: [.startTime, .endTime, .timeZone, .limit], klines),
        Endpoint(
            .get, "/api/v3/ticker/price", .open, weight: { $0[.symbol] == nil ? 4 : 2 },
            takes: [.symbol, .symbols, .symbolStatus]
        ) { context, call throws(APIError) in
            try tickers(context, call) { $0.priceTicker($1) }
        },
        Endpoint(
            .get, "/api/v3/ticker/bookTicker", .open, weight: { $0[.symbol] == nil ? 4 : 2 },
            takes: [.symbol, .symbols, .symbolStatus]
        ) { context, call throws(APIError) in
            let replica = try context.readyReplica()
            try tickers(context, call) { json, units in
                json.bookTicker(replica.bookTop(units.view.id), units)
            }
        },
        Endpoint(
            .get, "/api/v3/ticker/24hr", .open, weight: { $0[.symbol] == nil ? 80 : 2 },
            takes: [.symbol, .symbols, .tickerType, .symbolStatus]
        ) { context, call throws(APIError) in
            let replica = try context.readyReplica()
            let isMini = try isMini(call)
            try tickers(context, call) { json, units in
                json.dayTicker(
                    replica.dayStatistics(units.view.id, now: call.now * 1_000_000),
                    replica.bookTop(units.view.id), units, isMini: isMini)
            }
        },
    ]

    @Sendable private static func depthWeight(_ parameters: Parameters) -> Int {
        // A limit that is not a number is refused later, and weighs as the default.
        switch (try? parameters.limit(default: 100, most: Int.max)) ?? 100 {
        case ...100: 5
        case ...500: 25
        case ...1_000: 50
        default: 250
        }
    }

    @Sendable private static func depth(_ context: EndpointContext, _ call: Call) throws(APIError) {
        let (replica, units) = try context.market(call)
        try SymbolStatus(call.parameters)?.check(units)
        let limit = try call.parameters.limit(default: 100, most: context.depthMax)
        let id = units.view.id
        let bids = replica.engine.bestLevels(id, .buy, limit)
        let asks = replica.engine.bestLevels(id, .sell, limit)
        call.reply(capacity: 128 + 32 * (bids.count + asks.count)) { json in
            json.book(updateID: replica.market.bookUpdateID(id), bids: bids, asks: asks, units)
        }
    }

    @Sendable private static func trades(_ context: EndpointContext, _ call: Call) throws(APIError)
    {
        let (replica, units) = try context.market(call)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        write(replica.market.trades(units.view.id, limit: limit), units, call)
    }

    @Sendable private static func historicalTrades(
        _ context: EndpointContext, _ call: Call
    ) throws(APIError) {
        let (replica, units) = try context.market(call)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        guard let from = try call.parameters.id(.fromId) else {
            return write(replica.market.trades(units.view.id, limit: limit), units, call)
        }
        let range = HistoryRange(fromID: from, limit: limit)
        call.read(replica) {
            try $0.marketTrades(units.view.id, range)
        } done: {
            write($0, units, call)
        }
    }

    private static func write(_ trades: [MarketTrade], _ units: InstrumentUnits, _ call: Call) {
        call.reply(trades, bytes: 160) { $0.trade($1, units) }
    }

    @Sendable private static func aggregateTrades(
        _ context: EndpointContext, _ call: Call
    ) throws(APIError) {
        let (replica, units) = try context.market(call)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        let range = try historyRange(call, limit: limit)
        if range.fromID == nil, range.start == nil, range.end == nil {
            return write(
                aggregates: replica.market.trades(units.view.id, limit: limit), units, call)
        }
        call.read(replica) {
            try $0.marketTrades(units.view.id, range)
        } done: {
            write(aggregates: $0, units, call)
        }
    }

    private static func write(
        aggregates trades: [MarketTrade], _ units: InstrumentUnits, _ call: Call
    ) {
        call.reply(AggregateTrade.aggregate(trades), bytes: 128) { $0.aggregateTrade($1, units) }
    }

    @Sendable private static func klines(_ context: EndpointContext, _ call: Call) throws(APIError)
    {
        let (replica, units) = try context.market(call)
        guard let interval = CandleInterval(rawValue: try call.parameters.required(.interval))
        else { throw .intervalInvalid }
        try call.parameters.timeZone()
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        let candles = replica.market.candles(
            units.view.id, interval, from: try call.parameters.time(.startTime),
            to: try call.parameters.time(.endTime), now: call.now * 1_000_000, limit: limit)
        call.reply(candles, bytes: 200) { $0.kline($1, interval, units) }
    }

    /// One ticker for `symbol`, else a list: of `symbols`, or of all.
    private static func tickers(
        _ context: EndpointContext, _ call: Call,
        _ write: (inout JSONWriter, InstrumentUnits) -> Void
    ) throws(APIError) {
        let replica = try context.readyReplica()
        let status = try SymbolStatus(call.parameters)
        if call.parameters[.symbol] != nil, call.parameters[.symbols] == nil {
            let units = try replica.units(try call.parameters.symbol())
            try status?.check(units)
            return call.reply { write(&$0, units) }
        }
        var list: [InstrumentUnits] = []
        if let symbols = try call.parameters.symbols() {
            for symbol in symbols { list.append(try replica.units(symbol)) }
        } else {
            list = replica.allUnits
        }
        if let status { list.removeAll { !status.holds($0) } }
        call.reply(list, bytes: 512, write)
    }

    private static func isMini(_ call: Call) throws(APIError) -> Bool {
        switch call.parameters[.tickerType] {
        case nil, "FULL": return false
        case "MINI": return true
        default: throw .tickerTypeInvalid
        }
    }

    /// The range that `fromId`, `startTime` and `endTime` describe.
    static func historyRange(
        _ call: Call, limit: Int, id: Parameter = .fromId
    ) throws(APIError) -> HistoryRange {
        let start = try call.parameters.time(.startTime)
        // The end is a whole millisecond, all of it within the range.
        let end = try call.parameters.time(.endTime).map { $0 + 999_999 }
        if let start, let end, start > end { throw .combinationInvalid }
        return HistoryRange(
            fromID: try call.parameters.id(id), start: start, end: end, limit: limit)
    }
}
