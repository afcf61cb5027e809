// The verbs of the root helper: one line each, parsed strictly. It can do nothing else.

/// One request to the helper.
public enum HelperRequest: Hashable, Sendable {
    /// Moves an interrupt: `irq-affinity IRQ CPUS`.
    case irqAffinity(irq: Int, cpus: CPUSet)
    /// Sets which CPUs take packets of a receive queue in software: `rps NIC QUEUE CPUS`; `none`
    /// turns it off.
    case rps(nic: String, queue: Int, cpus: CPUSet)
    /// Sets which CPUs send through a transmit queue: `xps NIC QUEUE CPUS`.
    case xps(nic: String, queue: Int, cpus: CPUSet)
    /// Sets how many queues an interface has: `channels NIC COUNT`.
    case channels(nic: String, count: Int)
    /// Moves a thread of the exchange: `thread-affinity PID TID CPUS`.
    case threadAffinity(process: Int, thread: Int, cpus: CPUSet)
    /// Sets a CPU's frequency governor: `governor CPU NAME`.
    case governor(cpu: Int, name: String)
    /// Sets a CPU's energy preference: `energy CPU NAME`.
    case energy(cpu: Int, name: String)
    /// Sets (or, below 0, releases) the latency bound of /dev/cpu_dma_latency, in microseconds:
    /// `wakeup-latency MICROS`.
    case wakeupLatency(micros: Int)
    /// Sets a kernel parameter out of `Self.parameters`: `parameter NAME VALUE`.
    case parameter(name: String, value: Int)
    /// Sets the CPUs of unbound workqueues: `workqueue CPUS`.
    case workqueue(cpus: CPUSet)
    /// Sets the mode of transparent huge pages: `huge-pages always|madvise|never`.
    case hugePages(mode: String)
    /// Adds the exchange's service address, removes it, or leaves it to the host that has it now:
    /// `service-address add|remove|leave ADDRESS/BITS NIC`.
    case serviceAddress(AddressChange, address: String, nic: String)
    /// Arms the machine's hardware watchdog by the service manager: `watchdog arm`. Nothing here
    /// disarms it.
    case armWatchdog
    /// Reads a disk's health: `health DISK`.
    case health(disk: String)
    /// Starts, stops or restarts a daemon of the exchange, as `unit start bourse-snmp.service`. The
    /// agent asks the service manager itself; the helper refuses it.
    case unit(UnitVerb, name: String)

    /// What can be done with the service address.
    public enum AddressChange: String, CaseIterable, Sendable {
        /// Adds or renews it; it ends by itself.
        case add
        /// Removes it.
        case remove
        /// Ends its connections, so that clients call again, and removes it.
        case leave
    }

    /// What can be done with a daemon.
    public enum UnitVerb: String, CaseIterable, Sendable {
        /// Starts it.
        case start
        /// Stops it.
        case stop
        /// Stops it if it runs, and starts it.
        case restart
    }

    /// The daemons that the agent may start and stop: each package's polkit rule names its own.
    public static var units: [String] {
        ["matchd", "auditd", "gatewayd", "walletd", "signerd", "poller", "snmp"].map {
            "bourse-\($0).service"
        }
    }

    /// Kernel parameters that may be set, with their ranges.
    public static var parameters: [(name: String, path: String, range: ClosedRange<Int>)] {
        [
            ("kernel.numa_balancing", "/proc/sys/kernel/numa_balancing", 0...1),
            ("kernel.timer_migration", "/proc/sys/kernel/timer_migration", 0...1),
            ("kernel.ksm", "/sys/kernel/mm/ksm/run", 0...2),
            ("vm.stat_interval", "/proc/sys/vm/stat_interval", 1...3_600),
            ("vm.swappiness", "/proc/sys/vm/swappiness", 0...100),
            ("net.core.busy_read", "/proc/sys/net/core/busy_read", 0...1_000),
        ]
    }

    /// The first words of all requests.
    public static var verbs: [String] {
        [
            "irq-affinity", "rps", "xps", "channels", "thread-affinity", "governor", "energy",
            "wakeup-latency", "parameter", "workqueue", "huge-pages", "service-address",
            "watchdog", "health", "unit",
        ]
    }

    /// Maximum size of a request's line in bytes, without the newline.
    public static var bytesMax: Int { 512 }

    /// Reads a line; nil for everything that is not exactly one request.
    public init?(_ line: some StringProtocol) {
        guard line.utf8.count <= Self.bytesMax, line.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            return nil
        }
        let words = String(line).split(separator: " ", omittingEmptySubsequences: false)
            .map { String($0) }
        guard let verb = words.first,
            let request = Self.parse(verb, Array(words.dropFirst()))
        else { return nil }
        self = request
    }

    private static func parse(_ verb: String, _ a: [String]) -> HelperRequest? {
        switch (verb, a.count) {
        case ("irq-affinity", 2):
            guard let irq = number(a[0], most: 65_535), let cpus = some(a[1]) else { return nil }
            return .irqAffinity(irq: irq, cpus: cpus)
        case ("rps", 3), ("xps", 3):
            guard isName(a[0]), let queue = number(a[1], most: 4_095) else { return nil }
            guard let cpus = a[2] == "none" ? CPUSet([]) : some(a[2]) else { return nil }
            return verb == "rps"
                ? .rps(nic: a[0], queue: queue, cpus: cpus)
                : .xps(nic: a[0], queue: queue, cpus: cpus)
        case ("channels", 2):
            guard isName(a[0]), let count = number(a[1], most: 4_096), count > 0 else { return nil }
            return .channels(nic: a[0], count: count)
        case ("thread-affinity", 3):
            guard let process = number(a[0], most: 4_194_304), process > 1,
                let thread = number(a[1], most: 4_194_304), thread > 1, let cpus = some(a[2])
            else { return nil }
            return .threadAffinity(process: process, thread: thread, cpus: cpus)
        case ("governor", 2), ("energy", 2):
            guard let cpu = number(a[0], most: CPUSet.numberMax), isWord(a[1]) else { return nil }
            return verb == "governor"
                ? .governor(cpu: cpu, name: a[1]) : .energy(cpu: cpu, name: a[1])
        case ("wakeup-latency", 1):
            if a[0] == "release" { return .wakeupLatency(micros: -1) }
            return number(a[0], most: 1_000_000).map { .wakeupLatency(micros: $0) }
        case ("parameter", 2):
            guard let known = parameters.first(where: { $0.name == a[0] }),
                let value = number(a[1], most: known.range.upperBound), known.range.contains(value)
            else { return nil }
            return .parameter(name: a[0], value: value)
        case ("workqueue", 1): return some(a[0]).map { .workqueue(cpus: $0) }
        case ("huge-pages", 1):
            return ["always", "madvise", "never"].contains(a[0]) ? .hugePages(mode: a[0]) : nil
        case ("service-address", 3):
            guard let change = AddressChange(rawValue: a[0]), isAddress(a[1]), isName(a[2]) else {
                return nil
            }
            return .serviceAddress(change, address: a[1], nic: a[2])
        case ("watchdog", 1): return a[0] == "arm" ? .armWatchdog : nil
        case ("health", 1): return isName(a[0]) ? .health(disk: a[0]) : nil
        case ("unit", 2):
            guard let verb = UnitVerb(rawValue: a[0]), units.contains(a[1]) else { return nil }
            return .unit(verb, name: a[1])
        default: return nil
        }
    }

    /// The line that `init` reads back.
    public var line: String {
        switch self {
        case .irqAffinity(let irq, let cpus): "irq-affinity \(irq) \(cpus)"
        case .rps(let nic, let queue, let cpus):
            "rps \(nic) \(queue) \(cpus.isEmpty ? "none" : "\(cpus)")"
        case .xps(let nic, let queue, let cpus):
            "xps \(nic) \(queue) \(cpus.isEmpty ? "none" : "\(cpus)")"
        case .channels(let nic, let count): "channels \(nic) \(count)"
        case .threadAffinity(let process, let thread, let cpus):
            "thread-affinity \(process) \(thread) \(cpus)"
        case .governor(let cpu, let name): "governor \(cpu) \(name)"
        case .energy(let cpu, let name): "energy \(cpu) \(name)"
        case .wakeupLatency(let micros):
            "wakeup-latency \(micros < 0 ? "release" : String(micros))"
        case .parameter(let name, let value): "parameter \(name) \(value)"
        case .workqueue(let cpus): "workqueue \(cpus)"
        case .hugePages(let mode): "huge-pages \(mode)"
        case .serviceAddress(let change, let address, let nic):
            "service-address \(change.rawValue) \(address) \(nic)"
        case .armWatchdog: "watchdog arm"
        case .health(let disk): "health \(disk)"
        case .unit(let verb, let name): "unit \(verb.rawValue) \(name)"
        }
    }

    /// Its first word: what policy allows or does not.
    public var verb: String { String(line.prefix { $0 != " " }) }

    /// Whether it changes anything; the others only read.
    public var isChange: Bool { if case .health = self { false } else { true } }

    // MARK: Words

    private static func number(_ text: String, most: Int) -> Int? {
        guard (1...7).contains(text.utf8.count), text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
            text == "0" || !text.hasPrefix("0"), let number = Int(text), number <= most
        else { return nil }
        return number
    }

    private static func some(_ text: String) -> CPUSet? {
        guard let cpus = CPUSet(list: text), !cpus.isEmpty, cpus.description == text else {
            return nil
        }
        return cpus
    }

    /// A device's name: no slash, no dot at its start, at most 31 bytes.
    private static func isName(_ text: String) -> Bool {
        (1...31).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasPrefix("-")
            && text.utf8.allSatisfy {
                0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 || $0 == 0x2E
                    || $0 == 0x5F || $0 == 0x2D || $0 == 0x40
            }
    }

    /// Lower-case letters, digits and underscores, as governors are named.
    private static func isWord(_ text: String) -> Bool {
        (1...31).contains(text.utf8.count)
            && text.utf8.allSatisfy { 0x61...0x7A ~= $0 || $0 == 0x5F || 0x30...0x39 ~= $0 }
    }

    /// An address with its prefix length, in characters that an address has; the kernel reads it.
    private static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, (2...45).contains(parts[0].utf8.count),
            number(String(parts[1]), most: 128) != nil
        else { return false }
        return parts[0].utf8.allSatisfy {
            0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 || 0x41...0x46 ~= $0 || $0 == 0x2E || $0 == 0x3A
        }
    }
}
