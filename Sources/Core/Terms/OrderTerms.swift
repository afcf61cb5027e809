// The words of orders and markets. Raw values are on the wire and in the journal: never renumber.

/// Side of an order (FIX tag 54).
@frozen public enum Side: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// FIX 54=1.
    case buy = 0
    /// FIX 54=2.
    case sell = 1

    /// The other side.
    @inlinable public var opposite: Side { self == .buy ? .sell : .buy }
}

/// Order type (FIX tag 40; the names are those of Binance Spot).
@frozen public enum OrderType: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// FIX 40=2.
    case limit = 0
    /// FIX 40=1, by quantity or by quote amount.
    case market = 1
    /// FIX 40=2 with 18=6: refused when it would take.
    case limitMaker = 2
    /// FIX 40=3: market when the last price reaches the trigger against the side.
    case stopLoss = 3
    /// FIX 40=4.
    case stopLossLimit = 4
    /// FIX 40=J: market when the last price reaches the trigger in the side's favour.
    case takeProfit = 5
    /// FIX 40=J with a price.
    case takeProfitLimit = 6

    /// Whether the order waits for a trigger price (FIX tag 99 StopPx).
    @inlinable public var isTriggered: Bool { rawValue >= OrderType.stopLoss.rawValue }

    /// Whether the order carries a limit price (FIX tag 44).
    @inlinable public var hasPrice: Bool {
        switch self {
        case .limit, .limitMaker, .stopLossLimit, .takeProfitLimit: true
        case .market, .stopLoss, .takeProfit: false
        }
    }
}

/// Time in force (FIX tag 59 TimeInForce).
@frozen public enum TimeInForce: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// Good till cancelled, FIX 59=1.
    case gtc = 0
    /// Immediate or cancel, FIX 59=3.
    case ioc = 1
    /// Fill or kill, FIX 59=4.
    case fok = 2
    /// Good till date, FIX 59=6 with tag 126 ExpireTime.
    case gtd = 3
}

/// What happens when an order would trade with its own account's resting order
/// (FIX tag 7928 SelfMatchPreventionInstruction; Binance `selfTradePreventionMode`).
@frozen public enum SelfTradePrevention: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// They trade.
    case none = 0
    /// The incoming order's rest expires.
    case expireTaker = 1
    /// The resting order expires and matching continues.
    case expireMaker = 2
    /// Both expire.
    case expireBoth = 3
    /// Both are reduced by the smaller open quantity, without a trade.
    case decrement = 4
    /// In a command only: the instrument's own default.
    case instrumentDefault = 5
}

/// Which orders a cancel may end (Binance `cancelRestrictions`).
@frozen public enum CancelRestriction: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// Any that is open.
    case none = 0
    /// Only one that has not traded (`ONLY_NEW`).
    case onlyNew = 1
    /// Only one that has traded in part (`ONLY_PARTIALLY_FILLED`).
    case onlyPartiallyFilled = 2
}

/// Market state (FIX tag 340 TradSesStatus, 326 SecurityTradingStatus).
@frozen public enum InstrumentState: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// Orders enter and leave, none match. Nothing that takes may enter.
    case preOpen = 0
    /// Reserved for the call auction. Refused for now.
    case auction = 1
    /// Continuous trading.
    case trading = 2
    /// Orders stay and may be cancelled or entered to rest; no matching.
    case pause = 3
    /// Cancel only.
    case halt = 4
    /// Nothing enters; cancel only; shown as ended.
    case closed = 5
}

/// An order's status (FIX tag 39 OrdStatus).
@frozen public enum OrderStatus: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// FIX 39=0: working, nothing traded; also a stop that waits for its trigger.
    case new = 0
    /// FIX 39=1.
    case partiallyFilled = 1
    /// FIX 39=2.
    case filled = 2
    /// FIX 39=4: by its owner or an operator.
    case canceled = 3
    /// FIX 39=C: by its own terms (IOC, FOK, GTD, no liquidity) or by the venue.
    case expired = 4
    /// Ended by self-trade prevention.
    case expiredInMatch = 5
    /// FIX 39=8: refused; it was never an order and has no id.
    case rejected = 6

    /// Whether the order can still trade.
    @inlinable public var isOpen: Bool { rawValue <= OrderStatus.partiallyFilled.rawValue }
}

/// Why an order ended before it was filled (FIX tag 378, 58). Raw values are in the log's event
/// hash and in the history: append, never renumber.
@frozen public enum EndReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// A cancel by its owner.
    case request = 0
    /// The rest of an IOC order.
    case immediateOrCancel = 1
    /// An FOK order that could not fill.
    case fillOrKill = 2
    /// A market order that met an empty book, the price band, or the end of its funds.
    case liquidity = 3
    /// Self-trade prevention.
    case selfTrade = 4
    /// GTD: its expire time.
    case expireTime = 5
    /// A mass cancel.
    case massCancel = 6
    /// A kill switch.
    case killSwitch = 7
    /// Replaced by another order in one command.
    case replaced = 8
}

/// What an operator's permission bits allow an API key.
@frozen public struct Permissions: OptionSet, BitwiseCopyable, Sendable, Hashable {
    /// The bits.
    public var rawValue: UInt32
    /// A set of bits.
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Read the account.
    public static var read: Permissions { Permissions(rawValue: 1) }
    /// Place and cancel orders.
    public static var trade: Permissions { Permissions(rawValue: 2) }
    /// Request withdrawals.
    public static var withdraw: Permissions { Permissions(rawValue: 4) }
    /// Withdraw to destinations that are not in the account's address book; with `withdraw` only.
    public static var withdrawAnywhere: Permissions { Permissions(rawValue: 8) }
}

/// How an API key signs.
@frozen public enum KeyAlgorithm: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// HMAC-SHA256 with a shared secret (RFC 2104).
    case hmacSHA256 = 0
    /// Ed25519 (RFC 8032); the stored bytes are the public key.
    case ed25519 = 1
    /// RSA PKCS #1 v1.5 with SHA-256 (RFC 8017).
    case rsa = 2
}
