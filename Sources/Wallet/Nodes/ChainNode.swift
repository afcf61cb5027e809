// What the wallet asks of a chain's node, whichever chain it is.

public import Terms

/// Where a node's chain ends.
public struct ChainTip: Hashable, Sendable {
    /// The height of its last block.
    public var height: UInt64
    /// That block.
    public var block: BlockID
    /// The node has not caught up with its own headers, or says so.
    public var isSyncing: Bool
    /// The node forgets old blocks.
    public var isPruned: Bool

    /// A tip.
    public init(
        height: UInt64, block: BlockID, isSyncing: Bool = false, isPruned: Bool = false
    ) {
        (self.height, self.block) = (height, block)
        (self.isSyncing, self.isPruned) = (isSyncing, isPruned)
    }
}

/// What a transaction pays to a script.
public struct ChainOutput: Hashable, Sendable {
    /// The transaction.
    public var transaction: TransactionID
    /// Its index there.
    public var index: UInt32
    /// The script that it pays to.
    public var script: [UInt8]
    /// In the asset's smallest units.
    public var units: Int128

    /// An output.
    public init(transaction: TransactionID, index: UInt32, script: [UInt8], units: Int128) {
        (self.transaction, self.index) = (transaction, index)
        (self.script, self.units) = (script, units)
    }

    /// An output of a chain whose amounts have 64 bits.
    public init(transaction: TransactionID, index: UInt32, script: [UInt8], units: Int64) {
        self.init(
            transaction: transaction, index: index, script: script, units: Int128(units))
    }
}

/// What a transaction spends: an output of an earlier one, or of one before it in its block.
public struct ChainSpend: Hashable, Sendable {
    /// The transaction that spends.
    public var spender: TransactionID
    /// The transaction of the output.
    public var transaction: TransactionID
    /// The output's index there.
    public var index: UInt32

    /// A spend of an output.
    public init(spender: TransactionID, transaction: TransactionID, index: UInt32) {
        (self.spender, self.transaction, self.index) = (spender, transaction, index)
    }
}

/// A block, with what the wallet looks at.
public struct ChainBlock: Hashable, Sendable {
    /// Its hash.
    public var id: BlockID
    /// Its height.
    public var height: UInt64
    /// The block before it.
    public var parent: BlockID
    /// The outputs of its transactions, in their order; not those of the coinbase, which can be
    /// spent 100 blocks later only: nobody pays a deposit so.
    public var outputs: [ChainOutput]
    /// What its transactions spend; nothing on a chain of accounts.
    public var spends: [ChainSpend]
    /// Transactions of the wallet's that `outputs` may lack.
    public var own: Set<TransactionID>

    /// A block.
    public init(
        id: BlockID, height: UInt64, parent: BlockID, outputs: [ChainOutput],
        spends: [ChainSpend] = [], own: Set<TransactionID> = []
    ) {
        (self.id, self.height, self.parent) = (id, height, parent)
        (self.outputs, self.spends, self.own) = (outputs, spends, own)
    }
}

/// Why a node gave no usable answer. Nothing is decided without one.
public enum NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It does not answer.
    case unreachable(String)
    /// It refused the request: by JSON-RPC's code and message.
    case refused(method: String, code: Int64, message: String)
    /// Its answer is not what the method gives.
    case malformed(method: String, String)
    /// It is a node of another chain.
    case otherChain(found: String, expected: String)

    /// The reason.
    public var description: String {
        switch self {
        case .unreachable(let why): why
        case .refused(let method, let code, let message):
            "it refuses \(method): \(message) (\(code))"
        case .malformed(let method, let what): "its answer to \(method) \(what)"
        case .otherChain(let found, let expected):
            "it is a node of \(found), and \(expected) is expected: check its address and its chain"
        }
    }
}

/// A chain's node. A call may wait; one owner at a time.
public protocol ChainNode {
    /// Where its chain ends, after a check that it is the right chain.
    func tip() throws(NodeError) -> ChainTip
    /// The block at a height; nil: its chain does not reach there.
    func block(at height: UInt64) throws(NodeError) -> BlockID?
    /// A block with its outputs.
    func block(_ id: BlockID) throws(NodeError) -> ChainBlock
}

/// An output of the chain that nothing in a block spends.
public struct UnspentOutput: Hashable, Sendable {
    /// In the chain's smallest units.
    public var units: Int64
    /// The script that it pays to.
    public var script: [UInt8]
    /// Blocks from its own to `bestBlock`, both included.
    public var confirmations: UInt64
    /// Where the node's chain ended then.
    public var bestBlock: BlockID

    /// An output.
    public init(units: Int64, script: [UInt8], confirmations: UInt64, bestBlock: BlockID) {
        (self.units, self.script) = (units, script)
        (self.confirmations, self.bestBlock) = (confirmations, bestBlock)
    }
}

/// A chain's node, through which payments go out as well.
public protocol PaymentNode: ChainNode {
    /// Gives a signed transaction to the chain; no error where it waits there already. Returns
    /// whether a block has it.
    func broadcast(_ transaction: [UInt8]) throws(NodeError) -> Bool
    /// An output of the chain that nothing in a block spends; nil where it has none such.
    func unspent(
        _ transaction: TransactionID, _ index: UInt32
    ) throws(NodeError) -> UnspentOutput?
    /// The bytes of the transaction that has an output, as the node has them; nil where the node
    /// has pruned the block that it is in.
    func transaction(
        _ id: TransactionID, of output: UnspentOutput
    ) throws(NodeError) -> [UInt8]?
    /// What miners ask for a place in one of the next blocks, in base units for 1,000 virtual
    /// bytes; at least what the node relays.
    func feePerKilobyte() throws(NodeError) -> Int64
    /// What the node wants for relaying a replacement, above the fee of what it replaces, in base
    /// units for 1,000 virtual bytes (BIP125, rule 4).
    func relayFeePerKilobyte() throws(NodeError) -> Int64
}
