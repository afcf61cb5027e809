// The host's state as tables: units, threads, queues, disks, directories and the exchange.

public import AgentAPI

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

    /// All tables; the queues were read before.
    public func tables(queues: [HostTables.Queue]) -> HostTables {
        var tables = HostTables()
        tables.exchange = exchange
        tables.units = units
        tables.threads = threads
        tables.queues = queues
        tables.disks = disks
        tables.directories = directories
        return tables
    }

    // MARK: The exchange

    /// matchd's counters; nil while it does not answer.
    public var exchange: ExchangeCounters? {
        guard now.text("/probe/exchange") != nil else { return nil }
        return ExchangeCounters(
            now.lines("/probe/exchange").compactMap { line in
                let words = line.words
                guard words.count == 2 else { return nil }
                let (key, value) = (String(words[0]), String(words[1]))
                if key == "belowReserve" { return .init(key, .flag(value == "1")) }
                return .init(key, Int64(value).map { .number($0) } ?? .text(value))
            })
    }

    // MARK: Units and threads

    /// The units of the plan. One that systemd does not tell of is `unknown` in all its states.
    public var units: [HostTables.Unit] {
        let all = now.units
        return plan.units.map { name in
            let words = all[name]?.words ?? []
            func word(_ index: Int) -> String { index < words.count ? words[index] : "unknown" }
            func number(_ index: Int) -> Int64? { index < words.count ? Int64(words[index]) : nil }
            return HostTables.Unit(
                name: name, load: word(1), active: word(2), sub: word(3), pid: number(4) ?? 0,
                restarts: number(5) ?? 0, since: (number(7) ?? 0) &* 1_000,
                status: words.dropFirst(10).joined(separator: " "), memoryBytes: number(8),
                cpuNanos: number(9), watchdogMicros: number(6) ?? 0)
        }
    }

    /// The threads of the units' processes.
    public var threads: [HostTables.Thread] {
        let all = now.units
        return plan.units.flatMap { unit -> [HostTables.Thread] in
            guard let process = all[unit]?.process, process > 0 else { return [] }
            return (now.names("/proc/\(process)/task") ?? []).compactMap { number in
                thread(unit, process, number)
            }
        }
    }

    private func thread(_ unit: String, _ process: Int64, _ number: String) -> HostTables.Thread? {
        let path = "/proc/\(process)/task/\(number)"
        let status = now.fields("\(path)/status")
        // The name may hold spaces and parentheses; fields count from behind its last one, proc(5).
        guard let name = status["Name"], let tid = Int64(number),
            let stat = now.text("\(path)/stat"), let end = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: end)...].words
        guard fields.count > 36, let cpu = Int64(fields[36]) else { return nil }
        func count(_ key: String) -> Int64 { status[key].flatMap { Int64($0) } ?? 0 }
        let hot = plan.hotThreads.first { $0.unit == unit && $0.thread == name }
        return HostTables.Thread(
            unit: unit, thread: String(name), pid: process, tid: tid, cpu: cpu,
            allowed: status["Cpus_allowed_list"].map(String.init) ?? "",
            declared: hot.map { Int64($0.cpu) }, voluntary: count("voluntary_ctxt_switches"),
            nonvoluntary: count("nonvoluntary_ctxt_switches"))
    }

    // MARK: Queues

    /// The queues of the interfaces, with the interrupt that serves each where its name tells.
    public var queues: [HostTables.Queue] {
        let table = InterruptTable(now, "/proc/interrupts", on: CPUSet([]))
        let interrupts = (table?.rows ?? []).compactMap { row in
            Int64(row.label).map { ($0, Self.parts(row.name.words.last ?? "")) }
        }
        return now.nics(plan).flatMap { nic -> [HostTables.Queue] in
            let owners = Set(([nic.name] + virtualDevices(of: nic.name)).map { $0.lowercased() })
            let own = interrupts.filter { !owners.isDisjoint(with: $0.1) }
            return (now.names("/sys/class/net/\(nic.name)/queues") ?? []).map { queue in
                let irq = own.first { Self.serves($0.1, queue) }?.0
                let cpus = irq.flatMap { now.text("/proc/irq/\($0)/effective_affinity_list") }
                return HostTables.Queue(
                    nic: nic.name, queue: queue, irq: irq, cpus: cpus ?? "", packets: nil,
                    drops: nil)
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
    public var disks: [HostTables.Disk] {
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
            return HostTables.Disk(
                disk: disk,
                // In sectors of 512 bytes, whatever the disk's own are.
                sizeBytes: (now.number("/sys/block/\(disk)/size") ?? 0) &* 512,
                reads: new?[0] ?? 0, writes: new?[4] ?? 0, writeMicros: average(7, 4),
                flushMicros: average(16, 15), busyPercent: busy, temperature: temperature(disk),
                healthPercentUsed: health)
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
    public var directories: [HostTables.Directory] {
        plan.directories.compactMap { name, path in
            let line = now.lines("/probe/statvfs").map(\.words).first {
                $0.count == 5 && $0[0] == path
            }
            guard let numbers = line?.dropFirst().map({ Int64(clamping: UInt64($0) ?? 0) }) else {
                return nil
            }
            return HostTables.Directory(
                name: name, path: path, bytes: numbers[0], freeBytes: numbers[1],
                inodes: numbers[2], freeInodes: numbers[3])
        }
    }
}
