// The tree's nodes: what is hashed, byte by byte.

internal import Secrets
internal import Terms

/// 32 bytes: a hash of SHA-256, or a nonce. Ordered as its bytes are.
@frozen public struct LiabilityHash: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Eight bytes each, the first one highest.
    let w0, w1, w2, w3: UInt64

    /// Of 32 bytes; nil of another count.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        func word(_ place: Int) -> UInt64 {
            bytes[8 * place..<8 * place + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        (w0, w1, w2, w3) = (word(0), word(1), word(2), word(3))
    }

    /// Of 64 lower-case digits; nil of any other text.
    public init?(text: String) {
        guard text.utf8.count == 64, let bytes = hexBytes(text, isLowerCase: true) else {
            return nil
        }
        self.init(bytes)
    }

    /// The hash of these bytes.
    init(of bytes: [UInt8]) { self.init(digest: SHA256.digest(bytes)) }

    /// Of what always has 32 bytes.
    init(digest: [UInt8]) {
        guard let hash = LiabilityHash(digest) else { preconditionFailure("a hash of 32 bytes") }
        self = hash
    }

    /// Orders by the bytes.
    public static func < (a: LiabilityHash, b: LiabilityHash) -> Bool {
        (a.w0, a.w1, a.w2, a.w3) < (b.w0, b.w1, b.w2, b.w3)
    }

    /// 64 lower-case digits.
    public var text: String { w0.hexText + w1.hexText + w2.hexText + w3.hexText }

    func append(to bytes: inout [UInt8]) {
        for word in [w0, w1, w2, w3] { word.append(to: &bytes) }
    }
}

/// A node of the tree: what the accounts below it have together, and a hash that commits to that.
///
/// Numbers have their highest byte first, texts in quotes are 16 bytes of ASCII:
///
///     leaf      SHA-256("bourse.pol.leaf1" ‖ u8 bytes of the name ‖ name ‖ nonce, 32 ‖ u128 units)
///     node      SHA-256("bourse.pol.node1" ‖ u128 left sum ‖ left hash, 32
///                                          ‖ u128 right sum ‖ right hash, 32)
///     root      SHA-256("bourse.pol.root1" ‖ asset's code, 16 with zeros behind it ‖ u8 scale
///                       ‖ u64 sequence ‖ u64 accounts ‖ u128 total ‖ hash of the top node, 32)
///     nonce     HMAC-SHA256(salt, "bourse.pol.nonce" ‖ asset's code, 16 ‖ u64 sequence
///                                 ‖ u32 account)
@frozen public struct LiabilityNode: Hashable, BitwiseCopyable, Sendable {
    /// In base units, 0 to 2^127 - 1.
    public let sum: Int128
    /// Its hash.
    public let hash: LiabilityHash

    /// A node, as proofs have them.
    public init(sum: Int128, hash: LiabilityHash) { (self.sum, self.hash) = (sum, hash) }

    /// An account's leaf.
    init(name: Text40, nonce: LiabilityHash, units: Int128) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(112)
        bytes += "bourse.pol.leaf1".utf8
        let letters = "\(name)".utf8
        bytes.append(UInt8(letters.count))
        bytes += letters
        nonce.append(to: &bytes)
        UInt128(units).append(to: &bytes)
        self.init(sum: units, hash: LiabilityHash(of: bytes))
    }

    /// The node above two; nil where the sum is above 2^127 - 1.
    init?(_ left: LiabilityNode, _ right: LiabilityNode) {
        let (sum, isTooLarge) = left.sum.addingReportingOverflow(right.sum)
        guard !isTooLarge else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(112)
        bytes += "bourse.pol.node1".utf8
        for node in [left, right] {
            UInt128(node.sum).append(to: &bytes)
            node.hash.append(to: &bytes)
        }
        self.init(sum: sum, hash: LiabilityHash(of: bytes))
    }
}

extension FixedWidthInteger {
    /// Appends its bytes, the highest first.
    func append(to bytes: inout [UInt8]) {
        for shift in stride(from: Self.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: self >> Self(shift)))
        }
    }
}

extension Text16 {
    /// Its 16 bytes, zeros behind the text.
    func append(to bytes: inout [UInt8]) {
        let letters = "\(self)".utf8
        bytes += letters
        bytes += repeatElement(0, count: Self.capacity - letters.count)
    }
}
