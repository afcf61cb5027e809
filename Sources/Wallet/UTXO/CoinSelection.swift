// Which coins pay: first an exact match, by branch and bound as in Bitcoin Core, then the largest
// coins or a random draw. From "An Evaluation of Coin Selection Strategies", M. Erhardt, 2016.

public import Addresses
internal import Slabs

/// Coins that pay for payees, the fee, and what comes back.
public struct CoinSelection: Hashable, Sendable {
    /// How coins were found.
    public enum Method: Hashable, Sendable {
        /// They match so well that change would cost more than it brings.
        case exact
        /// The largest ones.
        case largest
        /// Drawn by chance.
        case drawn
    }

    /// The coins, in no order that matters.
    public let coins: [UTXOCoin]
    /// All that is not paid and not change, in base units.
    public let fee: Int64
    /// The amount that comes back; nil where it would not be worth its output.
    public let change: Int64?
    /// How they were found.
    public let method: Method

    /// Chooses coins. The same arguments give the same coins; `seed` is for the draw.
    /// O(coins · log coins), and `policy.triesMax`.
    public init(
        from coins: [UTXOCoin], paying payees: [Payee], policy: PaymentPolicy, seed: UInt64
    ) throws(PaymentError) {
        let pool = try CoinPool(coins, payees, policy)
        let (picked, method) = try pool.pick(seed: seed)
        let chosen = picked.map { pool.candidates[$0] }
        let settled = Self.settle(
            chosen.map(\.inputWeight), chosen.reduce(-pool.total) { $0 + $1.coin.output.amount },
            pool.outputs, policy, takesChange: method != .exact)
        guard settled.fee <= policy.feeMax else {
            throw .feeTooHigh(fee: settled.fee, maximum: policy.feeMax)
        }
        guard settled.weight <= PaymentPolicy.weightMax else {
            throw .tooHeavy(weight: settled.weight)
        }
        self.coins = chosen.map(\.coin)
        (fee, change, self.method) = (settled.fee, settled.change, method)
    }

    /// Spends exactly these coins.
    public init(
        spending coins: [UTXOCoin], paying payees: [Payee], policy: PaymentPolicy
    ) throws(PaymentError) {
        let total = try policy.total(payees)
        let weights = try policy.inputWeights(coins)
        let outputs = payees.map(\.destination.script)
        let without = SignedWeight.of(inputs: weights, outputs: outputs)
        let fee = policy.feeRate.fee(virtualSize: (without + 3) / 4)
        guard let all = policy.network.sum(coins.lazy.map(\.output.amount)) else { throw .amount }
        guard all >= total + fee else { throw .notEnough(missing: total + fee - all) }
        let settled = Self.settle(weights, all - total, outputs, policy, takesChange: true)
        (self.coins, self.fee, change) = (coins, settled.fee, settled.change)
        method = settled.change == nil ? .exact : .largest
    }

    /// What one payee gets of all of these coins at the policy's rate; not above zero where they
    /// are not worth their fee.
    public static func all(
        of coins: [UTXOCoin], to destination: UTXODestination, policy: PaymentPolicy
    ) throws(PaymentError) -> Int64 {
        let weights = try policy.inputWeights(coins)
        guard let all = policy.network.sum(coins.lazy.map(\.output.amount)) else { throw .amount }
        let weight = SignedWeight.of(inputs: weights, outputs: [destination.script])
        return all - policy.feeRate.fee(virtualSize: (weight + 3) / 4)
    }

    /// Fee and change: change where it is worth its output, else all that is left is fee.
    private static func settle(
        _ weights: [Int], _ left: Int64, _ outputs: [[UInt8]], _ policy: PaymentPolicy,
        takesChange: Bool
    ) -> (fee: Int64, change: Int64?, weight: Int) {
        let more = SignedWeight.of(inputs: weights, outputs: outputs + [policy.change.script])
        let fee = policy.feeRate.fee(virtualSize: (more + 3) / 4)
        if takesChange, left - fee >= policy.changeFloor { return (fee, left - fee, more) }
        return (left, nil, SignedWeight.of(inputs: weights, outputs: outputs))
    }
}

/// The coins that are worth their fee, largest first, and what they have to reach. Amounts here
/// are effective values: less the fee of the input.
struct CoinPool {
    struct Candidate {
        let coin: UTXOCoin
        /// The weight of its input.
        let inputWeight: Int
        /// The amount less the fee of spending it, above zero.
        let value: Int64
        /// What spending it now costs more than later; below zero: less.
        let waste: Int64
    }

    let candidates: [Candidate]
    let policy: PaymentPolicy
    /// What payees get.
    let total: Int64
    /// Their scripts.
    let outputs: [[UInt8]]
    /// What effective values have to reach: the payees, and the fee of all but inputs.
    let target: Int64
    /// The fee of an output of change.
    let changeFee: Int64
    /// That, and the fee of spending it some day: within so much above the target a match is
    /// exact.
    let changeCost: Int64

    init(
        _ coins: [UTXOCoin], _ payees: [Payee], _ policy: PaymentPolicy
    ) throws(PaymentError) {
        total = try policy.total(payees)
        outputs = payees.map(\.destination.script)
        self.policy = policy
        let weights = try policy.inputWeights(coins)
        // Room for the counts to grow, and for rounding up to a whole virtual byte.
        let base =
            SignedWeight.base(inputCount: policy.inputsMax, outputs: outputs) + 3
            + 4 * (compactSizeBytes(outputs.count + 1) - compactSizeBytes(outputs.count))
        target = total + policy.feeRate.fee(weight: base)
        changeFee = policy.feeRate.fee(weight: SignedWeight.output(policy.change.script))
        let changeWeight = policy.inputWeight(policy.change.script) ?? 0
        changeCost = changeFee + policy.longTermFeeRate.fee(weight: changeWeight)
        candidates = zip(coins, weights).compactMap { coin, weight -> Candidate? in
            let fee = policy.feeRate.fee(weight: weight)
            let later = policy.longTermFeeRate.fee(weight: weight)
            guard coin.output.amount > fee else { return nil }
            return Candidate(
                coin: coin, inputWeight: weight, value: coin.output.amount - fee, waste: fee - later
            )
        }.sorted {
            ($1.value, $0.waste, $0.coin.outPoint) < ($0.value, $1.waste, $1.coin.outPoint)
        }
    }

    /// Chooses indices of `candidates`.
    func pick(seed: UInt64) throws(PaymentError) -> ([Int], CoinSelection.Method) {
        if let exact = exactMatch() { return (exact, .exact) }
        let indices = Array(candidates.indices)
        var random = SplitMix64(seed: seed)
        let shuffled = indices.shuffled(using: &random)
        // Enough for change of use; enough for any change; enough.
        let floor = policy.changeFloor
        let change = max(floor, min(policy.changeMin, policy.network.maximumMoney))
        for spare in [changeFee + change, changeFee + floor, 0] {
            // The larger waste loses, and the draw where both are equal.
            let largest = taken(indices, reaching: target + spare)
            let drawn = taken(shuffled, reaching: target + spare)
            // Where any choice reaches the goal, the largest do.
            guard let largest else { continue }
            guard let drawn, waste(drawn) < waste(largest) else { return (largest, .largest) }
            return (drawn, .drawn)
        }
        let all = candidates.reduce(0) { $0 + $1.value }
        if all >= target { throw .tooManyInputs(maximum: policy.inputsMax) }
        throw .notEnough(missing: target - all)
    }

    /// The first of some order that reach a goal; nil where these are more than inputs may be.
    private func taken(_ order: [Int], reaching goal: Int64) -> [Int]? {
        var sum: Int64 = 0
        for (count, index) in order.prefix(policy.inputsMax).enumerated() {
            sum += candidates[index].value
            if sum >= goal { return Array(order[...count]) }
        }
        return nil
    }

    /// What a choice costs beyond the payees and a later day's fees.
    func waste(_ picked: [Int]) -> Int64 {
        let excess = picked.reduce(-target) { $0 + candidates[$1].value }
        let inputs = picked.reduce(0) { $0 + candidates[$1].waste }
        return inputs + (excess >= changeFee + policy.changeFloor ? changeCost : excess)
    }

    /// The coins between the target and the cost of change above it that waste least, by branch
    /// and bound over at most `triesMax` steps; nil where none was found.
    func exactMatch() -> [Int]? {
        // What the coins from an index on could add.
        var rest = [Int64](repeating: 0, count: candidates.count + 1)
        for index in candidates.indices.reversed() {
            rest[index] = rest[index + 1] + candidates[index].value
        }
        // Where an input now costs more than later, more inputs never waste less.
        let isDear = policy.feeRate >= policy.longTermFeeRate
        var (best, bestWaste): ([Int]?, Int64) = (nil, .max)
        var (picked, next, value, waste): ([Int], Int, Int64, Int64) = ([], 0, 0, 0)
        for _ in 0..<policy.triesMax {
            var isDone = next == candidates.count || picked.count == policy.inputsMax
            if value > target + changeCost || value + rest[next] < target {
                isDone = true
            } else if value >= target {
                if waste + value - target < bestWaste {
                    (best, bestWaste) = (picked, waste + value - target)
                }
                isDone = isDone || isDear
            }
            if isDear, waste >= bestWaste { isDone = true }
            if !isDone {
                let coin = candidates[next]
                // Beside an equal coin that was left out, this one gives nothing new.
                let isRepeat =
                    next > 0 && picked.last != next - 1
                    && coin.value == candidates[next - 1].value
                    && coin.waste == candidates[next - 1].waste
                if !isRepeat {
                    picked.append(next)
                    (value, waste) = (value + coin.value, waste + coin.waste)
                }
                next += 1
            } else {
                // Back to the last coin taken, now without it.
                guard let last = picked.popLast() else { break }
                value -= candidates[last].value
                waste -= candidates[last].waste
                next = last + 1
            }
        }
        return best
    }
}
