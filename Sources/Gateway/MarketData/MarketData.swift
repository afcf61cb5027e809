// What everybody may see of the markets, kept up from the committed log's events. Pure: time is
// that of the log or an argument, and all memory has a bound.

public import Engine
public import Terms
public import Wire

/// How much market data keeps for one instrument. At most about 2 MB with the standard limits, for
/// one that trades in each minute; nothing for one that never does.
public struct MarketDataLimits: Hashable, Sendable {
    /// Recent trades.
    public var trades: Int
    /// Candles of each interval, those without a trade not counted.
    public var candles: Int
    /// Changed prices of one book after which `apply` asks for a depth update.
    public var dirtyLevels: Int

    /// These limits.
    public init(trades: Int = 1_000, candles: Int = 1_000, dirtyLevels: Int = 16_384) {
        (self.trades, self.candles, self.dirtyLevels) = (trades, candles, dirtyLevels)
    }
}

/// Recent trades, rolling statistics, candles, and the changes of the books since they were taken.
///
/// Fed with each record's events after the engine applied it. Order books themselves are read from
/// the engine. One owner at a time.
public struct MarketData: Sendable {
    /// How much it keeps.
    public let limits: MarketDataLimits
    /// By instrument number less one.
    var markets: [Market] = []
    /// Instruments whose book changed since the last depth update of a cadence.
    var changedBooks: [[InstrumentID]]
    /// Instruments whose book changed since the last best prices.
    var changedTops: [InstrumentID] = []
    /// Orders in flight that may come to rest, by instrument: coming to rest emits no event.
    var flights: [FlyingOrder] = []
    /// The engine's sequence at the start.
    let firstSequence: UInt64

    /// Empty. `sequence` is that of the engine whose records are applied from here on.
    public init(limits: MarketDataLimits = MarketDataLimits(), sequence: UInt64 = 0) {
        self.limits = limits
        firstSequence = sequence
        changedBooks = Array(repeating: [], count: DepthCadence.allCases.count)
    }

    /// Takes the events of the record that `engine` applied last. True when a depth update of the
    /// `fast` cadence should be taken now, before its time, because a book changed in many prices.
    @discardableResult
    public mutating func apply(_ header: RecordHeader, _ engine: borrowing Engine) -> Bool {
        var isFull = land(header.sequence, engine)
        unsafe engine.withEvents { events in
            for index in 0..<events.count {
                let event = unsafe events[index]
                if take(event, header.sequence, engine) { isFull = true }
            }
        }
        return isFull
    }

    /// Adds a minute's candle from history, in order, before the first record is applied. Fills
    /// statistics and candles.
    public mutating func restore(_ minute: Candle, _ instrument: InstrumentID) {
        let index = market(instrument)
        markets[index].add(minute)
        markets[index].changedCandles = false
    }

    /// Adds a trade from history, in order, before the first record is applied. Fills the recent
    /// trades.
    public mutating func restore(recent trade: MarketTrade) {
        let index = market(trade.instrument)
        markets[index].trades.append(trade)
    }

    /// The newest `limit` trades, oldest of them first.
    public func trades(_ instrument: InstrumentID, limit: Int) -> [MarketTrade] {
        existing(instrument)?.trades.suffix(limit) ?? []
    }

    /// The newest trade, or nil.
    public func lastTrade(_ instrument: InstrumentID) -> MarketTrade? {
        existing(instrument)?.trades.last
    }

    // MARK: Taking events

    /// Marks the prices at which orders in flight came to rest.
    private mutating func land(_ sequence: UInt64, _ engine: borrowing Engine) -> Bool {
        if flights.isEmpty { return false }
        var isFull = false
        var still: [FlyingOrder] = []
        for flight in flights {
            if engine.isInFlight(flight.order) {
                still.append(flight)
            } else if touch(flight.instrument, flight.side, flight.price, sequence) {
                isFull = true
            }
        }
        flights = still
        return isFull
    }

    /// Remembers an order that is in flight.
    private mutating func takeOff(_ order: OrderView, _ engine: borrowing Engine) {
        guard engine.isInFlight(order.order), !flights.contains(where: { $0.order == order.order })
        else { return }
        flights.append(
            FlyingOrder(
                order: order.order, instrument: order.instrument, side: order.side,
                price: order.price))
    }

    private mutating func take(
        _ event: Event, _ sequence: UInt64, _ engine: borrowing Engine
    ) -> Bool {
        switch event {
        case .trade(let trade):
            let index = market(trade.instrument)
            markets[index].add(MarketTrade(trade, time: engine.timestamp))
            return touch(trade.instrument, trade.takerSide.opposite, trade.price, sequence)
        case .orderAccepted(let order), .orderTriggered(let order):
            // Immediate fills show as trades; only the resting part changes the order's own price.
            guard order.mayRest, let now = engine.order(order.order), now.isWorking else {
                return false
            }
            takeOff(order, engine)
            return touch(order.instrument, order.side, order.price, sequence)
        case .orderReplenished(let slice):
            return touch(slice.instrument, slice.side, slice.price, sequence)
        case .orderEnded(let order, _):
            guard order.mayRest else { return false }
            return touch(order.instrument, order.side, order.price, sequence)
        case .orderAmended(let order, let oldPrice):
            guard order.mayRest else { return false }
            takeOff(order, engine)
            let isFull = touch(order.instrument, order.side, order.price, sequence)
            guard oldPrice != order.price else { return isFull }
            return touch(order.instrument, order.side, oldPrice, sequence) || isFull
        case .orderRefused, .balanceAdjusted, .feesTransferred, .depositCredited, .assetChanged,
            .instrumentChanged, .accountChanged, .venueChanged, .apiKeyChanged, .sessionOpened,
            .sessionClosed, .depositNoted, .addressAssigned, .withdrawalChanged,
            .transactionSigned, .transactionSettled, .transactionDropped, .networkChanged,
            .withdrawalsStopped, .chainChanged, .blockChecked, .operatorChanged,
            .custodyPolicyChanged, .proposalChanged, .withdrawalPolicyChanged,
            .withdrawalLimitsChanged, .withdrawalTermsChanged, .addressBookChanged,
            .coldStorageChanged:
            return false
        }
    }

    /// Marks a changed price of a book. True when many changed.
    private mutating func touch(
        _ instrument: InstrumentID, _ side: Side, _ price: Price, _ sequence: UInt64
    ) -> Bool {
        let index = market(instrument)
        let key = DirtyLevels.key(side, price)
        if markets[index].dirty[DepthCadence.fast.index].levels.isEmpty {
            changedBooks[DepthCadence.fast.index].append(instrument)
        }
        markets[index].dirty[DepthCadence.fast.index].levels.insert(key)
        markets[index].bookUpdateID = sequence
        if !markets[index].topChanged {
            markets[index].topChanged = true
            changedTops.append(instrument)
        }
        return markets[index].dirty[DepthCadence.fast.index].levels.count >= limits.dirtyLevels
    }

    /// The index of an instrument's data, which is made where it is new.
    mutating func market(_ instrument: InstrumentID) -> Int {
        precondition(instrument.number > 0, "an instrument")
        let index = Int(instrument.number) - 1
        while markets.count <= index {
            markets.append(Market(limits: limits, sequence: firstSequence))
        }
        return index
    }

    /// An instrument's data, or nil.
    func existing(_ instrument: InstrumentID) -> Market? {
        let index = Int(instrument.number) - 1
        return index >= 0 && index < markets.count ? markets[index] : nil
    }
}

extension OrderView {
    /// Whether the order, as it is now, may stand in the book.
    fileprivate var mayRest: Bool {
        type.hasPrice && isWorking && (timeInForce == .gtc || timeInForce == .gtd)
    }
}
