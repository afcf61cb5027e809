// Pays withdrawals of EVM chains: the signer signs, the bytes go into the log, and then the node
// gets them.
//
// One account pays, one withdrawal with each transaction, and the log says which nonce is next. So
// what was signed and did not get into the log conflicts with the payment that takes its nonce, and
// two payments of one withdrawal can be final only where the log has said in between that the first
// one's nonce is used and nothing was moved.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO
internal import Wire

extension EVMCustodian {
    /// Looks after a chain's payments. Returns whether more is to be paid at once.
    func pay(
        _ view: ChainView, _ networks: [NetworkView], _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Bool {
        guard var account = coins.account(view.network), !coins.hasGap else { return false }
        var waiting = approved(view.network)
        let known = Set(account.open.keys).union(account.dropped.keys)
        chain.payouts.keep(known, waiting: Set(waiting.map(\.id)))
        var report = PayoutReport(approved: waiting.count, open: account.open.count)
        (report.free, report.total) = (chain.payouts.report.free, chain.payouts.report.total)
        var silence: String?
        if chain.reader.condition == .inStep {
            do throws(NodeError) {
                try countSent(account, chain)
                try broadcast(account, chain)
                try followUp(view, account, chain)
                try adopt(view, chain)
            } catch { silence = "\(error)" }
            // What was followed up or adopted is of the log by now.
            guard let now = coins.account(view.network) else { return false }
            (account, waiting) = (now, approved(view.network))
        }
        var held: (PayoutCondition, String)?
        if let screening, session.isLed {
            let verdict = screening.verdict(
                Set(waiting.map(\.id)), session.replica.engine, chain: view.chain,
                now: Clock.monotonicNanos())
            waiting.removeAll { !verdict.released.contains($0.id) }
            held = verdict.problem
        }
        let isBusy =
            try isStopped(byForeign: account, chain, &report)
            ? false : payWaiting(waiting, view, networks, chain, &report)
        chain.payouts.isPayable = waiting.contains { isPayable($0, chain) }
        if !chain.payouts.isPayable { chain.payouts.fullTime = nil }
        if let held, report.condition.isSound, report.condition != .stopped {
            (report.condition, report.text) = held
        }
        if let silence, report.condition.isSound {
            (report.condition, report.text) = (
                .nodeRefuses, "its node does not say what becomes of payments: \(silence)"
            )
        }
        report.lost = chain.payouts.failures.filter(\.value.isSure).keys.sorted().prefix(100).map {
            LostPayment(transaction: $0, coin: OutPoint($0, 0), isFinal: true)
        }
        tellProblems(&report, chain)
        chain.payouts.report = report
        return isBusy
    }

    /// Whether nothing but a free nonce keeps a withdrawal from being signed, as far as is known.
    private func isPayable(_ withdrawal: WithdrawalView, _ chain: FollowedEVMChain) -> Bool {
        guard !chain.payouts.isLeftOut(withdrawal.id),
            let terms = session.replica.engine.network(withdrawal.asset, withdrawal.network),
            session.replica.engine.account(withdrawal.account)?.isKilled == false
        else { return false }
        return session.replica.engine.refusal(ofPaying: terms) == nil
    }

    /// The chain's withdrawals that wait to be paid, by id.
    func approved(_ network: NetworkID) -> [WithdrawalView] {
        var waiting: [WithdrawalView] = []
        session.replica.engine.forEachWithdrawal {
            if $0.status == .approved, $0.network == network { waiting.append($0) }
        }
        return waiting.sorted { $0.id < $1.id }
    }

    /// Pays the next that waits, if nothing holds it up.
    private func payWaiting(
        _ waiting: [WithdrawalView], _ view: ChainView, _ networks: [NetworkView],
        _ chain: FollowedEVMChain, _ report: inout PayoutReport
    ) throws(CommandSessionError) -> Bool {
        let account = coins.account(view.network)
        let now = Clock.monotonicNanos()
        guard session.isLed else {
            if !waiting.isEmpty || account?.payments.isEmpty == false {
                (report.condition, report.text) = (.stopped, "another host leads: it pays")
            }
            if !waiting.isEmpty { greetLeader() }
            return false
        }
        guard !waiting.isEmpty || account?.payments.isEmpty == false else { return false }
        report.condition = .paying
        guard chain.reader.condition == .inStep else {
            if !waiting.isEmpty {
                (report.condition, report.text) = (
                    .waiting, "nothing is signed until the chain is in step"
                )
            }
            return false
        }
        guard now >= chain.payouts.planTime else {
            // What was wrong stays so until it is tried again.
            let last = chain.payouts.report
            if !last.condition.isSound && !last.condition.isOfScreening
                || last.condition == .stopped
            {
                (report.condition, report.text) = (last.condition, last.text)
            }
            return false
        }
        do throws(NodeError) {
            (report.condition, report.text) = try payNext(waiting, view, networks, chain, &report)
        } catch {
            (report.condition, report.text) = (
                .waiting, "its node does not say what a payment needs: \(error)"
            )
        }
        let isBusy = report.condition == .paying && report.text == Self.signedText
        if isBusy { report.text = "" }
        let rest =
            report.condition == .logRefuses ? EVMPayouts.refusedNanos : EVMPayouts.retryNanos
        chain.payouts.planTime = isBusy ? 0 : now + rest
        return isBusy
    }

    /// What marks that something was signed, so that there may be more.
    static var signedText: String { "signed" }

    /// What is wrong although payments go on.
    private func tellProblems(_ report: inout PayoutReport, _ chain: FollowedEVMChain) {
        if report.condition == .foreign { return }
        if let (id, failure) = chain.payouts.failures.min(by: { $0.key < $1.key }) {
            report.condition = .failed
            report.text =
                failure.isSure
                ? "the payment 0x\(id.hex) is final and did not pay: \(failure.text). See the "
                    + "same elsewhere, then: boursectl wallet fail \(id.hex)"
                : "the payment 0x\(id.hex) is final, and it is not clear whether it paid: "
                    + "\(failure.text). It is looked at again; see whether it paid elsewhere, and "
                    + "only if it did not: boursectl wallet fail \(id.hex) --force"
        } else if let (id, why) = chain.payouts.refusals.min(by: { $0.key < $1.key }) {
            report.condition = .nodeRefuses
            report.text = "its node does not take the payment 0x\(id.hex): \(why)"
        } else if report.condition.isSound,
            let (id, why) = chain.payouts.unraised.min(by: { $0.key < $1.key })
        {
            report.condition = .slow
            report.text =
                "the transfer 0x\(id.hex) waits for a block, and all behind it, and the signer "
                + "signs no higher fee: \(why). To give it up: boursectl wallet drop \(id.hex)"
        } else if report.condition.isSound, let left = chain.payouts.leftOutReport {
            (report.condition, report.text) = left
        }
    }

    // MARK: The next payment

    /// Plans one payment, or a higher fee for one, has it signed and brings it into the log.
    private func payNext(
        _ waiting: [WithdrawalView], _ view: ChainView, _ networks: [NetworkView],
        _ chain: FollowedEVMChain, _ report: inout PayoutReport
    ) throws(NodeError) -> (PayoutCondition, String) {
        guard let account = coins.account(view.network) else { return (.idle, "") }
        let prices = try chain.node.gasPrices()
        guard let fee = prices.fee else {
            return (
                .waiting,
                "blocks take \(prices.nextBaseFee) wei per gas, and more than "
                    + "\(EVMCeiling.feePerGas) is not paid"
            )
        }
        // Whatever a nonce of the log waits for, nothing is signed behind it.
        let funds = try EVMFunds(chain, account)
        report.free = funds.ledgerUnits(.native, chain)
        report.total = funds.ledgerTotal(chain)
        let count = try chain.node.transactionCount(of: chain.hot)
        // Seen at the next look, and said then.
        if count > account.nonceEnd { return (.waiting, "the node has a transaction more") }
        if let answer = fillGap(account, count, fee, funds, view, chain) { return answer }
        if let answer = try raiseFee(account, prices, fee, view, chain) { return answer }
        if Set(account.payments.values.map(\.nonce)).count >= EVMPayouts.openMax {
            let (now, count) = (Clock.monotonicNanos(), waiting.count { isPayable($0, chain) })
            let since = chain.payouts.fullTime ?? now
            chain.payouts.fullTime = count > 0 ? since : nil
            guard count > 0, now - since >= Self.patience(account) else { return (.paying, "") }
            return (
                .slow,
                "\(EVMPayouts.openMax) transactions wait for blocks, no more are open at once, and "
                    + "\(count) withdrawals wait for them"
            )
        }
        chain.payouts.fullTime = nil
        for withdrawal in waiting where !chain.payouts.isLeftOut(withdrawal.id) {
            guard let asset = chain.setup.assets.first(where: { $0.id == withdrawal.asset }),
                let terms = networks.first(where: { $0.asset == withdrawal.asset }),
                session.replica.engine.account(withdrawal.account)?.isKilled == false
            else { continue }
            if let refusal = session.replica.engine.refusal(ofPaying: terms) {
                chain.payouts.leave(
                    withdrawal.id, .stopped, refusal, for: EVMPayouts.retryNanos)
                continue
            }
            let plan = try plan(withdrawal, asset, fee, funds, account, count, chain)
            switch plan {
            case .failure(let left):
                chain.payouts.leave(withdrawal.id, left.condition, left.text)
            case .success(let transaction):
                return submitSigned(
                    SigningRequest(
                        network: view.network, asset: asset.id,
                        sequence: session.replica.engine.sequence, withdrawals: [withdrawal.id],
                        transaction: transaction.signingBytes), chain)
            }
        }
        return chain.payouts.leftOutReport ?? (.paying, "")
    }

    /// The transaction of a withdrawal, or why there is none.
    private func plan(
        _ withdrawal: WithdrawalView, _ asset: EVMChainAsset,
        _ fee: (most: UInt64, priority: UInt64), _ funds: EVMFunds, _ account: EVMPayments,
        _ count: UInt64, _ chain: FollowedEVMChain
    ) throws(NodeError) -> Result<EVMTransaction, LeftOutError> {
        guard let destination = try? EVMAddress(destination: "\(withdrawal.address)"),
            let units = try? EVMWord(
                withdrawal.amount, scale: asset.scale, decimals: asset.listed.decimals)
        else {
            return .failure(
                LeftOutError(
                    .unpayable, "its address or amount is none of the chain's; it can be refused"))
        }
        if let contradiction = chain.misdeclared[asset.coin] {
            return .failure(LeftOutError(.unpayable, contradiction))
        }
        let nonce = chain.payouts.nonces[withdrawal.id].flatMap {
            account.isSpent($0) ? nil : $0
        }
        if let nonce, account.isUsed(nonce) {
            return .failure(
                LeftOutError(
                    .paying, "it waits for the payment that has nonce \(nonce), which it had before"
                ))
        }
        let next = nonce ?? account.nextNonce
        guard next >= count else {
            return .failure(
                LeftOutError(
                    .waiting,
                    "nonce \(next) is used on the chain, by a transaction that is not final yet"))
        }
        guard destination != chain.hot else {
            return .failure(
                LeftOutError(
                    .unpayable, "it goes to the wallet's own account; it can be refused"))
        }
        let due = asset.listed.transfer(to: destination, units)
        guard !funds.unread.contains(asset.coin) else {
            return .failure(
                LeftOutError(
                    .unpayable,
                    "the contract of \(asset.listed.code) does not say what \(chain.hot) has"))
        }
        guard funds.has(units, of: asset.coin) else {
            return .failure(
                LeftOutError(
                    .short,
                    "\(chain.hot) has too little \(asset.listed.code) to pay it: send some "
                        + "there"))
        }
        let bounds = EVMCeiling.gas(asset.coin)
        let gas: UInt64
        do throws(NodeError) {
            gas = try chain.node.gas(
                from: chain.hot, to: due.to, value: due.value, data: due.data,
                most: bounds.upperBound)
        } catch {
            guard case .refused(_, _, let message) = error else {
                // A contract that takes long to be tried holds up no other withdrawal.
                return .failure(
                    LeftOutError(.unpayable, "its node does not say what gas it needs: \(error)"))
            }
            return .failure(
                LeftOutError(.unpayable, "its node says that it would fail: \(message)"))
        }
        // What a contract needs may be a little more when it is executed.
        let wished = gas <= bounds.lowerBound ? bounds.lowerBound : gas.addingClamped(gas / 4)
        let limit = min(wished, bounds.upperBound)
        guard gas <= limit,
            let transaction = try? EVMTransaction(
                chainID: account.network.chainID, nonce: next,
                fee: .dynamic(most: fee.most, priority: fee.priority), gasLimit: limit,
                destination: due.to, value: due.value, data: due.data)
        else {
            return .failure(
                LeftOutError(
                    .unpayable, "it needs \(gas) gas, and \(bounds.upperBound) is the most"))
        }
        guard funds.pays(transaction) else {
            return .failure(
                LeftOutError(
                    .short,
                    "\(chain.hot) has too little of the chain's coin for its gas: send some "
                        + "there"))
        }
        return .success(transaction)
    }

    // MARK: Signer and log

    /// Has a request signed and brings what comes back into the log.
    func submitSigned(
        _ request: SigningRequest, _ chain: FollowedEVMChain
    ) -> (PayoutCondition, String) {
        let ids = request.withdrawals
        switch signer.answer(request) {
        case .failure(let absence): return (.noSigner, absence.text)
        case .success(.earlier(let payments)):
            guard !payments.isEmpty else {
                return (.signerRefuses, "its answer names nothing that was signed before")
            }
            // A nonce of nobody's would be planned with for ever, and what is behind it would wait.
            let nonces = payments.compactMap { earlierNonce($0, request) }
            if let first = payments.first, nonces.count < payments.count {
                return (.signerRefuses, Payouts.notGenuine(first))
            }
            for nonce in nonces {
                for id in ids {
                    // It was planned with this one, and that did not do.
                    if chain.payouts.nonces[id] == nonce {
                        chain.payouts.leave(id, .signerRefuses, "it was signed before otherwise")
                    }
                    chain.payouts.nonces[id] = nonce
                }
            }
            return (.paying, Self.signedText)
        case .success(.refused(let refusal, let text)):
            let words = "\(refusal.rawValue): \(text)"
            let isOfSome: Set<SigningRefusal> = [.limit, .notPayable, .signedBefore, .outputs]
            if isOfSome.contains(refusal), request.replaces == .none {
                for id in ids { chain.payouts.leave(id, .signerRefuses, words) }
            }
            return (.signerRefuses, words)
        case .success(.signed(let payment)):
            guard payment.network == request.network, payment.asset == request.asset else {
                return (.signerRefuses, "its answer is of another chain")
            }
            // Whoever stands at the signer's socket says what it wants, and the log would have it.
            guard isGenuine(payment, request, chain) else {
                return (.signerRefuses, Payouts.notGenuine(payment))
            }
            let command = SignWithdrawals(
                asset: payment.asset, network: payment.network, transaction: payment.transaction,
                replaces: payment.replaces, withdrawals: payment.withdrawals, bytes: payment.bytes)
            do throws(CommandSessionError) {
                switch try submit(command) {
                case .none, .referenceDuplicate: return (.paying, Self.signedText)
                // It was cancelled or refused meanwhile: what takes its nonce conflicts with it.
                case .withdrawalUnknown, .stateInvalid, .accountKilled: return (.paying, "")
                case let refusal: return (.logRefuses, "the log refuses a payment: \(refusal)")
                }
            } catch { return (.waiting, "the log takes nothing now: \(error)") }
        }
    }

    /// The nonce of what was signed before for one of a request's withdrawals; nil: it is none of
    /// the account that pays.
    private func earlierNonce(_ payment: SignedPayment, _ request: SigningRequest) -> UInt64? {
        guard let account = coins.account(request.network),
            !Set(payment.withdrawals).isDisjoint(with: request.withdrawals),
            let signed = try? SignedEVMTransaction(decoding: payment.bytes),
            signed.sender == account.hot,
            signed.transaction.chainID == account.network.chainID
        else { return nil }
        return signed.transaction.nonce
    }

    /// Whether the log has what was signed, or it is a transaction of the wallet's keys: the
    /// transfer that was asked for, or one that pays its withdrawal and nobody else.
    private func isGenuine(
        _ payment: SignedPayment, _ request: SigningRequest, _ chain: FollowedEVMChain
    ) -> Bool {
        if session.replica.engine.payment(payment.transaction) != nil { return true }
        guard let account = coins.account(payment.network),
            let signed = try? SignedEVMTransaction(decoding: payment.bytes),
            signed.id == payment.transaction,
            signed.transaction.chainID == account.network.chainID
        else { return false }
        if request.withdrawals.isEmpty {
            let isOurs =
                signed.sender == account.hot
                || chain.deposits.watch.addresses.account(signed.sender) != nil
            return payment.withdrawals.isEmpty && isOurs
                && signed.transaction.signingBytes == request.transaction
        }
        return signed.sender == account.hot
            && account.pays(
                payment.bytes, payment.withdrawals, of: payment.asset, payment.network,
                session.replica.engine, list)
    }

    /// Raises the fee of the payment that all others wait for, where no block has it for long.
    private func raiseFee(
        _ account: EVMPayments, _ prices: EVMGasPrices, _ fee: (most: UInt64, priority: UInt64),
        _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        let waiting = account.newest.filter { !chain.reader.isInBlock($0.key) }
        guard let (id, payment) = waiting.min(by: { $0.value.nonce < $1.value.nonce }),
            // Behind a gap no fee helps.
            payment.nonce < account.nextNonce,
            let since = chain.payouts.firstTimes[id], !chain.payouts.elsewhere.contains(id),
            case .dynamic(let most, let priority) = payment.signed.transaction.fee,
            let index = index(of: payment, chain)
        else { return nil }
        let patience = EVMPayouts.bumpBlocks * account.network.blockSeconds * 1_000_000_000
        guard Clock.monotonicNanos() - since >= patience else { return nil }
        let same = account.payments.values.count { $0.nonce == payment.nonce }
        guard same <= Limits.replacementsMax else {
            return (
                .slow,
                "the payment 0x\(id.hex) waits for a block at its last fee. It is final once "
                    + "blocks take that; to give it up, boursectl wallet drop each of the \(same) "
                    + "that have nonce \(payment.nonce): another transaction uses the nonce, and "
                    + "then it is paid anew, or before that refused"
            )
        }
        // Nodes take a replacement that offers an eighth more of both, at least.
        let next = (
            most: max(fee.most, most.addingClamped(most / 8 + 1)),
            priority: max(fee.priority, priority.addingClamped(priority / 8 + 1))
        )
        let old = payment.signed.transaction
        guard next.most <= EVMCeiling.feePerGas, next.priority <= EVMCeiling.priorityPerGas,
            let transaction = try? EVMTransaction(
                chainID: old.chainID, nonce: old.nonce,
                fee: .dynamic(most: next.most, priority: next.priority), gasLimit: old.gasLimit,
                destination: old.destination, value: old.value, data: old.data)
        else {
            return (.slow, "the payment 0x\(id.hex) waits for a block at the highest fee")
        }
        let answer = submitSigned(
            SigningRequest(
                network: view.network, asset: payment.asset,
                sequence: session.replica.engine.sequence, withdrawals: payment.withdrawals,
                replaces: id, transaction: transaction.signingBytes, index: index), chain)
        chain.payouts.unraised[id] = nil
        guard answer.0 == .signerRefuses else { return answer }
        if payment.withdrawals.isEmpty { chain.payouts.unraised[id] = answer.1 }
        // As where its account was killed meanwhile: the others do not wait for that.
        chain.payouts.firstTimes[id] = Clock.monotonicNanos()
        return nil
    }
}

/// Why a withdrawal is left out for a while.
struct LeftOutError: Error {
    let condition: PayoutCondition
    let text: String

    init(_ condition: PayoutCondition, _ text: String) {
        (self.condition, self.text) = (condition, text)
    }
}

extension FixedWidthInteger {
    /// The sum, or the largest number where it is above that.
    func addingClamped(_ other: Self) -> Self {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}

extension EVMPayments {
    /// All that is not settled: of the account that pays, and sweeps.
    var open: [TransactionID: EVMOpenPayment] { payments.merging(sweeps) { payment, _ in payment } }

    /// Of the account's open payments of each nonce the newest.
    var newest: [TransactionID: EVMOpenPayment] { newest(of: payments) }

    /// The same of all that is not settled.
    var newestOpen: [TransactionID: EVMOpenPayment] { newest(of: open) }

    private func newest(
        of table: [TransactionID: EVMOpenPayment]
    ) -> [TransactionID: EVMOpenPayment] {
        var best: [OutPoint: (TransactionID, EVMOpenPayment)] = [:]
        for (id, payment) in table where !isSpent(payment.coin) {
            if let found = best[payment.coin], found.1.sequence > payment.sequence { continue }
            best[payment.coin] = (id, payment)
        }
        return Dictionary(uniqueKeysWithValues: best.values.map { ($0.0, $0.1) })
    }
}
