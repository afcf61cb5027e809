// Whether what operators sign is signed: one check for matchd before the log, for a standby and for
// those who execute the log again.

internal import Secrets
internal import Terms
public import Wire

/// The check of operators' signatures.
public enum SealCheck {
    /// Whether a command is signed by the key that it names, over it and this journal, if it is of
    /// a kind that is signed; one that does not decode is not. Stateless: whose key it is, the
    /// engine knows. About 0.1 ms where there is a signature.
    public static func isSound(
        kind: UInt16, payload: UnsafeRawBufferPointer, of journal: (high: UInt64, low: UInt64)
    ) -> Bool {
        guard let kind = CommandKind(rawValue: kind), kind.isSigned else { return true }
        guard let signed = unsafe Command(kind: kind, payload: payload)?.signed else {
            return false
        }
        return isSound(signed, of: journal)
    }

    /// The same of a whole record.
    public static func isSound(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer,
        of journal: (high: UInt64, low: UInt64)
    ) -> Bool {
        let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
        return unsafe isSound(kind: header.kind, payload: payload, of: journal)
    }

    /// The same of a decoded command.
    public static func isSound(
        _ signed: any SignedCommand, of journal: (high: UInt64, low: UInt64)
    ) -> Bool {
        Ed25519.isValid(
            signed.seal.signature.bytes, publicKey: signed.seal.key.bytes,
            signed.message(journalHigh: journal.high, journalLow: journal.low))
    }
}
