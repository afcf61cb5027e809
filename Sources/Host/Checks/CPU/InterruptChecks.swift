// Interrupts on the CPUs of hot threads. Numbers 121 … 129.

import HelperAPI

extension CheckKind {
    static let irqIntrusion = CheckKind(
        121, "cpu.irq-intrusion", unit: "per-second", warning: 1, critical: 100,
        why: "A device's interrupt takes the CPU from its hot thread for microseconds.")
    static let softirqIntrusion = CheckKind(
        122, "cpu.softirq-intrusion", unit: "per-second", warning: 1, critical: 100,
        why: "Work behind interrupts, of the network or of disks, runs for longer than they do.")
    static let kernelInterrupts = CheckKind(
        123, "cpu.kernel-interrupts", unit: "per-second", warning: 100, critical: 2_000,
        why: "Timer ticks and calls from other CPUs interrupt a hot thread as a device does.")
    static let irqAffinity = CheckKind(
        124, "cpu.irq-affinity", unit: "interrupts", warning: 1,
        why: "An interrupt that may fire on a hot CPU will, at the worst moment.")
    static let irqBalance = CheckKind(
        125, "cpu.irqbalance",
        why: "irqbalance moves interrupts by load, also onto a CPU that a hot thread has.")
}

extension CheckGroup {
    /// What came in on hot CPUs since the round before.
    static let interrupts = CheckGroup(
        "cpu.interrupts", seconds: 1,
        kinds: [.irqIntrusion, .softirqIntrusion, .kernelInterrupts],
        sources: ["/proc/interrupts", "/proc/softirqs", Observation.onlinePath]
    ) { input in
        let hot = input.plan.hotCPUs
        let all = InterruptChange(input, "/proc/interrupts", on: hot)
        let soft = InterruptChange(input, "/proc/softirqs", on: hot)
        return hot.numbers.flatMap { cpu in
            [input.devices(cpu, all), input.soft(cpu, soft), input.kernel(cpu, all)]
        }
    }

    /// What may come in on hot CPUs.
    static let irqAffinity = CheckGroup(
        "cpu.irq-affinity", seconds: 10, kinds: [.irqAffinity, .irqBalance],
        sources: [
            "/proc/interrupts", "/proc/irq/*/effective_affinity_list",
            "/proc/irq/*/smp_affinity_list", Observation.onlinePath,
            "/probe/units", "/etc/default/irqbalance", "/sys/devices/system/cpu/isolated",
        ]
    ) { input in
        let table = InterruptTable(input.now, "/proc/interrupts", on: CPUSet([]))
        return input.plan.hotCPUs.numbers.map { input.affinity($0, table) }
            + (input.plan.hotThreads.isEmpty ? [] : [input.balancing])
    }
}

/// `/proc/interrupts` or `/proc/softirqs`: a line a kind, a column a CPU that is online.
struct InterruptTable {
    /// A line.
    struct Row {
        /// What stands before the colon: a number, or letters for the kernel's own.
        var label: String
        /// What stands behind the columns: chip, and the name of the device at the end.
        var name: String
        /// Counts, in the order of the table's CPUs; fewer where the line has fewer.
        var counts: [Int64] = []

        /// Reads a line byte by byte: on a large host there are 100,000 counts each second.
        init?(_ line: ArraySlice<UInt8>, _ isWanted: [Bool]) {
            guard let colon = line.firstIndex(of: 0x3A) else { return nil }
            label = String(decoding: line[..<colon], as: UTF8.self).trimming.description
            var at = colon + 1
            func skip() { while at < line.endIndex, line[at] == 0x20 { at += 1 } }
            skip()
            for isWanted in isWanted where at < line.endIndex {
                var value: Int64 = 0
                let start = at
                // What nobody wants is passed over, and not reckoned.
                while at < line.endIndex, 0x30...0x39 ~= line[at] {
                    if isWanted {
                        let (tens, isLarge) = value.multipliedReportingOverflow(by: 10)
                        let (sum, isLarger) = tens.addingReportingOverflow(Int64(line[at] - 0x30))
                        if isLarge || isLarger { return nil }
                        value = sum
                    }
                    at += 1
                }
                guard at > start, at == line.endIndex || line[at] == 0x20 else { return nil }
                if isWanted { counts.append(value) }
                skip()
            }
            name = String(decoding: line[at...], as: UTF8.self)
        }
    }

    /// The lines.
    var rows: [Row] = []
    /// The CPUs whose columns were read.
    private var cpus: [Int] = []

    /// Reads the columns of some CPUs, or of all; nil where it is no table.
    init?(_ seen: Observation?, _ path: String, on wanted: CPUSet? = nil) {
        // Of an array, not of the text: walking a text byte by byte takes ten times as long.
        var rest = Array((seen?.text(path) ?? "").utf8)[...]
        func line() -> ArraySlice<UInt8> {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            defer { rest = rest[end...].dropFirst() }
            return rest[..<end]
        }
        let head = String(decoding: line(), as: UTF8.self)
        guard !head.words.isEmpty else { return nil }
        var isWanted: [Bool] = []
        for word in head.words {
            guard word.hasPrefix("CPU"), let cpu = Int(word.dropFirst(3)) else { return nil }
            isWanted.append(wanted?.contains(cpu) != false)
            if isWanted.last == true { cpus.append(cpu) }
        }
        while !rest.isEmpty {
            let line = line()
            guard !line.isEmpty else { continue }
            guard let row = Row(line, isWanted) else { return nil }
            rows.append(row)
        }
    }

    /// What a line counted on a CPU; 0 where it has no such column.
    func count(_ row: Row, on cpu: Int) -> Int64 {
        guard let index = cpus.firstIndex(of: cpu), index < row.counts.count else { return 0 }
        return row.counts[index]
    }

    /// The sum of the chosen lines on a CPU; nil where the CPU has no column or it does not fit.
    func sum(on cpu: Int, _ isChosen: (Row) -> Bool) -> Int64? {
        guard cpus.contains(cpu), !rows.isEmpty else { return nil }
        return Observation.sum(rows.filter(isChosen).map { count($0, on: cpu) })
    }
}

/// A table now and the round before.
private struct InterruptChange {
    let path: String
    let old: InterruptTable?
    let new: InterruptTable?

    init(_ input: CheckInput, _ path: String, on cpus: CPUSet) {
        self.path = path
        old = InterruptTable(input.before, path, on: cpus)
        new = InterruptTable(input.now, path, on: cpus)
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

extension InterruptTable.Row {
    /// Whether a device has it; the kernel's own have letters.
    var isDevice: Bool { label.utf8.allSatisfy { 0x30...0x39 ~= $0 } }

    /// Whether the kernel spread it over CPUs itself and lets nobody move it: the queues of NVMe
    /// disks and of virtio disks.
    var isManaged: Bool {
        let device = name.split(separator: " ").last ?? ""
        return device.hasPrefix("nvme") && device.contains("q") && !device.hasSuffix("q0")
            || device.hasPrefix("virtio") && device.contains("-req.")
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
            { "devices interrupted CPU \(cpu) \(times($0)) a second\(names)" })
    }

    fileprivate func soft(_ cpu: Int, _ change: InterruptChange) -> Finding {
        rate(
            .softirqIntrusion, "cpu\(cpu)", source: change.path,
            fix: .advice([
                "move the interrupts and RPS masks behind it off CPU \(cpu): "
                    + "see cpu.irq-affinity and nic.rps"
            ]),
            from: change.old?.sum(on: cpu) { Self.softRows.contains($0.label) },
            to: change.new?.sum(on: cpu) { Self.softRows.contains($0.label) },
            { "network and disks made CPU \(cpu) work \(times($0)) a second" })
    }

    fileprivate func kernel(_ cpu: Int, _ change: InterruptChange) -> Finding {
        rate(
            .kernelInterrupts, "cpu\(cpu)", source: change.path,
            fix: .advice([
                "nohz_full=\(plan.hotCPUs) on the kernel's command line, for ticks",
                "perf trace -C \(cpu) -e 'irq_vectors:*', to see who calls",
            ]),
            from: change.old?.sum(on: cpu) { Self.kernelRows.contains($0.label) },
            to: change.new?.sum(on: cpu) { Self.kernelRows.contains($0.label) },
            { "the kernel interrupted CPU \(cpu) \(times($0)) a second" })
    }

    fileprivate func affinity(_ cpu: Int, _ table: InterruptTable?) -> Finding {
        let source = "/proc/irq/*/effective_affinity_list"
        guard let table, !table.rows.isEmpty else {
            return unknown(.irqAffinity, "cpu\(cpu)", source: "/proc/interrupts")
        }
        var near: [InterruptTable.Row] = []
        for row in table.rows where row.isDevice {
            let path = "/proc/irq/\(row.label)/effective_affinity_list"
            guard let text = now.text(path) else { continue }
            guard var cpus = CPUSet(list: text) else {
                return unknown(.irqAffinity, "cpu\(cpu)", source: path)
            }
            // One that was moved and has not fired since still has its old place there: it takes
            // the new one when it fires.
            if let asked = now.text("/proc/irq/\(row.label)/smp_affinity_list")
                .flatMap({ CPUSet(list: $0) }), !cpus.subtracting(asked).isEmpty
            {
                cpus = asked
            }
            if cpus.contains(cpu) { near.append(row) }
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
        guard let unit = now.units["irqbalance.service"] else {
            return unknown(.irqBalance, source: "systemd", "systemd does not tell of irqbalance")
        }
        guard unit.words[2] == "active" else {
            return Finding(
                .irqBalance, "", .ok, "irqbalance is \(unit.words[2])", source: "systemd")
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

    /// How interrupts get off the hot CPUs: a request each; what the kernel manages, by its command
    /// line.
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
