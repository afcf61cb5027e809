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

    /// Plans a transfer where no withdrawal waits, has it signed and brings it into the log. `free`
    /// are the coins that no payment spends, in base units. Returns whether the log has a new one.
    func move(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>, free: Int64
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        let cold = session.replica.engine.coldStorage(terms.asset, terms.network)
        let isAbove = cold.map { Int128(free) > $0.ceiling.units } ?? false
        let isMany = consolidation.above > 0 && known.coins.count > consolidation.above
        guard isAbove || isMany, known.transfers.isEmpty else {
            chain.payouts.transferFault = nil
            return false
        }
        guard now >= chain.payouts.transferTime else { return false }
        // Set first: what the log throws is tried again later as well.
        chain.payouts.transferTime = now + Payouts.retryNanos
        let (condition, text) = try moveNext(terms, known, chain)
        if condition == .paying { return true }
        if condition == .logRefuses { chain.payouts.transferTime = now + Payouts.refusedNanos }
        chain.payouts.transferFault = condition == .idle ? nil : (condition, text)
        return false
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
        case .none(let why): return (.notMoved, why)
        case .request(let request):
            switch signer.answer(request) {
            case .failure(let absence): return (.noSigner, absence.text)
            // It refills: nobody has to do something.
            case .success(.refused(.limit, let text)): return (.waiting, text)
            case .success(.refused(let refusal, let text)):
                return (.signerRefuses, "\(refusal.rawValue): \(text)")
            case .success(.signed(let payment)) where payment.withdrawals.isEmpty:
                return try bring(payment, request, known, chain)
            case .success: return (.signerRefuses, "its answer is no transfer")
            }
        }
    }

    /// Plans a transfer whose coins the node's chain has, with the transactions that prove them.
    private func planTransfer(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(NodeError) -> TransferProposal {
        var conditions = PaymentConditions(feeRate: try chain.payouts.feeRate(chain.node), seed: 0)
        let reader = chain.reader
        let deadline = Clock.monotonicNanos() + Self.planNanosMax
        while true {
            conditions.absent = chain.payouts.absentCoins()
            let proposal = TransferProposal(
                terms, session.replica.engine, coins, conditions, merging: consolidation
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

    /// Brings a transfer into the log again that was dropped, and that a block has. Returns whether
    /// the log has it.
    func adoptDropped(
        _ terms: NetworkView, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        guard session.isLed, now >= chain.payouts.adoptTime else { return false }
        let spenders = Set(chain.watch.vanished.values.compactMap { $0.spend?.transaction })
        let id = spenders.sorted().first {
            known.isDropped($0) && session.replica.engine.payment($0) == nil
        }
        guard let id else { return false }
        chain.payouts.adoptTime = now + Payouts.retryNanos
        let found: [UInt8]?
        do throws(NodeError) { found = try bytes(ofDropped: id, known, chain) } catch {
            return false
        }
        // A payment of withdrawals comes again by the signer, which gives what it has signed.
        guard let found, known.isTransfer(found, of: terms.asset, terms.network, session.replica.engine)
        else {
            return false
        }
        let sequence = session.replica.sequence
        let request = SigningRequest(
            network: terms.network, asset: terms.asset, sequence: sequence, withdrawals: [],
            transaction: [])
        let payment = SignedPayment(
            network: terms.network, asset: terms.asset, withdrawals: [], transaction: id,
            bytes: found)
        return try bring(payment, request, known, chain).0 == .paying
    }

    /// The bytes of a transaction that a block has, by one of its outputs that nothing spends.
    private func bytes(
        ofDropped id: TransactionID, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(NodeError) -> [UInt8]? {
        for index in known.outputs(ofDropped: id) {
            guard let output = try chain.node.unspent(id, index) else { continue }
            return try chain.node.transaction(id, of: output)
        }
        return nil
    }

    // MARK: What is said of them

    /// What is to be known of transfers beside withdrawals, and what is wrong with one where
    /// withdrawals have nothing to say.
    func tellTransfers(
        _ report: inout PayoutReport, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) {
        let reader = chain.reader
        if let (id, transfer) = known.transfers.first {
            report.remark = Self.words(id, transfer)
            let time = session.replica.engine.timestamp
            let most = bumpNanos > 0 ? bumpNanos : Self.transferNanos
            if report.condition.isSound, report.condition != .stopped, !reader.isInBlock(id),
                time >= transfer.time, time - transfer.time >= most,
                reader.height ?? 0 > chain.payouts.waits.heights[id] ?? .max
            {
                report.condition = .slow
                report.text =
                    "the transfer \(id.hex) waits for a block for long, and is not replaced: once "
                    + "no node has it any more, boursectl wallet drop gives its coins back"
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
