// An engine at its declared limits, and the durations of its turns.

public import Engine
internal import Slabs
public import Terms
internal import Wire

/// The size of a worst case.
public struct WorstScale: Sendable {
    /// The engine's limits. The cases fill them.
    public var limits: EngineLimits

    /// CPU time of the calling thread in nanoseconds, without waiting for a CPU.
    public var clock: @Sendable () -> UInt64

    /// Whether the tables' memory is taken before the first command, as matchd does.
    public var takesMemory = false

    /// These limits.
    public init(limits: EngineLimits, clock: @escaping @Sendable () -> UInt64) {
        (self.limits, self.clock) = (limits, clock)
    }

    /// The limits of a real exchange.
    public static func full(_ clock: @escaping @Sendable () -> UInt64) -> WorstScale {
        var scale = WorstScale(limits: .standard, clock: clock)
        scale.takesMemory = true
        return scale
    }

    /// Small enough for tests.
    public static func small(_ clock: @escaping @Sendable () -> UInt64) -> WorstScale {
        var limits = EngineLimits.small
        limits.openOrders = 6_000
        return WorstScale(limits: limits, clock: clock)
    }

    /// A percentage of the open orders, at least one.
    func orders(percent: Int = 100) -> Int {
        max(1, Int(limits.openOrders - 64) * percent / 100)
    }
}

/// The turns of one kind, in nanoseconds, in their order.
public struct WorstTurns: Sendable {
    /// The kind of the turns.
    public let name: String
    /// A command whose work is declared proportional to the state.
    public let isApart: Bool
    /// Nanoseconds of each turn.
    public private(set) var nanos: [UInt64] = []

    mutating func take(_ value: UInt64) { nanos.append(value) }

    /// Keeps the shorter of two runs of each turn, to exclude disturbances by neighbours.
    public mutating func keepShorter(_ other: WorstTurns) {
        precondition(nanos.count == other.nanos.count, "the same log gives the same turns")
        for i in nanos.indices { nanos[i] = min(nanos[i], other.nanos[i]) }
    }

    /// The longest turn.
    public var longest: UInt64 { nanos.max() ?? 0 }

    /// The quantile `share` (per mille) of the turns.
    public func percentile(perMille share: Int) -> UInt64 {
        if nanos.isEmpty { return 0 }
        let sorted = nanos.sorted()
        return sorted[min(sorted.count - 1, sorted.count * share / 1_000)]
    }
}

/// An exchange for a worst case.
public struct WorstVenue: ~Copyable {
    /// The engine.
    public var engine: Engine
    let scale: WorstScale
    /// The turns measured so far, by kind.
    public private(set) var kinds: [WorstTurns] = []
    /// Refusals of orders that were meant to be accepted.
    public private(set) var surprises = 0
    private var sequence: UInt64 = 0
    /// The log's clock.
    var now: Int64 = 1_700_000_000_000_000_000
    private var references: UInt64 = 0
    /// The last accepted order.
    var lastOrder: UInt64 = 0

    static let instrument = InstrumentID(1)
    static let base = AssetID(1)
    static let quote = AssetID(2)
    static let audit = Audit(operatorName: Text40("bench") ?? Text40(), reason: "")

    /// An exchange with one instrument that trades from 1 to 2⁴⁸ ticks, and some accounts with
    /// funds.
    init(_ scale: WorstScale, accounts: Int = 8, instruments: Int = 1, isFunded: Bool = true) {
        self.scale = scale
        engine = Engine(limits: scale.limits, keepsEvents: false)
        if scale.takesMemory { for memory in engine.slabMemory { _ = memory.take() } }
        let limits = scale.limits
        apply(
            .genesis(
                Genesis(
                    limits: limits, journalHigh: 1, journalLow: 2, hashKeyHigh: 0x5EED_0001,
                    hashKeyLow: 0x5EED_0002)))
        for code in ["BASE", "QUOTE"] {
            apply(.setAsset(SetAsset(code: Text16(code)!, scale: 0, audit: Self.audit)))
        }
        for number in 1...instruments {
            apply(
                .setInstrument(
                    SetInstrument(
                        symbol: Text16("S\(number)")!, base: Self.base, quote: Self.quote,
                        tickMantissa: 1, tickScale: 0, lotUnits: 1,
                        priceMax: Price(ticks: Limits.priceTicksMax),
                        quantityMax: Quantity(lots: 1 << 32), audit: Self.audit)))
        }
        let rate = FeeRate(e8: 100_000)
        apply(.setFees(SetFees(tier: 0, maker: rate, taker: rate, audit: Self.audit)))
        for number in 1...max(1, accounts) {
            apply(.openAccount(OpenAccount(name: Text40("account \(number)")!, audit: Self.audit)))
            if isFunded { fund(AccountID(UInt32(number))) }
        }
    }

    /// Credits an account with far more than it spends.
    mutating func fund(_ account: AccountID) {
        for asset in [Self.base, Self.quote] { book(account, asset, 1 << 96) }
    }

    /// A booking with a new reference.
    mutating func book(_ account: AccountID, _ asset: AssetID, _ units: Int128) {
        apply(booking(account, asset, units))
    }

    mutating func booking(_ account: AccountID, _ asset: AssetID, _ units: Int128) -> Command {
        references += 1
        return .adjustBalance(
            AdjustBalance(
                account: account, asset: asset, amount: Amount(units: units),
                reference: Text64("r\(references)")!, audit: Self.audit))
    }

    private mutating func header(_ kind: CommandKind) -> RecordHeader {
        sequence += 1
        now += 1_000
        return RecordHeader(sequence: sequence, timestamp: now, kind: kind)
    }

    /// Applies a command and the ticks that complete it, unmeasured.
    @discardableResult
    mutating func apply(_ command: Command) -> Outcome {
        let outcome = engine.apply(header(command.kind), command)
        while let due = engine.nextTimer, due <= now {
            _ = engine.apply(header(.tick), .tick(Tick()))
        }
        return outcome
    }

    /// Applies a command that must be accepted.
    mutating func accept(_ command: Command) {
        let outcome = apply(command)
        if outcome.refusal != .none { surprises += 1 }
        if case .place = command { lastOrder = outcome.id }
    }

    /// Applies a command and measures its turn, and with `ticks` also those of the ticks that
    /// continue it.
    @discardableResult
    mutating func measure(
        _ kind: String, _ command: Command, ticks: Bool = true, isApart: Bool = false
    ) -> Outcome {
        let place = place(of: kind, isApart: isApart)
        let header = header(command.kind)
        let start = scale.clock()
        let outcome = engine.apply(header, command)
        kinds[place].take(scale.clock() &- start)
        if ticks { goOn(kind) }
        return outcome
    }

    /// Measures the due ticks, until nothing waits.
    mutating func goOn(_ kind: String) {
        while let due = engine.nextTimer, due <= now {
            let place = place(of: kind + ", ticks", isApart: false)
            let header = header(.tick)
            let start = scale.clock()
            _ = engine.apply(header, .tick(Tick()))
            kinds[place].take(scale.clock() &- start)
        }
    }

    private mutating func place(of name: String, isApart: Bool) -> Int {
        if let known = kinds.lastIndex(where: { $0.name == name }) { return known }
        kinds.append(WorstTurns(name: name, isApart: isApart))
        return kinds.count - 1
    }

    // MARK: Orders

    /// A new order of the venue's instrument.
    func order(
        _ account: UInt32, _ side: Side, _ lots: Int64, at price: Int64 = 0,
        type: OrderType = .limit, _ timeInForce: TimeInForce = .gtc,
        mode: SelfTradePrevention = .none, stop: Int64 = 0, display: Int64 = 0,
        expires: Int64 = 0, amount: Int128 = 0, clOrdID: Text40 = Text40(),
        instrument: InstrumentID = Self.instrument
    ) -> Place {
        Place(
            account: AccountID(account), instrument: instrument, side: side, type: type,
            timeInForce: timeInForce, selfTradePrevention: mode, price: Price(ticks: price),
            quantity: Quantity(lots: lots), stopPrice: Price(ticks: stop),
            displayQuantity: Quantity(lots: display), expireTime: expires,
            quoteQuantity: Amount(units: amount), clOrdID: clOrdID)
    }
}
