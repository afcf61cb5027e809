// What is paid, from what, and under which limits.

public import Addresses
internal import Terms

/// Someone who is paid.
public struct Payee: Hashable, Sendable {
    /// Where the money goes.
    public var destination: UTXODestination
    /// In base units.
    public var amount: Int64

    /// A payee of this amount.
    public init(_ destination: UTXODestination, _ amount: Int64) {
        (self.destination, self.amount) = (destination, amount)
    }

    var output: UTXOTransaction.TransactionOutput {
        UTXOTransaction.TransactionOutput(amount: amount, script: destination.script)
    }
}

/// An output that the wallet can spend.
public struct UTXOCoin: Hashable, Sendable {
    /// Its place on the chain.
    public var outPoint: OutPoint
    /// Its amount and script.
    public var output: UTXOTransaction.TransactionOutput

    /// The coin at a place.
    public init(outPoint: OutPoint, output: UTXOTransaction.TransactionOutput) {
        (self.outPoint, self.output) = (outPoint, output)
    }
}

/// What holds for every payment of a wallet.
public struct PaymentPolicy: Hashable, Sendable {
    /// The chain.
    public var network: UTXONetwork
    /// What the transaction pays for its size.
    public var feeRate: UTXOFeeRate
    /// What it may cost in all, in base units.
    public var feeMax: Int64
    /// Where the change goes: an output that the wallet can spend, see `SpendKind`.
    public var change: UTXODestination
    /// What an output costs to spend some day, at the rate that is usual over time. Above it few
    /// inputs are chosen, below it many.
    public var longTermFeeRate: UTXOFeeRate
    /// Change of at least this is aimed at, in base units, so that it is of use later.
    public var changeMin: Int64 = 0
    /// More inputs than this no transaction gets.
    public var inputsMax = 200
    /// The weight of an input that spends the hash of a witness script, as of cold storage; nil: no
    /// such coin is spent.
    public var scriptInputWeight: Int?
    /// How many steps the search for an exact match takes, at most.
    public var triesMax = 100_000

    /// More payees than this are too heavy for one transaction.
    public static let payeesMax = 3_200
    /// More coins than this are not searched.
    public static let coinsMax = 100_000
    /// A transaction above this weight is not relayed (`MAX_STANDARD_TX_WEIGHT`).
    public static let weightMax = 400_000

    /// A policy with the usual limits.
    public init(
        network: UTXONetwork, feeRate: UTXOFeeRate, feeMax: Int64, change: UTXODestination,
        longTermFeeRate: UTXOFeeRate
    ) {
        (self.network, self.feeRate, self.feeMax) = (network, feeRate, feeMax)
        (self.change, self.longTermFeeRate) = (change, longTermFeeRate)
    }

    /// The least amount that is worth an output of change: not dust, and more than it costs to
    /// spend it.
    var changeFloor: Int64 {
        let script = change.script
        let weight = inputWeight(script) ?? 0
        return max(network.dustLimit(script), longTermFeeRate.fee(weight: weight))
    }

    /// Checks payees and change, and sums up what is paid.
    func total(_ payees: [Payee]) throws(PaymentError) -> Int64 {
        guard !payees.isEmpty else { throw .noPayees }
        guard payees.count <= Self.payeesMax else {
            throw .tooManyPayees(maximum: Self.payeesMax)
        }
        guard inputWeight(change.script) != nil else { throw .changeNotSpendable }
        for (index, payee) in payees.enumerated() {
            let limit = network.dustLimit(payee.destination.script)
            guard payee.amount >= limit else { throw .dust(payee: index, limit: limit) }
        }
        guard let total = network.sum(payees.lazy.map(\.amount)) else { throw .amount }
        return total
    }

    /// The weight of an input that spends an output of a script; nil: it is not spent.
    func inputWeight(_ script: [UInt8]) -> Int? {
        if let kind = SpendKind(script: script) { return kind.inputWeight }
        guard case .witness(version: 0, program: _)? = UTXODestination(script: script) else {
            return nil
        }
        return scriptInputWeight
    }

    /// Checks coins, and finds the weights of their inputs.
    func inputWeights(_ coins: [UTXOCoin]) throws(PaymentError) -> [Int] {
        guard coins.count <= Self.coinsMax else { throw .tooManyCoins(maximum: Self.coinsMax) }
        guard network.sum(coins.lazy.map(\.output.amount)) != nil else { throw .amount }
        var (weights, seen): ([Int], Set<OutPoint>) = ([], [])
        for coin in coins {
            guard seen.insert(coin.outPoint).inserted else { throw .sameCoin(coin.outPoint) }
            guard let weight = inputWeight(coin.output.script) else {
                throw .notSpendable(coin.outPoint)
            }
            weights.append(weight)
        }
        return weights
    }
}

/// Why a payment cannot be made as it is asked for.
public enum PaymentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody is paid.
    case noPayees
    /// More payees than one transaction takes.
    case tooManyPayees(maximum: Int)
    /// A payee gets less than nodes relay.
    case dust(payee: Int, limit: Int64)
    /// The change is less than nodes relay.
    case changeIsDust(limit: Int64)
    /// An amount or a sum is out of the network's range.
    case amount
    /// The change would go where the wallet cannot spend it.
    case changeNotSpendable
    /// A coin is of a kind that the wallet cannot spend.
    case notSpendable(OutPoint)
    /// A coin is there twice.
    case sameCoin(OutPoint)
    /// More coins than are searched.
    case tooManyCoins(maximum: Int)
    /// All coins that are worth their fee are too little, by this much.
    case notEnough(missing: Int64)
    /// The coins are enough, and so many inputs are not: first merge some.
    case tooManyInputs(maximum: Int)
    /// No node would relay a transaction of this weight.
    case tooHeavy(weight: Int)
    /// It would cost more than it may.
    case feeTooHigh(fee: Int64, maximum: Int64)
    /// It would pay less than its rate.
    case feeTooLow(fee: Int64, minimum: Int64)
    /// The transaction cannot be replaced (BIP125).
    case notReplaceable
    /// The coins that it has to spend are spent by another payment, which is not final.
    case coinsInUse

    /// The reason, for an operator.
    public var description: String {
        switch self {
        case .noPayees: "nobody is paid"
        case .tooManyPayees(let maximum): "more than \(maximum) payees"
        case .dust(let payee, let limit):
            "payee \(payee) gets less than \(limit) base units, which nodes do not relay"
        case .changeIsDust(let limit): "the change is less than \(limit) base units"
        case .amount: "an amount is out of range"
        case .changeNotSpendable: "the wallet could not spend the change"
        case .notSpendable(let coin):
            "the wallet cannot spend output \(coin.output) of \(coin.transaction.hex)"
        case .sameCoin(let coin):
            "output \(coin.output) of \(coin.transaction.hex) is listed twice"
        case .tooManyCoins(let maximum): "more than \(maximum) coins"
        case .notEnough(let missing): "\(missing) base units are missing"
        case .tooManyInputs(let maximum): "more than \(maximum) inputs would be needed"
        case .tooHeavy(let weight): "a transaction of weight \(weight) is not relayed"
        case .feeTooHigh(let fee, let maximum): "the fee would be \(fee), at most \(maximum)"
        case .feeTooLow(let fee, let minimum): "the fee would be \(fee), at least \(minimum)"
        case .notReplaceable: "the transaction cannot be replaced (BIP125)"
        case .coinsInUse:
            "another payment, which is not final, spends the coins of what was signed for it before"
        }
    }
}
