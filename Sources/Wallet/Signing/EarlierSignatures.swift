// What was signed before for the same withdrawals decides what may be signed for them now.

internal import Payments
public import Terms
public import UTXO

/// What earlier signatures leave to a new one.
public enum EarlierSignatures: Hashable, Sendable {
    /// There are none that could be final beside it: it may be signed. So much is to be subtracted
    /// from what counts against the limit, in base units: the most that a payment of the very same
    /// withdrawals took, for at most one of them can ever be final, and no more than these counted.
    case free(replaced: Int64)
    /// This one is given instead: it could be final beside the new one, or it is that very one.
    case given(SignedEntry)

    /// Judges a transaction by the entries that share a withdrawal with it, in the order of their
    /// signing.
    ///
    /// A transaction that shares an input with each of them conflicts with each on the chain, so at
    /// most one of each pair is ever final: a withdrawal is paid once. With any other it could be
    /// paid twice. Of those that `isDead` says can never be final nothing is demanded, and they are
    /// not given; they count as they did.
    public static func judge(
        _ transaction: TransactionID, spending inputs: Set<OutPoint>, paying ids: [WithdrawalID],
        _ earlier: [SignedEntry], isDead: (SignedEntry) -> Bool
    ) -> EarlierSignatures {
        let live = earlier.filter { !isDead($0) }
        if let same = live.last(where: { $0.payment.transaction == transaction }) {
            return .given(same)
        }
        func conflicts(_ entry: SignedEntry) -> Bool { !inputs.isDisjoint(with: entry.inputs) }
        guard !inputs.isEmpty, live.allSatisfy(conflicts) else {
            return live.last.map { .given($0) } ?? .free(replaced: 0)
        }
        // Those of other sets may be final beside a third one: they subtract nothing, or a payment
        // of much could be exchanged, one withdrawal at a time, for many of as much each. Nor does
        // anything where one of this set is dead and could be final beside it: that it is dead says
        // the log alone, and the limit holds whatever the log says.
        let same = earlier.filter { $0.payment.withdrawals == ids }
        guard same.allSatisfy(conflicts) else { return .free(replaced: 0) }
        return .free(replaced: replaced(same) { ($0.leaving, $0.counted) })
    }

    /// What is subtracted for a token of this limit, in its units, by the same rule: `earlier` are
    /// of the very same withdrawal.
    static func replaced(_ limit: Text40, _ earlier: [SignedEntry]) -> Int64 {
        replaced(earlier) { entry in
            guard let token = entry.token, token.limit == limit else { return (0, 0) }
            return (token.leaving, token.counted)
        }
    }

    // Own entries of a set counted together as much as the dearest takes. What another host signed
    // need not have counted here, and then nothing is subtracted for it.
    private static func replaced(
        _ same: [SignedEntry], _ amounts: (SignedEntry) -> (leaving: Int64, counted: Int64)
    ) -> Int64 {
        let all = same.map(amounts)
        let counted = all.reduce(Int128(0)) { $0 + Int128($1.counted) }
        return Int64(clamping: min(Int128(all.map(\.leaving).max() ?? 0), counted))
    }
}
