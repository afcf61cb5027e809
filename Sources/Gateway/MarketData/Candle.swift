// Candles: what was traded in one interval.

public import Terms

/// What was traded in one interval of time.
///
/// Sums wrap past 2^127; the ledger's range leaves room for 128 trades of everything there is.
@frozen public struct Candle: Hashable, BitwiseCopyable, Sendable {
    /// When the interval begins, in nanoseconds since 1970.
    public var openTime: Int64
    /// The first trade's price.
    public var open: Price
    /// The highest price.
    public var high: Price
    /// The lowest price.
    public var low: Price
    /// The last trade's price.
    public var close: Price
    /// Traded quantity in lots; a sum may pass the range of one `Quantity`.
    public var volume: Int128
    /// Traded quote amount.
    public var quoteVolume: Amount
    /// Quantity in lots of the trades whose incoming order bought.
    public var takerBuyVolume: Int128
    /// Quote amount of the trades whose incoming order bought.
    public var takerBuyQuoteVolume: Amount
    /// The first trade, or 0 where there was none.
    public var firstTrade: TradeID
    /// The last trade, or 0 where there was none.
    public var lastTrade: TradeID
    /// How many trades.
    public var tradeCount: Int64

    /// An interval without a trade, at the price of the last one before it.
    public init(empty openTime: Int64, price: Price) {
        self.openTime = openTime
        (open, high, low, close) = (price, price, price, price)
        (volume, takerBuyVolume) = (0, 0)
        (quoteVolume, takerBuyQuoteVolume) = (.zero, .zero)
        (firstTrade, lastTrade) = (TradeID(0), TradeID(0))
        tradeCount = 0
    }

    /// An interval with its first trade.
    public init(_ trade: MarketTrade, openTime: Int64) {
        self.init(empty: openTime, price: trade.price)
        firstTrade = trade.id
        add(trade)
    }

    /// Adds a trade, the next in order.
    public mutating func add(_ trade: MarketTrade) {
        high = max(high, trade.price)
        low = min(low, trade.price)
        close = trade.price
        volume &+= Int128(trade.quantity.lots)
        quoteVolume.units &+= trade.quoteAmount.units
        if trade.takerSide == .buy {
            takerBuyVolume &+= Int128(trade.quantity.lots)
            takerBuyQuoteVolume.units &+= trade.quoteAmount.units
        }
        lastTrade = trade.id
        tradeCount += 1
    }

    /// Adds a later part of the same interval.
    public mutating func merge(_ later: Candle) {
        if later.tradeCount == 0 { return }
        high = max(high, later.high)
        low = min(low, later.low)
        close = later.close
        volume &+= later.volume
        quoteVolume.units &+= later.quoteVolume.units
        takerBuyVolume &+= later.takerBuyVolume
        takerBuyQuoteVolume.units &+= later.takerBuyQuoteVolume.units
        if firstTrade.number == 0 { firstTrade = later.firstTrade }
        lastTrade = later.lastTrade
        tradeCount += later.tradeCount
    }
}

/// The lengths of candles (Binance `interval`). Raw values are the names that clients send.
public enum CandleInterval: String, Hashable, Sendable, CaseIterable {
    /// One minute.
    case minute1 = "1m"
    /// 3 minutes.
    case minute3 = "3m"
    /// 5 minutes.
    case minute5 = "5m"
    /// 15 minutes.
    case minute15 = "15m"
    /// 30 minutes.
    case minute30 = "30m"
    /// One hour.
    case hour1 = "1h"
    /// 2 hours.
    case hour2 = "2h"
    /// 4 hours.
    case hour4 = "4h"
    /// 6 hours.
    case hour6 = "6h"
    /// 8 hours.
    case hour8 = "8h"
    /// 12 hours.
    case hour12 = "12h"
    /// A day, from midnight UTC.
    case day1 = "1d"
    /// 3 days, counted from 1970.
    case day3 = "3d"
    /// A week, from Monday.
    case week1 = "1w"

    /// Nanoseconds.
    public var length: Int64 {
        let minute: Int64 = 60_000_000_000
        return switch self {
        case .minute1: minute
        case .minute3: 3 * minute
        case .minute5: 5 * minute
        case .minute15: 15 * minute
        case .minute30: 30 * minute
        case .hour1: 60 * minute
        case .hour2: 120 * minute
        case .hour4: 240 * minute
        case .hour6: 360 * minute
        case .hour8: 480 * minute
        case .hour12: 720 * minute
        case .day1: 1_440 * minute
        case .day3: 3 * 1_440 * minute
        case .week1: 7 * 1_440 * minute
        }
    }

    /// The beginning of the interval that `time` (nanoseconds since 1970, not before) is in.
    public func openTime(at time: Int64) -> Int64 {
        // 1970-01-01 was a Thursday: weeks begin four days later.
        let shift: Int64 = self == .week1 ? 4 * 86_400_000_000_000 : 0
        let time = time - shift
        let into = time % length
        return time - (into < 0 ? into + length : into) + shift
    }
}
