// How much of the list was made durable: what tells a write that a crash cut off, which nobody was
// told of, from an entry that was lost.
//
// Two slots, 512 bytes apart and written in turn, so that one is always whole:
//
//      0  8    magic, "BOURSESF"
//      8  u64  the list's identity, high
//     16  u64  the list's identity, low
//     24  u64  the list's generation: how often it was written anew
//     32  u64  bytes of the list that are durable
//     40  u32  CRC32C of bytes 0 ..< 40

internal import JSON
internal import Journal
internal import Platform

/// The durable part of a list.
struct SignedFloor: Hashable {
    static let (slotBytes, usedBytes) = (512, 44)
    static let magic = Array("BOURSESF".utf8)

    let identity: JournalIdentity
    var generation: UInt64
    var bytes: Int
    /// The slot that holds it.
    private var slot = 0

    init(identity: JournalIdentity, generation: UInt64, bytes: Int) {
        (self.identity, self.generation, self.bytes) = (identity, generation, bytes)
    }

    /// The newest slot of a file's bytes; nil: none is whole.
    init?(_ content: [UInt8]) {
        let slots = [0, 1].compactMap { Self.slot(content, $0) }
        guard let newest = slots.max(by: { ($0.generation, $0.bytes) < ($1.generation, $1.bytes) })
        else { return nil }
        self = newest
    }

    private static func slot(_ content: [UInt8], _ index: Int) -> SignedFloor? {
        let begin = index * slotBytes
        guard content.count >= begin + usedBytes else { return nil }
        let raw = Array(content[begin..<begin + usedBytes])
        guard Array(raw[..<8]) == magic, SignedFrame.integer(raw, 40, 4) == UInt64(crc(raw[..<40]))
        else { return nil }
        guard let bytes = Int(exactly: SignedFrame.integer(raw, 32, 8)) else { return nil }
        var floor = SignedFloor(
            identity: JournalIdentity(
                high: SignedFrame.integer(raw, 8, 8), low: SignedFrame.integer(raw, 16, 8)),
            generation: SignedFrame.integer(raw, 24, 8), bytes: bytes)
        floor.slot = index
        return floor
    }

    private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 { SignedFrame.crc(Array(bytes)) }

    private var slotContent: [UInt8] {
        var raw = Self.magic
        for value in [identity.high, identity.low, generation, UInt64(bytes)] {
            raw += SignedFrame.bytes(value, 8)
        }
        raw += SignedFrame.bytes(UInt64(SignedFrame.crc(raw)), 4)
        return raw + [UInt8](repeating: 0, count: Self.slotBytes - raw.count)
    }

    /// A whole file of it: the other slot is empty.
    var firstContent: [UInt8] {
        mutating get {
            slot = 0
            return slotContent + [UInt8](repeating: 0, count: Self.slotBytes)
        }
    }

    /// Makes a later state durable in the slot that does not hold this one.
    mutating func raise(
        _ file: File, generation: UInt64, bytes: Int
    ) throws(SystemError) {
        (self.generation, self.bytes) = (generation, bytes)
        slot = 1 - slot
        try file.write(slotContent, at: slot * Self.slotBytes)
        try file.sync()
    }
}

/// A text in the list, and integers in both files:
///
///     0  u32  bytes of the text
///     4  u32  CRC32C of these four bytes and the text
///     8  …    the text, JSON
enum SignedFrame {
    static let headBytes = 8
    /// Maximum bytes of a text: a payment of `Limits.transactionBytesMax`, as digits, with inputs.
    static let textBytesMax = 1 << 20

    static func crc(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe CRC32C.checksum($0) }
    }

    static func integer(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    static func bytes(_ json: JSONValue) -> [UInt8] {
        let text = Array(json.compact.utf8)
        let count = bytes(UInt64(text.count), 4)
        return count + bytes(UInt64(crc(count + text)), 4) + text
    }

    /// The frame at an offset, and where the next one begins; nil: there is no whole one.
    static func read(_ content: [UInt8], at offset: Int) -> (json: JSONValue, end: Int)? {
        guard content.count - offset >= headBytes else { return nil }
        let count = Int(integer(content, offset, 4))
        guard count <= textBytesMax, content.count - offset - headBytes >= count else { return nil }
        let text = content[offset + headBytes..<offset + headBytes + count]
        guard
            integer(content, offset + 4, 4)
                == UInt64(crc(Array(content[offset..<offset + 4]) + text)),
            let json = JSONValue(parsing: text)
        else { return nil }
        return (json, offset + headBytes + count)
    }
}
