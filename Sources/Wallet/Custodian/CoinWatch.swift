// Whether the chain has the coins that the log gives the wallet.
//
// What spends a coin in a block is seen as the block is read. Beside that each coin is looked for
// once in each new state of the chain, some at a time: a block that was final when the wallet
// started is not read again.

internal import Deposits
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

/// A coin that the chain has not.
struct VanishedCoin: Hashable {
    let amount: Int64
    /// What spent it, and the height of its block; nil: not known.
    let spend: (transaction: TransactionID, height: UInt64)?

    static func == (a: Self, b: Self) -> Bool { a.amount == b.amount }
    func hash(into hasher: inout Hasher) { hasher.combine(amount) }
}

/// Looks for the coins of one chain. One owner at a time.
struct CoinWatch {
    /// Coins that one look asks the node for.
    static let checksMax = 200
    /// How long one look asks.
    static let nanosMax: Int64 = 200_000_000
    /// Vanished coins that are kept; with more of them nothing else is to be learned.
    static let vanishedMax = 10_000

    /// The coins that the chain has not.
    private(set) var vanished: [OutPoint: VanishedCoin] = [:]
    /// The height at which all coins were last looked for; nil: not yet.
    private(set) var height: UInt64?
    /// Coins for which a stop of withdrawals was asked.
    var told: Set<OutPoint> = []
    /// Coins that the node lacked once: the chain may have gone on between two questions.
    private var doubted: Set<OutPoint> = []
    /// Coins that the node lacks.
    private var missing: [OutPoint: VanishedCoin] = [:]
    /// What is still looked for.
    private var queue: [OutPoint] = []
    /// The tip for which all were put there: what is spent in blocks changes with it only.
    private var tip: BlockID?

    /// Looks for some of them. Only what is in step is believed.
    mutating func look(
        _ coins: ChainCoins, _ reader: ChainReader, _ node: some PaymentNode
    ) throws(NodeError) {
        missing = missing.filter { coins.coins[$0.key] != nil }
        doubted = doubted.filter { coins.coins[$0] != nil }
        defer { told.formIntersection(vanished.keys) }
        var found = missing
        for (spend, height) in reader.spends where coins.payments[spend.spender] == nil {
            let outPoint = OutPoint(spend.transaction, spend.index)
            guard let coin = coins.coins[outPoint], found.count < Self.vanishedMax else { continue }
            found[outPoint] = VanishedCoin(amount: coin.amount, spend: (spend.spender, height))
            // It stays known when its block is read no more.
            if missing[outPoint] == nil, !doubted.contains(outPoint) { queue.append(outPoint) }
        }
        vanished = found
        guard let tip = reader.tip else { return }
        if queue.isEmpty {
            queue = Array(doubted)
            if tip.block != self.tip {
                self.tip = tip.block
                // Coins of open payments are spent by these, or come with them.
                queue += coins.free.lazy.map(\.outPoint).filter {
                    coins.payments[$0.transaction] == nil || reader.isInBlock($0.transaction)
                }
                queue += missing.keys
            }
        }
        let deadline = Clock.monotonicNanos() + Self.nanosMax
        var count = 0
        while let outPoint = queue.last, count < Self.checksMax, Clock.monotonicNanos() < deadline {
            let isThere = try node.unspent(outPoint.transaction, outPoint.output) != nil
            queue.removeLast()
            count += 1
            guard !isThere, let coin = coins.coins[outPoint] else {
                doubted.remove(outPoint)
                missing[outPoint] = nil
                continue
            }
            if missing[outPoint] != nil { continue }
            if doubted.remove(outPoint) == nil {
                doubted.insert(outPoint)
            } else if missing.count < Self.vanishedMax {
                missing[outPoint] = VanishedCoin(
                    amount: coin.amount, spend: found[outPoint].flatMap(\.spend))
            }
        }
        if queue.isEmpty, doubted.isEmpty { height = tip.height }
    }
}
