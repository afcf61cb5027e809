// What the wallet says of ledger and chain, compared.

public import JSON
public import Payments

/// How ledger and chain compare.
public enum BooksCondition: String, Hashable, Sendable, CaseIterable {
    /// They were not compared yet.
    case unknown = "not compared"
    /// They cannot be compared.
    case incomparable = "not comparable"
    /// They agree, but the node does not say whether it has the coins.
    case unseen = "coins not seen"
    /// What the ledger says is there.
    case balanced
    /// It is there, and the house's costs are above its income: customers are owed more than that.
    case houseOwes = "house owes"
    /// Coins of the wallet are gone that no payment of the log spent.
    case vanished = "coins vanished"
    /// There is less than the ledger says.
    case short

    /// Whether nobody has to do something.
    public var isSound: Bool { self == .unknown || self == .balanced }
    /// Whether nothing may be paid out.
    var stopsWithdrawals: Bool { self == .vanished || self == .short }
}

/// Ledger and chain of a chain's asset, as last compared.
public struct BooksReport: Hashable, Sendable {
    /// How they compare.
    public var condition = BooksCondition.unknown
    /// The same in words, and what to do; empty where it is nothing.
    public var text = ""
    /// Both sides; nil: not known.
    public var sides: Reconciliation?
    /// Coins of the chain, by the log.
    public var coins = 0
    /// Coins that the chain has not, though nothing that the log knows spent them.
    public var vanished = 0
    /// The last block at which all coins were looked for; nil: not yet.
    public var block: UInt64?

    /// As JSON. Amounts are strings of base units.
    public var json: JSONValue {
        func units(_ value: Int128?) -> JSONValue { .orNull(value.map { "\($0)" }) }
        return [
            "condition": .string(condition.rawValue), "isSound": .bool(condition.isSound),
            "text": .string(text), "sequence": .orNull(sides.map { Int64(clamping: $0.sequence) }),
            "custody": units(sides?.custody), "owed": units(sides?.owed),
            "onChain": units(sides?.onChain), "vanished": units(sides?.vanished),
            "elsewhere": units(sides?.elsewhere), "overcharged": units(sides?.overcharged),
            "difference": units(sides?.difference),
            "coins": .number(coins), "coinsVanished": .number(vanished),
            "block": .orNull(block.map { Int64(clamping: $0) }),
        ]
    }
}
