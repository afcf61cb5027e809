// How long things took.

import Histogram

/// Durations to three digits, of up to an hour in nanoseconds; mergeable between processes. Longer
/// ones count as an hour.
package struct LatencyHistogram: Sendable {
    private var values = Histogram<UInt64>(highestTrackableValue: Self.highest)

    private static var highest: UInt64 { 3_600_000_000_000 }

    package init() {}

    /// How many were recorded.
    package var count: UInt64 { values.totalCount }

    /// The longest; 0 where there is none.
    package var max: UInt64 { percentile(perMille: 1_000) }

    /// The mean; 0 where there is none.
    package var mean: UInt64 { count == 0 ? 0 : UInt64(values.mean) }

    /// Takes a duration. O(1).
    package mutating func record(_ value: UInt64) { values.record(min(value, Self.highest)) }

    /// Takes a duration; one below zero, of clocks that differ, as zero.
    package mutating func record(_ nanos: Int64) { record(UInt64(Swift.max(0, nanos))) }

    /// Takes all durations of another.
    package mutating func merge(_ other: LatencyHistogram) { values.add(other.values) }

    /// The duration that `perMille` thousandths do not exceed; of 1000 the longest; 0 where there
    /// is none.
    package func percentile(perMille: Int) -> UInt64 {
        count == 0 ? 0 : values.valueAtPercentile(Double(perMille) / 10)
    }

    /// As text: `VALUE:COUNT,…`.
    package var line: String {
        values.recordedValues().map { "\($0.value):\($0.count)" }.joined(separator: ",")
    }

    /// Reads the text of `line`; nil where it is not of this form.
    package init?(line: some StringProtocol) {
        for part in line.split(separator: ",") {
            let pair = part.split(separator: ":")
            guard pair.count == 2, let value = UInt64(pair[0]), let count = UInt64(pair[1]),
                count <= 1 << 48, values.record(min(value, Self.highest), count: count)
            else { return nil }
        }
    }
}
