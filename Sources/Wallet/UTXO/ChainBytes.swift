// The integers and strings of Bitcoin's serialization, read with bounds and written.

public import Addresses
public import Terms

/// Why bytes are no transaction, or no part of a PSBT.
public enum UTXODecodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// More bytes than the caller takes.
    case tooLarge(count: Int, maximum: Int)
    /// They end within a field, or a count promises more than is left.
    case truncated
    /// Something follows.
    case trailing(count: Int)
    /// A compact size in more bytes than it needs.
    case notCanonical
    /// A Litecoin transaction with data of MimbleWimble extension blocks (MWEB, flag 0x08), which
    /// is not supported.
    case mweb
    /// An extended format of another flag than BIP144's.
    case unknownFlag(UInt8)
    /// The format with witnesses, and not one witness in it.
    case noWitness
    /// No input: nothing that a node would take.
    case noInputs
    /// The transactions of a block are not those that its name commits to.
    case root
    /// An amount, or the sum of all outputs, is below zero or above the network's maximum.
    case amount

    /// The reason.
    public var description: String {
        switch self {
        case .tooLarge(let count, let maximum): "\(count) bytes, at most \(maximum)"
        case .truncated: "it is cut short"
        case .trailing(let count): "\(count) bytes follow it"
        case .notCanonical: "a compact size is longer than it has to be"
        case .mweb: "it has data of MimbleWimble extension blocks (MWEB, flag 0x08)"
        case .unknownFlag(let flag): "its flag 0x\(flag.hexText) is unknown"
        case .noWitness: "it is in the format with witnesses and has none"
        case .noInputs: "it has no inputs"
        case .root: "its transactions are not those that its name commits to"
        case .amount: "an amount is out of range"
        }
    }
}

/// Reads from the front of bytes, and never beyond them.
struct ChainByteReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - place }

    /// The next byte, which stays.
    var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    mutating func take(_ count: Int) throws(UTXODecodingError) -> [UInt8] {
        guard count <= remaining else { throw .truncated }
        defer { place += count }
        return Array(bytes[place..<place + count])
    }

    /// Little-endian.
    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(UTXODecodingError) -> T {
        let size = T.bitWidth / 8
        guard size <= remaining else { throw .truncated }
        var value: T = 0
        for index in 0..<size {
            value |= T(truncatingIfNeeded: bytes[place + index]) << (8 * index)
        }
        place += size
        return value
    }

    mutating func compactSize() throws(UTXODecodingError) -> UInt64 {
        let value, least: UInt64
        switch try integer(UInt8.self) {
        case 0xFD: (value, least) = (UInt64(try integer(UInt16.self)), 0xFD)
        case 0xFE: (value, least) = (UInt64(try integer(UInt32.self)), 0x1_0000)
        case 0xFF: (value, least) = (try integer(UInt64.self), 0x1_0000_0000)
        case let small: return UInt64(small)
        }
        guard value >= least else { throw .notCanonical }
        return value
    }

    /// The count of a list whose items have at least `size` bytes each.
    mutating func count(ofItems size: Int) throws(UTXODecodingError) -> Int {
        let count = try compactSize()
        guard count <= UInt64(remaining / size) else { throw .truncated }
        return Int(count)
    }

    /// Bytes behind their count.
    mutating func string() throws(UTXODecodingError) -> [UInt8] {
        try take(try count(ofItems: 1))
    }

    /// Passes over bytes behind their count.
    mutating func pass() throws(UTXODecodingError) { place += try count(ofItems: 1) }

    func finish() throws(UTXODecodingError) {
        guard remaining == 0 else { throw .trailing(count: remaining) }
    }
}

extension [UInt8] {
    /// Little-endian.
    mutating func append(integer value: some FixedWidthInteger) {
        for index in 0..<value.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }

    mutating func append(compactSize value: UInt64) {
        switch value {
        case ..<0xFD: append(UInt8(value))
        case ...0xFFFF:
            append(0xFD)
            append(integer: UInt16(value))
        case ...0xFFFF_FFFF:
            append(0xFE)
            append(integer: UInt32(value))
        default:
            append(0xFF)
            append(integer: value)
        }
    }

    /// Bytes behind their count.
    mutating func append(string: [UInt8]) {
        append(compactSize: UInt64(string.count))
        self += string
    }
}

/// How many bytes a compact size takes.
func compactSizeBytes(_ value: Int) -> Int {
    value < 0xFD ? 1 : value <= 0xFFFF ? 3 : value <= 0xFFFF_FFFF ? 5 : 9
}

extension UTXONetwork {
    /// The sum of amounts; nil where one of them or the sum is below zero or above
    /// `maximumMoney`. It cannot overflow.
    public func sum(_ amounts: some Sequence<Int64>) -> Int64? {
        var sum: Int64 = 0
        for amount in amounts {
            guard 0...maximumMoney ~= amount else { return nil }
            sum += amount
            guard sum <= maximumMoney else { return nil }
        }
        return sum
    }
}

extension TransactionID {
    /// Of the 32 bytes of a double SHA-256, which nodes write in reverse; nil for other lengths.
    public init?(chainOrder bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        func half(_ bytes: ArraySlice<UInt8>) -> UInt128 {
            bytes.reduce(0) { $0 << 8 | UInt128($1) }
        }
        self.init(high: half(bytes[16...]), low: half(bytes[..<16]))
    }

    /// Its bytes as they are in transactions.
    public var chainOrder: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: low.byteSwapped)
        bytes.append(integer: high.byteSwapped)
        return bytes
    }
}
