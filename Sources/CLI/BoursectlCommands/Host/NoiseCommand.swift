// noise

import ArgumentParser
import Bench
import Checks
import Glibc
import HelperAPI
import JSON
import Platform
import Presentation
import Synchronization

struct NoiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noise",
        abstract: "Measures how often a CPU is taken from the thread that has it.",
        discussion: """
            A thread on that CPU does nothing but read the clock: a gap between two readings is \
            time in which something else had the CPU. Beside the gaps stands what came in there \
            in the same time: interrupts, softirqs, other threads, the hypervisor.

            It takes the whole CPU while it measures, and so refuses one that the engine of a \
            running exchange has for itself: measure on a standby, or while matchd is stopped.

            JSON: {"cpu", "nanos", "readings", "p50Nanos", "p99Nanos", "p999Nanos", "maxNanos", \
            "lostNanos", "over1Micros", "over10Micros", "over100Micros", "gaps": [{"fromNanos", \
            "count"}], "preempted", "suspects": [{"name", "count"}]}; lostNanos is the sum of \
            the gaps from 1 µs.

            EXAMPLE
              boursectl noise 2 --seconds 30
            """)

    @OptionGroup var common: Common

    @Option(help: "How long it measures.") var seconds = 10
    @Flag(help: "Measures although an engine has the CPU: it waits meanwhile.") var force = false
    @Argument(help: "The CPU.") var cpu: Int

    func validate() throws {
        guard 1...3_600 ~= seconds else { throw ValidationError("Give 1 … 3600 seconds.") }
        guard 0...CPUSet.numberMax ~= cpu else { throw ValidationError("There is no CPU \(cpu).") }
    }

    func run() throws {
        if !force, let process = Self.engine(on: cpu) {
            throw Failure(
                "the engine of process \(process) has CPU \(cpu) for itself, and would wait",
                repair: "measure on a standby, or while matchd is stopped; --force measures now")
        }
        let all = try Failure.wrapping { () throws(SystemError) in try Host.affinity(thread: 0) }
        // Whoever waits for the measurement is not to be its noise.
        let others = all.filter { $0 != cpu }
        if !others.isEmpty { try? Host.setAffinity(thread: 0, others) }
        let reading = HostReading(plan: HostPlan(), root: "")
        let before = reading.observation(CPUIntrusion.sources)
        let found = try NoiseReport.measure(cpu: cpu, nanos: Int64(seconds) * 1_000_000_000)
        let after = reading.observation(CPUIntrusion.sources)
        let suspects = CPUIntrusion.all(on: cpu, from: before, to: after)
        common.out.give(
            found.json(cpu, suspects ?? []), text: found.lines(cpu, suspects, common.out.ink))
    }

    /// The process whose engine may run on this CPU alone; nil where there is none that can be
    /// seen.
    private static func engine(on cpu: Int) -> String? {
        let processes = (try? Directory.names(in: "/proc")) ?? []
        return processes.first { process in
            guard ThreadStatus("/proc/\(process)/status")?.name == "bourse-matchd" else {
                return false
            }
            let folder = "/proc/\(process)/task"
            return ((try? Directory.names(in: folder)) ?? []).contains { thread in
                let status = ThreadStatus("\(folder)/\(thread)/status")
                return status?.name == "engine" && status?.cpus == "\(cpu)"
            }
        }
    }
}

/// What a thread's `status` says, proc_pid_status(5).
private struct ThreadStatus {
    var name = ""
    /// The CPUs that it may run on, as a list.
    var cpus = ""
    /// How often somebody else was put in its place.
    var preempted: UInt64 = 0

    init?(_ path: String) {
        guard let bytes = try? File(path, .read).read(count: 16_384) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = String(line[line.index(after: colon)...].drop { $0 == "\t" })
            switch line[..<colon] {
            case "Name": name = value
            case "Cpus_allowed_list": cpus = value
            case "nonvoluntary_ctxt_switches": preempted = UInt64(value) ?? 0
            default: break
            }
        }
    }
}

/// The gaps of a thread that did nothing but read the clock.
struct NoiseReport: Sendable {
    private var gaps = Histogram()
    /// How many gaps were as long as each of `marks`, and shorter than the next.
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

    /// Measures on a thread of its own, and draws how far it is.
    static func measure(cpu: Int, nanos: Int64) throws(Failure) -> NoiseReport {
        let box = NoiseBox()
        let thread = try Failure.wrapping { () throws(SystemError) in
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
            throw Failure("this process may not run on CPU \(cpu) alone")
        }
        return report
    }

    /// Reads the clock until the time is over; nil where this thread has not the CPU it was given.
    static func listen(_ cpu: Int, _ nanos: Int64) -> NoiseReport? {
        let own = "/proc/thread-self/status"
        guard let before = ThreadStatus(own), before.cpus == "\(cpu)" else { return nil }
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
        report.preempted = (ThreadStatus(own)?.preempted ?? 0) - before.preempted
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
            // By powers of two: the few long ones are what matters.
            let bits = 64 - count.leadingZeroBitCount
            let bar = String(repeating: "=", count: max(1, bits * 30 / most))
            table.add([time(from), Readable.count(count), bar])
        }
        var lines = facts.lines(ink) + [""] + table.lines(ink) + [""]
        guard let suspects else {
            return lines + ["/proc/interrupts tells nothing of CPU \(cpu)"]
        }
        var came = Table([.words("WHAT CAME IN"), .numbers("COUNT"), .numbers("A SECOND")])
        for suspect in suspects.prefix(20) {
            came.add([
                suspect.name, Readable.count(suspect.count),
                Readable.rate(suspect.count, nanos: nanos),
            ])
        }
        lines += came.rows.isEmpty ? [ink.good("no interrupt came in")] : came.lines(ink)
        return lines
    }
}

/// A measurement under way, between its thread and who waits for it.
private final class NoiseBox: Sendable {
    private let result = Mutex<(isDone: Bool, report: NoiseReport?)>((false, nil))

    var isDone: Bool { result.withLock { $0.isDone } }
    var report: NoiseReport? { result.withLock { $0.report } }

    func run(_ cpu: Int, _ nanos: Int64) {
        let report = NoiseReport.listen(cpu, nanos)
        result.withLock { $0 = (true, report) }
    }
}

extension Failure {
    /// Carries out system calls; one that fails is a failure.
    static func wrapping<Value>(
        _ body: () throws(SystemError) -> Value
    ) throws(Failure) -> Value {
        do throws(SystemError) { return try body() } catch { throw Failure(error) }
    }
}
