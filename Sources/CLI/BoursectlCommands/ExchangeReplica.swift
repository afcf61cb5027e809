// A short-lived replica of the engine, and names for what it holds.

import Engine
import Follower
import Link
import Presentation
import Terms
import Wire

/// The state of the exchange at one record of the log.
///
/// A replica of its own, not queries to matchd: reading does not slow matching.
final class ExchangeReplica: LogReplica {
    private var follower: Follower
    private var time: Int64
    /// Whether it has every record that matchd last reported as released.
    var isCaughtUp: Bool { follower.isCaughtUp }

    /// A replica that follows the server of this greeting.
    init(_ welcome: LinkWelcome) {
        follower = Follower(welcome)
        time = welcome.time
    }

    /// The log's clock, as matchd last said it: it goes on while no record comes.
    var logTime: Int64 { max(time, engine.timestamp) }

    /// The state.
    var engine: Engine { _read { yield follower.engine } }

    /// The identity of the log that it follows.
    var journal: (high: UInt64, low: UInt64) { (follower.journalHigh, follower.journalLow) }

    /// The last record applied.
    var sequence: UInt64 { engine.sequence }

    /// The frame that subscribes it to the log.
    var subscription: LinkFrame { follower.subscription }

    /// Takes a frame; see `Follower.receive`.
    func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        if case .position(_, let now, _) = frame { time = max(time, now) }
        return unsafe try follower.receive(frame, each)
    }

    /// Continues on a new connection.
    func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        time = max(time, welcome.time)
        try follower.reconnected(welcome)
    }

    /// The assets, by id.
    var assets: [AssetView] {
        (0..<engine.assetCount).compactMap { engine.asset(AssetID(UInt16($0 + 1))) }
    }

    /// The instruments, by id.
    var instruments: [InstrumentView] {
        (0..<engine.instrumentCount).compactMap { engine.instrument(InstrumentID(UInt16($0 + 1))) }
    }

    /// The accounts, by id.
    var accounts: [AccountView] {
        (0..<engine.accountCount).compactMap { engine.account(AccountID(UInt32($0 + 1))) }
    }

    /// The open orders that match, by id.
    func orders(_ matches: (OrderView) -> Bool) -> [OrderView] {
        var found: [OrderView] = []
        engine.forEachOrder { if matches($0) { found.append($0) } }
        return found.sorted { $0.order < $1.order }
    }

    // MARK: What operators name

    /// The asset of a code.
    func asset(_ code: String) throws(CommandError) -> AssetView {
        guard let text = Text16(code), let asset = engine.asset(code: text) else {
            throw CommandError(
                "there is no asset \(code)",
                repair: Self.known(assets.map { "\($0.code)" }, "asset"))
        }
        return asset
    }

    /// The instrument of a symbol.
    func instrument(_ symbol: String) throws(CommandError) -> InstrumentView {
        guard let text = Text16(symbol), let instrument = engine.instrument(symbol: text) else {
            throw CommandError(
                "there is no instrument \(symbol)",
                repair: Self.known(instruments.map { "\($0.symbol)" }, "instrument"))
        }
        return instrument
    }

    /// The account of a name, or of `id:NUMBER`.
    func account(_ name: String) throws(CommandError) -> AccountView {
        if name.hasPrefix("id:"), let number = UInt32(name.dropFirst(3)),
            let account = engine.account(AccountID(number))
        {
            return account
        }
        guard let text = Text40(name), let account = engine.account(name: text) else {
            throw CommandError(
                "there is no account \(name)",
                repair: "see `boursectl account list`, or open it with "
                    + "`boursectl account open \(name)`")
        }
        return account
    }

    private static func known(_ names: [String], _ noun: String) -> String {
        guard !names.isEmpty else { return "add one with `boursectl \(noun) add`" }
        let shown = names.prefix(10).joined(separator: ", ")
        return names.count > 10
            ? "there are \(shown) … see `boursectl \(noun) list`" : "there are \(shown)"
    }

    // MARK: What operators read

    /// An instrument's tick and lot in decimals.
    func grid(_ instrument: InstrumentView) -> Grid {
        Grid(
            tickMantissa: instrument.tickMantissa, tickScale: instrument.tickScale,
            lotUnits: instrument.lotUnits, baseScale: engine.asset(instrument.base)?.scale ?? 0,
            quoteScale: engine.asset(instrument.quote)?.scale ?? 0)
    }

    /// An amount of an asset as a decimal.
    func number(_ amount: Amount, _ asset: AssetID) -> DecimalNumber {
        DecimalNumber(units: amount.units, scale: Int(engine.asset(asset)?.scale ?? 0))
    }

    /// An asset's code.
    func code(_ asset: AssetID) -> String { engine.asset(asset).map { "\($0.code)" } ?? "?" }

    /// An instrument's symbol.
    func symbol(_ id: InstrumentID) -> String {
        engine.instrument(id).map { "\($0.symbol)" } ?? "?"
    }

    /// An account's name.
    func name(_ id: AccountID) -> String { engine.account(id).map { "\($0.name)" } ?? "?" }
}

extension AssetView {
    /// A decimal as an amount of this asset.
    func amount(_ value: DecimalNumber) throws(CommandError) -> Amount {
        guard let units = value.units(scale: Int(scale)), abs(units) <= Limits.amountUnitsMax else {
            let least = DecimalNumber(units: 1, scale: Int(scale))
            throw CommandError(
                "\(value) is not a valid amount of \(code)",
                repair: "its smallest unit is \(least), and the ledger holds up to 2^120 of them")
        }
        return Amount(units: units)
    }
}

private func abs(_ value: Int128) -> Int128 { value < 0 ? -value : value }
