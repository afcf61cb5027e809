// The head of a snapshot file, `<sequence, 20 digits>.snap`.
//
//      0  8    magic, "BOURSES1"
//      8  u32  version of this layout: 2
//     12  u32  bytes of this header: 128
//     16  u64  journal identity, high
//     24  u64  journal identity, low
//     32  u64  sequence of the last record in it
//     40  i64  that record's timestamp
//     48  u32  that record's epoch
//     52  u32  CRC32C of the body
//     56  u64  event hash
//     64  u64  state hash
//     72  u64  bytes of the body
//     80  u32  that record's CRC32C, as in its header
//     84  u32  format level of the body
//     88  u64  commit point: the last record known to be released when it was written
//     96  28   zero
//    124  u32  CRC32C of bytes 0 ..< 124; as magic and version, there in every version
//    128  …    body: what `Engine.writeSnapshot` gives
//
// All integers are little-endian.

internal import Platform
internal import Wire

/// A snapshot's header.
public struct SnapshotInfo: Hashable, Sendable {
    /// Bytes of the header in the file.
    public static let headerBytes = 128
    /// The file; empty for a snapshot that came over the link.
    public var path: String
    /// The journal.
    public var identity: JournalIdentity
    /// The last record in it.
    public var sequence: UInt64
    /// That record's time.
    public var timestamp: Int64
    /// That record's epoch.
    public var epoch: UInt32
    /// That record's CRC32C: with sequence and epoch it identifies the record on all replicas.
    public var recordCRC: UInt32
    /// The last record known to be released when it was written.
    public var commitPoint: UInt64
    /// The running hash over all events.
    public var eventHash: UInt64
    /// The hash over the state.
    public var stateHash: UInt64
    /// Bytes of the body, which begins after the header.
    public var bodyBytes: Int
    var bodyCRC: UInt32

    /// The last record in it.
    public var point: LogPoint { LogPoint(sequence: sequence, epoch: epoch, crc: recordCRC) }
}

extension SnapshotInfo {
    static let magic: UInt64 = 0x3153_4553_5255_4F42
    static let version: UInt32 = 2

    func header() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.headerBytes)
        unsafe bytes.withUnsafeMutableBytes { raw in
            var w = unsafe WireWriter(raw)
            w.integer(Self.magic)
            w.integer(Self.version)
            w.integer(UInt32(Self.headerBytes))
            w.integer(identity.high)
            w.integer(identity.low)
            w.integer(sequence)
            w.integer(timestamp)
            w.integer(epoch)
            w.integer(bodyCRC)
            w.integer(eventHash)
            w.integer(stateHash)
            w.integer(UInt64(bodyBytes))
            w.integer(recordCRC)
            w.integer(Journal.formatLevel)
            w.integer(commitPoint)
            w.reserved(28)
            w.integer(unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[0..<124])))
        }
        return bytes
    }

    /// The header of a snapshot file's bytes, checked against them and its own checksum.
    init(_ bytes: [UInt8], path: String, identity: JournalIdentity?) throws(JournalError) {
        let parsed = unsafe bytes.withUnsafeBytes { raw in
            unsafe Self.parse(raw, path)
        }
        self = try parsed.get()
        if let identity, identity != self.identity {
            throw .foreign(file: path, found: self.identity, expected: identity)
        }
    }

    /// The header only; the body is not read.
    init(header bytes: [UInt8], path: String, identity: JournalIdentity?) throws(JournalError) {
        let parsed = unsafe bytes.withUnsafeBytes { raw in
            unsafe Self.parse(raw, path, hasBody: false)
        }
        self = try parsed.get()
        if let identity, identity != self.identity {
            throw .foreign(file: path, found: self.identity, expected: identity)
        }
    }

    private static func parse(
        _ raw: UnsafeRawBufferPointer, _ path: String, hasBody: Bool = true
    ) -> Result<SnapshotInfo, JournalError> {
        func bad(_ detail: String) -> Result<SnapshotInfo, JournalError> {
            .failure(.snapshot(file: path, detail: detail))
        }
        var r = unsafe WireReader(raw)
        guard raw.count >= headerBytes, r.integer(UInt64.self) == magic else {
            return bad("it is not a snapshot")
        }
        let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<124])
        let crc = unsafe raw.loadUnaligned(fromByteOffset: 124, as: UInt32.self)
        guard unsafe CRC32C.checksum(checked) == UInt32(littleEndian: crc) else {
            return bad("its header is damaged")
        }
        let version: UInt32 = r.integer()
        if version > Self.version {
            return .failure(.newer(file: path, version: version, known: Self.version))
        }
        guard r.integer(UInt32.self) == UInt32(headerBytes) else {
            return bad("its header is damaged")
        }
        // Every released layout has its reader here.
        switch version {
        case 2: return unsafe second(&r, raw, path, hasBody: hasBody)
        default: return bad("version \(version) of its layout was never released")
        }
    }

    private static func second(
        _ r: inout WireReader, _ raw: UnsafeRawBufferPointer, _ path: String, hasBody: Bool
    ) -> Result<SnapshotInfo, JournalError> {
        func bad(_ detail: String) -> Result<SnapshotInfo, JournalError> {
            .failure(.snapshot(file: path, detail: detail))
        }
        let identity = JournalIdentity(high: r.integer(), low: r.integer())
        let (sequence, timestamp, epoch): (UInt64, Int64, UInt32) =
            (r.integer(), r.integer(), r.integer())
        let bodyCRC: UInt32 = r.integer()
        let (eventHash, stateHash): (UInt64, UInt64) = (r.integer(), r.integer())
        let bodyBytes: UInt64 = r.integer()
        let (recordCRC, level, commitPoint): (UInt32, UInt32, UInt64) =
            (r.integer(), r.integer(), r.integer())
        guard level <= Journal.formatLevel else {
            return .failure(.newer(file: path, version: level, known: Journal.formatLevel))
        }
        let body = unsafe UnsafeRawBufferPointer(rebasing: raw[headerBytes...])
        guard !hasBody || UInt64(body.count) == bodyBytes else {
            return bad("it has \(body.count) bytes of body, not \(bodyBytes)")
        }
        guard unsafe !hasBody || CRC32C.checksum(body) == bodyCRC else {
            return bad("its body is damaged")
        }
        return .success(
            SnapshotInfo(
                path: path, identity: identity, sequence: sequence, timestamp: timestamp,
                epoch: epoch, recordCRC: recordCRC, commitPoint: commitPoint,
                eventHash: eventHash, stateHash: stateHash, bodyBytes: Int(clamping: bodyBytes),
                bodyCRC: bodyCRC))
    }
}
