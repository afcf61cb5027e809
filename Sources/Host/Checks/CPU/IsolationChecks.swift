// What else may run on the CPUs of hot threads, and what slows them. Numbers 111 … 119.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let isolation = CheckKind(
        111, "cpu.isolation",
        why: "On a CPU that is not isolated the kernel runs other work between orders.")
    static let sibling = CheckKind(
        112, "cpu.smt-sibling", unit: "percent", warning: 5, critical: 20,
        why: "Two hardware threads share one core: what runs on the other one slows this one.")
    static let steal = CheckKind(
        113, "cpu.steal", unit: "per-mille", warning: 1, critical: 10,
        why: "The hypervisor gave this time to other guests.")
    static let throttling = CheckKind(
        114, "cpu.throttling", unit: "per-minute", warning: 1, critical: 60,
        why: "A CPU that is too hot, or has too little power, slows itself down.")
    static let numaDistance = CheckKind(
        115, "cpu.numa",
        why: "Packets of an interface on another node cross the link between processors.")
}

extension CheckGroup {
    /// What the kernel, the processor and the hypervisor take from the hot CPUs.
    static let isolation = CheckGroup(
        "cpu.isolation", seconds: 10,
        kinds: [.isolation, .sibling, .steal, .throttling, .numaDistance],
        sources: [
            "/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/nohz_full",
            "/proc/cmdline", CPUTimes.path, Observation.onlinePath,
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
        if missing.isEmpty, let unreadable = parts.firstIndex(where: { $0.1 == nil }) {
            return unknown(.isolation, subject, source: sources[unreadable])
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
                .sibling, "cpu\(cpu)", .ok, value: 0, "CPU \(cpu) has its core to itself",
                source: path)
        }
        return share(
            of: others, .sibling, "cpu\(cpu)", per: 100, { $0.busy },
            fix: .advice(others.numbers.map { "echo 0 > /sys/devices/system/cpu/cpu\($0)/online" })
        ) { "CPU \(others), on the core of CPU \(cpu), is busy \($0) % of the time" }
    }

    fileprivate var steal: Finding {
        let watched = now.watchedCPUs(plan)
        guard !watched.isEmpty else { return unknown(.steal, source: Observation.onlinePath) }
        return share(
            of: watched, .steal, per: 1_000, { $0.steal },
            fix: .advice(["on the hypervisor: give each virtual CPU a physical one"])
        ) { "the hypervisor took \($0) ‰ of the time of CPU \(watched)" }
    }

    /// A finding of how a part of the time of CPUs grew against all of it.
    private func share(
        of cpus: CPUSet, _ kind: CheckKind, _ subject: String = "", per whole: Int64,
        _ part: (CPUTimes) -> Int64, fix: Fix, _ text: (Int64) -> String
    ) -> Finding {
        let source = CPUTimes.path
        let (old, new) = (before?.cpuTimes(cpus) ?? [:], now.cpuTimes(cpus))
        func grown(_ time: (CPUTimes) -> Int64) -> Growth {
            growth(
                from: Observation.sum(cpus.numbers.map { old[$0].map(time) }),
                to: Observation.sum(cpus.numbers.map { new[$0].map(time) }))
        }
        switch (grown(part), grown { $0.total }) {
        case (.by(let some), .by(let all)) where all > 0:
            let share = Int64(clamping: Int128(some) * Int128(whole) / Int128(all))
            return finding(kind, subject, value: share, text(share), source: source, fix: fix)
        case (.unreadable, _), (_, .unreadable): return unknown(kind, subject, source: source)
        default:
            return unknown(kind, subject, source: source, "\(source) was read once: no rate yet")
        }
    }

    fileprivate func throttling(_ cpu: Int) -> Finding? {
        let folder = "/sys/devices/system/cpu/cpu\(cpu)/thermal_throttle"
        let paths = ["\(folder)/core_throttle_count", "\(folder)/package_throttle_count"]
        guard paths.contains(where: { now.text($0) != nil }) else { return nil }
        return rate(
            .throttling, "cpu\(cpu)", over: 60, source: paths[0],
            fix: .advice(["check fans, heat sinks and the power limit of the processor"]),
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
                : "\(nic.name) is on node \(node), but CPU \(far) of hot threads is not",
            source: path,
            fix: .advice([
                "declare hot threads for CPUs of node \(node): \(here)",
                "or move the interface to a slot of their node",
            ]))
    }
}
