// Who listens to what, and what they get. A message is written once however many listen.

import Engine
import Follower
import MarketData
import NIOCore
import NIOWebSocket
import Platform
import SpotAPI
import Terms

/// All streams' listeners, on the event loop.
final class StreamHub {
    let options: GatewayOptions
    let memory: ClientMemory
    private var listeners: [StreamName: [ObjectIdentifier: StreamHandler]] = [:]
    private var handlers: [ObjectIdentifier: StreamHandler] = [:]

    /// Open WebSockets.
    var count: Int { handlers.count }
    /// Names that their clients have subscribed to, unknown ones included.
    var nameCount = 0

    init(options: GatewayOptions, memory: ClientMemory) {
        (self.options, self.memory) = (options, memory)
    }

    /// A WebSocket was opened.
    func add(_ handler: StreamHandler) { handlers[ObjectIdentifier(handler)] = handler }

    /// A WebSocket was closed.
    func remove(_ handler: StreamHandler) {
        handlers[ObjectIdentifier(handler)] = nil
        for name in handler.names.keys { unsubscribe(name, handler) }
    }

    func subscribe(_ name: StreamName, _ handler: StreamHandler) {
        listeners[name, default: [:]][ObjectIdentifier(handler)] = handler
    }

    func unsubscribe(_ name: StreamName, _ handler: StreamHandler) {
        listeners[name]?[ObjectIdentifier(handler)] = nil
        if listeners[name]?.isEmpty == true { listeners[name] = nil }
    }

    /// Closes all WebSockets.
    func closeAll() { for handler in handlers.values { handler.close(.goingAway) } }

    /// Sends pings, closes silent or old WebSockets. `now` in ms of a monotonic clock.
    func beat(now: Int64) { for handler in handlers.values { handler.beat(now: now) } }

    /// Sends a message to all listeners of `name`. It is written once for each unit of time that
    /// they want.
    private func send(_ name: StreamName, _ write: (inout JSONWriter) -> Void) {
        guard let all = listeners[name] else { return }
        for unit in TimeUnit.allCases {
            // All listeners share the bytes; wrapped messages are shared by those with the same
            // name.
            var message: (json: [UInt8], plain: ByteBuffer)?
            var wrapped: [String: ByteBuffer] = [:]
            for handler in all.values where handler.timeUnit == unit {
                let shared = message ?? Self.message(unit, write)
                message = shared
                guard let text = handler.wrapper(of: name) else {
                    handler.write(shared.plain)
                    continue
                }
                if wrapped[text] == nil { wrapped[text] = Self.wrap(shared.json, of: text) }
                if let message = wrapped[text] { handler.write(message) }
            }
        }
    }

    private static func message(
        _ unit: TimeUnit, _ write: (inout JSONWriter) -> Void
    ) -> (json: [UInt8], plain: ByteBuffer) {
        var json = JSONWriter(timeUnit: unit)
        write(&json)
        return (json.bytes, ByteBuffer(bytes: json.bytes))
    }

    /// `{"stream":…,"data":…}`
    private static func wrap(_ message: [UInt8], of name: String) -> ByteBuffer {
        var json = JSONWriter(capacity: message.count + 64)
        json.beginObject()
        json.field("stream", name)
        json.key("data")
        json.raw(message)
        json.endObject()
        return ByteBuffer(bytes: json.bytes)
    }

    private func isHeard(_ name: StreamName) -> Bool { listeners[name] != nil }

    // MARK: Immediately

    /// Trades of the newest records, and the best prices where they changed.
    func publish(_ trades: [MarketTrade], _ replica: GatewayReplica) {
        guard !listeners.isEmpty else { return }
        let time = Clock.realtimeNanos()
        for trade in trades {
            guard let units = InstrumentUnits(trade.instrument, in: replica.engine) else {
                continue
            }
            send(StreamName(symbol: units.view.symbol, kind: .trade)) {
                $0.tradeEvent(trade, units, time: time)
            }
        }
        publishAggregates(trades, replica, time: time)
        for top in replica.takeBookTops() {
            guard let units = InstrumentUnits(top.instrument, in: replica.engine) else { continue }
            send(StreamName(symbol: units.view.symbol, kind: .bookTicker)) {
                $0.bookTickerEvent(top, units)
            }
        }
    }

    private func publishAggregates(_ trades: [MarketTrade], _ replica: GatewayReplica, time: Int64)
    {
        var start = trades.startIndex
        while start < trades.endIndex {
            let instrument = trades[start].instrument
            let end = trades[start...].firstIndex { $0.instrument != instrument } ?? trades.endIndex
            defer { start = end }
            guard let units = InstrumentUnits(instrument, in: replica.engine) else { continue }
            let name = StreamName(symbol: units.view.symbol, kind: .aggregateTrade)
            guard isHeard(name) else { continue }
            for trade in AggregateTrade.aggregate(trades[start..<end]) {
                send(name) { $0.aggregateTradeEvent(trade, units, time: time) }
            }
        }
    }

    // MARK: By timer

    /// Changes of the books, which are as in `engine` now.
    func publishDepth(
        _ cadence: DepthCadence, _ updates: [DepthUpdate], _ engine: borrowing Engine
    ) {
        for update in updates {
            guard let units = InstrumentUnits(update.instrument, in: engine) else { continue }
            let symbol = units.view.symbol
            send(StreamName(symbol: symbol, kind: .depth(cadence))) {
                $0.depthUpdate(update, units)
            }
            for levels in [5, 10, 20] {
                let name = StreamName(symbol: symbol, kind: .partialDepth(levels: levels, cadence))
                guard isHeard(name) else { continue }
                let bids = engine.bestLevels(update.instrument, .buy, levels)
                let asks = engine.bestLevels(update.instrument, .sell, levels)
                send(name) {
                    $0.book(updateID: update.finalUpdateID, bids: bids, asks: asks, units)
                }
            }
        }
    }

    /// Tickers and candles, every second.
    func publishSecond(_ replica: GatewayReplica, now: Int64) {
        replica.takeCandles(now: now) { instrument, interval, candle in
            guard let units = InstrumentUnits(instrument, in: replica.engine) else { return }
            send(StreamName(symbol: units.view.symbol, kind: .kline(interval))) {
                $0.klineEvent(candle, interval, units, time: now)
            }
        }
        publishDay(replica, isMini: true, now: now)
        publishDay(replica, isMini: false, now: now)
    }

    private func publishDay(_ replica: GatewayReplica, isMini: Bool, now: Int64) {
        let kind = isMini ? StreamKind.miniTicker : .ticker
        let all = StreamName(symbol: Text16(), kind: kind)
        var days: [(units: InstrumentUnits, day: DayStatistics, top: BookTop)] = []
        for number in 0..<replica.engine.instrumentCount {
            let instrument = InstrumentID(UInt16(number + 1))
            guard let units = InstrumentUnits(instrument, in: replica.engine) else { continue }
            let name = StreamName(symbol: units.view.symbol, kind: kind)
            guard isHeard(name) || isHeard(all) else { continue }
            let day = replica.dayStatistics(instrument, now: now)
            let top = replica.bookTop(instrument)
            days.append((units, day, top))
            send(name) { $0.dayTickerEvent(day, top, units, isMini: isMini, time: now) }
        }
        guard !days.isEmpty else { return }
        send(all) { json in
            json.beginArray()
            for (units, day, top) in days {
                json.dayTickerEvent(day, top, units, isMini: isMini, time: now)
            }
            json.endArray()
        }
    }
}
