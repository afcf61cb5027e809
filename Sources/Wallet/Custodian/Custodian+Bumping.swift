// Payments that wait for their blocks: they are replaced for a higher fee (BIP125), and what can
// never be final is reported.
//
// A replacement is a payment of the same withdrawals that spends all coins of the one before, and
// goes into the log before the node gets it. Whichever of them a block takes settles them all. When
// one is due says the log: the time of the newest payment's record.

internal import Addresses
internal import Deposits
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

extension Custodian {
    /// Replaces the oldest payment that is due. Returns whether one was replaced.
    func bumpNext(
        _ sets: [PaymentSet], _ known: ChainCoins, _ terms: NetworkView,
        _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Bool {
        // The log's time against the log's: the host's may be another.
        let (now, time) = (Clock.monotonicNanos(), session.replica.engine.timestamp)
        let reader = chain.reader
        wanted.formIntersection(sets.flatMap(\.withdrawals))
        func isDue(_ set: PaymentSet) -> Bool {
            // A transfer nobody waits for.
            guard !set.withdrawals.isEmpty, now >= chain.payouts.waits.bumpTimes[set.newest] ?? 0,
                chain.payouts.waits.spentElsewhere[set.newest] == nil,
                !chain.payouts.waits.replacesNothing(set)
            else { return false }
            // A higher fee helps where blocks come and pass it over.
            let isOld =
                bumpNanos > 0 && time >= set.lastTime && time - set.lastTime >= bumpNanos
                && reader.height ?? 0 > chain.payouts.waits.heights[set.newest] ?? .max
            return (isOld || !wanted.isDisjoint(with: set.withdrawals))
                && !set.ids.contains(where: reader.isInBlock)
        }
        guard let due = sets.filter(isDue).min(by: { $0.sequence < $1.sequence }) else {
            return false
        }
        // Set first: what the log throws is tried again later as well.
        chain.payouts.waits.bumpTimes[due.newest] = now + Payouts.bumpRetryNanos
        let proposal: BumpProposal
        do throws(NodeError) {
            proposal = try bumpRequest(due.newest, known, terms, chain)
        } catch { proposal = .none("its node does not say what it needs: \(error)") }
        let fault: String? =
            switch proposal {
            case .none(let why): why
            case .request(let request): try replace(request, known, chain)
            }
        chain.payouts.waits.bumpFaults[due.newest] = fault
        // An operator asks once, and is told why not.
        wanted.subtract(due.withdrawals)
        return fault == nil
    }

    /// Plans a replacement whose coins the chain has, with the transactions that prove them.
    private func bumpRequest(
        _ id: TransactionID, _ known: ChainCoins, _ terms: NetworkView,
        _ chain: FollowedChain<Node>
    ) throws(NodeError) -> BumpProposal {
        let deadline = Clock.monotonicNanos() + Self.planNanosMax
        let own = Set(known.payments[id]?.inputs ?? [])
        var conditions = PaymentConditions(feeRate: try chain.payouts.feeRate(chain.node), seed: 0)
        let asked = max(try chain.node.relayFeePerKilobyte(), PaymentProposal.feePerKilobyteMin)
        guard let relayFee = UTXOFeeRate(perKilobyte: asked) else {
            throw .malformed(method: "getnetworkinfo", "has a fee out of range")
        }
        let reader = chain.reader
        while true {
            conditions.absent = chain.payouts.absentCoins()
            let proposal = BumpProposal(
                id, terms.network, known, sequence: session.replica.sequence, conditions,
                relayFee: relayFee, isInBlock: { reader.isInBlock($0) })
            guard case .request(var request) = proposal,
                let transaction = try? UTXOTransaction(request.transaction, on: known.network)
            else { return proposal }
            let inputs = transaction.inputs.map(\.outPoint)
            switch try proof(of: inputs, known, chain, until: deadline) {
            case .whole(let previous):
                request.previous = previous
                return .request(request)
            case .tooLarge where inputs.count > own.count:
                // With fewer coins beside its own, or with none.
                conditions.sparesMax = (inputs.count - own.count) / 2
            case .tooLarge:
                return .none("the transactions that it spends from are too large")
            case .lacksCoins:
                guard own.isDisjoint(with: chain.payouts.absentCoins()) else {
                    return .none("the chain has not all of its coins")
                }
            }
        }
    }

    /// Has a replacement signed and brings it into the log; why it could not, or nil.
    private func replace(
        _ request: SigningRequest, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> String? {
        switch signer.answer(request) {
        case .failure(let absence): return absence.text
        case .success(.earlier):
            return "the signer wants it to conflict with others that it signed"
        case .success(.refused(let refusal, let text)):
            return "the signer refuses: \(refusal.rawValue): \(text)"
        case .success(.signed(let payment)):
            guard payment.withdrawals == request.withdrawals,
                known.payments[payment.transaction] == nil
            else { return "the signer signs no other transaction of these" }
            let (condition, text) = try bring(payment, request, known, chain)
            return condition == .paying ? nil : text
        }
    }

    // MARK: What can never be final

    /// Looks whether another transaction of the chain has spent the coins of payments that the node
    /// refuses.
    func lookForForeignSpends(
        _ sets: [PaymentSet], _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) {
        let now = Clock.monotonicNanos()
        let waits = chain.payouts.waits
        let due = sets.filter { set in
            let isRefused = chain.payouts.refusals[set.newest] != nil
            return (isRefused || set.ids.contains { waits.lost[$0] != nil })
                // The chain has it: it was not read, and is not lost.
                && !waits.buried.contains(set.newest) && now >= waits.lookTimes[set.newest] ?? 0
        }
        for set in due.prefix(Payouts.foreignLooksMax) {
            chain.payouts.waits.lookTimes[set.newest] = now + Payouts.foreignLookNanos
            do throws(NodeError) {
                guard let lost = try foreignSpends(set, known, chain) else { continue }
                for id in set.ids { chain.payouts.waits.note(id, lost[id]) }
                chain.payouts.waits.spentElsewhere[set.newest] =
                    lost.count == set.ids.count ? Self.words(set, Set(lost.values)) : nil
            } catch { return }
        }
    }

    /// A coin of each payment of the set that the chain has spent otherwise; nil where the chain
    /// has moved on meanwhile.
    private func foreignSpends(
        _ set: PaymentSet, _ known: ChainCoins, _ chain: FollowedChain<Node>
    ) throws(NodeError) -> [TransactionID: OutPoint]? {
        // What a block has that was read is not lost, but about to be final.
        if set.ids.contains(where: chain.reader.isInBlock) { return [:] }
        var lost: [TransactionID: OutPoint] = [:]
        for id in set.ids {
            for place in known.payments[id]?.inputs ?? [] where lost[id] == nil {
                // A coin of a payment that no block has is not spent, but is not there yet.
                let isAwaited =
                    known.payments[place.transaction] != nil
                    && !chain.reader.isInBlock(place.transaction)
                if !isAwaited, try chain.node.unspent(place.transaction, place.output) == nil {
                    lost[id] = place
                }
            }
        }
        // A block that came meanwhile may have the payment itself.
        return try chain.node.tip().block == chain.reader.tip?.block ? lost : nil
    }

    private static func words(_ set: PaymentSet, _ coins: Set<OutPoint>) -> String {
        let names = coins.sorted().map { "\($0.transaction.hex):\($0.output)" }
            .joined(separator: ", ")
        let ids = set.withdrawals.map { "\($0.number)" }.joined(separator: ", ")
        if set.withdrawals.isEmpty {
            return """
                the transfer \(set.newest.hex) cannot be final as the chain stands: a transaction \
                in a block has spent \(names). See on the chain whom that one pays: if it is this \
                transfer itself, in a block that was not read, boursectl wallet rescan; if not, \
                who else has the wallet's seed? Once that is final: boursectl wallet drop
                """
        }
        return """
            the payment \(set.newest.hex) of withdrawals \(ids) cannot be final as the chain \
            stands: a transaction in a block has spent \(names). See on the chain whom that one \
            pays: if it is this payment itself, in a block that was not read, boursectl wallet \
            rescan; if not, who else has the wallet's seed? Once that is final and the withdrawals \
            are still owed: boursectl wallet drop
            """
    }
}
