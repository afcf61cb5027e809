// A small venue on the real engine, for tests of what is projected from it.

import Engine
import Terms
import Wire

/// An engine with BTC, ETH and USDT (8 decimals each), BTCUSDT (tick 0.01, lot 0.00001), ETHUSDT
/// and three funded accounts. Time stands until it is moved.
struct TestVenue: ~Copyable {
    /// The engine.
    var engine: Engine
    /// The time of the next record, nanoseconds since 1970.
    var time: Int64
    /// The last record's header.
    private(set) var header: RecordHeader

    /// BTCUSDT.
    static var btc: InstrumentID { InstrumentID(1) }
    /// ETHUSDT.
    static var eth: InstrumentID { InstrumentID(2) }
    /// Its accounts.
    static var alice: AccountID { AccountID(1) }
    static var bob: AccountID { AccountID(2) }
    static var carol: AccountID { AccountID(3) }

    /// A funded venue at this time. `after` sees every record that was applied.
    init(
        time: Int64 = 1_700_000_000_000_000_000, turnSteps: UInt32 = 512,
        _ after: (RecordHeader, borrowing Engine) -> Void
    ) {
        var limits = EngineLimits.small
        limits.turnSteps = turnSteps
        engine = Engine(limits: limits)
        self.time = time
        header = RecordHeader(sequence: 0, timestamp: time, kind: .tick)
        let audit = Audit(operatorName: Self.text("test"), reason: "set up")
        for (code, scale) in [("BTC", 8), ("ETH", 8), ("USDT", 8)] {
            let asset = SetAsset(code: Self.text(code), scale: UInt8(scale), audit: audit)
            run(.setAsset(asset), after)
        }
        for (symbol, base) in [("BTCUSDT", 1), ("ETHUSDT", 2)] {
            run(
                .setInstrument(
                    SetInstrument(
                        symbol: Self.text(symbol), base: AssetID(UInt16(base)), quote: AssetID(3),
                        tickMantissa: 1, tickScale: 2, lotUnits: 1_000,
                        priceMax: Price(ticks: 100_000_000),
                        quantityMax: Quantity(lots: 1_000_000_000), audit: audit)), after)
        }
        for name in ["alice", "bob", "carol"] {
            run(.openAccount(OpenAccount(name: Self.text(name), audit: audit)), after)
            for asset in 1...3 {
                run(
                    .adjustBalance(
                        AdjustBalance(
                            account: AccountID(UInt32(engine.accountCount)),
                            asset: AssetID(UInt16(asset)), amount: Amount(units: 1 << 80),
                            reference: Self.text("\(name) \(asset)"), audit: audit)), after)
            }
        }
    }

    /// Applies a command as the next record.
    @discardableResult
    mutating func run(
        _ command: Command, _ after: (RecordHeader, borrowing Engine) -> Void
    ) -> Outcome {
        header = RecordHeader(
            sequence: engine.sequence + 1, timestamp: time, kind: command.kind)
        let outcome = engine.apply(header, command)
        after(header, engine)
        return outcome
    }

    /// A limit order's command.
    static func limit(
        _ account: AccountID, _ side: Side, _ price: Int64, _ quantity: Int64,
        _ instrument: InstrumentID = btc, timeInForce: TimeInForce = .gtc, display: Int64 = 0,
        clOrdID: String = ""
    ) -> Command {
        .place(
            Place(
                account: account, instrument: instrument, side: side, type: .limit,
                timeInForce: timeInForce, price: Price(ticks: price),
                quantity: Quantity(lots: quantity), displayQuantity: Quantity(lots: display),
                clOrdID: text(clOrdID)))
    }

    /// A market order's command.
    static func market(_ account: AccountID, _ side: Side, _ quantity: Int64) -> Command {
        .place(
            Place(
                account: account, instrument: btc, side: side, type: .market,
                quantity: Quantity(lots: quantity)))
    }

    /// A text that is known to fit.
    static func text<T: FixedText>(_ string: String) -> T {
        guard let text = T(string) else { preconditionFailure("a short ASCII text") }
        return text
    }
}
