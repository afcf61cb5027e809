// Market data as JSON, for requests. Source: Binance Spot API documentation, "Market Data
// endpoints".

public import Engine
public import MarketData
public import Terms

extension JSONWriter {
    /// A book's levels as `[["price","quantity"],…]`.
    mutating func levels(_ levels: [LevelView], _ units: InstrumentUnits) {
        beginArray()
        for level in levels {
            beginArray()
            price(level.price, units)
            quantity(level.quantity, units)
            endArray()
        }
        endArray()
    }

    /// `depth`, and the streams of partial books.
    public mutating func book(
        updateID: UInt64, bids: [LevelView], asks: [LevelView], _ units: InstrumentUnits
    ) {
        beginObject()
        field("lastUpdateId", updateID)
        key("bids")
        levels(bids, units)
        key("asks")
        levels(asks, units)
        endObject()
    }

    /// An element of `trades`.
    public mutating func trade(_ trade: MarketTrade, _ units: InstrumentUnits) {
        beginObject()
        field("id", trade.id.number)
        field("price", trade.price, units)
        field("qty", trade.quantity, units)
        field("quoteQty", trade.quoteAmount, units)
        field("time", time: trade.time)
        field("isBuyerMaker", trade.takerSide == .sell)
        field("isBestMatch", true)
        endObject()
    }

    /// An element of `aggTrades`.
    public mutating func aggregateTrade(_ trade: AggregateTrade, _ units: InstrumentUnits) {
        beginObject()
        aggregateMembers(trade, units)
        endObject()
    }

    mutating func aggregateMembers(_ trade: AggregateTrade, _ units: InstrumentUnits) {
        field("a", trade.first.number)
        field("p", trade.price, units)
        key("q")
        lots(trade.lots, units)
        field("f", trade.first.number)
        field("l", trade.last.number)
        field("T", time: trade.time)
        field("m", trade.takerSide == .sell)
        field("M", true)
    }

    /// A sum of quantities as a string.
    mutating func lots(_ lots: Int128, _ units: InstrumentUnits) {
        decimal(lots &* Int128(units.view.lotUnits), scale: Int(units.base.scale))
    }

    mutating func field(_ name: StaticString, lots value: Int128, _ units: InstrumentUnits) {
        key(name)
        lots(value, units)
    }

    /// An element of `klines`.
    public mutating func kline(
        _ candle: Candle, _ interval: CandleInterval, _ units: InstrumentUnits
    ) {
        beginArray()
        time(candle.openTime)
        price(candle.open, units)
        price(candle.high, units)
        price(candle.low, units)
        price(candle.close, units)
        lots(candle.volume, units)
        time(before: candle.openTime + interval.length)
        quoteAmount(candle.quoteVolume, units)
        integer(candle.tradeCount)
        lots(candle.takerBuyVolume, units)
        quoteAmount(candle.takerBuyQuoteVolume, units)
        string("0")
        endArray()
    }

    /// `ticker/price`, or an element of it.
    public mutating func priceTicker(_ units: InstrumentUnits) {
        beginObject()
        field("symbol", units.view.symbol)
        field("price", units.view.lastPrice, units)
        endObject()
    }

    /// `ticker/bookTicker`, or an element of it.
    public mutating func bookTicker(_ top: BookTop, _ units: InstrumentUnits) {
        beginObject()
        field("symbol", units.view.symbol)
        field("bidPrice", top.bid?.price ?? .none, units)
        field("bidQty", top.bid?.quantity ?? .zero, units)
        field("askPrice", top.ask?.price ?? .none, units)
        field("askQty", top.ask?.quantity ?? .zero, units)
        endObject()
    }

    /// `ticker/24hr`, or an element of it.
    public mutating func dayTicker(
        _ day: DayStatistics, _ top: BookTop, _ units: InstrumentUnits, isMini: Bool
    ) {
        let candle = day.candle
        beginObject()
        field("symbol", units.view.symbol)
        if !isMini {
            let change = DayChange(day, units)
            key("priceChange")
            decimal(change.priceUnits, scale: Int(units.view.tickScale))
            key("priceChangePercent")
            decimal(change.percentE3, scale: 3, places: 3)
            key("weightedAvgPrice")
            decimal(change.averageUnits, scale: change.averageScale)
            field("prevClosePrice", day.previousClose, units)
        }
        field("lastPrice", candle.close, units)
        if !isMini {
            field("lastQty", day.lastQuantity, units)
            field("bidPrice", top.bid?.price ?? .none, units)
            field("bidQty", top.bid?.quantity ?? .zero, units)
            field("askPrice", top.ask?.price ?? .none, units)
            field("askQty", top.ask?.quantity ?? .zero, units)
        }
        field("openPrice", candle.open, units)
        field("highPrice", candle.high, units)
        field("lowPrice", candle.low, units)
        field("volume", lots: candle.volume, units)
        field("quoteVolume", candle.quoteVolume, units)
        field("openTime", time: day.openTime)
        field("closeTime", time: day.closeTime)
        field("firstId", tradeID(candle.firstTrade))
        field("lastId", tradeID(candle.lastTrade))
        field("count", candle.tradeCount)
        endObject()
    }

    /// The id, or -1 where there was no trade.
    func tradeID(_ id: TradeID) -> Int64 { id.number == 0 ? -1 : Int64(id.number) }
}

/// Trades of one incoming order at one price (Binance `aggTrades`). Its id is its first trade's.
public struct AggregateTrade: Hashable, Sendable {
    /// The first trade.
    public var first: TradeID
    /// The last trade.
    public var last: TradeID
    /// The price of all.
    public var price: Price
    /// The sum of their lots.
    public var lots: Int128
    /// When, ns since 1970.
    public var time: Int64
    /// The side of the incoming order.
    public var takerSide: Side
    /// The incoming order.
    var takerOrder: OrderID

    /// `trades`, which are one instrument's and in order, with those of one incoming order at one
    /// price and time in one.
    public static func aggregate(_ trades: some Sequence<MarketTrade>) -> [AggregateTrade] {
        var result: [AggregateTrade] = []
        for trade in trades {
            if let last = result.last, last.takerOrder == trade.takerOrder,
                last.price == trade.price, last.time == trade.time
            {
                result[result.count - 1].last = trade.id
                result[result.count - 1].lots += Int128(trade.quantity.lots)
            } else {
                result.append(
                    AggregateTrade(
                        first: trade.id, last: trade.id, price: trade.price,
                        lots: Int128(trade.quantity.lots), time: trade.time,
                        takerSide: trade.takerSide, takerOrder: trade.takerOrder))
            }
        }
        return result
    }
}

/// Change and average of a day's statistics, in integers.
struct DayChange {
    /// Close less open, in units of 10^-tickScale.
    let priceUnits: Int128
    /// The same as thousandths of a percent of the open, toward zero.
    let percentE3: Int128
    /// Quote amount over quantity, in units of 10^-averageScale, rounded down.
    let averageUnits: Int128
    let averageScale: Int

    init(_ day: DayStatistics, _ units: InstrumentUnits) {
        let candle = day.candle
        let change = Int128(candle.close.ticks) - Int128(candle.open.ticks)
        priceUnits = change * Int128(units.view.tickMantissa)
        percentE3 = candle.open.ticks == 0 ? 0 : change * 100_000 / Int128(candle.open.ticks)
        averageScale = max(8, Int(units.view.tickScale))
        // Ticks are quote amount ÷ (lots × unit). Both are cut by the same power of two until the
        // product below fits; the error is far below the last printed digit.
        var amount = candle.quoteVolume.units.magnitude
        let (lots, overflow) = candle.volume.magnitude.multipliedReportingOverflow(
            by: UInt128(units.view.notionalUnit))
        var divisor = overflow ? 0 : lots
        while amount >> 36 != 0, divisor >> 64 != 0 {
            amount >>= 1
            divisor >>= 1
        }
        let factor =
            powerOfTen(averageScale - Int(units.view.tickScale)) * Int128(units.view.tickMantissa)
        let (product, tooLarge) = amount.multipliedReportingOverflow(by: factor.magnitude)
        averageUnits = divisor == 0 || tooLarge ? 0 : Int128(truncatingIfNeeded: product / divisor)
    }
}
