// What an operator's key signs of a command, as bytes: the one place that says so, for those who
// sign, for matchd that checks before the log, and for anybody who checks the log afterwards.

public import Terms

/// Who signed a command, what of the log was seen, and the signature.
///
///      …  text40 operator
///     40  32   key
///     72  u64  commands in the audit chain
///     80  32   its head after them
///    112  64   signature
public struct OperatorSeal: Hashable, Sendable {
    /// The operator's name.
    public var name: Text40
    /// Its key in the log.
    public var key: OperatorKey
    /// How many commands the audit chain had that was seen, and its head: so that no signature fits
    /// a log with another past.
    public var seen: AuditHead
    /// Of `SignedCommand.message`.
    public var signature: OperatorSignature

    /// A seal; without a signature as long as there is none.
    public init(
        name: Text40, key: OperatorKey, seen: AuditHead, signature: OperatorSignature = .none
    ) {
        (self.name, self.key, self.seen, self.signature) = (name, key, seen, signature)
    }

    /// Everything but the signature.
    func encodeSigned(into w: inout WireWriter) {
        w.text(name)
        w.integer(key.high)
        w.integer(key.low)
        w.integer(seen.count)
        w.integer(seen.digest.high)
        w.integer(seen.digest.low)
    }

    init(from r: inout WireReader) {
        name = r.text()
        key = OperatorKey(high: r.integer(), low: r.integer())
        seen = AuditHead(
            count: r.integer(), digest: Digest256(high: r.integer(), low: r.integer()))
        signature = OperatorSignature(
            first: Digest256(high: r.integer(), low: r.integer()),
            second: Digest256(high: r.integer(), low: r.integer()))
    }
}

/// The end of the audit chain: each command of operators that the engine takes is chained to those
/// before it.
public struct AuditHead: Hashable, Sendable {
    /// How many commands are in it.
    public var count: UInt64
    /// The SHA-256 over the one before and the last command; zero for none.
    public var digest: Digest256

    /// This end.
    public init(count: UInt64, digest: Digest256) { (self.count, self.digest) = (count, digest) }

    /// The chain without a command.
    public static var none: AuditHead { AuditHead(count: 0, digest: .none) }

    /// The end after a command: SHA-256 over the digest before, the record's sequence, its time and
    /// its kind in 8 bytes each, all little-endian, and its payload. O(bytes).
    public func next(
        sequence: UInt64, timestamp: Int64, kind: UInt16, payload: [UInt8]
    ) -> AuditHead {
        var bytes = digest.bytes
        bytes.reserveCapacity(56 + payload.count)
        for word in [sequence, UInt64(bitPattern: timestamp), UInt64(kind)] {
            for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * byte))) }
        }
        return AuditHead(count: count + 1, digest: Digest256(of: bytes + payload))
    }
}

/// A command that its operator signs.
public protocol SignedCommand: CommandPayload {
    /// Who signed it.
    var seal: OperatorSeal { get set }
    /// Writes the fields before the seal.
    func encodeSigned(into writer: inout WireWriter)
}

extension SignedCommand {
    public func encode(into w: inout WireWriter) {
        encodeSigned(into: &w)
        seal.encodeSigned(into: &w)
        for half in [seal.signature.first, seal.signature.second] {
            w.integer(half.high)
            w.integer(half.low)
        }
    }

    /// The bytes that are signed: 16 of purpose, "bourse-operator1"; the journal's identity as its
    /// first record has it, so that a signature is for one venue; the command's kind as u64; and
    /// everything before the signature.
    public func message(journalHigh: UInt64, journalLow: UInt64) -> [UInt8] {
        Array(signedPurpose.utf8)
            + (unsafe [UInt8](unsafeUninitializedCapacity: Self.recordBytesMax) { buffer, count in
                var w = unsafe WireWriter(UnsafeMutableRawBufferPointer(buffer))
                w.integer(journalHigh)
                w.integer(journalLow)
                w.integer(UInt64(Self.kind.rawValue))
                encodeSigned(into: &w)
                seal.encodeSigned(into: &w)
                count = w.offset
            })
    }
}

/// Says what a signature is for, so that none of another kind is taken for it.
private let signedPurpose = "bourse-operator1"

extension Command {
    /// The command as one that is signed; nil: it is none.
    public var signed: (any SignedCommand)? {
        switch self {
        case .propose(let c): c
        case .endorse(let c): c
        case .withdrawProposal(let c): c
        case .signDecision(let c): c
        default: nil
        }
    }
}
