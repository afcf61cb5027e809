// SHA-256 in plain Swift, for what the log chains: the engine may use no library.

/// A SHA-256 digest (FIPS 180-4): 32 bytes. All zero is none.
@frozen public struct Digest256: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–15, the first one lowest.
    public var high: UInt128
    /// Bytes 16–31, the first one lowest.
    public var low: UInt128
    /// The digest of these halves.
    @inlinable public init(high: UInt128, low: UInt128) { (self.high, self.low) = (high, low) }
    /// None.
    @inlinable public static var none: Digest256 { Digest256(high: 0, low: 0) }
    /// The digest of 64 hexadecimal digits, in the order of its bytes; nil for any other text.
    public init?(hex: some StringProtocol) {
        guard let halves = halves(hex: hex) else { return nil }
        (high, low) = halves
    }
    /// Its 64 hexadecimal digits.
    public var hex: String { hexText(high, low) }
    /// Its 32 bytes.
    public var bytes: [UInt8] { littleEndianBytes(high) + littleEndianBytes(low) }
}

extension Digest256 {
    /// The digest of `message`. O(bytes), about 5 ns each; for rare commands, not for orders.
    public init(of message: [UInt8]) {
        var state = SHA256State()
        var place = 0
        while message.count - place >= 64 {
            state.absorb(message[place..<place + 64])
            place += 64
        }
        // A bit of 1, zeros, and the length in bits as 64 of them: section 5.1.1.
        var rest = Array(message[place...]) + [0x80]
        while rest.count % 64 != 56 { rest.append(0) }
        let bits = UInt64(message.count) &* 8
        rest += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
        for block in stride(from: 0, to: rest.count, by: 64) {
            state.absorb(rest[block..<block + 64])
        }
        self = state.digest
    }
}

/// The eight words of section 6.2 and what a block makes of them.
private struct SHA256State {
    private var h: [UInt32] = [
        0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB,
        0x5BE0_CD19,
    ]

    /// Section 4.2.2.
    private static let constants: [UInt32] = [
        0x428A_2F98, 0x7137_4491, 0xB5C0_FBCF, 0xE9B5_DBA5, 0x3956_C25B, 0x59F1_11F1, 0x923F_82A4,
        0xAB1C_5ED5, 0xD807_AA98, 0x1283_5B01, 0x2431_85BE, 0x550C_7DC3, 0x72BE_5D74, 0x80DE_B1FE,
        0x9BDC_06A7, 0xC19B_F174, 0xE49B_69C1, 0xEFBE_4786, 0x0FC1_9DC6, 0x240C_A1CC, 0x2DE9_2C6F,
        0x4A74_84AA, 0x5CB0_A9DC, 0x76F9_88DA, 0x983E_5152, 0xA831_C66D, 0xB003_27C8, 0xBF59_7FC7,
        0xC6E0_0BF3, 0xD5A7_9147, 0x06CA_6351, 0x1429_2967, 0x27B7_0A85, 0x2E1B_2138, 0x4D2C_6DFC,
        0x5338_0D13, 0x650A_7354, 0x766A_0ABB, 0x81C2_C92E, 0x9272_2C85, 0xA2BF_E8A1, 0xA81A_664B,
        0xC24B_8B70, 0xC76C_51A3, 0xD192_E819, 0xD699_0624, 0xF40E_3585, 0x106A_A070, 0x19A4_C116,
        0x1E37_6C08, 0x2748_774C, 0x34B0_BCB5, 0x391C_0CB3, 0x4ED8_AA4A, 0x5B9C_CA4F, 0x682E_6FF3,
        0x748F_82EE, 0x78A5_636F, 0x84C8_7814, 0x8CC7_0208, 0x90BE_FFFA, 0xA450_6CEB, 0xBEF9_A3F7,
        0xC671_78F2,
    ]

    /// Takes a block of 64 bytes.
    mutating func absorb(_ block: ArraySlice<UInt8>) {
        var w = [UInt32](repeating: 0, count: 64)
        for (i, byte) in block.enumerated() { w[i / 4] = w[i / 4] << 8 | UInt32(byte) }
        for i in 16..<64 {
            let (a, b) = (w[i - 15], w[i - 2])
            let s0 = Self.rotate(a, 7) ^ Self.rotate(a, 18) ^ a >> 3
            let s1 = Self.rotate(b, 17) ^ Self.rotate(b, 19) ^ b >> 10
            w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
        }
        var (a, b, c, d, e, f, g, last) = (h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7])
        for i in 0..<64 {
            let s1 = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
            let choice = (e & f) ^ (~e & g)
            let t1 = last &+ s1 &+ choice &+ Self.constants[i] &+ w[i]
            let s0 = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (last, g, f, e) = (g, f, e, d &+ t1)
            (d, c, b, a) = (c, b, a, t1 &+ s0 &+ majority)
        }
        for (i, word) in [a, b, c, d, e, f, g, last].enumerated() { h[i] &+= word }
    }

    /// The words' bytes, each word's highest first.
    var digest: Digest256 {
        func half(_ words: ArraySlice<UInt32>) -> UInt128 {
            words.reversed().reduce(0) { $0 << 32 | UInt128($1.byteSwapped) }
        }
        return Digest256(high: half(h[..<4]), low: half(h[4...]))
    }

    private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 {
        word >> bits | word << (32 - bits)
    }
}

/// The 16 bytes of a half, the lowest first.
func littleEndianBytes(_ half: UInt128) -> [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: half >> (8 * $0)) }
}

/// The half of 16 bytes, the lowest first.
func half(_ bytes: ArraySlice<UInt8>) -> UInt128 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt128($1) }
}
