// Requests for EVM chains: the rules of UTXO chains, with a nonce for a coin.

internal import Addresses
internal import EVM
internal import Engine
internal import JSON
internal import Payments
internal import Terms
internal import UTXO

extension PaymentSigner {
    /// Answers a request for an EVM chain.
    func answer(
        _ request: SigningRequest, of account: EVMPayments, _ engine: borrowing Engine,
        _ coins: CoinTable, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SigningAnswer {
        if request.withdrawals.isEmpty {
            return try answer(transfer: request, of: account, engine, coins, now)
        }
        let earlier = list.entries(paying: request.withdrawals)
        guard earlier.allSatisfy({ $0.chain == account.chain }) else {
            throw PaymentReviewError(
                .signedBefore, "a withdrawal was signed before on another chain")
        }
        // It never got into the log as what it is, and is final all the same.
        if let paid = earlier.first(where: { account.transferred.contains($0.payment.transaction) })
        {
            throw PaymentReviewError(
                .signedBefore,
                "\(paid.payment.transaction.hex) was signed for it and is final: the log has it as "
                    + "a transfer")
        }
        // What has the nonce of another final transaction can never be final.
        func isDead(_ entry: SignedEntry) -> Bool {
            entry.inputs.contains { account.isSpent($0) }
        }
        let live = earlier.filter { !isDead($0) }
        var replaced: Int64 = 0
        if !earlier.isEmpty {
            let transaction = try ReviewedEVMPayment.decoded(request)
            // The same one has the same signature, and so the same name.
            let same = live.last { Self.transaction($0) == transaction }
            let verdict = EarlierSignatures.judge(
                same?.payment.transaction ?? .none,
                spending: [OutPoint(account.hot, nonce: transaction.nonce)],
                paying: request.withdrawals, earlier, isDead: isDead)
            switch verdict {
            case .given(let entry): return try again(entry, live, request, engine, coins)
            case .free(let units): replaced = units
            }
        }
        // Dead ones stand in nobody's way: their nonce is used.
        guard live.count <= Limits.replacementsMax else {
            throw PaymentReviewError(
                .signedBefore,
                "a withdrawal was signed \(live.count) times, and is not signed again until "
                    + "another transaction with its nonce is final")
        }
        let reviewed = try ReviewedEVMPayment(request, engine, coins, assets, key: master)
        let before =
            replaced > 0
            ? reviewed.token.map { EarlierSignatures.replaced($0.limit, earlier) } ?? 0 : 0
        return .signed(
            try sign(reviewed, (replaced, before), on: account.chain, engine, coins, now))
    }

    /// The transaction of an entry, without its signature.
    static func transaction(_ entry: SignedEntry) -> EVMTransaction? {
        (try? SignedEVMTransaction(decoding: entry.payment.bytes))?.transaction
    }

    /// Signs what was reviewed, if limits and list have room for it. `replaced` is subtracted from
    /// what counts, of the chain's own coin and of the token.
    private func sign(
        _ reviewed: ReviewedEVMPayment, _ replaced: (native: Int64, token: Int64),
        on chain: Text40, _ engine: borrowing Engine, _ coins: CoinTable, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SignedPayment {
        let counted = max(0, reviewed.leaving - replaced.native)
        let limit = try admit(chain, counted, now)
        var token: TokenSpending?
        var tokenRefill: Int64 = 0
        if let due = reviewed.token {
            let counted = max(0, due.leaving - replaced.token)
            tokenRefill = try admit(due.limit, counted, now).refill
            token = TokenSpending(limit: due.limit, leaving: due.leaving, counted: counted)
        }
        let request = reviewed.request
        // Its signature has 67 bytes and the lengths of three lists.
        let bytesMax = min(request.transaction.count + 80, Limits.transactionBytesMax)
        var entry = SignedEntry(
            chain: chain,
            payment: SignedPayment(
                network: request.network, asset: request.asset, withdrawals: request.withdrawals,
                replaces: request.replaces, transaction: .none,
                bytes: [UInt8](repeating: 0, count: bytesMax)),
            inputs: reviewed.inputs, leaving: reviewed.leaving, counted: counted,
            time: meterTime, seen: SeenRecord(coins),
            token: token)
        // Before it is signed: what cannot be kept is not made.
        try makeRoom(for: entry, engine, coins)
        entry.payment = try reviewed.signed(with: master)
        // It counts even where it is not known whether it was kept.
        take(chain, counted, refill: limit.refill)
        if let token { take(token.limit, token.counted, refill: tokenRefill) }
        guard list.append(entry) else {
            throw PaymentReviewError(.notKept, Self.notKept(list.fault ?? ""))
        }
        return entry.payment
    }

    /// Gives what was signed before; where it may not be paid any more, all of `live`, so that
    /// another payment conflicts with each of them.
    private func again(
        _ entry: SignedEntry, _ live: [SignedEntry], _ request: SigningRequest,
        _ engine: borrowing Engine, _ coins: CoinTable
    ) throws(PaymentReviewError) -> SigningAnswer {
        do throws(PaymentReviewError) {
            return .signed(try given(entry, request, engine, coins))
        } catch {
            switch error.refusal {
            case .behind, .malformed, .otherKey, .notPayable: throw error
            default: break
            }
        }
        let answer = SigningAnswer.earlier(live.map(\.payment))
        guard live.count <= SigningAnswer.earlierMax,
            answer.json.compact.utf8.count <= SigningAnswer.textBytesMax
        else {
            throw PaymentReviewError(
                .signedBefore, "the withdrawal was signed \(live.count) times before")
        }
        return answer
    }

    /// What was signed before: as it is where the log has it, for then everybody does; else if it
    /// may still be paid, in the place of what is replaced now.
    private func given(
        _ entry: SignedEntry, _ request: SigningRequest, _ engine: borrowing Engine,
        _ coins: CoinTable
    ) throws(PaymentReviewError) -> SignedPayment {
        var payment = entry.payment
        guard payment.network == request.network, payment.asset == request.asset,
            let transaction = Self.transaction(entry)
        else {
            throw PaymentReviewError(.signedBefore, "the log has given the chain another number")
        }
        if engine.payment(payment.transaction) != nil { return payment }
        // The very one that is asked for cannot pay twice, and may be the only one that has its
        // nonce and pays the withdrawal.
        if (try? ReviewedEVMPayment.decoded(request)) != transaction { try Self.checkOwn(entry) }
        payment.replaces = request.replaces
        let before = SigningRequest(
            network: payment.network, asset: payment.asset, sequence: request.sequence,
            withdrawals: payment.withdrawals, replaces: payment.replaces,
            transaction: transaction.signingBytes)
        _ = try ReviewedEVMPayment(before, engine, coins, assets, key: master)
        return payment
    }
}
