// Whether a payment of the log was signed by the wallet's own keys, and what leaves with it.
//
// The log alone does not say so: whoever writes to it may give it any bytes. A signature of each
// input does, and it commits to the amount of its coin (BIP143). Nor does the log alone say whom it
// pays: its outputs do, and they have to be those of the withdrawals that the log has it under.

internal import Addresses
public import EVM
public import Engine
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
    /// Whether a payment pays these withdrawals, all of which the log has as open, and nobody else:
    /// every output but one of change is exactly one of them. O(bytes).
    public func pays(
        _ bytes: [UInt8], _ withdrawals: [WithdrawalID], of asset: AssetID, _ number: NetworkID,
        _ engine: borrowing Engine
    ) -> Bool {
        guard
            let transaction = try? UTXOTransaction(
                bytes, on: network, bytesMax: Limits.transactionBytesMax)
        else { return false }
        var payees: [Payee] = []
        for id in withdrawals {
            guard let withdrawal = engine.withdrawal(id), withdrawal.asset == asset,
                withdrawal.network == number, let payee = Payee(withdrawal, on: network)
            else { return false }
            payees.append(payee)
        }
        let change = try? ReviewedPayment.change(transaction, of: withdrawals, payees, self)
        return change != nil
    }

    /// Whether a transaction is a transfer as the log would have it now: it pays the wallet's own
    /// address, or the next one of the cold storage that the log names, and nobody else; or one
    /// that was dropped, where it paid before. O(bytes).
    public func isTransfer(
        _ bytes: [UInt8], of asset: AssetID, _ number: NetworkID, _ engine: borrowing Engine
    ) -> Bool {
        guard
            let transaction = try? UTXOTransaction(
                bytes, on: network, bytesMax: Limits.transactionBytesMax)
        else { return false }
        let outputs = outputs(ofTransfer: transaction, id: transaction.id)
        if outputs.hasOthers { return false }
        if isDropped(transaction.id) { return true }
        guard let coin = outputs.cold?.coin else { return outputs.change != nil }
        let named = engine.coldStorage(asset, number).flatMap { storage(named: $0.descriptor) }
        return named?.number == coin.storage
    }

    /// What a payment is that the log has for these withdrawals; nil where it is no transaction of
    /// that name, spends anything else than coins that the wallet has now or change of payments
    /// that were dropped, or lacks the signature of one of their keys. O(bytes + inputs).
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
            guard let coin = everyCoin(input.outPoint),
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

extension EVMPayments {
    /// Whether a payment pays this withdrawal, which the log has as open: destination, value and
    /// data are what the signer's own list of assets makes of it. O(bytes).
    public func pays(
        _ bytes: [UInt8], _ withdrawals: [WithdrawalID], of asset: AssetID, _ number: NetworkID,
        _ engine: borrowing Engine, _ assets: EVMAssetList
    ) -> Bool {
        guard withdrawals.count == 1, let withdrawal = engine.withdrawal(withdrawals[0]),
            withdrawal.asset == asset, withdrawal.network == number,
            let view = engine.asset(asset),
            let listed = assets.asset("\(view.code)", on: network), view.scale <= listed.decimals,
            let destination = try? EVMAddress(destination: "\(withdrawal.address)"),
            let units = try? EVMWord(
                withdrawal.amount, scale: view.scale, decimals: listed.decimals),
            let transaction = try? SignedEVMTransaction(decoding: bytes).transaction
        else { return false }
        let due = listed.transfer(to: destination, units)
        return transaction.destination == due.to && transaction.value == due.value
            && transaction.data == due.data
    }
}
