// Sees to it that the machine's hardware watchdog is armed, and reports how it is to the core.

import Agent
import Configuration
import Coordination
import Failover
import HelperAPI
import Logging
import Platform

/// Looks at the watchdog now and then, on a thread that lives as long as the process: the helper
/// may take seconds. A host that only follows has it armed already when it has to lead.
enum WatchdogKeeper {
    private static let lookNanos: Int64 = 2_000_000_000
    /// Between two attempts to arm it.
    private static let armNanos: Int64 = 60_000_000_000

    /// Begins to look, and unless the policy is `off` to arm it by the helper.
    static func start(
        _ policy: Settings.Cluster.WatchdogPolicy, feeding shell: FailoverShell,
        by helper: HelperClient, _ log: Logger
    ) throws(SystemError) {
        _ = try PinnedThread.start(name: "watchdog") {
            var triedAt: Int64?
            var said = ""
            while true {
                let now = Clock.monotonicNanos()
                var found = WatchdogState(WatchdogDevice.find())
                var fault: String?
                let isDue = triedAt.map { now - $0 >= armNanos } ?? true
                if found == .inactive, policy != .off, isDue {
                    triedAt = now
                    do throws(HelperClientError) {
                        _ = try helper.ask(.armWatchdog)
                    } catch { fault = "\(error)" }
                    found = WatchdogState(WatchdogDevice.find())
                }
                shell.take(.watchdog(found))
                let text = words(found, policy, fault)
                // Between two attempts nothing is known of why.
                if text != said, isDue || found != .inactive { report(text, found, policy, log) }
                if isDue || found != .inactive { said = text }
                Clock.sleep(nanos: lookNanos)
            }
        }
    }

    private static func words(
        _ state: WatchdogState, _ policy: Settings.Cluster.WatchdogPolicy, _ fault: String?
    ) -> String {
        let why = fault.map { ": \($0)" } ?? ""
        let bars = policy == .required && state != .armed
        return state.text + why + (bars ? "; required: this host takes no lead" : "")
    }

    private static func report(
        _ text: String, _ state: WatchdogState, _ policy: Settings.Cluster.WatchdogPolicy,
        _ log: Logger
    ) {
        switch (state, policy) {
        case (.armed, _), (_, .off): log.notice("\(text)")
        case (_, .required): log.error("\(text)")
        case (_, .auto): log.warning("\(text)")
        }
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
