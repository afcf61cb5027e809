// Pays withdrawals: the signer signs, the bytes go into the log, and then the node gets them.
//
// Nothing is broadcast that is not in the log. What was signed and did not get there comes back
// from the signer, which never signs two transactions of one withdrawal that could both be final.

internal import Addresses
internal import Deposits
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO
internal import Wire

extension Custodian {
    /// Looks after a chain's payments. Returns whether more is to be paid at once.
    func pay(
        _ view: ChainView, _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        guard !coins.hasGap, let known = coins.coins(view.network) else {
            chain.payouts.report = PayoutReport(
                condition: .coinsUnknown, text: "records of the log were missed: restart walletd")
            return false
        }
        let reader = chain.reader
        if !reader.hasNoNode {
            chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
        }
        let waiting = approved(terms)
        let total = Int64(clamping: known.total)
        var report = PayoutReport(
            approved: waiting.count, open: known.payments.count,
            free: Int64(clamping: known.free.reduce(Int128(0)) { $0 + Int128($1.coin.amount) }),
            total: total)
        let now = Clock.monotonicNanos()
        if waiting.isEmpty { chain.payouts.planTime = nil }
        var isBusy = false
        if let refusal = session.replica.engine.refusal(ofPaying: terms) {
            (report.condition, report.text) = (.stopped, refusal)
        } else if !waiting.isEmpty, reader.condition != .inStep {
            (report.condition, report.text) = (
                .waiting, "nothing is signed until the chain is in step"
            )
        } else if !waiting.isEmpty {
            let time = chain.payouts.planTime ?? now + Payouts.batchNanos
            chain.payouts.planTime = time
            if now >= time {
                let (condition, text) = try payNext(waiting, terms, known, chain)
                (report.condition, report.text) = (condition, text)
                isBusy = condition == .paying
                chain.payouts.planTime = isBusy ? nil : now + Payouts.retryNanos
            } else if !chain.payouts.report.condition.isSound {
                // What was wrong stays so until it is tried again.
                let last = chain.payouts.report
                (report.condition, report.text) = (last.condition, last.text)
            } else {
                report.condition = .paying
            }
        } else if !known.payments.isEmpty {
            report.condition = .paying
        }
        if let (id, why) = chain.payouts.refusals.min(by: { $0.key < $1.key }) {
            report.condition = .nodeRefuses
            report.text = "its node does not take the payment \(id.hex): \(why)"
        }
        chain.payouts.report = report
        return isBusy
    }

    private func approved(_ terms: NetworkView) -> Set<WithdrawalID> {
        var waiting: Set<WithdrawalID> = []
        session.replica.engine.forEachWithdrawal {
            if $0.status == .approved, $0.asset == terms.asset, $0.network == terms.network {
                waiting.insert($0.id)
            }
        }
        return waiting
    }

    /// Plans one payment, has it signed and brings it into the log.
    private func payNext(
        _ waiting: Set<WithdrawalID>, _ terms: NetworkView, _ known: ChainCoins,
        _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (PayoutCondition, String) {
        var conditions: PaymentConditions
        do throws(NodeError) {
            conditions = PaymentConditions(
                feeRate: try chain.payouts.feeRate(chain.node), seed: .random(in: 0 ... .max))
        } catch { return (.waiting, "its node says no fee: \(error)") }
        conditions.conflicts = chain.payouts.conflicts(waiting, known)
        let reader = chain.reader
        let proposal = PaymentProposal(terms, session.replica.engine, coins, conditions) {
            reader.isInBlock($0)
        }
        switch proposal {
        case .nothing: return (.idle, "")
        case .short(let count, let missing):
            return (
                .short,
                """
                \(count) withdrawals wait, and \(missing) base units are missing for the first: \
                the wallet's coins are spent, or not in a block yet
                """
            )
        case .unpayable(let id, let why):
            return (
                .unpayable,
                "withdrawal \(id.number) cannot be paid: \(why); refuse it: boursectl wallet refuse"
            )
        case .request(let request):
            switch signer.answer(request) {
            case .failure(let absence): return (.noSigner, absence.text)
            case .success(.refused(let refusal, let text)):
                return (.signerRefuses, "\(refusal.rawValue): \(text)")
            case .success(.signed(let payment)): return try bring(payment, request, chain)
            }
        }
    }

    /// Brings a signed payment into the log, and then to the node.
    private func bring(
        _ payment: SignedPayment, _ request: SigningRequest, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (PayoutCondition, String) {
        guard payment.network == request.network, payment.asset == request.asset else {
            return (.signerRefuses, "its answer is of another chain")
        }
        let outcome = try submit(
            SignWithdrawals(
                asset: payment.asset, network: payment.network, transaction: payment.transaction,
                replaces: payment.replaces, withdrawals: payment.withdrawals, bytes: payment.bytes))
        switch outcome.refusal {
        case .none, .referenceDuplicate:
            let reader = chain.reader
            if let known = coins.coins(payment.network) {
                chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
            }
            return (.paying, "")
        case .withdrawalUnknown, .stateInvalid:
            // One of them was cancelled or refused meanwhile. The others are paid by a transaction
            // that spends a coin of this one, so that never both are final.
            guard let network = coins.coins(payment.network)?.network,
                let transaction = try? UTXOTransaction(payment.bytes, on: network),
                chain.payouts.conflicts.count < Payouts.conflictsMax
            else { return (.logRefuses, "\(outcome.refusal)") }
            chain.payouts.conflicts[payment.transaction] = Payouts.Conflict(
                withdrawals: Set(payment.withdrawals),
                inputs: Set(transaction.inputs.map(\.outPoint)))
            return (.paying, "")
        default: return (.logRefuses, "the log refuses a payment: \(outcome.refusal)")
        }
    }

    /// A payment is final in the block of a height.
    func settle(
        _ payment: TransactionID, _ height: UInt64, _ terms: NetworkView
    ) throws(CommandSessionError) -> Refusal {
        guard let open = coins.coins(terms.network)?.payments[payment] else { return .none }
        let outcome = try submit(
            SettleTransaction(
                transaction: payment, costAsset: terms.asset,
                cost: Amount(units: Int128(open.fee)), block: height))
        return outcome.refusal == .transactionUnknown ? .none : outcome.refusal
    }
}
