// The gaps that `noise` measures on a CPU.

import Bench
import Checks
import HelperAPI
import JSON
import Platform
import Presentation
import Synchronization

/// The gaps of a thread that only read the clock.
struct NoiseReport: Sendable {
    private var gaps = LatencyHistogram()
    /// Gaps at least as long as each of `marks` and shorter than the next.
    private var counts = [UInt64](repeating: 0, count: Self.marks.count)
    private var nanos: Int64 = 0
    /// The sum of the gaps from the second mark.
    private var lost: Int64 = 0
    private var preempted: UInt64 = 0

    /// Where the classes of gaps begin, ns.
    private static let marks: [Int64] = [
        0, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
        10_000_000,
    ]

    /// Measures on a thread of its own, and draws the progress.
    static func measure(cpu: Int, nanos: Int64) throws(CommandError) -> NoiseReport {
        let box = NoiseBox()
        let thread = try CommandError.wrapping { () throws(SystemError) in
            try PinnedThread.start(name: "noise", cpu: cpu) { box.run(cpu, nanos) }
        }
        var meter = ProgressMeter("Listening on CPU \(cpu)", unit: "ms")
        while !box.isDone {
            meter.draw(
                done: UInt64(meter.elapsedNanos / 1_000_000), total: UInt64(nanos / 1_000_000))
            Clock.sleep(nanos: 20_000_000)
        }
        thread.join()
        meter.clear()
        guard let report = box.report else {
            throw CommandError("this process may not run on CPU \(cpu) alone")
        }
        return report
    }

    /// Reads the clock until the time is over; nil where this thread is not bound to the CPU.
    static func listen(_ cpu: Int, _ nanos: Int64) -> NoiseReport? {
        let own = "/proc/thread-self/status"
        guard let before = ThreadStatus(path: own), before.allowed == CPUSet([cpu]) else {
            return nil
        }
        var report = NoiseReport()
        let begin = Clock.monotonicNanos()
        let end = begin + nanos
        var last = begin
        while last < end {
            let now = Clock.monotonicNanos()
            report.take(now - last)
            last = now
        }
        report.nanos = last - begin
        let preempted = (ThreadStatus(path: own)?.involuntary ?? 0) - (before.involuntary ?? 0)
        report.preempted = UInt64(max(0, preempted))
        return report
    }

    @inline(__always) private mutating func take(_ gap: Int64) {
        gaps.record(UInt64(gap))
        // Nearly all gaps are short: those are counted by the histogram alone.
        guard gap >= Self.marks[1] else { return }
        lost += gap
        counts[(Self.marks.firstIndex { $0 > gap } ?? Self.marks.count) - 1] += 1
    }

    /// Gaps of at least so many nanoseconds, one of `marks`.
    private func over(_ nanos: Int64) -> UInt64 {
        zip(Self.marks, counts).reduce(0) { $0 + ($1.0 >= nanos ? $1.1 : 0) }
    }

    /// The classes with their counts; empty ones are left out.
    private var classes: [(from: Int64, count: UInt64)] {
        var all = counts
        all[0] = gaps.count - counts.reduce(0, +)
        return zip(Self.marks, all).filter { $0.1 > 0 }.map { ($0, $1) }
    }

    func json(_ cpu: Int, _ suspects: [CPUIntrusion]) -> JSONValue {
        [
            "cpu": .number(cpu), "nanos": .number(nanos), "readings": .number(gaps.count),
            "p50Nanos": .number(gaps.percentile(perMille: 500)),
            "p99Nanos": .number(gaps.percentile(perMille: 990)),
            "p999Nanos": .number(gaps.percentile(perMille: 999)), "maxNanos": .number(gaps.max),
            "lostNanos": .number(lost), "over1Micros": .number(over(1_000)),
            "over10Micros": .number(over(10_000)), "over100Micros": .number(over(100_000)),
            "gaps": .array(
                classes.map { ["fromNanos": .number($0.from), "count": .number($0.count)] }),
            "preempted": .number(preempted),
            "suspects": .array(
                suspects.map { ["name": .string($0.name), "count": .number($0.count)] }),
        ]
    }

    func lines(_ cpu: Int, _ suspects: [CPUIntrusion]?, _ ink: Ink) -> [String] {
        func time(_ value: some BinaryInteger) -> String { Readable.duration(nanos: value) }
        var facts = Facts()
        facts.add(
            "measured", "\(time(nanos)) on CPU \(cpu), \(Readable.count(gaps.count)) readings")
        facts.add(
            "gaps",
            "p50 \(time(gaps.percentile(perMille: 500))), "
                + "p99 \(time(gaps.percentile(perMille: 990))), "
                + "p99.9 \(time(gaps.percentile(perMille: 999))), longest \(time(gaps.max))")
        facts.add(
            "over",
            "1 µs \(Readable.count(over(1_000))), 10 µs \(Readable.count(over(10_000))), "
                + "100 µs \(Readable.count(over(100_000)))")
        let millionths = Int128(lost) * 1_000_000 / Int128(max(1, nanos))
        let share = DecimalNumber.percent(millionths, scale: 6)
        facts.add("lost", "\(time(lost)) in gaps from 1 µs, \(share) of the time")
        facts.add("preempted", "\(Readable.count(preempted)) times, by other threads")
        var table = Table([.words("GAPS FROM"), .numbers("COUNT"), .words("")])
        let most = classes.map { 64 - $0.count.leadingZeroBitCount }.max() ?? 1
        for (from, count) in classes {
            // By powers of two: the few long gaps matter.
            let bits = 64 - count.leadingZeroBitCount
            let bar = String(repeating: "=", count: max(1, bits * 30 / most))
            table.add([time(from), Readable.count(count), bar])
        }
        var lines = facts.lines(ink) + [""] + table.lines(ink) + [""]
        guard let suspects else { return lines + ["/proc/interrupts does not list CPU \(cpu)"] }
        var came = Table([.words("SOURCE"), .numbers("COUNT"), .numbers("RATE")])
        for suspect in suspects.prefix(20) {
            came.add([
                suspect.name, Readable.count(suspect.count),
                Readable.rate(suspect.count, nanos: nanos),
            ])
        }
        lines += came.rows.isEmpty ? [ink.good("No interrupts.")] : came.lines(ink)
        return lines
    }
}

/// A measurement in progress, shared by its thread and the one that waits for it.
private final class NoiseBox: Sendable {
    private let result = Mutex<(isDone: Bool, report: NoiseReport?)>((false, nil))

    var isDone: Bool { result.withLock { $0.isDone } }
    var report: NoiseReport? { result.withLock { $0.report } }

    func run(_ cpu: Int, _ nanos: Int64) {
        let report = NoiseReport.listen(cpu, nanos)
        result.withLock { $0 = (true, report) }
    }
}
