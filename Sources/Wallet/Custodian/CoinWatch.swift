// Whether the chain has the coins that the log gives the wallet.
//
// What spends a coin in a block is seen as the block is read. Beside that each coin is looked for
// once after each new block, some at a time: blocks that were final when the wallet started are not
// read again.

internal import Deposits
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

/// A coin that the chain has not.
struct VanishedCoin {
    let amount: Int64
    /// What spent it, and the height of its block; nil: not known.
    let spend: (transaction: TransactionID, height: UInt64)?
}

/// Looks for the coins of one chain. One owner at a time.
struct CoinWatch {
    /// Coins that one look asks the node for.
    static let checksMax = 200
    /// How long one look asks.
    static let nanosMax: Int64 = 200_000_000
    /// Vanished coins that are kept; with more of them nothing else is to be learned.
    static let vanishedMax = 10_000
    /// How long the coins may be not looked for before that is told.
    static let lateNanos: Int64 = 3_600_000_000_000

    /// The coins that the chain has not.
    private(set) var vanished: [OutPoint: VanishedCoin] = [:]
    /// The last height at which all coins were looked for; nil: not yet.
    private(set) var height: UInt64?
    /// Why the node did not say whether it has a coin; nil: it did.
    private(set) var fault: NodeError?
    /// Coins for which a stop of withdrawals was asked.
    var told: Set<OutPoint> = []
    /// Coins that a block was seen to spend, by no payment of the log.
    private var spent: [OutPoint: VanishedCoin] = [:]
    /// Coins that the node lacked once: the chain may have gone on between two questions.
    private var doubted: Set<OutPoint> = []
    /// Coins that the node lacks.
    private var missing: [OutPoint: VanishedCoin] = [:]
    /// What is still looked for.
    private var queue: [OutPoint] = []
    /// Where the node's chain ended when all were put there.
    private var queueTip: ChainTip?
    /// When all were last looked for, monotonic.
    private var doneTime = Clock.monotonicNanos()

    /// Whether the coins were not looked for for long.
    var isLate: Bool { Clock.monotonicNanos() - doneTime >= Self.lateNanos }

    /// Looks for some of them; only while the chain is in step.
    mutating func look(_ coins: ChainCoins, _ reader: ChainReader, _ node: some PaymentNode) {
        // Coins of open payments are spent by these, or come with them.
        func isDue(_ outPoint: OutPoint) -> Bool {
            coins.isFree(outPoint)
                && (coins.payments[outPoint.transaction] == nil
                    || reader.isInBlock(outPoint.transaction))
        }
        takeSpends(coins, reader)
        missing = missing.filter { isDue($0.key) }
        doubted = doubted.filter(isDue)
        if queue.isEmpty, let tip = reader.tip, tip.block != queueTip?.block {
            queueTip = tip
            queue = coins.free.map(\.outPoint) + coins.freeCold.map(\.outPoint)
            queue += missing.keys
        }
        // None is asked for twice in one look: the second question is for a later state.
        var asked = Array(doubted.prefix(Self.checksMax))
        asked += spent.keys.filter { missing[$0] == nil && !doubted.contains($0) }.prefix(
            Self.checksMax - asked.count)
        let rest = Self.checksMax - asked.count
        asked += queue.suffix(rest)
        queue.removeLast(min(rest, queue.count))
        ask(asked, coins, node, isDue)
        if queue.isEmpty, doubted.isEmpty, fault == nil {
            (height, doneTime) = (queueTip?.height, Clock.monotonicNanos())
        }
        vanished = missing.merging(spent) { _, seen in seen }
        told.formIntersection(vanished.keys)
    }

    /// Takes what the kept blocks spend of the coins, by no payment of the log. What a block spent
    /// that is final by now stays known; what a reorganisation took away does not.
    private mutating func takeSpends(_ coins: ChainCoins, _ reader: ChainReader) {
        let kept = reader.keptFrom ?? 0
        spent = spent.filter { outPoint, lost in
            // What spent it may be in the log since.
            coins.amount(outPoint) != nil
                && lost.spend.map {
                    $0.height < kept && coins.payments[$0.transaction] == nil
                } ?? false
        }
        for (spend, height) in reader.spends where coins.payments[spend.spender] == nil {
            let outPoint = OutPoint(spend.transaction, spend.index)
            guard let amount = coins.amount(outPoint), spent.count < Self.vanishedMax else {
                continue
            }
            spent[outPoint] = VanishedCoin(amount: amount, spend: (spend.spender, height))
        }
    }

    private mutating func ask(
        _ asked: [OutPoint], _ coins: ChainCoins, _ node: some PaymentNode,
        _ isDue: (OutPoint) -> Bool
    ) {
        let deadline = Clock.monotonicNanos() + Self.nanosMax
        fault = nil
        for (index, outPoint) in asked.enumerated() where isDue(outPoint) {
            guard Clock.monotonicNanos() < deadline else {
                queue += asked[index...]
                return
            }
            let isThere: Bool
            do throws(NodeError) {
                isThere = try node.unspent(outPoint.transaction, outPoint.output) != nil
            } catch {
                // Others first: one that the node cannot answer for holds up no other.
                fault = error
                queue.insert(contentsOf: asked[index...], at: 0)
                return
            }
            guard !isThere, let amount = coins.amount(outPoint) else {
                doubted.remove(outPoint)
                missing[outPoint] = nil
                continue
            }
            if missing[outPoint] != nil { continue }
            // What a block shows to be spent needs no second look.
            if doubted.remove(outPoint) == nil, spent[outPoint] == nil {
                doubted.insert(outPoint)
            } else if missing.count < Self.vanishedMax {
                missing[outPoint] = VanishedCoin(
                    amount: amount, spend: spent[outPoint].flatMap(\.spend))
            }
        }
    }
}
