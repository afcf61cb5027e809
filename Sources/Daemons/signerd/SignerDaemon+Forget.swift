// How an operator takes a transaction out of the list of what was signed.

import DaemonKit
import Glibc
import Logging
import Payments
import Platform
import Signing
import Terms

extension SignerDaemon {
    /// Why a transaction cannot be taken out of the list.
    struct ForgetError: Error, CustomStringConvertible { let description: String }

    /// Takes a transaction out of the list, once the operator has read what that means and typed it
    /// again. Only while no signer runs.
    func forget(_ text: String) throws {
        guard let transaction = TransactionID(hex: text), transaction != .none else {
            throw ForgetError(description: "\"\(text)\" is no transaction: 64 digits")
        }
        // First of all: a list that was written anew is not the one that a signer has open.
        let lock = try StateLock(directory: place.directory, name: "signerd.lock")
        let list = try SignedList(place)
        guard let entry = list.entry(of: transaction) else {
            throw SignedListError.unknown(transaction, path: place.listFile)
        }
        let ids = entry.payment.withdrawals.map { "\($0.number)" }.joined(separator: ", ")
        let coins = entry.inputNames.map { "  \($0)" }
        print(
            """
            \(transaction.hex) was signed on \(entry.chain) for withdrawals \(ids), and spends
            \(coins.joined(separator: "\n"))

            Whoever has its bytes can broadcast it. Once it is forgotten the signer signs another \
            payment of these withdrawals from other coins, and if this one gets into a block as \
            well, they are PAID TWICE.

            Forget it only if another transaction, which is final on the chain, has spent one of \
            these coins: look at each of them in two independent nodes (gettxout). The log has to \
            have dropped it before (boursectl wallet drop), or the signer signs nothing. What it \
            used of the limits stays used. The entry is kept in \(place.forgottenFile).

            Type the transaction again if it is to be forgotten:
            """)
        guard readLine() == transaction.hex else {
            throw ForgetError(description: "not confirmed; nothing was done")
        }
        try list.forget(transaction, limits: try limits(try assets()))
        log.warning("forgot \(transaction.hex), which pays withdrawals \(ids): an operator's word")
        withExtendedLifetime(lock) {}
    }
}
