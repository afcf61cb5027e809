// A daemon's life: signals, watchdog, exit status.

internal import Configuration
internal import Glibc
public import Logging
public import Platform

/// A running daemon: its log and signals.
public struct DaemonProcess: Sendable {
    /// Its log.
    public let log: Logger
    /// Its signals. SIGHUP is logged and changes nothing where the daemon reloads nothing.
    public let signals: Signals

    /// Runs a daemon until `body` returns, and ends the process as `once` does. Call it before any
    /// thread is made: threads inherit blocked signals.
    public static func run(_ name: String, _ body: (DaemonProcess) throws -> Void) -> Never {
        once(name) { log in
            try body(DaemonProcess(log: log, signals: Signals(note: log.reporting())))
        }
    }

    /// Runs `body` and ends the process with 0, or logs its error and exits with the matching
    /// status. Signals have their default effect.
    public static func once(_ name: String, _ body: (Logger) throws -> Void) -> Never {
        let log = Logger.daemon(name)
        do { try body(log) } catch let error as SettingsError {
            log.fatal(error.description, status: DaemonExit.configuration, level: .error)
        } catch let error as StateLockError {
            log.fatal(error.description, level: .error)
        } catch { log.fatal("\(error)") }
        exit(0)
    }

    /// Waits for a signal that stops the daemon. Meanwhile calls `turn` at least once a second, and
    /// often enough for the watchdog, until it returns false. At SIGHUP it calls `reload`, if there
    /// is one.
    public func watch(reload: (() -> Void)? = nil, _ turn: () -> Bool) {
        let period = min(1_000_000_000, (ServiceManager.watchdogNanos ?? .max) / 2)
        let millis = Int32(max(1, period / 1_000_000))
        repeat {
            if let signal = signals.wait(milliseconds: millis, onHangUp: reload) {
                log.notice("got signal \(signal), stopping")
                return
            }
        } while turn()
    }
}
