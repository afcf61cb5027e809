// What contracts return, in the contract ABI of Solidity.

/// Decodes what a call returned.
public enum ABIReturn {
    /// Maximum bytes of a token's symbol.
    public static let symbolBytesMax = 32
    /// Maximum bytes of a return with a text in it.
    private static let textReturnMax = 1_024

    /// A number: one word.
    public static func word(_ bytes: [UInt8]) throws(ABIError) -> EVMWord {
        guard !bytes.isEmpty else { throw .noReturn }
        guard bytes.count == 32, let word = EVMWord(bytes: bytes) else {
            throw .length(bytes.count)
        }
        return word
    }

    /// A truth value: one word that is 0 or 1.
    public static func bool(_ bytes: [UInt8]) throws(ABIError) -> Bool {
        guard let value = try word(bytes).uint64, value <= 1 else { throw .value }
        return value == 1
    }

    /// A token's decimals: a number of 8 bits.
    public static func decimals(_ bytes: [UInt8]) throws(ABIError) -> UInt8 {
        guard let value = try word(bytes).uint64.flatMap({ UInt8(exactly: $0) }) else {
            throw .value
        }
        return value
    }

    /// A token's symbol: a string, or 32 bytes with zeros behind it, as old tokens have it.
    public static func symbol(_ bytes: [UInt8]) throws(ABIError) -> String {
        guard !bytes.isEmpty else { throw .noReturn }
        if bytes.count == 32 {
            let text = bytes.prefix { $0 != 0 }
            guard bytes.dropFirst(text.count).allSatisfy({ $0 == 0 }) else { throw .text }
            return try printable(text)
        }
        guard bytes.count <= textReturnMax, bytes.count % 32 == 0, bytes.count >= 64 else {
            throw .length(bytes.count)
        }
        // The place of the string, which is right behind, then its length.
        guard EVMWord(bytes: bytes[..<32]) == EVMWord(32) else { throw .value }
        guard let count = EVMWord(bytes: bytes[32..<64])?.uint64,
            count <= UInt64(symbolBytesMax)
        else { throw .text }
        guard Int(count) <= bytes.count - 64 else { throw .length(bytes.count) }
        let end = 64 + Int(count)
        guard bytes[end...].allSatisfy({ $0 == 0 }) else { throw .text }
        return try printable(bytes[64..<end])
    }

    /// A text that can be shown: a contract's author chose it.
    private static func printable(_ bytes: ArraySlice<UInt8>) throws(ABIError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty,
            text.unicodeScalars.allSatisfy(isPrintable)
        else { throw .text }
        return text
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator, .nonspacingMark, .enclosingMark, .spacingMark:
            false
        default: true
        }
    }
}
