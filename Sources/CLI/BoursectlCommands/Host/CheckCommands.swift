// check, explain

import AgentAPI
import ArgumentParser
import JSON
import Platform
import Presentation

struct Check: ParsableCommand, NagiosCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the agent finds of this host.",
        discussion: """
            Exit status as monitoring plugins have it: 0 all is well, 1 a warning, 2 something \
            critical, 3 something cannot be seen, or the agent does not answer.

            JSON: [{"name", "kind", "subject", "state", "value", "unit", "warning", "critical", \
            "since", "seen", "failures", "text", "source", "why", "changes", "advice"}], the worst \
            first.
            """)

    @OptionGroup var common: Common
    @OptionGroup var repeating: Repeating

    @Flag(help: "The same as --output nagios: one line and its performance data.")
    var nagios = false

    @Argument(
        help: "A check, a kind or the first part of one, as disk or disk.space. Default: all.")
    var name: String?

    func run() throws { try repeating.run(common, show) }

    private func show(_ out: Output) throws {
        let isNagios = nagios || common.output == .nagios
        let view: HostView
        let checks: [ReportedCheck]
        do throws(Failure) {
            view = try common.agent().state()
            checks = try view.checks(named: name)
        } catch {
            // What cannot be asked is unknown, for whoever reads the exit status.
            if isNagios {
                Output(format: .nagios, screen: out.screen)
                    .give(.null, text: ["BOURSE UNKNOWN - \(error.problem)"])
            } else if out.screen != nil, common.output == .text {
                out.give(.null, text: ["\(out.ink.faint("unknown"))  \(error.problem)"])
            } else {
                error.say()
            }
            throw ExitCode(NagiosReport.status(.unknown))
        }
        let worst = checks.map(\.state).max { $0.severity < $1.severity } ?? .unknown
        if isNagios {
            Output(format: .nagios, screen: out.screen)
                .give(.null, text: NagiosReport.lines(checks))
        } else {
            out.give(.array(checks.map(\.json)), text: text(view, checks, worst))
        }
        throw ExitCode(NagiosReport.status(worst))
    }

    private func text(
        _ view: HostView, _ checks: [ReportedCheck], _ worst: CheckState
    ) -> [String] {
        let ink = common.out.ink
        var table = Table([
            .words("STATE"), .words("CHECK"), .numbers("VALUE"), .words("SINCE"), .words("FOUND"),
        ])
        for check in checks where check.state != .ok || name != nil {
            table.add(check.cells(now: view.time))
        }
        let counts = [CheckState.critical, .warning, .unknown, .ok].compactMap { state in
            let count = checks.count { $0.state == state }
            return count == 0 ? nil : "\(count) \(ink.state(state))"
        }
        let head = "\(view.host): \(counts.joined(separator: ", "))"
        return [head] + (table.rows.isEmpty ? [] : [""] + table.lines(ink))
    }
}

extension ReportedCheck {
    /// Its cells in a table: state, name, value, since, text.
    func cells(now: Int64) -> [String] {
        let value = value.map { "\(Readable.count($0)) \(unit)" } ?? ""
        return [state.name, name, value, Readable.duration(nanos: max(0, now - since)), text]
    }
}

/// What monitoring plugins write (https://www.monitoring-plugins.org/doc/guidelines.html).
enum NagiosReport {
    /// Their exit status.
    static func status(_ state: CheckState) -> Int32 {
        switch state {
        case .ok: 0
        case .warning: 1
        case .critical: 2
        case .unknown: 3
        }
    }

    /// The line of the worst with performance data, and a line for each of the others that is not
    /// well. `checks` begin with the worst.
    static func lines(_ checks: [ReportedCheck]) -> [String] {
        let wrong = checks.filter { $0.state != .ok }
        let worst = checks.first?.state ?? .unknown
        let summary =
            wrong.isEmpty
            ? "\(checks.count) checks are well"
            : "\(wrong.count) of \(checks.count) checks are not well: \(clean(wrong[0]))"
        let data = checks.compactMap(performance)
        let first = "BOURSE \(worst.name.uppercased()) - \(summary)"
        return [data.isEmpty ? first : "\(first) | \(data.joined(separator: " "))"]
            + wrong.dropFirst().map { "\($0.state.name): \(clean($0))" }
    }

    private static func clean(_ check: ReportedCheck) -> String {
        Table.printable("\(check.name): \(check.text)").replacing("|", with: "/")
    }

    private static func performance(_ check: ReportedCheck) -> String? {
        guard let value = check.value else { return nil }
        let label = check.name.replacing("'", with: "").replacing("=", with: "-")
        let unit = check.unit == "percent" ? "%" : ""
        let marks = [check.thresholds.warning, check.thresholds.critical]
            .map { $0.map { "\($0)" } ?? "" }
        return "'\(label)'=\(value)\(unit);\(marks[0]);\(marks[1])"
    }
}

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explains a check: what was found, why it matters, and what to do.",
        discussion: """
            JSON: {"check": {…}, "history": [[minute since 1970, worst state, largest value]]}, \
            the last day.
            """)

    @OptionGroup var common: Common

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
            lines += ["", "The agent can put it right with `boursectl fix \(check.name) --apply`:"]
            lines += check.changes.map { "  " + $0 }
        }
        if !check.advice.isEmpty {
            lines += ["", "What to do:"] + check.advice.map { "  " + Table.printable($0) }
        }
        return lines
    }

    /// The last day, a letter for each hour of which something is known, by its worst state.
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
        return letters.joined() + "  (an hour each: . ok, w warning, C critical, ? unknown)"
    }
}
