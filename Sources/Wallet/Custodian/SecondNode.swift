// A second node of a chain, of another owner or of another place: what it does not have as well is
// not credited, and a block with such a deposit does not go into the log as final.

internal import Deposits
internal import Engine
internal import Nodes
internal import Platform
internal import Terms

/// Why something waits for a chain's second node.
struct SecondObjection: Hashable {
    /// In words.
    let text: String
    /// Whether it has another block there: then nothing of the first node's chain is final.
    var isOfBlock = false
}

/// A chain's second node. One owner at a time.
struct SecondNode<Node: ChainNode> {
    /// How long it is not asked again that gave no answer: twice as long each time.
    static var silenceNanos: Int64 { 3_000_000_000 }
    /// The most of that.
    static var silenceNanosMax: Int64 { 15_000_000_000 }
    /// So many times the amount that needs no second node are credited without it, until it has
    /// agreed once more.
    static var uncheckedMax: Int128 { 10 }
    /// Blocks behind the end of its chain of which a node that prunes may have no state any more.
    static var prunedBlocks: UInt64 { 100 }
    /// How long what it said of a block holds.
    static var knownNanos: Int64 { 5_000_000_000 }

    let node: Node
    /// The block that was last asked for, and when, monotonic: one has many deposits.
    private var known: (id: BlockID, outputs: Set<ChainOutput>, time: Int64)?
    /// What was credited of an asset without it since it last agreed, in units of the ledger.
    private var unchecked: [AssetID: Int128] = [:]
    /// Until when it is not asked, monotonic, for how long that is, and what it said.
    private var silence: (until: Int64, nanos: Int64, text: String)?

    init(_ node: Node) { self.node = node }

    /// Forgets the block that was last asked for, as other addresses are looked for now.
    mutating func forget() { known = nil }

    /// Why a deposit of a block is not to be credited; nil: this node has it there as well.
    mutating func objection(
        to deposit: FoundDeposit, in block: BlockID, at height: UInt64
    ) -> SecondObjection? {
        let now = Clock.monotonicNanos()
        if let silence, now < silence.until { return SecondObjection(text: silence.text) }
        if let known, known.id == block, now - known.time < Self.knownNanos,
            known.outputs.contains(deposit.output)
        {
            return nil
        }
        var depth: UInt64 = 0
        do throws(NodeError) {
            // With the check that it is the right chain.
            let tip = try node.tip()
            guard tip.height >= height, let found = try node.block(at: height) else {
                return SecondObjection(text: "its second node's chain ends at block \(tip.height)")
            }
            guard found == block else {
                return SecondObjection(
                    text: "its second node has \(found.hex) as block \(height), and not "
                        + "\(block.hex)", isOfBlock: true)
            }
            depth = tip.height - height
            if known?.id != block {
                known = (block, Set(try node.block(block).outputs), now)
            }
            known?.time = now
            silence = nil
            guard known?.outputs.contains(deposit.output) == true else {
                return SecondObjection(
                    text: "its second node has no such output in block \(height)")
            }
            unchecked = [:]
            return nil
        } catch {
            var text = "its second node gives no usable answer: \(error)"
            if case .refused = error, depth >= Self.prunedBlocks {
                text +=
                    ". If it keeps nothing of block \(height) any more, it never will: see the "
                    + "deposit elsewhere, and take the node out of [walletd] nodes until it is "
                    + "credited"
            }
            if case .unreachable = error {
                let nanos = min(2 * (silence?.nanos ?? Self.silenceNanos / 2), Self.silenceNanosMax)
                silence = (Clock.monotonicNanos() + nanos, nanos, text)
            }
            return SecondObjection(text: text)
        }
    }

    /// Whether a deposit is credited without it: it is no more than what the owner sets of its
    /// asset, and neither is a tenth of all that were since it last agreed.
    func passes(
        _ deposit: FoundDeposit, of asset: AssetView?,
        _ above: [(asset: Text16, amount: DecimalText)]
    ) -> Bool {
        guard let asset, let one = above.first(where: { $0.asset == asset.code }),
            case .whole(let units) = one.amount.steps(of: 1, scale: Int(asset.scale)),
            deposit.output.units <= units
        else { return false }
        let (sum, isOver) = (unchecked[asset.id] ?? 0).addingReportingOverflow(deposit.output.units)
        let (most, isAny) = units.multipliedReportingOverflow(by: Self.uncheckedMax)
        return isAny || !isOver && sum <= most
    }

    /// A deposit is credited. What this node does not have as well counts.
    mutating func credited(_ deposit: FoundDeposit, of asset: AssetID) {
        if known?.outputs.contains(deposit.output) == true { return }
        let (sum, isOver) = (unchecked[asset] ?? 0).addingReportingOverflow(deposit.output.units)
        unchecked[asset] = isOver ? .max : sum
    }
}

/// What a chain's second node keeps from the log at one look.
struct SecondGate {
    /// What it lacks: it is asked for no further deposit then.
    private(set) var objection: SecondObjection?

    /// Whether a step is left out. A block goes into the log as final only once `ask` objects to
    /// none of its deposits, or where a payment is to be settled in it; what pays somebody does not
    /// wait for a deposit, unless the nodes have different blocks.
    mutating func leavesOut(
        _ place: Int, of steps: [ReaderStep], ask: (FoundDeposit) -> SecondObjection?
    ) -> Bool {
        switch steps[place] {
        case .note, .gone: return false
        case .settle, .check: return objection?.isOfBlock == true
        case .credit(let deposit):
            if objection == nil { objection = ask(deposit) }
            return objection != nil
        case .finalize:
            var isSettled = false
            loop: for step in steps[(place + 1)...] {
                switch step {
                case .finalize, .check: break loop
                case .settle: isSettled = true
                case .credit(let deposit): if objection == nil { objection = ask(deposit) }
                case .note, .gone: break
                }
            }
            return objection.map { $0.isOfBlock || !isSettled } ?? false
        }
    }
}

extension FoundDeposit {
    /// That it waits, and why.
    func waits(_ objection: SecondObjection) -> String {
        "the deposit \(output.transaction.hex):\(output.index) waits: \(objection.text)"
    }
}
