// What the owner declared about the host, and the checks compare it with.

public import AgentAPI
public import HelperAPI

/// The plan of one host.
public struct HostPlan: Hashable, Sendable {
    /// A thread that must not be disturbed.
    public struct HotThread: Hashable, Sendable {
        /// The unit, as `bourse-matchd.service`.
        public var unit: String
        /// The thread's name, comm(5 proc), as `engine`.
        public var thread: String
        /// The CPU that it should have to itself.
        public var cpu: Int

        /// A hot thread of these.
        public init(unit: String, thread: String, cpu: Int) {
            (self.unit, self.thread, self.cpu) = (unit, thread, cpu)
        }
    }

    /// A network interface of the exchange.
    public struct Interface: Hashable, Sendable {
        /// Its name, as `eth0`.
        public var name: String
        /// Number of queues it should have (combined, else of each direction); nil: not declared.
        public var channels: Int?
        /// Slots that its receive ring should have; nil: not declared.
        public var ring: Int64?
        /// Longest wait for more packets before an interrupt, in microseconds; nil: not declared.
        public var coalesceMicros: Int64?
        /// The lowest speed it should run at, Mb/s; nil: not declared.
        public var speed: Int64?
        /// Whether it takes part in PTP, and must stamp packets.
        public var isPTP = false

        /// An interface of this name.
        public init(name: String, channels: Int? = nil, speed: Int64? = nil) {
            (self.name, self.channels, self.speed) = (name, channels, speed)
        }
    }

    /// Other devices around the host, as power supplies and switches, which are read over SNMP.
    public struct Devices: Hashable, Sendable {
        /// The directory that declares them, with a file `NAME.toml` for each.
        public var targets: String
        /// The directory of their readings, with a file `NAME` for each.
        public var readings: String

        /// Devices with these directories.
        public init(targets: String, readings: String) {
            (self.targets, self.readings) = (targets, readings)
        }
    }

    /// Threads with a CPU of their own.
    public var hotThreads: [HotThread] = []
    /// Interfaces to watch; empty: every one that has a device behind it.
    public var interfaces: [Interface] = []
    /// Huge pages that the pool should hold; nil: not declared.
    public var hugePages: Int64?
    /// Disks with power-loss protection, whose write cache may be on.
    public var protectedDisks: Set<String> = []
    /// Directories whose space matters, each with a word for it, as `journal`.
    public var directories: [(name: String, path: String)] {
        get { named.map { ($0.name, $0.path) } }
        set { named = newValue.map { NamedPath(name: $0.name, path: $0.path) } }
    }
    /// Thresholds that differ from the kinds' own, by the kinds' names.
    public var thresholds: [String: Thresholds] = [:]
    /// Kinds that are not checked, by name.
    public var off: Set<String> = []
    /// The units of the exchange, by name.
    public var units: [String] = []
    /// All units that checks read: those, and irqbalance's.
    package var watchedUnits: [String] { units + [UnitStatus.irqBalance] }
    /// Other devices around the host; nil: none is read.
    public var devices: Devices?
    /// The file in which bourse-walletd reports its chains; nil: none is read.
    public var wallet: String?
    /// This host's certificate in its cluster, a PEM file; nil: it is in none.
    public var certificate: String?
    /// This host has a gateway alone of a cluster, and no part in who leads.
    public var hasGatewayAlone = false
    /// The program that switches the other host's power off; nil: there is none.
    public var fencing: String?

    /// Without an armed hardware watchdog this host takes no lead.
    public var requiresWatchdog = false

    private var named: [NamedPath] = []

    private struct NamedPath: Hashable, Sendable {
        var name: String
        var path: String
    }

    /// A plan that declares nothing.
    public init() {}

    /// The CPUs of hot threads.
    public var hotCPUs: CPUSet { CPUSet(hotThreads.map(\.cpu)) }
}
