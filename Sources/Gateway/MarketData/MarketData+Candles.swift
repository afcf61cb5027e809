// Candles and rolling statistics.

public import Terms

/// The last 24 hours of an instrument (Binance `ticker/24hr`), to the minute.
public struct DayStatistics: Hashable, Sendable {
    /// The window's beginning, in nanoseconds since 1970.
    public var openTime: Int64
    /// The window's end: the time it was asked for.
    public var closeTime: Int64
    /// All trades in the window, as one candle; its prices are that of the last trade before the
    /// window, or `.none`, where there was no trade.
    public var candle: Candle
    /// The last trade before the window, or `.none`.
    public var previousClose: Price
    /// The last trade's quantity; zero before the first one.
    public var lastQuantity: Quantity
}

extension MarketData {
    /// The 24 hours up to `now` (nanoseconds since 1970). O(1) amortized over minutes.
    public mutating func dayStatistics(_ instrument: InstrumentID, now: Int64) -> DayStatistics {
        let index = market(instrument)
        let candle = markets[index].day.candle(now: now)
        return DayStatistics(
            openTime: now - RollingDay.length, closeTime: now, candle: candle,
            previousClose: markets[index].day.previousClose,
            lastQuantity: markets[index].trades.last?.quantity ?? .zero)
    }

    /// The newest candles of an interval that begin in `from … to` (nanoseconds since 1970), at
    /// most `limit`, oldest first. Intervals without a trade between two with one are filled; so
    /// are those after the last trade, up to the one that `now` is in. With `from`, the oldest are
    /// returned instead of the newest.
    public func candles(
        _ instrument: InstrumentID, _ interval: CandleInterval, from: Int64? = nil,
        to: Int64? = nil, now: Int64, limit: Int
    ) -> [Candle] {
        existing(instrument)?.series[interval.index]
            .candles(from: from, to: min(to ?? now, now), limit: limit) ?? []
    }

    /// Calls `body` with each candle that changed since the last call, oldest first, by instrument
    /// and interval, and once more with each whose interval ended by `now`. A candle is closed when
    /// `now` is at or past its `openTime` plus the interval's length.
    public mutating func takeCandles(
        now: Int64, _ body: (InstrumentID, CandleInterval, Candle) -> Void
    ) {
        for index in markets.indices {
            let changed = markets[index].changedCandles
            markets[index].changedCandles = false
            for (place, interval) in CandleInterval.allCases.enumerated() {
                guard changed || markets[index].series[place].closes(by: now) else { continue }
                for candle in markets[index].series[place].take(now: now) {
                    body(InstrumentID(UInt16(index + 1)), interval, candle)
                }
            }
        }
    }
}

extension CandleInterval {
    /// Its place in arrays.
    var index: Int {
        guard let index = Self.allCases.firstIndex(of: self) else {
            preconditionFailure("every interval is among all")
        }
        return index
    }
}

/// The candles of one interval; only those with a trade take room.
struct CandleSeries: Sendable {
    let interval: CandleInterval
    private var ring: Ring<Candle>
    /// How many of the newest changed since they were last taken.
    private var changed = 0
    /// Whether the newest was taken after its interval had ended.
    private var closedWasGiven = true

    /// No candles.
    init(_ interval: CandleInterval, capacity: Int) {
        self.interval = interval
        ring = Ring(capacity: capacity)
    }

    /// Adds the next trade.
    mutating func add(_ trade: MarketTrade) {
        if let last = ring.last, trade.time - last.openTime < interval.length {
            ring[ring.count - 1].add(trade)
        } else {
            append(Candle(trade, openTime: interval.openTime(at: trade.time)))
        }
        changed = max(changed, 1)
        closedWasGiven = false
    }

    /// Adds the next minute.
    mutating func add(_ minute: Candle) {
        let openTime = interval.openTime(at: minute.openTime)
        if ring.last?.openTime == openTime {
            ring[ring.count - 1].merge(minute)
        } else {
            var candle = minute
            candle.openTime = openTime
            ring.append(candle)
        }
    }

    private mutating func append(_ candle: Candle) {
        ring.append(candle)
        // The previous one must be taken once more, for it is closed now.
        changed = min(changed + (changed == 0 && !closedWasGiven ? 2 : 1), ring.count)
    }

    /// Whether the newest candle's interval ended by `now` and it was not taken since.
    func closes(by now: Int64) -> Bool {
        guard !closedWasGiven, let last = ring.last else { return false }
        return now - last.openTime >= interval.length
    }

    /// What changed since the last call, and the newest once more when it ended by `now`.
    mutating func take(now: Int64) -> [Candle] {
        let isClosing = closes(by: now)
        let count = isClosing ? max(changed, 1) : changed
        changed = 0
        if isClosing { closedWasGiven = true }
        return ring.suffix(count)
    }

    /// See `MarketData.candles`. O(limit + log candles).
    func candles(from: Int64?, to: Int64, limit: Int) -> [Candle] {
        guard limit > 0, let first = oldestOpenTime, to >= first else { return [] }
        let length = interval.length
        let last = interval.openTime(at: to)
        var start = first
        if let from {
            // The first interval that begins at or after `from`, which may be any number: it enters
            // sums only where it lies between the two ends.
            guard from <= last else { return [] }
            if from > first {
                let floor = interval.openTime(at: from)
                start = floor < from ? floor + length : floor
            }
        } else {
            start = max(start, last - Int64(limit - 1) * length)
        }
        guard start <= last else { return [] }
        let count = Int(min(Int64(limit), (last - start) / length + 1))
        var next = firstIndex(atOrAfter: start)
        var price = next > 0 ? ring[next - 1].close : ring[0].open
        var result: [Candle] = []
        result.reserveCapacity(count)
        for step in 0..<count {
            let openTime = start + Int64(step) * length
            if next < ring.count, ring[next].openTime == openTime {
                result.append(ring[next])
                price = ring[next].close
                next += 1
            } else {
                result.append(Candle(empty: openTime, price: price))
            }
        }
        return result
    }

    private var oldestOpenTime: Int64? { ring.count > 0 ? ring[0].openTime : nil }

    private func firstIndex(atOrAfter openTime: Int64) -> Int {
        var low = 0
        var high = ring.count
        while low < high {
            let middle = (low + high) / 2
            if ring[middle].openTime < openTime { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
