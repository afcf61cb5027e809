// Reads one block of an EVM chain: asks the node what the decision needs, in order.

internal import Addresses
internal import EVM
public import Nodes
public import Terms

/// What a block brought.
public struct EVMFindings: Hashable, Sendable {
    /// The block.
    public var block: BlockID
    /// Its height.
    public var height: UInt64
    /// The block before it.
    public var parent: BlockID
    /// What is to be credited once the block is final, in order.
    public var deposits: [EVMDeposit]
    /// What is not credited, for the operator.
    public var anomalies: [EVMAnomaly]
    /// The transactions that the wallet's own accounts sent, customers' addresses among them.
    public var own: Set<TransactionID> = []
    /// Those of them that the account that pays sent, in their order.
    public var paid: [TransactionID] = []
    /// What of customers' addresses its transactions may have changed.
    public var touched: Set<EVMHolding> = []
}

/// Reads blocks, one after the other. A block costs two questions, one for each transaction that
/// concerns a customer's address, and two for each coin of an address that something was sent to.
/// Whoever pays for so many can make a block that takes long: so reading stops when there is no
/// more time, and goes on where it stopped: what was answered of a block, by its hash, stays true,
/// unless an answer behind it is of no use.
public struct EVMBlockReader {
    /// What is known of the block that is being read.
    private struct Progress {
        let block: EVMBlock
        let tokens: Set<EVMAddress>
        let notices: [EVMTransferNotice]
        var receipts: [TransactionID: EVMReceipt] = [:]
        var balances: [EVMHolding: EVMBalances] = [:]
    }

    private var progress: Progress?

    /// A reader that has read nothing.
    public init() {}

    /// Reads a block of the node's chain; nil: there is no more time, and the next call for the
    /// same block goes on. `also` are holdings of customers' addresses of which any change is to be
    /// explained, whether or not something was sent to them: native coin that comes by an internal
    /// call is visible in no other way, and becomes a surplus.
    ///
    /// An error says that the block is to be read again: the node gave no usable answer, or left
    /// the chain that the block is on.
    public mutating func read(
        _ id: BlockID, _ node: some EVMChainNode, _ watch: EVMWatch, also: Set<EVMHolding> = [],
        isLate: () -> Bool = { false }
    ) throws(NodeError) -> EVMFindings? {
        var known = try begin(id, node, watch)
        do throws(NodeError) {
            let findings = try readOn(&known, id, node, watch, also, isLate)
            // Who asks for it again does not believe it, or looks for more.
            progress = findings == nil ? known : nil
            return findings
        } catch {
            // What contradicts what the node said before may be right, and that wrong: all of it is
            // asked again. A node that is away said nothing.
            if case .unreachable = error { progress = known } else { progress = nil }
            throw error
        }
    }

    /// Goes on with a block, as `read` does.
    private func readOn(
        _ known: inout Progress, _ id: BlockID, _ node: some EVMChainNode, _ watch: EVMWatch,
        _ also: Set<EVMHolding>, _ isLate: () -> Bool
    ) throws(NodeError) -> EVMFindings? {
        let block = known.block
        for transaction in EVMDeposits.receipts(block, known.notices, watch)
        where known.receipts[transaction] == nil {
            if isLate() { return nil }
            known.receipts[transaction] = try node.receipt(transaction, in: id)
        }
        let facts = EVMBlockFacts(block, receipts: known.receipts)
        let holdings = also.union(EVMDeposits.holdings(facts, watch))
        for holding in holdings where known.balances[holding] == nil && block.height > 0 {
            if isLate() { return nil }
            known.balances[holding] = EVMBalances(
                before: try node.balance(holding, after: block.parent),
                after: try node.balance(holding, after: id))
        }
        let balances = known.balances.filter { holdings.contains($0.key) }
        let changed = balances.filter { $0.value.before != $0.value.after }.keys
        let (deposits, anomalies) = EVMDeposits.findings(facts, balances, watch)
        let paid = block.transactions.filter { watch.wallet.contains($0.sender) }.map(\.id)
        let swept = block.transactions.filter { watch.addresses.account($0.sender) != nil }
        return EVMFindings(
            block: id, height: block.height, parent: block.parent, deposits: deposits,
            anomalies: anomalies, own: Set(paid).union(swept.map(\.id)), paid: paid,
            touched: EVMDeposits.touched(facts, watch).union(changed))
    }

    /// The block with its notices: known since the last call, or asked for.
    private func begin(
        _ id: BlockID, _ node: some EVMChainNode, _ watch: EVMWatch
    ) throws(NodeError) -> Progress {
        if let progress, progress.block.id == id, progress.tokens == watch.tokens {
            return progress
        }
        let block = try node.block(id)
        let tokens = watch.tokens.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        let notices = try node.transfers(in: id, of: tokens)
        let transactions = Set(block.transactions.map(\.id))
        guard notices.allSatisfy({ transactions.contains($0.transaction) }) else {
            throw .malformed(method: "eth_getLogs", "has a log of a transaction of another block")
        }
        return Progress(block: block, tokens: watch.tokens, notices: notices)
    }

    /// Reads one block to its end.
    public static func read(
        _ id: BlockID, _ node: some EVMChainNode, _ watch: EVMWatch,
        also: Set<EVMHolding> = []
    ) throws(NodeError) -> EVMFindings {
        var reader = EVMBlockReader()
        guard let findings = try reader.read(id, node, watch, also: also) else {
            preconditionFailure("a reader without a time limit reads to the end")
        }
        return findings
    }
}
