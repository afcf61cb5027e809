// A chain with its node, as it is followed now.

internal import Addresses
internal import Deposits
internal import Engine
internal import Keys
internal import Nodes
internal import Platform
internal import Terms
internal import UTXO

/// Why a chain of the log cannot be read.
struct ChainSetupError: Error {
    let text: String
}

/// One chain: which it is, how far it is read, and whose addresses are looked for. One owner at a
/// time.
final class FollowedChain<Node: PaymentNode> {
    let chain: Text40
    let key: String
    let node: Node
    var second: SecondNode<Node>?
    /// What the second node lacks; nil: nothing that is to be credited.
    var objection: String?
    var addresses: DepositAddresses
    var reader = ChainReader()
    var payouts = Payouts()
    /// What an operator wants adopted.
    var adopting: [TransactionID: WantedAdoption] = [:]
    /// What of that waits for withdrawals to go on, in words; nil: nothing. They are not stopped
    /// again meanwhile, and nothing is signed: it may pay what waits.
    var adoptionWait: String? {
        adopting.filter { $0.value.wait != nil }.min { $0.key < $1.key }?.value.wait
    }
    /// Its number in the log.
    let number: NetworkID
    /// The asset that comes in by it; nil: not known yet.
    var asset: AssetID?
    var watch = CoinWatch()
    var books = BooksReport()
    var cold = ColdReport()
    /// The count of changes and the record for which that is said.
    var (coldChanges, coldSequence): (UInt64?, UInt64) = (nil, 0)
    /// What the wallet has on it, while its coins are as they were at this count of changes.
    var held: (changes: UInt64, total: Int128)?
    /// The last record that the sums of `payouts` rest on.
    var payoutsSequence: UInt64 = 0
    /// When it is looked at again, monotonic.
    var nextLook: Int64 = 0
    private let network: UTXONetwork
    /// The node's last block, and since when it is, monotonic.
    private var tip: (block: BlockID, since: Int64)?

    init(_ view: ChainView, on network: UTXONetwork, _ node: Node) throws(ChainSetupError) {
        (chain, key, self.node, self.network) = (view.chain, view.key, node, network)
        number = view.network
        do throws(KeyError) {
            addresses = try DepositAddresses(key: view.key, on: network)
        } catch {
            throw ChainSetupError(text: "its public key cannot be used: \(error)")
        }
    }

    /// Takes the accounts that have an address, in the order of their indices.
    func learn(_ owners: [AccountID]) throws(ChainSetupError) {
        do throws(KeyError) { try addresses.update(owners) } catch {
            throw ChainSetupError(text: "an address cannot be derived: \(error)")
        }
    }

    /// Reads on; what is to be done about it.
    func read(
        _ view: ChainView, _ terms: NetworkView, payments: [TransactionID],
        isCoin: (TransactionID, UInt32) -> Bool, isMoved: (TransactionID, UInt32) -> Bool,
        isLate: () -> Bool
    ) -> [ReaderStep] {
        let known = ReaderTerms(
            record: view.record, firstBlock: view.firstBlock, checkedHeight: view.checkedHeight,
            checkedBlock: view.checkedBlock, finalHeight: view.finalHeight,
            finalBlock: view.finalBlock, confirmations: terms.confirmations,
            addresses: addresses.count)
        let steps = reader.read(
            node, known, account: addresses.account, payments: payments, isCoin: isCoin,
            isMoved: isMoved, isLate: isLate)
        if let block = reader.tip?.block, block != tip?.block {
            tip = (block, Clock.monotonicNanos())
        }
        return steps
    }

    /// For how many hours the node has had no new block, where that is long; test networks stand
    /// still whenever nobody mines.
    var hoursWithoutBlock: Int64? {
        guard let tip, !network.isTest else { return nil }
        let seconds = (Clock.monotonicNanos() - tip.since) / 1_000_000_000
        // One block in twelve intervals is to be waited for six times in a million.
        return seconds > 12 * network.blockSeconds ? max(1, seconds / 3_600) : nil
    }

    /// For how many hours a payment waits for its block, where that is long.
    var hoursUnconfirmed: Int64? {
        guard let since = payouts.waits.since, !network.isTest else { return nil }
        let seconds = max(0, Clock.realtimeNanos() - since) / 1_000_000_000
        return seconds > 36 * network.blockSeconds ? max(1, seconds / 3_600) : nil
    }
}

extension ReaderStep {
    /// Whether it credits a deposit: it waits while the network takes none.
    var isCredit: Bool { if case .credit = self { true } else { false } }
}

extension ChainReader {
    /// How it stands, for reports.
    var condition: ChainCondition {
        switch state {
        case .starting, .reading(behind: 1...): .reading
        case .reading: .inStep
        case .nodeSyncing: .nodeSyncing
        case .nodeBehind: .nodeBehind
        case .forked: .forked
        case .creditVanished: .creditVanished
        case .noNode: .noNode
        }
    }

    /// Whether there is more to be read now.
    var isReading: Bool { condition == .reading }

    /// Whether the node gives no answer.
    var hasNoNode: Bool { condition == .noNode }

    /// Whether the chain is not the one on which deposits were credited.
    var isBroken: Bool { condition == .forked || condition == .creditVanished }

    /// How it stands, in words, and what to do.
    var text: String {
        switch state {
        case .starting: "begins to read"
        case .reading(behind: 0): "everything up to block \(height ?? 0) is read"
        case .reading(let behind): "\(behind) blocks are not read yet"
        case .nodeSyncing: "its node is catching up: nothing is credited until it has"
        case .nodeBehind(let found):
            """
            its node's chain ends at block \(found), before one that is final here: it lags, or is \
            an older copy; nothing is credited until it has caught up
            """
        case .forked(let height, let expected, let found):
            """
            block \(height) was final as \(expected.hex), and its node has \
            \(found?.hex ?? "none") there: nothing is credited or paid. See whether the node is on \
            the right chain; if the chain itself was reorganised: boursectl wallet chain set, from \
            the block on from which it is to be read again
            """
        case .creditVanished(let deposit):
            """
            the credited deposit \(deposit.output.transaction.hex):\(deposit.output.index) is on \
            the chain no more: nothing is credited or paid. Settle it with the customer, then: \
            boursectl wallet chain set, from the block on from which it is to be read again
            """
        case .noNode(let error): "its node gives no usable answer: \(error)"
        }
    }
}
