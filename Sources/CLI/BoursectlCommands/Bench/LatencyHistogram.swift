// How long things took.

import Histogram

/// Durations to three digits, of up to an hour in nanoseconds; mergeable between processes. Longer
/// ones count as an hour.
struct LatencyHistogram: Sendable {
    private var values = Histogram<UInt64>(highestTrackableValue: Self.highest)

    private static var highest: UInt64 { 3_600_000_000_000 }

    init() {}

    /// How many were recorded.
    var count: UInt64 { values.totalCount }

    /// The longest; 0 where there is none.
    var max: UInt64 { count == 0 ? 0 : values.max }

    /// The mean; 0 where there is none.
    var mean: UInt64 { count == 0 ? 0 : UInt64(values.mean) }

    /// Takes a duration. O(1).
    mutating func record(_ value: UInt64) { values.record(min(value, Self.highest)) }

    /// Takes a duration; one below zero, of clocks that differ, as zero.
    mutating func record(_ nanos: Int64) { record(UInt64(Swift.max(0, nanos))) }

    /// Takes all durations of another.
    mutating func merge(_ other: LatencyHistogram) { values.add(other.values) }

    /// The duration that `perMille` thousandths do not exceed; of 1000 the longest; 0 where there is
    /// none.
    func percentile(perMille: Int) -> UInt64 {
        count == 0 ? 0 : values.valueAtPercentile(Double(perMille) / 10)
    }

    /// As text: `VALUE:COUNT,…`.
    var line: String {
        values.recordedValues().map { "\($0.value):\($0.count)" }.joined(separator: ",")
    }

    /// Reads the text of `line`; nil where it is not of this form.
    init?(line: some StringProtocol) {
        for part in line.split(separator: ",") {
            let pair = part.split(separator: ":")
            guard pair.count == 2, let value = UInt64(pair[0]), let count = UInt64(pair[1]),
                count <= 1 << 48, values.record(min(value, Self.highest), count: count)
            else { return nil }
        }
    }
}
