// What keeps a host from disturbing its hot threads: what is in place, what the agent can change
// while everything runs, and what only its owner can.

import AgentAPI
public import HelperAPI
public import JSON

/// The tuning of one host, for what its owner declared. Pure: the same input gives the same plan.
///
/// Most of it is what the checks find, so that a plan that is done leaves no alarm; beside them
/// stand the kernel's command line, the choice of the engine's CPU and the files that bring
/// settings back after a reboot.
public struct TunePlan: Sendable {
    /// What an item is about, in the order in which they are shown.
    public enum Topic: String, Sendable, CaseIterable {
        /// The CPUs of hot threads.
        case processors
        /// The kernel's command line.
        case boot
        /// Interrupts of devices.
        case interrupts
        /// Queues of network interfaces.
        case queues
        /// Frequency and idle states.
        case frequency
        /// Settings of the kernel.
        case kernel
        /// Settings of memory.
        case memory
        /// Files that bring settings back after a reboot.
        case files
    }

    /// The state of an item.
    public enum State: String, Sendable {
        /// In place.
        case done
        /// Not in place; the agent can change it while everything runs, or a file is missing.
        case change
        /// Not in place, and the owner has to act.
        case owner
        /// Cannot be read.
        case unknown
    }

    /// One requirement.
    public struct Item: Hashable, Sendable {
        /// What it is about.
        public var topic: Topic
        /// The check that looks at it, the kernel's argument, the key of bourse.toml or the file.
        public var name: String
        /// How it is.
        public var state: State
        /// What was found, in one sentence.
        public var text: String
        /// Why it matters, in one sentence.
        public var why: String
        /// The requests that the agent would send to its helper, under the check's name.
        public var requests: [HelperRequest] = []
        /// What its owner has to do, a line each.
        public var advice: [String] = []

        /// As JSON.
        public var json: JSONValue {
            [
                "topic": .string(topic.rawValue), "name": .string(name),
                "state": .string(state.rawValue), "text": .string(text), "why": .string(why),
                "requests": .array(requests.map { .string($0.line) }),
                "advice": .array(advice.map { .string($0) }),
            ]
        }
    }

    /// The CPUs of hot threads.
    public private(set) var hotCPUs: CPUSet
    /// The requirements, topic by topic.
    public private(set) var items: [Item]
    /// The kernel's command line.
    public private(set) var boot: BootPlan
    /// The files that bring settings back after a reboot, and those that are there and no longer
    /// belong there.
    public private(set) var files: [TuneFile]

    /// Whether nothing is left to do; what cannot be read does not count.
    public var isDone: Bool { items.allSatisfy { $0.state == .done || $0.state == .unknown } }

    /// The sources; read twice, a moment apart, where rates are needed.
    public static func sources(_ plan: HostPlan) -> [String] {
        groups.flatMap(\.sources) + BootPlan.sources + EngineCPU.sources + TuneFile.sources(plan)
    }

    /// The plan for what was read.
    public init(_ input: CheckInput) {
        let findings = Self.groups.flatMap { $0.run(input) }.filter { finding in
            Self.topics[finding.kind] != nil && !input.plan.off.contains(finding.kind.name)
        }
        hotCPUs = input.plan.hotCPUs
        boot = BootPlan(input)
        files = TuneFile.all(input, findings)
        let all =
            EngineCPU.items(input) + boot.items + findings.compactMap(Self.item) + files.map(\.item)
        items = Topic.allCases.flatMap { topic in all.filter { $0.topic == topic } }
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "cpus": .string("\(hotCPUs)"), "done": .bool(isDone),
            "items": .array(items.map(\.json)), "boot": boot.json,
            "files": .array(files.map(\.json)),
        ]
    }

    // MARK: What the checks find

    private static var groups: [CheckGroup] {
        [.threads, .isolation, .irqAffinity, .frequency, .settings, .queues]
    }

    /// The kinds that are settings, not measurements or faults.
    private static var topics: [CheckKind: Topic] {
        [
            .threadAffinity: .processors, .sibling: .processors, .numaDistance: .processors,
            .irqAffinity: .interrupts, .irqBalance: .interrupts,
            .channels: .queues, .rings: .queues, .coalescing: .queues, .offloads: .queues,
            .spread: .queues, .receiveSteering: .queues, .sendSteering: .queues,
            .governor: .frequency, .energyPreference: .frequency, .deepIdle: .frequency,
            .workqueues: .kernel, .statInterval: .kernel, .numaBalancing: .kernel,
            .timerMigration: .kernel,
            .hugePageMode: .memory, .pageMerging: .memory, .swappiness: .memory,
        ]
    }

    private static func item(_ finding: Finding) -> Item? {
        guard let topic = topics[finding.kind] else { return nil }
        var item = Item(
            topic: topic, name: finding.name, state: .done, text: finding.text,
            why: finding.kind.why)
        switch (finding.state, finding.fix) {
        case (.ok, _): break
        case (.unknown, _): item.state = .unknown
        case (_, .change(let requests)):
            item.state = .change
            item.requests = requests
        case (_, .advice(let lines)):
            item.state = .owner
            // Interrupts that the kernel manages follow the isolated CPUs of its command line.
            item.advice =
                finding.kind == .irqAffinity
                ? ["isolcpus=managed_irq,… on the kernel's command line moves them"] : lines
        case (_, nil): item.state = .owner
        }
        return item
    }
}

/// Which CPU the engine has, or should have.
enum EngineCPU {
    static let sources = [
        Observation.onlinePath, "/sys/devices/system/cpu/isolated",
        "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list",
        "/sys/devices/system/node/node*/cpulist", "/sys/class/net/{nic}/device/numa_node",
        "/sys/block/{disk}/device/numa_node",
    ]

    private static var why: String {
        "An engine that shares its CPU waits for the other tasks on it."
    }

    /// What is wrong with the declared CPUs, or which one to declare.
    static func items(_ input: CheckInput) -> [TunePlan.Item] {
        func item(_ state: TunePlan.State, _ text: String, _ advice: [String] = []) -> TunePlan.Item
        {
            TunePlan.Item(
                topic: .processors, name: "matchd.cpu", state: state, text: text, why: why,
                advice: advice)
        }
        guard let online = input.now.onlineCPUs, !online.isEmpty else {
            return [item(.unknown, "\(Observation.onlinePath) is missing")]
        }
        let count = some(Int64(online.numbers.count), "CPU")
        let hot = input.plan.hotCPUs
        guard hot.isEmpty else {
            let gone = hot.subtracting(online)
            if !gone.isEmpty {
                return [
                    item(
                        .owner, "CPU \(gone) is declared, but is not online",
                        ["boursectl init --cpu N, with one of \(online)"])
                ]
            }
            if hot.contains(0) {
                return [
                    item(
                        .owner, "CPU 0 is declared, but has kernel work that cannot move",
                        ["boursectl init --cpu N, with N other than 0"])
                ]
            }
            guard let rest = input.housekeeping else {
                return [
                    item(
                        .owner, "CPU \(hot) is declared, but none is left for everything else",
                        ["boursectl init --cpu -1"])
                ]
            }
            return [item(.done, "hot threads have CPU \(hot), everything else has CPU \(rest)")]
        }
        guard online.numbers.count > 2, let (cpu, reasons) = best(input, online) else {
            return [item(.done, "with \(count) none can be spared for the engine")]
        }
        return [
            item(
                .owner,
                "the engine has no CPU of its own; CPU \(cpu) would do: "
                    + reasons.joined(separator: ", "),
                ["boursectl init --cpu \(cpu)", "boursectl tune plan"])
        ]
    }

    /// The CPU to declare, and why it: off the core of CPU 0, the first of its core, isolated
    /// already or near interface or disk where one is; the last of these.
    private static func best(
        _ input: CheckInput, _ online: CPUSet
    ) -> (cpu: Int, reasons: [String])? {
        func core(_ cpu: Int) -> CPUSet {
            let folder = "/sys/devices/system/cpu/cpu\(cpu)/topology"
            return input.now.text("\(folder)/thread_siblings_list").flatMap { CPUSet(list: $0) }
                ?? CPUSet([cpu])
        }
        let fitting = online.numbers.filter { cpu in
            let core = core(cpu)
            return !core.contains(0) && cpu > 0 && core.numbers.first ?? cpu == cpu
        }
        let isolated = input.now.text("/sys/devices/system/cpu/isolated")
            .flatMap { CPUSet(list: $0) }
        let isIsolated = fitting.contains { isolated?.contains($0) == true }
        let device = isIsolated ? nil : near(input)
        let close = fitting.filter {
            isIsolated ? isolated?.contains($0) == true : device?.cpus.contains($0) != false
        }
        guard let cpu = close.last ?? fitting.last else { return nil }
        var reasons = ["it is not CPU 0"]
        if isIsolated { reasons.append("it is isolated already") }
        let others = core(cpu).subtracting(CPUSet([cpu]))
        reasons.append(
            others.isEmpty
                ? "it has its core to itself"
                : "its core has CPU \(others) as well, which must stay idle")
        if let device, close.last == cpu { reasons.append("it is on the node of \(device.name)") }
        return (cpu, reasons)
    }

    /// The CPUs of the node of the first interface that has one, else of the first disk.
    private static func near(_ input: CheckInput) -> (name: String, cpus: CPUSet)? {
        let devices =
            input.now.nics(input.plan).map { ($0.name, "/sys/class/net/\($0.name)") }
            + input.now.disks.map { ($0, "/sys/block/\($0)") }
        for (name, folder) in devices {
            guard let node = input.now.number("\(folder)/device/numa_node"), node >= 0,
                let list = input.now.text("/sys/devices/system/node/node\(node)/cpulist"),
                let cpus = CPUSet(list: list)
            else { continue }
            return (name, cpus)
        }
        return nil
    }
}
