// Bech32 and Bech32m, BIP173 and BIP350: base 32 with a checksum that finds typing errors.

/// A text in base 32 with a prefix and a checksum.
struct Bech32: Hashable {
    /// Which constant its checksum has.
    enum Variant: UInt32 {
        /// BIP173: witness version 0.
        case bech32 = 1
        /// BIP350: later witness versions.
        case bech32m = 0x2BC8_30A3
    }

    let variant: Variant
    /// The human-readable part, in lower case.
    let prefix: String
    /// Groups of five bits.
    let values: [UInt8]

    private static let letters = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let checksumCount = 6
    private static let textMax = 90

    init(_ variant: Variant, prefix: String, values: [UInt8]) {
        (self.variant, self.prefix, self.values) = (variant, prefix, values)
    }

    /// Reads a text; nil where it is none, has mixed case, or its checksum is wrong.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.textMax, bytes.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            return nil
        }
        let isUpper = bytes.contains { 0x41...0x5A ~= $0 }
        if isUpper, bytes.contains(where: { 0x61...0x7A ~= $0 }) { return nil }
        let lower = bytes.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }
        guard let separator = lower.lastIndex(of: 0x31), separator >= 1,
            lower.count - separator > Self.checksumCount
        else { return nil }
        var values: [UInt8] = []
        for letter in lower[(separator + 1)...] {
            guard let value = Self.letters.firstIndex(of: letter) else { return nil }
            values.append(UInt8(value))
        }
        let prefix = Array(lower[..<separator])
        guard let variant = Variant(rawValue: Self.checksum(prefix, values)) else { return nil }
        self.init(
            variant, prefix: String(decoding: prefix, as: UTF8.self),
            values: values.dropLast(Self.checksumCount))
    }

    /// The text, in lower case.
    var text: String {
        let rest = Self.checksum(
            Array(prefix.utf8), values + [UInt8](repeating: 0, count: Self.checksumCount))
        let sum = rest ^ variant.rawValue
        let check = (0..<Self.checksumCount).map { UInt8(sum >> (5 * (5 - $0)) & 31) }
        let letters = (values + check).map { Self.letters[Int($0)] }
        return prefix + "1" + String(decoding: letters, as: UTF8.self)
    }

    /// The remainder of prefix and values by BIP173's generator.
    private static func checksum(_ prefix: [UInt8], _ values: [UInt8]) -> UInt32 {
        let generator: [UInt32] = [
            0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3,
        ]
        var sum: UInt32 = 1
        for value in prefix.map({ $0 >> 5 }) + [0] + prefix.map({ $0 & 31 }) + values {
            let top = sum >> 25
            sum = (sum & 0x1FF_FFFF) << 5 ^ UInt32(value)
            for bit in 0..<5 where top >> bit & 1 == 1 { sum ^= generator[bit] }
        }
        return sum
    }

    /// Bytes as groups of five bits, the last one padded with zeros.
    static func groups(_ bytes: [UInt8]) -> [UInt8] {
        var (groups, left, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        for byte in bytes {
            (left, count) = (left << 8 | UInt32(byte), count + 8)
            while count >= 5 {
                count -= 5
                groups.append(UInt8(left >> count & 31))
            }
        }
        if count > 0 { groups.append(UInt8(left << (5 - count) & 31)) }
        return groups
    }

    /// The bytes of groups of five bits; nil where the padding is too long or not zero.
    static func bytes(_ groups: ArraySlice<UInt8>) -> [UInt8]? {
        var (bytes, left, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        for group in groups {
            (left, count) = (left << 5 & 0xFFF | UInt32(group), count + 5)
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(left >> count & 255))
            }
        }
        guard count < 5, left & (1 << count - 1) == 0 else { return nil }
        return bytes
    }
}
