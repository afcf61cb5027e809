// Who listens to what, and what they are told. A message is written once however many listen.

import Engine
import Follower
import MarketData
import NIOCore
import NIOWebSocket
import SpotAPI
import Terms

/// All streams' listeners, on the event loop.
final class StreamHub {
    private var listeners: [StreamName: [ObjectIdentifier: StreamHandler]] = [:]
    private var handlers: [ObjectIdentifier: StreamHandler] = [:]

    /// Open WebSockets.
    var count: Int { handlers.count }
    /// Names that all of them gave together.
    var nameCount = 0

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
    func closeAll() {
        for handler in handlers.values { handler.close(.goingAway) }
    }

    /// Sends pings, closes what is silent or too old. `now` in ms of a clock that goes forward.
    func beat(now: Int64) {
        for handler in handlers.values { handler.beat(now: now) }
    }

    /// Gives a message to all who listen to `name`.
    private func send(_ name: StreamName, _ write: (inout JSONWriter) -> Void) {
        guard let all = listeners[name] else { return }
        var json = JSONWriter()
        write(&json)
        // All who listen share the bytes; wrapped, those who gave the same name.
        let message = ByteBuffer(bytes: json.bytes)
        var wrapped: [String: ByteBuffer] = [:]
        for handler in all.values {
            guard let text = handler.wrapper(of: name) else {
                handler.write(message)
                continue
            }
            if wrapped[text] == nil { wrapped[text] = Self.wrap(json.bytes, of: text) }
            if let message = wrapped[text] { handler.write(message) }
        }
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

    // MARK: At once

    /// Trades of the newest records, and the best prices where they changed.
    func publish(_ trades: [MarketTrade], _ venue: Venue) {
        guard let replica = venue.replica, !listeners.isEmpty else { return }
        let time = venue.clock() * 1_000_000
        for trade in trades {
            guard let units = Self.units(trade.instrument, replica.follower.engine) else {
                continue
            }
            send(StreamName(symbol: units.view.symbol, kind: .trade)) {
                $0.tradeEvent(trade, units, time: time)
            }
        }
        publishAggregates(trades, replica, time: time)
        replica.market.takeBookTops(replica.follower.engine) { top in
            guard let units = Self.units(top.instrument, replica.follower.engine) else { return }
            send(StreamName(symbol: units.view.symbol, kind: .bookTicker)) {
                $0.bookTickerEvent(top, units)
            }
        }
    }

    private func publishAggregates(_ trades: [MarketTrade], _ replica: Replica, time: Int64) {
        var start = trades.startIndex
        while start < trades.endIndex {
            let instrument = trades[start].instrument
            let end =
                trades[start...].firstIndex { $0.instrument != instrument } ?? trades.endIndex
            defer { start = end }
            guard let units = Self.units(instrument, replica.follower.engine) else { continue }
            let name = StreamName(symbol: units.view.symbol, kind: .aggregateTrade)
            guard isHeard(name) else { continue }
            for trade in AggregateTrade.aggregate(trades[start..<end]) {
                send(name) { $0.aggregateTradeEvent(trade, units, time: time) }
            }
        }
    }

    // MARK: By the clock

    /// Changes of the books since the cadence's last call.
    func publishDepth(
        _ cadence: DepthCadence, _ market: inout MarketData, _ engine: borrowing Engine
    ) {
        var updates: [DepthUpdate] = []
        market.takeDepthUpdates(cadence, engine) { updates.append($0) }
        for update in updates {
            guard let units = Self.units(update.instrument, engine) else { continue }
            let symbol = units.view.symbol
            send(StreamName(symbol: symbol, kind: .depth(cadence))) {
                $0.depthUpdate(update, units)
            }
            for levels in [5, 10, 20] {
                let name = StreamName(
                    symbol: symbol, kind: .partialDepth(levels: levels, cadence))
                guard isHeard(name) else { continue }
                let bids = Self.levels(update.instrument, .buy, levels, engine)
                let asks = Self.levels(update.instrument, .sell, levels, engine)
                send(name) {
                    $0.book(updateID: update.finalUpdateID, bids: bids, asks: asks, units)
                }
            }
        }
    }

    /// Tickers and candles, every second.
    func publishSecond(_ replica: Replica, now: Int64) {
        replica.market.takeCandles(now: now) { instrument, interval, candle in
            guard let units = Self.units(instrument, replica.follower.engine) else { return }
            send(StreamName(symbol: units.view.symbol, kind: .kline(interval))) {
                $0.klineEvent(candle, interval, units, time: now)
            }
        }
        publishDay(replica, isMini: true, now: now)
        publishDay(replica, isMini: false, now: now)
    }

    private func publishDay(_ replica: Replica, isMini: Bool, now: Int64) {
        let kind = isMini ? StreamKind.miniTicker : .ticker
        let all = StreamName(symbol: Text16(), kind: kind)
        var array = JSONWriter()
        array.beginArray()
        for number in 0..<replica.follower.engine.instrumentCount {
            let instrument = InstrumentID(UInt16(number + 1))
            guard let units = Self.units(instrument, replica.follower.engine) else { continue }
            let name = StreamName(symbol: units.view.symbol, kind: kind)
            guard isHeard(name) || isHeard(all) else { continue }
            let day = replica.market.dayStatistics(instrument, now: now)
            let top = replica.market.bookTop(instrument, replica.follower.engine)
            var json = JSONWriter()
            json.dayTickerEvent(day, top, units, isMini: isMini, time: now)
            send(name) { $0.raw(json.bytes) }
            array.raw(json.bytes)
        }
        array.endArray()
        if isHeard(all), array.bytes.count > 2 { send(all) { $0.raw(array.bytes) } }
    }

    // MARK: Reading

    static func units(
        _ instrument: InstrumentID, _ engine: borrowing Engine
    ) -> InstrumentUnits? {
        guard let view = engine.instrument(instrument) else { return nil }
        return InstrumentUnits(view, in: engine)
    }

    /// A side's best levels.
    static func levels(
        _ instrument: InstrumentID, _ side: Side, _ most: Int, _ engine: borrowing Engine
    ) -> [LevelView] {
        var levels: [LevelView] = []
        engine.forEachLevel(instrument, side) { level in
            levels.append(level)
            return levels.count < most
        }
        return levels
    }
}
