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

/// How much the host is to have of an asset beside cold storage, in base units.
public struct HotBand: Hashable, Sendable {
    /// Above this it has too much.
    public var ceiling: Int128
    /// What it keeps then.
    public var target: Int128

    /// What is to be known of so much, hot and cold; nil: nothing.
    func remark(hot: Int128, cold: Int128) -> String? {
        if hot > ceiling { return "above the ceiling" }
        guard hot < target else { return nil }
        return cold > 0
            ? "below the target: bring some from cold storage (boursectl wallet cold export)"
            : "below the target"
    }
}

/// Ledger and chain of a chain's asset, as last compared.
public struct BooksReport: Hashable, Sendable {
    /// How they compare.
    public var condition = BooksCondition.unknown
    /// The same in words, and what to do; empty where it is nothing.
    public var text = ""
    /// Both sides; nil: not known.
    public var sides: Reconciliation?
    /// What the host's own keys have on the chain, in base units; nil: not known.
    public var hot: Int128?
    /// What is in cold storage there, in base units; nil: not known.
    public var cold: Int128?
    /// What the host is to have; nil: nothing is said of it.
    public var band: HotBand?
    /// Coins of the chain, by the log, those in cold storage included.
    public var coins = 0
    /// Coins that the chain has not, though nothing that the log knows spent them.
    public var vanished = 0
    /// The last block at which all coins were looked for; nil: not yet.
    public var block: UInt64?

    /// What is to be known of hot and cold; nil: nothing.
    public var remark: String? {
        guard let band, let hot else { return nil }
        return band.remark(hot: hot, cold: cold ?? 0)
    }

    /// Whether less than half the target is hot.
    public var isHotLow: Bool {
        guard let band, let hot else { return false }
        return hot < band.target / 2
    }

    /// What is hot in percent of the ceiling, rounded up; nil: not known, or there is none.
    public var hotPercent: Int64? {
        guard let band, let hot, band.ceiling > 0 else { return nil }
        let (hundred, isOver) = hot.multipliedReportingOverflow(by: 100)
        guard !isOver else { return .max }
        return Int64(clamping: hundred / band.ceiling + (hundred % band.ceiling > 0 ? 1 : 0))
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
            "hot": units(hot), "cold": units(cold), "ceiling": units(band?.ceiling),
            "target": units(band?.target), "hotPercent": .orNull(hotPercent),
            "isHotLow": .bool(isHotLow),
            "remark": .orNull(remark),
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
