// The units of the exchange as systemd reports them: `/probe/units`.

import Checks
import Glibc
import Platform
internal import Synchronization

/// Follows units over the system bus on a thread of its own: a change is seen at once. A bus that
/// goes away is looked for again, at first after a second, then more and more seldom; meanwhile
/// there is no text, and what is asked about units is not known.
final class UnitWatcher: HostProbe {
    /// Nanoseconds after which everything is read again: no signal reports changes of memory and
    /// CPU time.
    private static var periodNanos: Int64 { 5_000_000_000 }
    /// Nanoseconds that a call may take.
    private static var callNanos: Int64 { 5_000_000_000 }
    /// Maximum number of nanoseconds between two attempts to reach the bus.
    private static var pauseNanosMax: Int64 { 30_000_000_000 }

    var places: [String] { [UnitStatus.path] }
    private let units: [String]
    private let changed: @Sendable () -> Void
    private let latest = Mutex<(time: Int64, lines: [String])>((0, []))
    private let asked = Mutex(false)

    /// Follows these units, at most `SystemBus.watchedMax`; `changed` is called when one did.
    init(_ units: [String], changed: @escaping @Sendable () -> Void) throws(SystemError) {
        self.units = Array(units.prefix(SystemBus.watchedMax))
        self.changed = changed
        _ = try PinnedThread.start(name: "units") { [self] in
            var pause: Int64 = 1_000_000_000
            while true {
                do throws(SystemError) {
                    try follow { pause = 1_000_000_000 }
                } catch {
                    latest.withLock { $0 = (0, []) }
                    asked.withLock { $0 = true }
                    changed()
                }
                Clock.sleep(nanos: pause)
                pause = min(pause * 2, Self.pauseNanosMax)
            }
        }
    }

    var hasAsked: Bool { asked.withLock { $0 } }

    func text(_ path: String) -> String? {
        latest.withLock { latest in
            let age = Clock.monotonicNanos() - latest.time
            // Two calls that hang may be under way before the bus is given up.
            guard !latest.lines.isEmpty, age < Self.periodNanos + 3 * Self.callNanos else {
                return nil
            }
            return latest.lines.joined()
        }
    }

    /// Follows the units until the bus fails; calls `reached` once it answered.
    private func follow(_ reached: () -> Void) throws(SystemError) {
        let bus = try SystemBus(timeoutNanos: Self.callNanos)
        try bus.watch(units)
        var lines = [String](repeating: "", count: units.count)
        var due = Array(units.indices)
        var renewed: Int64 = 0
        while true {
            for index in due { lines[index] = try Self.line(bus, units[index]) }
            if !due.isEmpty {
                reached()
                latest.withLock { $0 = (Clock.monotonicNanos(), lines) }
                asked.withLock { $0 = true }
            }
            let now = Clock.monotonicNanos()
            if due.count == units.count { renewed = now } else if !due.isEmpty { changed() }
            due = try bus.changes(waitNanos: renewed + Self.periodNanos - now)
            if Clock.monotonicNanos() - renewed >= Self.periodNanos { due = Array(units.indices) }
        }
    }

    /// A unit's line; empty where the manager refuses to report it.
    private static func line(_ bus: SystemBus, _ unit: String) throws(SystemError) -> String {
        do throws(SystemError) {
            var status = UnitStatus(unit, try bus.state(of: unit))
            func number(
                _ property: String, _ interface: SystemBus.Interface = .service,
                isNarrow: Bool = false
            ) throws(SystemError) -> Int64? {
                UnitStatus.known(try bus.number(unit, property, interface, isNarrow: isNarrow))
            }
            status.sinceMicros = try number("StateChangeTimestamp", .unit)
            status.restarts = try number("NRestarts", isNarrow: true)
            status.watchdogMicros = try number("WatchdogUSec")
            status.memoryBytes = try number("MemoryCurrent")
            status.cpuNanos = try number("CPUUsageNSec")
            status.status = try bus.text(unit, "StatusText", .service)
            return status.line
        } catch {
            let isLost = [ECONNRESET, ENOTCONN, EPIPE, ETIMEDOUT, ECONNREFUSED, EBADF]
                .contains(error.code)
            guard !isLost else { throw error }
            return ""
        }
    }
}
