// Short texts of fixed size, so that records and slots hold them in place.

/// Up to 16 bytes of printable ASCII: an asset's code or an instrument's symbol.
@frozen public struct Text16: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–7, first byte lowest.
    public var w0: UInt64
    /// Bytes 8–15.
    public var w1: UInt64

    /// The empty text.
    @inlinable public init() { (w0, w1) = (0, 0) }
}

/// Up to 40 bytes of printable ASCII: a client order id (FIX tag 11 ClOrdID, here up to 36) or a
/// name.
@frozen public struct Text40: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–7, first byte lowest.
    public var w0: UInt64
    /// Bytes 8–15.
    public var w1: UInt64
    /// Bytes 16–23.
    public var w2: UInt64
    /// Bytes 24–31.
    public var w3: UInt64
    /// Bytes 32–39.
    public var w4: UInt64

    /// The empty text.
    @inlinable public init() { (w0, w1, w2, w3, w4) = (0, 0, 0, 0, 0) }
}

/// Up to 64 bytes of printable ASCII: an API key's identifier.
@frozen public struct Text64: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–31.
    public var low: (UInt64, UInt64, UInt64, UInt64)
    /// Bytes 32–63.
    public var high: (UInt64, UInt64, UInt64, UInt64)

    /// The empty text.
    @inlinable public init() { (low, high) = ((0, 0, 0, 0), (0, 0, 0, 0)) }

    /// Whether the bytes are the same.
    @inlinable public static func == (a: Text64, b: Text64) -> Bool {
        a.low == b.low && a.high == b.high
    }

    /// Hashes the bytes.
    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(low.0)
        hasher.combine(low.1)
        hasher.combine(low.2)
        hasher.combine(low.3)
        hasher.combine(high.0)
        hasher.combine(high.1)
        hasher.combine(high.2)
        hasher.combine(high.3)
    }
}

/// A text of fixed size: printable ASCII (0x21 … 0x7E and space), padded with zero bytes. It
/// consists of words of eight bytes.
public protocol FixedText: Hashable, BitwiseCopyable, Sendable, CustomStringConvertible {
    /// The most bytes it holds.
    static var capacity: Int { get }
    /// The empty text.
    init()
}

extension Text16: FixedText {
    /// 16 bytes.
    public static var capacity: Int { 16 }
}
extension Text40: FixedText {
    /// 40 bytes.
    public static var capacity: Int { 40 }
}
extension Text64: FixedText {
    /// 64 bytes.
    public static var capacity: Int { 64 }
}

extension FixedText {
    /// The text of these bytes; nil when they are too many or one is not printable ASCII.
    public init?(ascii bytes: some Sequence<UInt8>) {
        self.init()
        var count = 0
        for byte in bytes {
            guard byte >= 0x20, byte < 0x7F, count < Self.capacity else { return nil }
            unsafe withUnsafeMutableBytes(of: &self) { unsafe $0[count] = byte }
            count += 1
        }
    }

    /// The text of `string`; nil when it is too long or not printable ASCII.
    public init?(_ string: some StringProtocol) { self.init(ascii: string.utf8) }

    /// The number of bytes before the padding.
    public var count: Int {
        unsafe withUnsafeBytes(of: self) { bytes in
            var n = Self.capacity
            while n > 0, unsafe bytes[n - 1] == 0 { n -= 1 }
            return n
        }
    }

    /// Whether it is printable ASCII followed by nothing but zero bytes: true of every text that
    /// was made by `init?`, checked of those that come from outside.
    @inlinable public var isWellFormed: Bool {
        unsafe withUnsafeBytes(of: self) { bytes in
            var offset = 0
            var hasEnded = false
            while offset < bytes.count {
                let word = UInt64(
                    littleEndian: unsafe bytes.load(fromByteOffset: offset, as: UInt64.self))
                offset += 8
                if word == 0 {
                    hasEnded = true
                    continue
                }
                // Spaces in place of the padding, which begins in this word or behind it.
                let padding = word.leadingZeroBitCount & ~7
                let spaces = ~(UInt64.max >> UInt64(padding)) & 0x2020_2020_2020_2020
                guard !hasEnded, Self.isPrintable(word | spaces) else { return false }
                hasEnded = padding > 0
            }
            return true
        }
    }

    /// Whether each of eight bytes is one of 0x20 … 0x7E: no addition carries into the next byte.
    @inlinable static func isPrintable(_ word: UInt64) -> Bool {
        let tops: UInt64 = 0x8080_8080_8080_8080
        return word & tops == 0 && (word &+ 0x6060_6060_6060_6060) & tops == tops
            && (word &+ 0x0101_0101_0101_0101) & tops == 0
    }

    /// Whether there is no byte in it.
    public var isEmpty: Bool { count == 0 }

    /// The text as a `String`.
    public var description: String {
        let n = count
        return unsafe withUnsafeBytes(of: self) { bytes in
            unsafe String(decoding: bytes[0..<n], as: UTF8.self)
        }
    }
}
