// What the signer checks before it signs. It believes the log, and nothing of the request.

internal import Addresses
public import Engine
public import Keys
internal import Terms
public import UTXO

/// Why a request is not signed.
public struct PaymentReviewError: Error, Hashable, Sendable {
    /// The kind.
    public let refusal: SigningRefusal
    /// In words.
    public let text: String

    /// A rejection.
    public init(_ refusal: SigningRefusal, _ text: String) {
        (self.refusal, self.text) = (refusal, text)
    }
}

/// A request whose transaction pays exactly what the log says that it is to pay; or a transfer,
/// which pays nobody.
public struct ReviewedPayment: Sendable {
    /// What was asked for.
    public let request: SigningRequest
    /// What leaves the wallet: payees or cold storage, and the miner's fee; in base units.
    public let leaving: Int64
    /// What of that goes to cold storage which the host does not name itself.
    public let toCold: Int64
    private let transaction: UTXOTransaction
    private let spent: [WalletCoin]
    private let chain: ChainCoins

    /// What it spends.
    public var inputs: [OutPoint] { transaction.inputs.map(\.outPoint) }

    /// A fee above this is a mistake, or a theft for a miner's benefit: base units for 1,000
    /// virtual bytes.
    public static let feePerKilobyteMax: Int64 = 1_000_000

    /// Reviews a request against the log, and what it spends against the chain. `coins` has seen
    /// what `engine` has applied; `key` is the master key that would sign. Of what `isSigned`
    /// before nothing has to be proved again. What goes to cold storage of `pins` does not leave.
    public static func review(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        key: ExtendedPrivateKey, pins: [ColdPin] = [], isSigned: Bool = false
    ) -> Result<ReviewedPayment, PaymentReviewError> {
        do throws(PaymentReviewError) {
            return .success(try ReviewedPayment(request, engine, coins, key, pins, isSigned))
        } catch { return .failure(error) }
    }

    private init(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ key: ExtendedPrivateKey, _ pins: [ColdPin], _ isSigned: Bool
    ) throws(PaymentReviewError) {
        guard request.sequence <= coins.sequence, engine.sequence == coins.sequence, !coins.hasGap
        else {
            throw PaymentReviewError(.behind, "the log is followed up to record \(coins.sequence)")
        }
        guard let chain = coins.coins(request.network) else {
            throw PaymentReviewError(.otherKey, "the log names no UTXO chain \(request.network)")
        }
        try Self.check(chain, isOf: key)
        let payees = try Self.payees(request, engine, chain)
        do throws(UTXODecodingError) {
            transaction = try UTXOTransaction(
                request.transaction, on: chain.network, bytesMax: Limits.transactionBytesMax)
        } catch { throw PaymentReviewError(.malformed, "the transaction cannot be read: \(error)") }
        guard transaction.version == 2, transaction.lockTime == 0,
            transaction.inputs.allSatisfy({ $0.sequence == PaymentPlan.replaceable })
        else { throw PaymentReviewError(.malformed, "it is not of the wallet's own form") }
        spent = try Self.spent(transaction, request, chain)
        if !isSigned { try Self.prove(transaction, request.previous, chain) }
        let change =
            request.withdrawals.isEmpty
            ? 0 : try Self.change(transaction, of: request.withdrawals, payees, chain)
        // Amounts and their sums are within the network's maximum: the decoder checked them.
        let paid = transaction.outputs.reduce(0) { $0 + $1.amount }
        guard let all = chain.network.sum(spent.lazy.map(\.amount)), all >= paid else {
            throw PaymentReviewError(.coins, "its inputs are less than its outputs")
        }
        let weight =
            transaction.weight + spent.count * (SpendKind.publicKeyHash.inputWeight - 4 * 41) + 2
        let size = Int64((weight + 3) / 4)
        let fees =
            size * PaymentProposal.feePerKilobyteMin / 1_000...size * Self.feePerKilobyteMax / 1_000
        guard fees ~= all - paid else {
            throw PaymentReviewError(.fee, "its fee is \(all - paid) base units, not of \(fees)")
        }
        if request.withdrawals.isEmpty {
            let cold = try Self.leaving(
                transfer: transaction, request, spent: spent.map(\.amount), engine, chain, pins)
            (leaving, toCold) = (all - paid + cold, cold)
        } else {
            (leaving, toCold) = (all - change, 0)
        }
        (self.request, self.chain) = (request, chain)
    }

    /// Whether the chain's account is the key's own.
    private static func check(
        _ chain: ChainCoins, isOf key: ExtendedPrivateKey
    ) throws(PaymentReviewError) {
        let own = try? key.descendant(
            .hardened(84), .hardened(chain.network.coinType), .hardened(0))
        guard own?.publicKey.text(isTest: chain.network.isTest) == chain.key else {
            throw PaymentReviewError(
                .otherKey, "the chain \(chain.chain) has a key that is not of this signer's seed")
        }
    }

    /// What has to be paid, by the log.
    private static func payees(
        _ request: SigningRequest, _ engine: borrowing Engine, _ chain: ChainCoins
    ) throws(PaymentReviewError) -> [Payee] {
        guard let terms = engine.network(request.asset, request.network),
            engine.asset(request.asset)?.scale == 8
        else { throw PaymentReviewError(.notPayable, "the log has no such network of the asset") }
        var assets = 0
        engine.forEachNetwork { if $0.network == request.network { assets += 1 } }
        guard assets == 1 else {
            throw PaymentReviewError(.notPayable, "\(assets) assets have this chain")
        }
        if let refusal = engine.refusal(ofPaying: terms) {
            throw PaymentReviewError(.notPayable, refusal)
        }
        guard !request.withdrawals.isEmpty else {
            try check(transfer: request, engine, terms)
            return []
        }
        let replaced = chain.payments(of: request.withdrawals)
        if request.replaces != .none {
            guard replaced.contains(where: { $0.0 == request.replaces }) else {
                throw PaymentReviewError(
                    .notPayable, "no open payment of these withdrawals is the one to be replaced")
            }
        }
        let status: WithdrawalStatus = request.replaces == .none ? .approved : .signed
        var payees: [Payee] = []
        for id in request.withdrawals {
            guard let withdrawal = engine.withdrawal(id), withdrawal.asset == request.asset,
                withdrawal.network == request.network
            else {
                throw PaymentReviewError(.notPayable, "withdrawal \(id.number) is not open here")
            }
            guard withdrawal.status == status,
                engine.account(withdrawal.account)?.isKilled == false
            else {
                throw PaymentReviewError(.notPayable, "withdrawal \(id.number) is not approved")
            }
            guard let payee = Payee(withdrawal, on: chain.network) else {
                throw PaymentReviewError(
                    .notPayable, "withdrawal \(id.number) goes to no address of the chain")
            }
            payees.append(payee)
        }
        return payees
    }

    /// What the inputs spend: coins of ours that nothing else spends, and of a payment that is
    /// replaced at least one.
    private static func spent(
        _ transaction: UTXOTransaction, _ request: SigningRequest, _ chain: ChainCoins
    ) throws(PaymentReviewError) -> [WalletCoin] {
        let replaced = chain.payments(of: request.withdrawals)
        let reusable = Set(replaced.flatMap { $0.1.inputs })
        var seen: Set<OutPoint> = []
        var spent: [WalletCoin] = []
        for input in transaction.inputs {
            let name = "\(input.outPoint.transaction.hex):\(input.outPoint.output)"
            guard input.scriptSig.isEmpty, input.witness.isEmpty else {
                throw PaymentReviewError(.malformed, "an input is signed already")
            }
            guard let coin = chain.coins[input.outPoint] else {
                throw PaymentReviewError(.coins, "\(name) is no coin of the wallet's")
            }
            guard seen.insert(input.outPoint).inserted else {
                throw PaymentReviewError(.coins, "\(name) is spent twice")
            }
            guard chain.isFree(input.outPoint) || reusable.contains(input.outPoint),
                !replaced.contains(where: { $0.0 == input.outPoint.transaction })
            else { throw PaymentReviewError(.coins, "another payment spends \(name)") }
            spent.append(coin)
        }
        for (id, payment) in replaced where seen.isDisjoint(with: payment.inputs) {
            throw PaymentReviewError(
                .coins, "it does not replace \(id.hex): both could be final on the chain")
        }
        return spent
    }

    /// Whether the chain says of each coin what the log does.
    private static func prove(
        _ transaction: UTXOTransaction, _ previous: [[UInt8]], _ chain: ChainCoins
    ) throws(PaymentReviewError) {
        let found: PreviousTransactions
        do throws(UTXODecodingError) {
            found = try PreviousTransactions(previous, on: chain.network)
        } catch {
            throw PaymentReviewError(
                .unproved, "a transaction that it spends from cannot be read: \(error)")
        }
        for place in transaction.inputs.map(\.outPoint) {
            guard let output = found[place] else {
                throw PaymentReviewError(
                    .unproved,
                    "the request lacks the transaction of the coin \(place.transaction.hex):"
                        + "\(place.output), or it has no such output")
            }
            if let difference = chain.difference(place, from: output) {
                throw PaymentReviewError(.unproved, difference)
            }
        }
        guard found.count == Set(transaction.inputs.map(\.outPoint.transaction)).count else {
            throw PaymentReviewError(.unproved, "it has transactions that it does not spend from")
        }
    }

    /// The amount that comes back. Every other output is exactly one withdrawal's.
    static func change(
        _ transaction: UTXOTransaction, of withdrawals: [WithdrawalID], _ payees: [Payee],
        _ chain: ChainCoins
    ) throws(PaymentReviewError) -> Int64 {
        guard let own = try? chain.script(.change(of: withdrawals)) else {
            throw PaymentReviewError(.otherKey, "the chain's key cannot be used")
        }
        var due: [UTXOTransaction.TransactionOutput: Int] = [:]
        for payee in payees {
            due[
                UTXOTransaction.TransactionOutput(
                    amount: payee.amount, script: payee.destination.script), default: 0] += 1
        }
        var change: Int64?
        for output in transaction.outputs {
            if let count = due[output] {
                due[output] = count == 1 ? nil : count - 1
            } else if output.script == own, change == nil {
                change = output.amount
            } else {
                throw PaymentReviewError(
                    .outputs, "it pays \(output.amount) base units to \(output.script.hexText)")
            }
        }
        guard due.isEmpty else {
            throw PaymentReviewError(.outputs, "it does not pay all of the withdrawals")
        }
        return change ?? 0
    }

    /// Signs it. `random` are 32 bytes that nobody can guess.
    public func signed(
        with master: ExtendedPrivateKey, random: [UInt8]
    ) throws(PaymentReviewError) -> SignedPayment {
        do {
            var psbt = try PSBT(unsigned: transaction)
            let purpose = [84, chain.network.coinType, 0].map { $0 | 0x8000_0000 }
            let account = try master.descendant(along: purpose)
            for (index, coin) in spent.enumerated() {
                let path = [coin.place.branch.rawValue, coin.place.index]
                let key = try account.publicKey.descendant(path[0], path[1])
                guard
                    let origin = KeyOrigin(
                        fingerprint: master.publicKey.fingerprint, path: purpose + path)
                else { preconditionFailure("a fingerprint has four bytes") }
                try psbt.updateInput(
                    index,
                    spent: UTXOTransaction.TransactionOutput(
                        amount: coin.amount, script: SpendKind.publicKeyHash.script(of: key)),
                    key: key, origin: origin)
            }
            _ = try psbt.sign(with: master, on: chain.network, random: random)
            try psbt.finalize(on: chain.network)
            let signed = try psbt.extracted()
            guard signed.bytes.count <= Limits.transactionBytesMax else {
                throw PaymentReviewError(.malformed, "it is too large once it is signed")
            }
            return SignedPayment(
                network: request.network, asset: request.asset, withdrawals: request.withdrawals,
                replaces: request.replaces, transaction: signed.id, bytes: signed.bytes)
        } catch let rejection as PaymentReviewError {
            throw rejection
        } catch {
            throw PaymentReviewError(.coins, "it cannot be signed: \(error)")
        }
    }
}

extension Payee {
    /// What a withdrawal pays; nil where its address is none of the chain's.
    init?(_ withdrawal: WithdrawalView, on network: UTXONetwork) {
        guard let destination = try? UTXODestination("\(withdrawal.address)", on: network),
            let amount = Int64(exactly: withdrawal.amount.units)
        else { return nil }
        self.init(destination, amount)
    }
}

extension Engine {
    /// Why nothing of a network may be paid now; nil: it may.
    public borrowing func refusal(ofPaying terms: NetworkView) -> String? {
        if isKilled { return "the venue's kill switch is on" }
        if !terms.takesWithdrawals { return "the network takes no withdrawals" }
        return isWithdrawalStopped(terms.asset) ? "withdrawals of the asset are stopped" : nil
    }
}
