// Decimals coming in: exact integers or an error, never a rounded value.

/// A decimal that is not negative: `digits × 10^-scale`, trailing zeros of the fraction dropped.
public struct DecimalText: Hashable, Sendable {
    /// All digits as one number, below 10^38.
    public let digits: Int128
    /// Number of digits after the point.
    public let scale: Int

    /// What `init?` accepts, as the API's error quotes it.
    public static var legalRange: String { "^([0-9]{1,20})(\\.[0-9]{1,20})?$" }

    /// Reads 1 to 20 digits, and after a point 1 to 20 more; nil for anything else: signs,
    /// exponents, spaces, NaN, and more than 38 significant digits.
    public init?(_ text: some StringProtocol) {
        var digits: Int128 = 0
        var whole = 0
        var fraction: Int? = nil
        var zeros = 0
        var scale = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") {
                guard fraction == nil, whole > 0 else { return nil }
                fraction = 0
                continue
            }
            guard isDigit(byte) else { return nil }
            let digit = Int128(byte - UInt8(ascii: "0"))
            if let behind = fraction {
                guard behind < 20 else { return nil }
                fraction = behind + 1
                if digit == 0 {
                    zeros += 1
                    continue
                }
                for _ in 0..<zeros + 1 {
                    guard digits < Self.powers[37] else { return nil }
                    digits *= 10
                }
                scale += zeros + 1
                zeros = 0
                digits += digit
            } else {
                whole += 1
                guard whole <= 20 else { return nil }
                digits = digits * 10 + digit
            }
        }
        guard whole > 0, fraction != 0 else { return nil }
        (self.digits, self.scale) = (digits, scale)
    }

    /// The value as a whole number of `step × 10^-stepScale`.
    public func steps(of step: Int128, scale stepScale: Int) -> Steps {
        if scale > stepScale { return .between }
        let shift = stepScale - scale
        guard shift < Self.powers.count else { return .tooLarge }
        let (shifted, overflow) = digits.multipliedReportingOverflow(by: Self.powers[shift])
        if overflow { return .tooLarge }
        let (count, rest) = shifted.quotientAndRemainder(dividingBy: step)
        return rest == 0 ? .whole(count) : .between
    }

    /// A value in steps.
    public enum Steps: Hashable, Sendable {
        /// A whole number of steps.
        case whole(Int128)
        /// Not a whole number of steps.
        case between
        /// Beyond 128 bits.
        case tooLarge
    }

    /// 10^0 … 10^38.
    public static let powers: [Int128] = (0...38).map { n in (0..<n).reduce(1) { p, _ in p * 10 } }
}

/// Reads a whole number of 1 to 20 digits that fits 63 bits; nil for anything else.
public func wholeNumber(_ text: some StringProtocol) -> Int64? {
    guard (1...20).contains(text.utf8.count), text.utf8.allSatisfy(isDigit) else { return nil }
    return Int64(text)
}

/// Whether a byte is an ASCII digit.
public func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
