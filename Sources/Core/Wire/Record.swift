// The log's record: one layout for the journal, the link and the engine.
//
//      0  u32  length      bytes of the record, header included; a multiple of 8
//      4  u32  crc         CRC32C (Castagnoli, RFC 3720 appendix B.4) of bytes 8 ..< length
//      8  u64  sequence    place in the log, from 1, without gaps
//     16  i64  timestamp   nanoseconds since 1970-01-01 UTC; never decreases along the log
//     24  u32  epoch       the primary's term
//     28  u32  session     the writer's session; 0 is the sequencer itself
//     32  u64  number      the command's number in its session, from 1; 0 where session is 0
//     40  u16  kind        `CommandKind`
//     42  u16  revision    of the payload's layout; 0
//     44  u32  reserved    0
//     48  …    payload, padded with zero bytes to a multiple of 8
//
// All integers are little-endian.

public import Terms

/// The fixed head of each record.
@frozen public struct RecordHeader: Hashable, BitwiseCopyable, Sendable {
    /// Bytes of the record, header included.
    public var length: UInt32
    /// CRC32C of all that follows this field.
    public var crc: UInt32
    /// Place in the log, from 1.
    public var sequence: UInt64
    /// Nanoseconds since 1970-01-01 UTC.
    public var timestamp: Int64
    /// The primary's term.
    public var epoch: UInt32
    /// The writer's session.
    public var session: SessionID
    /// The command's number in its session.
    public var number: UInt64
    /// The payload's kind: a raw `CommandKind`.
    public var kind: UInt16
    /// Revision of the payload's layout.
    public var revision: UInt16

    /// Bytes of a header.
    @inlinable public static var size: Int { 48 }

    /// A header of these values; `length` and `crc` are set when the record is written.
    @inlinable public init(
        sequence: UInt64, timestamp: Int64, epoch: UInt32 = 1, session: SessionID = SessionID(0),
        number: UInt64 = 0, kind: CommandKind
    ) {
        self.init(
            length: 0, sequence: sequence, timestamp: timestamp, epoch: epoch, session: session,
            number: number, kind: kind.rawValue, revision: 0)
    }

    /// A header for a payload whose kind and revision were not decoded; `length` is the whole
    /// record's, in bytes. `crc` is set when the record is written.
    @inlinable @inline(__always) public init(
        length: UInt32, sequence: UInt64, timestamp: Int64, epoch: UInt32, session: SessionID,
        number: UInt64, kind: UInt16, revision: UInt16
    ) {
        self.length = length
        crc = 0
        (self.sequence, self.timestamp, self.epoch) = (sequence, timestamp, epoch)
        (self.session, self.number, self.kind, self.revision) = (session, number, kind, revision)
    }

    /// Reads the header at the start of `bytes`; nil when there are fewer than 48.
    @inlinable @inline(__always) public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        unsafe length = bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self).littleEndian
        unsafe crc = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian
        unsafe sequence = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).littleEndian
        unsafe timestamp = bytes.loadUnaligned(fromByteOffset: 16, as: Int64.self).littleEndian
        unsafe epoch = bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self).littleEndian
        let session = unsafe bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self)
        self.session = SessionID(session.littleEndian)
        unsafe number = bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self).littleEndian
        unsafe kind = bytes.loadUnaligned(fromByteOffset: 40, as: UInt16.self).littleEndian
        unsafe revision = bytes.loadUnaligned(fromByteOffset: 42, as: UInt16.self).littleEndian
    }

    /// Writes the header to the first 48 bytes of `bytes`.
    @inlinable @inline(__always) public func write(to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count >= Self.size, "room for a header")
        unsafe bytes.storeBytes(of: length.littleEndian, toByteOffset: 0, as: UInt32.self)
        unsafe bytes.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
        unsafe bytes.storeBytes(of: sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
        unsafe bytes.storeBytes(of: timestamp.littleEndian, toByteOffset: 16, as: Int64.self)
        unsafe bytes.storeBytes(of: epoch.littleEndian, toByteOffset: 24, as: UInt32.self)
        unsafe bytes.storeBytes(of: session.number.littleEndian, toByteOffset: 28, as: UInt32.self)
        unsafe bytes.storeBytes(of: number.littleEndian, toByteOffset: 32, as: UInt64.self)
        unsafe bytes.storeBytes(of: kind.littleEndian, toByteOffset: 40, as: UInt16.self)
        unsafe bytes.storeBytes(of: revision.littleEndian, toByteOffset: 42, as: UInt16.self)
        unsafe bytes.storeBytes(of: 0, toByteOffset: 44, as: UInt32.self)
    }
}

/// The outcome of a command: the reply to its writer, and part of the event hash.
@frozen public struct Outcome: Hashable, BitwiseCopyable, Sendable {
    /// Why it was refused; `.none` if it was done.
    public var refusal: Refusal
    /// The order's status after the command, for commands about one order.
    public var status: OrderStatus
    /// The subject of the command: the order, account, asset, instrument or session.
    public var id: UInt64

    /// An outcome of these values.
    @inlinable public init(refusal: Refusal = .none, status: OrderStatus = .new, id: UInt64 = 0) {
        (self.refusal, self.status, self.id) = (refusal, status, id)
    }

    /// A refusal.
    @inlinable public static func refused(_ refusal: Refusal) -> Outcome {
        Outcome(refusal: refusal)
    }
}
