// Numbers of 256 bits, as an EVM chain has them.

/// A number of 256 bits without a sign: a balance, a value or an argument on an EVM chain.
public struct EVMWord: Hashable, Comparable, Sendable, CustomStringConvertible {
    let high: UInt128
    let low: UInt128

    /// Nothing.
    public static let zero = EVMWord(0)
    /// 2^256 − 1.
    public static let max = EVMWord(high: .max, low: .max)

    init(high: UInt128, low: UInt128) { (self.high, self.low) = (high, low) }

    /// A number of at most 128 bits.
    public init(_ value: UInt128) { self.init(high: 0, low: value) }

    /// The number of big-endian bytes; nil of more than 32. No bytes are zero.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count <= 32 else { return nil }
        var (high, low): (UInt128, UInt128) = (0, 0)
        for byte in bytes {
            high = high << 8 | low >> 120
            low = low << 8 | UInt128(byte)
        }
        self.init(high: high, low: low)
    }

    /// 32 bytes, big-endian.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for half in [high, low] {
            for shift in stride(from: 120, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: half >> UInt128(shift)))
            }
        }
        return bytes
    }

    /// Big-endian bytes without zeros in front; none of zero.
    public var minimalBytes: [UInt8] { Array(bytes.drop { $0 == 0 }) }

    /// The number, where it has at most 64 bits.
    public var uint64: UInt64? { high == 0 ? UInt64(exactly: low) : nil }

    /// The number, where it has at most 128 bits.
    public var uint128: UInt128? { high == 0 ? low : nil }

    /// Orders by size.
    public static func < (a: EVMWord, b: EVMWord) -> Bool { (a.high, a.low) < (b.high, b.low) }

    /// The sum; nil where it has more than 256 bits.
    public func adding(_ other: EVMWord) -> EVMWord? {
        let (low, carry) = low.addingReportingOverflow(other.low)
        let (sum, isOver) = high.addingReportingOverflow(other.high)
        let (high, isOverByCarry) = sum.addingReportingOverflow(carry ? 1 : 0)
        return isOver || isOverByCarry ? nil : EVMWord(high: high, low: low)
    }

    /// The difference; nil where it is below zero.
    public func subtracting(_ other: EVMWord) -> EVMWord? {
        guard other <= self else { return nil }
        let (low, borrow) = low.subtractingReportingOverflow(other.low)
        return EVMWord(high: high - other.high - (borrow ? 1 : 0), low: low)
    }

    /// The product; nil where it has more than 256 bits.
    func multiplied(by factor: UInt64) -> EVMWord? {
        let (lowCarry, low) = low.multipliedFullWidth(by: UInt128(factor))
        let (over, product) = high.multipliedFullWidth(by: UInt128(factor))
        let (high, isOver) = product.addingReportingOverflow(lowCarry)
        return over != 0 || isOver ? nil : EVMWord(high: high, low: low)
    }

    /// The quotient, rounded down, and the remainder of a divisor above zero.
    func divided(by divisor: UInt64) -> (quotient: EVMWord, remainder: UInt64) {
        precondition(divisor > 0, "a divisor above zero")
        var (halves, rest): ([UInt128], UInt64) = ([], 0)
        for half in [high, low] {
            let upper = divisor.dividingFullWidth((rest, UInt64(half >> 64)))
            let lower = divisor.dividingFullWidth(
                (upper.remainder, UInt64(truncatingIfNeeded: half)))
            halves.append(UInt128(upper.quotient) << 64 | UInt128(lower.quotient))
            rest = lower.remainder
        }
        return (EVMWord(high: halves[0], low: halves[1]), rest)
    }

    /// In decimal digits.
    public var description: String {
        // The largest power of ten in 64 bits.
        let (chunk, digitCount): (UInt64, Int) = (10_000_000_000_000_000_000, 19)
        var (rest, text) = (self, "")
        while rest > EVMWord(UInt128(chunk) - 1) {
            let (quotient, remainder) = rest.divided(by: chunk)
            let digits = String(remainder)
            text = String(repeating: "0", count: digitCount - digits.utf8.count) + digits + text
            rest = quotient
        }
        return String(rest.low) + text
    }
}
