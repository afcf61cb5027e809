// Base58Check: the older addresses and extended keys of Bitcoin and its kin.

internal import Secrets

/// A text in base 58 with four bytes of a double SHA-256 behind its bytes.
public enum Base58Check {
    private static let letters = Array(
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)
    private static let checkCount = 4
    /// More than any address or extended key has: the work grows with the square.
    private static let textMax = 120

    /// The bytes of a text; nil where it is none or its check is wrong.
    public static func bytes(_ text: String) -> [UInt8]? {
        let input = Array(text.utf8)
        guard !input.isEmpty, input.count <= textMax else { return nil }
        // Most significant last.
        var number: [UInt8] = []
        for letter in input {
            guard let value = letters.firstIndex(of: letter) else { return nil }
            var carry = UInt32(value)
            for i in number.indices {
                carry += UInt32(number[i]) * 58
                number[i] = UInt8(carry & 255)
                carry >>= 8
            }
            while carry > 0 {
                number.append(UInt8(carry & 255))
                carry >>= 8
            }
        }
        let zeros = input.prefix { $0 == letters[0] }.count
        let all = [UInt8](repeating: 0, count: zeros) + number.reversed()
        guard all.count > checkCount else { return nil }
        let payload = Array(all.dropLast(checkCount))
        return check(payload) == Array(all.suffix(checkCount)) ? payload : nil
    }

    /// The text of bytes.
    public static func text(_ payload: [UInt8]) -> String {
        let all = payload + check(payload)
        var digits: [UInt8] = []
        for byte in all {
            var carry = UInt32(byte)
            for i in digits.indices {
                carry += UInt32(digits[i]) << 8
                digits[i] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                digits.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        let zeros = [UInt8](repeating: letters[0], count: all.prefix { $0 == 0 }.count)
        return String(
            decoding: zeros + digits.reversed().map { letters[Int($0)] }, as: UTF8.self)
    }

    private static func check(_ payload: [UInt8]) -> [UInt8] {
        Array(SHA256.digest(SHA256.digest(payload)).prefix(checkCount))
    }
}
