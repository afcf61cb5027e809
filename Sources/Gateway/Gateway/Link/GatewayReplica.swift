// The gateway's copy of the exchange: a replica of the engine, and the market data and history made
// from the same records.

import Engine
import Follower
import History
import Link
import Logging
import MarketData
import NIOCore
import SpotAPI
import Terms
import Wire

/// The effects of a record that clients see.
struct RecordEffects {
    var trades: [MarketTrade] = []
    /// API keys that were added or revoked.
    var changedKeys: [Text64] = []
    /// Depth updates of the fast cadence that are due early, because many prices changed.
    var depthUpdates: [DepthUpdate] = []
}

/// The replica of a gateway. It belongs to one event loop.
final class GatewayReplica {
    private var follower: Follower
    private(set) var market: MarketData
    private var feed: HistoryFeed
    let history: History
    /// The chains' addresses.
    private let chains = ChainTable()
    /// Whether the market data was filled from history and takes records.
    private var isMarketReady: Bool
    /// Whether it has caught up with the log at least once.
    private(set) var isCaughtUp = false
    private let eventLoop: any EventLoop
    private let log: Logger

    /// An empty replica that begins after the last record in `history`, or earlier.
    init(_ welcome: LinkWelcome, history: History, eventLoop: any EventLoop, log: Logger) {
        follower = Follower(welcome, snapshotAtMost: history.openedAt)
        market = MarketData(sequence: history.openedAt)
        feed = HistoryFeed(history)
        isMarketReady = history.openedAt == 0
        (self.history, self.eventLoop, self.log) = (history, eventLoop, log)
    }

    /// The engine, to read.
    var engine: Engine { _read { yield follower.engine } }

    // MARK: Following the log

    /// What to send to follow the log from here.
    var subscription: LinkFrame { follower.subscription }

    /// Continues on a new connection.
    func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        try follower.reconnected(welcome)
    }

    /// Takes a frame of the log. `each` is called after each record that was applied.
    func receive(
        _ frame: LinkFrame,
        _ each: (
            RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine, RecordEffects
        ) -> Void
    ) throws(FollowerError) {
        let progress = unsafe try follower.receive(frame) { header, bytes, outcome, engine in
            let effects = keep(header, unsafe CreditDeposit(header, record: bytes), engine)
            unsafe each(header, bytes, outcome, engine, effects)
        }
        feed.flush()
        if case .caughtUp = progress, !isCaughtUp { caughtUp() }
    }

    /// Updates market data and history with the record that `engine` applied last.
    private func keep(
        _ header: RecordHeader, _ credit: CreditDeposit?, _ engine: borrowing Engine
    ) -> RecordEffects {
        var effects = RecordEffects()
        guard header.sequence > history.openedAt else { return effects }
        if !isMarketReady { restoreMarket(engine) }
        let isFull = market.apply(header, engine)
        feed.add(header, engine, credit: credit)
        unsafe engine.withEvents { events in
            for i in 0..<events.count {
                switch unsafe events[i] {
                case .trade(let trade):
                    effects.trades.append(MarketTrade(trade, time: engine.timestamp))
                case .apiKeyChanged(let keyID): effects.changedKeys.append(keyID)
                default: break
                }
            }
        }
        if isFull { effects.depthUpdates = takeDepthUpdates(.fast, engine) }
        return effects
    }

    /// Fills market data from the history, which ends where the next records begin.
    private func restoreMarket(_ engine: borrowing Engine) {
        isMarketReady = true
        let week: Int64 = 7 * 86_400_000_000_000
        let from = engine.timestamp - week
        for number in 1...max(1, engine.instrumentCount) {
            let instrument = InstrumentID(UInt16(number))
            guard engine.instrument(instrument) != nil else { continue }
            do throws(HistoryError) {
                let past = try history.readNow { reader in
                    (
                        try reader.minutes(instrument, from: from, limit: 10_080),
                        try reader.marketTrades(
                            instrument, HistoryRange(limit: market.limits.trades))
                    )
                }
                for minute in past.0 { market.restore(minute, instrument) }
                for trade in past.1 { market.restore(recent: trade) }
            } catch { log.error("recent trades could not be read from history: \(error)") }
        }
    }

    private func caughtUp() {
        if !isMarketReady {
            market = MarketData(sequence: engine.sequence)
            restoreMarket(engine)
        }
        isCaughtUp = true
        log.info("caught up with the log at record \(engine.sequence)")
    }

    /// Whether the history is full for now: until `flush` succeeds, pass in no frames.
    var isBackedUp: Bool { feed.isBackedUp }

    /// Passes what is gathered to the history; false where it is full for now.
    @discardableResult
    func flush() -> Bool { feed.flush() }

    /// Logs why the history takes no more, where that is an error.
    func reportWait() {
        if let fault = history.fault { log.error("the feed waits for the history: \(fault)") }
    }

    // MARK: Reading

    /// The units of a symbol. Throws -1121.
    func units(_ symbol: Text16) throws(APIError) -> InstrumentUnits {
        guard let view = engine.instrument(symbol: symbol) else { throw .symbolInvalid }
        return InstrumentUnits(view, in: engine)
    }

    /// The units of all instruments, by id.
    var allUnits: [InstrumentUnits] {
        (0..<engine.instrumentCount).compactMap {
            InstrumentUnits(InstrumentID(UInt16($0 + 1)), in: engine)
        }
    }

    /// An account's balances, by asset.
    func balances(_ account: AccountID) -> [(asset: AssetView, balance: Balance)] {
        (0..<engine.assetCount).compactMap { number in
            let id = AssetID(UInt16(number + 1))
            return engine.asset(id).map { ($0, engine.balance(account, id)) }
        }
    }

    /// The asset of a code. Throws -4018.
    func asset(_ code: String) throws(APIError) -> AssetView {
        guard let code = Text16(code), let asset = engine.asset(code: code) else {
            throw .assetUnknown
        }
        return asset
    }

    /// An asset's networks, by chain. The first is the one of who names none.
    func networks(_ asset: AssetID, for account: AccountID) -> [NetworkView] {
        var all: [NetworkView] = []
        engine.forEachNetwork { if $0.asset == asset { all.append($0) } }
        return all.compactMap { engine.network(asset, $0.network, for: account) }
    }

    /// The network of a name, or the first one, of an asset. Throws -4019, -1130.
    func network(
        _ asset: AssetID, _ name: String?, for account: AccountID
    ) throws(APIError) -> NetworkView {
        let all = networks(asset, for: account)
        guard let first = all.first else { throw .assetWithoutNetwork }
        guard let name else { return first }
        guard let named = all.first(where: { $0.name.description == name }) else {
            throw .invalid("network")
        }
        return named
    }

    /// The addresses of a chain. Throws -1020 where this version has none for it.
    func addresses(_ network: NetworkID) throws(APIError) -> ChainAddresses {
        guard let chain = engine.chain(network) else { throw .chainUndeclared }
        return try chains.addresses(of: chain).get()
    }

    /// An account's open order in an instrument, or nil.
    func openOrder(
        _ reference: OrderReference, _ account: AccountID, _ instrument: InstrumentID
    ) -> OrderView? {
        let view =
            reference.order.number != 0
            ? engine.order(reference.order) : engine.order(account, clOrdID: reference.clOrdID)
        guard let view, view.account == account, view.instrument == instrument,
            reference.names(view)
        else { return nil }
        return view
    }

    /// The best prices of a book.
    func bookTop(_ instrument: InstrumentID) -> BookTop { market.bookTop(instrument, engine) }

    /// The 24 hours up to `now` (ns since 1970).
    func dayStatistics(_ instrument: InstrumentID, now: Int64) -> DayStatistics {
        market.dayStatistics(instrument, now: now)
    }

    /// Changes of the books since the cadence's last call.
    func takeDepthUpdates(_ cadence: DepthCadence) -> [DepthUpdate] {
        takeDepthUpdates(cadence, engine)
    }

    private func takeDepthUpdates(
        _ cadence: DepthCadence, _ engine: borrowing Engine
    ) -> [DepthUpdate] {
        var updates: [DepthUpdate] = []
        market.takeDepthUpdates(cadence, engine) { updates.append($0) }
        return updates
    }

    /// The best prices that changed since the last call.
    func takeBookTops() -> [BookTop] {
        var tops: [BookTop] = []
        market.takeBookTops(engine) { tops.append($0) }
        return tops
    }

    /// Calls `body` with the candles that changed or ended since the last call.
    func takeCandles(now: Int64, _ body: (InstrumentID, CandleInterval, Candle) -> Void) {
        market.takeCandles(now: now, body)
    }

    /// Reads history off the loop, and calls `done` on the loop. The read sees all records applied
    /// here.
    func readHistory<T: Sendable>(
        _ body: @escaping @Sendable (HistoryReader) throws -> T,
        done: @escaping (Result<T, APIError>) -> Void
    ) {
        feed.flush()
        let waiter = NIOLoopBound(done, eventLoop: eventLoop)
        let log = log
        history.read(body) { result in
            waiter.eventLoop.execute {
                switch result {
                case .success(let value): waiter.value(.success(value))
                case .failure(.busy): waiter.value(.failure(.overloaded))
                case .failure(let error):
                    log.error("history could not be read: \(error)")
                    waiter.value(.failure(.internalFault))
                }
            }
        }
    }
}

extension CreditDeposit {
    /// The credit that a record of the log is; nil: it is another command.
    init?(_ header: RecordHeader, record: UnsafeRawBufferPointer) {
        guard header.kind == CommandKind.creditDeposit.rawValue,
            case .creditDeposit(let credit)? = unsafe Command(
                kind: .creditDeposit,
                payload: UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...]))
        else { return nil }
        self = credit
    }
}

extension InstrumentUnits {
    /// The units of an instrument, or nil where there is none of that id.
    init?(_ instrument: InstrumentID, in engine: borrowing Engine) {
        guard let view = engine.instrument(instrument) else { return nil }
        self.init(view, in: engine)
    }
}

extension Engine {
    /// A side's best levels, at most `most`.
    borrowing func bestLevels(
        _ instrument: InstrumentID, _ side: Side, _ most: Int
    ) -> [LevelView] {
        var levels: [LevelView] = []
        forEachLevel(instrument, side) { level in
            levels.append(level)
            return levels.count < most
        }
        return levels
    }
}
