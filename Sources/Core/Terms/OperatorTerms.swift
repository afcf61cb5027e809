// Operators' keys and what they propose.

/// An operator's Ed25519 public key (RFC 8032): 32 bytes.
@frozen public struct OperatorKey: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–15, the first one lowest.
    public var high: UInt128
    /// Bytes 16–31, the first one lowest.
    public var low: UInt128
    /// The key of these halves.
    @inlinable public init(high: UInt128, low: UInt128) { (self.high, self.low) = (high, low) }
    /// The key of 32 bytes; nil for any other count.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.init(high: half(bytes[..<16]), low: half(bytes[16...]))
    }
    /// The key of 64 hexadecimal digits, in the order of its bytes; nil for any other text.
    public init?(hex: some StringProtocol) {
        guard let halves = halves(hex: hex) else { return nil }
        (high, low) = halves
    }
    /// Its 64 hexadecimal digits.
    public var hex: String { hexText(high, low) }
    /// Its 32 bytes.
    public var bytes: [UInt8] { littleEndianBytes(high) + littleEndianBytes(low) }

    /// Whether it is a point of small order, or a longer form of one: anybody can make signatures
    /// of such a key.
    public var isWeak: Bool {
        let unsigned = OperatorKey(high: high, low: low & ~(1 << 127))
        return Self.weakHex.contains { OperatorKey(hex: $0) == unsigned }
    }

    /// The points of order 1, 2, 4 and 8 without their sign, and the two that are not reduced.
    private static let weakHex = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
}

/// An Ed25519 signature: 64 bytes.
@frozen public struct OperatorSignature: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–31.
    public var first: Digest256
    /// Bytes 32–63.
    public var second: Digest256
    /// No signature: 64 zeros.
    @inlinable public static var none: OperatorSignature {
        OperatorSignature(first: .none, second: .none)
    }
    /// The signature of these halves.
    @inlinable public init(first: Digest256, second: Digest256) {
        (self.first, self.second) = (first, second)
    }
    /// The signature of 64 bytes; nil for any other count.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 64 else { return nil }
        first = Digest256(high: half(bytes[..<16]), low: half(bytes[16..<32]))
        second = Digest256(high: half(bytes[32..<48]), low: half(bytes[48...]))
    }
    /// Its 64 bytes.
    public var bytes: [UInt8] { first.bytes + second.bytes }
}

/// A proposal: 128 bits, which rise with each of one operator's. Zero is none.
@frozen public struct ProposalID: Hashable, BitwiseCopyable, Sendable {
    /// The bits.
    public var number: UInt128
    /// The proposal of these bits.
    @inlinable public init(_ number: UInt128) { self.number = number }
    /// The proposal of 32 hexadecimal digits, the highest first; nil for any other text.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 32, let bytes = bytes(hex: hex) else { return nil }
        number = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }
    /// Its 32 hexadecimal digits.
    public var hex: String { number.hexText }
}

/// What became of a proposal.
@frozen public enum ProposalStatus: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// It waits for others to endorse it.
    case open = 0
    /// One more has endorsed it, and it waits for others.
    case endorsed = 1
    /// Its command was applied.
    case applied = 2
    /// Its deadline has passed.
    case expired = 3
    /// Its proposer took it back, or is no administrator any more.
    case withdrawn = 4
}
