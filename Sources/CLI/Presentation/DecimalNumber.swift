// Decimals as people write and read them, exact in both directions.

internal import Terms

/// A decimal number: `digits` × 10^−`scale`, without trailing zeros after the point.
package struct DecimalNumber: Hashable, Sendable {
    /// The digits with their sign.
    package let digits: Int128
    /// How many of them follow the point, 0 … 36.
    package let scale: Int

    /// Maximum digits of a number that is read.
    package static var digitsMax: Int { 36 }

    /// Zero or more units of the size 10^−`scale`.
    package init(units: Int128, scale: Int) {
        var (units, scale) = (units, scale)
        while scale > 0, units % 10 == 0 {
            units /= 10
            scale -= 1
        }
        (digits, self.scale) = (units, scale)
    }

    /// Reads `12`, `-0.5`, `.5` or `100_000_000.00`; nil for anything else. An exponent hides the
    /// magnitude, and a comma means different things in different countries: both are rejected.
    package init?(_ text: some StringProtocol) {
        var units: Int128 = 0
        var (count, scale) = (0, 0)
        var (isNegative, sawPoint, last) = (false, false, UInt8(0))
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "-") where index == 0:
                isNegative = true
            case UInt8(ascii: "."):
                guard !sawPoint, last != UInt8(ascii: "_") else { return nil }
                sawPoint = true
            case UInt8(ascii: "_"):
                guard isDigit(last) else { return nil }
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                units = units * 10 + Int128(byte - UInt8(ascii: "0"))
                count += 1
                if sawPoint { scale += 1 }
                guard count <= Self.digitsMax else { return nil }
            default: return nil
            }
            last = byte
        }
        guard count > 0, isDigit(last) else { return nil }
        self.init(units: isNegative ? -units : units, scale: scale)
    }

    /// The number as a count of units of 10^−`scale`; nil when it has more decimals than that, or
    /// more digits than 128 bits hold.
    package func units(scale other: Int) -> Int128? {
        guard other >= scale else { return nil }
        let (units, overflow) = digits.multipliedReportingOverflow(
            by: Self.power(of10: other - scale))
        return overflow ? nil : units
    }

    /// 10^`exponent`, for 0 … 38.
    package static func power(of10 exponent: Int) -> Int128 {
        precondition((0...38).contains(exponent), "a power of ten in 128 bits")
        var power: Int128 = 1
        for _ in 0..<exponent { power *= 10 }
        return power
    }
}

extension DecimalNumber: CustomStringConvertible {
    /// The number without trailing zeros: `0.01`.
    package var description: String { text(decimals: scale) }

    /// The number with at least `decimals` digits after the point, for programs: `1234.50`.
    package func text(decimals: Int) -> String { written(decimals: decimals, separator: "") }

    /// The number with at least `decimals` digits after the point and a comma at each thousand,
    /// for people: `1,234.50`.
    package func grouped(decimals: Int = 0) -> String {
        written(decimals: decimals, separator: ",")
    }

    private func written(decimals: Int, separator: String) -> String {
        var all = [UInt8](String(digits.magnitude).utf8)
        while all.count <= scale { all.insert(UInt8(ascii: "0"), at: 0) }
        let whole = all[..<(all.count - scale)]
        let fraction = all[(all.count - scale)...]
        var text = digits < 0 ? "-" : ""
        for (index, byte) in whole.enumerated() {
            if index > 0, (whole.count - index) % 3 == 0 { text += separator }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        let zeros = String(repeating: "0", count: max(0, decimals - scale))
        if scale > 0 || !zeros.isEmpty {
            text += "." + String(decoding: fraction, as: UTF8.self) + zeros
        }
        return text
    }
}

extension DecimalNumber {
    /// Reads a rate as `0.1%` or `10bp` (hundredths of a percent) into units of 10^−`scale`; nil
    /// without one of these endings, or with more decimals than the units have.
    ///
    /// A bare number is rejected: some would mean a percentage and others a fraction.
    package static func rate(_ text: some StringProtocol, scale: Int) -> Int128? {
        if text.hasSuffix("%") { return DecimalNumber(text.dropLast())?.units(scale: scale - 2) }
        if text.hasSuffix("bp") { return DecimalNumber(text.dropLast(2))?.units(scale: scale - 4) }
        return nil
    }

    /// A rate in units of 10^−`scale` as a percentage: `0.1%`.
    package static func percent(_ units: Int128, scale: Int) -> String {
        DecimalNumber(units: units, scale: scale - 2).description + "%"
    }
}
