// The queues of interfaces: how many, how long, who serves them. Numbers 221 … 239.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let channels = CheckKind(
        221, "nic.channels", unit: "queues",
        why: "With another number of queues their interrupts fall on other CPUs than planned.")
    static let rings = CheckKind(
        222, "nic.rings", unit: "slots", warning: 255, isWorseBelow: true,
        why: "A short receive ring overflows in a burst.")
    static let coalescing = CheckKind(
        223, "nic.coalescing", unit: "microseconds",
        why: "The interface waits for more packets before it reports the first.")
    static let offloads = CheckKind(
        224, "nic.offloads",
        why: "Aggregated packets wait for others; checksums in software cost time.")
    static let spread = CheckKind(
        225, "nic.rss", why: "A queue that gets no packets leaves its share to the others.")
    static let queueInterrupts = CheckKind(
        226, "nic.queue-interrupts", unit: "interrupts",
        why: "Queues that share an interrupt are served one after the other, on one CPU.")
    static let queueDrops = CheckKind(
        227, "nic.queue-drops", unit: "per-second", warning: 1, critical: 100,
        why: "A queue that overflows is hidden in the total, but not from its clients.")
    static let receiveSteering = CheckKind(
        228, "nic.rps", why: "Software hands packets to these CPUs, hot ones included.")
    static let sendSteering = CheckKind(
        229, "nic.xps", why: "What a hot CPU sends is completed on it, by softirqs.")
    static let timestamping = CheckKind(
        230, "nic.timestamping", why: "Without hardware timestamps PTP is no better than NTP.")
}

extension CheckGroup {
    /// How each interface hands packets to CPUs.
    static let queues = CheckGroup(
        "nic.queues", seconds: 10,
        kinds: [
            .channels, .rings, .coalescing, .offloads, .spread, .queueInterrupts, .queueDrops,
            .receiveSteering, .sendSteering, .timestamping,
        ],
        sources: [
            "channels", "rings", "coalesce", "features", "rss", "stats", "timestamping",
        ].map { EthernetReading.path("{nic}", $0) } + [
            "/sys/class/net/", "/sys/class/net/{nic}/device/msi_irqs/",
            "/sys/class/net/{nic}/queues/rx-*/rps_cpus",
            "/sys/class/net/{nic}/queues/tx-*/xps_cpus",
        ] + CheckInput.virtualSources
    ) { input in
        input.now.nics(input.plan)
            .filter { input.now.names("/sys/class/net")?.contains($0.name) == true }
            .flatMap { QueueCheck(input: input, nic: $0).findings }
    }
}

private struct QueueCheck {
    let input: CheckInput
    let nic: HostPlan.Interface
    var name: String { nic.name }

    var findings: [Finding] {
        [
            channels, rings, coalescing, offloads, spread, interrupts, drops,
            steering(.receiveSteering, "rx", "rps"), steering(.sendSteering, "tx", "xps"),
            timestamping,
        ].compactMap { $0 }
    }

    func probe(_ topic: String) -> String { EthernetReading.path(name, topic) }

    /// The value of a topic, read by `read`; nil where it is missing or cannot be parsed.
    func read<Value>(_ topic: String, _ read: (String) -> Value?) -> Value? {
        input.now.text(probe(topic)).flatMap(read)
    }

    /// Combined queues, or those for receiving; nil: not known.
    var queueCount: Int64? { read("channels", EthernetReading.queues) }

    var channels: Finding? {
        let source = probe("channels")
        guard let wanted = nic.channels else { return nil }
        guard let count = queueCount else { return input.unknown(.channels, name, source: source) }
        let isRight = count == Int64(wanted)
        return Finding(
            .channels, name, isRight ? .ok : .warning, value: count,
            "\(name) has \(count) queues and is declared for \(wanted)", source: source,
            fix: isRight ? nil : .change([.channels(nic: name, count: wanted)]))
    }

    /// Unknown where a topic cannot be read; nil on a virtual interface, which need not offer it
    /// unless it is declared.
    private func absence(_ kind: CheckKind, _ topic: String, isDeclared: Bool) -> Finding? {
        let isMissed = isDeclared || !input.isVirtual || input.now.text(probe(topic)) != nil
        return isMissed ? input.unknown(kind, name, source: probe(topic)) : nil
    }

    var rings: Finding? {
        let source = probe("rings")
        guard let (slots, most) = read("rings", EthernetReading.receiveRing) else {
            return absence(.rings, "rings", isDeclared: nic.ring != nil)
        }
        let text = "the receive ring of \(name) has \(slots) of at most \(most) slots"
        let fix = Fix.advice(["ethtool -G \(name) rx \(nic.ring ?? min(most, 1_024))"])
        guard let wanted = nic.ring else {
            // A ring that is as long as it can be is not too short.
            if slots == most {
                return Finding(.rings, name, .ok, value: slots, text, source: source)
            }
            return input.finding(.rings, name, value: slots, text, source: source, fix: fix)
        }
        return Finding(
            .rings, name, slots == wanted ? .ok : .warning, value: slots,
            "\(text) and is declared for \(wanted)", source: source,
            fix: slots == wanted ? nil : fix)
    }

    var coalescing: Finding? {
        let source = probe("coalesce")
        guard let (micros, isAdaptive) = read("coalesce", EthernetReading.coalescing)
        else { return absence(.coalescing, "coalesce", isDeclared: nic.coalesceMicros != nil) }
        let wanted = nic.coalesceMicros ?? 50
        let isRight = !isAdaptive && micros <= wanted
        let mode = isAdaptive ? "an adaptive time" : "up to \(micros) µs"
        return Finding(
            .coalescing, name, isRight ? .ok : .warning, value: micros,
            "\(name) waits \(mode) for more packets; the plan allows \(wanted) µs", source: source,
            fix: isRight ? nil : .advice(["ethtool -C \(name) adaptive-rx off rx-usecs \(wanted)"]))
    }

    var offloads: Finding {
        let source = probe("features")
        let features = read("features", EthernetReading.features) ?? [:]
        guard let checksums = features["rx-checksum"] else {
            return input.unknown(.offloads, name, source: source)
        }
        let short = ["rx-lro": "lro", "rx-gro-hw": "rx-gro-hw"]
        let gathering = short.keys.sorted().filter { features[$0] == true }
        let wrong = gathering + (checksums ? [] : ["rx-checksum"])
        return input.verdict(
            .offloads, name, isRight: wrong.isEmpty,
            wrong.isEmpty
                ? "\(name) aggregates no packets and verifies checksums"
                : "\(name) has wrong settings: \(wrong.joined(separator: ", "))", source: source,
            fix: .advice(
                gathering.map { "ethtool -K \(name) \(short[$0] ?? $0) off" }
                    + (checksums ? [] : ["ethtool -K \(name) rx on"])))
    }

    /// One queue needs no table.
    var spread: Finding? {
        let source = probe("rss")
        guard let count = queueCount, count > 1, count <= 4_096 else { return nil }
        guard let entries = EthernetReading.spread(input.now.text(source) ?? "") else {
            return input.unknown(.spread, name, source: source)
        }
        guard !entries.isEmpty else { return absence(.spread, "rss", isDeclared: false) }
        let idle = (0..<count).filter { entries[$0] ?? 0 == 0 }.map { "\($0)" }
        return input.verdict(
            .spread, name, isRight: idle.isEmpty,
            idle.isEmpty
                ? "packets of \(name) are spread over \(count) queues"
                : "no packets of \(name) go to queue \(idle.prefix(8).joined(separator: ", "))",
            source: source, fix: .advice(["ethtool -X \(name) equal \(count)"]))
    }

    /// A device of a hypervisor has its interrupts elsewhere.
    var interrupts: Finding? {
        let source = "/sys/class/net/\(name)/device/msi_irqs"
        guard let count = queueCount, !input.isVirtual else { return nil }
        guard let own = input.now.names(source) else {
            return input.unknown(.queueInterrupts, name, source: source)
        }
        let isRight = own.count >= count
        return Finding(
            .queueInterrupts, name, isRight ? .ok : .warning, value: Int64(own.count),
            "\(name) has \(own.count) interrupts for \(count) queues", source: source,
            fix: isRight
                ? nil
                : .advice([
                    "dmesg | grep -iE 'msi-?x|\(name)'", "ethtool -L \(name) combined \(own.count)",
                ]))
    }

    var drops: Finding? {
        let source = probe("stats")
        guard input.now.text(source) != nil else {
            return absence(.queueDrops, "stats", isDeclared: false)
        }
        guard let new = read("stats", EthernetReading.queueLosses) else {
            return input.unknown(.queueDrops, name, source: source)
        }
        guard !new.isEmpty else { return nil }
        let old = input.before?.text(source).flatMap(EthernetReading.queueLosses) ?? [:]
        func grown(_ name: String) -> Int64 { (new[name] ?? 0) - (old[name] ?? new[name] ?? 0) }
        let worst =
            new.keys.sorted().max { grown($0) < grown($1) }
            .flatMap { grown($0) > 0 ? ": " + $0.prefix(40) : nil } ?? ""
        return input.rate(
            .queueDrops, name, source: source,
            fix: .advice(["ethtool -S \(name) | grep -i drop", "see nic.rings and nic.rss"]),
            from: Observation.sum(old.isEmpty ? [nil] : old.values.map { $0 }),
            to: Observation.sum(new.values.map { $0 }),
            { "queues of \(name) dropped \(some($0, "packet")) a second\(worst)" })
    }

    /// A file that cannot be read belongs to an interface with one queue.
    private func steering(_ kind: CheckKind, _ side: String, _ verb: String) -> Finding? {
        let folder = "/sys/class/net/\(name)/queues"
        guard !input.plan.hotThreads.isEmpty else { return nil }
        guard input.now.names(folder) != nil else {
            return input.unknown(kind, name, source: folder)
        }
        var requests: [HelperRequest] = []
        var isThere = false
        for queue in input.now.names(folder, beginning: side + "-") {
            let path = "\(folder)/\(queue)/\(verb)_cpus"
            guard let text = input.now.text(path) else { continue }
            guard let cpus = CPUSet(mask: text), let number = Int(queue.dropFirst(3)) else {
                return input.unknown(kind, name, source: path)
            }
            isThere = true
            let rest = cpus.subtracting(input.plan.hotCPUs)
            if rest == cpus { continue }
            requests.append(
                kind == .receiveSteering
                    ? .rps(nic: name, queue: number, cpus: rest)
                    : .xps(nic: name, queue: number, cpus: rest))
        }
        guard isThere else { return nil }
        return input.verdict(
            kind, name, isRight: requests.isEmpty,
            requests.isEmpty
                ? "no \(side) queue of \(name) is steered to CPU \(input.plan.hotCPUs)"
                : "hot CPUs serve \(some(Int64(requests.count), "\(side) queue")) of \(name)",
            source: folder, fix: .change(requests))
    }

    var timestamping: Finding? {
        let source = probe("timestamping")
        guard nic.isPTP else { return nil }
        guard let isRight = read("timestamping", EthernetReading.stampsInHardware) else {
            return input.unknown(.timestamping, name, source: source)
        }
        return input.verdict(
            .timestamping, name, isRight: isRight, wrong: .critical,
            "\(name) \(isRight ? "has" : "lacks") the hardware timestamps that PTP needs",
            source: source,
            fix: .advice([
                "ethtool -T \(name)", "use an interface with hardware timestamps for PTP",
            ]))
    }
}
