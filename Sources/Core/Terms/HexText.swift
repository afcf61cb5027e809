// Numbers and bytes in hexadecimal digits.

extension UnsignedInteger where Self: FixedWidthInteger {
    /// All hexadecimal digits, lower case, zeros in front: 16 of a `UInt64`.
    public var hexText: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Self.bitWidth / 4 - digits.utf8.count) + digits
    }
}

extension Sequence<UInt8> {
    /// Two hexadecimal digits for each byte, lower case.
    public var hexText: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * underestimatedCount)
        for byte in self {
            digits.append(hexCharacter(byte >> 4))
            digits.append(hexCharacter(byte & 15))
        }
        return String(decoding: digits, as: UTF8.self)
    }
}

/// The digit of a value below 16.
private func hexCharacter(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

/// The bytes of hexadecimal digits, two each; nil of any other text. With `isLowerCase` upper-case
/// digits are none, so that each sequence of bytes has one text.
public func hexBytes(_ text: some StringProtocol, isLowerCase: Bool = false) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
        let pair = digits[index...index + 1]
        guard let high = hexDigit(digits[index]), let low = hexDigit(digits[index + 1]),
            !isLowerCase || !pair.contains(where: { 0x41...0x46 ~= $0 })
        else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

/// The value of an ASCII hexadecimal digit; nil of any other byte.
public func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// The bytes of an even number of hexadecimal digits; nil for any other text. O(digits).
public func bytes(hex: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    var high: UInt8?
    for byte in hex.utf8 {
        guard let digit = hexDigit(byte) else { return nil }
        if let first = high {
            bytes.append(first << 4 | digit)
            high = nil
        } else {
            high = digit
        }
    }
    return high == nil ? bytes : nil
}

/// The digits of 32 bytes of which each half is an integer in the log, its lowest byte first.
func hexText(_ high: UInt128, _ low: UInt128) -> String {
    high.byteSwapped.hexText + low.byteSwapped.hexText
}

/// The halves of 64 digits; nil for any other text.
func halves(hex: some StringProtocol) -> (high: UInt128, low: UInt128)? {
    guard hex.utf8.count == 64, let bytes = bytes(hex: hex) else { return nil }
    return (half(bytes[..<16]), half(bytes[16...]))
}
