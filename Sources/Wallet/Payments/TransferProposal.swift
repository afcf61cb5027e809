// Which of the wallet's coins are moved next: to cold storage where there are too many, or into one
// where they are many small ones.

internal import Addresses
public import Engine
public import Terms
internal import UTXO

/// When coins are merged that are many.
public struct ConsolidationTerms: Hashable, Sendable {
    /// With more free coins than these; 0: never.
    public var above: Int
    /// At most for this fee: base units for 1,000 virtual bytes.
    public var feePerKilobyteMax: Int64

    /// Terms of a host; by default nothing is ever merged.
    public init(above: Int = 0, feePerKilobyteMax: Int64 = 0) {
        (self.above, self.feePerKilobyteMax) = (above, feePerKilobyteMax)
    }
}

/// A transfer that the signer is to be asked for, or why there is none.
public enum TransferProposal: Hashable, Sendable {
    /// Nothing is to be moved.
    case nothing
    /// This is.
    case request(SigningRequest)
    /// Something is, and cannot be: why, in words.
    case none(String)

    /// Plans the next transfer of a network. Nothing is moved while withdrawals are stopped, or
    /// another transfer is open; that none waits sees who asks. The same state gives the same plan.
    ///
    /// Of `conditions` fee rate, absent coins and the count of inputs are used. `isInBlock` says
    /// whether an open payment is in a block: its change is not spent before. No more than `most`
    /// base units go to cold storage at once.
    public init(
        _ terms: NetworkView, _ engine: borrowing Engine, _ table: CoinTable,
        _ conditions: PaymentConditions, merging: ConsolidationTerms = ConsolidationTerms(),
        most: Int64 = .max, isInBlock: (TransactionID) -> Bool
    ) {
        guard !table.hasGap, engine.rules >= 3, let chain = table.coins(terms.network),
            engine.refusal(ofPaying: terms) == nil, chain.transfers.isEmpty
        else {
            self = .nothing
            return
        }
        // As the signer counts: what comes with open payments is moved once they are final.
        let free = chain.coins.reduce(Int128(0)) { sum, coin in
            chain.isUnspent(coin.key) && chain.payments[coin.key.transaction] == nil
                && !conditions.absent.contains(coin.key) ? sum + Int128(coin.value.amount) : sum
        }
        do throws(PaymentError) {
            if let cold = engine.coldStorage(terms.asset, terms.network), free > cold.ceiling.units
            {
                guard let storage = chain.storage(named: cold.descriptor) else {
                    let why = chain.objection(toStorage: cold.descriptor) ?? ""
                    self = .none(
                        "the descriptor of the cold storage is not used: \(why): "
                            + "boursectl wallet cold set")
                    return
                }
                let excess = free - cold.target.units
                let planned = try Self.plan(
                    PaymentProposal.spendable(chain, conditions.absent, isInBlock),
                    moving: min(excess, Int128(most)), to: storage, chain, conditions)
                if let planned {
                    self = .request(Self.request(planned, terms, engine))
                    return
                }
                if Int128(most) < excess {
                    self = .none(Self.aboveLimit)
                    return
                }
            }
            if let merged = try Self.plan(merging, chain, conditions, isInBlock) {
                self = .request(Self.request(merged, terms, engine))
            } else {
                self = .nothing
            }
        } catch { self = .none("\(error)") }
    }

    private static let aboveLimit =
        "the signer's limit has no room for what is worth a transaction to cold storage that its "
        + "own configuration does not name: [signerd] cold, or a higher [signerd] limits"

    private static func request(
        _ plan: PaymentPlan, _ terms: NetworkView, _ engine: borrowing Engine
    ) -> SigningRequest {
        SigningRequest(
            network: terms.network, asset: terms.asset, sequence: engine.sequence,
            withdrawals: [], transaction: plan.transaction.bytes)
    }

    /// A plan that moves so much to cold storage, or as much as so many coins have, the largest
    /// first; the fee is of it. Nil: it is not worth a transaction.
    private static func plan(
        _ coins: [UTXOCoin], moving units: Int128, to storage: ColdStorage, _ chain: ChainCoins,
        _ conditions: PaymentConditions
    ) throws(PaymentError) -> PaymentPlan? {
        guard let script = try? chain.nextScript(storage),
            let destination = UTXODestination(script: script)
        else { throw .changeNotSpendable }
        var policy = try PaymentProposal.policy([], chain, conditions.feeRate)
        policy.inputsMax = conditions.inputsMax
        let least = 100 * chain.network.dustLimit(script)
        guard units >= least else { return nil }
        let wanted = Int64(clamping: min(units, Int128(chain.network.maximumMoney)))
        let scripts = [script, policy.change.script]
        var (chosen, sum) = ([UTXOCoin](), Int64(0))
        for coin in coins.prefix(conditions.inputsMax) {
            // All coins of a chain are within its money.
            chosen.append(coin)
            sum += coin.output.amount
            if sum >= wanted { break }
        }
        let fee = fee(of: chosen.count, to: scripts, policy)
        let amount = min(wanted, sum) - fee
        // What is more than this comes with the next transfer.
        guard amount >= least else { return nil }
        let payees = [Payee(destination, amount)]
        let selection = try CoinSelection(spending: chosen, paying: payees, policy: policy)
        return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 0)
    }

    /// What so many inputs and these outputs cost at most.
    private static func fee(
        of inputs: Int, to scripts: [[UInt8]], _ policy: PaymentPolicy
    ) -> Int64 {
        let outputs = scripts.map { UTXOTransaction.TransactionOutput(amount: 0, script: $0) }
        let empty = UTXOTransaction(inputs: [], outputs: outputs, lockTime: 0)
        // Two for SegWit's marker, and room for a count of inputs that takes three bytes.
        let weight =
            empty.weight + (inputs > 252 ? 10 : 2) + inputs * SpendKind.publicKeyHash.inputWeight
        return policy.feeRate.fee(virtualSize: (weight + 3) / 4)
    }

    /// A plan that merges the smallest coins so that half as many are left as may be; nil: there is
    /// nothing to merge.
    private static func plan(
        _ terms: ConsolidationTerms, _ chain: ChainCoins, _ conditions: PaymentConditions,
        _ isInBlock: (TransactionID) -> Bool
    ) throws(PaymentError) -> PaymentPlan? {
        guard terms.above > 0, chain.coins.count > terms.above,
            conditions.feeRate.perKilobyte <= terms.feePerKilobyteMax
        else { return nil }
        // All of them: those that payments look at are the largest.
        let free = PaymentProposal.free(chain, conditions.absent, isInBlock)
        guard free.count > terms.above else { return nil }
        var policy = try PaymentProposal.policy([], chain, conditions.feeRate)
        policy.inputsMax = conditions.inputsMax
        let inputFee = policy.feeRate.fee(virtualSize: SpendKind.publicKeyHash.inputWeight / 4 + 1)
        let count = min(conditions.inputsMax, free.count - terms.above / 2 + 1)
        // A coin that is not worth its fee stays where it is.
        let worthy = free.filter { $0.coin.amount > inputFee }.sorted {
            ($0.coin.amount, $0.outPoint) < ($1.coin.amount, $1.outPoint)
        }
        let chosen = worthy.prefix(count).map { PaymentProposal.coin($0.outPoint, $0.coin) }
        guard chosen.count > 1 else { return nil }
        let sum = chosen.reduce(0) { $0 + $1.output.amount }
        let fee = fee(of: chosen.count, to: [policy.change.script], policy)
        guard sum - fee >= chain.network.dustLimit(policy.change.script) else { return nil }
        let payees = [Payee(policy.change, sum - fee)]
        let selection = try CoinSelection(spending: chosen, paying: payees, policy: policy)
        return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 0)
    }
}
