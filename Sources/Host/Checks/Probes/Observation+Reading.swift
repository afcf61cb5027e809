// From the names of sources to an observation: which files they are on this host.

import HelperAPI

extension Observation {
    /// Maximum number of names that are kept of a directory.
    static var namesMax: Int { 4_096 }

    /// Reads what `sources` name, `/probe/units` first.
    ///
    /// In a path a part `*` stands for every name in its directory, `NAME*` for those that begin
    /// so, and
    /// - `{pid}` for the process of each unit in `/probe/units` that runs,
    /// - `{cpu}` for each CPU of a hot thread; for each CPU that is online where none is declared,
    /// - `{nic}` for each declared interface; where none is, for each that has a `device`,
    /// - `{disk}` for each block device that has a `device`,
    /// - `{certificate}` for this host's certificate in its cluster, where it is in one;
    /// - `{wallet}` for the file in which bourse-walletd reports its chains, where one is declared;
    /// - `{targets}` and `{readings}` for the directories of other devices, where any are declared.
    ///
    /// A path that ends in `/` is a directory, of which only the names are kept. The names in every
    /// directory that a pattern searched are kept as well.
    ///
    /// `text` returns the text of a file or probe, `names` the names in a directory; nil for what
    /// cannot be read.
    public init(
        time: Int64, sources: [String], plan: HostPlan,
        text: @escaping (String) -> String?, names: @escaping (String) -> [String]?
    ) {
        self.init(time: time)
        var reader = Reader(plan: plan, observation: self, readText: text, readNames: names)
        reader.read(UnitStatus.path)
        for source in sources { reader.expand("", source[...]) }
        self = reader.observation
    }

    private struct Reader {
        let plan: HostPlan
        var observation: Observation
        let readText: (String) -> String?
        let readNames: (String) -> [String]?
        var seen: Set<String> = []

        mutating func read(_ path: String) {
            guard seen.insert(path).inserted, let text = readText(path) else { return }
            observation.set(path, text)
        }

        mutating func list(_ directory: String) -> [String] {
            if seen.insert(directory + "/").inserted, let names = readNames(directory) {
                observation.set(directory, names: Array(names.prefix(Observation.namesMax)))
            }
            return observation.names(directory) ?? []
        }

        /// Reads every path that begins with `start`, as it is, and goes on as `pattern` says.
        mutating func expand(_ start: String, _ pattern: Substring) {
            guard let open = pattern.firstIndex(where: { $0 == "*" || $0 == "{" }) else {
                let path = start + pattern
                if path.hasSuffix("/") { return _ = list(String(path.dropLast())) }
                return read(path)
            }
            let head = start + pattern[..<open]
            guard pattern[open] == "*" else {
                guard let close = pattern[open...].firstIndex(of: "}") else { return }
                for name in stand(for: pattern[open...close]) {
                    expand(head + name, pattern[pattern.index(after: close)...])
                }
                return
            }
            guard let slash = head.lastIndex(of: "/") else { return }
            let rest = pattern[pattern.index(after: open)...]
            let beginning = head[head.index(after: slash)...]
            for name in list(String(head[..<slash])) where name.hasPrefix(beginning) {
                expand("\(head[...slash])\(name)", rest)
            }
        }

        private mutating func stand(for name: Substring) -> [String] {
            switch name {
            case "{pid}":
                return Set(observation.units.values.map(\.process)).filter { $0 > 0 }.sorted()
                    .map { "\($0)" }
            case "{cpu}":
                read(Observation.onlinePath)
                return observation.watchedCPUs(plan).numbers.map { "\($0)" }
            case "{nic}":
                for name in list("/sys/class/net") { _ = list("/sys/class/net/\(name)/device") }
                return observation.nics(plan).map(\.name)
            case "{disk}":
                for name in list("/sys/block") { _ = list("/sys/block/\(name)/device") }
                return observation.disks
            case "{certificate}": return plan.certificate.map { [$0] } ?? []
            case "{wallet}": return plan.wallet.map { [$0] } ?? []
            case "{targets}": return plan.devices.map { [$0.targets] } ?? []
            case "{readings}": return plan.devices.map { [$0.readings] } ?? []
            default: return []
            }
        }
    }
}

extension Observation {
    /// Where the CPUs that are online stand.
    static let onlinePath = "/sys/devices/system/cpu/online"

    /// The CPUs that are online; nil when that cannot be read.
    var onlineCPUs: CPUSet? { text(Self.onlinePath).flatMap { CPUSet(list: $0) } }

    /// The CPUs of hot threads; all that are online where none is declared.
    func watchedCPUs(_ plan: HostPlan) -> CPUSet {
        plan.hotThreads.isEmpty ? onlineCPUs ?? CPUSet([]) : plan.hotCPUs
    }

    /// The interfaces that are watched.
    func nics(_ plan: HostPlan) -> [HostPlan.Interface] {
        guard plan.interfaces.isEmpty else { return plan.interfaces }
        return (names("/sys/class/net") ?? [])
            .filter { names("/sys/class/net/\($0)/device") != nil }
            .map { HostPlan.Interface(name: $0) }
    }

    /// The block devices with hardware behind them.
    var disks: [String] {
        (names("/sys/block") ?? []).filter { names("/sys/block/\($0)/device") != nil }
    }

    /// A text of the kernel's command line, as words.
    var commandLine: [Substring] { text("/proc/cmdline")?.words ?? [] }

    /// The value of `NAME=` on the kernel's command line.
    func argument(_ name: String) -> Substring? {
        commandLine.last { $0.hasPrefix(name + "=") }?.dropFirst(name.utf8.count + 1)
    }
}
