// What the wallet asks of a node of an EVM chain, and what it makes of the answers.

public import Addresses
public import EVM
public import Terms

/// One coin of one account.
public struct EVMHolding: Hashable, Sendable {
    /// Whose.
    public var holder: EVMAddress
    /// Of which coin.
    public var coin: EVMCoin

    /// What an account has of a coin.
    public init(_ holder: EVMAddress, _ coin: EVMCoin) { (self.holder, self.coin) = (holder, coin) }
}

/// A transaction in a block. Whether it succeeded is in its receipt.
public struct EVMBlockTransaction: Hashable, Sendable {
    /// Its hash.
    public var id: TransactionID
    /// Who signed it.
    public var sender: EVMAddress
    /// The receiver or the contract that is called; nil: it makes a contract.
    public var destination: EVMAddress?
    /// What it moves of the native coin, in the smallest unit.
    public var value: EVMWord
    /// The transfer of a token that it calls for, if that is all that it does.
    public var tokenTransfer: TokenTransfer?

    /// A transaction.
    public init(
        id: TransactionID, sender: EVMAddress, destination: EVMAddress?, value: EVMWord,
        tokenTransfer: TokenTransfer? = nil
    ) {
        (self.id, self.sender, self.destination) = (id, sender, destination)
        (self.value, self.tokenTransfer) = (value, tokenTransfer)
    }
}

/// A block with its transactions.
public struct EVMBlock: Hashable, Sendable {
    /// Its hash.
    public var id: BlockID
    /// Its height.
    public var height: UInt64
    /// The block before it; of the first block none.
    public var parent: BlockID
    /// In their order.
    public var transactions: [EVMBlockTransaction]

    /// A block.
    public init(
        id: BlockID, height: UInt64, parent: BlockID, transactions: [EVMBlockTransaction]
    ) {
        (self.id, self.height, self.parent) = (id, height, parent)
        self.transactions = transactions
    }
}

/// A transfer that a token's contract logged in a transaction.
public struct EVMLoggedTransfer: Hashable, Sendable {
    /// Its place among all logs of its transaction, from 0. The place in the block, which nodes
    /// call the log's index, is another one once a reorganisation puts the transaction elsewhere.
    public var index: UInt32
    /// What it says.
    public var log: TransferLog

    /// A transfer at a place.
    public init(index: UInt32, log: TransferLog) { (self.index, self.log) = (index, log) }
}

/// What became of a transaction.
public struct EVMReceipt: Hashable, Sendable {
    /// The transaction.
    public var transaction: TransactionID
    /// The block that it is in.
    public var block: BlockID
    /// Whether it did what it was to do; otherwise it cost its gas and nothing else.
    public var isSuccess: Bool
    /// What its sender paid for gas, in the native coin's smallest unit.
    public var gasCost: EVMWord
    /// The transfers among its logs, of any contract.
    public var transfers: [EVMLoggedTransfer]

    /// A receipt.
    public init(
        transaction: TransactionID, block: BlockID, isSuccess: Bool, gasCost: EVMWord,
        transfers: [EVMLoggedTransfer]
    ) {
        (self.transaction, self.block, self.isSuccess) = (transaction, block, isSuccess)
        (self.gasCost, self.transfers) = (gasCost, transfers)
    }
}

/// Where in a block a token's contract logged a transfer. It only says which receipt to look at.
public struct EVMTransferNotice: Hashable, Sendable {
    /// The transaction.
    public var transaction: TransactionID
    /// What was logged.
    public var log: TransferLog

    /// A notice.
    public init(transaction: TransactionID, log: TransferLog) {
        (self.transaction, self.log) = (transaction, log)
    }
}

/// A node of an EVM chain. A call may wait; one owner at a time. Whatever is asked of a block is
/// asked by its hash, so that answers of two chains never mix.
public protocol EVMChainNode {
    /// Where its chain ends, after a check that it is the right chain.
    func tip() throws(NodeError) -> ChainTip
    /// The block at a height; nil: its chain does not reach there.
    func block(at height: UInt64) throws(NodeError) -> BlockID?
    /// A block with its transactions.
    func block(_ id: BlockID) throws(NodeError) -> EVMBlock
    /// The transfers that these contracts logged in a block.
    func transfers(
        in block: BlockID, of tokens: [EVMAddress]
    ) throws(NodeError) -> [EVMTransferNotice]
    /// A transaction's receipt; an error where it is not in this block.
    func receipt(
        _ transaction: TransactionID, in block: BlockID
    ) throws(NodeError) -> EVMReceipt
    /// What an account has after a block of the node's chain, in the smallest unit; nil: the
    /// token's contract does not say.
    func balance(_ holding: EVMHolding, after block: BlockID) throws(NodeError) -> EVMWord?
}
