// A second node of a chain, of another owner or of another place: what it does not have as well is
// not credited.

internal import Deposits
internal import Engine
internal import Nodes
internal import Terms

/// A chain's second node. One owner at a time.
struct SecondNode<Node: ChainNode> {
    let node: Node
    /// The block that was last asked for: one has many deposits.
    private var known: (id: BlockID, outputs: Set<ChainOutput>)?

    init(_ node: Node) { self.node = node }

    /// Why a deposit of a block is not to be credited; nil: this node has it there as well.
    mutating func objection(
        to deposit: FoundDeposit, in block: BlockID, at height: UInt64
    ) -> String? {
        do throws(NodeError) {
            // With the check that it is the right chain.
            let tip = try node.tip()
            guard tip.height >= height, let found = try node.block(at: height) else {
                return "its second node's chain ends at block \(tip.height)"
            }
            guard found == block else {
                return "its second node has \(found.hex) as block \(height), and not \(block.hex)"
            }
            if known?.id != block {
                known = (block, Set(try node.block(block).outputs))
            }
            guard known?.outputs.contains(deposit.output) == true else {
                return "its second node has no such output in block \(height)"
            }
            return nil
        } catch { return "its second node gives no usable answer: \(error)" }
    }
}

extension FoundDeposit {
    /// Whether it is credited without the second node: it is no more than what the owner sets of
    /// its asset.
    func isSmall(
        _ asset: AssetView?, _ above: [(asset: Text16, amount: DecimalText)]
    ) -> Bool {
        guard let asset, let one = above.first(where: { $0.asset == asset.code }),
            case .whole(let units) = one.amount.steps(of: 1, scale: Int(asset.scale))
        else { return false }
        return output.units <= units
    }

    /// That it waits, and why.
    func waits(_ why: String) -> String {
        "the deposit \(output.transaction.hex):\(output.index) waits: \(why)"
    }
}
