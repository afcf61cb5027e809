// The units of the exchange, as systemd sees them. Numbers 601 … 699.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let unitState = CheckKind(
        601, "unit.state", why: "The part of the exchange that this daemon runs is down.")
    static let unitRestarts = CheckKind(
        602, "unit.restarts", unit: "restarts", warning: 1, critical: 5,
        why: "Restarts lose no data, but something keeps ending the daemon.")
    static let unitWatchdog = CheckKind(
        603, "unit.watchdog",
        why: "Without a watchdog a daemon that hangs stays down until somebody notices.")
}

extension CheckGroup {
    /// The state of each unit.
    static let units = CheckGroup(
        "unit", seconds: 1, kinds: [.unitState, .unitRestarts, .unitWatchdog],
        sources: [UnitStatus.path]
    ) { input in
        guard input.now.text(UnitStatus.path) != nil else {
            return input.plan.units.map {
                input.unknown(.unitState, $0, source: "systemd", "systemd does not answer")
            }
        }
        let units = input.now.units
        return input.plan.units.flatMap { name in
            guard let unit = units[name] else {
                return [
                    input.unknown(
                        .unitState, name, source: "systemd", "systemd does not know \(name)")
                ]
            }
            return [input.state(unit)] + (unit.process > 0 ? input.running(unit) : [])
        }
    }
}

extension CheckInput {
    /// From this many restarts on, a unit that keeps restarting is critical.
    private static var restartsCritical: Int64 { 5 }

    fileprivate func state(_ unit: UnitStatus) -> Finding {
        let name = unit.name
        let text = "\(name) is \(unit.active) (\(unit.sub))"
        let restarts = unit.restarts ?? 0
        return switch (unit.active, unit.sub) {
        case ("active", "running"), ("active", "listening"), ("active", "active"):
            Finding(.unitState, name, .ok, text, source: "systemd")
        case ("activating", "auto-restart") where restarts >= Self.restartsCritical:
            // systemd restarts it for ever, so it never fails; but it does not run.
            Finding(
                .unitState, name, .critical, text + ", after \(restarts) restarts",
                source: "systemd", fix: .advice(["journalctl -u \(name) -n 50"]))
        case ("activating", _), ("deactivating", _), ("reloading", _):
            Finding(.unitState, name, .warning, text, source: "systemd")
        case ("failed", _) where name == HostPlan.signerUnit:
            // systemd restarts it for ever, unless its list or its settings want an operator: who
            // starts it before that was looked at may have a withdrawal paid twice.
            Finding(
                .unitState, name, .critical, text, source: "systemd",
                fix: .advice(["journalctl -u \(name) -n 50", "then: systemctl start \(name)"]))
        case ("failed", _) where HelperRequest.units.contains(name):
            // One that an operator stopped is inactive; the agent does not start that.
            Finding(
                .unitState, name, .critical, text, source: "systemd",
                fix: .change([.unit(.start, name: name)]))
        case ("active", _), ("inactive", _), ("failed", _), ("maintenance", _):
            Finding(
                .unitState, name, .critical, text, source: "systemd",
                fix: .advice(["journalctl -u \(name) -n 50", "systemctl start \(name)"]))
        default: unknown(.unitState, name, source: UnitStatus.path)
        }
    }

    /// Of a running daemon: how often systemd restarted it since an operator started it, and
    /// whether systemd would notice that it hangs.
    fileprivate func running(_ unit: UnitStatus) -> [Finding] {
        let name = unit.name
        return [
            unit.restarts.map {
                finding(
                    .unitRestarts, name, value: $0, "systemd has restarted \(name) \(times($0))",
                    source: "systemd",
                    fix: .advice(["journalctl -u \(name) -p warning", "coredumpctl list"]))
            } ?? unknown(.unitRestarts, name, source: UnitStatus.path),
            unit.watchdogMicros.map {
                verdict(
                    .unitWatchdog, name, isRight: $0 > 0,
                    $0 > 0
                        ? "systemd notices within \($0 / 1_000) ms that \(name) hangs"
                        : "not detected: that \(name) hangs, as systemd does not watch it",
                    source: "systemd",
                    fix: .advice(["systemctl edit \(name): [Service] WatchdogSec=5s"]))
            } ?? unknown(.unitWatchdog, name, source: UnitStatus.path),
        ]
    }
}
