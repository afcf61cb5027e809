// What became of a transaction of the wallet's on an EVM chain: by its receipt, and by what the
// balance of the account that paid shows.

internal import Addresses
internal import EVM
internal import Nodes
internal import Payments
internal import Terms

/// Judges transactions of one account in a block.
struct EVMSettlement {
    let node: EVMNode
    /// The account that pays.
    let hot: EVMAddress
    /// The block.
    let block: EVMBlock

    init(_ node: EVMNode, hot: EVMAddress, block id: BlockID) throws(NodeError) {
        (self.node, self.hot) = (node, hot)
        block = try node.block(id)
    }

    /// What became of a transaction that is in the block. A transfer of native coin moves it
    /// whenever it succeeds; a token may move less, or nothing: its contract decides, so the
    /// balance has to have become less by as much as all of the account's transactions of the
    /// block say. One that failed is only believed to have where the balance fits.
    func outcome(_ signed: SignedEVMTransaction) throws(NodeError) -> EVMPaymentOutcome {
        let receipt = try node.receipt(signed.id, in: block.id)
        // It would be booked.
        guard receipt.gasCost <= EVMWord(signed.transaction.feeMax) else {
            return .unclear("its receipt has a cost above what it offered")
        }
        guard block.height > 0 else { return .unclear("it is in the first block") }
        let transaction = signed.transaction
        guard receipt.isSuccess else {
            // A failed one is paid again: the balance has to say so too.
            let (moved, due) =
                transaction.data.isEmpty ? try native() : try token(transaction.destination)
            guard let moved, let due, moved <= due else {
                return .unclear("its receipt says that it failed, and the balance does not")
            }
            return .failed(receipt.gasCost, "it was reverted, or ran out of gas")
        }
        // Native coin moves whenever a transaction succeeds. What comes in within the same block,
        // by any contract's call, may hide that in the balance.
        if transaction.data.isEmpty { return .paid(receipt.gasCost) }
        let (moved, due) = try token(transaction.destination)
        guard let moved, let due else {
            return .unclear("the token does not say what its account has")
        }
        if moved >= due { return .paid(receipt.gasCost) }
        return moved == .zero
            ? .failed(receipt.gasCost, "the token moved nothing, without an error")
            : .unclear("the token moved \(moved) of \(due)")
    }

    /// By how much the account's native coin became less, and what its transactions say. What came
    /// in the same block is looked at only where it matters, and of few transactions: anybody may
    /// send many.
    private func native() throws(NodeError) -> (moved: EVMWord?, due: EVMWord?) {
        var due = EVMWord?.some(.zero)
        for transaction in block.transactions where transaction.sender == hot {
            let receipt = try node.receipt(transaction.id, in: block.id)
            due = due.flatMap(receipt.gasCost.adding)
            if receipt.isSuccess { due = due.flatMap(transaction.value.adding) }
        }
        let moved = try moved(.native, .zero)
        if let moved, let due, moved >= due { return (moved, due) }
        var come = EVMWord?.some(.zero)
        let incoming = block.transactions.filter { $0.destination == hot && $0.value > .zero }
        for transaction in incoming.prefix(Self.incomingMax)
        where try node.receipt(transaction.id, in: block.id).isSuccess {
            come = come.flatMap(transaction.value.adding)
        }
        return (try self.moved(.native, come), due)
    }

    /// Maximum transactions that sent coins to the account and are looked at.
    private static let incomingMax = 64

    /// By how much the account's token became less, and what its transactions say.
    private func token(
        _ contract: EVMAddress
    ) throws(NodeError) -> (moved: EVMWord?, due: EVMWord?) {
        var due = EVMWord?.some(.zero)
        for transaction in block.transactions
        where transaction.sender == hot && transaction.destination == contract {
            guard let call = transaction.tokenTransfer,
                try node.receipt(transaction.id, in: block.id).isSuccess
            else { continue }
            due = due.flatMap(call.amount.adding)
        }
        var come = EVMWord?.some(.zero)
        for notice in try node.transfers(in: block.id, of: [contract])
        where notice.log.to == hot && notice.log.from != hot {
            come = come.flatMap(notice.log.amount.adding)
        }
        return (try moved(.token(contract), come), due)
    }

    /// What the account had before, with what came, less what it has after; zero where that is
    /// more.
    private func moved(_ coin: EVMCoin, _ come: EVMWord?) throws(NodeError) -> EVMWord? {
        let holding = EVMHolding(hot, coin)
        guard let before = try node.balance(holding, after: block.parent),
            let after = try node.balance(holding, after: block.id),
            let sum = come.flatMap(before.adding)
        else { return nil }
        return sum.subtracting(after) ?? .zero
    }
}
