// Reads one block of an EVM chain: asks the node what the decision needs, in order.

internal import Addresses
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
}

/// Reads blocks.
public enum EVMBlockReader {
    /// Reads a block of the node's chain. `also` are holdings of customers' addresses of which any
    /// change is to be explained, whether or not something was sent to them: native coin that comes
    /// by an internal call is visible in no other way, and becomes a surplus. Each costs two
    /// questions.
    ///
    /// An error says that the block is to be read again: the node gave no usable answer, or left
    /// the chain that the block is on.
    public static func read(
        _ id: BlockID, _ node: some EVMChainNode, _ watch: EVMWatch,
        also: Set<EVMHolding> = []
    ) throws(NodeError) -> EVMFindings {
        let block = try node.block(id)
        var findings = EVMFindings(
            block: block.id, height: block.height, parent: block.parent, deposits: [],
            anomalies: [])
        // The first block has no transactions, and nothing before it.
        guard block.height > 0 else { return findings }
        let tokens = watch.tokens.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        let notices = try node.transfers(in: id, of: tokens)
        let known = Set(block.transactions.map(\.id))
        guard notices.allSatisfy({ known.contains($0.transaction) }) else {
            throw .malformed(method: "eth_getLogs", "has a log of a transaction of another block")
        }
        var receipts: [TransactionID: EVMReceipt] = [:]
        for transaction in EVMDeposits.receipts(block, notices, watch) {
            receipts[transaction] = try node.receipt(transaction, in: id)
        }
        let facts = EVMBlockFacts(block, receipts: receipts)
        var balances: [EVMHolding: EVMBalances] = [:]
        for holding in also.union(EVMDeposits.holdings(facts, watch)) {
            balances[holding] = EVMBalances(
                before: try node.balance(holding, after: block.parent),
                after: try node.balance(holding, after: id))
        }
        (findings.deposits, findings.anomalies) = EVMDeposits.findings(facts, balances, watch)
        return findings
    }
}
