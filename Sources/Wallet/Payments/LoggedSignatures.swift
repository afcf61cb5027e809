// Whether a payment of the log was signed by the wallet's own keys, and what leaves with it.
//
// The log alone does not say so: whoever writes to it may give it any bytes. A signature of each
// input does, and it commits to the amount of its coin (BIP143).

internal import Addresses
internal import Keys
public import Terms
public import UTXO

/// What a payment of the log spends and takes out of the wallet.
public struct LoggedSignatures: Hashable, Sendable {
    /// What it spends.
    public let inputs: [OutPoint]
    /// What leaves the wallet with it: payees and the miner's fee, in base units.
    public let leaving: Int64
}

extension ChainCoins {
    /// What a payment is that the log has for these withdrawals; nil where it is no transaction of
    /// that name, spends anything else than coins that the wallet has now, or lacks the signature
    /// of one of their keys. O(bytes + inputs).
    public func signatures(
        _ bytes: [UInt8], of id: TransactionID, paying withdrawals: [WithdrawalID]
    ) -> LoggedSignatures? {
        guard
            let transaction = try? UTXOTransaction(
                bytes, on: network, bytesMax: Limits.transactionBytesMax),
            transaction.id == id, let account = ExtendedPublicKey(key, isTest: network.isTest)
        else { return nil }
        var spent: [UTXOTransaction.TransactionOutput] = []
        for input in transaction.inputs {
            guard let coin = coins[input.outPoint],
                let own = try? account.descendant(coin.place.branch.rawValue, coin.place.index),
                input.witness.count == 2, input.witness[1] == own.key
            else { return nil }
            spent.append(
                UTXOTransaction.TransactionOutput(
                    amount: coin.amount, script: SpendKind.publicKeyHash.script(of: own)))
        }
        guard let hashes = SignatureHashes(transaction, spending: spent) else { return nil }
        for (index, input) in transaction.inputs.enumerated() {
            let hash = hashes.publicKeyHash(index, Array(spent[index].script.dropFirst(2)))
            guard input.witness[0].last == SignatureHashes.all,
                CurveSignature.isECDSA(
                    Array(input.witness[0].dropLast()), of: hash, by: input.witness[1])
            else { return nil }
        }
        let place = CoinPlace.change(of: withdrawals)
        guard let all = network.sum(spent.lazy.map(\.amount)),
            let own = try? account.descendant(place.branch.rawValue, place.index)
        else { return nil }
        let script = SpendKind.publicKeyHash.script(of: own)
        let change = transaction.outputs.first { $0.script == script }?.amount ?? 0
        return LoggedSignatures(
            inputs: transaction.inputs.map(\.outPoint), leaving: max(0, all - change))
    }
}
