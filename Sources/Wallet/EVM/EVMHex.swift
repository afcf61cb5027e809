// Numbers and bytes in the JSON-RPC of Ethereum's nodes ("Hex value encoding").

internal import Terms

/// Why a text is no number or no bytes.
public enum EVMHexError: Error, Hashable, Sendable {
    /// It does not begin with `0x`.
    case prefix
    /// A letter that is no hexadecimal digit.
    case digit
    /// No digits, or a zero in front of others.
    case notCanonical
    /// An odd number of digits where bytes belong.
    case odd
    /// More bits or bytes than belong there, or fewer.
    case length
}

/// Reads and writes those texts.
public enum EVMHex {
    /// A quantity: `0x0`, or `0x` and digits without zeros in front.
    public static func quantity(_ text: String) throws(EVMHexError) -> EVMWord {
        let digits = try digits(text, countMax: 64)
        guard let first = digits.first, first != 0 || digits.count == 1 else {
            throw .notCanonical
        }
        // An even number of digits makes whole bytes.
        let padded = digits.count % 2 == 0 ? digits : [0] + digits
        guard let word = EVMWord(bytes: bytes(padded)) else { throw .length }
        return word
    }

    /// A quantity of at most 64 bits: a block's number, a nonce, a price of gas.
    public static func uint64(_ text: String) throws(EVMHexError) -> UInt64 {
        guard let value = try quantity(text).uint64 else { throw .length }
        return value
    }

    /// Data of at most so many bytes: `0x` and two digits a byte.
    public static func data(_ text: String, countMax: Int) throws(EVMHexError) -> [UInt8] {
        let digits = try digits(text, countMax: 2 * countMax)
        guard digits.count % 2 == 0 else { throw .odd }
        return bytes(digits)
    }

    /// Data of exactly so many bytes: 32 of a hash, 20 of an address.
    public static func data(_ text: String, count: Int) throws(EVMHexError) -> [UInt8] {
        let data = try data(text, countMax: count)
        guard data.count == count else { throw .length }
        return data
    }

    /// A quantity's text.
    public static func text(_ word: EVMWord) -> String {
        let digits = word.minimalBytes.map(\.hexText).joined().drop { $0 == "0" }
        return digits.isEmpty ? "0x0" : "0x" + digits
    }

    /// Data's text.
    public static func text(_ bytes: [UInt8]) -> String { "0x" + bytes.map(\.hexText).joined() }

    private static func digits(_ text: String, countMax: Int) throws(EVMHexError) -> [UInt8] {
        guard text.utf8.starts(with: "0x".utf8) else { throw .prefix }
        guard text.utf8.count - 2 <= countMax else { throw .length }
        var digits: [UInt8] = []
        digits.reserveCapacity(text.utf8.count - 2)
        for letter in text.utf8.dropFirst(2) {
            guard let digit = hexDigit(letter) else { throw .digit }
            digits.append(digit)
        }
        return digits
    }

    /// Bytes of an even number of digits.
    private static func bytes(_ digits: [UInt8]) -> [UInt8] {
        stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
