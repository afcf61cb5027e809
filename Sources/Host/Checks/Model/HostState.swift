// The host's state as tables: units, threads, queues, disks, directories and the exchange.

public import AgentAPI
import HelperAPI
import Terms

/// What the agent reports of its host beside the checks. Pure.
public struct HostState: Sendable {
    /// The sources of everything but the queues.
    public static var sources: [String] {
        [
            UnitStatus.path, ExchangeReading.path, ClusterReading.path, FileSystemSpace.path,
            "{wallet}", ClockReading.path, "/proc/{pid}/task/*/status",
            "/proc/{pid}/task/*/stat", "/sys/block/{disk}/size", DiskStatistics.path,
            "/sys/block/{disk}/device/hwmon*/temp1_input",
            "/sys/block/{disk}/device/hwmon/*/temp1_input", NVMeHealth.path("{disk}"),
        ]
    }
    /// The sources of the queues: a file for each interrupt, none of which changes often.
    public static var queueSources: [String] {
        [
            InterruptTable.interrupts, "/sys/class/net/{nic}/queues/",
            "/sys/bus/virtio/devices/*/net/",
        ] + InterruptAffinity.sources
    }

    private let now: Observation
    private let before: Observation?
    private let plan: HostPlan

    /// The state of what was read now and, for rates, in the last round.
    public init(now: Observation, before: Observation?, plan: HostPlan) {
        (self.now, self.before, self.plan) = (now, before, plan)
    }

    /// All tables; the queues were read before.
    public func tables(queues: [HostTables.Queue]) -> HostTables {
        var tables = HostTables()
        tables.exchange = exchange
        tables.units = units
        tables.chains = chains
        tables.threads = threads
        tables.queues = queues
        tables.disks = disks
        tables.directories = directories
        return tables
    }

    // MARK: The exchange

    /// matchd's counters; nil while it does not answer.
    public var exchange: ExchangeCounters? {
        guard let reading = now.exchange else { return nil }
        return ExchangeCounters(
            reading.entries.map { entry in
                if entry.key == ExchangeCounter.belowReserve.rawValue {
                    return .init(entry.key, .flag(reading.flag(.belowReserve) == true))
                }
                return .init(
                    entry.key, Int64(entry.value).map { .number($0) } ?? .text(entry.value))
            } + cluster)
    }

    /// What the agent knows of the cluster, beside matchd's counters; none where there is none.
    private var cluster: [ExchangeCounters.Counter] {
        guard let reading = now.text(ClusterReading.path).map({ ClusterReading($0) }) else {
            return []
        }
        func number(_ name: String, _ value: Int64?) -> ExchangeCounters.Counter? {
            value.map { ExchangeCounters.Counter(name, .number($0)) }
        }
        func flag(_ name: String, _ key: ClusterReading.Key) -> ExchangeCounters.Counter? {
            number(name, reading.flag(key).map { $0 ? 1 : 0 })
        }
        return [
            flag("clusterInSync", .inSync), flag("clusterArbiter", .arbiter),
            flag("clusterPeer", .peer), flag("clusterPaused", .paused),
            number("clusterLag", reading[.lag].flatMap { Int64($0) }),
        ].compactMap(\.self)
    }

    // MARK: The wallet

    /// The chains that walletd reports now.
    public var chains: [HostTables.Chain] {
        guard let reading = now.wallet(plan), reading.isCurrent(now.clock?.realtimeNanos) else {
            return []
        }
        return reading.chains.map { chain in
            let band = chain.bands.first { $0.asset == chain.asset }
            return HostTables.Chain(
                network: chain.network, name: chain.subject, asset: chain.asset,
                condition: chain.condition,
                text: chain.text, isSound: chain.isSound, tip: chain.tip, read: chain.read,
                credited: chain.credited, pending: chain.pending,
                approved: chain.payouts?.approved, open: chain.payouts?.open,
                free: chain.payouts?.free, total: chain.payouts?.total, cold: band?.cold,
                ceiling: band?.ceiling, target: band?.target, hotPercent: band?.hotPercent)
        }
    }

    // MARK: Units and threads

    /// The units of the plan. One that systemd does not report is `unknown` in all its states.
    public var units: [HostTables.Unit] {
        let all = now.units
        return plan.units.map { name in
            let unit = all[name]
            let since = (unit?.sinceMicros ?? 0).multipliedReportingOverflow(by: 1_000)
            return HostTables.Unit(
                name: name, load: unit?.load ?? "unknown", active: unit?.active ?? "unknown",
                sub: unit?.sub ?? "unknown", pid: unit?.process ?? 0,
                restarts: unit?.restarts ?? 0, since: since.overflow ? 0 : since.partialValue,
                status: unit?.status ?? "", memoryBytes: unit?.memoryBytes,
                cpuNanos: unit?.cpuNanos, watchdogMicros: unit?.watchdogMicros ?? 0)
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
        guard let status = now.threadStatus(path), let tid = Int64(number),
            let cpu = now.text("\(path)/stat").flatMap(ThreadStat.lastCPU)
        else { return nil }
        let hot = plan.hotThreads.first { $0.unit == unit && status.isNamed($0.thread) }
        return HostTables.Thread(
            unit: unit, thread: status.name, pid: process, tid: tid, cpu: Int64(cpu),
            allowed: status.allowed.map { "\($0)" } ?? "", declared: hot.map { Int64($0.cpu) },
            voluntary: status.voluntary ?? 0, nonvoluntary: status.involuntary ?? 0)
    }

    // MARK: Queues

    /// The queues of the interfaces, each with its interrupt if the interrupt's name shows that.
    public var queues: [HostTables.Queue] {
        let table = InterruptTable(now.text(InterruptTable.interrupts), on: CPUSet([]))
        let interrupts = (table?.rows ?? []).compactMap { row in
            Int64(row.label).map { ($0, Self.parts(row.name.words.last ?? "")) }
        }
        return now.nics(plan).flatMap { nic -> [HostTables.Queue] in
            let owners = Set(([nic.name] + virtualDevices(of: nic.name)).map { $0.lowercased() })
            let own = interrupts.filter { !owners.isDisjoint(with: $0.1) }
            return (now.names("/sys/class/net/\(nic.name)/queues") ?? []).map { queue in
                let irq = own.first { Self.serves($0.1, queue) }?.0
                var cpus = ""
                if let irq, case .cpus(let set) = now.affinity(of: "\(irq)") { cpus = "\(set)" }
                return HostTables.Queue(
                    nic: nic.name, queue: queue, irq: irq, cpus: cpus, packets: nil,
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
        let (old, new) = (before?.diskStatistics ?? [:], now.diskStatistics)
        let elapsed = before.map { (now.time - $0.time) / 1_000_000 } ?? 0
        func grown(_ old: Int64?, _ new: Int64?) -> Int64? {
            guard let old, let new, new >= old else { return nil }
            return new - old
        }
        func average(_ old: DiskStatistics.Requests?, _ new: DiskStatistics.Requests?) -> Int64? {
            guard let millis = grown(old?.millis, new?.millis),
                let count = grown(old?.count, new?.count)
            else { return nil }
            return DiskStatistics.Requests.averageMicros(millis: millis, count: count)
        }
        return now.disks.map { disk in
            let (was, counters) = (old[disk], new[disk])
            let busy =
                elapsed > 0
                ? grown(was?.busyMillis, counters?.busyMillis).map {
                    Int64(min(100, Int128($0) * 100 / Int128(elapsed)))
                } : nil
            let health = now.text(NVMeHealth.path(disk)).flatMap { NVMeHealth($0).percentUsed }
            return HostTables.Disk(
                disk: disk,
                // In sectors of 512 bytes, whatever the disk's own are.
                sizeBytes: (now.number("/sys/block/\(disk)/size") ?? 0) &* 512,
                reads: counters?.reads.count ?? 0, writes: counters?.writes.count ?? 0,
                writeMicros: average(was?.writes, counters?.writes),
                flushMicros: average(was?.flushes, counters?.flushes), busyPercent: busy,
                temperature: now.diskTemperature(disk), healthPercentUsed: health)
        }
    }

    /// The directories of the plan.
    public var directories: [HostTables.DirectorySpace] {
        let spaces = now.fileSystems
        return plan.directories.compactMap { name, path in
            guard let space = spaces[path] else { return nil }
            return HostTables.DirectorySpace(
                name: name, path: path, bytes: space.bytes, freeBytes: space.freeBytes,
                inodes: space.inodes, freeInodes: space.freeInodes)
        }
    }
}
