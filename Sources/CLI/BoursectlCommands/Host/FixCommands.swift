// fix, undo, changes

import AgentAPI
import ArgumentParser
import JSON
import Presentation

struct Fix: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what puts a check right, and with --apply has the agent do it.",
        discussion: """
            The agent does what [agent] allow in bourse.toml has, through the root helper, and \
            writes down how to undo it. What it cannot do it says: that is for you.

            JSON: {"requests": [line], "results": [{"line", "ok", "answer", "undo"}], "refused", \
            "advice": [line]}.
            """)

    @OptionGroup var common: Common
    @OptionGroup var who: Operator

    @Flag(help: "Do it; else it is only shown.")
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
            .object(members + [.init("advice", .strings(check.advice))]),
            text: text(check, reply))
        let isDone =
            reply.results.count == reply.requests.count && reply.results.allSatisfy(\.isDone)
        if apply, !isDone || reply.requests.isEmpty { throw ExitCode(Failure.Code.failed.rawValue) }
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

struct Undo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes back a change that the agent made.",
        discussion: "JSON: {\"line\", \"ok\", \"answer\", \"undo\"}.")

    @OptionGroup var common: Common
    @OptionGroup var who: Operator

    @Argument(help: "The change's number, as `boursectl changes` shows it.")
    var id: Int64

    func run() throws {
        let request = UndoRequest(id: id, by: "\(try who.text())")
        let result = try common.agent().ask { (agent) throws(AgentError) in
            try agent.undo(request)
        }
        common.out.give(
            result.json, text: [Table.printable("\(result.line): \(result.answer)")])
        if !result.isDone { throw ExitCode(Failure.Code.failed.rawValue) }
    }
}

struct Changes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists what the agent changed on this host.",
        discussion: "JSON: [{\"id\", \"time\", \"line\", \"undo\", \"by\", \"undone\"}].")

    @OptionGroup var common: Common

    func run() throws {
        let changes = try common.agent().ask { (agent) throws(AgentError) in
            try agent.changes()
        }
        var table = Table([
            .numbers("ID"), .words("WHEN"), .words("BY"), .words("CHANGE"), .words("TAKEN BACK BY"),
        ])
        for change in changes {
            table.add([
                "\(change.id)", Readable.time(change.time, digits: 0), change.by, change.line,
                change.isUndone ? "was taken back" : change.undo ?? "nothing",
            ])
        }
        common.out.give(
            .array(changes.map(\.json)), table: table, empty: "the agent changed nothing")
    }
}
