// What the chain says of the coins that a payment spends.
//
// A signature commits to the amount that its input spends (BIP143), and to no other input's: who
// has a wrong amount in its log would sign a fee that nobody wanted. A transaction's name is the
// hash of all its outputs, so the transaction itself proves what each of them is.

public import Addresses
internal import Terms
public import UTXO

/// The transactions that the inputs of a payment spend from.
public struct PreviousTransactions: Sendable {
    /// Maximum bytes of one without witnesses: of a block's 4,000,000 units of weight each of
    /// them takes four (BIP141).
    public static let bytesMax = 1_000_000
    /// Maximum bytes of all that one request carries.
    public static let totalBytesMax = 4_000_000

    private var outputs: [TransactionID: [UTXOTransaction.TransactionOutput]] = [:]

    /// Decodes transactions without witnesses. O(bytes).
    public init(_ all: [[UInt8]], on network: UTXONetwork) throws(UTXODecodingError) {
        for bytes in all {
            guard bytes.count <= Self.bytesMax else {
                throw .tooLarge(count: bytes.count, maximum: Self.bytesMax)
            }
            let transaction = try UTXOTransaction(withoutWitness: bytes, on: network)
            outputs[transaction.id] = transaction.outputs
        }
    }

    /// How many there are.
    public var count: Int { outputs.count }

    /// What an output is; nil where its transaction is not among them, or has no such output.
    public subscript(_ place: OutPoint) -> UTXOTransaction.TransactionOutput? {
        guard let all = outputs[place.transaction], Int(place.output) < all.count else {
            return nil
        }
        return all[Int(place.output)]
    }
}

extension ChainCoins {
    /// How a coin differs from what its transaction says, in words; nil: it does not.
    public func difference(
        _ place: OutPoint, from output: UTXOTransaction.TransactionOutput
    ) -> String? {
        guard let coin = coins[place] else { return "the log has no such coin of the wallet's" }
        let name = "\(place.transaction.hex):\(place.output)"
        if output.amount != coin.amount {
            return "the log has \(coin.amount) base units in the coin \(name), and its "
                + "transaction \(output.amount)"
        }
        guard let script = try? script(coin.place), script == output.script else {
            return "the coin \(name) is not paid to the key that the log says"
        }
        return nil
    }
}
