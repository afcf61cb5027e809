// The watchdogs of this machine.

internal import Platform

extension WatchdogDevice {
    /// How this machine's hardware watchdog is; `root` is empty but in tests.
    public static func find(root: String = "") -> WatchdogDevice {
        let folder = root + WatchdogTable.directory
        // Without a driver of any there is no such directory.
        guard Directory.exists(folder) else { return .absent }
        guard let names = try? Directory.names(in: folder) else { return .unknown }
        let table = WatchdogTable(names: names.sorted()) { path in
            (try? File.text(of: root + path, bytesMax: 256)) ?? nil
        }
        return table.device
    }
}
