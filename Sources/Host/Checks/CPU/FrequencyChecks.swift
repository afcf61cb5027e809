// How fast CPUs are, and how fast they wake. Numbers 131 … 139.

import HelperAPI

extension CheckKind {
    static let governor = CheckKind(
        131, "cpu.governor",
        why: "A governor that saves power leaves a CPU slow when a burst of orders begins.")
    static let energyPreference = CheckKind(
        132, "cpu.energy-preference",
        why: "The processor itself lowers its speed when it is set to save energy.")
    static let deepIdle = CheckKind(
        133, "cpu.deep-idle", unit: "percent", warning: 1, critical: 50,
        why: "Waking from a deep sleep takes a CPU up to hundreds of microseconds.")
}

extension CheckGroup {
    /// Frequency and idle states of the hot CPUs, of all where none is declared.
    static let frequency = CheckGroup(
        "cpu.frequency", seconds: 10, kinds: [.governor, .energyPreference, .deepIdle],
        sources: [
            Observation.onlinePath, "/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor",
            "/sys/devices/system/cpu/cpu{cpu}/cpufreq/energy_performance_preference",
            "/sys/devices/system/cpu/cpu{cpu}/cpuidle/state*/latency",
            "/sys/devices/system/cpu/cpu{cpu}/cpuidle/state*/time",
        ] + CheckInput.virtualSources
    ) { input in
        let cpus = input.now.watchedCPUs(input.plan).numbers
        // On a virtual machine the hypervisor sets the frequency, and does not report it.
        return [
            input.setting(.governor, "scaling_governor", cpus, isOptional: input.isVirtual) {
                .governor(cpu: $0, name: "performance")
            },
            input.setting(
                .energyPreference, "energy_performance_preference", cpus, isOptional: true
            ) { .energy(cpu: $0, name: "performance") },
        ].compactMap { $0 } + input.plan.hotCPUs.numbers.compactMap(input.deepIdle)
    }
}

extension CheckInput {
    /// The kernel's governors, and the energy preferences of its drivers.
    private static var modes: Set<Substring> {
        [
            "performance", "powersave", "ondemand", "conservative", "schedutil", "userspace",
            "default", "balance_performance", "balance_power", "power",
        ]
    }

    /// The setting of CPUs in a file of their `cpufreq`, which should be `performance`.
    fileprivate func setting(
        _ kind: CheckKind, _ file: String, _ cpus: [Int], isOptional: Bool,
        _ request: (Int) -> HelperRequest
    ) -> Finding? {
        func path(_ cpu: Int) -> String { "/sys/devices/system/cpu/cpu\(cpu)/cpufreq/\(file)" }
        let set = cpus.map { (cpu: $0, name: now.text(path($0))?.trimming) }
        if isOptional, set.allSatisfy({ $0.name == nil }) { return nil }
        guard let first = set.first else { return unknown(kind, source: Observation.onlinePath) }
        if let unreadable = set.first(where: { !Self.modes.contains($0.name ?? "") }) {
            return unknown(kind, source: path(unreadable.cpu))
        }
        let wrong = set.filter { $0.name != "performance" }
        let names = Set(wrong.compactMap(\.name)).sorted().joined(separator: ", ")
        return verdict(
            kind, isRight: wrong.isEmpty,
            wrong.isEmpty
                ? "CPU \(CPUSet(cpus)) is set to performance"
                : "CPU \(CPUSet(wrong.map(\.cpu))) is set to \(names), not to performance",
            source: path(wrong.first?.cpu ?? first.cpu),
            fix: .change(wrong.map { request($0.cpu) }))
    }

    /// Time in states from which waking takes more than 10 µs. A CPU without idle states never
    /// sleeps: there is nothing to find.
    fileprivate func deepIdle(_ cpu: Int) -> Finding? {
        let folder = "/sys/devices/system/cpu/cpu\(cpu)/cpuidle"
        let states = now.names(folder, beginning: "state")
        guard !states.isEmpty else { return nil }
        var deep: [String] = []
        for state in states {
            guard let latency = now.number("\(folder)/\(state)/latency"), latency >= 0 else {
                return unknown(.deepIdle, "cpu\(cpu)", source: "\(folder)/\(state)/latency")
            }
            if latency > 10 { deep.append("\(folder)/\(state)/time") }
        }
        let source = deep.last ?? "\(folder)/state0/latency"
        switch growth({ seen in Observation.sum(deep.map { seen.number($0) }) }) {
        case .unreadable: return unknown(.deepIdle, "cpu\(cpu)", source: source)
        case .first:
            return unknown(
                .deepIdle, "cpu\(cpu)", source: source, "\(source) was read once: no rate yet")
        case .by(let micros):
            let share = Int128(micros) * 100_000 / Int128(elapsedNanos ?? 1)
            let percent = Int64(clamping: share)
            return finding(
                .deepIdle, "cpu\(cpu)", value: percent,
                "CPU \(cpu) spent \(percent) % of the time in deep idle states", source: source,
                fix: .change([.wakeupLatency(micros: 0)]))
        }
    }
}
