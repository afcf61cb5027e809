// The files that bring the tuning back after a reboot, and keep other daemons off hot CPUs.

import AgentAPI
import HelperAPI
import JSON

/// A file that should exist, or no longer.
public struct TuneFile: Hashable, Sendable {
    /// Its path.
    public var path: String
    /// The text it should hold; nil: it should be removed.
    public var text: String?
    /// Whether that is the case.
    public var isDone: Bool
    /// What it is for, in one sentence.
    public var why: String

    /// The first line of each: a file without it is not ours.
    static let mark = "# Written by `boursectl tune apply`, which replaces it."

    private static let sysctl = "/etc/sysctl.d/60-bourse-tune.conf"
    private static let tmpfiles = "/etc/tmpfiles.d/bourse-tune.conf"
    /// The daemons that are not in `[agent] units`.
    private static let others = [
        "bourse-agentd.service", "bourse-poller.service", "bourse-snmp.service",
    ]

    private static func path(_ unit: String) -> String {
        "/etc/systemd/system/\(unit).d/50-tune.conf"
    }

    /// The exchange's own units.
    private static func units(_ plan: HostPlan) -> [String] {
        let own = (plan.units + others + plan.hotThreads.map(\.unit)).filter {
            $0.hasPrefix("bourse-") && $0.hasSuffix(".service") && !$0.contains("/")
        }
        return Set(own).sorted()
    }

    static func sources(_ plan: HostPlan) -> [String] { [sysctl, tmpfiles] + units(plan).map(path) }

    /// As JSON; `text` is null for a file that is to be removed.
    var json: JSONValue {
        [
            "path": .string(path), "done": .bool(isDone), "why": .string(why),
            "text": text.map { .string($0) } ?? .null,
        ]
    }

    var item: TunePlan.Item {
        TunePlan.Item(
            topic: .files, name: path, state: isDone ? .done : .change,
            text: isDone
                ? "\(path) is there" : "\(path) is to be \(text == nil ? "removed" : "written")",
            why: why)
    }

    /// The units whose settings it changes.
    public var unit: String? {
        guard path.hasPrefix("/etc/systemd/system/") else { return nil }
        return path.split(separator: "/").dropLast().last.map { String($0.dropLast(2)) }
    }

    /// All files, in order; those that are not wanted only where they are there and ours.
    ///
    /// What they hold follows from what was declared and from what kind of host it is, not from
    /// what is set now: a setting that is right is kept as it is.
    static func all(_ input: CheckInput, _ findings: [Finding]) -> [TuneFile] {
        var files = [
            file(
                input, sysctl, parameters(findings),
                "Without it the kernel starts with its defaults after a reboot."),
            file(
                input, tmpfiles, writes(input, findings),
                "Without it the kernel starts with its defaults after a reboot."),
        ]
        for unit in units(input.plan) {
            files.append(
                file(
                    input, path(unit), settings(input, unit),
                    "What may run on a hot CPU will do so under load."))
        }
        return files.compactMap { $0 }
    }

    /// A file of these lines; its removal where there are none; nil where neither is needed.
    private static func file(
        _ input: CheckInput, _ path: String, _ lines: [String], _ why: String
    ) -> TuneFile? {
        let old = input.now.text(path)
        guard !lines.isEmpty else {
            guard old?.hasPrefix(mark) == true else { return nil }
            return TuneFile(path: path, text: nil, isDone: false, why: why)
        }
        let text = ([mark] + lines).map { $0 + "\n" }.joined()
        return TuneFile(path: path, text: text, isDone: old.map { $0 + "\n" } == text, why: why)
    }

    /// sysctl.d(5). `kernel.ksm` is a file in /sys, and no sysctl.
    private static func parameters(_ findings: [Finding]) -> [String] {
        let names: [CheckKind: String] = [
            .statInterval: "vm.stat_interval", .numaBalancing: "kernel.numa_balancing",
            .timerMigration: "kernel.timer_migration", .swappiness: "vm.swappiness",
        ]
        return findings.compactMap { finding in
            guard let name = names[finding.kind] else { return nil }
            if case .change(let requests) = finding.fix {
                guard case .parameter(_, let value) = requests.first else { return nil }
                return "\(name) = \(value)"
            }
            return finding.state == .ok ? finding.value.map { "\(name) = \($0)" } : nil
        }
    }

    /// tmpfiles.d(5): lines `w`, which write where there is such a file.
    private static func writes(_ input: CheckInput, _ findings: [Finding]) -> [String] {
        func line(_ path: String, _ value: String) -> String { "w \(path) - - - - \(value)" }
        let cpus = input.now.watchedCPUs(input.plan).numbers
        return findings.flatMap { finding -> [String] in
            guard finding.state != .unknown else { return [] }
            let cpufreq = { (file: String) in
                cpus.map { line("/sys/devices/system/cpu/cpu\($0)/cpufreq/\(file)", "performance") }
            }
            switch finding.kind {
            case .governor: return cpufreq("scaling_governor")
            case .energyPreference:
                return cpufreq("energy_performance_preference").filter {
                    input.now.text(String($0.words[1])) != nil
                }
            case .workqueues:
                let path = "/sys/devices/virtual/workqueue/cpumask"
                if case .change(let requests) = finding.fix {
                    guard case .workqueue(let cpus) = requests.first else { return [] }
                    return [line(path, cpus.mask)]
                }
                return input.now.text(path).flatMap { CPUSet(mask: $0) }
                    .map { [line(path, $0.mask)] } ?? []
            case .hugePageMode:
                let path = "/sys/kernel/mm/transparent_hugepage/enabled"
                let old = input.now.text(path).flatMap { KernelChoice.chosen(in: $0) }
                let mode = finding.fix == nil ? old : nil
                return [line(path, mode ?? "madvise")]
            case .pageMerging: return [line("/sys/kernel/mm/ksm/run", "0")]
            default: return []
            }
        }
    }

    /// systemd.exec(5): where a daemon may run, and where the engine's memory comes from.
    private static func settings(_ input: CheckInput, _ unit: String) -> [String] {
        guard let rest = input.housekeeping, !input.plan.hotThreads.isEmpty else { return [] }
        // A hot thread goes to its CPU by itself; what is around it in its daemon stays here.
        let own = ["[Service]", "CPUAffinity=\(rest)"]
        guard let hot = input.plan.hotThreads.first(where: { $0.unit == unit }) else { return own }
        let folder = "/sys/devices/system/node"
        let nodes = input.now.names(folder, beginning: "node")
        let node = nodes.first { node in
            input.now.text("\(folder)/\(node)/cpulist").flatMap { CPUSet(list: $0) }?
                .contains(hot.cpu) == true
        }
        guard nodes.count > 1, let node else { return own }
        return own + ["NUMAPolicy=bind", "NUMAMask=\(node.dropFirst(4))"]
    }
}
