// check

import AgentAPI
import ArgumentParser
import JSON
import Presentation

struct CheckCommand: ParsableCommand, NagiosCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Shows the agent's checks of this host.",
        discussion: """
            The exit status is that of monitoring plugins: 0 ok, 1 warning, 2 critical, 3 unknown, \
            or the agent does not answer.

            JSON: [{"name", "kind", "subject", "state", "value", "unit", "warning", "critical", \
            "since", "seen", "failures", "text", "source", "why", "changes", "advice"}], the worst \
            first.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var repeating: RepeatOptions

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
        do throws(CommandError) {
            view = try common.agent().state()
            checks = try view.checks(named: name)
        } catch {
            // Without an answer the state is unknown, also as an exit status.
            if isNagios {
                Output(format: .nagios, screen: out.screen)
                    .give(.null, text: ["BOURSE UNKNOWN - \(error.problem)"])
            } else if out.screen != nil, common.output == .text {
                out.give(.null, text: ["\(out.ink.faint("unknown"))  \(error.problem)"])
            } else {
                error.report()
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
            .words("STATE"), .words("CHECK"), .numbers("VALUE"), .words("SINCE"), .words("FINDING"),
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
