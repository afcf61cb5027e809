// Segment files: `<first sequence, 20 digits>.seg`, preallocated and zeroed.
//
//      0  4096    header block, below
//   4096  …       items back to back, each at a multiple of 8: records (`Wire/Record.swift`) and
//                 sync marks. Zero bytes up to the end of the file follow the last.
//
// Header block:
//      0  8    magic, "BOURSEJ1"
//      8  u32  version of this layout: 1
//     12  u32  bytes of the block: 4096
//     16  u64  journal identity, high
//     24  u64  journal identity, low
//     32  u64  sequence of the first record
//     40  i64  timestamp of the record before it; 0 for the first segment
//     48  u32  epoch of the record before it; 0 for the first segment
//     52  u32  CRC32C of bytes 0 ..< 52
//     56  …    zero
//
// Sync mark: everything before it was durable before it was written.
//      0  u32  "SYNC", 0x434E5953: no record has this length
//      4  u32  CRC32C of bytes 8 ..< 16
//      8  u64  sequence of the record that follows
//
// Why marks: after a power cut, the pages of the last, unfinished write may be there in any
// combination, so a hole with good records behind it is ordinary there, but is damage anywhere
// else. A write begins only after the one before it was synced and marked; so a mark behind a hole
// proves that what was in the hole had been acknowledged.
//
// All integers are little-endian.

internal import Platform
internal import Terms
internal import Wire

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
    public var description: String { hex(high) + hex(low) }

    private func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The head of a segment file.
struct SegmentHeader: Hashable {
    static let blockBytes = 4096
    static let version: UInt32 = 1
    /// "BOURSEJ1" as a little-endian integer.
    static let magic: UInt64 = 0x314A_4553_5255_4F42
    private static let checkedBytes = 52

    var identity: JournalIdentity
    var firstSequence: UInt64
    var priorTimestamp: Int64
    var priorEpoch: UInt32

    /// What a header block turns out to be.
    enum Reading {
        case header(SegmentHeader)
        /// Its magic is right, and its version is later than this one.
        case newer(UInt32)
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
            w.integer(priorEpoch)
            let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<Self.checkedBytes])
            w.integer(unsafe CRC32C.checksum(checked))
        }
        return bytes
    }

    static func read(_ bytes: [UInt8]) -> Reading {
        guard bytes.count == blockBytes else { return .invalid("the file ends in its header") }
        return unsafe bytes.withUnsafeBytes { raw in
            var r = unsafe WireReader(raw)
            guard r.integer(UInt64.self) == magic else { return .invalid("no segment header") }
            let version: UInt32 = r.integer()
            if version > Self.version { return .newer(version) }
            let block: UInt32 = r.integer()
            let header = SegmentHeader(
                identity: JournalIdentity(high: r.integer(), low: r.integer()),
                firstSequence: r.integer(), priorTimestamp: r.integer(), priorEpoch: r.integer())
            let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<checkedBytes])
            guard unsafe CRC32C.checksum(checked) == r.integer(UInt32.self) else {
                return .invalid("the header's checksum is wrong")
            }
            guard version == Self.version, block == blockBytes, header.firstSequence > 0 else {
                return .invalid("the header's values are wrong")
            }
            return .header(header)
        }
    }
}

/// Sync marks.
enum SyncMark {
    static let bytes = 16
    static let tag: UInt32 = 0x434E_5953

    static func write(next sequence: UInt64, to raw: UnsafeMutableRawBufferPointer) {
        unsafe raw.storeBytes(of: tag.littleEndian, toByteOffset: 0, as: UInt32.self)
        unsafe raw.storeBytes(of: sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
        let crc = unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[8..<16]))
        unsafe raw.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    /// The next sequence that a mark at the start of `raw` names; nil when it is none.
    static func read(_ raw: UnsafeRawBufferPointer) -> UInt64? {
        guard raw.count >= bytes else { return nil }
        let found = unsafe raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        let crc = unsafe raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let checked = unsafe UnsafeRawBufferPointer(rebasing: raw[8..<16])
        guard UInt32(littleEndian: found) == tag,
            unsafe UInt32(littleEndian: crc) == CRC32C.checksum(checked)
        else { return nil }
        return unsafe UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
}

/// The names of numbered files: 20 digits, then an extension.
enum NumberedName {
    static func name(_ number: UInt64, _ ending: String) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.count) + digits + ending
    }

    static func number(_ name: String, _ ending: String) -> UInt64? {
        guard name.utf8.count == 20 + ending.utf8.count, name.hasSuffix(ending) else { return nil }
        let digits = name.utf8.prefix(20)
        guard digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return UInt64(name.prefix(20))
    }
}
