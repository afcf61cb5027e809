// Transfers: the wallet's own coins from one of its accounts to another, to its own address, or to
// cold storage. Nothing is paid, so nothing can be paid twice; what is metered is the gas or fee,
// and what goes to cold storage that this host does not name itself; and what is counted is how
// often a nonce or a coin was signed.

internal import Addresses
internal import EVM
internal import Engine
internal import Payments
internal import Terms
internal import UTXO

extension PaymentSigner {
    /// Maximum transfers that are signed with one nonce of an account, or with a coin: as many as
    /// of payments of one withdrawal.
    static var transfersOfNonceMax: Int { Limits.replacementsMax + 1 }

    /// Answers a request for a transfer of a UTXO chain.
    ///
    /// What was signed before for some of its coins and never got into the log is given instead, if
    /// it may still be signed. Any other one conflicts with it on the chain, and counts in full: of
    /// three that share coins two may be final.
    func answer(
        transfer request: SigningRequest, of chain: ChainCoins, _ engine: borrowing Engine,
        _ coins: CoinTable, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SigningAnswer {
        let wanted = try Self.transaction(request.transaction, on: chain.network)
        let inputs = Set(wanted.inputs.map(\.outPoint))
        let earlier = list.entries.filter {
            $0.payment.withdrawals.isEmpty && $0.chain == chain.chain
                && !inputs.isDisjoint(with: $0.inputs)
        }
        for entry in earlier.reversed() {
            let id = entry.payment.transaction
            // What an operator dropped was too slow: the next one is to pay more.
            guard id == wanted.id || !chain.isDropped(id) else { continue }
            if let payment = try? givenOfCoins(entry, request, engine, coins) {
                return .signed(payment)
            }
        }
        guard earlier.count < Self.transfersOfNonceMax else {
            throw PaymentReviewError(
                .signedBefore,
                "some of these coins were signed \(earlier.count) times: one of these transfers "
                    + "has to be final")
        }
        let reviewed = try review(request, engine, coins)
        if reviewed.toCold > 0 { try admitToCold(chain.chain, reviewed.leaving, now) }
        return .signed(try sign(reviewed, 0, on: chain.chain, engine, coins, now))
    }

    /// Whether so many base units may go to cold storage that this host does not name: half of the
    /// limit is left to customers' withdrawals.
    private func admitToCold(
        _ chain: Text40, _ units: Int64, _ now: SpendingMoment
    ) throws(PaymentReviewError) {
        guard let limit = limits[chain]?.units else { return }
        meterAdvance(to: now)
        let verdict = meter?.verdict(
            chain, units, capacity: limit.capacity / 2, refill: limit.refill)
        switch verdict {
        case .fits: return
        case .later(let nanos):
            let minutes = max(1, (nanos - 1) / 60_000_000_000 + 1)
            throw PaymentReviewError(
                .limit,
                "half of the limit of \(chain) is used up, and the other half is not for cold "
                    + "storage: it fits in \(minutes) minutes")
        case .never, nil:
            throw PaymentReviewError(
                .aboveLimit,
                "it is more than half of the limit of \(chain), which is what may go to cold "
                    + "storage that this host does not name: [signerd] cold, [signerd] limits")
        }
    }

    /// Answers a request for a transfer of an EVM chain.
    func answer(
        transfer request: SigningRequest, of account: EVMPayments, _ engine: borrowing Engine,
        _ coins: CoinTable, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SigningAnswer {
        let reviewed = try ReviewedEVMTransfer(
            request, engine, coins, assets, key: master
        ) { asset, chain, descriptor in
            evmPins.contains {
                $0.asset == asset && $0.chain == chain && $0.address == EVMAddress(descriptor)
            }
        }
        let earlier = list.entries.filter {
            $0.payment.withdrawals.isEmpty && $0.chain == account.chain
                && $0.inputs == [reviewed.coin]
        }
        let wanted = reviewed.transaction
        if let same = earlier.last(where: { Self.transaction($0) == wanted }) {
            var payment = same.payment
            guard payment.network == request.network, payment.asset == request.asset else {
                throw PaymentReviewError(
                    .signedBefore, "it was signed before for another asset")
            }
            payment.replaces = request.replaces
            return .signed(payment)
        }
        guard earlier.count < Self.transfersOfNonceMax else {
            throw PaymentReviewError(
                .signedBefore,
                "nonce \(wanted.nonce) was signed \(earlier.count) times: one of these has to be "
                    + "final (boursectl wallet adopt), or forgotten (bourse-signerd --forget), as "
                    + "one at most ever is")
        }
        // One at most of those with the same nonce is ever final.
        let replaced = earlier.map(\.leaving).max() ?? 0
        let counted = max(0, reviewed.leaving - replaced)
        let limit = try admit(account.chain, counted, now)
        var token: TokenSpending?
        var tokenRefill: Int64 = 0
        if let due = reviewed.token {
            let counted = max(
                0, due.leaving - EarlierSignatures.replaced(due.limit, earlier))
            tokenRefill = try admit(due.limit, counted, now).refill
            token = TokenSpending(limit: due.limit, leaving: due.leaving, counted: counted)
        }
        // Its signature has 67 bytes and the lengths of three lists.
        let bytesMax = min(request.transaction.count + 80, Limits.transactionBytesMax)
        var entry = SignedEntry(
            chain: account.chain,
            payment: SignedPayment(
                network: request.network, asset: request.asset, withdrawals: [],
                replaces: request.replaces, transaction: .none,
                bytes: [UInt8](repeating: 0, count: bytesMax)),
            inputs: [reviewed.coin], leaving: reviewed.leaving, counted: counted,
            time: meterTime, seen: SeenRecord(coins), token: token)
        // Before it is signed: what cannot be kept is not made.
        try makeRoom(for: entry, engine, coins)
        entry.payment = try reviewed.signed(with: master)
        // It counts even where it is not known whether it was kept.
        take(account.chain, counted, refill: limit.refill)
        if let token { take(token.limit, token.counted, refill: tokenRefill) }
        guard list.append(entry) else {
            throw PaymentReviewError(.notKept, Self.notKept(list.fault ?? ""))
        }
        return .signed(entry.payment)
    }

    /// Whether a transfer may still be in the log some day, or is there and not settled: then the
    /// list keeps it.
    static func isOpen(
        transfer entry: SignedEntry, _ engine: borrowing Engine, _ coins: CoinTable
    ) -> Bool {
        if let chain = coins.coins(entry.payment.network), chain.chain == entry.chain {
            // One that can never be final any more is open in the engine until it is dropped.
            return chain.payments[entry.payment.transaction] != nil
                || !entry.inputs.isEmpty && !entry.inputs.contains { chain.isGone($0) }
        }
        if engine.payment(entry.payment.transaction) != nil { return true }
        guard let account = coins.account(entry.payment.network), account.chain == entry.chain
        else { return false }
        return !entry.inputs.allSatisfy { account.isSpent($0) }
    }
}
