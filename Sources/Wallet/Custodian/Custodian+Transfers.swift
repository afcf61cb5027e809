// Moves the wallet's own coins: to cold storage what is above its ceiling, and many small ones into
// one.
//
// As with payments, the signer signs, the bytes go into the log, and then the node gets them. What
// was signed and did not get there the signer gives again, for any transfer of the same coins.

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
    /// How long a transfer waits for its block until that is told, where payments are not replaced.
    static var transferNanos: Int64 { 7_200_000_000_000 }

    /// Plans a transfer where no withdrawal waits, has it signed and brings it into the log.
    /// Returns whether the log has a new one.
    func move(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        let isAbove = isAbove(terms, chain)
        guard known.transfers.isEmpty, isAbove || isMany(chain) else {
            chain.payouts.transferFault = nil
            return false
        }
        guard now >= chain.payouts.transferTime else { return false }
        // Where it is above the ceiling, a coin more may make it worth a transaction.
        if let rest = chain.payouts.transferRest, now < rest.until,
            !isAbove || rest.changes == known.changes
        {
            return false
        }
        // Set first: what the log throws is tried again later as well.
        chain.payouts.transferTime = now + Payouts.retryNanos
        chain.payouts.transferRest = nil
        let (condition, text) = try moveNext(terms, known, chain)
        switch condition {
        case .paying: return true
        case .logRefuses: chain.payouts.transferTime = now + Payouts.refusedNanos
        case .idle:
            chain.payouts.transferRest = (known.changes, now + Payouts.transferRestNanos)
        default: break
        }
        chain.payouts.transferFault = condition == .idle ? nil : (condition, text)
        return false
    }

    /// Whether more is here than the ceiling of cold storage.
    private func isAbove(_ terms: NetworkView, _ chain: FollowedChain<Node>) -> Bool {
        session.replica.engine.coldStorage(terms.asset, terms.network)
            .map { chain.payouts.settledFree > $0.ceiling.units } ?? false
    }

    /// Whether so many coins are free that some are merged, and the fee is low enough.
    private func isMany(_ chain: FollowedChain<Node>) -> Bool {
        guard consolidation.above > 0, chain.payouts.freeCount > consolidation.above,
            let rate = try? chain.payouts.feeRate(chain.node)
        else { return false }
        return rate.perKilobyte <= consolidation.feePerKilobyteMax
    }

    private func moveNext(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (PayoutCondition, String) {
        let proposal: TransferProposal
        do throws(NodeError) { proposal = try planTransfer(terms, known, chain) } catch {
            return (.waiting, "its node does not say what a transfer needs: \(error)")
        }
        switch proposal {
        case .nothing: return (.idle, "")
        case .none(let why):
            // The signer's limit may be another one by then.
            if chain.payouts.transferMost != nil {
                chain.payouts.transferMost = nil
                chain.payouts.transferTime =
                    Clock.monotonicNanos() + Payouts.bumpRetryNanos
            }
            return (.notMoved, why)
        case .request(let request):
            switch signer.answer(request) {
            case .failure(let absence): return (.noSigner, absence.text)
            case .success(.refused(let refusal, let text))
            where refusal == .limit || refusal == .aboveLimit:
                return askLess(request, refusal, text, terms, known, chain)
            // It reads the log beside this, and has it in a moment.
            case .success(.refused(.behind, let text)):
                return (.waiting, "\(SigningRefusal.behind.rawValue): \(text)")
            case .success(.refused(let refusal, let text)):
                return (.signerRefuses, "\(refusal.rawValue): \(text)")
            case .success(.signed(let payment)) where payment.withdrawals.isEmpty:
                if let most = chain.payouts.transferMost?.units {
                    let next = most.multipliedReportingOverflow(by: 2)
                    setMost(next.overflow ? .max : next.partialValue, chain)
                }
                return try bring(payment, request, known, chain)
            case .success: return (.signerRefuses, "its answer is no transfer")
            }
        }
    }

    /// The signer's limit has no room for a transfer: half as much is asked for next, as long as
    /// that helps. What refills is waited for from a sixteenth of what is above the target on.
    private func askLess(
        _ request: SigningRequest, _ refusal: SigningRefusal, _ text: String,
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) -> (PayoutCondition, String) {
        let transaction = try? UTXOTransaction(request.transaction, on: known.network)
        let coin = transaction.flatMap { known.outputs(ofTransfer: $0, id: $0.id).cold?.coin }
        let cold = session.replica.engine.coldStorage(terms.asset, terms.network)
        let excess = chain.payouts.settledFree - (cold?.target.units ?? 0)
        // It refills: nobody has to do something.
        guard let coin, refusal == .aboveLimit || Int128(coin.amount) > excess / 16 else {
            return (.waiting, text)
        }
        setMost(coin.amount / 2, chain)
        chain.payouts.transferTime = 0
        // What never fitted is an alarm until something does.
        if let fault = chain.payouts.transferFault, fault.0 == .notMoved { return fault }
        return (.waiting, text)
    }

    private func setMost(_ units: Int64, _ chain: FollowedChain<Node>) {
        chain.payouts.transferMost = (units, Clock.monotonicNanos() + Payouts.transferMostNanos)
    }

    /// Plans a transfer whose coins the node's chain has, with the transactions that prove them.
    private func planTransfer(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(NodeError) -> TransferProposal {
        var conditions = PaymentConditions(feeRate: try chain.payouts.feeRate(chain.node), seed: 0)
        // What was dropped was too slow. Nodes that have it take only what pays as much more as
        // they want for relaying it (BIP125, rule 4), which at low rates is more than a quarter.
        if let paid = chain.payouts.transferPaid, known.isDropped(paid.id) {
            let relayFee = Int128(try chain.node.relayFeePerKilobyte())
            let more = min(
                max(paid.perKilobyte * 5 / 4, paid.perKilobyte + relayFee) + 1,
                Int128(PaymentProposal.feePerKilobyteMax))
            if more > Int128(conditions.feeRate.perKilobyte),
                let rate = UTXOFeeRate(perKilobyte: Int64(more))
            {
                conditions.feeRate = rate
            }
        }
        let reader = chain.reader
        let deadline = Clock.monotonicNanos() + Self.planNanosMax
        while true {
            conditions.absent = chain.payouts.absentCoins()
            let most = chain.payouts.transferMost.flatMap {
                Clock.monotonicNanos() < $0.until ? $0.units : nil
            }
            let proposal = TransferProposal(
                terms, session.replica.engine, coins, conditions, merging: consolidation,
                most: most ?? .max
            ) { reader.isInBlock($0) }
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

    // MARK: What was given up and is final all the same

    /// Brings a transfer into the log again that was dropped, and that is final all the same, and
    /// settles it. Returns whether there was one.
    func adoptDropped(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        guard session.isLed, now >= chain.payouts.adoptTime else { return false }
        let vanished = chain.watch.vanished.values
        var ids = Set(vanished.compactMap { $0.spend?.transaction }).filter(known.isDropped)
        // A block that was final before this wallet started is not read again.
        let isLookedFor = ids.isEmpty && vanished.contains { $0.spend == nil }
        if isLookedFor { ids = known.droppedTransactions }
        ids = ids.filter { session.replica.engine.payment($0) == nil }
        guard !ids.isEmpty else { return false }
        // Nothing says that it is one of them: the node is asked seldom.
        chain.payouts.adoptTime = now + (isLookedFor ? Payouts.refusedNanos : Payouts.retryNanos)
        let deadline = now + Self.planNanosMax
        for id in ids.sorted() where Clock.monotonicNanos() < deadline {
            let found: (bytes: [UInt8], place: UnspentOutput)?
            do throws(NodeError) { found = try transaction(ofDropped: id, known, chain) } catch {
                continue
            }
            // A payment of withdrawals comes again by the signer, which gives what it has signed.
            guard let found,
                known.isTransfer(
                    found.bytes, of: terms.asset, terms.network, session.replica.engine),
                // Once it is final: its block is not read again for it.
                let tip = chain.reader.tip, found.place.bestBlock == tip.block,
                found.place.confirmations >= UInt64(terms.confirmations),
                found.place.confirmations <= tip.height
            else { continue }
            let request = SigningRequest(
                network: terms.network, asset: terms.asset, sequence: session.replica.sequence,
                withdrawals: [], transaction: [])
            let payment = SignedPayment(
                network: terms.network, asset: terms.asset, withdrawals: [], transaction: id,
                bytes: found.bytes)
            guard try bring(payment, request, known, chain).0 == .paying else { continue }
            _ = try settle(id, tip.height - found.place.confirmations + 1, terms)
            return true
        }
        return false
    }

    /// A transaction that a block has, by one of its outputs that nothing spends.
    private func transaction(
        ofDropped id: TransactionID, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(NodeError) -> (bytes: [UInt8], place: UnspentOutput)? {
        for index in known.outputs(ofDropped: id) {
            guard let output = try chain.node.unspent(id, index), output.confirmations > 0,
                let bytes = try chain.node.transaction(id, of: output)
            else { continue }
            return (bytes, output)
        }
        return nil
    }

    // MARK: What can never be final

    /// Drops a transfer that the log has as open and the coins do not: another one that is final
    /// has spent a coin of it. Returns whether there was one.
    func dropEnded(
        _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        guard session.isLed, now >= chain.payouts.endTime,
            coins.sequence == session.replica.sequence, let known = coins.coins(terms.network)
        else { return false }
        var ended: TransactionID?
        session.replica.engine.forEachPayment {
            if ended == nil, $0.isTransfer, $0.network == terms.network,
                known.payments[$0.id] == nil
            {
                ended = $0.id
            }
        }
        guard let ended else { return false }
        // Each try is a record.
        chain.payouts.endTime = now + Payouts.refusedNanos
        guard try submit(DropTransaction(transaction: ended)).refusal == .none else {
            return false
        }
        chain.payouts.endTime = 0
        return true
    }

    // MARK: What is said of them

    /// What is to be known of transfers beside withdrawals, and what is wrong with one where
    /// withdrawals have nothing to say.
    func tellTransfers(
        _ report: inout PayoutReport, _ terms: NetworkView, _ known: ChainCoins,
        _ chain: FollowedChain<Node>, isAnyPayable: Bool
    ) {
        defer { tellAbove(&report, terms, known, chain, isAnyPayable: isAnyPayable) }
        let reader = chain.reader
        if let (id, transfer) = known.transfers.first {
            report.remark = Self.words(id, transfer)
            if chain.payouts.transferPaid?.id != id,
                let made = try? UTXOTransaction(transfer.bytes, on: known.network)
            {
                let size = Int64(max(1, made.virtualSize))
                chain.payouts.transferPaid = (id, Int128(transfer.fee) * 1_000 / Int128(size))
            }
            let time = session.replica.engine.timestamp
            let most = bumpNanos > 0 ? bumpNanos : Self.transferNanos
            let isShort = report.condition == .short
            if isShort || report.condition.isSound, report.condition != .stopped,
                !reader.isInBlock(id), time >= transfer.time, time - transfer.time >= most,
                reader.height ?? 0 > chain.payouts.waits.heights[id] ?? .max
            {
                let isFromCold = transfer.inputs.contains { known.coins[$0] == nil }
                let text =
                    "the transfer \(id.hex) waits for a block for long: boursectl wallet drop "
                    + "gives its coins back, "
                    + (isFromCold
                        ? "which a new one may spend for more (boursectl wallet cold export)"
                        : "and it is planned anew for a higher fee")
                    + "; whichever of both a block takes is booked"
                report.text = isShort ? "\(report.text); \(text)" : text
                if !isShort { report.condition = .slow }
            }
        } else if let (condition, text) = chain.payouts.transferFault {
            report.remark = "coins are not moved: \(text)"
            let isTrouble: Set<PayoutCondition> = [
                .noSigner, .signerRefuses, .logRefuses, .notMoved,
            ]
            if report.condition.isSound, report.condition != .stopped,
                isTrouble.contains(condition)
            {
                report.condition = .notMoved
                report.text = "\(condition.rawValue): \(text)"
            }
        }
    }

    /// Says that more is here than the ceiling, where that has lasted and nothing moves.
    private func tellAbove(
        _ report: inout PayoutReport, _ terms: NetworkView, _ known: ChainCoins,
        _ chain: FollowedChain<Node>, isAnyPayable: Bool
    ) {
        let remark = chain.payouts.ceilingWatch.remark(
            isAbove: report.condition != .stopped && known.transfers.isEmpty
                && isAbove(terms, chain),
            isAnyPayable: isAnyPayable, fault: chain.payouts.transferFault?.1,
            at: Clock.monotonicNanos())
        guard let remark else { return }
        report.remark = remark
        if report.condition.isSound {
            (report.condition, report.text) = (.notMoved, report.remark)
        }
    }

    private static func words(_ id: TransactionID, _ transfer: OpenPayment) -> String {
        if let coin = transfer.cold?.coin {
            return "the transfer \(id.hex) brings \(coin.amount) base units to cold storage"
        }
        return "the transfer \(id.hex) merges \(transfer.inputs.count) coins"
    }

    /// That a transfer has coins that withdrawals wait for; empty where none has.
    static func words(holding known: ChainCoins) -> String {
        guard let (id, transfer) = known.transfers.first else { return "" }
        return "; the transfer \(id.hex) holds \(transfer.inputs.count) of them until it is final"
    }
}
