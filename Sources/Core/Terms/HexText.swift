// Numbers and bytes in hexadecimal digits.

extension UnsignedInteger where Self: FixedWidthInteger {
    /// All hexadecimal digits, lower case, zeros in front: 16 of a `UInt64`.
    public var hexText: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Self.bitWidth / 4 - digits.utf8.count) + digits
    }
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
