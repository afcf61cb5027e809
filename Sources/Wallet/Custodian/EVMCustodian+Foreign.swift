// What the chain has of the wallet's accounts and the log does not, and nonces that nobody uses.
//
// All that the wallet sends is in the log before a node gets it. So a transaction that is not there
// is somebody else's who has the key, or of an older log: no nonce is safe to use any more, and
// what the account has is not what the log says. Withdrawals stop until an operator, who knows what
// it is, has it adopted: the log takes it as a transfer of nobody, by its own bytes, and its nonce
// is used from then on.

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
    /// How long what should not be has to be so before it is acted upon.
    static func patience(_ account: EVMPayments) -> Int64 {
        EVMPayouts.bumpBlocks * account.network.blockSeconds * 1_000_000_000
    }

    /// Asks, once after each of the node's blocks, how many transactions the account has sent.
    func countSent(_ account: EVMPayments, _ chain: FollowedEVMChain) throws(NodeError) {
        let newest = account.newestOpen
        chain.payouts.taken = chain.payouts.taken.filter { coin, _ in
            newest.contains { $0.value.coin == coin && chain.payouts.elsewhere.contains($0.key) }
        }
        guard let tip = chain.reader.tip?.block, tip != chain.payouts.countTip else { return }
        chain.payouts.count = try chain.node.transactionCount(of: chain.hot)
        chain.payouts.countTip = tip
    }

    /// Whether the chain has a transaction that the log does not have: then nothing is signed, and
    /// the withdrawals of all its assets are stopped, but where one that is to be adopted waits for
    /// them.
    func isStopped(
        byForeign account: EVMPayments, _ chain: FollowedEVMChain, _ report: inout PayoutReport
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        var text = ""
        if chain.payouts.count > account.nonceEnd {
            text =
                "the account \(chain.hot) has sent \(chain.payouts.count) transactions, and the "
                + "log knows of \(account.nonceEnd)"
        } else if let (coin, since) = chain.payouts.taken.min(by: { $0.value < $1.value }),
            now - since >= Self.patience(account),
            let payment = account.open.values.first(where: { $0.coin == coin })
        {
            text =
                "the account \(payment.signed.sender) has sent another transaction with nonce "
                + "\(payment.nonce) than the log has"
        } else if let nonce = usedNonce(account, chain) {
            text =
                "the account \(chain.hot) has sent a transaction with nonce \(nonce), which is "
                + "free by the log"
        }
        let waits = chain.payouts.adoptionWaits.min { $0.key < $1.key }
        if text.isEmpty {
            // Nothing is signed meanwhile: it may pay what waits.
            guard let waits else { return false }
            (report.condition, report.text) = (.foreign, waits.value.text)
            return true
        }
        text += ": who else has its key, or is this an older log? "
        let known = foreign(account, chain)
        text +=
            known.isEmpty
            ? "Find the transaction, then: boursectl wallet adopt"
            : "Once you know what it is: boursectl wallet adopt \(account.chain) 0x\(known[0].hex)"
        if let waits { text = waits.value.text }
        (report.condition, report.text) = (.foreign, text)
        // One that waits for withdrawals to go on would wait for ever, were they stopped again.
        if session.isLed, !chain.payouts.adoptionWaits.values.contains(where: \.isForResuming) {
            try stopWithdrawals(chain, "the chain has a transaction that the log does not have")
        }
        return true
    }

    /// A nonce that is free by the log and was used on the chain long ago, by none of the dropped
    /// payments that had it; nil: there is none.
    private func usedNonce(_ account: EVMPayments, _ chain: FollowedEVMChain) -> UInt64? {
        let (next, now) = (account.nextNonce, Clock.monotonicNanos())
        let isKnown = account.dropped.contains { id, payment in
            payment.coin == OutPoint(chain.hot, nonce: next) && chain.payouts.buried.contains(id)
        }
        // Only the wallet of the host that leads looks for dropped ones.
        guard session.isLed, next < chain.payouts.count, !isKnown else {
            chain.payouts.used = nil
            return nil
        }
        if chain.payouts.used?.nonce != next { chain.payouts.used = (next, now) }
        guard let since = chain.payouts.used?.since, now - since >= Self.patience(account) else {
            return nil
        }
        return next
    }

    /// Transactions of the account in the blocks that were read which the log does not have, the
    /// oldest first: as far as the node says that they have a nonce that the log does not know as
    /// used.
    private func foreign(
        _ account: EVMPayments, _ chain: FollowedEVMChain
    ) -> [TransactionID] {
        if let (tip, found) = chain.foreignSeen, tip == chain.reader.tip?.block { return found }
        let open = account.open
        let unknown = chain.deposits.paid.filter {
            open[$0] == nil && account.dropped[$0] == nil && !account.settled.contains($0)
        }
        var found: [TransactionID] = []
        for id in unknown.suffix(EVMPayouts.openMax) {
            guard let signed = try? chain.node.transaction(id), signed.sender == chain.hot,
                !account.isSpent(OutPoint(signed.sender, nonce: signed.transaction.nonce))
            else { continue }
            found.append(id)
        }
        if let tip = chain.reader.tip?.block { chain.foreignSeen = (tip, found) }
        return found
    }

    // MARK: Adopting

    /// Takes into the log what an operator wants adopted, as far as it is final.
    func adopt(_ view: ChainView, _ chain: FollowedEVMChain) throws(NodeError) {
        for (id, found) in try adopting(chain) where session.isLed {
            guard let account = coins.account(view.network) else { return }
            func end(_ text: String) {
                chain.payouts.adopting.remove(id)
                chain.payouts.adoptionWaits[id] = nil
                remark("\(view.chain): 0x\(id.hex) is not adopted: \(text)")
            }
            guard account.open[id] == nil, session.replica.engine.rules >= 3 else {
                end("the log has it, or cannot have transfers yet")
                continue
            }
            guard let signed = found else {
                end(
                    "the node does not know it, or it makes a contract or has an access list, "
                        + "which the log cannot have")
                continue
            }
            let (sender, nonce) = (signed.sender, signed.transaction.nonce)
            let isCold = account.cold.contains(sender)
            guard isCold || chain.isOwn(sender) else {
                end("\(sender), which sent it, is no account of the wallet's")
                continue
            }
            guard !account.isSpent(OutPoint(sender, nonce: nonce)) else {
                end("the log has another transaction with nonce \(nonce) as final")
                continue
            }
            // What a nonce was skipped for would be unknown for ever. Of cold storage nobody knows
            // what its account has sent before the log named it.
            let next = sender == chain.hot ? account.nextNonce : account.nextNonce(of: sender)
            guard isCold || nonce <= next else {
                let text =
                    "nonce \(next) of \(sender) comes first: what has it is to be settled or "
                    + "adopted"
                // That may be what else is to be adopted.
                if 2..<EVMPayouts.adoptingMax ~= chain.payouts.adopting.count {
                    chain.payouts.adoptionWaits[id] = AdoptionWait(
                        asset: nil, isForResuming: false,
                        text: "0x\(id.hex) is not adopted yet: \(text)")
                } else {
                    end(text)
                }
                continue
            }
            guard let (height, block) = try finalBlock(of: id, chain) else {
                chain.payouts.adoptionWaits[id] = nil
                continue
            }
            let purpose: AdoptedPurpose
            switch self.purpose(signed, account, view, chain) {
            case .failure(let reason):
                end(reason.text)
                continue
            case .success(let found): purpose = found
            }
            chain.payouts.adoptionWaits[id] = adoptionWait(id, purpose)
            if chain.payouts.adoptionWaits[id] != nil { continue }
            do throws(CommandSessionError) {
                let refusal = try submit(
                    SignWithdrawals(
                        asset: purpose.asset, network: view.network, transaction: id,
                        replaces: purpose.replaces, withdrawals: purpose.withdrawals,
                        bytes: signed.bytes))
                switch refusal {
                case .none, .referenceDuplicate: break
                // It was stopped meanwhile, and said so at the next look.
                case .withdrawalsStopped, .accountKilled, .venueKilled: continue
                default:
                    end("the log refuses it: \(refusal)")
                    continue
                }
                _ = try settle(id, height, block, view, chain)
            } catch { return }
            chain.payouts.adopting.remove(id)
            // What it took was missing in the last count, and is of the log by now.
            chain.count = nil
            remark("\(view.chain): 0x\(id.hex) is adopted: nonce \(nonce) of \(sender) is used")
        }
    }

    /// What is to be adopted, in the order of nonces: with a later one in the log an earlier one of
    /// cold storage would count as used. Nil: the node does not know it.
    private func adopting(
        _ chain: FollowedEVMChain
    ) throws(NodeError) -> [(TransactionID, SignedEVMTransaction?)] {
        var found: [(TransactionID, SignedEVMTransaction?)] = []
        for id in chain.payouts.adopting.sorted() where session.isLed {
            found.append((id, try chain.node.transaction(id)))
        }
        func nonce(_ one: (TransactionID, SignedEVMTransaction?)) -> UInt64 {
            one.1?.transaction.nonce ?? .max
        }
        return found.sorted { (nonce($0), $0.0) < (nonce($1), $1.0) }
    }

    /// What the log needs before it takes a transaction that pays a withdrawal for the first time;
    /// nil: nothing. It is not asked until then, as each try is a record.
    private func adoptionWait(_ id: TransactionID, _ purpose: AdoptedPurpose) -> AdoptionWait? {
        guard purpose.replaces == .none,
            let withdrawal = purpose.withdrawals.first.flatMap({
                session.replica.engine.withdrawal($0)
            }), let terms = session.replica.engine.network(withdrawal.asset, withdrawal.network)
        else { return nil }
        let row = withdrawal.id.number
        let account = session.replica.engine.account(withdrawal.account)
        let code = session.replica.engine.asset(withdrawal.asset)?.code
        var (need, isForResuming) = ("", false)
        if session.replica.engine.isKilled {
            need = "boursectl kill venue --off"
        } else if let account, account.isKilled {
            need = "boursectl kill \(account.name) --off"
        } else if !terms.takesWithdrawals {
            need = "let the network take withdrawals of its asset"
        } else if let code, session.replica.engine.isWithdrawalStopped(withdrawal.asset) {
            (need, isForResuming) = ("boursectl wallet resume \(code)", true)
        } else {
            return nil
        }
        return AdoptionWait(
            asset: withdrawal.asset, isForResuming: isForResuming,
            text: "0x\(id.hex) is final and pays withdrawal \(row), which must not be refused or "
                + "paid otherwise: \(need), then it is adopted")
    }

    /// Whether a transaction that is to be adopted waits until withdrawals of an asset go on: they
    /// are not stopped again meanwhile. It is adopted at the next look after they go on.
    func isAdoptionWaiting(for asset: AssetID) -> Bool {
        chains.values.contains { chain in
            chain.payouts.adoptionWaits.values.contains { $0.asset == asset && $0.isForResuming }
        }
    }

    /// What a transaction is adopted as. One that pays a withdrawal pays it, as it was lost between
    /// the signer and the log, or the log is an older copy: as a transfer of nobody it would leave
    /// the withdrawal to be paid once more.
    private func purpose(
        _ signed: SignedEVMTransaction, _ account: EVMPayments, _ view: ChainView,
        _ chain: FollowedEVMChain
    ) -> Result<AdoptedPurpose, ChainSetupError> {
        let transaction = signed.transaction
        let nobody = AdoptedPurpose(asset: chain.transferAsset, replaces: .none, withdrawals: [])
        guard signed.sender == chain.hot else { return .success(nobody) }
        // It may pay a withdrawal, which cannot be seen while its amount is not known.
        if let contradiction = chain.misdeclared[.token(transaction.destination)] {
            return .failure(ChainSetupError(text: contradiction))
        }
        func isSame(_ other: EVMTransaction) -> Bool {
            (other.destination, other.value) == (transaction.destination, transaction.value)
                && other.data == transaction.data
        }
        var found: AdoptedPurpose?
        var reason: String?
        session.replica.engine.forEachWithdrawal { withdrawal in
            guard found == nil, withdrawal.network == view.network,
                let asset = chain.setup.assets.first(where: { $0.id == withdrawal.asset }),
                let destination = try? EVMAddress(destination: "\(withdrawal.address)"),
                let units = try? EVMWord(
                    withdrawal.amount, scale: asset.scale, decimals: asset.listed.decimals)
            else { return }
            let due = asset.listed.transfer(to: destination, units)
            guard (due.to, due.value) == (transaction.destination, transaction.value),
                due.data == transaction.data
            else { return }
            switch withdrawal.status {
            case .approved:
                found = AdoptedPurpose(
                    asset: asset.id, replaces: .none, withdrawals: [withdrawal.id])
            case .signed:
                // Of the payments that it replaced or was replaced by, any.
                let other = account.payments(of: [withdrawal.id]).last {
                    $0.1.nonce == transaction.nonce && isSame($0.1.signed.transaction)
                }
                guard let other else { return }
                found = AdoptedPurpose(
                    asset: asset.id, replaces: other.0, withdrawals: [withdrawal.id])
            default:
                reason =
                    "it pays withdrawal \(withdrawal.id.number), which is not approved: approve or "
                    + "refuse that first"
            }
        }
        if let found { return .success(found) }
        if let reason { return .failure(ChainSetupError(text: reason)) }
        return .success(nobody)
    }

    /// The block of a transaction, where it is final on the chain that is read; nil: it is not yet.
    private func finalBlock(
        of id: TransactionID, _ chain: FollowedEVMChain
    ) throws(NodeError) -> (height: UInt64, block: BlockID)? {
        guard let receipt = try chain.node.receipt(id) else { return nil }
        let block = try chain.node.block(receipt.block)
        guard try chain.node.block(at: block.height) == block.id, let read = chain.reader.height,
            let confirmations = chain.confirmations, block.height <= read,
            read - block.height + 1 >= UInt64(confirmations)
        else { return nil }
        return (block.height, block.id)
    }

    // MARK: Gaps

    /// Has a nonce that nobody uses filled by a transfer of nothing to the account itself, once
    /// payments with later nonces have waited for it for long; or where a withdrawal was signed
    /// with it as often as may be, and all of that was dropped: with the nonce used none of it can
    /// ever be final, and it is paid with another one.
    func fillGap(
        _ account: EVMPayments, _ count: UInt64, _ fee: (most: UInt64, priority: UInt64),
        _ funds: EVMFunds, _ view: ChainView, _ chain: FollowedEVMChain
    ) -> (PayoutCondition, String)? {
        let (nonce, now) = (account.nextNonce, Clock.monotonicNanos())
        let spent = account.dropped.values.filter {
            $0.coin == OutPoint(chain.hot, nonce: nonce) && !$0.withdrawals.isEmpty
        }
        guard nonce >= count, session.replica.engine.rules >= 3,
            account.payments.values.contains(where: { $0.nonce > nonce })
                || spent.count > Limits.replacementsMax
        else {
            chain.payouts.gap = nil
            return nil
        }
        if chain.payouts.gap?.nonce != nonce { chain.payouts.gap = (nonce, now) }
        // Nodes may still have what was dropped, and take no other for less than an eighth more.
        var fee = fee
        for dropped in spent {
            guard case .dynamic(let most, let priority) = dropped.signed.transaction.fee else {
                continue
            }
            fee.most = min(max(fee.most, most.addingClamped(most / 8 + 1)), EVMCeiling.feePerGas)
            fee.priority = min(
                max(fee.priority, priority.addingClamped(priority / 8 + 1)),
                EVMCeiling.priorityPerGas, fee.most)
        }
        guard let since = chain.payouts.gap?.since, now - since >= Self.patience(account),
            let transaction = try? EVMTransaction(
                chainID: account.network.chainID, nonce: nonce,
                fee: .dynamic(most: fee.most, priority: fee.priority),
                gasLimit: EVMCeiling.nativeGas.lowerBound, destination: chain.hot, value: .zero,
                data: [])
        else { return nil }
        guard funds.pays(transaction) else {
            return (
                .short,
                "\(chain.hot) has too little of the chain's coin to use nonce \(nonce), which "
                    + "others wait for: send some there"
            )
        }
        return submitSigned(
            SigningRequest(
                network: view.network, asset: chain.transferAsset,
                sequence: session.replica.engine.sequence, withdrawals: [],
                transaction: transaction.signingBytes), chain)
    }

    /// The index that a request names for a payment that goes from the account that pays: nil where
    /// the signer would sign no such transaction.
    func index(
        of payment: EVMOpenPayment, _ chain: FollowedEVMChain
    ) -> UInt32? {
        let to = payment.signed.transaction.destination
        if !payment.withdrawals.isEmpty || to == chain.hot { return 0 }
        if let moved = payment.signed.transaction.movement,
            chain.deposits.watch.wallet.contains(moved.receiver)
        {
            return 0
        }
        return chain.deposits.watch.addresses.index(of: to)
    }
}

/// What a transaction that the log does not have is taken into it as.
private struct AdoptedPurpose {
    let asset: AssetID
    let replaces: TransactionID
    let withdrawals: [WithdrawalID]
}
