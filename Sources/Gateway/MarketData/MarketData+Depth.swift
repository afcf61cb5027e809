// Changes of the books since they were last taken.

public import Engine
public import Terms

/// How often depth updates are taken. Each cadence has its own, complete sequence of updates.
public enum DepthCadence: Hashable, Sendable, CaseIterable {
    /// Every 100 ms (`@depth@100ms`).
    case fast
    /// Every second (`@depth`).
    case slow

    /// Its place in arrays.
    var index: Int { self == .fast ? 0 : 1 }
}

/// The changes of one book between two moments (Binance `depthUpdate`).
///
/// Update ids are sequences of the log, so they are the same on every gateway and go on after a
/// restart. Each update's `firstUpdateID` is the `finalUpdateID` of the one before plus one.
public struct DepthUpdate: Hashable, Sendable {
    /// The instrument.
    public var instrument: InstrumentID
    /// `U`: the first sequence it covers.
    public var firstUpdateID: UInt64
    /// `u`: the sequence of the last record that changed the book.
    public var finalUpdateID: UInt64
    /// The log's time when it was taken, in nanoseconds since 1970.
    public var time: Int64
    /// Bids that changed, the highest first, with their new quantity; zero means gone.
    public var bids: [LevelView]
    /// Asks that changed, the lowest first.
    public var asks: [LevelView]
}

/// The best prices of a book (Binance `bookTicker`).
public struct BookTop: Hashable, Sendable {
    /// The instrument.
    public var instrument: InstrumentID
    /// The sequence of the last record that changed the book.
    public var updateID: UInt64
    /// The highest bid, or nil.
    public var bid: LevelView?
    /// The lowest ask, or nil.
    public var ask: LevelView?
}

extension MarketData {
    /// The id of a book's state: `lastUpdateId` of a depth snapshot read from the engine now. The
    /// sequence of the last record that changed it, or of the start.
    public func bookUpdateID(_ instrument: InstrumentID) -> UInt64 {
        existing(instrument)?.bookUpdateID ?? firstSequence
    }

    /// Calls `body` with the changes of each book since the cadence's last call, by instrument.
    ///
    /// O(changed prices × log). `engine` is at the record that was applied last.
    public mutating func takeDepthUpdates(
        _ cadence: DepthCadence, _ engine: borrowing Engine, _ body: (DepthUpdate) -> Void
    ) {
        if cadence == .slow { passToSlow() }
        let instruments = changedBooks[cadence.index].sorted()
        changedBooks[cadence.index].removeAll(keepingCapacity: true)
        for instrument in instruments {
            let index = Int(instrument.number) - 1
            let levels = markets[index].dirty[cadence.index].levels
            if cadence == .fast { markSlow(instrument, levels) }
            let update = DepthUpdate(
                instrument: instrument,
                firstUpdateID: markets[index].dirty[cadence.index].lastUpdateID + 1,
                finalUpdateID: markets[index].bookUpdateID, time: engine.timestamp,
                bids: Self.read(levels, .buy, instrument, engine),
                asks: Self.read(levels, .sell, instrument, engine))
            markets[index].dirty[cadence.index].levels.removeAll(keepingCapacity: true)
            markets[index].dirty[cadence.index].lastUpdateID = update.finalUpdateID
            body(update)
        }
    }

    /// Calls `body` with the best prices of each book where they changed since the last call, by
    /// instrument.
    public mutating func takeBookTops(_ engine: borrowing Engine, _ body: (BookTop) -> Void) {
        let instruments = changedTops.sorted()
        changedTops.removeAll(keepingCapacity: true)
        for instrument in instruments {
            let index = Int(instrument.number) - 1
            markets[index].topChanged = false
            let top = bookTop(instrument, engine)
            let old = markets[index].top
            guard top.bid != old?.bid || top.ask != old?.ask else { continue }
            markets[index].top = top
            body(top)
        }
    }

    /// The best prices of a book now.
    public func bookTop(_ instrument: InstrumentID, _ engine: borrowing Engine) -> BookTop {
        var top = BookTop(
            instrument: instrument, updateID: bookUpdateID(instrument), bid: nil, ask: nil)
        if let price = engine.best(instrument, .buy) {
            top.bid = engine.level(instrument, .buy, price)
        }
        if let price = engine.best(instrument, .sell) {
            top.ask = engine.level(instrument, .sell, price)
        }
        return top
    }

    /// Passes to the slow cadence what the fast one has not sent yet.
    private mutating func passToSlow() {
        for instrument in changedBooks[DepthCadence.fast.index] {
            let index = Int(instrument.number) - 1
            markSlow(instrument, markets[index].dirty[DepthCadence.fast.index].levels)
        }
    }

    private mutating func markSlow(_ instrument: InstrumentID, _ levels: Set<Int64>) {
        let index = Int(instrument.number) - 1
        // Changes that the slow cadence has sent stay marked in the fast one, whose next update
        // would mark them here again: an update with nothing new is not sent.
        guard
            markets[index].dirty[DepthCadence.slow.index].lastUpdateID < markets[index].bookUpdateID
        else { return }
        if markets[index].dirty[DepthCadence.slow.index].levels.isEmpty {
            changedBooks[DepthCadence.slow.index].append(instrument)
        }
        markets[index].dirty[DepthCadence.slow.index].levels.formUnion(levels)
    }

    private static func read(
        _ levels: Set<Int64>, _ side: Side, _ instrument: InstrumentID, _ engine: borrowing Engine
    ) -> [LevelView] {
        var views: [LevelView] = []
        for key in levels.sorted(by: >) where (key > 0) == (side == .buy) {
            views.append(engine.level(instrument, side, Price(ticks: abs(key))))
        }
        return views
    }
}
