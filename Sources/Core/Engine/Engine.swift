// The engine's door: what goes in, and what can be read.

internal import Slabs
public import Terms
public import Wire

/// The deterministic engine: the same log gives the same events and the same state on any machine.
///
/// Pure: no clock, no randomness, no input or output, no threads. One owner at a time. Its memory is
/// reserved in `init` and does not grow.
public struct Engine: ~Copyable {
    /// How much it holds.
    public let limits: EngineLimits
    /// The last record applied; 0 before the first.
    public internal(set) var sequence: UInt64 = 0
    /// The last record's timestamp.
    public internal(set) var timestamp: Int64 = 0
    /// The last record's epoch.
    public internal(set) var epoch: UInt32 = 0
    /// The running hash over all outcomes and events so far.
    public internal(set) var eventHash: UInt64 = 0
    /// True once a `HashMark` of the log was not this engine's: it must stop and be looked at.
    public internal(set) var hasDiverged = false

    /// An empty engine.
    public init(limits: EngineLimits) { self.limits = limits }

    /// Applies the record in `bytes`, the next of the log (`sequence + 1`; a gap stops the process).
    ///
    /// `bytes` is a whole record whose CRC was checked. A payload that is not well formed is refused.
    public mutating func apply(record bytes: UnsafeRawBufferPointer) -> Outcome { Outcome() }

    /// Applies a decoded command; the same as applying its record.
    public mutating func apply(_ header: RecordHeader, _ command: Command) -> Outcome { Outcome() }

    /// Passes over the record in `bytes`, which a later `VoidSequence` voids. Only its sequence,
    /// time and session number are taken.
    public mutating func skip(record bytes: UnsafeRawBufferPointer) -> Outcome { Outcome() }

    /// The events of the last `apply`, in order.
    public borrowing func withEvents<R>(_ body: (UnsafeBufferPointer<Event>) -> R) -> R {
        unsafe body(UnsafeBufferPointer(start: nil, count: 0))
    }

    /// When the next timer is due (ns since 1970), or nil: a `Tick` at or after it fires it.
    public var nextTimer: Int64? { nil }

    /// The hash over the whole state, the same for replicas at the same sequence. O(state).
    public borrowing func stateHash() -> UInt64 { 0 }

    /// Gives the whole state in canonical form to `sink`, piece by piece. O(state).
    public borrowing func writeSnapshot(_ sink: (UnsafeRawBufferPointer) -> Void) {}

    /// The state that `writeSnapshot` gave; nil when the bytes are not well formed to the last.
    public init?(snapshot bytes: UnsafeRawBufferPointer) { return nil }

    /// The first invariant that does not hold, in words, or nil. O(state).
    public borrowing func checkInvariants() -> String? { nil }

    // MARK: Reading

    /// Assets; their ids are 1 … count.
    public var assetCount: Int { 0 }
    /// An asset, or nil.
    public borrowing func asset(_ id: AssetID) -> AssetView? { nil }
    /// The asset of a code, or nil. O(assets).
    public borrowing func asset(code: Text16) -> AssetView? { nil }
    /// Instruments; their ids are 1 … count.
    public var instrumentCount: Int { 0 }
    /// An instrument, or nil.
    public borrowing func instrument(_ id: InstrumentID) -> InstrumentView? { nil }
    /// The instrument of a symbol, or nil. O(instruments).
    public borrowing func instrument(symbol: Text16) -> InstrumentView? { nil }
    /// The fees of an account in an instrument.
    public borrowing func fees(
        account: AccountID, instrument: InstrumentID
    ) -> (maker: FeeRate, taker: FeeRate) { (FeeRate(e8: 0), FeeRate(e8: 0)) }
    /// Accounts; their ids are 1 … count.
    public var accountCount: Int { 0 }
    /// An account, or nil.
    public borrowing func account(_ id: AccountID) -> AccountView? { nil }
    /// The account of a name, or nil. O(1) expected.
    public borrowing func account(name: Text40) -> AccountView? { nil }
    /// What an account has of an asset; zero where either is unknown.
    public borrowing func balance(_ account: AccountID, _ asset: AssetID) -> Balance { Balance() }
    /// What the house has of an asset.
    public borrowing func house(_ asset: AssetID) -> HouseBalance {
        HouseBalance(external: .zero, fees: .zero, rounding: .zero)
    }
    /// Whether the venue's kill switch is on.
    public var isKilled: Bool { false }
    /// An API key, or nil.
    public borrowing func apiKey(_ keyID: Text64) -> APIKeyView? { nil }
    /// API keys that are not revoked, in the order of their creation.
    public borrowing func forEachAPIKey(_ body: (APIKeyView) -> Void) {}
    /// The session that a writer has open, or nil.
    public borrowing func session(name: Text40) -> SessionView? { nil }
    /// The session of an id, if it is open.
    public borrowing func session(_ id: SessionID) -> SessionView? { nil }
    /// Open orders over all instruments.
    public var openOrderCount: Int { 0 }
    /// An open order, or nil. O(1).
    public borrowing func order(_ id: OrderID) -> OrderView? { nil }
    /// An account's open order by the client's id, or nil. O(1) expected.
    public borrowing func order(_ account: AccountID, clOrdID: Text40) -> OrderView? { nil }
    /// All open orders, in no useful order. O(orders).
    public borrowing func forEachOrder(_ body: (OrderView) -> Void) {}
    /// The best price of a side, or nil.
    public borrowing func best(_ instrument: InstrumentID, _ side: Side) -> Price? { nil }
    /// What one price shows; zero where nothing is. O(1).
    public borrowing func level(
        _ instrument: InstrumentID, _ side: Side, _ price: Price
    ) -> LevelView { LevelView(price: price, quantity: .zero, orders: 0) }
    /// A side's prices from the best on, until `body` gives false.
    public borrowing func forEachLevel(
        _ instrument: InstrumentID, _ side: Side, _ body: (LevelView) -> Bool
    ) {}
}
