// A chain in memory that reorganises, and a node of it that fails and lies as nodes do.

import Addresses
import Nodes
import Slabs
import Terms

/// A tree of blocks, one branch of which is the chain.
final class SimulatedChain {
    struct Block {
        let id: BlockID
        let parent: BlockID
        let height: UInt64
        let outputs: [ChainOutput]
        let spends: [ChainSpend]
    }

    private(set) var blocks: [BlockID: Block] = [:]
    /// The chain's blocks by height.
    private(set) var active: [BlockID] = []
    private var ids: UInt128 = 0
    private var transactions: UInt128 = 0

    init() { mine([]) }

    var height: UInt64 { UInt64(active.count - 1) }

    func mine(_ outputs: [ChainOutput], spends: [ChainSpend] = []) {
        ids += 1
        let block = Block(
            id: BlockID(high: 1, low: ids), parent: active.last ?? .none,
            height: UInt64(active.count), outputs: outputs, spends: spends)
        blocks[block.id] = block
        active.append(block.id)
    }

    /// An output of a transaction that nobody has seen before.
    func payment(_ script: [UInt8], _ units: Int64, index: UInt32 = 0) -> ChainOutput {
        transactions += 1
        return ChainOutput(
            transaction: TransactionID(high: 2, low: transactions), index: index, script: script,
            units: units)
    }

    /// Replaces the last blocks: what they had is mined again behind them, but for what `isKept`
    /// leaves out, as a double spend does.
    func reorganise(depth: Int, isKept: (ChainOutput) -> Bool) {
        let lost = active.suffix(min(depth, active.count - 1)).flatMap { blocks[$0]?.outputs ?? [] }
        active.removeLast(min(depth, active.count - 1))
        for _ in 0..<depth { mine([]) }
        mine(lost.filter(isKept))
    }

    /// Everything that is on the chain now, with its confirmations.
    var outputs: [(ChainOutput, confirmations: UInt64)] {
        active.compactMap { blocks[$0] }.flatMap { block in
            block.outputs.map { ($0, height - block.height + 1) }
        }
    }
}

/// A node of that chain.
final class SimulatedNode: ChainNode {
    let chain: SimulatedChain
    /// One in so many calls fails; 0: none.
    var failures: UInt64 = 0
    /// How many blocks it lacks.
    var lag: UInt64 = 0
    /// It gives the block of another height.
    var isConfused = false
    /// It states a tip that it does not have.
    var boasts = false
    /// It has not caught up with its own chain.
    var isSyncing = false
    /// Blocks say that they stand on another one.
    var isUprooted = false
    /// Called before each question is answered: the chain may change between two of them.
    var beforeCall: () -> Void = {}
    private var random: SplitMix64

    init(_ chain: SimulatedChain, seed: UInt64) {
        self.chain = chain
        random = SplitMix64(seed: seed)
    }

    private var height: UInt64 { chain.height - min(lag, chain.height) }

    private func mayFail() throws(NodeError) {
        beforeCall()
        if failures > 0, random.next() % failures == 0 { throw .unreachable("it is away") }
    }

    func tip() throws(NodeError) -> ChainTip {
        try mayFail()
        return ChainTip(
            height: height + (boasts ? 50 : 0), block: chain.active[Int(height)],
            isSyncing: isSyncing)
    }

    func block(at height: UInt64) throws(NodeError) -> BlockID? {
        try mayFail()
        return height <= self.height ? chain.active[Int(height)] : nil
    }

    func block(_ id: BlockID) throws(NodeError) -> ChainBlock {
        try mayFail()
        var wanted = id
        if isConfused, let other = chain.active.randomElement(using: &random) { wanted = other }
        guard let block = chain.blocks[wanted] else {
            throw .refused(method: "getblock", code: -5, message: "Block not found")
        }
        return ChainBlock(
            id: block.id, height: block.height,
            parent: isUprooted ? BlockID(high: 9, low: 9) : block.parent, outputs: block.outputs,
            spends: block.spends)
    }
}
