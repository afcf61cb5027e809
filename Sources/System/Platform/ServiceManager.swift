// What a daemon reports to systemd: sd_notify(3). Without a service manager nothing happens.

internal import CSystemd
internal import Glibc

/// The service manager that started this process, if one did.
public enum ServiceManager {
    /// Start-up is done; work is taken.
    public static func ready() { notify("READY=1") }

    /// One line about what the daemon does now, for `systemctl status`.
    public static func status(_ text: String) {
        notify("STATUS=" + String(text.map { $0.isNewline ? " " : $0 }))
    }

    /// A sign of life; due at least every `watchdogNanos`.
    public static func watchdog() { notify("WATCHDOG=1") }

    /// The stop has begun.
    public static func stopping() { notify("STOPPING=1") }

    /// Asks for `seconds` more for the start or stop that is under way.
    public static func extendTimeout(seconds: Int) {
        notify("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    /// How often `watchdog` is due, in nanoseconds; nil when nobody watches. Ping at half of it.
    public static let watchdogNanos: Int64? = {
        let micros = bourse_sd_watchdog_usec()
        return micros == 0 ? nil : Int64(clamping: micros).multipliedReportingOverflow(by: 1000).0
    }()

    /// How many sockets were passed on, the first is descriptor 3 (sd_listen_fds(3)); they close on
    /// exec.
    public static func passedSockets() -> Int { Int(max(0, bourse_sd_listen_fds())) }

    /// The file of a credential that the unit loads, systemd.exec(5); nil where it loads none of
    /// that name.
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
