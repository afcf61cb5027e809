// A small exchange for tests: the engine and its twin side by side, in round numbers.

import Engine
import Terms
import Testing
import Wire

/// One instrument, GLDUSD: a lot is 1.00 GLD, a tick is 1.00 USD, both assets have two decimals, so
/// a lot at a price of 7 costs 700 units. Accounts: ann, ben, cat, with 10,000.00 of each asset.
final class Venue {
    private(set) var engine: Engine
    let twin: SlowExchange
    /// The log's clock: 1000 seconds at the start.
    var now: Int64 = 1_000_000_000_000
    /// The instrument's terms, for changing.
    var terms: SetInstrument
    var hasDiverged: Bool { engine.hasDiverged }
    var eventHash: UInt64 { engine.eventHash }
    func levels(_ side: Side) -> [LevelView] {
        var levels: [LevelView] = []
        engine.forEachLevel(Self.goldDollar, side) {
            levels.append($0)
            return true
        }
        return levels
    }

    func balance(_ account: AccountID, _ asset: AssetID) -> Balance {
        engine.balance(account, asset)
    }

    func house(_ asset: AssetID) -> HouseBalance { engine.house(asset) }

    private var references = 0

    /// Events of the last command.
    private(set) var events: [Event] = []

    static let audit = Audit(operatorName: Text40("operator")!, reason: "test")
    static let gold = AssetID(1)
    static let dollar = AssetID(2)
    static let goldDollar = InstrumentID(1)
    static let (ann, ben, cat) = (AccountID(1), AccountID(2), AccountID(3))

    /// `isWhole`: both assets have no decimals, and a lot at a price of 7 costs 7. `rules`: those
    /// with which its log begins.
    init(
        limits: EngineLimits = .small, isWhole: Bool = false, rules: UInt32 = SetRules.current
    ) {
        engine = Engine(limits: limits, rulesKnown: SetRules.next)
        twin = SlowExchange(limits: limits)
        terms = SetInstrument(
            symbol: Text16("GLDUSD")!, base: Self.gold, quote: Self.dollar, tickMantissa: 1,
            tickScale: 0, lotUnits: isWhole ? 1 : 100, priceMax: Price(ticks: 10_000),
            quantityMax: Quantity(lots: 1_000), audit: Self.audit)
        if rules != SetRules.current {
            let genesis = Genesis(
                rules: rules, limits: limits, journalHigh: 1, journalLow: 2, hashKeyHigh: 3,
                hashKeyLow: 4)
            apply(.genesis(genesis))
        }
        for code in ["GLD", "USD"] {
            let scale: UInt8 = isWhole ? 0 : 2
            apply(.setAsset(SetAsset(code: Text16(code)!, scale: scale, audit: Self.audit)))
        }
        apply(.setInstrument(terms))
        for (number, name) in ["ann", "ben", "cat"].enumerated() {
            apply(.openAccount(OpenAccount(name: Text40(name)!, audit: Self.audit)))
            for asset in [Self.gold, Self.dollar] {
                adjust(AccountID(UInt32(number + 1)), asset, 1_000_000)
            }
        }
    }

    /// The key that `addKey` adds.
    static func key(_ account: AccountID) -> Text64 { Text64("key-of-\(account.number)")! }

    /// Adds a key of an account that withdraws to anywhere.
    @discardableResult
    func addKey(
        _ account: AccountID, _ permissions: Permissions = [.withdraw, .withdrawAnywhere]
    ) -> Outcome {
        apply(
            .addAPIKey(
                AddAPIKey(
                    account: account, permissions: permissions, algorithm: .ed25519,
                    keyID: Self.key(account), sealedSecret: [1], audit: Self.audit)))
    }

    /// Takes deposits of an asset on chain 1.
    func openNetwork(_ asset: AssetID) {
        let terms = SetNetwork(
            asset: asset, network: NetworkID(1), confirmations: 1, minimum: Amount(units: 1),
            fee: .zero, name: Text16("CHAIN")!, audit: Self.audit)
        #expect(apply(.setNetwork(terms)).refusal == .none)
    }

    /// Applies a command to both and requires that they agree.
    @discardableResult
    func apply(
        _ command: Command?, session: UInt32 = 0, number: UInt64 = 0,
        at location: SourceLocation = #_sourceLocation
    ) -> Outcome {
        let kind = command?.kind ?? .tick
        var header = RecordHeader(
            sequence: twin.sequence + 1, timestamp: now, session: SessionID(session),
            number: number, kind: kind)
        let ours: Outcome
        if let command {
            ours = engine.apply(header, command)
        } else {
            // A tick with a payload, which it must not have.
            var bytes = Tick().recordBytes(header) + [UInt8](repeating: 1, count: 8)
            bytes[0] = UInt8(bytes.count)
            header.length = UInt32(bytes.count)
            ours = unsafe bytes.withUnsafeBytes { unsafe engine.apply(record: $0) }
        }
        let theirs = twin.apply(header, command)
        events = unsafe engine.withEvents { unsafe Array($0) }
        #expect(ours == theirs, "outcome", sourceLocation: location)
        #expect(same(events, twin.events), "events", sourceLocation: location)
        let fault = engine.checkInvariants() ?? firstDifference(engine, twin)
        #expect(fault == nil, sourceLocation: location)
        return ours
    }

    /// Passes over a record in both.
    func skip(_ payload: some CommandPayload, session: UInt32, number: UInt64) -> Outcome {
        let header = RecordHeader(
            sequence: twin.sequence + 1, timestamp: now, session: SessionID(session),
            number: number, kind: type(of: payload).kind)
        let ours = unsafe payload.recordBytes(header).withUnsafeBytes {
            unsafe engine.skip(record: $0)
        }
        #expect(ours == twin.pass(header))
        return ours
    }

    func adjust(_ account: AccountID, _ asset: AssetID, _ units: Int128) {
        apply(
            .adjustBalance(
                AdjustBalance(
                    account: account, asset: asset, amount: Amount(units: units),
                    reference: reference(), audit: Self.audit)))
    }

    /// A reference that was not used before.
    func reference() -> Text64 {
        references += 1
        return Text64("wire \(references)")!
    }

    /// A limit order; gives its id.
    @discardableResult
    func limit(
        _ account: AccountID, _ side: Side, _ lots: Int64, at ticks: Int64, clOrdID: String = ""
    ) -> OrderID {
        let outcome = apply(
            .place(
                Place(
                    account: account, instrument: Self.goldDollar, side: side, type: .limit,
                    price: Price(ticks: ticks), quantity: Quantity(lots: lots),
                    clOrdID: Text40(clOrdID)!)))
        #expect(outcome.refusal == .none)
        return OrderID(outcome.id)
    }

    /// A stop with a limit price.
    func stop(_ account: AccountID, _ side: Side, _ lots: Int64, from stop: Int64, at ticks: Int64)
    {
        let outcome = apply(
            .place(
                Place(
                    account: account, instrument: Self.goldDollar, side: side,
                    type: .stopLossLimit, price: Price(ticks: ticks),
                    quantity: Quantity(lots: lots), stopPrice: Price(ticks: stop))))
        #expect(outcome.refusal == .none)
    }

    func orderLimits(_ account: AccountID, quantity: Int64 = 0, notional: Int128 = 0) {
        apply(
            .setOrderLimits(
                SetOrderLimits(
                    account: account, instrument: Self.goldDollar,
                    orderQuantityMax: Quantity(lots: quantity),
                    orderNotionalMax: Amount(units: notional), audit: Self.audit)))
    }

    /// Sends the terms after a change.
    func change(_ body: (inout SetInstrument) -> Void) {
        body(&terms)
        apply(.setInstrument(terms))
    }

    func kill(_ account: AccountID, _ isOn: Bool = true) {
        apply(.setKillSwitch(SetKillSwitch(account: account, isOn: isOn, audit: Self.audit)))
    }

    func state(_ state: InstrumentState) {
        apply(
            .setInstrumentState(
                SetInstrumentState(
                    instrument: Self.goldDollar, state: state, audit: Self.audit)))
    }
}
