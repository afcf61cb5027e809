// The host's state as tables: units, threads, queues, disks, directories and the exchange.

import HelperAPI
public import JSON

/// What the agent tells of its host beside the checks. Pure.
public struct HostState: Sendable {
    /// What must be read for all of it but the queues.
    public static var sources: [String] {
        [
            "/probe/units", "/probe/exchange", "/probe/statvfs", "/proc/{pid}/task/*/status",
            "/proc/{pid}/task/*/stat", "/sys/block/{disk}/size", "/proc/diskstats",
            "/sys/block/{disk}/device/hwmon*/temp1_input",
            "/sys/block/{disk}/device/hwmon/*/temp1_input", "/probe/nvme/{disk}",
        ]
    }
    /// What must be read for the queues: a file for each interrupt, and nothing that changes often.
    public static var queueSources: [String] {
        [
            "/proc/interrupts", "/proc/irq/*/effective_affinity_list",
            "/sys/class/net/{nic}/queues/", "/sys/bus/virtio/devices/*/net/",
        ]
    }

    private let now: Observation
    private let before: Observation?
    private let plan: HostPlan

    /// The state as it was read now and, for what is measured over time, the round before.
    public init(now: Observation, before: Observation?, plan: HostPlan) {
        (self.now, self.before, self.plan) = (now, before, plan)
    }

    /// The members of the state that are tables: `exchange`, `units`, `threads`, `queues` (which
    /// were read before), `disks` and `directories`.
    public func members(queues: [JSONValue]) -> [JSONValue.Member] {
        [
            .init("exchange", exchange), .init("units", .array(units)),
            .init("threads", .array(threads)), .init("queues", .array(queues)),
            .init("disks", .array(disks)), .init("directories", .array(directories)),
        ]
    }

    // MARK: The exchange

    /// matchd's counters.
    public var exchange: JSONValue {
        guard now.text("/probe/exchange") != nil else { return ["running": .bool(false)] }
        let members = now.lines("/probe/exchange").compactMap { line -> JSONValue.Member? in
            let words = line.words
            guard words.count == 2 else { return nil }
            let (key, value) = (String(words[0]), String(words[1]))
            if key == "belowReserve" { return .init(key, .bool(value == "1")) }
            return .init(key, Int64(value).map { .number($0) } ?? .string(value))
        }
        return .object([.init("running", .bool(true))] + members)
    }

    // MARK: Units and threads

    /// The units of the plan. One that systemd does not tell of is `unknown` in all its states.
    public var units: [JSONValue] {
        let all = now.units
        return plan.units.map { name in
            let words = all[name]?.words ?? []
            func word(_ index: Int) -> String { index < words.count ? words[index] : "unknown" }
            func number(_ index: Int) -> Int64? { index < words.count ? Int64(words[index]) : nil }
            return [
                "name": .string(name), "load": .string(word(1)), "active": .string(word(2)),
                "sub": .string(word(3)), "pid": .number(number(4) ?? 0),
                "restarts": .number(number(5) ?? 0),
                "since": .number((number(7) ?? 0) &* 1_000),
                "status": .string(words.dropFirst(10).joined(separator: " ")),
                "memoryBytes": Self.orNull(number(8)), "cpuNanos": Self.orNull(number(9)),
                "watchdogMicros": .number(number(6) ?? 0),
            ]
        }
    }

    /// The threads of the units' processes.
    public var threads: [JSONValue] {
        let all = now.units
        return plan.units.flatMap { unit -> [JSONValue] in
            guard let process = all[unit]?.process, process > 0 else { return [] }
            return (now.names("/proc/\(process)/task") ?? []).compactMap { number in
                thread(unit, process, number)
            }
        }
    }

    private func thread(_ unit: String, _ process: Int64, _ number: String) -> JSONValue? {
        let path = "/proc/\(process)/task/\(number)"
        let status = now.fields("\(path)/status")
        // The name may hold spaces and parentheses; fields count from behind its last one, proc(5).
        guard let name = status["Name"], let tid = Int64(number),
            let stat = now.text("\(path)/stat"), let end = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: end)...].words
        guard fields.count > 36, let cpu = Int64(fields[36]) else { return nil }
        func count(_ key: String) -> JSONValue {
            .number(status[key].flatMap { Int64($0) } ?? 0)
        }
        let hot = plan.hotThreads.first { $0.unit == unit && $0.thread == name }
        return [
            "unit": .string(unit), "thread": .string(String(name)), "pid": .number(process),
            "tid": .number(tid), "cpu": .number(cpu),
            "allowed": .string(status["Cpus_allowed_list"].map(String.init) ?? ""),
            "declared": hot.map { .number($0.cpu) } ?? .null,
            "voluntary": count("voluntary_ctxt_switches"),
            "nonvoluntary": count("nonvoluntary_ctxt_switches"),
        ]
    }

    // MARK: Queues

    /// The queues of the interfaces, with the interrupt that serves each where its name tells.
    public var queues: [JSONValue] {
        let table = InterruptTable(now, "/proc/interrupts", on: CPUSet([]))
        let interrupts = (table?.rows ?? []).compactMap { row in
            Int64(row.label).map { ($0, Self.parts(row.name.words.last ?? "")) }
        }
        return now.nics(plan).flatMap { nic -> [JSONValue] in
            let owners = Set(([nic.name] + virtualDevices(of: nic.name)).map { $0.lowercased() })
            let own = interrupts.filter { !owners.isDisjoint(with: $0.1) }
            return (now.names("/sys/class/net/\(nic.name)/queues") ?? []).map { queue in
                let irq = own.first { Self.serves($0.1, queue) }?.0
                let cpus = irq.flatMap { now.text("/proc/irq/\($0)/effective_affinity_list") }
                return [
                    "nic": .string(nic.name), "queue": .string(queue), "irq": Self.orNull(irq),
                    "cpus": .string(cpus ?? ""), "packets": .null, "drops": .null,
                ]
            }
        }
    }

    /// The virtio devices behind an interface: their interrupts have its name.
    private func virtualDevices(of nic: String) -> [String] {
        (now.names("/sys/bus/virtio/devices") ?? []).filter {
            now.names("/sys/bus/virtio/devices/\($0)/net")?.contains(nic) == true
        }
    }

    /// The parts of an interrupt's name, as `eth0-TxRx-3`, `mlx-eth0-3` or `virtio0-input.3`.
    private static func parts(_ name: some StringProtocol) -> [String] {
        name.split { $0 == "-" || $0 == "." || $0 == "@" || $0 == ":" }.map { $0.lowercased() }
    }

    /// Whether the interrupt of a device whose name has these parts serves `rx-3` or `tx-3` of it.
    private static func serves(_ parts: [String], _ queue: String) -> Bool {
        guard let number = queue.split(separator: "-").last, parts.last == String(number) else {
            return false
        }
        let word = parts.dropLast().last ?? ""
        if ["rx", "input"].contains(word) { return queue.hasPrefix("rx") }
        if ["tx", "output"].contains(word) { return queue.hasPrefix("tx") }
        return true
    }

    // MARK: Disks and directories

    /// The disks.
    public var disks: [JSONValue] {
        now.disks.map { disk in
            let new = Self.statistics(now, disk)
            let old = before.flatMap { Self.statistics($0, disk) }
            let elapsed = before.map { (now.time - $0.time) / 1_000_000 } ?? 0
            func grown(_ index: Int) -> Int64? {
                guard let new, let old, index < new.count, index < old.count,
                    new[index] >= old[index]
                else { return nil }
                return new[index] - old[index]
            }
            /// The average in microseconds of what took `millis` for `count`.
            func average(_ millis: Int, _ count: Int) -> Int64? {
                guard let millis = grown(millis), let count = grown(count), count > 0 else {
                    return nil
                }
                return millis &* 1_000 / count
            }
            let busy = elapsed > 0 ? grown(9).map { min(100, $0 &* 100 / elapsed) } : nil
            let health = now.fields("/probe/nvme/\(disk)")["percentage_used"].flatMap { Int64($0) }
            return [
                "disk": .string(disk),
                // In sectors of 512 bytes, whatever the disk's own are.
                "sizeBytes": .number((now.number("/sys/block/\(disk)/size") ?? 0) &* 512),
                "reads": .number(new?[0] ?? 0), "writes": .number(new?[4] ?? 0),
                "writeMicros": Self.orNull(average(7, 4)),
                "flushMicros": Self.orNull(average(16, 15)),
                "busyPercent": Self.orNull(busy), "temperature": Self.orNull(temperature(disk)),
                "healthPercentUsed": Self.orNull(health),
            ]
        }
    }

    /// The counters of a disk, from the first behind its name (Documentation/admin-guide/iostats).
    private static func statistics(_ observation: Observation, _ disk: String) -> [Int64]? {
        for line in observation.lines("/proc/diskstats") {
            let words = line.words
            if words.count >= 14, words[2] == disk { return words[3...].map { Int64($0) ?? 0 } }
        }
        return nil
    }

    /// Degrees Celsius.
    private func temperature(_ disk: String) -> Int64? {
        let device = "/sys/block/\(disk)/device"
        let direct = now.names(device, beginning: "hwmon").map { "\(device)/\($0)" }
        let below = (now.names("\(device)/hwmon") ?? []).map { "\(device)/hwmon/\($0)" }
        return (direct + below).lazy.compactMap { now.number("\($0)/temp1_input") }.first
            .map { $0 / 1_000 }
    }

    /// The directories of the plan.
    public var directories: [JSONValue] {
        plan.directories.compactMap { name, path in
            let line = now.lines("/probe/statvfs").map(\.words).first {
                $0.count == 5 && $0[0] == path
            }
            guard let numbers = line?.dropFirst().map({ Int64(clamping: UInt64($0) ?? 0) }) else {
                return nil
            }
            return [
                "name": .string(name), "path": .string(path), "bytes": .number(numbers[0]),
                "freeBytes": .number(numbers[1]), "inodes": .number(numbers[2]),
                "freeInodes": .number(numbers[3]),
            ]
        }
    }

    private static func orNull(_ value: Int64?) -> JSONValue { value.map { .number($0) } ?? .null }
}
