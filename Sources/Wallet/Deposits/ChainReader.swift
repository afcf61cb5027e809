// Reads a chain block by block and decides what of it goes into the log.
//
// What must survive is in the log: the last block whose deposits are all credited, and which
// outputs were. The reader begins behind that block and keeps the blocks above it in memory; one
// that starts again reads the same blocks, and the engine refuses what was credited meanwhile.
// A block is believed where its parent is the block read before it, and only what was read so
// counts as a confirmation: not the height that a node states.

public import Nodes
public import Terms

/// A deposit that the reader has found.
public struct FoundDeposit: Hashable, Sendable {
    /// Who gets it.
    public var account: AccountID
    /// Where on the chain it is.
    public var output: ChainOutput
    /// Whether it is in the log as credited.
    public var isCredited = false
    /// The confirmations that the log was last sent; nil: none.
    var noted: UInt64?
}

/// What is to be done next about a chain.
public enum ReaderStep: Hashable, Sendable {
    /// A deposit that is not final is there, with so many confirmations.
    case note(FoundDeposit, confirmations: UInt32)
    /// A deposit that was noted is not on the chain any more.
    case gone(FoundDeposit)
    /// A deposit is final.
    case credit(FoundDeposit)
    /// All deposits up to this block are credited, and it is final.
    case check(height: UInt64, BlockID)
}

/// How a chain stands with its node.
public enum ReaderState: Hashable, Sendable {
    /// Nothing is known yet.
    case starting
    /// Blocks are read; so many are not read yet.
    case reading(behind: UInt64)
    /// The node's chain ends below the last final block: it lags, or is an older copy.
    case nodeBehind(height: UInt64)
    /// The node has another block in the place of a final one. Nothing is credited and nothing is
    /// paid until it has that block again, or an operator has the chain read anew.
    case forked(height: UInt64, expected: BlockID, found: BlockID?)
    /// The node gives no usable answer.
    case noNode(NodeError)
}

/// What the log says of a chain, as far as the reader needs it.
public struct ReaderTerms: Hashable, Sendable {
    /// The first block that is read.
    public var firstBlock: UInt64
    /// The last final block; 0: none.
    public var checkedHeight: UInt64
    /// That block.
    public var checkedBlock: BlockID
    /// Confirmations after which a deposit is final; above zero.
    public var confirmations: UInt32

    /// What the log says.
    public init(
        firstBlock: UInt64, checkedHeight: UInt64, checkedBlock: BlockID, confirmations: UInt32
    ) {
        (self.firstBlock, self.checkedHeight) = (firstBlock, checkedHeight)
        (self.checkedBlock, self.confirmations) = (checkedBlock, confirmations)
    }

    /// The first block that is not final.
    var next: UInt64 { max(firstBlock, checkedHeight + 1) }
}

/// Reads one chain. One owner at a time.
public struct ChainReader {
    /// Maximum blocks that one call reads, so that its caller looks after everything else between.
    public static var blocksMax: Int { 64 }
    /// Maximum blocks that are kept beside the confirmations: reading waits while deposits cannot
    /// be credited.
    public static var waitingMax: Int { 1_024 }

    /// A block that is not final.
    struct ReadBlock {
        let id: BlockID
        let height: UInt64
        var deposits: [FoundDeposit]
    }

    /// How it stands.
    public private(set) var state = ReaderState.starting
    /// Where the node's chain ends, as it says; nil: not known.
    public private(set) var tip: ChainTip?
    /// The blocks behind the last final one, in order.
    private(set) var blocks: [ReadBlock] = []
    /// What was true when the blocks were read.
    private var terms: ReaderTerms?

    /// A reader that has read nothing.
    public init() {}

    /// The height of the last block read; nil: none.
    public var height: UInt64? { blocks.last?.height ?? terms.map(\.checkedHeight) }

    /// Deposits that are found and not credited, with their confirmations.
    public var pending: [(FoundDeposit, confirmations: UInt64)] {
        blocks.flatMap { block in
            block.deposits.filter { !$0.isCredited }.map { ($0, depth(of: block)) }
        }
    }

    /// Confirmations of a block: itself and those read behind it.
    private func depth(of block: ReadBlock) -> UInt64 {
        (blocks.last?.height ?? block.height) - block.height + 1
    }

    /// Reads on, and says what is to be done, in order. `account` says whose a script is.
    /// The caller carries the steps out, or as many of them as it can, and calls `credited` for
    /// each credit that is in the log. What was not carried out comes again.
    public mutating func read(
        _ node: some ChainNode, _ terms: ReaderTerms, account: ([UInt8]) -> AccountID?
    ) -> [ReaderStep] {
        begin(terms)
        do throws(NodeError) {
            let tip = try node.tip()
            self.tip = tip
            guard try standsOn(node, tip) else { return [] }
            var steps = try dropOthers(node)
            try readOn(node, tip, account)
            steps += due()
            return steps
        } catch {
            state = .noNode(error)
            return []
        }
    }

    /// Takes what the log says now. A chain that is read anew begins anew.
    private mutating func begin(_ terms: ReaderTerms) {
        if let before = self.terms,
            before.firstBlock != terms.firstBlock || terms.checkedHeight < before.checkedHeight
        {
            blocks = []
        }
        self.terms = terms
        blocks.removeAll { $0.height <= terms.checkedHeight }
        // Blocks that do not stand on the checked one are of another reading.
        if let first = blocks.first, first.height != terms.next { blocks = [] }
    }

    /// Whether the node's chain has the last final block.
    private mutating func standsOn(
        _ node: some ChainNode, _ tip: ChainTip
    ) throws(NodeError) -> Bool {
        guard let terms, terms.checkedHeight > 0 else { return true }
        if tip.height < terms.checkedHeight {
            state = .nodeBehind(height: tip.height)
            return false
        }
        let found = try node.block(at: terms.checkedHeight)
        guard found == terms.checkedBlock else {
            state = .forked(
                height: terms.checkedHeight, expected: terms.checkedBlock, found: found)
            return false
        }
        return true
    }

    /// Forgets the blocks that the node's chain no longer has.
    private mutating func dropOthers(_ node: some ChainNode) throws(NodeError) -> [ReaderStep] {
        var steps: [ReaderStep] = []
        while let last = blocks.last, try node.block(at: last.height) != last.id {
            blocks.removeLast()
            steps += last.deposits.filter { $0.noted != nil && !$0.isCredited }.map { .gone($0) }
        }
        return steps
    }

    private mutating func readOn(
        _ node: some ChainNode, _ tip: ChainTip, _ account: ([UInt8]) -> AccountID?
    ) throws(NodeError) {
        guard let terms else { return }
        var count = 0
        let keptMax = Int(terms.confirmations) + Self.waitingMax
        while count < Self.blocksMax, blocks.count < keptMax {
            let height = (blocks.last?.height).map { $0 + 1 } ?? terms.next
            guard height <= tip.height, let id = try node.block(at: height) else { break }
            let block = try node.block(id)
            guard block.id == id, block.height == height else {
                throw .malformed(method: "getblock", "is of another block")
            }
            // The chain changed between two questions: the next call sees it whole.
            if let parent = blocks.last?.id ?? checkedParent(height), block.parent != parent {
                break
            }
            blocks.append(
                ReadBlock(id: id, height: height, deposits: Self.deposits(block, account)))
            count += 1
        }
        state = .reading(behind: tip.height - min(tip.height, height ?? 0))
    }

    /// The final block, where it is right below this height.
    private func checkedParent(_ height: UInt64) -> BlockID? {
        guard let terms, terms.checkedHeight > 0, height == terms.checkedHeight + 1 else {
            return nil
        }
        return terms.checkedBlock
    }

    private static func deposits(
        _ block: ChainBlock, _ account: ([UInt8]) -> AccountID?
    ) -> [FoundDeposit] {
        block.outputs.compactMap { output in
            guard output.units > 0, let owner = account(output.script) else { return nil }
            return FoundDeposit(account: owner, output: output)
        }
    }

    /// What the blocks that were read ask for.
    private mutating func due() -> [ReaderStep] {
        guard let terms else { return [] }
        var steps: [ReaderStep] = []
        var final: ReadBlock?
        var isAllCredited = true
        for index in blocks.indices {
            let depth = depth(of: blocks[index])
            let isFinal = depth >= UInt64(terms.confirmations)
            for place in blocks[index].deposits.indices {
                let deposit = blocks[index].deposits[place]
                if deposit.isCredited { continue }
                isAllCredited = false
                if isFinal {
                    steps.append(.credit(deposit))
                } else if deposit.noted != depth {
                    blocks[index].deposits[place].noted = depth
                    steps.append(.note(deposit, confirmations: UInt32(clamping: depth)))
                }
            }
            if isFinal, isAllCredited { final = blocks[index] }
        }
        if let final { steps.append(.check(height: final.height, final.id)) }
        return steps
    }

    /// A credit is in the log, now or since before.
    public mutating func credited(_ deposit: FoundDeposit) {
        for index in blocks.indices {
            for place in blocks[index].deposits.indices
            where blocks[index].deposits[place].output == deposit.output {
                blocks[index].deposits[place].isCredited = true
            }
        }
    }
}
