// What matchd reports while it runs.

import DaemonKit
import Logging
import Pipeline
import Platform

extension MatchingDaemon {
    /// Waits for a signal; reports meanwhile to the service manager that the engine thread turns.
    func watch(_ daemon: DaemonProcess) {
        var turns = pipeline.turns
        var wasBelow = false
        var clock = pipeline.clock
        if clock.isApart { sayClock(clock) }
        var poisoned: UInt64 = 0
        daemon.watch {
            let now = pipeline.turns
            if now != turns { ServiceManager.watchdog() }
            turns = now
            let sync = pipeline.syncNanos
            ServiceManager.status(
                """
                record \(pipeline.durable) durable, \(pipeline.commands) commands, \
                sync p50 \(sync.p50 / 1000) us p99 \(sync.p99 / 1000) us
                """)
            let reading = pipeline.clock
            if reading.jumps != clock.jumps {
                log.error("the host's clock jumped by \(Self.seconds(reading.lastJump)) s")
            }
            if reading.isApart != clock.isApart { sayClock(reading) }
            clock = reading
            if pipeline.poisoned != poisoned {
                poisoned = pipeline.poisoned
                log.critical(
                    "refused a command with which matchd had died twice (\(poisoned) so far)")
            }
            if pipeline.isBelowReserve != wasBelow {
                wasBelow.toggle()
                log.report(
                    wasBelow ? .error : .notice,
                    wasBelow
                        ? "disk space is below the reserve: only cancels are taken; free some"
                        : "disk space is above the reserve again: everything is taken")
            }
            return true
        }
    }
}

extension MatchingDaemon {
    /// Says how the host's clock and the log's differ.
    func sayClock(_ clock: (offset: Int64, jumps: UInt64, lastJump: Int64, isApart: Bool)) {
        let seconds = Self.seconds(clock.offset)
        log.report(
            clock.isApart ? .error : .notice,
            clock.isApart
                ? "the host's clock is \(seconds) s from the log's, which does not follow it: put "
                    + "the host's right; if it is right, stop matchd, remove "
                    + "\(Self.markPath(settings)) and start it again"
                : "the host's clock is \(seconds) s from the log's, which follows it again")
    }

    private static func seconds(_ nanos: Int64) -> String {
        let tenths = nanos / 100_000_000
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}
