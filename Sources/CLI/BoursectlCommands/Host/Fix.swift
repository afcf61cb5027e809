// fix

import ArgumentParser
import Checks
import JSON
import Presentation

struct FixCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fix",
        abstract: "Shows how to fix a check; with --apply, the agent does it.",
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
        let answer = try agent.post(
            "/v1/fix",
            [
                "name": .string(check.name), "apply": .bool(apply),
                "operator": .string("\(try who.text())"),
            ])
        guard case .object(let members) = answer, let requests = answer["requests"]?.texts,
            case .array(let results) = answer["results"]
        else { throw CommandError("the agent's answer is not understood") }
        let json = JSONValue.object(
            members + [.init("advice", .array(check.advice.map { .string($0) }))])
        common.out.give(json, text: text(check, requests, results, answer["refused"]?.text))
        let isDone = results.count == requests.count && results.allSatisfy(\.isDone)
        if apply, !isDone || requests.isEmpty { throw ExitCode(CommandError.Code.failed.rawValue) }
    }

    private func text(
        _ check: ReportedCheck, _ requests: [String], _ results: [JSONValue], _ refused: String?
    ) -> [String] {
        let ink = common.out.ink
        var lines = [
            "\(ink.state(check.state))  \(Table.printable("\(check.name): \(check.text)"))"
        ]
        if results.isEmpty { lines += requests.map { "  would do: \($0)" } }
        for result in results {
            let answer = Table.printable(
                "\(result["line"]?.text ?? ""): \(result["answer"]?.text ?? "")")
            lines.append("  " + (result.isDone ? ink.good(answer) : ink.bad(answer)))
        }
        if !check.advice.isEmpty {
            lines += ["  for you to do:"] + check.advice.map { "    " + Table.printable($0) }
        } else if let refused {
            lines.append("  \(ink.warning("not done")): \(refused)")
        } else if !apply, !requests.isEmpty {
            lines.append("  add --apply to do it")
        }
        return lines
    }
}

extension JSONValue {
    /// Whether a result reports success.
    var isDone: Bool { self["ok"] == .bool(true) }
}
