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
    public internal(set) var isCredited = false
    /// The confirmations that the log has of it; nil: it does not know it.
    var noted: UInt32?
}

/// What is to be done next about a chain.
public enum ReaderStep: Hashable, Sendable {
    /// A deposit that is not final is there, with so many confirmations.
    case note(FoundDeposit, confirmations: UInt32)
    /// A deposit that was noted is not on the chain any more.
    case gone(FoundDeposit)
    /// This block is final, and its deposits are about to be credited and its payments to be
    /// settled. It has to be in the log before them: a node without it is not believed from then
    /// on.
    case finalize(height: UInt64, BlockID, addresses: Int)
    /// A deposit is final.
    case credit(FoundDeposit)
    /// A payment of the wallet's is final, in the block of this height.
    case settle(TransactionID, height: UInt64)
    /// All deposits up to this block are credited, and it is final; so many addresses were looked
    /// for.
    case check(height: UInt64, BlockID, addresses: Int)
}

/// How a chain stands with its node.
public enum ReaderState: Hashable, Sendable {
    /// Nothing is known yet.
    case starting
    /// Blocks are read; so many are not read yet.
    case reading(behind: UInt64)
    /// The node itself has not caught up with its chain: nothing is credited.
    case nodeSyncing
    /// The node's chain ends below the last final block: it lags, or is an older copy.
    case nodeBehind(height: UInt64)
    /// The node has another block in the place of a final one, or of one whose deposits are
    /// credited. Nothing is credited and nothing is to be paid until it has that block again, or an
    /// operator has the chain read anew.
    case forked(height: UInt64, expected: BlockID, found: BlockID?)
    /// A deposit that is credited is on the chain no more. As `forked`.
    case creditVanished(FoundDeposit)
    /// The node gives no usable answer.
    case noNode(NodeError)
}

/// What the log says of a chain, as far as the reader needs it. Of another chain or key, there has
/// to be another reader.
public struct ReaderTerms: Hashable, Sendable {
    /// The record that set the chain: with another one it is read anew.
    public var record: UInt64
    /// The first block that is read.
    public var firstBlock: UInt64
    /// The last final block; 0: none.
    public var checkedHeight: UInt64
    /// That block.
    public var checkedBlock: BlockID
    /// The last block that is final, whose deposits may not all be credited; 0: none.
    public var finalHeight: UInt64
    /// That block.
    public var finalBlock: BlockID
    /// Confirmations after which a deposit is final; above zero.
    public var confirmations: UInt32
    /// How many addresses the chain has.
    public var addresses: Int

    /// What the log says.
    public init(
        record: UInt64, firstBlock: UInt64, checkedHeight: UInt64, checkedBlock: BlockID,
        finalHeight: UInt64 = 0, finalBlock: BlockID = .none, confirmations: UInt32,
        addresses: Int
    ) {
        (self.record, self.firstBlock) = (record, firstBlock)
        self.checkedHeight = checkedHeight
        (self.finalHeight, self.finalBlock) = (finalHeight, finalBlock)
        (self.checkedBlock, self.confirmations) = (checkedBlock, confirmations)
        self.addresses = addresses
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
        let parent: BlockID
        var deposits: [FoundDeposit]
        /// Its transactions: a payment's record may come later than its block was read.
        let transactions: Set<TransactionID>
        /// What it spends of the wallet's.
        let spends: [ChainSpend]
    }

    /// How it stands.
    public private(set) var state = ReaderState.starting
    /// Where the node's chain ends, as it says; nil: not known.
    public private(set) var tip: ChainTip?
    /// The blocks behind the last final one, in order.
    private(set) var blocks: [ReadBlock] = []
    /// Deposits that the log knows of, whose block is not among those that are read now.
    private var lost: [ChainOutput: FoundDeposit] = [:]
    /// What was true when the blocks were read.
    private var terms: ReaderTerms?

    /// A reader that has read nothing.
    public init() {}

    /// The height of the last block read; nil: none.
    public var height: UInt64? { blocks.last?.height ?? terms.map { $0.next - 1 } }

    /// Deposits that are found and not credited, with their confirmations.
    public var pending: [(FoundDeposit, confirmations: UInt64)] {
        blocks.flatMap { block in
            block.deposits.filter { !$0.isCredited }.map { ($0, depth(of: block)) }
        }
    }

    /// Whether one of the blocks that are read and kept has a payment of the wallet's.
    public func isInBlock(_ payment: TransactionID) -> Bool {
        blocks.contains { $0.transactions.contains(payment) }
    }

    /// What the blocks that are read and kept spend of the wallet's coins, and at which height.
    public var spends: [(spend: ChainSpend, height: UInt64)] {
        blocks.flatMap { block in block.spends.map { ($0, block.height) } }
    }

    /// The height of the first block that is not checked: from it on blocks are kept; nil: nothing
    /// was read.
    public var keptFrom: UInt64? { terms?.next }

    /// The block of a deposit that was found; nil: it is not among those that are kept.
    public func block(of deposit: FoundDeposit) -> (id: BlockID, height: UInt64)? {
        blocks.first { $0.deposits.contains { $0.output == deposit.output } }
            .map { ($0.id, $0.height) }
    }

    /// The block of those that are read and kept that has a payment of the wallet's.
    public func block(of payment: TransactionID) -> BlockID? {
        blocks.first { $0.transactions.contains(payment) }?.id
    }

    /// Confirmations of a block: itself and those read behind it.
    private func depth(of block: ReadBlock) -> UInt64 {
        (blocks.last?.height ?? block.height) - block.height + 1
    }

    /// Reads on, and says what is to be done, in order. `account` says whose a script is, of all
    /// addresses that `terms` counts; `payments` are the wallet's that are not settled, in the
    /// order of the log; `isCoin` says whether an output is a coin of the wallet's; `isMoved` says
    /// whether the wallet itself has brought it to cold storage, so that it is nobody's deposit;
    /// `isLate` says whether there is no more time for another block.
    /// The caller carries the steps out in their order, up to the first that it cannot, and calls
    /// `done` for each that is in the log. What was not carried out comes again.
    public mutating func read(
        _ node: some ChainNode, _ terms: ReaderTerms, account: ([UInt8]) -> AccountID?,
        payments: [TransactionID] = [],
        isCoin: (TransactionID, UInt32) -> Bool = { _, _ in false },
        isMoved: (TransactionID, UInt32) -> Bool = { _, _ in false },
        isLate: () -> Bool = { false }
    ) -> [ReaderStep] {
        begin(terms)
        do throws(NodeError) {
            let tip = try node.tip()
            self.tip = tip
            guard try standsOn(node, tip), try dropOthers(node, isLate) else { return [] }
            try readOn(node, tip, account, isCoin, isMoved, isLate)
            if state == .reading(behind: 0), let credit = lost.values.first(where: \.isCredited) {
                state = .creditVanished(credit)
                return []
            }
            return due(payments)
        } catch {
            state = .noNode(error)
            return []
        }
    }

    /// Takes what the log says now. What the kept blocks do not fit is read again.
    private mutating func begin(_ terms: ReaderTerms) {
        let before = self.terms
        self.terms = terms
        blocks.removeAll { $0.height <= terms.checkedHeight }
        let isAnew = before.map { $0.record != terms.record } ?? false
        // A deposit to a new address may be in any of them.
        let hasNewAddresses = terms.addresses > before?.addresses ?? 0
        let isElsewhere =
            blocks.first.map {
                $0.height != terms.next
                    || terms.checkedHeight + 1 == $0.height && terms.checkedHeight > 0
                        && $0.parent != terms.checkedBlock
            } ?? false
        guard isAnew || hasNewAddresses || isElsewhere else { return }
        for block in blocks { lose(block) }
        blocks = []
        // Whoever has it read anew takes the chain as it is.
        if isAnew { lost = lost.filter { !$0.value.isCredited } }
    }

    /// Keeps what the log knows of a block's deposits until they are found again.
    private mutating func lose(_ block: ReadBlock) {
        for deposit in block.deposits where deposit.noted != nil || deposit.isCredited {
            lost[deposit.output] = deposit
        }
    }

    /// Whether the node's chain has the blocks that the log calls final.
    private mutating func standsOn(
        _ node: some ChainNode, _ tip: ChainTip
    ) throws(NodeError) -> Bool {
        guard let terms else { return true }
        let checked = (terms.checkedHeight, terms.checkedBlock)
        let final = (terms.finalHeight, terms.finalBlock)
        for (height, block) in [checked, final] where height > 0 {
            guard tip.height >= height, let found = try node.block(at: height) else {
                state = .nodeBehind(height: tip.height)
                return false
            }
            guard found == block else {
                state = .forked(height: height, expected: block, found: found)
                return false
            }
            if final.0 == checked.0 { break }
        }
        return true
    }

    /// Forgets the blocks that the node's chain no longer has; false where it must not, or has no
    /// time.
    private mutating func dropOthers(
        _ node: some ChainNode, _ isLate: () -> Bool
    ) throws(NodeError) -> Bool {
        while let last = blocks.last {
            let found = try node.block(at: last.height)
            if found == last.id { return true }
            if last.deposits.contains(where: \.isCredited) {
                state = .forked(height: last.height, expected: last.id, found: found)
                return false
            }
            lose(last)
            blocks.removeLast()
            if isLate() { return false }
        }
        return true
    }

    private mutating func readOn(
        _ node: some ChainNode, _ tip: ChainTip, _ account: ([UInt8]) -> AccountID?,
        _ isCoin: (TransactionID, UInt32) -> Bool, _ isMoved: (TransactionID, UInt32) -> Bool,
        _ isLate: () -> Bool
    ) throws(NodeError) {
        guard let terms else { return }
        var count = 0
        let keptMax = Int(terms.confirmations) + Self.waitingMax
        // One block at least: asking for it may take all the time that there is.
        while count < Self.blocksMax, blocks.count < keptMax, count == 0 || !isLate() {
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
            let deposits = deposits(block, account, isMoved)
            blocks.append(
                ReadBlock(
                    id: id, height: height, parent: block.parent, deposits: deposits,
                    transactions: block.own.union(block.outputs.lazy.map(\.transaction)),
                    spends: spends(block, deposits, isCoin)))
            count += 1
        }
        state =
            tip.isSyncing
            ? .nodeSyncing : .reading(behind: tip.height - min(tip.height, height ?? 0))
    }

    /// The final block, where it is right below this height.
    private func checkedParent(_ height: UInt64) -> BlockID? {
        guard let terms, terms.checkedHeight > 0, height == terms.checkedHeight + 1 else {
            return nil
        }
        return terms.checkedBlock
    }

    private mutating func deposits(
        _ block: ChainBlock, _ account: ([UInt8]) -> AccountID?,
        _ isMoved: (TransactionID, UInt32) -> Bool
    ) -> [FoundDeposit] {
        block.outputs.compactMap { output in
            guard output.units > 0, let owner = account(output.script),
                !isMoved(output.transaction, output.index)
            else { return nil }
            return lost.removeValue(forKey: output)
                ?? FoundDeposit(account: owner, output: output)
        }
    }

    /// What a block spends of the wallet's coins, and of deposits that are not credited yet.
    private func spends(
        _ block: ChainBlock, _ deposits: [FoundDeposit], _ isCoin: (TransactionID, UInt32) -> Bool
    ) -> [ChainSpend] {
        guard !block.spends.isEmpty else { return [] }
        var pending = Set(deposits.map { Spendable($0.output) })
        for earlier in blocks { pending.formUnion(earlier.deposits.map { Spendable($0.output) }) }
        return block.spends.filter {
            isCoin($0.transaction, $0.index)
                || pending.contains(Spendable(transaction: $0.transaction, index: $0.index))
        }
    }

    /// An output by its place.
    private struct Spendable: Hashable {
        var transaction: TransactionID
        var index: UInt32

        init(transaction: TransactionID, index: UInt32) {
            (self.transaction, self.index) = (transaction, index)
        }

        init(_ output: ChainOutput) {
            self.init(transaction: output.transaction, index: output.index)
        }
    }

    /// What the blocks that were read ask for. Of final blocks with something to credit it is one
    /// at a time, so that no more than one is ever without the block that the log holds it to.
    private mutating func due(_ payments: [TransactionID]) -> [ReaderStep] {
        guard let terms else { return [] }
        var steps: [ReaderStep] = []
        if let block = blocks.first(where: { $0.height == terms.finalHeight }),
            block.id != terms.finalBlock
        {
            state = .forked(height: block.height, expected: terms.finalBlock, found: block.id)
            return []
        }
        var final: ReadBlock?
        var (isCrediting, finalHeight) = (false, terms.finalHeight)
        for block in blocks {
            let depth = depth(of: block)
            let isFinal = depth >= UInt64(terms.confirmations) && state != .nodeSyncing
            let open = block.deposits.filter { !$0.isCredited }
            if isFinal {
                let payments = payments.filter { block.transactions.contains($0) }
                let isOpen = !open.isEmpty || !payments.isEmpty
                if !isOpen, !isCrediting { final = block }
                // Behind a block whose deposits are not credited yet only payments go on.
                let credits = isCrediting ? [] : open
                let height = block.height
                if height > finalHeight, !(credits.isEmpty && payments.isEmpty) {
                    steps.append(.finalize(height: height, block.id, addresses: terms.addresses))
                    finalHeight = height
                }
                steps += payments.map { .settle($0, height: height) }
                steps += credits.map { .credit($0) }
                isCrediting = isCrediting || isOpen
            } else {
                let confirmations = UInt32(clamping: depth)
                steps += open.filter { $0.noted != confirmations }
                    .map { .note($0, confirmations: confirmations) }
            }
        }
        if state == .reading(behind: 0) {
            steps += lost.values.map { .gone($0) }
        }
        if let final {
            steps.append(.check(height: final.height, final.id, addresses: terms.addresses))
        }
        return steps
    }

    /// A step is in the log, now or since before.
    public mutating func done(_ step: ReaderStep) {
        switch step {
        case .note(let deposit, let confirmations): change(deposit) { $0.noted = confirmations }
        case .gone(let deposit): lost[deposit.output] = nil
        case .credit(let deposit): change(deposit) { $0.isCredited = true }
        case .settle, .finalize, .check: break
        }
    }

    private mutating func change(_ deposit: FoundDeposit, _ body: (inout FoundDeposit) -> Void) {
        for index in blocks.indices {
            for place in blocks[index].deposits.indices
            where blocks[index].deposits[place].output == deposit.output {
                body(&blocks[index].deposits[place])
            }
        }
    }
}
