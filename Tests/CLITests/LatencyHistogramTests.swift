// Goal: percentiles of durations are right to three digits, also when processes' are merged.

import BoursectlCommands
import Testing

@Suite struct LatencyHistogramTests {
    @Test func `percentiles are those of the values, to three digits`() {
        var histogram = LatencyHistogram()
        for value in UInt64(1)...10_000 { histogram.record(value) }
        for (share, exact) in [(500, 5_000.0), (990, 9_900), (999, 9_990)] {
            let found = Double(histogram.percentile(perMille: share))
            #expect(abs(found - exact) / exact < 0.002)
        }
        #expect((10_000...10_010).contains(histogram.max) && histogram.count == 10_000)
        #expect(histogram.percentile(perMille: 1_000) == histogram.max)
        #expect((4_990...5_010).contains(histogram.mean))
    }

    @Test func `without a value all is zero`() {
        let histogram = LatencyHistogram()
        #expect(histogram.percentile(perMille: 500) == 0 && histogram.max == 0)
        #expect(histogram.mean == 0 && histogram.line == "")
    }

    @Test func `the longest durations are taken, and none below zero`() {
        var histogram = LatencyHistogram()
        histogram.record(.max as UInt64)
        histogram.record(-5 as Int64)
        #expect(histogram.count == 2 && histogram.percentile(perMille: 100) == 0)
        #expect(histogram.max >= 3_590_000_000_000)
    }

    @Test func `what a process wrote is read and merged`() throws {
        var (one, other) = (LatencyHistogram(), LatencyHistogram())
        for value in UInt64(1)...1_000 { value % 2 == 0 ? one.record(value) : other.record(value) }
        var all = try #require(LatencyHistogram(line: one.line))
        all.merge(try #require(LatencyHistogram(line: other.line)))
        #expect(all.count == 1_000 && all.percentile(perMille: 500) == 500)
        #expect(all.line.split(separator: ",").count == 1_000)
        for bad in ["1", "1:", ":", "a:1", "1:-1", "1:1:1", "1:18446744073709551615"] {
            #expect(LatencyHistogram(line: bad) == nil, "\(bad)")
        }
    }
}
