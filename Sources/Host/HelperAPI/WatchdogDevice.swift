// The machine's hardware watchdog as the kernel shows it: sysfs-class-watchdog in the kernel's
// documentation of its ABI.

/// The hardware watchdog of a machine.
public enum WatchdogDevice: String, Hashable, Sendable {
    /// It cannot be looked at.
    case unknown
    /// There is none; or only one in software, which hangs with its kernel.
    case absent
    /// There is one, and nobody has armed it.
    case inactive
    /// It is armed: the machine reboots unless somebody keeps it from that.
    case armed

    /// The first one that is armed, else the first; `root` is empty but in tests.
    public static func find(root: String = "") -> WatchdogDevice {
        let folder = "\(root)/sys/class/watchdog"
        // Without a driver of any there is no such directory.
        guard Directory.exists(folder) else { return .absent }
        guard let names = try? Directory.names(in: folder) else { return .unknown }
        var found = WatchdogDevice.absent
        for name in names where name.hasPrefix("watchdog") {
            guard value("\(folder)/\(name)/identity") != "Software Watchdog" else { continue }
            switch value("\(folder)/\(name)/state") {
            case "active": return .armed
            case "inactive": found = .inactive
            default: if found == .absent { found = .unknown }
            }
        }
        return found
    }

    private static func value(_ path: String) -> String? {
        guard let bytes = try? File(path, .read).read(count: 256) else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
