// Interrupts on the CPUs of hot threads. Numbers 121 … 129.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let irqIntrusion = CheckKind(
        121, "cpu.irq-intrusion", unit: "per-second", warning: 1, critical: 100,
        why: "A device's interrupt takes the CPU from its hot thread for microseconds.")
    static let softirqIntrusion = CheckKind(
        122, "cpu.softirq-intrusion", unit: "per-second", warning: 1, critical: 100,
        why: "Deferred work of network and disk interrupts runs longer than they do.")
    static let kernelInterrupts = CheckKind(
        123, "cpu.kernel-interrupts", unit: "per-second", warning: 100, critical: 2_000,
        why: "Timer ticks and calls from other CPUs interrupt a hot thread as devices do.")
    static let irqAffinity = CheckKind(
        124, "cpu.irq-affinity", unit: "interrupts", warning: 1,
        why: "An interrupt that may fire on a hot CPU will, at the worst moment.")
    static let irqBalance = CheckKind(
        125, "cpu.irqbalance",
        why: "irqbalance moves interrupts by load, even onto the CPU of a hot thread.")
}

extension CheckGroup {
    /// Interrupts on hot CPUs since the last round.
    static let interrupts = CheckGroup(
        "cpu.interrupts", seconds: 1, kinds: [.irqIntrusion, .softirqIntrusion, .kernelInterrupts],
        sources: [InterruptTable.interrupts, InterruptTable.softirqs, Observation.onlinePath]
    ) { input in
        let hot = input.plan.hotCPUs
        let all = InterruptChange(input, InterruptTable.interrupts, on: hot)
        let soft = InterruptChange(input, InterruptTable.softirqs, on: hot)
        return hot.numbers.flatMap { cpu in
            [input.devices(cpu, all), input.soft(cpu, soft), input.kernel(cpu, all)]
        }
    }

    /// Interrupts that may fire on hot CPUs.
    static let irqAffinity = CheckGroup(
        "cpu.irq-affinity", seconds: 10, kinds: [.irqAffinity, .irqBalance],
        sources: [
            InterruptTable.interrupts, Observation.onlinePath, UnitStatus.path,
            "/etc/default/irqbalance", "/sys/devices/system/cpu/isolated",
        ] + InterruptAffinity.sources
    ) { input in
        let table = InterruptTable(input.now.text(InterruptTable.interrupts), on: CPUSet([]))
        return input.plan.hotCPUs.numbers.map { input.affinity($0, table) }
            + (input.plan.hotThreads.isEmpty ? [] : [input.balancing])
    }
}

/// A table now and in the last round.
private struct InterruptChange {
    let path: String
    let old: InterruptTable?
    let new: InterruptTable?

    init(_ input: CheckInput, _ path: String, on cpus: CPUSet) {
        self.path = path
        old = InterruptTable(input.before?.text(path), on: cpus)
        new = InterruptTable(input.now.text(path), on: cpus)
    }

    /// The devices that counted on a CPU.
    func grown(on cpu: Int) -> [InterruptTable.Row] {
        guard let old, let new else { return [] }
        let then = Dictionary(old.rows.map { ($0.label, old.count($0, on: cpu)) }) { $1 }
        return new.rows.filter {
            $0.isDevice && new.count($0, on: cpu) > then[$0.label] ?? 0
        }
    }
}

extension CheckInput {
    private static var kernelRows: [String] { ["LOC", "IWI", "RES", "CAL", "TLB"] }
    private static var softRows: [String] {
        ["HI", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET"]
    }

    fileprivate func devices(_ cpu: Int, _ change: InterruptChange) -> Finding {
        let grown = change.grown(on: cpu)
        let names = grown.isEmpty ? "" : ": " + Self.names(grown)
        return rate(
            .irqIntrusion, "cpu\(cpu)", source: change.path, fix: moving(grown),
            from: change.old?.sum(on: cpu) { $0.isDevice },
            to: change.new?.sum(on: cpu) { $0.isDevice },
            { "CPU \(cpu) took \(some($0, "device interrupt")) a second\(names)" })
    }

    fileprivate func soft(_ cpu: Int, _ change: InterruptChange) -> Finding {
        rate(
            .softirqIntrusion, "cpu\(cpu)", source: change.path,
            fix: .advice([
                "move the interrupts and RPS masks behind it off CPU \(cpu): "
                    + "see cpu.irq-affinity and nic.rps"
            ]), from: change.old?.sum(on: cpu) { Self.softRows.contains($0.label) },
            to: change.new?.sum(on: cpu) { Self.softRows.contains($0.label) },
            { "CPU \(cpu) ran \(some($0, "softirq")) of network and disks a second" })
    }

    fileprivate func kernel(_ cpu: Int, _ change: InterruptChange) -> Finding {
        rate(
            .kernelInterrupts, "cpu\(cpu)", source: change.path,
            fix: .advice([
                "nohz_full=\(plan.hotCPUs) on the kernel's command line, for ticks",
                "perf trace -C \(cpu) -e 'irq_vectors:*', to see the callers",
            ]), from: change.old?.sum(on: cpu) { Self.kernelRows.contains($0.label) },
            to: change.new?.sum(on: cpu) { Self.kernelRows.contains($0.label) },
            { "CPU \(cpu) took \(some($0, "kernel interrupt")) a second" })
    }

    fileprivate func affinity(_ cpu: Int, _ table: InterruptTable?) -> Finding {
        let source = InterruptAffinity.effectivePath("*")
        guard let table, !table.rows.isEmpty else {
            return unknown(.irqAffinity, "cpu\(cpu)", source: InterruptTable.interrupts)
        }
        var near: [InterruptTable.Row] = []
        for row in table.rows where row.isDevice {
            switch now.affinity(of: row.label) {
            case .missing: continue
            case .unreadable:
                return unknown(
                    .irqAffinity, "cpu\(cpu)", source: InterruptAffinity.effectivePath(row.label))
            case .cpus(let cpus): if cpus.contains(cpu) { near.append(row) }
            }
        }
        guard now.names("/proc/irq") != nil else {
            return unknown(.irqAffinity, "cpu\(cpu)", source: "/proc/irq")
        }
        return finding(
            .irqAffinity, "cpu\(cpu)", value: Int64(near.count),
            near.isEmpty
                ? "no device's interrupt fires on CPU \(cpu)"
                : "interrupts of devices fire on CPU \(cpu): \(Self.names(near))",
            source: source, fix: moving(near))
    }

    fileprivate var balancing: Finding {
        guard let unit = now.units[UnitStatus.irqBalance] else {
            return unknown(.irqBalance, source: "systemd", "systemd does not report irqbalance")
        }
        guard unit.active == "active" else {
            return Finding(.irqBalance, "", .ok, "irqbalance is \(unit.active)", source: "systemd")
        }
        // Without a list of its own it leaves isolated CPUs alone.
        let path = "/etc/default/irqbalance"
        let lists = now.lines(path).map(\.trimming).filter {
            $0.hasPrefix("IRQBALANCE_BANNED_CPULIST=")
        }
        let banned: CPUSet? =
            if let list = lists.last?.dropFirst(26) {
                CPUSet(list: String(list.filter { $0 != "\"" }))
            } else {
                now.text("/sys/devices/system/cpu/isolated").flatMap { CPUSet(list: $0) }
            }
        guard let banned else { return unknown(.irqBalance, source: path) }
        let open = plan.hotCPUs.subtracting(banned)
        return verdict(
            .irqBalance, isRight: open.isEmpty,
            open.isEmpty
                ? "irqbalance leaves CPU \(plan.hotCPUs) alone"
                : "irqbalance may move interrupts to CPU \(open)", source: path,
            fix: .advice([
                "in \(path): IRQBALANCE_BANNED_CPULIST=\(plan.hotCPUs)",
                "systemctl restart irqbalance",
            ]))
    }

    /// At most six, the number and the device of each.
    private static func names(_ rows: [InterruptTable.Row]) -> String {
        let names = rows.prefix(6).map { row in
            "\(row.label) (\(row.name.split(separator: " ").last ?? "?"))"
        }
        return names.joined(separator: ", ") + (rows.count > 6 ? " and \(rows.count - 6) more" : "")
    }

    /// The fix that moves interrupts off the hot CPUs: a request each, or for those that the kernel
    /// manages, its command line.
    private func moving(_ rows: [InterruptTable.Row]) -> Fix? {
        guard let cpus = housekeeping, !rows.isEmpty else { return nil }
        let moves = rows.filter { !$0.isManaged }.compactMap { row in
            Int(row.label).map { HelperRequest.irqAffinity(irq: $0, cpus: cpus) }
        }
        guard moves.isEmpty else { return .change(moves) }
        return .advice([
            "in /etc/default/grub, GRUB_CMDLINE_LINUX: isolcpus=managed_irq,domain,\(plan.hotCPUs)",
            "update-grub", "reboot",
        ])
    }
}
