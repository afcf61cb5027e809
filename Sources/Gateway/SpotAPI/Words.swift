// The API's words for the engine's values, both ways.

public import Terms

extension Side {
    /// `BUY` or `SELL`.
    public var word: String { self == .buy ? "BUY" : "SELL" }

    /// The side of a word, or nil.
    public init?(word: String) {
        switch word {
        case "BUY": self = .buy
        case "SELL": self = .sell
        default: return nil
        }
    }
}

extension OrderType {
    /// The API's word, as `STOP_LOSS_LIMIT`.
    public var word: String {
        switch self {
        case .limit: "LIMIT"
        case .market: "MARKET"
        case .limitMaker: "LIMIT_MAKER"
        case .stopLoss: "STOP_LOSS"
        case .stopLossLimit: "STOP_LOSS_LIMIT"
        case .takeProfit: "TAKE_PROFIT"
        case .takeProfitLimit: "TAKE_PROFIT_LIMIT"
        }
    }

    /// The type of a word, or nil.
    public init?(word: String) {
        guard let type = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = type
    }
}

extension TimeInForce {
    /// The API's word.
    public var word: String {
        switch self {
        case .gtc: "GTC"
        case .ioc: "IOC"
        case .fok: "FOK"
        case .gtd: "GTD"
        }
    }

    /// The time in force of a word that a client may send, or nil.
    public init?(word: String) {
        switch word {
        case "GTC": self = .gtc
        case "IOC": self = .ioc
        case "FOK": self = .fok
        default: return nil
        }
    }
}

extension SelfTradePrevention {
    /// The API's word.
    public var word: String {
        switch self {
        case .none: "NONE"
        case .expireTaker: "EXPIRE_TAKER"
        case .expireMaker: "EXPIRE_MAKER"
        case .expireBoth: "EXPIRE_BOTH"
        case .decrement: "DECREMENT"
        case .instrumentDefault: preconditionFailure("an order has a mode of its own")
        }
    }

    /// The modes that an order may have.
    public static var ofOrders: [SelfTradePrevention] {
        allCases.filter { $0 != .instrumentDefault }
    }

    /// The mode of a word, or nil.
    public init?(word: String) {
        guard let mode = Self.ofOrders.first(where: { $0.word == word }) else { return nil }
        self = mode
    }
}

extension OrderStatus {
    /// The API's word.
    public var word: String {
        switch self {
        case .new: "NEW"
        case .partiallyFilled: "PARTIALLY_FILLED"
        case .filled: "FILLED"
        case .canceled: "CANCELED"
        case .expired: "EXPIRED"
        case .expiredInMatch: "EXPIRED_IN_MATCH"
        case .rejected: "REJECTED"
        }
    }
}

extension CancelRestriction {
    /// The restriction of a word that a client may send, or nil.
    public init?(word: String) {
        switch word {
        case "ONLY_NEW": self = .onlyNew
        case "ONLY_PARTIALLY_FILLED": self = .onlyPartiallyFilled
        default: return nil
        }
    }
}

extension InstrumentState {
    /// The symbol's status in exchangeInfo.
    public var word: String {
        switch self {
        case .preOpen: "PRE_TRADING"
        case .auction: "AUCTION_MATCH"
        case .trading: "TRADING"
        case .pause: "BREAK"
        case .halt: "HALT"
        case .closed: "END_OF_DAY"
        }
    }
}

/// How detailed the answer to a new order is.
public enum OrderResponse: String, Sendable, CaseIterable {
    /// Acceptance only.
    case ack = "ACK"
    /// With the order's state.
    case result = "RESULT"
    /// With each fill.
    case full = "FULL"
}
