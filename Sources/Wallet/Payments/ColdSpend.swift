// Transactions that bring coins back from cold storage: signed elsewhere, and checked here twice:
// by boursectl as they come in, and by the wallet before the log has them.

public import Addresses
internal import Keys
internal import Terms
public import UTXO

/// A transaction that spends coins of cold storage, and pays the wallet and cold storage alone.
public struct ColdSpend: Hashable, Sendable {
    /// A coin that it may spend.
    public struct Coin: Hashable, Sendable {
        /// Its amount and script.
        public var output: UTXOTransaction.TransactionOutput
        /// Whether another transfer that is open spends it.
        public var isTaken: Bool

        /// A coin.
        public init(output: UTXOTransaction.TransactionOutput, isTaken: Bool = false) {
            (self.output, self.isTaken) = (output, isTaken)
        }
    }

    /// With signatures or without.
    public let transaction: UTXOTransaction
    /// What its inputs spend, in their order.
    public let spent: [UTXOTransaction.TransactionOutput]
    /// What the wallet's own key gets, in base units.
    public let toHot: Int64
    /// What goes back to cold storage.
    public let toCold: Int64
    /// What the miner gets.
    public let fee: Int64

    /// Checks all but the signatures. `hot` is the wallet's own script for transfers, `cold` those
    /// of cold storage to which what is left may go; each may be paid once.
    ///
    /// `size` is what the fee is to be fair for, in virtual bytes; nil: the transaction's own,
    /// which it has once it is signed.
    public init(
        _ transaction: UTXOTransaction, hot: [UInt8], cold: [[UInt8]], size: Int? = nil,
        on network: UTXONetwork, coin: (OutPoint) -> Coin?
    ) throws(ColdSpendError) {
        guard transaction.lockTime == 0,
            transaction.inputs.allSatisfy({ $0.sequence & 1 << 31 != 0 })
        else { throw .locked }
        var (spent, seen): ([UTXOTransaction.TransactionOutput], Set<OutPoint>) = ([], [])
        for input in transaction.inputs {
            guard let coin = coin(input.outPoint) else { throw .foreignInput(input.outPoint) }
            guard seen.insert(input.outPoint).inserted else { throw .sameInput(input.outPoint) }
            guard !coin.isTaken else { throw .taken(input.outPoint) }
            spent.append(coin.output)
        }
        var (toHot, toCold): (Int64, Int64) = (0, 0)
        for (index, output) in transaction.outputs.enumerated() {
            guard output.amount >= network.dustLimit(output.script) else { throw .dust(index) }
            if output.script == hot, toHot == 0 {
                toHot = output.amount
            } else if cold.contains(output.script), toCold == 0 {
                toCold = output.amount
            } else {
                let place = UTXODestination(script: output.script)?.address(on: network)
                throw .foreignOutput(index, address: place)
            }
        }
        guard toHot > 0 else { throw .nothingToHot }
        guard let all = network.sum(spent.lazy.map(\.amount)),
            let paid = network.sum(transaction.outputs.lazy.map(\.amount)), all > paid
        else { throw .amount }
        let kilo = Int64(size ?? transaction.virtualSize)
        let fair =
            kilo * PaymentProposal.feePerKilobyteMin / 1_000...kilo
            * ReviewedPayment.feePerKilobyteMax / 1_000
        guard fair.contains(all - paid) else {
            throw .fee(all - paid, least: fair.lowerBound, most: fair.upperBound)
        }
        (self.transaction, self.spent, fee) = (transaction, spent, all - paid)
        (self.toHot, self.toCold) = (toHot, toCold)
    }

    /// Checks that it is signed, each input by the keys of its coin.
    public func checkSignatures() throws(ColdSpendError) {
        if let input = transaction.unsignedInput(spending: spent) { throw .notSigned(input) }
    }
}

/// Why a transaction does not bring coins back from cold storage.
public enum ColdSpendError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is no transaction.
    case malformed(UTXODecodingError)
    /// It cannot be in a block before some time.
    case locked
    /// It spends something that is no coin of cold storage, or is one no more.
    case foreignInput(OutPoint)
    /// It spends a coin twice.
    case sameInput(OutPoint)
    /// It spends a coin that another transfer spends which is not final.
    case taken(OutPoint)
    /// An output is of neither the wallet nor cold storage, or is a second one.
    case foreignOutput(Int, address: String?)
    /// An output is less than nodes relay.
    case dust(Int)
    /// Nothing comes back.
    case nothingToHot
    /// It pays more than it spends, or an amount is out of range.
    case amount
    /// Its fee is not fair for its size.
    case fee(Int64, least: Int64, most: Int64)
    /// An input is not signed by the keys of its coin.
    case notSigned(Int)

    /// The reason, for an operator.
    public var description: String {
        switch self {
        case .malformed(let error): "it is no transaction: \(error)"
        case .locked: "it has a lock time: it could not go out now"
        case .foreignInput(let coin):
            "it spends \(Self.text(coin)), which is no coin of cold storage, or is spent"
        case .sameInput(let coin): "it spends \(Self.text(coin)) twice"
        case .taken(let coin):
            "it spends \(Self.text(coin)), which another transfer spends that is not final yet"
        case .foreignOutput(let index, let address):
            "its output \(index) pays \(address ?? "a script"), which is neither the wallet's own "
                + "address for this nor the next one of cold storage"
        case .dust(let index): "its output \(index) is less than nodes relay"
        case .nothingToHot: "it pays nothing to the wallet"
        case .amount: "it pays more than it spends"
        case .fee(let fee, let least, let most):
            "its fee is \(fee) base units, and has to be \(least) to \(most) for its size"
        case .notSigned(let input): "its input \(input) is not signed by the keys of its coin"
        }
    }

    private static func text(_ coin: OutPoint) -> String {
        "\(coin.transaction.hex):\(coin.output)"
    }
}

extension ChainCoins {
    /// What a signed transaction does with coins of cold storage, as the wallet knows them: all of
    /// it is checked, the signatures included. What is left may go to the storage that `named` is
    /// the descriptor of, or to one that it comes from. O(bytes + inputs).
    public func coldSpend(
        _ bytes: [UInt8], named: String?
    ) throws(ColdSpendError) -> ColdSpend {
        let transaction: UTXOTransaction
        do throws(UTXODecodingError) {
            transaction = try UTXOTransaction(
                bytes, on: network, bytesMax: Limits.transactionBytesMax)
        } catch { throw .malformed(error) }
        let outputs = outputs(ofTransfer: transaction, id: transaction.id)
        var storages = Set(transaction.inputs.compactMap { cold[$0.outPoint]?.storage })
        if let now = named.flatMap(storage(named:)) { storages.insert(now.number) }
        // Where the table sees what is left go: nowhere else.
        let left = outputs.cold.flatMap { storages.contains($0.coin.storage) ? $0 : nil }
            .map { transaction.outputs[Int($0.output)].script }
        let spend = try ColdSpend(
            transaction, hot: (try? script(.change(of: []))) ?? [], cold: left.map { [$0] } ?? [],
            on: network
        ) { outPoint in
            guard let coin = self.cold[outPoint], let script = try? self.script(coin) else {
                return nil
            }
            return ColdSpend.Coin(
                output: UTXOTransaction.TransactionOutput(amount: coin.amount, script: script),
                isTaken: !isFree(outPoint))
        }
        try spend.checkSignatures()
        return spend
    }
}
