// Sees to it that the machine's hardware watchdog is armed, and reports how it is to the core.

import Agent
import Configuration
import Coordination
import DaemonKit
import Failover
import HelperAPI
import Logging
import Platform

/// Looks at the watchdog now and then, on a thread that lives as long as the process: the helper
/// may take seconds.
enum WatchdogKeeper {
    /// Begins to look, and unless the policy is `off` to arm it by the helper.
    static func start(
        _ policy: Settings.Cluster.WatchdogPolicy, feeding shell: FailoverShell,
        by helper: HelperClient, _ log: Logger
    ) throws(SystemError) {
        _ = try PinnedThread.start(name: "watchdog") {
            var watch = WatchdogWatch(arms: policy != .off, isRequired: policy == .required)
            while true {
                let (state, note) = watch.look(
                    at: Clock.monotonicNanos(), find: { WatchdogState(WatchdogDevice.find()) },
                    arm: { arm(helper) })
                shell.take(.watchdog(state))
                if let note { log.report(note) }
                Clock.sleep(nanos: WatchdogWatch.lookNanos)
            }
        }
    }

    /// Why the helper could not; nil: it could.
    private static func arm(_ helper: HelperClient) -> String? {
        do throws(HelperClientError) {
            _ = try helper.ask(.armWatchdog)
            return nil
        } catch { return "\(error)" }
    }
}

extension Logger {
    /// Logs what the coordination reports.
    func report(_ note: ClusterNote) {
        let level: Logger.Level =
            switch note.severity {
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
        report(level, note.text)
    }
}

extension WatchdogState {
    /// What the kernel shows.
    init(_ device: WatchdogDevice) {
        self =
            switch device {
            case .unknown: .unknown
            case .absent: .absent
            case .inactive: .inactive
            case .armed: .armed
            }
    }
}
