// Segment files: `<first sequence, 20 digits>.seg`, preallocated and zeroed.
//
//      0  4096    header block, below
//   4096  …       items back to back, each at a multiple of 8: records (`Wire/Record.swift`) and
//                 sync marks. Zero bytes up to the end of the file follow the last.
//
// Header block, durable before the file has its name:
//      0  8    magic, "BOURSEJ1"
//      8  u32  version of this layout: 2
//     12  u32  bytes of the block: 4096
//     16  u64  journal identity, high
//     24  u64  journal identity, low
//     32  u64  sequence of the first record
//     40  i64  timestamp of the record before it; 0 for the log's first
//     48  u32  epoch of the record before it; 0 for the log's first
//     52  u32  CRC32C of the record before it, as in its header; 0 for the log's first
//     56  u64  bytes of the file
//     64  u64  replica id, high; both halves 0: none
//     72  u64  replica id, low
//     80  u32  format level of what follows
//     84  …    zero
//   4092  u32  CRC32C of bytes 0 ..< 4092
// Magic, version, the block's size and its CRC are where they are in every version: a wrong CRC is
// damage, whatever version it says.
//
// Sync mark: everything before it was durable before it was written.
//      0  u32  "SYN2", 0x324E5953: no record has this length
//      4  u32  CRC32C of bytes 8 ..< 24
//      8  u64  sequence of the record that follows
//     16  u64  commit point: the last sequence that was released
//
// Why marks: after a power cut, the pages of the last, unfinished write may be there in any
// combination, so a hole with good records behind it is ordinary there, but is damage anywhere
// else. A write begins only after the one before it was synced and marked; so a mark behind a hole
// proves that what was in the hole had been acknowledged.
//
// All integers are little-endian.

internal import Platform
public import Terms
public import Wire

/// Which journal a file belongs to: 128 random bits, also in the log's genesis record.
public struct JournalIdentity: Hashable, Sendable, CustomStringConvertible {
    /// First half.
    public var high: UInt64
    /// Second half.
    public var low: UInt64

    /// An identity of these halves.
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// A new one.
    public static func random() -> JournalIdentity {
        JournalIdentity(high: SystemRandom.number(), low: SystemRandom.number())
    }

    /// 32 hexadecimal digits.
    public var description: String { high.hexText + low.hexText }
}

extension ReplicaID {
    /// A new one.
    public static func random() -> ReplicaID {
        ReplicaID(high: SystemRandom.number(), low: SystemRandom.number())
    }
}

/// What names one record over all replicas: two records of the same three are the same.
public struct LogPoint: Hashable, Sendable, CustomStringConvertible {
    /// Place in the log; 0 for the point before the first record.
    public var sequence: UInt64
    /// The term it was written in.
    public var epoch: UInt32
    /// Its CRC32C, as in its header.
    public var crc: UInt32

    /// A point of these values.
    public init(sequence: UInt64, epoch: UInt32, crc: UInt32) {
        (self.sequence, self.epoch, self.crc) = (sequence, epoch, crc)
    }

    /// The point of a record.
    public init(_ header: RecordHeader) {
        self.init(sequence: header.sequence, epoch: header.epoch, crc: header.crc)
    }

    /// Before the log's first record.
    public static var start: LogPoint { LogPoint(sequence: 0, epoch: 0, crc: 0) }

    /// As `SEQUENCE of epoch EPOCH`.
    public var description: String { "\(sequence) of epoch \(epoch)" }
}

/// The head of a segment file.
struct SegmentHeader: Hashable {
    static let blockBytes = 4096
    static let version: UInt32 = 2
    /// "BOURSEJ1" as a little-endian integer.
    static let magic: UInt64 = 0x314A_4553_5255_4F42
    private static let checkedBytes = blockBytes - 4

    var identity: JournalIdentity
    /// The record before the first one.
    var prior: LogPoint
    var priorTimestamp: Int64
    var fileBytes: Int
    var replica = ReplicaID.none
    var formatLevel = Journal.formatLevel

    var firstSequence: UInt64 { prior.sequence + 1 }

    /// What a header block turns out to be.
    enum Reading {
        case header(SegmentHeader)
        /// Its magic is right, and it is of a version that this one does not read.
        case other(UInt32)
        case invalid(String)
    }

    func block() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.blockBytes)
        unsafe bytes.withUnsafeMutableBytes { raw in
            var w = unsafe WireWriter(raw)
            w.integer(Self.magic)
            w.integer(Self.version)
            w.integer(UInt32(Self.blockBytes))
            w.integer(identity.high)
            w.integer(identity.low)
            w.integer(firstSequence)
            w.integer(priorTimestamp)
            w.integer(prior.epoch)
            w.integer(prior.crc)
            w.integer(UInt64(fileBytes))
            w.integer(replica.high)
            w.integer(replica.low)
            w.integer(formatLevel)
            unsafe TrailingCRC.seal(raw, Self.checkedBytes)
        }
        return bytes
    }

    static func read(_ bytes: [UInt8]) -> Reading {
        guard bytes.count == blockBytes else { return .invalid("the file ends in its header") }
        return unsafe bytes.withUnsafeBytes { raw in
            var r = unsafe WireReader(raw)
            guard r.integer(UInt64.self) == magic else { return .invalid("no segment header") }
            guard unsafe TrailingCRC.holds(raw, checkedBytes) else {
                return .invalid("the header's checksum is wrong")
            }
            let version: UInt32 = r.integer()
            guard version == Self.version else { return .other(version) }
            let block: UInt32 = r.integer()
            let identity = JournalIdentity(high: r.integer(), low: r.integer())
            let first: UInt64 = r.integer()
            let priorTimestamp: Int64 = r.integer()
            let (epoch, crc): (UInt32, UInt32) = (r.integer(), r.integer())
            let fileBytes: UInt64 = r.integer()
            let replica = ReplicaID(high: r.integer(), low: r.integer())
            let level: UInt32 = r.integer()
            guard block == blockBytes, first > 0, fileBytes >= blockBytes, fileBytes <= 4 << 30
            else { return .invalid("the header's values are wrong") }
            return .header(
                SegmentHeader(
                    identity: identity,
                    prior: LogPoint(sequence: first - 1, epoch: epoch, crc: crc),
                    priorTimestamp: priorTimestamp, fileBytes: Int(fileBytes), replica: replica,
                    formatLevel: level))
        }
    }
}

/// Blocks of bytes that end with the CRC32C of what stands before it.
enum TrailingCRC {
    /// Writes the CRC of the first `count` bytes behind them.
    static func seal(_ raw: UnsafeMutableRawBufferPointer, _ count: Int) {
        let crc = unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[0..<count]))
        unsafe raw.storeBytes(of: crc.littleEndian, toByteOffset: count, as: UInt32.self)
    }

    /// Whether it is there.
    static func holds(_ raw: UnsafeRawBufferPointer, _ count: Int) -> Bool {
        guard raw.count >= count + 4 else { return false }
        let crc = unsafe raw.loadUnaligned(fromByteOffset: count, as: UInt32.self)
        let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<count])
        return unsafe CRC32C.checksum(checked) == UInt32(littleEndian: crc)
    }
}

/// Sync marks.
struct SyncMark: Hashable {
    static let bytes = 24
    static let tag: UInt32 = 0x324E_5953

    /// The sequence of the record that follows.
    var next: UInt64
    /// The last sequence that was released when it was written.
    var commit: UInt64

    func write(to raw: UnsafeMutableRawBufferPointer) {
        unsafe raw.storeBytes(of: Self.tag.littleEndian, toByteOffset: 0, as: UInt32.self)
        unsafe raw.storeBytes(of: next.littleEndian, toByteOffset: 8, as: UInt64.self)
        unsafe raw.storeBytes(of: commit.littleEndian, toByteOffset: 16, as: UInt64.self)
        let crc = unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[8..<24]))
        unsafe raw.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    /// The mark at the start of `raw`; nil when there is none. `tagged` false: whatever its tag.
    init?(_ raw: UnsafeRawBufferPointer, tagged: Bool = true) {
        guard raw.count >= Self.bytes else { return nil }
        let found = unsafe raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        guard !tagged || UInt32(littleEndian: found) == Self.tag else { return nil }
        let crc = unsafe raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[8..<24])
        unsafe next = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        unsafe commit = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        guard unsafe UInt32(littleEndian: crc) == CRC32C.checksum(checked), commit < next else {
            return nil
        }
    }

    init(next: UInt64, commit: UInt64) { (self.next, self.commit) = (next, commit) }
}

/// The names of numbered files: 20 digits, then an extension.
enum NumberedName {
    static func name(_ number: UInt64, _ ending: String) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.count) + digits + ending
    }

    /// The number of a name; nil for other names, and for 0, which nothing has.
    static func number(_ name: String, _ ending: String) -> UInt64? {
        guard name.utf8.count == 20 + ending.utf8.count, name.hasSuffix(ending) else { return nil }
        let digits = name.utf8.prefix(20)
        guard digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return UInt64(name.prefix(20)).flatMap { $0 > 0 ? $0 : nil }
    }
}
