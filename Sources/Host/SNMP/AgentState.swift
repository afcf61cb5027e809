// What the host agent answers to GET /v1/state, read.

public import Checks
public import JSON

/// The state of a host, as its agent tells it.
public struct AgentState: Sendable {
    /// The host's name and the agent's version.
    public var host, version: String
    /// When the agent wrote it and when it started, in nanoseconds since 1970.
    public var time, started: Int64
    /// The worst state of all checks.
    public var worst: CheckState
    /// The number of the last event.
    public var sequence: UInt64
    /// Findings that found no place.
    public var dropped: UInt64
    /// The exchange; nil while the matching daemon does not answer.
    public var exchange: Exchange?
    /// The units of the exchange.
    public var units: [Unit]
    /// Threads of its daemons.
    public var threads: [Thread]
    /// Queues of its network interfaces.
    public var queues: [Queue]
    /// Its disks.
    public var disks: [Disk]
    /// The directories whose space matters.
    public var directories: [Directory]
    /// The checks.
    public var checks: [ReportedCheck]

    /// Most values in an answer: as many as the agent's largest board needs.
    public static var valuesMax: Int { 262_144 }

    /// The counters of the matching daemon.
    public struct Exchange: Hashable, Sendable {
        /// What the host is to its exchange.
        public var role: Role
        /// The epoch.
        public var epoch: Int64
        /// The other counters, by the names of the interface.
        public var counters: [String: Int64]
        /// Whether only cancels are taken for want of space.
        public var isBelowReserve: Bool
    }

    /// What a host is to its exchange. The numbers are those of BOURSE-MIB.
    public enum Role: Int32, Hashable, Sendable, CaseIterable {
        /// The matching daemon does not answer.
        case unknown = 1
        /// There is no other host.
        case standalone = 2
        /// It serves, and another host stands by.
        case primary = 3
        /// It stands by.
        case standby = 4

        /// The word of the interface.
        public var name: String {
            switch self {
            case .unknown: "unknown"
            case .standalone: "standalone"
            case .primary: "primary"
            case .standby: "standby"
            }
        }

        /// The role of that name; unknown for any other.
        public init(name: String) {
            self = Self.allCases.first { $0.name == name } ?? .unknown
        }
    }

    /// A unit of systemd.
    public struct Unit: Hashable, Sendable {
        /// Its name, states and status.
        public var name, load, active, sub, status: String
        /// Its process, its restarts, since when it is so, its watchdog in microseconds.
        public var pid, restarts, since, watchdogMicros: Int64
        /// Memory in bytes and processor time in nanoseconds, where they are known.
        public var memoryBytes, cpuNanos: Int64?
    }

    /// A thread.
    public struct Thread: Hashable, Sendable {
        /// Its unit, its name, and the CPUs that it may run on.
        public var unit, thread, allowed: String
        /// Its numbers, the CPU that it ran on last, how often it gave that up or lost it.
        public var pid, tid, cpu, voluntary, nonvoluntary: Int64
        /// The CPU that it is to have for itself, if one is declared.
        public var declared: Int64?
    }

    /// A queue of a network interface.
    public struct Queue: Hashable, Sendable {
        /// The interface, the queue, and the CPUs that serve it.
        public var nic, queue, cpus: String
        /// Its interrupt and counters, where they are known.
        public var irq, packets, drops: Int64?
    }

    /// A disk.
    public struct Disk: Hashable, Sendable {
        /// Its name.
        public var disk: String
        /// Its size in bytes, and what it has done.
        public var sizeBytes, reads, writes: Int64
        /// What it took lately in microseconds, how busy it was, its temperature in degrees
        /// Celsius, its life used up in percent: where they are known.
        public var writeMicros, flushMicros, busyPercent, temperature, healthPercentUsed: Int64?
    }

    /// A directory.
    public struct Directory: Hashable, Sendable {
        /// A word for it, and where it is.
        public var name, path: String
        /// Its file system: size and what is left.
        public var bytes, freeBytes, inodes, freeInodes: Int64
    }
}

extension AgentState {
    /// Reads an answer; nil when a member is missing or of another kind. What it does not know it
    /// passes over, so that a newer agent is understood.
    public init?(_ json: JSONValue) {
        guard let host = json["host"]?.text, let version = json["version"]?.text,
            let time = json["time"]?.whole, let started = json["started"]?.whole,
            let worst = (json["worst"]?.text).flatMap(CheckState.init(name:)),
            let sequence = json["sequence"]?.whole.flatMap(UInt64.init(exactly:)),
            let dropped = json["dropped"]?.whole.flatMap(UInt64.init(exactly:)),
            let exchange = json["exchange"], case .bool(let isRunning) = exchange["running"],
            let units: [Unit] = json["units"]?.rows(Unit.init),
            let threads: [Thread] = json["threads"]?.rows(Thread.init),
            let queues: [Queue] = json["queues"]?.rows(Queue.init),
            let disks: [Disk] = json["disks"]?.rows(Disk.init),
            let directories: [Directory] = json["directories"]?.rows(Directory.init),
            let checks: [ReportedCheck] = json["checks"]?.rows(ReportedCheck.init)
        else { return nil }
        self.host = host
        self.version = version
        self.time = time
        self.started = started
        self.worst = worst
        self.sequence = sequence
        self.dropped = dropped
        self.units = units
        self.threads = threads
        self.queues = queues
        self.disks = disks
        self.directories = directories
        self.checks = checks
        if isRunning {
            guard let exchange = Exchange(exchange) else { return nil }
            self.exchange = exchange
        }
    }
}

extension AgentState.Exchange {
    init?(_ json: JSONValue) {
        guard case .object(let members) = json, let role = json["role"]?.text,
            let epoch = json["epoch"]?.whole, case .bool(let isBelow) = json["belowReserve"]
        else { return nil }
        self.role = AgentState.Role(name: role)
        self.epoch = epoch
        isBelowReserve = isBelow
        counters = [:]
        for member in members { counters[member.name] = member.value.whole }
    }
}

extension AgentState.Unit {
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let load = json["load"]?.text,
            let active = json["active"]?.text, let sub = json["sub"]?.text,
            let status = json["status"]?.text, let pid = json["pid"]?.whole,
            let restarts = json["restarts"]?.whole, let since = json["since"]?.whole,
            let watchdog = json["watchdogMicros"]?.whole
        else { return nil }
        self.init(
            name: name, load: load, active: active, sub: sub, status: status, pid: pid,
            restarts: restarts, since: since, watchdogMicros: watchdog,
            memoryBytes: json["memoryBytes"]?.whole, cpuNanos: json["cpuNanos"]?.whole)
    }
}

extension AgentState.Thread {
    init?(_ json: JSONValue) {
        guard let unit = json["unit"]?.text, let thread = json["thread"]?.text,
            let allowed = json["allowed"]?.text, let pid = json["pid"]?.whole,
            let tid = json["tid"]?.whole, let cpu = json["cpu"]?.whole,
            let voluntary = json["voluntary"]?.whole,
            let nonvoluntary = json["nonvoluntary"]?.whole
        else { return nil }
        self.init(
            unit: unit, thread: thread, allowed: allowed, pid: pid, tid: tid, cpu: cpu,
            voluntary: voluntary, nonvoluntary: nonvoluntary,
            declared: json["declared"]?.whole)
    }
}

extension AgentState.Queue {
    init?(_ json: JSONValue) {
        guard let nic = json["nic"]?.text, let queue = json["queue"]?.text,
            let cpus = json["cpus"]?.text
        else { return nil }
        self.init(
            nic: nic, queue: queue, cpus: cpus, irq: json["irq"]?.whole,
            packets: json["packets"]?.whole, drops: json["drops"]?.whole)
    }
}

extension AgentState.Disk {
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

extension AgentState.Directory {
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

/// The answer to GET /v1/events?after=N.
public struct AgentEvents: Sendable {
    /// The numbers of the oldest event that is kept, and of the last one.
    public var first, last: UInt64
    /// Events behind N, ascending.
    public var events: [AlarmEvent]

    /// Events with these bounds.
    public init(first: UInt64, last: UInt64, events: [AlarmEvent]) {
        self.first = first
        self.last = last
        self.events = events
    }

    /// Reads an answer; nil when a member is missing or of another kind, or the events do not
    /// ascend.
    public init?(_ json: JSONValue) {
        guard let first = json["first"]?.whole.flatMap(UInt64.init(exactly:)),
            let last = json["last"]?.whole.flatMap(UInt64.init(exactly:)),
            let events: [AlarmEvent] = json["events"]?.rows(AlarmEvent.init),
            zip(events, events.dropFirst()).allSatisfy({ $0.sequence < $1.sequence })
        else { return nil }
        self.init(first: first, last: last, events: events)
    }
}

extension JSONValue {
    /// The values of an array, each read by `read`; nil when it is none, or one cannot be read.
    fileprivate func rows<Row>(_ read: (JSONValue) -> Row?) -> [Row]? {
        guard case .array(let items) = self else { return nil }
        var rows: [Row] = []
        rows.reserveCapacity(items.count)
        for item in items {
            guard let row = read(item) else { return nil }
            rows.append(row)
        }
        return rows
    }
}
