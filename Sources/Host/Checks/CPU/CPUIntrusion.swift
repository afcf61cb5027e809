// What interrupted a CPU between two observations, by name and count.

import HelperAPI

/// An interrupt, a softirq or the hypervisor, as it took a CPU from its thread.
public struct CPUIntrusion: Hashable, Sendable {
    /// Its name, as `interrupt 41 (nvme0q2)`, `softirq TIMER` or `the hypervisor`.
    public var name: String
    /// How often it ran; for the hypervisor the ticks that it took.
    public var count: Int64

    /// An intrusion of these.
    public init(name: String, count: Int64) { (self.name, self.count) = (name, count) }

    /// The sources that are read before and after.
    public static var sources: [String] {
        [InterruptTable.interrupts, InterruptTable.softirqs, CPUTimes.path]
    }

    /// Everything that ran on a CPU from one observation to the next, most frequent first; nil
    /// where the tables cannot be parsed, or have no such CPU.
    public static func all(on cpu: Int, from old: Observation, to new: Observation)
        -> [CPUIntrusion]?
    {
        var all: [CPUIntrusion] = []
        let wanted = CPUSet([cpu])
        for path in [InterruptTable.interrupts, InterruptTable.softirqs] {
            guard let before = InterruptTable(old.text(path), on: wanted),
                let after = InterruptTable(new.text(path), on: wanted),
                after.sum(on: cpu, { _ in true }) != nil
            else { return nil }
            let then = Dictionary(before.rows.map { ($0.label, before.count($0, on: cpu)) }) { $1 }
            for row in after.rows {
                let grown = after.count(row, on: cpu) - (then[row.label] ?? 0)
                guard grown > 0 else { continue }
                all.append(
                    CPUIntrusion(
                        name: path == InterruptTable.interrupts
                            ? row.title : "softirq \(row.label)", count: grown))
            }
        }
        if let before = old.cpuTimes(wanted)[cpu]?.steal,
            let after = new.cpuTimes(wanted)[cpu]?.steal, after > before
        {
            all.append(CPUIntrusion(name: "the hypervisor (ticks)", count: after - before))
        }
        return all.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }
}

extension InterruptTable.Row {
    /// A device's number and name, or the kernel's label and words, as `LOC (Local timer
    /// interrupts)`.
    fileprivate var title: String {
        let words = name.trimming
        guard isDevice else { return words.isEmpty ? label : "\(label) (\(words))" }
        return "interrupt \(label) (\(words.words.last ?? "?"))"
    }
}
