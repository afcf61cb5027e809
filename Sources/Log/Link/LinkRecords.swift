// Runs of records and of commands, kept as the bytes that came.

public import Terms
public import Wire

/// A run of whole records, as they stand in the log. Its form is checked: each header is whole and
/// each length fits. CRCs are not: that is the follower's part.
public struct LinkRecords: Hashable, Sendable {
    /// The records, back to back.
    public let bytes: [UInt8]
    /// How many.
    public let count: Int

    /// A run; nil when the bytes do not divide into records.
    public init?(_ bytes: [UInt8]) {
        var records = 0
        let isWhole = unsafe bytes.withUnsafeBytes { raw in
            unsafe LinkRecords.forEachRecord(raw) { _, _ in records += 1 }
        }
        guard isWhole else { return nil }
        self.bytes = bytes
        count = records
    }

    /// Calls `body` with each record's header and bytes, in order.
    @inlinable public func forEach<E: Error>(
        _ body: (RecordHeader, UnsafeRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        var failure: E?
        unsafe bytes.withUnsafeBytes { raw in
            _ = unsafe LinkRecords.forEachRecord(raw) { header, record in
                if failure != nil { return }
                do throws(E) {
                    unsafe try body(header, record)
                } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    /// Calls `body` with each record in `raw`; false when the bytes do not divide into records.
    @inlinable public static func forEachRecord(
        _ raw: UnsafeRawBufferPointer, _ body: (RecordHeader, UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        var offset = 0
        while offset < raw.count {
            guard let header = unsafe RecordHeader(UnsafeRawBufferPointer(rebasing: raw[offset...]))
            else { return false }
            let length = Int(header.length)
            guard length >= RecordHeader.size, length <= Limits.recordBytesMax, length & 7 == 0,
                offset + length <= raw.count
            else { return false }
            unsafe body(header, UnsafeRawBufferPointer(rebasing: raw[offset..<offset + length]))
            offset += length
        }
        return true
    }
}

/// The head of a submitted command, before its payload.
@frozen public struct LinkEntry: Hashable, BitwiseCopyable, Sendable {
    /// Its number in the session.
    public var number: UInt64
    /// Bytes of its payload.
    public var payloadBytes: Int
    /// A raw `CommandKind`.
    public var kind: UInt16
    /// The revision of the payload's layout.
    public var revision: UInt16

    /// The head of a command.
    public init(number: UInt64, payloadBytes: Int, kind: UInt16, revision: UInt16) {
        (self.number, self.payloadBytes) = (number, payloadBytes)
        (self.kind, self.revision) = (kind, revision)
    }
}

/// Commands of one session, in the order of their numbers. Its form is checked, not the payloads.
public struct LinkSubmit: Hashable, Sendable {
    /// The session; 0 only for `OpenSession`.
    public let session: SessionID
    /// How many commands.
    public let count: Int
    /// The frame's body.
    let body: [UInt8]

    /// A submission; nil when the body is not well formed.
    init?(body: [UInt8]) {
        var commands = 0
        guard
            let session = unsafe body.withUnsafeBytes({ raw in
                unsafe LinkSubmit.forEachEntry(raw) { _, _ in commands += 1 }
            })
        else { return nil }
        self.session = session
        self.count = commands
        self.body = body
    }

    /// Calls `body` with each command's head and payload.
    public func forEach(_ body: (LinkEntry, UnsafeRawBufferPointer) -> Void) {
        unsafe self.body.withUnsafeBytes { raw in _ = unsafe LinkSubmit.forEachEntry(raw, body) }
    }

    /// Walks a submit frame's body; returns its session, or nil when it is not well formed to the
    /// last byte. `each` may have been called for the commands before the fault.
    @inlinable public static func forEachEntry(
        _ raw: UnsafeRawBufferPointer, _ each: (LinkEntry, UnsafeRawBufferPointer) -> Void
    ) -> SessionID? {
        guard raw.count >= 8 else { return nil }
        let session = unsafe UInt32(
            littleEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        let count = unsafe UInt32(
            littleEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        var offset = 8
        for _ in 0..<count {
            guard let entry = unsafe LinkEntry(raw, at: offset) else { return nil }
            let start = offset + LinkProtocol.entryBytes
            offset = start + entry.payloadBytes
            unsafe each(entry, UnsafeRawBufferPointer(rebasing: raw[start..<offset]))
        }
        return offset == raw.count ? SessionID(session) : nil
    }
}

extension LinkEntry {
    /// The entry at `offset` of a submit frame's body; nil when it and its payload are not wholly
    /// there, or longer than a record may be.
    @inlinable @inline(__always) public init?(_ raw: UnsafeRawBufferPointer, at offset: Int) {
        guard raw.count - offset >= LinkProtocol.entryBytes else { return nil }
        unsafe number = UInt64(
            littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let bytes = unsafe UInt32(
            littleEndian: raw.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
        unsafe kind = UInt16(
            littleEndian: raw.loadUnaligned(fromByteOffset: offset + 12, as: UInt16.self))
        unsafe revision = UInt16(
            littleEndian: raw.loadUnaligned(fromByteOffset: offset + 14, as: UInt16.self))
        payloadBytes = Int(bytes)
        guard bytes & 7 == 0, payloadBytes <= Limits.recordBytesMax - RecordHeader.size,
            raw.count - offset - LinkProtocol.entryBytes >= payloadBytes
        else { return nil }
    }
}
