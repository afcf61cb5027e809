// What the wallet says of its chains, to the agent and to operators.

internal import Engine
public import JSON
internal import Platform
public import Terms

/// How a chain stands.
public enum ChainCondition: String, Hashable, Sendable, CaseIterable {
    /// Everything on it is read.
    case inStep = "in step"
    /// Blocks are being read.
    case reading
    /// Final deposits are not credited, as the network takes none now.
    case closed
    /// The node has not caught up with its chain.
    case nodeSyncing = "node syncing"
    /// The node lags, or is an older copy.
    case nodeBehind = "node behind"
    /// The node has had no new block for long.
    case nodeStill = "node still"
    /// The node gives no usable answer.
    case noNode = "no node"
    /// The second node lacks what the first one has.
    case nodesDiffer = "nodes differ"
    /// Another block is in the place of a final one.
    case forked
    /// What was credited is on the chain no more.
    case creditVanished = "credit vanished"
    /// The log refuses what was found.
    case refused
    /// The log takes nothing now.
    case notTaken = "not taken"
    /// What operators have set does not make a chain that can be read.
    case unusable

    /// Whether deposits come in.
    public var isSound: Bool { self == .inStep || self == .reading || self == .closed }
}

/// A chain, as the wallet last saw it.
public struct ChainReport: Sendable {
    /// Its number in the log.
    public var network: NetworkID
    /// Which chain it is, as `litecoin-regtest`.
    public var chain: String
    /// The asset that comes in by it, or empty.
    public var asset = ""
    /// How it stands.
    public var condition: ChainCondition
    /// The same in words, and what to do.
    public var text: String
    /// Since when, nanoseconds since 1970.
    public var since: Int64
    /// Where the node's chain ends; nil: not known.
    public var tip: UInt64?
    /// The last block read; nil: none.
    public var read: UInt64?
    /// The last block whose deposits are all credited; 0: none.
    public var credited: UInt64 = 0
    /// Deposit addresses that are looked for.
    public var addresses = 0
    /// Deposits that are seen and not credited.
    public var pending = 0
    /// How its withdrawals stand.
    public var payouts = PayoutReport()
    /// Ledger and chain, compared; of a chain of several assets the one that stands worst.
    public var books = BooksReport()
    /// The same of each asset of such a chain.
    public var assetBooks: [(asset: String, books: BooksReport)] = []

    /// The accounts of its cold storage, of an EVM chain.
    public var coldAccounts: [ColdAccountReport] = []
    /// Its cold storage; of a UTXO chain.
    public var cold = ColdReport()

    /// As JSON.
    public var json: JSONValue {
        [
            "network": .number(network.number), "chain": .string(chain), "asset": .string(asset),
            "condition": .string(condition.rawValue), "isSound": .bool(condition.isSound),
            "text": .string(text), "since": .number(since),
            "tip": .orNull(tip.map { Int64(clamping: $0) }),
            "read": .orNull(read.map { Int64(clamping: $0) }), "credited": .number(credited),
            "addresses": .number(addresses), "pending": .number(pending),
            "payouts": payouts.json, "books": books.json, "cold": cold.json,
            "coldAccounts": .array(coldAccounts.map(\.json)),
            "assetBooks": .array(
                assetBooks.map { ["asset": .string($0.asset), "books": $0.books.json] }),
        ]
    }
}

extension [ChainReport] {
    /// Says how a chain stands now; `since` stays while its condition does.
    mutating func update(
        _ view: ChainView, _ asset: String, _ condition: ChainCondition, _ text: String,
        credited: UInt64, _ fill: (inout ChainReport) -> Void
    ) {
        let place = firstIndex { $0.network == view.network }
        let isSame = place.map { self[$0].condition == condition } ?? false
        var report =
            place.map { self[$0] }
            ?? ChainReport(
                network: view.network, chain: "\(view.chain)", condition: condition, text: text,
                since: Clock.realtimeNanos())
        if !isSame { report.since = Clock.realtimeNanos() }
        (report.condition, report.text) = (condition, text)
        if !asset.isEmpty { report.asset = asset }
        report.credited = credited
        fill(&report)
        if let place { self[place] = report } else { append(report) }
    }
}
