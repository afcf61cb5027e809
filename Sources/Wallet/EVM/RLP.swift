// Recursive Length Prefix: how Ethereum writes transactions (Yellow Paper, appendix B).

internal import Terms

/// Why bytes are no RLP.
public enum RLPError: Error, Hashable, Sendable {
    /// They end in the middle of an item.
    case truncated
    /// More follows behind the item.
    case trailing
    /// A length or a single byte is not written in the one shortest way.
    case notCanonical
    /// More bytes than `RLPItem.bytesMax`.
    case tooLong
    /// Lists in lists beyond `RLPItem.depthMax`.
    case tooDeep
    /// More items than `RLPItem.itemsMax`.
    case tooManyItems
}

/// An item of RLP: bytes, or a list of items.
public enum RLPItem: Hashable, Sendable {
    /// Bytes; also how numbers are written: big-endian without zeros in front.
    case bytes([UInt8])
    /// A list.
    case list([RLPItem])

    /// Maximum bytes that are decoded.
    public static let bytesMax = Limits.transactionBytesMax
    /// Maximum depth of lists that is decoded: of `[[]]` it is 2.
    public static let depthMax = 8
    /// Maximum items that are decoded, those of all lists together.
    public static let itemsMax = 1_024

    /// A number.
    public static func number(_ word: EVMWord) -> RLPItem { .bytes(word.minimalBytes) }

    /// A number.
    public static func number(_ value: UInt64) -> RLPItem { .number(EVMWord(UInt128(value))) }

    /// As bytes.
    public var encoded: [UInt8] {
        switch self {
        case .bytes(let bytes):
            if bytes.count == 1, bytes[0] < 0x80 { return bytes }
            return Self.header(0x80, bytes.count) + bytes
        case .list(let items):
            let body = items.flatMap(\.encoded)
            return Self.header(0xC0, body.count) + body
        }
    }

    private static func header(_ kind: UInt8, _ count: Int) -> [UInt8] {
        if count < 56 { return [kind + UInt8(count)] }
        let length = EVMWord(UInt128(count)).minimalBytes
        return [kind + 55 + UInt8(length.count)] + length
    }

    /// Decodes bytes that are one item and nothing else, in the one way in which it is written.
    public init(decoding bytes: [UInt8]) throws(RLPError) {
        guard bytes.count <= Self.bytesMax else { throw .tooLong }
        var reader = RLPReader(bytes: bytes)
        self = try reader.item(before: bytes.count, depth: 0)
        guard reader.at == bytes.count else { throw .trailing }
    }
}

/// Reads items from the front of bytes.
private struct RLPReader {
    let bytes: [UInt8]
    var at = 0
    private var items = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The next item, which ends at `end` or before.
    mutating func item(before end: Int, depth: Int) throws(RLPError) -> RLPItem {
        guard at < end else { throw .truncated }
        items += 1
        guard items <= RLPItem.itemsMax else { throw .tooManyItems }
        let first = bytes[at]
        at += 1
        switch first {
        case ..<0x80: return .bytes([first])
        case ..<0xC0:
            let count = try count(first - 0x80, before: end)
            let value = Array(bytes[at..<at + count])
            at += count
            if count == 1, value[0] < 0x80 { throw .notCanonical }
            return .bytes(value)
        default:
            let count = try count(first - 0xC0, before: end)
            guard depth < RLPItem.depthMax else { throw .tooDeep }
            let stop = at + count
            var list: [RLPItem] = []
            while at < stop { list.append(try item(before: stop, depth: depth + 1)) }
            return .list(list)
        }
    }

    /// The length that a first byte gives, 0…63 above its kind; so many bytes are there.
    private mutating func count(_ short: UInt8, before end: Int) throws(RLPError) -> Int {
        var count = UInt64(short)
        if short > 55 {
            // 1…8 bytes of a length.
            let digits = Int(short) - 55
            guard digits <= end - at else { throw .truncated }
            guard bytes[at] != 0 else { throw .notCanonical }
            count = bytes[at..<at + digits].reduce(0) { $0 << 8 | UInt64($1) }
            at += digits
            guard count > 55 else { throw .notCanonical }
        }
        guard count <= UInt64(end - at) else { throw .truncated }
        return Int(count)
    }
}
