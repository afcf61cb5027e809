// What `tune apply` does, and its report.

import AgentAPI
import Checks
import Glibc
import HelperAPI
import JSON
import Platform
import Presentation

/// The work on a plan.
struct TuneWork {
    /// A change with the agent's answer.
    struct Change {
        var check: String
        var line: String
        var isDone: Bool
        var answer: String
        var undo: String?
    }

    let root: String
    /// The verbs that the agent may use.
    let allowed: [String]
    private var changes: [Change] = []
    private var written: [TuneFile] = []
    private var removed: [TuneFile] = []
    private var problems: [String] = []

    init(root: String, allowed: [String]) { (self.root, self.allowed) = (root, allowed) }

    var isDone: Bool { problems.isEmpty && changes.allSatisfy(\.isDone) }

    /// Has the agent fix a check.
    mutating func change(_ item: TunePlan.Item, _ agent: HostAgent) {
        func all(_ isDone: Bool, _ answer: String) -> [Change] {
            item.requests.map {
                Change(check: item.name, line: $0.line, isDone: isDone, answer: answer)
            }
        }
        do throws(CommandError) {
            let request = FixRequest(name: item.name, applies: true, by: nil)
            let reply = try agent.ask { (agent) throws(AgentError) in try agent.fix(request) }
            if let refused = reply.refused {
                // The agent may have checked later than the plan.
                let isRight = reply.requests.isEmpty
                changes += all(false, isRight ? "the agent disagrees: \(refused)" : refused)
                return
            }
            changes += reply.results.map { result in
                Change(
                    check: item.name, line: result.line, isDone: result.isDone,
                    answer: result.answer, undo: result.undo)
            }
            // The agent stops where its helper does not answer.
            changes += reply.requests.dropFirst(reply.results.count).map {
                Change(check: item.name, line: $0, isDone: false, answer: "not attempted")
            }
        } catch { changes += all(false, error.problem) }
    }

    /// Writes or removes a file.
    mutating func write(_ file: TuneFile) {
        guard !root.isEmpty || geteuid() == 0 else {
            problems.append("only root writes \(file.path): sudo boursectl tune apply")
            return
        }
        let path = root + file.path
        do {
            if let text = file.text {
                try Directory.create(Directory.parent(of: path) ?? "/", mode: 0o755)
                try TextFile.write(text, to: path, mode: 0o644)
                written.append(file)
            } else {
                try Directory.remove(path)
                removed.append(file)
            }
        } catch { problems.append((error as? CommandError)?.problem ?? "\(error)") }
    }

    /// Commands that put the files into effect: units have to restart.
    private func next(_ tuning: TunePlan) -> [String] {
        var lines: [String] = []
        let denied = changes.filter { !$0.isDone && $0.answer.contains("[agent] allow") }
            .map { String($0.line.prefix { $0 != " " }) }
        if !denied.isEmpty {
            let verbs = (allowed + Set(denied).subtracting(allowed).sorted()).joined(separator: " ")
            lines += [
                "boursectl init --set 'agent.allow=\"\(verbs)\"'",
                "systemctl restart bourse-agentd.service", "boursectl tune apply",
            ]
        }
        let units = (written + removed).compactMap(\.unit)
        guard !units.isEmpty else { return lines }
        lines.append("systemctl daemon-reload")
        // Only an upgrade verifies that matchd comes back in the same state.
        lines.append(
            units.contains("bourse-matchd.service")
                ? "boursectl upgrade --force"
                : "systemctl try-restart \(units.joined(separator: " "))")
        return lines
    }

    /// Commands that undo all of it.
    private var undo: [String] {
        var lines: [String] = []
        if changes.contains(where: { $0.undo != nil }) {
            lines.append("boursectl changes; boursectl undo NUMBER")
        }
        if !written.isEmpty {
            lines.append("rm " + written.map { root + $0.path }.joined(separator: " "))
        }
        if written.contains(where: { $0.unit != nil }) { lines.append("systemctl daemon-reload") }
        return lines
    }

    func json(_ tuning: TunePlan) -> JSONValue {
        func texts(_ lines: [String]) -> JSONValue { .array(lines.map { .string($0) }) }
        return [
            "plan": tuning.json,
            "changes": .array(
                changes.map { change in
                    [
                        "check": .string(change.check), "line": .string(change.line),
                        "ok": .bool(change.isDone), "answer": .string(change.answer),
                        "undo": change.undo.map { .string($0) } ?? .null,
                    ]
                }), "written": texts(written.map(\.path)), "removed": texts(removed.map(\.path)),
            "problems": texts(problems), "next": texts(next(tuning)), "undo": texts(undo),
        ]
    }

    func lines(_ tuning: TunePlan, _ ink: Ink) -> [String] {
        var lines = changes.map { change -> String in
            let text = Table.printable("\(change.check): \(change.line): \(change.answer)")
            return change.isDone ? ink.good(text) : ink.bad(text)
        }
        lines += written.map { ink.good("wrote \(root)\($0.path)") }
        lines += removed.map { ink.good("removed \(root)\($0.path)") }
        lines += problems.map { ink.bad(Table.printable($0)) }
        if lines.isEmpty { lines.append("There was nothing to change.") }
        lines += Self.block("To put it into effect:", next(tuning), ink)
        lines += Self.block("To undo it:", undo, ink)
        for item in tuning.items where !item.advice.isEmpty {
            lines += Self.block("For you: \(Table.printable(item.text))", item.advice, ink)
        }
        lines += tuning.bootLines(ink)
        if !changes.isEmpty {
            lines += [
                "",
                ink.faint(
                    "Interrupts, queues, threads and the wake-up bound are reset by a reboot: with "
                        + "[agent] automatic = true the agent sets them again."),
            ]
        }
        return lines
    }

    private static func block(_ heading: String, _ lines: [String], _ ink: Ink) -> [String] {
        lines.isEmpty ? [] : ["", ink.heading(heading)] + lines.map { "  " + Table.printable($0) }
    }
}
