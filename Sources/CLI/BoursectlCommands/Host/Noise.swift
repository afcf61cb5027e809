// noise

import ArgumentParser
import Checks
import HelperAPI
import Platform
import Presentation

struct NoiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noise", abstract: "Measures how often a CPU is taken away from its thread.",
        discussion: """
            A thread on that CPU only reads the clock: a gap between two readings is time in which \
            something else had the CPU. The report also counts what ran there meanwhile: \
            interrupts, softirqs, other threads, the hypervisor.

            It occupies the whole CPU, and therefore refuses one that is reserved for the engine \
            of a running exchange: measure on a standby, or while matchd is stopped.

            JSON: {"cpu", "nanos", "readings", "p50Nanos", "p99Nanos", "p999Nanos", "maxNanos", \
            "lostNanos", "over1Micros", "over10Micros", "over100Micros", "gaps": [{"fromNanos", \
            "count"}], "preempted", "suspects": [{"name", "count"}]}; lostNanos is the sum of the \
            gaps from 1 µs.

            EXAMPLE
              boursectl noise 2 --seconds 30
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "Seconds to measure.") var seconds = 10
    @Flag(help: "Measure a CPU of an engine, which waits meanwhile.") var force = false
    @Argument(help: "The CPU.") var cpu: Int

    func validate() throws {
        guard 1...3_600 ~= seconds else { throw ValidationError("Give 1 … 3600 seconds.") }
        guard 0...CPUSet.numberMax ~= cpu else { throw ValidationError("There is no CPU \(cpu).") }
    }

    func run() throws {
        if !force, let process = Self.engine(on: cpu) {
            throw CommandError(
                "CPU \(cpu) is reserved for the engine of process \(process), which would wait",
                repair: "measure on a standby, or while matchd is stopped; --force measures anyway")
        }
        let all = try CommandError.wrapping { () throws(SystemError) in try Host.affinity(thread: 0)
        }
        // The thread that waits for the measurement must not disturb it.
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

    /// The process whose engine may run on this CPU alone; nil where none is visible.
    private static func engine(on cpu: Int) -> String? {
        let processes = (try? Directory.names(in: "/proc")) ?? []
        return processes.first { process in
            guard ThreadStatus(path: "/proc/\(process)/status")?.name == "bourse-matchd" else {
                return false
            }
            let folder = "/proc/\(process)/task"
            return ((try? Directory.names(in: folder)) ?? []).contains { thread in
                let status = ThreadStatus(path: "\(folder)/\(thread)/status")
                return status?.name == "engine" && status?.allowed == CPUSet([cpu])
            }
        }
    }
}

extension ThreadStatus {
    /// Reads the file at a path; nil where it cannot be read.
    init?(path: String) {
        guard let bytes = try? File(path, .read).read(count: 16_384) else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
