// What becomes of the payments of an EVM chain: broadcast until a block has them, settled once they
// are final and the balance shows it.
//
// A payment that is final and moved nothing is not settled: its customer was not paid. It stays
// open until an operator, who has seen the same elsewhere, drops it. A node alone could lie, and
// the second payment would be one too many. Then the log is told what the chain has: the same
// transaction as a transfer, which pays nobody, and its settlement. From there on its nonce is used
// by a final transaction, for the signer as well, and the withdrawal may be paid with another one:
// what has the used nonce, the first payment and every one that replaced it, can never be final
// again.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import Wire

extension EVMCustodian {
    /// Gives the node the open payments that no block has, in the order of their nonces.
    func broadcast(_ account: EVMPayments, _ chain: FollowedEVMChain) throws(NodeError) {
        let now = Clock.monotonicNanos()
        let open = account.open
        let due = account.newestOpen.filter { !chain.reader.isInBlock($0.key) }
            .sorted { $0.value.nonce < $1.value.nonce }
        for (id, payment) in due where now >= chain.payouts.broadcastTimes[id] ?? 0 {
            chain.payouts.broadcastTimes[id] = now + EVMPayouts.broadcastNanos
            if chain.payouts.firstTimes[id] == nil { chain.payouts.firstTimes[id] = now }
            switch try chain.node.broadcast(payment.signed) {
            case .taken, .known:
                chain.payouts.refusals[id] = nil
                chain.payouts.elsewhere.remove(id)
            case .nonceUsed:
                chain.payouts.refusals[id] = nil
                chain.payouts.elsewhere.insert(id)
            case .refused(let why):
                chain.payouts.broadcastTimes[id] = now + EVMPayouts.retryNanos
                chain.payouts.refusals[id] = why
            }
        }
        for id in open.keys where chain.reader.isInBlock(id) {
            // Once it leaves its block by a reorganisation, the node gets it at once.
            chain.payouts.broadcastTimes[id] = nil
            chain.payouts.refusals[id] = nil
            chain.payouts.unraised[id] = nil
            chain.payouts.elsewhere.remove(id)
        }
    }

    /// Looks by their receipts for payments that are in no block that was read, as the chain has
    /// their nonces: those of blocks that were checked before the log had them, and dropped ones.
    func followUp(
        _ view: ChainView, _ account: EVMPayments, _ chain: FollowedEVMChain
    ) throws(NodeError) {
        let (all, newest) = (account.open, account.newestOpen)
        let open = all.filter { id, payment in
            !chain.reader.isInBlock(id)
                && newest.contains {
                    $0.value.coin == payment.coin && chain.payouts.elsewhere.contains($0.key)
                }
        }
        for (id, payment) in open.merging(account.dropped, uniquingKeysWith: { open, _ in open })
        where session.isLed && chain.payouts.looksForReceipt(id) {
            guard let receipt = try chain.node.receipt(id) else {
                chain.payouts.buried.remove(id)
                // A dropped one in a block is one that the log knows.
                let others = all.merging(account.dropped) { open, _ in open }
                    .filter { $0.key != id && $0.value.coin == payment.coin && all[id] != nil }
                var isReplaced = false
                for other in others.keys where try chain.node.receipt(other) != nil {
                    isReplaced = true
                }
                if all[id] != nil, !isReplaced {
                    chain.payouts.refusals[id] =
                        "another transaction of its account has nonce \(payment.nonce)"
                    if chain.payouts.taken[payment.coin] == nil {
                        chain.payouts.taken[payment.coin] = Clock.monotonicNanos()
                    }
                }
                continue
            }
            chain.payouts.refusals[id] = nil
            chain.payouts.taken[payment.coin] = nil
            if all[id] == nil { chain.payouts.buried.insert(id) }
            let block = try chain.node.block(receipt.block)
            guard try chain.node.block(at: block.height) == block.id,
                let read = chain.reader.height, let confirmations = chain.confirmations,
                block.height <= read, read - block.height + 1 >= UInt64(confirmations)
            else { continue }
            do throws(CommandSessionError) {
                if all[id] != nil {
                    let refusal = try settle(id, block.height, block.id, view, chain)
                    if let refusal, refusal != .none {
                        chain.payouts.receiptTimes[id] =
                            Clock.monotonicNanos() + EVMPayouts.leaveNanos
                        chain.payouts.refusals[id] = "the log does not settle it: \(refusal)"
                    }
                } else {
                    try bookDropped(id, payment, block, view, chain)
                }
            } catch { continue }
        }
    }

    /// A payment is final in a block. It is settled where it did what the log says; a transfer in
    /// any case. Nil: it waits.
    func settle(
        _ id: TransactionID, _ height: UInt64, _ block: BlockID, _ view: ChainView,
        _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Refusal? {
        guard let account = coins.account(view.network), let payment = account.open[id] else {
            return Refusal.none
        }
        if payment.withdrawals.isEmpty {
            // Of cold storage the log counts what is there: what it says otherwise than it is
            // is dropped, and taken again as what it was.
            if account.isToCold(payment) || account.isFromCold(payment) {
                let outcome = judge(cold: id, payment, (block, height), account, chain)
                if outcome == .unknown { return nil }
                if payment.isVoid != (outcome == .nothing) {
                    return try submit(DropTransaction(transaction: id))
                }
            }
            return try settle(transfer: id, payment, height, block, chain)
        }
        let outcome: EVMPaymentOutcome
        do throws(NodeError) {
            outcome = try EVMSettlement(chain.node, hot: chain.hot, block: block)
                .outcome(payment.signed)
        } catch {
            // What is behind it goes on meanwhile.
            chain.payouts.fail(id, "its node does not say whether it paid: \(error)", isSure: false)
            return nil
        }
        switch outcome {
        case .paid(let cost):
            return try settle(id, cost, height, payment.asset, chain)
        case .failed(_, let why): chain.payouts.fail(id, why, isSure: true)
        case .unclear(let why): chain.payouts.fail(id, why, isSure: false)
        }
        return nil
    }

    /// A transfer is settled whatever it moved: it pays nobody, and what the wallet has is compared
    /// with what it is to have.
    private func settle(
        transfer id: TransactionID, _ payment: EVMOpenPayment, _ height: UInt64, _ block: BlockID,
        _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Refusal? {
        let receipt: EVMReceipt
        do throws(NodeError) { receipt = try chain.node.receipt(id, in: block) } catch {
            chain.payouts.fail(id, "its node does not say what it cost: \(error)", isSure: false)
            return nil
        }
        // It is booked.
        guard receipt.gasCost <= EVMWord(payment.signed.transaction.feeMax) else {
            chain.payouts.fail(
                id, "its receipt has a cost above what it offered", isSure: false)
            return nil
        }
        let refusal = try settle(id, receipt.gasCost, height, payment.asset, chain)
        if refusal == .none { judge(sweep: id, payment, receipt, block, chain) }
        return refusal
    }

    /// Whether a sweep that is settled brought what it was to bring: the next one of the same coins
    /// costs gas again, so each that did not makes it wait for longer.
    private func judge(
        sweep id: TransactionID, _ payment: EVMOpenPayment, _ receipt: EVMReceipt,
        _ block: BlockID, _ chain: FollowedEVMChain
    ) {
        guard payment.signed.sender != chain.hot else { return }
        let (transaction, holding) = (payment.signed.transaction, EVMHolding(payment))
        var fault: String?
        if !receipt.isSuccess {
            fault = "was reverted, or ran out of gas"
        } else if case .token(let contract) = holding.coin {
            // Of what is no sweep, as what an operator has adopted, nobody knows what it is to do.
            guard let call = try? TokenTransfer(decoding: transaction.data),
                call.receiver == chain.hot,
                let notices = try? chain.node.transfers(in: block, of: [contract])
            else { return }
            let mine = notices.filter {
                $0.transaction == id && $0.log.from == holding.holder && $0.log.to == chain.hot
            }
            let came = mine.reduce(EVMWord?.some(.zero)) { $0.flatMap($1.log.amount.adding) }
            if let came, came < call.amount { fault = "brought \(came) of \(call.amount)" }
        }
        // Nothing brings that again by itself.
        if chain.deposits.watch.wallet.contains(holding.holder) {
            if let fault {
                remark("\(chain.setup.chain): 0x\(id.hex) from cold storage is final and \(fault)")
            }
            return
        }
        guard let fault else { return chain.sweeping.bring(holding) }
        let text = "its sweep 0x\(id.hex) is final and \(fault)"
        chain.sweeping.failAgain(holding, text)
        remark("\(chain.setup.chain): \(holding.holder): \(text)")
    }

    /// What the chain took is booked in its own coin, where the log has that as an asset there.
    private func settle(
        _ id: TransactionID, _ cost: EVMWord, _ height: UInt64, _ asset: AssetID,
        _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Refusal {
        var booked = (asset: asset, cost: Amount.zero)
        if let native = chain.setup.assets.first(where: { $0.coin == .native }),
            let (amount, rest) = try? cost.amount(
                decimals: native.listed.decimals, scale: native.scale)
        {
            booked = (native.id, Amount(units: amount.units + (rest > .zero ? 1 : 0)))
        }
        let refusal = try submit(
            SettleTransaction(
                transaction: id, costAsset: booked.asset, cost: booked.cost, block: height))
        if refusal == .none { chain.payouts.failures[id] = nil }
        return refusal == .transactionUnknown ? .none : refusal
    }

    /// A dropped payment is final. What it paid is booked as paid where its withdrawal still waits;
    /// where it moved nothing, or nobody waits for it, it is a transfer that used its nonce.
    private func bookDropped(
        _ id: TransactionID, _ payment: EVMOpenPayment, _ block: EVMBlock, _ view: ChainView,
        _ chain: FollowedEVMChain
    ) throws(CommandSessionError) {
        guard session.isLed, session.replica.engine.rules >= 3 else { return }
        var outcome = EVMPaymentOutcome.paid(.zero)
        // What pays nobody is taken into the log as what it was.
        if !payment.withdrawals.isEmpty {
            do throws(NodeError) {
                outcome = try EVMSettlement(chain.node, hot: chain.hot, block: block.id)
                    .outcome(payment.signed)
            } catch {
                chain.payouts.receiptTimes[id] = Clock.monotonicNanos() + EVMPayouts.leaveNanos
                return remark(
                    "\(view.chain): the dropped payment 0x\(id.hex) is final, and its node does "
                        + "not say whether it paid: \(error)")
            }
        }
        var paid: [WithdrawalID] = []
        var replaced = TransactionID.none
        switch outcome {
        case .failed: break
        case .unclear(let why):
            chain.payouts.receiptTimes[id] = Clock.monotonicNanos() + EVMPayouts.leaveNanos
            return remark("\(view.chain): the dropped payment 0x\(id.hex) is final: \(why)")
        case .paid:
            paid = payment.withdrawals.filter {
                session.replica.engine.withdrawal($0)?.status == .approved
            }
            // It paid what another payment is to pay by now, which has its nonce or a later one.
            let other = coins.account(view.network)?.payments
                .first { $0.key != id && $0.value.withdrawals == payment.withdrawals }?.key
            if let other, !payment.withdrawals.isEmpty {
                (paid, replaced) = (payment.withdrawals, other)
            } else if paid != payment.withdrawals {
                paid = []
                remark(
                    "\(view.chain): the dropped payment 0x\(id.hex) is final and paid what is "
                        + "refused or paid otherwise by now")
            }
        }
        let refusal = try submit(
            SignWithdrawals(
                asset: payment.asset, network: view.network, transaction: id, replaces: replaced,
                withdrawals: paid, bytes: payment.signed.bytes))
        guard refusal == .none || refusal == .referenceDuplicate else {
            chain.payouts.receiptTimes[id] = Clock.monotonicNanos() + EVMPayouts.leaveNanos
            return remark("\(view.chain): the log does not take 0x\(id.hex) again: \(refusal)")
        }
        _ = try settle(id, block.height, block.id, view, chain)
    }

    /// Drops open payments that can never be final, as the log has a final one with their nonce:
    /// what they pay may be paid again.
    func dropDead(_ view: ChainView) throws(CommandSessionError) {
        guard session.isLed, let account = coins.account(view.network) else { return }
        for (id, payment) in account.open where account.isSpent(payment.coin) {
            _ = try submit(DropTransaction(transaction: id))
        }
    }
}
