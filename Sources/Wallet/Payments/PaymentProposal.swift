// Which withdrawals are paid next, and from what: the wallet's part before the signer's.

internal import Addresses
public import Engine
public import Terms
public import UTXO

/// A transaction that was signed and never got into the log.
public struct EarlierTransaction: Hashable, Sendable {
    /// What it would pay.
    public var withdrawals: Set<WithdrawalID>
    /// What it would spend.
    public var inputs: Set<OutPoint>

    /// A transaction of these.
    public init(withdrawals: Set<WithdrawalID>, inputs: Set<OutPoint>) {
        (self.withdrawals, self.inputs) = (withdrawals, inputs)
    }
}

/// What the wallet needs to know beside the log to plan a payment.
public struct PaymentConditions: Sendable {
    /// What may be paid at all; nil: whatever is approved.
    public var only: Set<WithdrawalID>?
    /// What miners ask for now.
    public var feeRate: UTXOFeeRate
    /// Picks the place of the change, and coins by chance.
    public var seed: UInt64
    /// What must not become final beside a payment of one of its withdrawals, which therefore
    /// spends one of its coins.
    public var conflicts: [EarlierTransaction] = []
    /// Withdrawals that are not paid now.
    public var leavesOut: Set<WithdrawalID> = []
    /// Coins that are not spent now: the chain does not have them.
    public var absent: Set<OutPoint> = []
    /// Maximum withdrawals of one payment.
    public var payeesMax = Limits.payeesMax
    /// Maximum coins that one payment spends.
    public var inputsMax = 200
    /// Maximum coins that a replacement may add to those that it has to spend.
    public var sparesMax = BumpProposal.spareMax

    /// Conditions of a moment.
    public init(feeRate: UTXOFeeRate, seed: UInt64) { (self.feeRate, self.seed) = (feeRate, seed) }
}

/// A payment that the signer is to be asked for, or why there is none.
public enum PaymentProposal: Hashable, Sendable {
    /// Nothing is to be paid.
    case nothing
    /// This is.
    case request(SigningRequest)
    /// So many withdrawals wait, and the free coins are too little for the first of them.
    case short(waiting: Int, missing: Int64)
    /// None of the withdrawals that wait can be paid: why the first one cannot.
    case unpayable(WithdrawalID, String)

    /// A fee rate above this is not paid, whatever a node says: base units for 1,000 virtual bytes.
    public static let feePerKilobyteMax: Int64 = 500_000
    /// What an output costs to spend some day, as long as nothing better is known.
    static let longTermFeePerKilobyte: Int64 = 10_000
    /// A fee rate below this is not paid, whatever a node says: nodes relay nothing less.
    public static let feePerKilobyteMin: Int64 = 1_000
    /// Coins that are looked at, the largest first.
    static let coinsMax = 10_000

    /// Plans the next payment of a network: its approved withdrawals, the oldest first, as many as
    /// the free coins pay for. `isInBlock` says whether an open payment is in a block: its change
    /// is not spent before.
    public init(
        _ terms: NetworkView, _ engine: borrowing Engine, _ table: CoinTable,
        _ conditions: PaymentConditions, isInBlock: (TransactionID) -> Bool
    ) {
        guard !table.hasGap, let chain = table.coins(terms.network),
            engine.refusal(ofPaying: terms) == nil
        else {
            self = .nothing
            return
        }
        var waiting: [WithdrawalView] = []
        engine.forEachWithdrawal {
            if $0.status == .approved, $0.asset == terms.asset, $0.network == terms.network,
                !conditions.leavesOut.contains($0.id), conditions.only?.contains($0.id) ?? true
            {
                waiting.append($0)
            }
        }
        waiting.removeAll { engine.account($0.account)?.isKilled != false }
        guard !waiting.isEmpty else {
            self = .nothing
            return
        }
        self = Self.plan(waiting, engine.sequence, terms, chain, conditions, isInBlock)
    }

    private static func plan(
        _ waiting: [WithdrawalView], _ sequence: UInt64, _ terms: NetworkView,
        _ chain: ChainCoins, _ conditions: PaymentConditions, _ isInBlock: (TransactionID) -> Bool
    ) -> PaymentProposal {
        let (payable, problem) = payable(
            waiting, chain.network, most: min(conditions.payeesMax, Limits.payeesMax))
        guard !payable.isEmpty else { return problem }
        let coins = spendable(chain, conditions.absent, isInBlock)
        var count = payable.count
        // Half as many each time that it cannot be: the oldest are paid first.
        while true {
            let some = payable[..<count]
            let ids = some.map(\.0.id)
            do throws(PaymentError) {
                let forced = try forced(ids, coins, conditions.conflicts)
                var policy = try policy(ids, chain, conditions.feeRate)
                policy.inputsMax = conditions.inputsMax
                let plan = try plan(
                    some.map(\.1), forced, coins.filter { !forced.contains($0) }, policy,
                    conditions.seed)
                return .request(
                    SigningRequest(
                        network: terms.network, asset: terms.asset, sequence: sequence,
                        withdrawals: ids, transaction: plan.transaction.bytes))
            } catch {
                guard count == 1 else {
                    count /= 2
                    continue
                }
                if case .notEnough(let missing) = error {
                    return .short(waiting: waiting.count, missing: missing)
                }
                return .unpayable(ids[0], "\(error)")
            }
        }
    }

    /// The coins with which a payment of these withdrawals conflicts with every earlier one, one
    /// for each.
    private static func forced(
        _ ids: [WithdrawalID], _ coins: [UTXOCoin], _ conflicts: [EarlierTransaction]
    ) throws(PaymentError) -> [UTXOCoin] {
        var forced: [UTXOCoin] = []
        for earlier in conflicts where !earlier.withdrawals.isDisjoint(with: ids) {
            if forced.contains(where: { earlier.inputs.contains($0.outPoint) }) { continue }
            guard let coin = coins.first(where: { earlier.inputs.contains($0.outPoint) }) else {
                // Until the payment that spends them is final, or gives them back.
                throw .coinsInUse
            }
            forced.append(coin)
        }
        return forced
    }

    /// The withdrawals of one transaction, and what is wrong with the first that can never be paid.
    private static func payable(
        _ waiting: [WithdrawalView], _ network: UTXONetwork, most: Int
    ) -> ([(WithdrawalView, Payee)], PaymentProposal) {
        var payable: [(WithdrawalView, Payee)] = []
        var problem = PaymentProposal.nothing
        for withdrawal in waiting where payable.count < most {
            var why = "it goes to no address of the chain"
            if let payee = Payee(withdrawal, on: network) {
                let limit = network.dustLimit(payee.destination.script)
                if payee.amount >= limit {
                    payable.append((withdrawal, payee))
                    continue
                }
                why = "nodes do not relay less than \(limit) base units to its address"
            }
            if problem == .nothing { problem = .unpayable(withdrawal.id, why) }
        }
        return (payable, problem)
    }

    /// The free coins, the largest first; of open payments' change only what is in a block.
    static func spendable(
        _ chain: ChainCoins, _ absent: Set<OutPoint>, _ isInBlock: (TransactionID) -> Bool
    ) -> [UTXOCoin] {
        let largest = free(chain, absent, isInBlock).sorted {
            ($1.coin.amount, $0.outPoint) < ($0.coin.amount, $1.outPoint)
        }
        return largest.prefix(coinsMax).map { coin($0.outPoint, $0.coin) }
    }

    /// All of them, in no order.
    static func free(
        _ chain: ChainCoins, _ absent: Set<OutPoint>, _ isInBlock: (TransactionID) -> Bool
    ) -> [(outPoint: OutPoint, coin: WalletCoin)] {
        chain.free.filter {
            !absent.contains($0.outPoint)
                && (chain.payments[$0.outPoint.transaction] == nil
                    || isInBlock($0.outPoint.transaction))
        }
    }

    /// A coin as plans take it. Each is paid to the hash of a key, and which key is of no account
    /// here.
    static func coin(_ place: OutPoint, _ coin: WalletCoin) -> UTXOCoin {
        UTXOCoin(
            outPoint: place,
            output: UTXOTransaction.TransactionOutput(amount: coin.amount, script: anyKey))
    }

    private static let anyKey = UTXODestination.witness(
        version: 0, program: [UInt8](repeating: 0, count: 20)
    ).script

    static func policy(
        _ ids: [WithdrawalID], _ chain: ChainCoins, _ rate: UTXOFeeRate
    ) throws(PaymentError) -> PaymentPolicy {
        guard let script = try? chain.script(.change(of: ids)),
            let change = UTXODestination(script: script),
            let longTerm = UTXOFeeRate(perKilobyte: longTermFeePerKilobyte),
            let ceiling = UTXOFeeRate(perKilobyte: feePerKilobyteMax),
            let floor = UTXOFeeRate(perKilobyte: feePerKilobyteMin)
        else { throw .changeNotSpendable }
        let rate = max(min(rate, ceiling), floor)
        var policy = PaymentPolicy(
            network: chain.network, feeRate: rate,
            feeMax: ceiling.fee(virtualSize: PaymentPolicy.weightMax / 4), change: change,
            longTermFeeRate: longTerm)
        policy.changeMin = 100 * chain.network.dustLimit(script)
        return policy
    }

    private static func plan(
        _ payees: [Payee], _ forced: [UTXOCoin], _ coins: [UTXOCoin], _ policy: PaymentPolicy,
        _ seed: UInt64
    ) throws(PaymentError) -> PaymentPlan {
        guard !forced.isEmpty else {
            let selection = try CoinSelection(
                from: coins, paying: payees, policy: policy, seed: seed)
            return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: seed)
        }
        // Few coins first: those that it must have, then the largest beside them.
        var error = PaymentError.notEnough(missing: 0)
        for wanted in [0, 1, 2, 4, 8, 16, 32, 64, 128] {
            let count = min(wanted, coins.count)
            do throws(PaymentError) {
                let selection = try CoinSelection(
                    spending: forced + coins[..<count], paying: payees, policy: policy)
                return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: seed)
            } catch let other { error = other }
            if count == coins.count { break }
        }
        throw error
    }
}
