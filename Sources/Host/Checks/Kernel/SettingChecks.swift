// Settings of the kernel that disturb hot threads or memory. Numbers 141 … 149, 421 … 429.

import HelperAPI

extension CheckKind {
    static let workqueues = CheckKind(
        141, "cpu.workqueues",
        why: "The kernel runs deferred work on these CPUs, whatever else they do.")
    static let statInterval = CheckKind(
        142, "cpu.stat-interval", unit: "seconds", warning: 9, isWorseBelow: true,
        why: "At this interval the kernel updates memory statistics on each CPU.")
    static let numaBalancing = CheckKind(
        143, "cpu.numa-balancing", unit: "mode", warning: 1,
        why: "To learn who uses a page the kernel unmaps it, and the next access faults.")
    static let timerMigration = CheckKind(
        144, "cpu.timer-migration", unit: "mode", warning: 1,
        why: "Timers of idle CPUs move to busy ones, and a hot thread's CPU is always busy.")
    static let hugePageMode = CheckKind(
        421, "memory.transparent-huge-pages",
        why: "Set to always, a thread may wait while the kernel assembles a huge page for it.")
    static let pageMerging = CheckKind(
        422, "memory.ksm",
        why: "Merging equal pages takes CPU time, and a write to a merged page faults.")
    static let swappiness = CheckKind(
        423, "memory.swappiness", unit: "percent", warning: 11,
        why: "The higher it is, the sooner the kernel swaps memory of the exchange out.")
}

extension CheckGroup {
    /// How the kernel is set.
    static let settings = CheckGroup(
        "kernel.settings", seconds: 10,
        kinds: [
            .workqueues, .statInterval, .numaBalancing, .timerMigration, .hugePageMode,
            .pageMerging, .swappiness,
        ],
        sources: [
            Observation.onlinePath, "/sys/devices/virtual/workqueue/cpumask",
            "/proc/sys/vm/stat_interval", "/proc/sys/kernel/numa_balancing",
            "/proc/sys/kernel/timer_migration", "/sys/kernel/mm/transparent_hugepage/enabled",
            "/sys/kernel/mm/ksm/run", "/proc/sys/vm/swappiness",
        ]
    ) { input in
        [
            input.workqueues,
            input.parameter(.statInterval, "vm.stat_interval", 120) {
                "each CPU updates memory statistics every \($0) s"
            },
            // A kernel without it does not balance.
            input.parameter(.numaBalancing, "kernel.numa_balancing", 0, isOptional: true) {
                "NUMA balancing is \($0 == 0 ? "off" : "on")"
            },
            input.parameter(.timerMigration, "kernel.timer_migration", 0) {
                "timers \($0 == 0 ? "stay where they are" : "move to busy CPUs")"
            }, input.hugePageMode, input.merging,
            input.parameter(.swappiness, "vm.swappiness", 1) { "vm.swappiness is \($0)" },
        ].compactMap { $0 }
    }
}

extension CheckInput {
    /// A parameter that the helper may set.
    fileprivate func parameter(
        _ kind: CheckKind, _ name: String, _ wanted: Int, isOptional: Bool = false,
        _ text: (Int64) -> String
    ) -> Finding? {
        guard let path = HelperRequest.parameters.first(where: { $0.name == name })?.path else {
            return nil
        }
        if isOptional, now.text(path) == nil { return nil }
        return number(kind, at: path, fix: .change([.parameter(name: name, value: wanted)]), text)
    }

    fileprivate var workqueues: Finding? {
        let path = "/sys/devices/virtual/workqueue/cpumask"
        guard !plan.hotThreads.isEmpty else { return nil }
        guard let cpus = now.text(path).flatMap({ CPUSet(mask: $0) }) else {
            return unknown(.workqueues, source: path)
        }
        let hit = cpus.intersection(plan.hotCPUs)
        let rest = cpus.subtracting(plan.hotCPUs)
        return verdict(
            .workqueues, isRight: hit.isEmpty,
            hit.isEmpty ? "workqueues run on CPU \(cpus)" : "workqueues may run on CPU \(hit)",
            source: path,
            fix: (rest.isEmpty ? housekeeping : rest).map { .change([.workqueue(cpus: $0)]) })
    }

    fileprivate var hugePageMode: Finding {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled"
        guard let mode = now.text(path).flatMap({ KernelChoice.chosen(in: $0) }),
            ["always", "madvise", "never"].contains(mode)
        else { return unknown(.hugePageMode, source: path) }
        return verdict(
            .hugePageMode, isRight: mode != "always",
            "transparent huge pages are used \(Self.words[mode] ?? "")", source: path,
            fix: .change([.hugePages(mode: "madvise")]))
    }

    private static var words: [String: String] {
        ["always": "for all memory", "madvise": "on request", "never": "nowhere"]
    }

    fileprivate var merging: Finding? {
        let path = "/sys/kernel/mm/ksm/run"
        guard now.text(path) != nil else { return nil }
        guard let mode = now.number(path), 0...2 ~= mode else {
            return unknown(.pageMerging, source: path)
        }
        return verdict(
            .pageMerging, isRight: mode != 1, "pages are \(mode == 1 ? "" : "not ")merged",
            source: path, fix: .change([.parameter(name: "kernel.ksm", value: 2)]))
    }
}
