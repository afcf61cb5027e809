// explain

import AgentAPI
import ArgumentParser
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
        let detail = try agent.ask { (agent) throws(AgentError) in try agent.check(check.name) }
        common.out.give(detail.json, text: text(check, detail.history))
    }

    private func text(_ check: ReportedCheck, _ history: [CheckSample]) -> [String] {
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
        facts.add("last day", Self.course(history))
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
    private static func course(_ history: [CheckSample]) -> String {
        var hours: [(hour: Int64, state: CheckState)] = []
        for sample in history {
            if hours.last?.hour == sample.minute / 60 {
                if sample.state.severity > hours[hours.count - 1].state.severity {
                    hours[hours.count - 1].state = sample.state
                }
            } else {
                hours.append((sample.minute / 60, sample.state))
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
