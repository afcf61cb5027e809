// Days as dates.

/// A date of the proleptic Gregorian calendar.
public struct CivilDate: Hashable, Sendable {
    /// The year.
    public let year: Int64
    /// 1 … 12.
    public let month: Int64
    /// 1 … 31.
    public let day: Int64

    /// The date of a day counted from 1970-01-01, within 2^62 of it. Cycles of 400 years begin in
    /// March here, so that a leap day is the last of its cycle.
    public init(days: Int64) {
        let shifted = days + 719_468
        let era = shifted.dividedFloor(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        day = dayOfYear - (153 * fromMarch + 2) / 5 + 1
    }
}

extension Int64 {
    /// The quotient, rounded towards negative infinity; `other` is positive.
    public func dividedFloor(by other: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: other)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
