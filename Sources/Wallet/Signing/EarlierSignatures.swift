// What was signed before for the same withdrawals decides what may be signed for them now.

internal import Payments
public import Terms
public import UTXO

/// What earlier signatures leave to a new one.
public enum EarlierSignatures: Hashable, Sendable {
    /// There are none that could be final beside it: it may be signed. So much is to be subtracted
    /// from what counts against the limit, in base units: the most that a payment of the very same
    /// withdrawals took, for at most one of them can ever be final.
    case free(replaced: Int64)
    /// This one is given instead: it could be final beside the new one, or it is that very one.
    case given(SignedEntry)

    /// Judges a transaction by the entries that share a withdrawal with it, in the order of their
    /// signing.
    ///
    /// A transaction that shares an input with each of them conflicts with each on the chain, so at
    /// most one of each pair is ever final: a withdrawal is paid once. With any other it could be
    /// paid twice.
    public static func judge(
        _ transaction: TransactionID, spending inputs: Set<OutPoint>, paying ids: [WithdrawalID],
        _ earlier: [SignedEntry]
    ) -> EarlierSignatures {
        if let same = earlier.last(where: { $0.payment.transaction == transaction }) {
            return .given(same)
        }
        guard earlier.allSatisfy({ !inputs.isDisjoint(with: $0.inputs) }), !inputs.isEmpty else {
            return earlier.last.map { .given($0) } ?? .free(replaced: 0)
        }
        // Those of other sets may be final beside a third one: they subtract nothing, or a payment
        // of much could be exchanged, one withdrawal at a time, for many of as much each.
        let same = earlier.filter { $0.payment.withdrawals == ids }
        return .free(replaced: same.map(\.leaving).max() ?? 0)
    }
}
