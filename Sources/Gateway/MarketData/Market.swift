// One instrument's market data.

import Terms

/// One instrument's market data.
struct Market: Sendable {
    /// Recent trades.
    var trades: Ring<MarketTrade>
    /// The last 24 hours by the minute.
    var day: RollingDay
    /// Candles, in the order of `CandleInterval.allCases`.
    var series: [CandleSeries]
    /// Whether a candle changed since they were last taken.
    var changedCandles = false
    /// Prices that changed, by cadence.
    var dirty: [DirtyLevels]
    /// The sequence of the last record that changed the book.
    var bookUpdateID: UInt64
    /// Whether the book changed since the best prices were last taken.
    var topChanged = false
    /// The best prices as last taken.
    var top: BookTop?

    /// Nothing yet.
    init(limits: MarketDataLimits, sequence: UInt64) {
        trades = Ring(capacity: limits.trades)
        day = RollingDay()
        series = CandleInterval.allCases.map { CandleSeries($0, capacity: limits.candles) }
        dirty = DepthCadence.allCases.map { _ in DirtyLevels(lastUpdateID: sequence) }
        bookUpdateID = sequence
    }

    /// Adds the next trade.
    mutating func add(_ trade: MarketTrade) {
        trades.append(trade)
        day.add(trade)
        for index in series.indices { series[index].add(trade) }
        changedCandles = true
    }

    /// Adds a minute.
    mutating func add(_ minute: Candle) {
        day.add(minute)
        for index in series.indices { series[index].add(minute) }
        changedCandles = true
    }
}

/// An order in flight that may come to rest at its price.
struct FlyingOrder: Sendable {
    var order: OrderID
    var instrument: InstrumentID
    var side: Side
    var price: Price
}

/// Prices of a book that changed since the last update.
struct DirtyLevels: Sendable {
    /// Prices: ticks for bids, their negative for asks.
    var levels: Set<Int64> = []
    /// The update id up to which changes were taken.
    var lastUpdateID: UInt64

    /// A price's entry in `levels`.
    static func key(_ side: Side, _ price: Price) -> Int64 {
        side == .buy ? price.ticks : -price.ticks
    }
}
