// What else may run on the CPUs of hot threads, and what slows them. Numbers 111 … 119.

import HelperAPI

extension CheckKind {
    static let isolation = CheckKind(
        111, "cpu.isolation",
        why: "On a CPU that is not isolated the kernel runs other work between two orders.")
    static let sibling = CheckKind(
        112, "cpu.smt-sibling", unit: "percent", warning: 5, critical: 20,
        why: "Two hardware threads share one core: what runs on the other one slows this one.")
    static let steal = CheckKind(
        113, "cpu.steal", unit: "per-mille", warning: 1, critical: 10,
        why: "It is time that the hypervisor gave to other guests.")
    static let throttling = CheckKind(
        114, "cpu.throttling", unit: "per-minute", warning: 1, critical: 60,
        why: "A CPU that is too hot, or has too little power, slows itself down.")
    static let numaDistance = CheckKind(
        115, "cpu.numa",
        why: "Packets of an interface on another node cross the link between processors.")
}

extension CheckGroup {
    /// What the kernel, the processor and the hypervisor leave of the hot CPUs.
    static let isolation = CheckGroup(
        "cpu.isolation", seconds: 10,
        kinds: [.isolation, .sibling, .steal, .throttling, .numaDistance],
        sources: [
            "/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/nohz_full",
            "/proc/cmdline", "/proc/stat", Observation.onlinePath,
            "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list",
            "/sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count",
            "/sys/devices/system/cpu/cpu{cpu}/thermal_throttle/package_throttle_count",
            "/sys/devices/system/node/node*/cpulist", "/sys/class/net/{nic}/device/numa_node",
        ]
    ) { input in
        let hot = input.plan.hotCPUs.numbers
        return hot.map(input.isolation) + hot.map(input.sibling) + [input.steal]
            + input.now.watchedCPUs(input.plan).numbers.compactMap(input.throttling)
            + input.now.nics(input.plan).compactMap(input.numaDistance)
    }
}

extension CheckInput {
    /// A list of CPUs in a file; the kernel writes `(null)` where a mask was never made.
    fileprivate func cpus(_ path: String) -> CPUSet? {
        guard let text = now.text(path) else { return nil }
        return text.trimming == "(null)" ? CPUSet([]) : CPUSet(list: text)
    }

    fileprivate func isolation(_ cpu: Int) -> Finding {
        let folder = "/sys/devices/system/cpu"
        let subject = "cpu\(cpu)"
        let sources = ["\(folder)/isolated", "\(folder)/nohz_full", "/proc/cmdline"]
        let isolated = cpus(sources[0])
        let tickless = cpus(sources[1])
        let callbacks: CPUSet? =
            switch now.argument("rcu_nocbs") {
            case nil: now.text(sources[2]) == nil ? nil : tickless
            case "all": CPUSet([cpu])
            case .some(let list):
                CPUSet(list: list).map { CPUSet($0.numbers + (tickless?.numbers ?? [])) }
            }
        // nohz_full= moves the callbacks too.
        let parts = [("isolcpus", isolated), ("nohz_full", tickless), ("rcu_nocbs", callbacks)]
        let missing = parts.filter { $0.1?.contains(cpu) == false }.map(\.0)
        if missing.isEmpty, let blind = parts.firstIndex(where: { $0.1 == nil }) {
            return unknown(.isolation, subject, source: sources[blind])
        }
        let all = plan.hotCPUs
        return verdict(
            .isolation, subject, isRight: missing.isEmpty,
            missing.isEmpty
                ? "CPU \(cpu) is isolated, without ticks and callbacks"
                : "CPU \(cpu) has a hot thread and is not in \(missing.joined(separator: ", "))",
            source: sources[0],
            fix: .advice([
                "in /etc/default/grub, GRUB_CMDLINE_LINUX: isolcpus=domain,managed_irq,\(all) "
                    + "nohz_full=\(all) rcu_nocbs=\(all)", "update-grub", "reboot",
            ]))
    }

    fileprivate func sibling(_ cpu: Int) -> Finding {
        let path = "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
        guard let core = cpus(path), core.contains(cpu) else {
            return unknown(.sibling, "cpu\(cpu)", source: path)
        }
        let others = core.subtracting(CPUSet([cpu]))
        guard !others.isEmpty else {
            return Finding(
                .sibling, "cpu\(cpu)", .ok, value: 0, "CPU \(cpu) has its core for itself",
                source: path)
        }
        let share = share(of: others.numbers, "cpu\(cpu)", .sibling, per: 100) { $0.busy }
        switch share {
        case .failure(let finding): return finding
        case .success(let percent):
            return finding(
                .sibling, "cpu\(cpu)", value: percent,
                "CPU \(others) is busy for \(percent) % on the core of CPU \(cpu)",
                source: "/proc/stat",
                fix: .advice(
                    others.numbers.map { "echo 0 > /sys/devices/system/cpu/cpu\($0)/online" }))
        }
    }

    fileprivate var steal: Finding {
        let watched = now.watchedCPUs(plan).numbers
        guard !watched.isEmpty else { return unknown(.steal, source: Observation.onlinePath) }
        switch share(of: watched, "", .steal, per: 1_000, { $0.steal }) {
        case .failure(let finding): return finding
        case .success(let share):
            return finding(
                .steal, value: share,
                "the hypervisor took \(share) ‰ of the time of CPU \(CPUSet(watched))",
                source: "/proc/stat",
                fix: .advice(["on the hypervisor: give each virtual CPU a physical one"]))
        }
    }

    /// How a part of the time of CPUs grew against all of it, or why that cannot be said.
    private func share(
        of cpus: [Int], _ subject: String, _ kind: CheckKind, per whole: Int64,
        _ part: (CPUTimes) -> Int64
    ) -> Result<Int64, Blind> {
        func grown(_ of: (CPUTimes) -> Int64) -> Growth {
            growth { seen in
                let times = CPUTimes.of(cpus, in: seen)
                return Observation.sum(cpus.map { times[$0].map(of) })
            }
        }
        switch (grown(part), grown { $0.total }) {
        case (.by(let some), .by(let all)) where all > 0:
            return .success(Int64(clamping: Int128(some) * Int128(whole) / Int128(all)))
        case (.unreadable, _), (_, .unreadable):
            return .failure(unknown(kind, subject, source: "/proc/stat"))
        default:
            return .failure(
                unknown(
                    kind, subject, source: "/proc/stat", "/proc/stat was read once: no rate yet"))
        }
    }

    fileprivate func throttling(_ cpu: Int) -> Finding? {
        let folder = "/sys/devices/system/cpu/cpu\(cpu)/thermal_throttle"
        let paths = ["\(folder)/core_throttle_count", "\(folder)/package_throttle_count"]
        guard paths.contains(where: { now.text($0) != nil }) else { return nil }
        return rate(
            .throttling, "cpu\(cpu)", over: 60, source: paths[0],
            fix: .advice(["look at fans, heat sinks and the power limit of the processor"]),
            of: { seen in Observation.sum(paths.map { seen.number($0) }) },
            { "CPU \(cpu) slowed itself down \(times($0)) a minute" })
    }

    fileprivate func numaDistance(_ nic: HostPlan.Interface) -> Finding? {
        let path = "/sys/class/net/\(nic.name)/device/numa_node"
        let nodes = now.names("/sys/devices/system/node", beginning: "node")
        guard !plan.hotThreads.isEmpty, now.text(path) != nil, !nodes.isEmpty else { return nil }
        guard let node = now.number(path), node >= -1 else {
            return unknown(.numaDistance, nic.name, source: path)
        }
        if node == -1 { return nil }
        let near = "/sys/devices/system/node/node\(node)/cpulist"
        guard let here = cpus(near) else { return unknown(.numaDistance, nic.name, source: near) }
        let far = plan.hotCPUs.subtracting(here)
        return verdict(
            .numaDistance, nic.name, isRight: far.isEmpty,
            far.isEmpty
                ? "\(nic.name) and the hot threads are on node \(node)"
                : "\(nic.name) is on node \(node), CPU \(far) of hot threads is not",
            source: path,
            fix: .advice([
                "declare hot threads for CPUs of node \(node): \(here)",
                "or put the interface into a slot of their node",
            ]))
    }
}

/// Why a share cannot be said: the finding that tells so.
private typealias Blind = Finding
extension Finding: Error {}

/// A line of `/proc/stat`, in ticks (proc_stat(5)).
private struct CPUTimes {
    var total: Int64
    var idle: Int64
    var steal: Int64
    var busy: Int64 { total - idle }

    init?(_ words: [Substring]) {
        guard words.count >= 9 else { return nil }
        let times = words[1...8].map { Observation.count($0) }
        guard let total = Observation.sum(times), let idle = Observation.sum([times[3], times[4]]),
            let steal = times[7]
        else { return nil }
        self.total = total
        self.idle = idle
        self.steal = steal
    }

    static func of(_ cpus: [Int], in seen: Observation) -> [Int: CPUTimes] {
        var all: [Int: CPUTimes] = [:]
        for line in seen.lines("/proc/stat") {
            guard line.hasPrefix("cpu") else { break }
            let name = line.dropFirst(3).prefix { $0 != " " }
            guard let cpu = Int(name), cpus.contains(cpu) else { continue }
            all[cpu] = CPUTimes(line.words)
        }
        return all
    }
}
