// fix

import AgentAPI
import ArgumentParser
import JSON
import Presentation

struct FixCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fix", abstract: "Shows how to fix a check; with --apply, the agent does it.",
        discussion: """
            The agent makes the changes that [agent] allow in bourse.toml permits, through the \
            root helper, and records how to undo them. What it cannot do is listed for you.

            JSON: {"requests": [line], "results": [{"line", "ok", "answer", "undo"}], "refused", \
            "advice": [line]}.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption

    @Flag(help: "Make the changes instead of showing them.")
    var apply = false

    @Argument(help: "The check's name.")
    var name: String

    func run() throws {
        let agent = try common.agent()
        let check = try agent.state().check(name)
        let request = FixRequest(name: check.name, applies: apply, by: "\(try who.text())")
        let reply = try agent.ask { (agent) throws(AgentError) in try agent.fix(request) }
        guard case .object(let members) = reply.json else { return }
        common.out.give(
            .object(members + [.init("advice", .strings(check.advice))]), text: text(check, reply))
        let isDone =
            reply.results.count == reply.requests.count && reply.results.allSatisfy(\.isDone)
        if apply, !isDone || reply.requests.isEmpty {
            throw ExitCode(CommandError.Code.failed.rawValue)
        }
    }

    private func text(_ check: ReportedCheck, _ reply: FixReply) -> [String] {
        let ink = common.out.ink
        var lines = [
            "\(ink.state(check.state))  \(Table.printable("\(check.name): \(check.text)"))"
        ]
        if reply.results.isEmpty { lines += reply.requests.map { "  would do: \($0)" } }
        for result in reply.results {
            let answer = Table.printable("\(result.line): \(result.answer)")
            lines.append("  " + (result.isDone ? ink.good(answer) : ink.bad(answer)))
        }
        if !check.advice.isEmpty {
            lines += ["  for you to do:"] + check.advice.map { "    " + Table.printable($0) }
        } else if let refused = reply.refused {
            lines.append("  \(ink.warning("not done")): \(refused)")
        } else if !apply, !reply.requests.isEmpty {
            lines.append("  add --apply to do it")
        }
        return lines
    }
}
