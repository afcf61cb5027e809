// The agent's knowledge in the text format of OpenMetrics 1.0
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).

import Checks
import JSON

/// A text of metrics, family by family.
struct OpenMetrics {
    /// Its media type.
    static var kind: String { "application/openmetrics-text; version=1.0.0; charset=utf-8" }

    enum Family: String {
        case gauge, counter, info
    }

    private var text = ""
    private var name = ""
    private var family = Family.gauge

    /// Begins a family; its samples follow.
    mutating func begin(_ name: String, _ family: Family, _ help: String) {
        (self.name, self.family) = (name, family)
        text += "# TYPE \(name) \(family.rawValue)\n# HELP \(name) \(Self.escaped(help))\n"
    }

    /// Adds a sample of the family.
    mutating func add(_ value: String, _ labels: (String, String)...) {
        let suffix =
            switch family {
            case .gauge: ""
            case .counter: "_total"
            case .info: "_info"
            }
        text += name + suffix
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    /// The whole text.
    var whole: String { text + "# EOF\n" }

    /// Nanoseconds as seconds, exactly.
    static func seconds(nanos: Int64) -> String {
        let digits = String(abs(nanos % 1_000_000_000))
        return "\(nanos < 0 ? "-" : "")\(abs(nanos / 1_000_000_000))."
            + String(repeating: "0", count: 9 - digits.utf8.count) + digits
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension AgentCore {
    /// Everything that is a number, as OpenMetrics text.
    var metrics: String {
        let state = state
        var out = OpenMetrics()
        out.begin("bourse_agent", .info, "The agent and its host.")
        out.add("1", ("host", options.host), ("version", options.version))
        out.begin("bourse_agent_round_seconds", .gauge, "How long the last round took.")
        out.add(OpenMetrics.seconds(nanos: state["roundNanos"]?.whole ?? 0))
        out.begin("bourse_events", .counter, "Alarms raised and cleared.")
        out.add("\(state["sequence"]?.whole ?? 0)")
        checks(&out)
        exchange(state["exchange"], &out)
        units(state.rows("units"), &out)
        disks(state.rows("disks"), &out)
        directories(state.rows("directories"), &out)
        threads(state.rows("threads"), &out)
        return out.whole
    }

    private func checks(_ out: inout OpenMetrics) {
        let checks = checks
        out.begin("bourse_check_state", .gauge, "1 ok, 2 warning, 3 critical, 4 unknown.")
        for check in checks { out.add("\(check.state.rawValue)", ("check", check.name)) }
        out.begin("bourse_check_value", .gauge, "What the check measured.")
        for check in checks {
            guard let value = check.value else { continue }
            out.add("\(value)", ("check", check.name), ("unit", check.unit))
        }
        out.begin("bourse_check_failures", .counter, "How often the check has failed.")
        for check in checks { out.add("\(check.failures)", ("check", check.name)) }
    }

    private func exchange(_ exchange: JSONValue?, _ out: inout OpenMetrics) {
        guard let exchange, case .object(let members) = exchange else { return }
        let isRunning = exchange["running"] == .bool(true)
        out.begin("bourse_exchange_running", .gauge, "Whether matchd answers.")
        out.add(isRunning ? "1" : "0")
        let counters: Set<String> = ["commands", "syncs"]
        for member in members where member.name != "running" {
            let value: String
            switch member.value {
            case .numeral(let text): value = text
            case .bool(let isSo): value = isSo ? "1" : "0"
            default: continue
            }
            let snake = member.name.reduce(into: "") { name, letter in
                name += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
            }
            out.begin(
                "bourse_exchange_\(snake)", counters.contains(member.name) ? .counter : .gauge,
                "\(member.name) of boursectl status.")
            out.add(value)
        }
    }

    private func units(_ units: [JSONValue], _ out: inout OpenMetrics) {
        out.begin("bourse_unit_active", .gauge, "Whether systemd says that the unit is active.")
        for unit in units {
            let isActive = unit["active"]?.text == "active"
            out.add(isActive ? "1" : "0", ("unit", unit.label("name")))
        }
        out.begin("bourse_unit_restarts", .counter, "How often systemd started the unit again.")
        for unit in units { out.add(unit.numeral("restarts"), ("unit", unit.label("name"))) }
        out.begin("bourse_unit_memory_bytes", .gauge, "Memory of the unit.")
        for unit in units {
            guard let bytes = unit["memoryBytes"]?.whole else { continue }
            out.add("\(bytes)", ("unit", unit.label("name")))
        }
        out.begin("bourse_unit_cpu_seconds", .counter, "CPU time of the unit.")
        for unit in units {
            guard let nanos = unit["cpuNanos"]?.whole else { continue }
            out.add(OpenMetrics.seconds(nanos: nanos), ("unit", unit.label("name")))
        }
    }

    private func disks(_ disks: [JSONValue], _ out: inout OpenMetrics) {
        for (name, member, help) in [
            ("write_micros", "writeMicros", "Average of a write in the last round."),
            ("flush_micros", "flushMicros", "Average of a flush in the last round."),
            ("busy_percent", "busyPercent", "Share of the last round in which it worked."),
            ("temperature_celsius", "temperature", "Its temperature."),
            ("used_percent", "healthPercentUsed", "How much of its life is used up."),
        ] {
            out.begin("bourse_disk_\(name)", .gauge, help)
            for disk in disks {
                guard let value = disk[member]?.whole else { continue }
                out.add("\(value)", ("disk", disk.label("disk")))
            }
        }
    }

    private func directories(_ directories: [JSONValue], _ out: inout OpenMetrics) {
        for (name, member) in [
            ("bytes", "bytes"), ("free_bytes", "freeBytes"), ("inodes", "inodes"),
            ("free_inodes", "freeInodes"),
        ] {
            out.begin("bourse_directory_\(name)", .gauge, "\(member) of its file system.")
            for directory in directories {
                out.add(
                    directory.numeral(member), ("directory", directory.label("name")),
                    ("path", directory.label("path")))
            }
        }
    }

    private func threads(_ threads: [JSONValue], _ out: inout OpenMetrics) {
        out.begin("bourse_thread_switches", .counter, "How often the thread left its CPU.")
        for thread in threads {
            for kind in ["voluntary", "nonvoluntary"] {
                out.add(
                    thread.numeral(kind), ("unit", thread.label("unit")),
                    ("thread", thread.label("thread")), ("tid", thread.numeral("tid")),
                    ("kind", kind))
            }
        }
    }
}

extension JSONValue {
    fileprivate func rows(_ name: String) -> [JSONValue] {
        if case .array(let rows) = self[name] { rows } else { [] }
    }
    fileprivate func label(_ name: String) -> String { self[name]?.text ?? "" }
    fileprivate func numeral(_ name: String) -> String { "\(self[name]?.whole ?? 0)" }
}
