// Decides what of a block of an EVM chain is a deposit.
//
// What is credited is what the balances show: an address has so much more after the block than
// before it, less what the wallet's own transactions moved. Transactions and logs say where to look
// and whom to name, and bound what one deposit can be; they never add to what arrived. A contract
// can log what it likes, keep a fee, or move nothing at all.
//
// An output is named by its transaction and an index: of a token the log's place among those of its
// transaction, of the native coin `nativeOutput`, which no log has: it would cost more gas than any
// block holds. Both are the same in whatever block a reorganisation puts the transaction.

public import Addresses
public import EVM
public import Nodes
public import Terms

/// Whose deposits are looked for, and what the wallet itself does.
public struct EVMWatch: Sendable {
    /// The addresses of customers.
    public var addresses: EVMDepositAddresses
    /// The tokens that are credited, by their contracts.
    public var tokens: Set<EVMAddress>
    /// The wallet's other addresses, from which it pays withdrawals, and gas for its customers'
    /// addresses.
    public var wallet: Set<EVMAddress>
    /// The wallet's transactions that pay withdrawals: what they bring to a customer's address is
    /// a deposit, as from anybody else. Whatever else its addresses send is not.
    public var payments: Set<TransactionID>

    /// What is looked for.
    public init(
        addresses: EVMDepositAddresses, tokens: Set<EVMAddress>, wallet: Set<EVMAddress> = [],
        payments: Set<TransactionID> = []
    ) {
        (self.addresses, self.tokens) = (addresses, tokens)
        (self.wallet, self.payments) = (wallet, payments)
    }

    /// Whether the wallet moves its own coins by it.
    func isOwn(_ transaction: EVMBlockTransaction) -> Bool {
        !payments.contains(transaction.id)
            && (wallet.contains(transaction.sender)
                || addresses.account(transaction.sender) != nil)
    }
}

/// What an address had before a block and after it; nil: its token does not say.
public struct EVMBalances: Hashable, Sendable {
    /// After the block before.
    public var before: EVMWord?
    /// After the block.
    public var after: EVMWord?

    /// Two balances.
    public init(before: EVMWord?, after: EVMWord?) { (self.before, self.after) = (before, after) }
}

/// A deposit in a block.
public struct EVMDeposit: Hashable, Sendable {
    /// Who gets it.
    public var account: AccountID
    /// The transaction that brought it.
    public var transaction: TransactionID
    /// Which of the transaction's outputs it is; see this file's head.
    public var output: UInt32
    /// Where it arrived, and what.
    public var holding: EVMHolding
    /// How much arrived, in the coin's smallest unit; above zero.
    public var units: EVMWord
}

/// What of a block cannot be explained. Nothing of it is credited.
public enum EVMAnomaly: Hashable, Sendable, CustomStringConvertible {
    /// More arrived than transactions and logs say: by an internal call, from a validator, or by a
    /// token that moves without a log.
    case surplus(EVMHolding, EVMWord)
    /// Less arrived than they say: the token keeps a fee, or its logs lie.
    case shortfall(EVMHolding, EVMWord)
    /// It became less by more than the wallet moved.
    case loss(EVMHolding, EVMWord)
    /// The token does not say what the address has, so nothing that it logged is credited.
    case unreadable(EVMHolding)
    /// The numbers are beyond 256 bits, or an amount beyond what the ledger holds.
    case outOfRange(EVMHolding)

    /// What it is, in words.
    public var description: String {
        switch self {
        case .surplus(let holding, let units):
            "\(holding.words): \(units) arrived that no transaction or log explains"
        case .shortfall(let holding, let units):
            "\(holding.words): \(units) less arrived than transactions and logs say"
        case .loss(let holding, let units):
            "\(holding.words): \(units) left it that the wallet did not move"
        case .unreadable(let holding):
            "\(holding.words): the token does not say its balance, so nothing of it is credited: "
                + "see what has arrived, and book it by hand"
        case .outOfRange(let holding): "\(holding.words): its numbers are too large"
        }
    }
}

extension EVMHolding {
    /// In words, for reports.
    var words: String {
        switch coin {
        case .native: "\(holder), native coin"
        case .token(let token): "\(holder), token \(token)"
        }
    }
}

/// A block, and what the node says of what may be deposits in it.
public struct EVMBlockFacts: Sendable {
    /// The block.
    public let block: EVMBlock
    /// By transaction: at least those of `EVMDeposits.receipts`.
    public let receipts: [TransactionID: EVMReceipt]

    /// A block with receipts.
    public init(_ block: EVMBlock, receipts: [TransactionID: EVMReceipt]) {
        (self.block, self.receipts) = (block, receipts)
    }
}

/// What a block's transactions and logs say of one holding.
private struct HoldingFlow {
    /// What others sent to it, in their order.
    var claims: [(transaction: TransactionID, output: UInt32, units: EVMWord)] = []
    /// What the wallet itself sent to it; nil: beyond 256 bits.
    var ownIn: EVMWord? = .zero
    /// What the wallet itself sent from it; nil: beyond 256 bits.
    var ownOut: EVMWord? = .zero
}

/// The decision. Pure.
public enum EVMDeposits {
    /// The output's index of native coin.
    public static let nativeOutput = UInt32.max

    /// The transactions whose receipts the decision needs, in their order. `notices` are the
    /// transfers that the block's logs have of the watched tokens.
    public static func receipts(
        _ block: EVMBlock, _ notices: [EVMTransferNotice], _ watch: EVMWatch
    ) -> [TransactionID] {
        let logged = Set(
            notices.filter { notice in
                [notice.log.from, notice.log.to].contains { watch.addresses.account($0) != nil }
            }.map(\.transaction))
        return block.transactions.filter { transaction in
            logged.contains(transaction.id)
                || watch.addresses.account(transaction.sender) != nil
                || transaction.value > .zero
                    && transaction.destination.flatMap(watch.addresses.account) != nil
        }.map(\.id)
    }

    /// The holdings to which something was sent that may be a deposit, in their order.
    public static func holdings(_ facts: EVMBlockFacts, _ watch: EVMWatch) -> [EVMHolding] {
        let (order, flows) = flows(facts, watch)
        return order.filter { flows[$0]?.claims.isEmpty == false }
    }

    /// What of customers' addresses the block's transactions may have changed, by what transactions
    /// and logs say.
    public static func touched(_ facts: EVMBlockFacts, _ watch: EVMWatch) -> Set<EVMHolding> {
        var touched: Set<EVMHolding> = []
        func touch(_ holder: EVMAddress?, _ coin: EVMCoin) {
            guard let holder, watch.addresses.account(holder) != nil else { return }
            touched.insert(EVMHolding(holder, coin))
        }
        for transaction in facts.block.transactions {
            guard let receipt = facts.receipts[transaction.id] else { continue }
            touch(transaction.sender, .native)
            touch(transaction.destination, .native)
            for transfer in receipt.transfers where watch.tokens.contains(transfer.log.token) {
                touch(transfer.log.from, .token(transfer.log.token))
                touch(transfer.log.to, .token(transfer.log.token))
            }
            if let token = transaction.destination, transaction.tokenTransfer != nil,
                watch.tokens.contains(token)
            {
                touch(transaction.sender, .token(token))
            }
        }
        return touched
    }

    /// The deposits of a block, and what of the given balances is not explained. `balances` are
    /// those of `holdings` at least; of a holding that is not among them nothing is credited.
    public static func findings(
        _ facts: EVMBlockFacts, _ balances: [EVMHolding: EVMBalances], _ watch: EVMWatch
    ) -> (deposits: [EVMDeposit], anomalies: [EVMAnomaly]) {
        let (order, flows) = flows(facts, watch)
        var (deposits, anomalies): ([EVMDeposit], [EVMAnomaly]) = ([], [])
        let others = balances.keys.filter { flows[$0] == nil }
            .sorted { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }
        for holding in order + others {
            let flow = flows[holding] ?? HoldingFlow()
            guard let account = watch.addresses.account(holding.holder),
                let known = balances[holding]
            else { continue }
            guard let before = known.before, let after = known.after else {
                anomalies.append(.unreadable(holding))
                continue
            }
            guard let credit = flow.ownOut.flatMap(after.adding),
                let debit = flow.ownIn.flatMap(before.adding)
            else {
                anomalies.append(.outOfRange(holding))
                continue
            }
            if let loss = debit.subtracting(credit), loss > .zero {
                anomalies.append(.loss(holding, loss))
            }
            var (rest, missing) = (credit.subtracting(debit) ?? .zero, EVMWord.zero)
            for claim in flow.claims {
                let units = min(claim.units, rest)
                rest = rest.subtracting(units) ?? .zero
                missing = claim.units.subtracting(units).flatMap(missing.adding) ?? .max
                guard units > .zero else { continue }
                deposits.append(
                    EVMDeposit(
                        account: account, transaction: claim.transaction, output: claim.output,
                        holding: holding, units: units))
            }
            if missing > .zero { anomalies.append(.shortfall(holding, missing)) }
            if rest > .zero { anomalies.append(.surplus(holding, rest)) }
        }
        return (deposits, anomalies)
    }

    /// What moved by the block's successful transactions, by holding of a customer's address, and
    /// these holdings in the order of their first appearance.
    private static func flows(
        _ facts: EVMBlockFacts, _ watch: EVMWatch
    ) -> (order: [EVMHolding], flows: [EVMHolding: HoldingFlow]) {
        var (order, flows): ([EVMHolding], [EVMHolding: HoldingFlow]) = ([], [:])
        func change(_ holding: EVMHolding, _ body: (inout HoldingFlow) -> Void) {
            guard watch.addresses.account(holding.holder) != nil else { return }
            if flows[holding] == nil { order.append(holding) }
            body(&flows[holding, default: HoldingFlow()])
        }
        for transaction in facts.block.transactions {
            guard let receipt = facts.receipts[transaction.id] else { continue }
            let isOwn = watch.isOwn(transaction)
            func arrive(_ holding: EVMHolding, _ output: UInt32, _ units: EVMWord) {
                guard units > .zero else { return }
                change(holding) { flow in
                    if isOwn {
                        flow.ownIn = flow.ownIn.flatMap(units.adding)
                    } else {
                        flow.claims.append((transaction.id, output, units))
                    }
                }
            }
            let sender = EVMHolding(transaction.sender, .native)
            change(sender) { $0.ownOut = $0.ownOut.flatMap(receipt.gasCost.adding) }
            guard receipt.isSuccess else { continue }
            change(sender) { $0.ownOut = $0.ownOut.flatMap(transaction.value.adding) }
            if let token = transaction.destination, let sent = sentToken(transaction, receipt) {
                change(EVMHolding(transaction.sender, .token(token))) {
                    $0.ownOut = $0.ownOut.flatMap(sent.adding)
                }
            }
            if let destination = transaction.destination {
                arrive(EVMHolding(destination, .native), nativeOutput, transaction.value)
            }
            for transfer in receipt.transfers where watch.tokens.contains(transfer.log.token) {
                arrive(
                    EVMHolding(transfer.log.to, .token(transfer.log.token)), transfer.index,
                    transfer.log.amount)
            }
        }
        return (order, flows)
    }

    /// What a transaction moved of a token from its sender: what it called for, and no more than
    /// the token logged, since a token may refuse without failing. What left is added to what
    /// arrived, so here too little is safe and too much is not.
    private static func sentToken(
        _ transaction: EVMBlockTransaction, _ receipt: EVMReceipt
    ) -> EVMWord? {
        guard let call = transaction.tokenTransfer else { return nil }
        let logged = receipt.transfers.filter {
            $0.log.token == transaction.destination && $0.log.from == transaction.sender
        }.reduce(EVMWord?.some(.zero)) { sum, transfer in sum.flatMap(transfer.log.amount.adding) }
        return min(call.amount, logged ?? .max)
    }
}

extension EVMHolding {
    /// For an order that is the same at each run.
    fileprivate var sortKey: [UInt8] {
        switch coin {
        case .native: holder.bytes
        case .token(let token): holder.bytes + token.bytes
        }
    }
}
