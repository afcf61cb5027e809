// explain

import ArgumentParser
import Checks
import JSON
import Presentation

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explains a check: what was found, why it matters, and what to do.",
        discussion: """
            JSON: {"check": {…}, "history": [[minute since 1970, worst state, largest value]]}, \
            for the last day.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The check's name, as `boursectl check` shows it.")
    var name: String

    func run() throws {
        let agent = try common.agent()
        let check = try agent.state().check(name)
        let json = try agent.get("/v1/checks/" + AgentClient.encoded(check.name))
        common.out.give(json, text: text(check, json))
    }

    private func text(_ check: ReportedCheck, _ json: JSONValue) -> [String] {
        let ink = common.out.ink
        var facts = Facts()
        facts.add("found", check.text)
        if let value = check.value { facts.add("value", "\(Readable.count(value)) \(check.unit)") }
        let marks = [
            check.thresholds.warning.map { "warns at \(Readable.count($0))" },
            check.thresholds.critical.map { "critical at \(Readable.count($0))" },
        ].compactMap { $0 }
        if !marks.isEmpty { facts.add("thresholds", marks.joined(separator: ", ")) }
        facts.add("since", Readable.time(check.since, digits: 0))
        facts.add("read from", check.source)
        if check.failures > 0 { facts.add("failed", "\(check.failures) times") }
        facts.add("last day", Self.course(json["history"]))
        var lines = ["\(ink.state(check.state))  \(check.name)"] + facts.lines(ink)
        lines += ["", Table.printable(check.why)]
        if !check.changes.isEmpty {
            lines += ["", "The agent can fix it with `boursectl fix \(check.name) --apply`:"]
            lines += check.changes.map { "  " + $0 }
        }
        if !check.advice.isEmpty {
            lines += ["", "What to do:"] + check.advice.map { "  " + Table.printable($0) }
        }
        return lines
    }

    /// The last day, a letter per hour with samples, by its worst state.
    private static func course(_ history: JSONValue?) -> String {
        guard case .array(let samples)? = history else { return "" }
        var hours: [(hour: Int64, state: CheckState)] = []
        for sample in samples {
            guard case .array(let parts) = sample, parts.count == 3, let minute = parts[0].whole,
                let state = parts[1].text.flatMap(CheckState.init(name:))
            else { continue }
            if hours.last?.hour == minute / 60 {
                if state.severity > hours[hours.count - 1].state.severity {
                    hours[hours.count - 1].state = state
                }
            } else {
                hours.append((minute / 60, state))
            }
        }
        let letters = hours.map { hour -> String in
            switch hour.state {
            case .ok: "."
            case .warning: "w"
            case .critical: "C"
            case .unknown: "?"
            }
        }
        return letters.joined() + "  (one per hour: . ok, w warning, C critical, ? unknown)"
    }
}

extension AgentClient {
    /// A name as a part of a path: RFC 3986, section 2.1.
    static func encoded(_ name: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return name.utf8.reduce(into: "") { text, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
    }
}
