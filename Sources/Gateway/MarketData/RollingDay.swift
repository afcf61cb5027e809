// Statistics over the last 24 hours, in minutes.

import DequeModule
import Terms

/// The trades of the last 24 hours, summed by the minute, and their total.
struct RollingDay: Sendable {
    /// 24 hours in nanoseconds.
    static var length: Int64 { 86_400_000_000_000 }

    /// Minutes with a trade, oldest first.
    private var minutes: Deque<Candle> = []
    private var volume: Int128 = 0
    private var quoteVolume: Int128 = 0
    private var takerBuyVolume: Int128 = 0
    private var takerBuyQuoteVolume: Int128 = 0
    private var tradeCount: Int64 = 0
    /// The highest and the lowest price; nil when they must be found again.
    private var extremes: (high: Price, low: Price)?
    /// The last price before the oldest minute, or `.none`.
    private(set) var previousClose = Price.none

    /// Adds the next trade.
    mutating func add(_ trade: MarketTrade) {
        add(Candle(trade, openTime: CandleInterval.minute1.openTime(at: trade.time)))
    }

    /// Adds the next minute, or a later part of the newest one.
    mutating func add(_ minute: Candle) {
        if minutes.last?.openTime == minute.openTime {
            minutes[minutes.count - 1].merge(minute)
        } else {
            // A day is the bound: older minutes are dropped first.
            expire(before: minute.openTime - Self.length)
            minutes.append(minute)
        }
        if minutes.count == 1 {
            extremes = (minutes[0].high, minutes[0].low)
        } else if let old = extremes {
            extremes = (max(old.high, minute.high), min(old.low, minute.low))
        }
        volume &+= minute.volume
        quoteVolume &+= minute.quoteVolume.units
        takerBuyVolume &+= minute.takerBuyVolume
        takerBuyQuoteVolume &+= minute.takerBuyQuoteVolume.units
        tradeCount += minute.tradeCount
    }

    /// All trades in minutes that begin after `now` less 24 hours, as one candle.
    mutating func candle(now: Int64) -> Candle {
        expire(before: now - Self.length)
        guard let first = minutes.first, let last = minutes.last else {
            return Candle(empty: now - Self.length, price: previousClose)
        }
        let (high, low) = extremes ?? findExtremes()
        var candle = Candle(empty: now - Self.length, price: first.open)
        candle.high = high
        candle.low = low
        candle.close = last.close
        candle.volume = volume
        candle.quoteVolume = Amount(units: quoteVolume)
        candle.takerBuyVolume = takerBuyVolume
        candle.takerBuyQuoteVolume = Amount(units: takerBuyQuoteVolume)
        candle.firstTrade = first.firstTrade
        candle.lastTrade = last.lastTrade
        candle.tradeCount = tradeCount
        return candle
    }

    private mutating func expire(before time: Int64) {
        while let old = minutes.first, old.openTime < time {
            minutes.removeFirst()
            previousClose = old.close
            volume &-= old.volume
            quoteVolume &-= old.quoteVolume.units
            takerBuyVolume &-= old.takerBuyVolume
            takerBuyQuoteVolume &-= old.takerBuyQuoteVolume.units
            tradeCount -= old.tradeCount
            if let now = extremes, old.high == now.high || old.low == now.low { extremes = nil }
        }
    }

    private mutating func findExtremes() -> (high: Price, low: Price) {
        var found = (high: minutes[0].high, low: minutes[0].low)
        for minute in minutes { found = (max(found.high, minute.high), min(found.low, minute.low)) }
        extremes = found
        return found
    }
}
