// The machine's watchdogs as the kernel shows them: sysfs-class-watchdog in the kernel's
// documentation of its ABI.

/// The hardware watchdog of a machine; the raw value is the helper's answer.
public enum WatchdogDevice: String, Hashable, Sendable {
    /// It cannot be looked at.
    case unknown
    /// There is none; or only one in software, which hangs with its kernel.
    case absent
    /// There is one, and nobody has armed it.
    case inactive
    /// It is armed: the machine reboots unless somebody keeps it from that.
    case armed
}

/// The watchdogs of a machine.
public struct WatchdogTable: Hashable, Sendable {
    /// One of them.
    public struct Row: Hashable, Sendable {
        /// Its name, as `watchdog0`.
        public let name: String
        /// Its driver, as the driver calls itself; nil: that cannot be read.
        public let identity: String?
        /// Whether it is armed.
        public let device: WatchdogDevice
        /// Whether it is software in the kernel that it should watch (softdog).
        public var isSoftware: Bool { identity == "Software Watchdog" }
        /// The file with its state.
        public var source: String { "\(WatchdogTable.directory)/\(name)/state" }
    }

    /// The directory with one directory for each. Without a driver of any it may not be there.
    public static let directory = "/sys/class/watchdog"
    /// The files that are read, as patterns.
    public static let sources = ["state", "identity"].map { "\(directory)/watchdog*/\($0)" }

    /// All of them, in the order of their names.
    public let rows: [Row]

    /// Of the `names` in `directory`; `text` returns the text of a file, nil if it cannot be read.
    public init(names: [String], text: (String) -> String?) {
        rows = names.filter { $0.hasPrefix("watchdog") }.map { name in
            func value(_ file: String) -> String? {
                text("\(Self.directory)/\(name)/\(file)").map { text in
                    String(Substring(text.utf8.prefix { $0 != 0x0A }))
                }
            }
            let device: WatchdogDevice =
                switch value("state") {
                case "active": .armed
                case "inactive": .inactive
                default: .unknown
                }
            return Row(name: name, identity: value("identity"), device: device)
        }
    }

    /// The hardware watchdog that counts: the first that is armed, else the first that is not, else
    /// the first of which that is not known; nil: there is none.
    public var hardware: Row? {
        let all = rows.filter { !$0.isSoftware }
        return all.first { $0.device == .armed } ?? all.first { $0.device == .inactive }
            ?? all.first
    }

    /// How the hardware watchdog is.
    public var device: WatchdogDevice { hardware?.device ?? .absent }

    /// The first in software that is armed.
    public var armedSoftware: Row? { rows.first { $0.isSoftware && $0.device == .armed } }
}
