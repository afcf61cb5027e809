// What the wallet says of ledger and chain, compared.

internal import Engine
public import JSON
public import Payments
internal import Terms

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

    /// What of it the wallet's own keys have, in base units; nil: not known.
    public var hot: Int128?
    /// What is in cold storage, in base units; nil: not known.
    public var cold: Int128?
    /// Above so much of `hot` some goes to cold storage, down to the target; nil: there is none.
    public var ceiling: Int128?
    /// What is kept of it then.
    public var target: Int128?

    /// How `hot` stands to its band, in words; empty where it is within.
    public var band: String {
        guard let hot, let ceiling, let target else { return "" }
        if hot > ceiling { return "above the ceiling" }
        return hot < target ? "below the target: bring some from cold storage" : ""
    }

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
            "hot": units(hot), "cold": units(cold), "ceiling": units(ceiling),
            "target": units(target), "band": .string(band),
            "coins": .number(coins), "coinsVanished": .number(vanished),
            "block": .orNull(block.map { Int64(clamping: $0) }),
        ]
    }
}

extension BooksReport {
    /// What the owner states to be kept elsewhere of an asset, and what is wrong with that.
    static func elsewhere(
        _ asset: AssetView, _ stated: [(asset: Text16, amount: DecimalText)],
        _ engine: borrowing Engine
    ) -> (units: Int128, note: String) {
        var (units, note) = (Int128(0), "")
        for one in stated {
            guard let other = engine.asset(code: one.asset) else {
                note = "; [walletd] elsewhere names \(one.asset), which is no asset"
                continue
            }
            guard other.id == asset.id else { continue }
            guard case .whole(let kept) = one.amount.steps(of: 1, scale: Int(asset.scale)),
                kept <= Limits.amountUnitsMax
            else {
                note = "; [walletd] elsewhere: \(one.amount) is no amount of \(one.asset)"
                continue
            }
            units = kept
        }
        return (units, note)
    }

    /// What two sides say where they do not balance, in words; nil: they do.
    static func fault(_ sides: Reconciliation) -> (BooksCondition, String)? {
        if sides.difference < 0 {
            let text = """
                \(-sides.difference) base units are missing: the ledger says \
                \(sides.custody + sides.overcharged)\(words(overcharged: sides)), and \
                the wallet has \(sides.onChain - sides.vanished) and \(sides.elsewhere) elsewhere
                """
            return (.short, text)
        }
        if sides.ofHouse < 0 {
            let text = """
                what chains took is \(-sides.ofHouse) base units more than fees brought in: pay \
                them in
                """
            return (.houseOwes, text)
        }
        return nil
    }

    private static func words(overcharged sides: Reconciliation) -> String {
        sides.overcharged == 0
            ? ""
            : " (with \(sides.overcharged) that settlements were booked to cost, and no chain took)"
    }
}
