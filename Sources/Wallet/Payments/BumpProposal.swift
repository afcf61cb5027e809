// What replaces a payment that waits for its block for too long (BIP125).

internal import Addresses
public import Terms
public import UTXO

/// A payment in the place of another one, for a higher fee, or why there is none.
public enum BumpProposal: Hashable, Sendable {
    /// The signer is to be asked for this.
    case request(SigningRequest)
    /// It cannot be, in words.
    case none(String)

    /// The new rate is at least so many quarters of the old one, so that a few replacements reach
    /// whatever miners ask for.
    static let quarters: Int64 = 5
    /// Coins that may be added.
    public static let spareMax = 32

    /// Plans what replaces an open payment: it spends all that the payment does, pays the same
    /// payees as much, and a higher fee, which comes from the change, or from a coin that is added.
    ///
    /// `relayFee` is what nodes want for each replacement (BIP125, rule 4). Added coins are in a
    /// block (rule 2): `isInBlock` says which open payment is in one. `sequence` is the last
    /// record of the log that is known.
    public init(
        _ id: TransactionID, _ network: NetworkID, _ chain: ChainCoins, sequence: UInt64,
        _ conditions: PaymentConditions, relayFee: UTXOFeeRate,
        isInBlock: (TransactionID) -> Bool
    ) {
        do throws(PaymentError) {
            self = try Self.plan(
                id, network, chain, sequence, conditions, relayFee, isInBlock)
        } catch { self = .none("\(error)") }
    }

    private static func plan(
        _ id: TransactionID, _ network: NetworkID, _ chain: ChainCoins, _ sequence: UInt64,
        _ conditions: PaymentConditions, _ relayFee: UTXOFeeRate,
        _ isInBlock: (TransactionID) -> Bool
    ) throws(PaymentError) -> BumpProposal {
        guard let payment = chain.payments[id] else { return .none("it is not open any more") }
        guard chain.payments(of: payment.withdrawals).count <= Limits.replacementsMax else {
            return .none("it was replaced \(Limits.replacementsMax) times: no more are signed")
        }
        if let change = payment.change, !chain.isFree(OutPoint(id, change)) {
            return .none("another payment spends its change already")
        }
        guard let signed = try? UTXOTransaction(payment.bytes, on: chain.network) else {
            return .none("its bytes cannot be read")
        }
        var coins: [UTXOCoin] = []
        for place in payment.inputs {
            guard let coin = chain.coins[place] else {
                return .none("another payment that is final has spent one of its coins")
            }
            coins.append(PaymentProposal.coin(place, coin))
        }
        guard
            let old = PaymentPlan(
                signed: signed, spending: coins, changeIndex: payment.change.map { Int($0) },
                on: chain.network)
        else { return .none("it is not of the wallet's own form") }
        var policy = try PaymentProposal.policy(
            payment.withdrawals, chain, rate(of: old, conditions.feeRate))
        policy.inputsMax = max(conditions.inputsMax, coins.count)
        let spare = PaymentProposal.spendable(chain, conditions.absent, isInBlock)
        let plan = try old.bumped(
            policy: policy, relayFee: relayFee, spare: Array(spare.prefix(conditions.sparesMax)))
        let most = ceiling.fee(virtualSize: plan.virtualSize)
        guard plan.fee <= most else { throw .feeTooHigh(fee: plan.fee, maximum: most) }
        return .request(
            SigningRequest(
                network: network, asset: payment.asset, sequence: sequence,
                withdrawals: payment.withdrawals, replaces: id,
                transaction: plan.transaction.bytes))
    }

    /// What the new one pays: what miners ask for, and more than the old one in any case.
    private static func rate(of old: PaymentPlan, _ asked: UTXOFeeRate) -> UTXOFeeRate {
        let paid = Int128(old.fee) * 1_000 / Int128(max(1, old.virtualSize))
        let more = Int64(clamping: paid * Int128(quarters) / 4 + 1)
        let bounded = min(max(more, asked.perKilobyte), PaymentProposal.feePerKilobyteMax)
        return UTXOFeeRate(perKilobyte: bounded) ?? ceiling
    }

    private static var ceiling: UTXOFeeRate {
        guard let rate = UTXOFeeRate(perKilobyte: PaymentProposal.feePerKilobyteMax) else {
            preconditionFailure("the ceiling is a rate")
        }
        return rate
    }
}
