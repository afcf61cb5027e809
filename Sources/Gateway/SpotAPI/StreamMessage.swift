// Market data as JSON, for streams. Source: Binance Spot API documentation, "WebSocket Streams".
// `time` is in ns since 1970.

import Engine
public import MarketData
import Terms

extension JSONWriter {
    /// `@depth`
    public mutating func depthUpdate(_ update: DepthUpdate, _ units: InstrumentUnits) {
        beginEvent("depthUpdate", units, time: update.time)
        field("U", update.firstUpdateID)
        field("u", update.finalUpdateID)
        key("b")
        levels(update.bids, units)
        key("a")
        levels(update.asks, units)
        endObject()
    }

    /// `@trade`
    public mutating func tradeEvent(_ trade: MarketTrade, _ units: InstrumentUnits, time: Int64) {
        beginEvent("trade", units, time: time)
        field("t", trade.id.number)
        field("p", trade.price, units)
        field("q", trade.quantity, units)
        field("T", time: trade.time)
        field("m", trade.takerSide == .sell)
        field("M", true)
        endObject()
    }

    /// `@aggTrade`
    public mutating func aggregateTradeEvent(
        _ trade: AggregateTrade, _ units: InstrumentUnits, time: Int64
    ) {
        beginEvent("aggTrade", units, time: time)
        aggregateMembers(trade, units)
        endObject()
    }

    /// `@bookTicker`
    public mutating func bookTickerEvent(_ top: BookTop, _ units: InstrumentUnits) {
        beginObject()
        field("u", top.updateID)
        field("s", units.view.symbol)
        field("b", top.bid?.price ?? .none, units)
        field("B", top.bid?.quantity ?? .zero, units)
        field("a", top.ask?.price ?? .none, units)
        field("A", top.ask?.quantity ?? .zero, units)
        endObject()
    }

    /// `@kline_…`
    public mutating func klineEvent(
        _ candle: Candle, _ interval: CandleInterval, _ units: InstrumentUnits, time: Int64
    ) {
        beginEvent("kline", units, time: time)
        key("k")
        beginObject()
        field("t", time: candle.openTime)
        key("T")
        self.time(before: candle.openTime + interval.length)
        field("s", units.view.symbol)
        field("i", interval.rawValue)
        field("f", tradeID(candle.firstTrade))
        field("L", tradeID(candle.lastTrade))
        field("o", candle.open, units)
        field("c", candle.close, units)
        field("h", candle.high, units)
        field("l", candle.low, units)
        field("v", lots: candle.volume, units)
        field("n", candle.tradeCount)
        field("x", time >= candle.openTime + interval.length)
        field("q", candle.quoteVolume, units)
        field("V", lots: candle.takerBuyVolume, units)
        field("Q", candle.takerBuyQuoteVolume, units)
        field("B", "0")
        endObject()
        endObject()
    }

    /// `@ticker` and `@miniTicker`, or an element of `!ticker@arr` and `!miniTicker@arr`.
    public mutating func dayTickerEvent(
        _ day: DayStatistics, _ top: BookTop, _ units: InstrumentUnits, isMini: Bool, time: Int64
    ) {
        let candle = day.candle
        beginEvent(isMini ? "24hrMiniTicker" : "24hrTicker", units, time: time)
        if !isMini {
            let change = DayChange(day, units)
            key("p")
            decimal(change.priceUnits, scale: Int(units.view.tickScale))
            key("P")
            decimal(change.percentE3, scale: 3, places: 3)
            key("w")
            decimal(change.averageUnits, scale: change.averageScale)
            field("x", day.previousClose, units)
        }
        field("c", candle.close, units)
        if !isMini {
            field("Q", day.lastQuantity, units)
            field("b", top.bid?.price ?? .none, units)
            field("B", top.bid?.quantity ?? .zero, units)
            field("a", top.ask?.price ?? .none, units)
            field("A", top.ask?.quantity ?? .zero, units)
        }
        field("o", candle.open, units)
        field("h", candle.high, units)
        field("l", candle.low, units)
        field("v", lots: candle.volume, units)
        field("q", candle.quoteVolume, units)
        if !isMini {
            field("O", time: day.openTime)
            field("C", time: day.closeTime)
            field("F", tradeID(candle.firstTrade))
            field("L", tradeID(candle.lastTrade))
            field("n", candle.tradeCount)
        }
        endObject()
    }

    private mutating func beginEvent(_ name: String, _ units: InstrumentUnits, time: Int64) {
        beginObject()
        field("e", name)
        field("E", time: time)
        field("s", units.view.symbol)
    }
}
