// /proc/stat: what each CPU did since boot, proc_stat(5).

package import HelperAPI

/// The times of a CPU in ticks.
package struct CPUTimes: Hashable, Sendable {
    /// Where they are read.
    package static let path = "/proc/stat"

    package var total: Int64
    package var idle: Int64
    /// The time that the hypervisor took.
    package var steal: Int64
    package var busy: Int64 { total - idle }

    /// Reads `cpuN user nice system idle iowait irq softirq steal`; nil where one is missing.
    private init?(_ words: [Substring]) {
        guard words.count >= 9 else { return nil }
        let times = words[1...8].map { Observation.count($0) }
        guard let total = Observation.sum(times), let idle = Observation.sum([times[3], times[4]]),
            let steal = times[7]
        else { return nil }
        (self.total, self.idle, self.steal) = (total, idle, steal)
    }

    /// The times of all CPUs together, the first line; nil where it cannot be read.
    package init?(ofAll text: String) {
        guard let words = text.lines.first?.words, words.first == "cpu" else { return nil }
        self.init(words)
    }

    /// The times of these CPUs by number; one whose line cannot be read is left out.
    package static func table(_ text: String, of cpus: CPUSet) -> [Int: CPUTimes] {
        var all: [Int: CPUTimes] = [:]
        for line in text.lines {
            guard line.hasPrefix("cpu") else { break }
            let words = line.words
            guard let cpu = Observation.count(words[0].dropFirst(3)).map({ Int($0) }),
                cpus.contains(cpu)
            else { continue }
            all[cpu] = CPUTimes(words)
        }
        return all
    }
}

extension Observation {
    /// The times of these CPUs by number; none when they could not be read.
    func cpuTimes(_ cpus: CPUSet) -> [Int: CPUTimes] {
        text(CPUTimes.path).map { CPUTimes.table($0, of: cpus) } ?? [:]
    }
}
