// The unsigned transaction of a payment, and the one that replaces it for a higher fee (BIP125).

public import Addresses
internal import Slabs

/// A payment as an unsigned transaction, whose fee and signed size are known.
public struct PaymentPlan: Hashable, Sendable {
    /// Unsigned.
    public let transaction: UTXOTransaction
    /// What its inputs spend, in their order.
    public let coins: [UTXOCoin]
    /// Who is paid, in the order of the outputs.
    public let payees: [Payee]
    /// The index of the change among the outputs; nil where there is none.
    public let changeIndex: Int?
    /// In base units.
    public let fee: Int64
    /// The weight once it is signed: exact for Taproot, and for ECDSA at most two below for each
    /// input, in one of 16,000 cases more.
    public let weight: Int

    /// Sequence of inputs that allows to replace the transaction, and no relative lock (BIP125).
    public static let replaceable: UInt32 = 0xFFFF_FFFD

    /// The virtual size once it is signed, in bytes: at most this.
    public var virtualSize: Int { (weight + 3) / 4 }

    /// The plan of chosen coins. The change stands at a place that `seed` gives.
    public init(
        paying payees: [Payee], from selection: CoinSelection, policy: PaymentPolicy,
        sequence: UInt32 = PaymentPlan.replaceable, lockTime: UInt32 = 0, seed: UInt64
    ) throws(PaymentError) {
        var random = SplitMix64(seed: seed)
        let place = selection.change == nil ? nil : random.below(payees.count + 1)
        try self.init(
            payees, selection.coins, change: selection.change ?? 0, at: place, policy,
            sequence: sequence, lockTime: lockTime)
    }

    /// The plan of a transaction that is signed, which spends `coins`, in the order of its inputs.
    /// Nil where it cannot be one of the wallet's.
    public init?(
        signed: UTXOTransaction, spending coins: [UTXOCoin], changeIndex: Int?,
        on network: UTXONetwork
    ) {
        var (unsigned, payees) = (signed, [Payee]())
        for index in unsigned.inputs.indices { unsigned.inputs[index].witness = [] }
        for (index, output) in signed.outputs.enumerated() where index != changeIndex {
            guard let destination = UTXODestination(script: output.script) else { return nil }
            payees.append(Payee(destination, output.amount))
        }
        guard coins.map(\.outPoint) == signed.inputs.map(\.outPoint),
            changeIndex.map(signed.outputs.indices.contains) ?? true,
            let spent = network.sum(coins.lazy.map(\.output.amount)),
            let paid = network.sum(signed.outputs.lazy.map(\.amount)), spent >= paid
        else { return nil }
        (transaction, weight, fee) = (unsigned, signed.weight, spent - paid)
        (self.coins, self.payees, self.changeIndex) = (coins, payees, changeIndex)
    }

    /// Checks all that holds for a plan.
    private init(
        _ payees: [Payee], _ coins: [UTXOCoin], change: Int64, at place: Int?,
        _ policy: PaymentPolicy, sequence: UInt32, lockTime: UInt32
    ) throws(PaymentError) {
        let total = try policy.total(payees)
        let weights = try policy.inputWeights(coins)
        guard let spent = policy.network.sum(coins.lazy.map(\.output.amount)) else {
            throw .amount
        }
        var outputs = payees.map(\.output)
        if let place {
            outputs.insert(
                UTXOTransaction.TransactionOutput(amount: change, script: policy.change.script),
                at: place)
            let limit = policy.network.dustLimit(policy.change.script)
            guard change >= limit else { throw .changeIsDust(limit: limit) }
        }
        fee = spent - total - change
        weight = SignedWeight.of(inputs: weights, outputs: outputs.map(\.script))
        let minimum = policy.feeRate.fee(virtualSize: (weight + 3) / 4)
        guard coins.count <= policy.inputsMax else {
            throw .tooManyInputs(maximum: policy.inputsMax)
        }
        guard weight <= PaymentPolicy.weightMax else { throw .tooHeavy(weight: weight) }
        guard fee >= minimum else { throw .feeTooLow(fee: fee, minimum: minimum) }
        guard fee <= policy.feeMax else {
            throw .feeTooHigh(fee: fee, maximum: policy.feeMax)
        }
        (self.coins, self.payees, changeIndex) = (coins, payees, place)
        transaction = UTXOTransaction(
            inputs: coins.map {
                UTXOTransaction.TransactionInput(outPoint: $0.outPoint, sequence: sequence)
            }, outputs: outputs, lockTime: lockTime)
    }

    /// The plan that replaces this one for the policy's fee rate: all its inputs, the same
    /// outputs to payees, less change. Where the change is too little, coins of `spare` are
    /// added in their order; BIP125 wants these confirmed (rule 2).
    ///
    /// It pays at least the old fee and `relayFee` for its own size (rules 3 and 4), and a higher
    /// rate than the old one, as nodes demand. What else hangs on the old transaction in
    /// mempools, whose fees count as well, only a node knows.
    public func bumped(
        policy: PaymentPolicy, relayFee: UTXOFeeRate, spare: [UTXOCoin] = []
    ) throws(PaymentError) -> PaymentPlan {
        guard transaction.isReplaceable, let first = transaction.inputs.first else {
            throw .notReplaceable
        }
        let total = try policy.total(payees)
        var missing = Int64.max
        for count in 0...min(spare.count, policy.inputsMax) {
            let coins = coins + spare[..<count]
            let weights = try policy.inputWeights(coins)
            guard let spent = policy.network.sum(coins.lazy.map(\.output.amount)) else {
                throw .amount
            }
            let scripts = payees.map(\.destination.script)
            let with = SignedWeight.of(inputs: weights, outputs: scripts + [policy.change.script])
            let without = SignedWeight.of(inputs: weights, outputs: scripts)
            var change = spent - total - feeMin(weight: with, policy.feeRate, relayFee)
            var place: Int? = changeIndex ?? payees.count
            if change < policy.changeFloor {
                let left = spent - total - feeMin(weight: without, policy.feeRate, relayFee)
                guard left >= 0 else {
                    missing = min(missing, -left)
                    continue
                }
                (change, place) = (0, nil)
            }
            return try PaymentPlan(
                payees, coins, change: change, at: place, policy, sequence: first.sequence,
                lockTime: transaction.lockTime)
        }
        throw .notEnough(missing: missing)
    }

    /// The least fee of a replacement of some weight.
    private func feeMin(
        weight: Int, _ rate: UTXOFeeRate, _ relayFee: UTXOFeeRate
    ) -> Int64 {
        let size = (weight + 3) / 4
        // More for each virtual byte than before: a product of two that fit 64 bits.
        let above = Int128(fee) * Int128(size) / Int128(virtualSize) + 1
        return max(
            rate.fee(virtualSize: size), fee + relayFee.fee(virtualSize: size),
            Int64(clamping: above))
    }
}
