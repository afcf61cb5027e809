// The host's tables in the agent's state.

internal import JSON

/// What the agent reports of its host beside the checks.
public struct HostTables: Hashable, Sendable {
    /// matchd's counters; nil while it does not answer.
    public var exchange: ExchangeCounters?
    /// The units of the exchange.
    public var units: [Unit] = []
    /// The wallet's chains, as walletd reports them; none while it does not.
    public var chains: [Chain] = []
    /// Threads of its daemons.
    public var threads: [Thread] = []
    /// Queues of its network interfaces.
    public var queues: [Queue] = []
    /// Its disks.
    public var disks: [Disk] = []
    /// The directories that are watched for space.
    public var directories: [DirectorySpace] = []

    /// Empty tables.
    public init() {}

    /// A unit of systemd.
    public struct Unit: Hashable, Sendable {
        /// Its name, states and status.
        public var name, load, active, sub, status: String
        /// Main process, restarts, time of the last state change in nanoseconds since 1970, and
        /// watchdog in microseconds.
        public var pid, restarts, since, watchdogMicros: Int64
        /// Memory in bytes and CPU time in nanoseconds, where they are known.
        public var memoryBytes, cpuNanos: Int64?

        /// A unit of these.
        public init(
            name: String, load: String, active: String, sub: String, pid: Int64, restarts: Int64,
            since: Int64, status: String, memoryBytes: Int64?, cpuNanos: Int64?,
            watchdogMicros: Int64
        ) {
            (self.name, self.load, self.active, self.sub) = (name, load, active, sub)
            (self.pid, self.restarts, self.since, self.status) = (pid, restarts, since, status)
            (self.memoryBytes, self.cpuNanos) = (memoryBytes, cpuNanos)
            self.watchdogMicros = watchdogMicros
        }
    }

    /// A chain of the wallet.
    public struct Chain: Hashable, Sendable {
        /// Its number in the log.
        public var network: UInt16
        /// Its name, the asset that comes in by it, how it stands in a word or two, and the same
        /// in a line.
        public var name, asset, condition, text: String
        /// Whether deposits come in.
        public var isSound: Bool
        /// Where its node's chain ends, and the last block read, where they are known.
        public var tip, read: Int64?
        /// The last block whose deposits are all credited, 0: none; and deposits that are seen
        /// and not credited.
        public var credited, pending: Int64
        /// Withdrawals that are approved and not signed, and payments that are signed and not
        /// final, where they are known.
        public var approved, open: Int64?
        /// What the wallet can spend now, and what it has on the chain, in base units of the
        /// asset, where they are known.
        public var free, total: Int64?
        /// What is in cold storage, above what the host's coins are too many, and what it keeps
        /// then, in base units, where that is known.
        public var cold, ceiling, target: Int64?
        /// What the host's keys have in percent of the ceiling, where that is known.
        public var hotPercent: Int64?

        /// A chain of these.
        public init(
            network: UInt16, name: String, asset: String, condition: String, text: String,
            isSound: Bool, tip: Int64?, read: Int64?, credited: Int64, pending: Int64,
            approved: Int64?, open: Int64?, free: Int64?, total: Int64?, cold: Int64? = nil,
            ceiling: Int64? = nil, target: Int64? = nil, hotPercent: Int64? = nil
        ) {
            (self.network, self.hotPercent) = (network, hotPercent)
            (self.cold, self.ceiling, self.target) = (cold, ceiling, target)
            (self.approved, self.open, self.free, self.total) = (approved, open, free, total)
            (self.name, self.asset, self.condition, self.text) = (name, asset, condition, text)
            (self.isSound, self.tip, self.read) = (isSound, tip, read)
            (self.credited, self.pending) = (credited, pending)
        }
    }

    /// A thread.
    public struct Thread: Hashable, Sendable {
        /// Its unit, its name, and the CPUs that it may run on.
        public var unit, thread, allowed: String
        /// Process, thread, the CPU that it ran on last, voluntary and involuntary context
        /// switches.
        public var pid, tid, cpu, voluntary, nonvoluntary: Int64
        /// The CPU that is declared to be its own, if there is one.
        public var declared: Int64?

        /// A thread of these.
        public init(
            unit: String, thread: String, pid: Int64, tid: Int64, cpu: Int64, allowed: String,
            declared: Int64?, voluntary: Int64, nonvoluntary: Int64
        ) {
            (self.unit, self.thread, self.pid, self.tid) = (unit, thread, pid, tid)
            (self.cpu, self.allowed, self.declared) = (cpu, allowed, declared)
            (self.voluntary, self.nonvoluntary) = (voluntary, nonvoluntary)
        }
    }

    /// A queue of a network interface.
    public struct Queue: Hashable, Sendable {
        /// The interface, the queue, and the CPUs that serve it.
        public var nic, queue, cpus: String
        /// Its interrupt and counters, where they are known.
        public var irq, packets, drops: Int64?

        /// A queue of these.
        public init(
            nic: String, queue: String, irq: Int64?, cpus: String, packets: Int64?, drops: Int64?
        ) {
            (self.nic, self.queue, self.irq, self.cpus) = (nic, queue, irq, cpus)
            (self.packets, self.drops) = (packets, drops)
        }
    }

    /// A disk.
    public struct Disk: Hashable, Sendable {
        /// Its name.
        public var disk: String
        /// Size in bytes, reads and writes.
        public var sizeBytes, reads, writes: Int64
        /// Averages of the last round in microseconds, share of it in which the disk was busy,
        /// temperature in degrees Celsius, share of its life that is used: where they are known.
        public var writeMicros, flushMicros, busyPercent, temperature, healthPercentUsed: Int64?

        /// A disk of these.
        public init(
            disk: String, sizeBytes: Int64, reads: Int64, writes: Int64, writeMicros: Int64?,
            flushMicros: Int64?, busyPercent: Int64?, temperature: Int64?, healthPercentUsed: Int64?
        ) {
            (self.disk, self.sizeBytes, self.reads, self.writes) = (disk, sizeBytes, reads, writes)
            (self.writeMicros, self.flushMicros) = (writeMicros, flushMicros)
            (self.busyPercent, self.temperature) = (busyPercent, temperature)
            self.healthPercentUsed = healthPercentUsed
        }
    }

    /// A directory.
    public struct DirectorySpace: Hashable, Sendable {
        /// Its purpose, and its path.
        public var name, path: String
        /// Of its file system.
        public var bytes, freeBytes, inodes, freeInodes: Int64

        /// A directory of these.
        public init(
            name: String, path: String, bytes: Int64, freeBytes: Int64, inodes: Int64,
            freeInodes: Int64
        ) {
            (self.name, self.path, self.bytes, self.freeBytes) = (name, path, bytes, freeBytes)
            (self.inodes, self.freeInodes) = (inodes, freeInodes)
        }
    }
}

extension HostTables {
    /// As members of the state.
    var members: [JSONValue.Member] {
        [
            .init("exchange", ExchangeCounters.json(exchange)),
            .init("units", .array(units.map(\.json))),
            .init("chains", .array(chains.map(\.json))),
            .init("threads", .array(threads.map(\.json))),
            .init("queues", .array(queues.map(\.json))), .init("disks", .array(disks.map(\.json))),
            .init("directories", .array(directories.map(\.json))),
        ]
    }

    /// Reads the members of a state; nil when one is missing or of another kind.
    init?(_ json: JSONValue) {
        guard let exchange = json["exchange"], let isRunning = exchange["running"]?.flag,
            let units = json["units"]?.rows(Unit.init),
            let threads = json["threads"]?.rows(Thread.init),
            let queues = json["queues"]?.rows(Queue.init),
            let disks = json["disks"]?.rows(Disk.init),
            let directories = json["directories"]?.rows(DirectorySpace.init)
        else { return nil }
        if isRunning {
            guard let counters = ExchangeCounters(exchange) else { return nil }
            self.exchange = counters
        }
        // An older agent reports none.
        chains = json["chains"]?.rows(Chain.init) ?? []
        (self.units, self.threads, self.queues) = (units, threads, queues)
        (self.disks, self.directories) = (disks, directories)
    }
}

extension HostTables.Unit {
    var json: JSONValue {
        [
            "name": .string(name), "load": .string(load), "active": .string(active),
            "sub": .string(sub), "pid": .number(pid), "restarts": .number(restarts),
            "since": .number(since), "status": .string(status),
            "memoryBytes": .orNull(memoryBytes), "cpuNanos": .orNull(cpuNanos),
            "watchdogMicros": .number(watchdogMicros),
        ]
    }

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let load = json["load"]?.text,
            let active = json["active"]?.text, let sub = json["sub"]?.text,
            let status = json["status"]?.text, let pid = json["pid"]?.whole,
            let restarts = json["restarts"]?.whole, let since = json["since"]?.whole,
            let watchdog = json["watchdogMicros"]?.whole
        else { return nil }
        self.init(
            name: name, load: load, active: active, sub: sub, pid: pid, restarts: restarts,
            since: since, status: status, memoryBytes: json["memoryBytes"]?.whole,
            cpuNanos: json["cpuNanos"]?.whole, watchdogMicros: watchdog)
    }
}

extension HostTables.Chain {
    var json: JSONValue {
        [
            "network": .number(Int64(network)), "name": .string(name), "asset": .string(asset),
            "condition": .string(condition), "text": .string(text), "isSound": .bool(isSound),
            "tip": .orNull(tip), "read": .orNull(read), "credited": .number(credited),
            "pending": .number(pending), "approved": .orNull(approved), "open": .orNull(open),
            "free": .orNull(free), "total": .orNull(total), "cold": .orNull(cold),
            "ceiling": .orNull(ceiling), "target": .orNull(target),
            "hotPercent": .orNull(hotPercent),
        ]
    }

    init?(_ json: JSONValue) {
        guard let network = json["network"]?.count.flatMap(UInt16.init(exactly:)),
            let name = json["name"]?.text, let asset = json["asset"]?.text,
            let condition = json["condition"]?.text, let text = json["text"]?.text,
            let isSound = json["isSound"]?.flag, let credited = json["credited"]?.whole,
            let pending = json["pending"]?.whole
        else { return nil }
        self.init(
            network: network, name: name, asset: asset, condition: condition, text: text,
            isSound: isSound, tip: json["tip"]?.whole, read: json["read"]?.whole,
            credited: credited, pending: pending, approved: json["approved"]?.whole,
            open: json["open"]?.whole, free: json["free"]?.whole, total: json["total"]?.whole,
            cold: json["cold"]?.whole, ceiling: json["ceiling"]?.whole,
            target: json["target"]?.whole, hotPercent: json["hotPercent"]?.whole)
    }
}

extension HostTables.Thread {
    var json: JSONValue {
        [
            "unit": .string(unit), "thread": .string(thread), "pid": .number(pid),
            "tid": .number(tid), "cpu": .number(cpu), "allowed": .string(allowed),
            "declared": .orNull(declared), "voluntary": .number(voluntary),
            "nonvoluntary": .number(nonvoluntary),
        ]
    }

    init?(_ json: JSONValue) {
        guard let unit = json["unit"]?.text, let thread = json["thread"]?.text,
            let allowed = json["allowed"]?.text, let pid = json["pid"]?.whole,
            let tid = json["tid"]?.whole, let cpu = json["cpu"]?.whole,
            let voluntary = json["voluntary"]?.whole, let nonvoluntary = json["nonvoluntary"]?.whole
        else { return nil }
        self.init(
            unit: unit, thread: thread, pid: pid, tid: tid, cpu: cpu, allowed: allowed,
            declared: json["declared"]?.whole, voluntary: voluntary, nonvoluntary: nonvoluntary)
    }
}

extension HostTables.Queue {
    var json: JSONValue {
        [
            "nic": .string(nic), "queue": .string(queue), "irq": .orNull(irq),
            "cpus": .string(cpus), "packets": .orNull(packets), "drops": .orNull(drops),
        ]
    }

    init?(_ json: JSONValue) {
        guard let nic = json["nic"]?.text, let queue = json["queue"]?.text,
            let cpus = json["cpus"]?.text
        else { return nil }
        self.init(
            nic: nic, queue: queue, irq: json["irq"]?.whole, cpus: cpus,
            packets: json["packets"]?.whole, drops: json["drops"]?.whole)
    }
}

extension HostTables.Disk {
    var json: JSONValue {
        [
            "disk": .string(disk), "sizeBytes": .number(sizeBytes), "reads": .number(reads),
            "writes": .number(writes), "writeMicros": .orNull(writeMicros),
            "flushMicros": .orNull(flushMicros), "busyPercent": .orNull(busyPercent),
            "temperature": .orNull(temperature), "healthPercentUsed": .orNull(healthPercentUsed),
        ]
    }

    init?(_ json: JSONValue) {
        guard let disk = json["disk"]?.text, let size = json["sizeBytes"]?.whole,
            let reads = json["reads"]?.whole, let writes = json["writes"]?.whole
        else { return nil }
        self.init(
            disk: disk, sizeBytes: size, reads: reads, writes: writes,
            writeMicros: json["writeMicros"]?.whole, flushMicros: json["flushMicros"]?.whole,
            busyPercent: json["busyPercent"]?.whole, temperature: json["temperature"]?.whole,
            healthPercentUsed: json["healthPercentUsed"]?.whole)
    }
}

extension HostTables.DirectorySpace {
    var json: JSONValue {
        [
            "name": .string(name), "path": .string(path), "bytes": .number(bytes),
            "freeBytes": .number(freeBytes), "inodes": .number(inodes),
            "freeInodes": .number(freeInodes),
        ]
    }

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let path = json["path"]?.text,
            let bytes = json["bytes"]?.whole, let free = json["freeBytes"]?.whole,
            let inodes = json["inodes"]?.whole, let freeInodes = json["freeInodes"]?.whole
        else { return nil }
        self.init(
            name: name, path: path, bytes: bytes, freeBytes: free, inodes: inodes,
            freeInodes: freeInodes)
    }
}
