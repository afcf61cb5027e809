// A daemon's life: it takes its signals, watches itself, and ends with a status.

internal import Configuration
internal import Glibc
public import Logging
public import Platform

/// A running daemon: its log, and the signals that it takes.
public struct DaemonProcess: Sendable {
    /// Its log.
    public let log: Logger
    /// Its signals. SIGHUP is reported and changes nothing: the configuration is read at the start
    /// alone.
    public let signals: Signals

    /// Runs a daemon until `body` returns, and ends the process as `once` does. Call it before any
    /// thread is made: threads inherit which signals are blocked.
    public static func run(_ name: String, _ body: (DaemonProcess) throws -> Void) -> Never {
        once(name) { log in
            try body(DaemonProcess(log: log, signals: Signals(note: log.reporting())))
        }
    }

    /// Runs `body` and ends the process: with 0, or after an error, which is logged, with the
    /// status that belongs to it. Signals end it as they end any process.
    public static func once(_ name: String, _ body: (Logger) throws -> Void) -> Never {
        let log = Logger.daemon(name)
        do { try body(log) } catch let error as SettingsError {
            log.fatal(error.description, status: DaemonExit.configuration, level: .error)
        } catch let error as StateLockError {
            log.fatal(error.description, level: .error)
        } catch {
            log.fatal("\(error)")
        }
        exit(0)
    }

    /// Waits for a signal that stops the daemon. Meanwhile calls `turn` at least once a second, and
    /// often enough for the watchdog, until it gives false.
    public func watch(_ turn: () -> Bool) {
        let period = min(1_000_000_000, (ServiceManager.watchdogNanos ?? .max) / 2)
        let millis = Int32(max(1, period / 1_000_000))
        repeat {
            if let signal = signals.wait(milliseconds: millis) {
                log.notice("got signal \(signal), stopping")
                return
            }
        } while turn()
    }
}
