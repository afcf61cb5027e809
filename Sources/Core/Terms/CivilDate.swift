// Days as dates, and moments as texts.

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

    /// The day of a date counted from 1970-01-01, the inverse of `init(days:)`; the year is within
    /// 2^50, the month 1 … 12. A day beyond its month is one of the next.
    public static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let years = month <= 2 ? year - 1 : year
        let months = (month + 9) % 12
        return years * 365 + years.dividedFloor(by: 4) - years.dividedFloor(by: 100)
            + years.dividedFloor(by: 400) + (months * 153 + 2) / 5 + day - 1 - 719_468
    }
}

/// `2026-11-22T16:26:13.123456789Z` of nanoseconds since 1970 (RFC 3339, proleptic Gregorian); with
/// `digits` of the second's fraction, 0 … 9.
public func timeText(nanos: Int64, digits: Int = 9) -> String {
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let seconds = nanos.dividedFloor(by: 1_000_000_000)
    let days = seconds.dividedFloor(by: 86_400)
    let (date, second) = (CivilDate(days: days), seconds - days * 86_400)
    var text = "\(date.year)-\(two(date.month))-\(two(date.day))T"
    text += "\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    if digits > 0 {
        let fraction = String(nanos - seconds * 1_000_000_000)
        let padded = String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
        text += "." + padded.prefix(digits)
    }
    return text + "Z"
}

extension Int64 {
    /// The quotient, rounded towards negative infinity; `other` is positive.
    public func dividedFloor(by other: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: other)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
