// What can be wrong with a PSBT.

internal import Terms

/// Why bytes are no PSBT, or why one cannot be worked on.
public enum PSBTError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It does not begin as one.
    case notPSBT
    /// Its text is not Base64.
    case notBase64
    /// It is cut short, or a transaction in it is wrong.
    case malformed(UTXODecodingError)
    /// A key is there twice in a map.
    case duplicateKey([UInt8])
    /// A key or a value is not as its type wants, or its type is of another version.
    case field(PSBTScope, type: UInt64)
    /// Not version 0.
    case version(UInt32)
    /// It has no transaction.
    case noTransaction
    /// Its transaction has signatures, which belong into its inputs.
    case signed
    /// There is no such input or output.
    case noSuchPlace(Int)
    /// Two PSBTs are not of one transaction.
    case otherTransaction
    /// Two PSBTs say different things under this key.
    case conflict([UInt8])
    /// What an input spends is not in it.
    case spentMissing(input: Int)
    /// What an input spends is there twice and differs.
    case spentMismatch(input: Int)
    /// An input's script is not that of the key beside it.
    case scriptMismatch(input: Int)
    /// No key of ours signs this input, or it is of a kind that is not signed here.
    case notOurs(input: Int)
    /// It asks for a signature of another part than all of the transaction.
    case hashType(input: Int)
    /// It has no valid signature yet.
    case notSigned(input: Int)
    /// Not as many of its keys have signed as it takes.
    case tooFewSignatures(input: Int, count: Int, needed: Int)
    /// It was not finalized.
    case notFinal(input: Int)
    /// A key could not be derived, or did not sign.
    case key(input: Int)

    /// The reason, for an operator.
    public var description: String {
        switch self {
        case .notPSBT: "it does not begin as a PSBT"
        case .notBase64: "it is not Base64"
        case .malformed(let error): "\(error)"
        case .duplicateKey(let key): "key \(key.map(\.hexText).joined()) is there twice"
        case .field(let scope, let type): "a \(scope) record of type 0x\(type.hexText) is malformed"
        case .version(let version): "its version is \(version), not 0"
        case .noTransaction: "it has no transaction"
        case .signed: "its transaction has signatures"
        case .noSuchPlace(let index): "it has no input or output \(index)"
        case .otherTransaction: "it is of another transaction"
        case .conflict(let key):
            "they differ under key \(key.map(\.hexText).joined()): one was changed on its way, or "
                + "is of an earlier export; have the last export signed again"
        case .spentMissing(let input): "it does not say what input \(input) spends"
        case .spentMismatch(let input): "it says two things of what input \(input) spends"
        case .scriptMismatch(let input): "input \(input) is not of the key that it names"
        case .notOurs(let input): "no key here signs input \(input)"
        case .hashType(let input):
            "input \(input) asks for another type of signature than SIGHASH_ALL: export it again, "
                + "and have it signed with the device's default"
        case .notSigned(let input): "input \(input) has no valid signature"
        case .tooFewSignatures(let input, let count, let needed):
            "input \(input) has \(count) of the \(needed) signatures that it takes"
        case .notFinal(let input): "input \(input) is not final"
        case .key(let input): "the key of input \(input) does not sign"
        }
    }
}

/// The kinds of maps in a PSBT.
public enum PSBTScope: Hashable, Sendable {
    /// The first one.
    case global
    /// One for each input.
    case input
    /// One for each output.
    case output
}
