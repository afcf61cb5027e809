// Transactions that bring coins back from cold storage: signed elsewhere, and checked here twice:
// by boursectl as they come in, and by the wallet before the log has them.

public import Addresses
internal import Keys
public import Terms
public import UTXO

/// A transaction that spends coins of cold storage, and pays the wallet and cold storage alone.
public struct ColdSpend: Hashable, Sendable {
    /// A coin that it may spend.
    public struct Coin: Hashable, Sendable {
        /// Its amount and script.
        public var output: UTXOTransaction.TransactionOutput
        /// The newest transfer that is open and spends it; nil: none does.
        public var taker: Taker?

        /// A coin.
        public init(output: UTXOTransaction.TransactionOutput, taker: Taker? = nil) {
            (self.output, self.taker) = (output, taker)
        }
    }

    /// An open transfer that spends a coin.
    public struct Taker: Hashable, Sendable {
        /// The transfer.
        public var id: TransactionID
        /// What it pays to the miner, or what the most of those paid that it replaces.
        public var fee: Int64
        /// Whether another one may take its place: no block has it, and nothing spends of it.
        public var isReplaceable: Bool

        /// An open transfer.
        public init(id: TransactionID, fee: Int64, isReplaceable: Bool) {
            (self.id, self.fee, self.isReplaceable) = (id, fee, isReplaceable)
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
    /// The open transfer whose place it takes, for a higher fee; nil: none.
    public let replaces: TransactionID?

    /// Checks all but the signatures. `hot` is the wallet's own script for transfers, `cold` those
    /// of cold storage to which what is left may go; each may be paid once.
    ///
    /// `size` is what the fee is to be fair for, in virtual bytes; nil: the transaction's own,
    /// which it has once it is signed.
    public init(
        _ transaction: UTXOTransaction, hot: [UInt8], cold: [[UInt8]], size: Int? = nil,
        on network: UTXONetwork, coin: (OutPoint) -> Coin?
    ) throws(ColdSpendError) {
        guard 1...2 ~= transaction.version else { throw .version(transaction.version) }
        guard transaction.lockTime == 0,
            transaction.inputs.allSatisfy({ $0.sequence & 1 << 31 != 0 })
        else { throw .locked }
        var (spent, seen): ([UTXOTransaction.TransactionOutput], Set<OutPoint>) = ([], [])
        var replaced: Taker?
        for input in transaction.inputs {
            guard let coin = coin(input.outPoint) else { throw .foreignInput(input.outPoint) }
            guard seen.insert(input.outPoint).inserted else { throw .sameInput(input.outPoint) }
            if let taker = coin.taker {
                guard taker.isReplaceable, replaced == nil || replaced == taker else {
                    throw .taken(input.outPoint, by: taker.id)
                }
                replaced = taker
            }
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
        if let replaced {
            // What nodes want for it beside the fee of the other (BIP125, rule 4).
            let least = replaced.fee + fair.lowerBound
            guard all - paid >= least else {
                throw .replacement(all - paid, least: least, of: replaced.id)
            }
        }
        (self.transaction, self.spent, fee) = (transaction, spent, all - paid)
        replaces = replaced?.id
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
    /// Its version is none that nodes relay.
    case version(UInt32)
    /// It cannot be in a block before some time.
    case locked
    /// It spends something that is no coin of cold storage, or is one no more.
    case foreignInput(OutPoint)
    /// It spends a coin twice.
    case sameInput(OutPoint)
    /// It spends a coin that another transfer spends which is not final.
    case taken(OutPoint, by: TransactionID)
    /// It spends a coin whose own transfer is not final.
    case notYet(OutPoint)
    /// It takes the place of another transfer, and pays too little for that.
    case replacement(Int64, least: Int64, of: TransactionID)
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
        case .version(let version):
            "its version is \(version), and has to be 1 or 2: \(Self.again)"
        case .locked:
            "it has a lock time, so it could not go out now: \(Self.again), without one"
        case .foreignInput(let coin):
            "it spends \(Self.text(coin)), which is no coin of cold storage, or is spent"
        case .sameInput(let coin): "it spends \(Self.text(coin)) twice"
        case .taken(let coin, let id):
            "it spends \(Self.text(coin)), which the transfer \(id.hex) spends that is not final "
                + "yet: once that is, \(Self.again)"
        case .notYet(let coin):
            "it spends \(Self.text(coin)), whose own transfer is not final yet: import it again "
                + "once that is"
        case .replacement(let fee, let least, let id):
            "its fee is \(fee) base units, and has to be at least \(least) to take the place of "
                + "the transfer \(id.hex): \(Self.again), with a higher --feerate"
        case .foreignOutput(let index, let address):
            "its output \(index) pays \(address ?? "a script"), which is neither the wallet's own "
                + "address for this nor one of the last or next of cold storage: \(Self.again)"
        case .dust(let index):
            "its output \(index) is less than nodes relay: \(Self.again), for another amount"
        case .nothingToHot: "it pays nothing to the wallet"
        case .amount: "it pays more than it spends"
        case .fee(let fee, let least, let most):
            "its fee is \(fee) base units, and has to be \(least) to \(most) for its size: "
                + "\(Self.again), with another --feerate"
        case .notSigned(let input):
            "its input \(input) is not signed by the keys of its coin: have it signed by all who "
                + "have to, and give all their files at once"
        }
    }

    private static let again = "export it again, and have it signed again"

    private static func text(_ coin: OutPoint) -> String {
        "\(coin.transaction.hex):\(coin.output)"
    }
}

extension ChainCoins {
    /// What a signed transaction does with coins of cold storage, as the wallet knows them: all of
    /// it is checked, the signatures included. What is left may go to the storage that `named` is
    /// the descriptor of, or to one that it comes from. It may spend what an open transfer spends
    /// that no block has, for a higher fee. O(bytes + inputs).
    public func coldSpend(
        _ bytes: [UInt8], named: String?, isInBlock: (TransactionID) -> Bool = { _ in false }
    ) throws(ColdSpendError) -> ColdSpend {
        let transaction: UTXOTransaction
        do throws(UTXODecodingError) {
            transaction = try UTXOTransaction(
                bytes, on: network, bytesMax: Limits.transactionBytesMax)
        } catch { throw .malformed(error) }
        for input in transaction.inputs
        where cold[input.outPoint] != nil && payments[input.outPoint.transaction] != nil {
            throw .notYet(input.outPoint)
        }
        let takers = Dictionary(
            transaction.inputs.compactMap { input in
                taker(of: input.outPoint, isInBlock: isInBlock).map { (input.outPoint, $0) }
            }, uniquingKeysWith: { first, _ in first })
        let outputs = outputs(
            ofTransfer: transaction, id: transaction.id,
            replaces: takers.values.first?.id ?? .none)
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
                taker: takers[outPoint])
        }
        try spend.checkSignatures()
        return spend
    }

    /// The newest open transfer that spends a coin of cold storage; nil: none does.
    public func taker(
        of outPoint: OutPoint, isInBlock: (TransactionID) -> Bool
    ) -> ColdSpend.Taker? {
        let all = spenders(of: outPoint).compactMap { id in payments[id].map { (id, $0) } }
            .sorted { $0.1.sequence < $1.1.sequence }
        guard let (id, newest) = all.last else { return nil }
        // Each in the place of the one before.
        let isRow = zip(all, all.dropFirst()).allSatisfy { $1.1.replaces == $0.0 }
        let isSpent = all.contains { id, payment in
            isInBlock(id)
                || [payment.change, payment.cold?.output].contains { output in
                    output.map { !isUnspent(OutPoint(id, $0)) } ?? false
                }
        }
        return ColdSpend.Taker(
            id: id, fee: all.map(\.1.credibleFee).max() ?? newest.fee,
            isReplaceable: isRow && !isSpent && newest.withdrawals.isEmpty)
    }
}
