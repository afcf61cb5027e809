// The units of the exchange, as systemd sees them. Numbers 601 … 699.

extension CheckKind {
    static let unitState = CheckKind(
        601, "unit.state",
        why: "A daemon that is not running takes its part of the exchange with it.")
    static let unitRestarts = CheckKind(
        602, "unit.restarts", unit: "per-hour", warning: 1, critical: 5,
        why: "A daemon that starts again and again loses nothing, but something ends it.")
}

extension CheckGroup {
    /// What systemd says of each unit.
    static let units = CheckGroup(
        "unit", seconds: 1, kinds: [.unitState], sources: ["/probe/units"]
    ) { input in
        let source = "/probe/units"
        guard input.now.text(source) != nil else {
            return input.plan.units.map {
                input.unknown(.unitState, $0, source: "systemd", "systemd does not answer")
            }
        }
        let lines = input.now.lines(source).map(\.words)
        return input.plan.units.map { unit in
            guard let line = lines.first(where: { $0.first.map(String.init) == unit }),
                line.count >= 4
            else {
                return input.unknown(
                    .unitState, unit, source: "systemd", "systemd does not know \(unit)")
            }
            let words = line.map(String.init)
            let text = "\(unit) is \(words[2]) (\(words[3]))"
            return switch (words[2], words[3]) {
            case ("active", "running"), ("active", "listening"), ("active", "active"):
                Finding(.unitState, unit, .ok, text, source: "systemd")
            case ("activating", _), ("deactivating", _), ("reloading", _):
                Finding(.unitState, unit, .warning, text, source: "systemd")
            default:
                Finding(
                    .unitState, unit, .critical, text, source: "systemd",
                    fix: .advice(["journalctl -u \(unit) -n 50", "systemctl start \(unit)"]))
            }
        }
    }
}
