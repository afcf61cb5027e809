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
        guard let known = coins.coins(view.network) else { return false }
        let reader = chain.reader
        let sets = PaymentSet.all(known.payments)
        chain.payouts.waits.take(sets, height: reader.height) { reader.isInBlock($0) }
        chain.payouts.waits.see(reader) { id in sets.first { $0.ids.contains(id) }?.ids ?? [id] }
        if reader.condition == .inStep {
            chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
            lookForForeignSpends(sets, known, chain)
            keepPrevious(known, chain)
        }
        var waiting = approved(terms)
        let left = chain.payouts.leavesOut(waiting)
        var report = summary(waiting, known, chain)
        let now = Clock.monotonicNanos()
        var held: (PayoutCondition, String)?
        if let screening, session.isLed {
            let verdict = screening.verdict(
                waiting, session.replica.engine, chain: view.chain, now: now)
            (waiting, held) = (verdict.released, verdict.problem)
        }
        // Those that nobody pays now wait for no coins.
        let isAnyPayable = waiting.subtracting(left).contains {
            let account = session.replica.engine.withdrawal($0)?.account
            return account.map { session.replica.engine.account($0)?.isKilled == false } ?? false
        }
        if waiting.isEmpty { chain.payouts.planTime = nil }
        var isBusy = false
        if let wait = chain.adoptionWait {
            (report.condition, report.text) = (.foreign, wait)
        } else if let refusal = session.replica.engine.refusal(ofPaying: terms) {
            (report.condition, report.text) = (.stopped, refusal)
        } else if !session.isLed {
            (report.condition, report.text) = (.stopped, "another host leads: it pays")
            if !waiting.isEmpty || !sets.isEmpty { greetLeader() }
        } else if !waiting.isEmpty, reader.condition != .inStep {
            (report.condition, report.text) = (
                .waiting, "nothing is signed until the chain is in step"
            )
        } else if !waiting.isEmpty {
            let time = chain.payouts.planTime ?? now + Payouts.batchNanos
            chain.payouts.planTime = time
            if now >= time {
                (report.condition, report.text) = try payNext(waiting, terms, known, chain)
                isBusy = report.condition == .paying
                let rest =
                    report.condition == .logRefuses
                    ? Payouts.refusedNanos : Payouts.retryNanos
                // Those that did not fit into one payment wait for nobody else.
                let isMore = waiting.count > chain.payouts.payeesMax
                chain.payouts.planTime = isBusy ? (isMore ? now : nil) : now + rest
            } else if !chain.payouts.report.condition.isSound,
                !chain.payouts.report.condition.isOfScreening
            {
                // What was wrong stays so until it is tried again.
                let last = chain.payouts.report
                (report.condition, report.text) = (last.condition, last.text)
            } else {
                report.condition = .paying
            }
        } else if !known.payments.isEmpty {
            report.condition = .paying
        }
        if report.condition != .stopped, report.condition != .foreign,
            reader.condition == .inStep, !isBusy,
            try bumpNext(sets, known, terms, chain)
        {
            isBusy = true
        }
        if report.condition != .stopped, reader.condition == .inStep, !isBusy, !isAnyPayable,
            try move(terms, known, chain)
        {
            isBusy = true
        }
        if reader.condition == .inStep, !isBusy, try adoptDropped(terms, known, chain) {
            isBusy = true
        }
        if reader.condition == .inStep, !isBusy, try dropEnded(terms, chain) { isBusy = true }
        tellTransfers(&report, terms, known, chain, isAnyPayable: isAnyPayable)
        if let held, report.condition.isSound, report.condition != .stopped {
            (report.condition, report.text) = held
        }
        report.lost = lost(chain)
        tellProblems(&report, chain)
        chain.payouts.report = report
        return isBusy
    }

    /// Keeps what a pruned node may forget.
    private func keepPrevious(_ known: ChainCoins, _ chain: FollowedChain<Node>) {
        guard chain.reader.tip?.isPruned == true, let previousFolder else { return }
        chain.payouts.previous.folder = Directory.join(previousFolder, "\(known.chain)")
        do throws(NodeError) {
            try chain.payouts.previous.sweep(known, chain.node)
            chain.payouts.keepFault = nil
        } catch { chain.payouts.keepFault = "\(error)" }
    }

    /// What waits and what there is; the sums are those of the last look where nothing changed.
    private func summary(
        _ waiting: Set<WithdrawalID>, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) -> PayoutReport {
        var report = PayoutReport(approved: waiting.count, open: known.payments.count)
        if chain.payoutsSequence == coins.sequence {
            (report.free, report.total) = (chain.payouts.report.free, chain.payouts.report.total)
        } else {
            chain.payoutsSequence = coins.sequence
            report.total = Int64(clamping: known.total)
            let free = known.free
            report.free = Int64(clamping: free.reduce(Int128(0)) { $0 + Int128($1.coin.amount) })
            (chain.payouts.settledFree, chain.payouts.freeCount) = (known.settledFree, free.count)
        }
        return report
    }

    /// The first hundred payments that lost a coin to another transaction.
    private func lost(_ chain: FollowedChain<Node>) -> [LostPayment] {
        let waits = chain.payouts.waits
        return waits.lost.sorted { $0.key < $1.key }.prefix(100).map { id, lost in
            LostPayment(
                transaction: id, coin: lost.coin, isFinal: waits.isFinal(id, chain.reader))
        }
    }

    /// What is wrong although payments go on.
    private func tellProblems(_ report: inout PayoutReport, _ chain: FollowedChain<Node>) {
        if let (_, why) = chain.payouts.waits.spentElsewhere.min(by: { $0.key < $1.key }) {
            (report.condition, report.text) = (.spentElsewhere, why)
        } else if let (id, why) = chain.payouts.refusals.min(by: { $0.key < $1.key }) {
            report.condition = .nodeRefuses
            report.text = "its node does not take the payment \(id.hex): \(why)"
        } else if report.condition.isSound || report.condition == .short,
            let fault = chain.payouts.previous.faults.min(by: { $0.key < $1.key })
        {
            (report.condition, report.text) = (.coinsDiffer, "not spent: \(fault.value)")
        } else if report.condition.isSound, let fault = chain.payouts.keepFault {
            (report.condition, report.text) = (.coinsDiffer, fault)
        } else if report.condition.isSound, let left = chain.payouts.leftOutReport {
            (report.condition, report.text) = left
        } else if report.condition.isSound,
            let (id, why) = chain.payouts.waits.bumpFaults.min(by: { $0.key < $1.key })
        {
            report.condition = .slow
            report.text = "the payment \(id.hex) waits for a block, and is not replaced: \(why)"
        } else if report.condition.isSound,
            let (id, why) = chain.payouts.waits.kept.min(by: { $0.key < $1.key })
        {
            report.condition = .slow
            report.text =
                "its node keeps an older payment in the place of \(id.hex): \(why). Does it "
                + "replace transactions (mempoolreplacement=1)? Whichever is mined settles all"
        } else if report.condition.isSound, let hours = chain.hoursUnconfirmed {
            report.condition = .slow
            report.text =
                "a payment waits for a block for \(hours) hours: its fee is too low by now, or the "
                + "node does not pass it on"
        }
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
        let proposal: PaymentProposal
        do throws(NodeError) { proposal = try plan(waiting, terms, known, chain) } catch {
            return (.waiting, "its node does not say what a payment needs: \(error)")
        }
        switch proposal {
        case .nothing:
            let left = chain.payouts.leftOutReport
            return left ?? (.stopped, "the accounts of those that wait are killed")
        case .short(let count, let missing):
            return (
                .short,
                """
                \(count) withdrawals wait, and \(missing) base units are missing for the first: \
                the wallet's coins are spent, or not in a block yet\(Self.words(holding: known))
                """
            )
        case .unpayable(let id, let why):
            chain.payouts.refused(
                [id], .unpayable, "\(why); it can be refused: boursectl wallet refuse")
            return (.unpayable, "withdrawal \(id.number) cannot be paid: \(why)")
        case .request(let request):
            switch signer.answer(request) {
            case .failure(let absence): return (.noSigner, absence.text)
            case .success(.earlier(let payments)):
                for payment in payments where !chain.payouts.conflict(with: payment, on: known) {
                    return (.signerRefuses, "too many transactions never got into the log")
                }
                return (.paying, "")
            case .success(.refused(let refusal, let text)):
                let isOfSome: Set<SigningRefusal> = [.limit, .notPayable, .signedBefore, .outputs]
                if isOfSome.contains(refusal) {
                    chain.payouts.refused(
                        request.withdrawals, .signerRefuses, "\(refusal.rawValue): \(text)")
                }
                return (.signerRefuses, "\(refusal.rawValue): \(text)")
            case .success(.signed(let payment))
            where !payment.withdrawals.allSatisfy(waiting.contains):
                // It was signed before, also for one that is not to go out now: the others are
                // paid by a transaction that spends a coin of it.
                return chain.payouts.conflict(with: payment, on: known)
                    ? (.paying, "")
                    : (.signerRefuses, "too many transactions never got into the log")
            case .success(.signed(let payment)):
                return try bring(payment, request, known, chain)
            }
        }
    }

    /// Plans a payment whose coins the node's chain has, with the transactions that prove them.
    private func plan(
        _ waiting: Set<WithdrawalID>, _ terms: NetworkView, _ known: ChainCoins,
        _ chain: FollowedChain<Node>
    ) throws(NodeError) -> PaymentProposal {
        var conditions = PaymentConditions(
            feeRate: try chain.payouts.feeRate(chain.node), seed: .random(in: 0 ... .max))
        conditions.conflicts = chain.payouts.conflicts(waiting, known)
        conditions.only = waiting
        conditions.leavesOut = chain.payouts.leavesOut(waiting)
        conditions.payeesMax = chain.payouts.payeesMax
        let reader = chain.reader
        let deadline = Clock.monotonicNanos() + Self.planNanosMax
        while true {
            conditions.absent = chain.payouts.absentCoins()
            let proposal = PaymentProposal(terms, session.replica.engine, coins, conditions) {
                reader.isInBlock($0)
            }
            guard case .request(var request) = proposal,
                let transaction = try? UTXOTransaction(request.transaction, on: known.network)
            else { return proposal }
            let inputs = transaction.inputs.map(\.outPoint)
            switch try proof(of: inputs, known, chain, until: deadline) {
            case .whole(let previous):
                request.previous = previous
                return .request(request)
            case .tooLarge where inputs.count > 1: conditions.inputsMax = inputs.count / 2
            case .tooLarge: throw .unreachable("the transaction of a coin is too large")
            case .lacksCoins: continue
            }
        }
    }

    /// What there is to prove a payment's inputs.
    enum InputProof {
        /// The transactions that they spend from.
        case whole([[UInt8]])
        /// These are more than the signer takes at once.
        case tooLarge
        /// Some of the coins cannot be spent, which is noted.
        case lacksCoins
    }

    /// Asks for the coins of a payment and for their transactions, until it is too late; what was
    /// found is found at once the next time.
    func proof(
        of inputs: [OutPoint], _ known: ChainCoins, _ chain: FollowedChain<Node>,
        until deadline: Int64
    ) throws(NodeError) -> InputProof {
        var found: [TransactionID: [UInt8]] = [:]
        var (lacks, bytes) = (false, 0)
        chain.payouts.previous.forgetOthers(known)
        for input in inputs {
            guard Clock.monotonicNanos() < deadline else {
                throw .unreachable("it takes long to say what coins are; it is asked again")
            }
            guard let output = try chain.node.unspent(input.transaction, input.output),
                let previous = try chain.payouts.previous.transaction(
                    of: input, output, known, chain.node)
            else {
                guard chain.payouts.absent.count < Payouts.absentMax else {
                    throw .unreachable("it lacks more coins of the wallet's than can be left out")
                }
                chain.payouts.absent[input] = Clock.monotonicNanos() + Payouts.absentNanos
                lacks = true
                continue
            }
            if found.updateValue(previous, forKey: input.transaction) == nil {
                bytes += previous.count
            }
        }
        if lacks { return .lacksCoins }
        guard bytes <= PreviousTransactions.totalBytesMax else { return .tooLarge }
        return .whole(Array(found.values))
    }

    /// Brings a signed payment into the log, and then to the node.
    func bring(
        _ payment: SignedPayment, _ request: SigningRequest, _ known: ChainCoins,
        _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (PayoutCondition, String) {
        guard payment.network == request.network, payment.asset == request.asset else {
            return (.signerRefuses, "its answer is of another chain")
        }
        // Whoever stands at the signer's socket says what it wants, and the log would have it.
        guard isGenuine(payment) else { return (.signerRefuses, Payouts.notGenuine(payment)) }
        let outcome = try submit(
            SignWithdrawals(
                asset: payment.asset, network: payment.network, transaction: payment.transaction,
                replaces: payment.replaces, withdrawals: payment.withdrawals, bytes: payment.bytes))
        switch outcome.refusal {
        case .none, .referenceDuplicate:
            chain.payouts.payeesMax = Limits.payeesMax
            let reader = chain.reader
            if let known = coins.coins(payment.network) {
                chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
            }
            return (.paying, "")
        case .sessionUnknown:
            // Another wallet wrote meanwhile: the signer gives it again.
            return (.paying, "")
        case .withdrawalUnknown, .stateInvalid, .accountKilled:
            // One of them was cancelled or refused meanwhile. The others are paid by a transaction
            // that spends a coin of this one, so that never both are final.
            return chain.payouts.conflict(with: payment, on: known)
                ? (.paying, "") : (.logRefuses, "\(outcome.refusal)")
        default:
            return (.logRefuses, "the log refuses a payment: \(outcome.refusal)")
        }
    }

    /// Whether the log has a payment, or it is a transaction of the wallet's keys that pays its
    /// withdrawals and nobody else; of a transfer, the wallet itself.
    private func isGenuine(_ payment: SignedPayment) -> Bool {
        if session.replica.engine.payment(payment.transaction) != nil { return true }
        guard let known = coins.coins(payment.network) else { return false }
        let paid = payment.withdrawals
        let isDue =
            paid.isEmpty
            ? known.isTransfer(
                payment.bytes, of: payment.asset, payment.network, session.replica.engine)
            : known.pays(
                payment.bytes, paid, of: payment.asset, payment.network, session.replica.engine)
        return isDue
            && known.signatures(payment.bytes, of: payment.transaction, paying: paid) != nil
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
