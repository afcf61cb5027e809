// The units of the exchange, as systemd sees them. Numbers 601 … 699.

import HelperAPI

extension CheckKind {
    static let unitState = CheckKind(
        601, "unit.state",
        why: "A daemon that is not running takes its part of the exchange with it.")
    static let unitRestarts = CheckKind(
        602, "unit.restarts", unit: "restarts", warning: 1, critical: 5,
        why: "A daemon that starts again and again loses nothing, but something ends it.")
    static let unitWatchdog = CheckKind(
        603, "unit.watchdog",
        why: "A daemon that hangs, and is not watched, hangs until somebody looks.")
}

extension CheckGroup {
    /// What systemd says of each unit.
    static let units = CheckGroup(
        "unit", seconds: 1, kinds: [.unitState, .unitRestarts, .unitWatchdog],
        sources: ["/probe/units"]
    ) { input in
        let source = "/probe/units"
        guard input.now.text(source) != nil else {
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
            return [input.state(name, unit.words)]
                + (unit.process > 0 ? input.running(name, unit.words) : [])
        }
    }
}

extension CheckInput {
    /// So many restarts are no accident.
    private static var restartsCritical: UInt64 { 5 }

    fileprivate func state(_ unit: String, _ words: [String]) -> Finding {
        let text = "\(unit) is \(words[2]) (\(words[3]))"
        return switch (words[2], words[3]) {
        case ("active", "running"), ("active", "listening"), ("active", "active"):
            Finding(.unitState, unit, .ok, text, source: "systemd")
        case ("activating", "auto-restart")
        where (Observation.count(words[5]) ?? 0) >= Self.restartsCritical:
            // It is started again for ever, so it never fails; but it does not run.
            Finding(
                .unitState, unit, .critical, text + ", after \(words[5]) restarts",
                source: "systemd", fix: .advice(["journalctl -u \(unit) -n 50"]))
        case ("activating", _), ("deactivating", _), ("reloading", _):
            Finding(.unitState, unit, .warning, text, source: "systemd")
        case ("failed", _) where HelperRequest.units.contains(unit):
            // One that an operator stopped is inactive; that is not put right by itself.
            Finding(
                .unitState, unit, .critical, text, source: "systemd",
                fix: .change([.unit(.start, name: unit)]))
        case ("active", _), ("inactive", _), ("failed", _), ("maintenance", _):
            Finding(
                .unitState, unit, .critical, text, source: "systemd",
                fix: .advice(["journalctl -u \(unit) -n 50", "systemctl start \(unit)"]))
        default: unknown(.unitState, unit, source: "/probe/units")
        }
    }

    /// What is asked of a daemon that runs: how often it was started anew since an operator started
    /// it, and whether systemd would notice that it hangs.
    fileprivate func running(_ unit: String, _ words: [String]) -> [Finding] {
        let restarts = Observation.count(words[5])
        let watchdog = Observation.count(words[6])
        return [
            restarts.map {
                finding(
                    .unitRestarts, unit, value: $0, "systemd has restarted \(unit) \(times($0))",
                    source: "systemd",
                    fix: .advice(["journalctl -u \(unit) -p warning", "coredumpctl list"]))
            } ?? unknown(.unitRestarts, unit, source: "/probe/units"),
            watchdog.map {
                verdict(
                    .unitWatchdog, unit, isRight: $0 > 0,
                    $0 > 0
                        ? "systemd notices within \($0 / 1_000) ms that \(unit) hangs"
                        : "blind: systemd would not notice that \(unit) hangs", source: "systemd",
                    fix: .advice(["systemctl edit \(unit): [Service] WatchdogSec=5s"]))
            } ?? unknown(.unitWatchdog, unit, source: "/probe/units"),
        ]
    }
}
