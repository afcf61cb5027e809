// Reports to systemd: sd_notify(3). No effect without a service manager.

internal import CSystemd
internal import Glibc

/// The service manager of this process, if any.
public enum ServiceManager {
    /// Start-up is done; the daemon accepts work.
    public static func ready() { notify("READY=1") }

    /// The daemon's present state in one line, for `systemctl status`.
    public static func status(_ text: String) {
        notify("STATUS=" + String(text.map { $0.isNewline ? " " : $0 }))
    }

    /// A watchdog ping; due at least every `watchdogNanos`.
    public static func watchdog() { notify("WATCHDOG=1") }

    /// The stop has begun.
    public static func stopping() { notify("STOPPING=1") }

    /// Extends the timeout of the present start or stop by `seconds`.
    public static func extendTimeout(seconds: Int) {
        notify("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    /// The watchdog interval in nanoseconds, or nil without one. Ping at half of it.
    public static let watchdogNanos: Int64? = {
        let micros = bourse_sd_watchdog_usec()
        return micros == 0 ? nil : Int64(clamping: micros).multipliedReportingOverflow(by: 1000).0
    }()

    /// Number of passed sockets, from descriptor 3 (sd_listen_fds(3)); they close on exec.
    public static func passedSockets() -> Int { Int(max(0, bourse_sd_listen_fds())) }

    /// The file of a credential of the unit, systemd.exec(5); nil if there is none of that name.
    public static func credential(_ name: String) -> String? {
        guard let directory = unsafe getenv("CREDENTIALS_DIRECTORY") else { return nil }
        let path = Directory.join(unsafe String(cString: directory), name)
        return Directory.exists(path) ? path : nil
    }

    /// The device and inode of the stream to systemd's journal that this process was started
    /// with: JOURNAL_STREAM, systemd.exec(5). Its output may have been redirected since.
    public static var journalStream: String? {
        unsafe getenv("JOURNAL_STREAM").map { unsafe String(cString: $0) }
    }

    /// Whether a descriptor is that stream.
    public static func isJournal(_ descriptor: Int32, stream: String? = journalStream) -> Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0
            && stream == "\(status.st_dev):\(status.st_ino)"
    }

    private static func notify(_ state: String) { _ = unsafe bourse_sd_notify(state) }
}
