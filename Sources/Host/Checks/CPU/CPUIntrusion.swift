// Who could have taken a CPU away from the thread that had it: by name, with how often.

import HelperAPI

/// Something that came in on a CPU between two observations.
public struct NoiseSuspect: Hashable, Sendable {
    /// What it is, as `interrupt 41 (nvme0q2)`, `softirq TIMER` or `the hypervisor`.
    public var name: String
    /// How often it came in; for the hypervisor the ticks that it took.
    public var count: Int64

    /// A suspect of these.
    public init(name: String, count: Int64) { (self.name, self.count) = (name, count) }

    /// What must be read before and after.
    public static var sources: [String] {
        ["/proc/interrupts", "/proc/softirqs", "/proc/stat"]
    }

    /// Everything that counted on a CPU from one observation to the other, the most often first;
    /// nil where the tables cannot be read, or have no such CPU.
    public static func all(on cpu: Int, from old: Observation, to new: Observation)
        -> [NoiseSuspect]?
    {
        var all: [NoiseSuspect] = []
        for path in sources.prefix(2) {
            let wanted = CPUSet([cpu])
            guard let before = InterruptTable(old, path, on: wanted),
                let after = InterruptTable(new, path, on: wanted),
                after.sum(on: cpu, { _ in true }) != nil
            else { return nil }
            let then = Dictionary(before.rows.map { ($0.label, before.count($0, on: cpu)) }) { $1 }
            for row in after.rows {
                let grown = after.count(row, on: cpu) - (then[row.label] ?? 0)
                guard grown > 0 else { continue }
                all.append(
                    NoiseSuspect(
                        name: path == sources[0] ? row.suspect : "softirq \(row.label)",
                        count: grown))
            }
        }
        if let before = steal(on: cpu, old), let after = steal(on: cpu, new), after > before {
            all.append(NoiseSuspect(name: "the hypervisor (ticks)", count: after - before))
        }
        return all.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }

    /// The eighth time of a CPU's line, proc_stat(5).
    private static func steal(on cpu: Int, _ seen: Observation) -> Int64? {
        let words = seen.lines("/proc/stat").first { $0.hasPrefix("cpu\(cpu) ") }?.words ?? []
        return words.count > 8 ? Observation.count(words[8]) : nil
    }
}

extension InterruptTable.Row {
    /// A device's number and name, or the kernel's own words: `timer ticks` is `LOC` to it.
    fileprivate var suspect: String {
        let words = name.trimming
        guard isDevice else { return words.isEmpty ? label : "\(label) (\(words))" }
        return "interrupt \(label) (\(words.words.last ?? "?"))"
    }
}
