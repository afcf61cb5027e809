// Sizes, times and rates as people read them.

import Terms

/// Numbers for people.
package enum Readable {
    /// `1,234,567`.
    package static func count(_ value: some BinaryInteger) -> String {
        DecimalNumber(units: Int128(value), scale: 0).grouped()
    }

    /// `512 B`, `1.5 KiB`, `64.0 MiB`.
    package static func bytes(_ value: some BinaryInteger) -> String {
        let names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var (tenths, index) = (Int128(value) * 10, 0)
        while tenths >= 10240, index < names.count - 1 {
            tenths = (tenths + 512) / 1024
            index += 1
        }
        if index == 0 { return "\(value) B" }
        return DecimalNumber(units: tenths, scale: 1).grouped(decimals: 1) + " " + names[index]
    }

    /// `820 ns`, `12.3 µs`, `4.5 ms`, `2.0 s`, `3 min 5 s`, `2 h 10 min`, `4 d 6 h`.
    package static func duration(nanos: some BinaryInteger) -> String {
        let n = Int128(nanos)
        switch n {
        case ..<0: return "-" + duration(nanos: -n)
        case ..<1_000: return "\(n) ns"
        case ..<1_000_000: return tenths(n, of: 1_000) + " µs"
        case ..<1_000_000_000: return tenths(n, of: 1_000_000) + " ms"
        case ..<60_000_000_000: return tenths(n, of: 1_000_000_000) + " s"
        default: return long(seconds: n / 1_000_000_000)
        }
    }

    private static func tenths(_ value: Int128, of unit: Int128) -> String {
        DecimalNumber(units: value * 10 / unit, scale: 1).grouped(decimals: 1)
    }

    private static func long(seconds: Int128) -> String {
        switch seconds {
        case ..<3_600: "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: "\(seconds / 3_600) h \(seconds / 60 % 60) min"
        default: "\(count(seconds / 86_400)) d \(seconds / 3_600 % 24) h"
        }
    }

    /// `980/s`, `12.3 k/s`, `2.4 M/s`.
    package static func rate(_ count: some BinaryInteger, nanos: some BinaryInteger) -> String {
        let perSecond = Int128(count) * 1_000_000_000 / max(1, Int128(nanos))
        switch perSecond {
        case ..<1_000: return "\(perSecond)/s"
        case ..<1_000_000: return tenths(perSecond, of: 1_000) + " k/s"
        default: return tenths(perSecond, of: 1_000_000) + " M/s"
        }
    }

    /// `2026-11-22T16:26:13.123456789Z` of nanoseconds since 1970, see `timeText`.
    package static func time(_ nanos: Int64, digits: Int = 9) -> String {
        timeText(nanos: nanos, digits: digits)
    }

    /// 64 bits as 16 hexadecimal digits.
    package static func hex(_ value: UInt64) -> String { value.hexText }
}
