// tune plan, tune apply

import ArgumentParser
import Checks
import Configuration
import Glibc
import HelperAPI
import JSON
import Platform
import Presentation

struct TuneGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune", abstract: "Keeps this host off the engine's CPU.",
        subcommands: [TuneShow.self, TuneApply.self])
}

/// Which host is tuned.
struct TuneTarget: ParsableArguments {
    @OptionGroup var common: Common

    @Option(
        help: ArgumentHelp(
            "Read, and write files, below this directory: a tree recorded of a host.",
            valueName: "dir"))
    var root = ""

    /// What it is to be told.
    func tuning() throws(Failure) -> TunePlan {
        HostReading(plan: HostPlan(try common.settings()), root: root).tuning()
    }
}

struct TuneShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Shows what this host has to be told, and what it was told already.",
        discussion: """
            From what the configuration declares (matchd.cpu, [agent] interfaces) and from this \
            host: the kernel's command line, interrupts, queues, governors, settings of kernel \
            and memory, and the files that bring them back after a reboot. Nothing is changed; \
            the agent need not run.

            JSON: {"cpus", "done", "items": [{"topic", "name", "state": done, change, owner or \
            unknown, "text", "why", "requests": [line], "advice": [line]}], "boot": {"missing", \
            "lines", "commands"}, "files": [{"path", "done", "why", "text"}]}; a file whose text \
            is null is to be removed.
            """)

    @OptionGroup var target: TuneTarget

    func run() throws {
        let tuning = try target.tuning()
        let out = target.common.out
        out.give(tuning.json, text: tuning.lines(out.ink) + tuning.closing(out.ink))
    }
}

extension TunePlan {
    private static let headings: [Topic: String] = [
        .processors: "CPUs of hot threads", .boot: "The kernel's command line",
        .interrupts: "Interrupts", .queues: "Network queues",
        .frequency: "Frequency and idle states", .kernel: "Settings of the kernel",
        .memory: "Settings of memory", .files: "Files, for the next start",
    ]

    /// The items by topic, each with how it is and why it matters.
    func lines(_ ink: Ink) -> [String] {
        var lines: [String] = []
        for topic in Topic.allCases {
            let own = items.filter { $0.topic == topic }
            guard !own.isEmpty else { continue }
            if !lines.isEmpty { lines.append("") }
            lines.append(ink.heading(Self.headings[topic] ?? topic.rawValue))
            for item in own {
                lines += [
                    "  \(item.state.word(ink))  \(Table.printable(item.text))",
                    "           \(ink.faint(item.why))",
                ]
                lines += item.requests.map { "           \($0.line)" }
                lines += item.advice.map { "           for you: \(Table.printable($0))" }
            }
        }
        return lines
    }

    /// The files' texts, the boot line and what comes next.
    fileprivate func closing(_ ink: Ink) -> [String] {
        var lines: [String] = []
        for file in files where !file.isDone {
            lines += ["", ink.heading(file.path) + (file.text == nil ? "  goes" : "")]
            lines += (file.text ?? "").split(separator: "\n").map { "  \($0)" }
        }
        lines += bootLines(ink)
        let count = items.count { $0.state == .change }
        lines.append("")
        if isDone {
            lines.append(ink.good("nothing is left to be done"))
        } else if count > 0 {
            lines.append("boursectl tune apply does what says `to do`; all else is for you")
        } else {
            lines.append("what is left is for you")
        }
        return lines
    }

    /// What its owner has to do for the kernel's command line.
    fileprivate func bootLines(_ ink: Ink) -> [String] {
        guard !boot.missing.isEmpty else { return [] }
        return ["", ink.heading("For you: the kernel's command line lacks")]
            + ["  " + boot.missing.joined(separator: " "), "Do this:"]
            + boot.commands.map { "  " + Table.printable($0) }
    }
}

extension TunePlan.State {
    /// In eight columns.
    fileprivate func word(_ ink: Ink) -> String {
        switch self {
        case .done: ink.good("ok     ")
        case .change: ink.warning("to do  ")
        case .owner: ink.warning("for you")
        case .unknown: ink.faint("unknown")
        }
    }
}

struct TuneApply: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Has the agent change what it may, and writes the files for the next start.",
        discussion: """
            Does what `boursectl tune plan` says is to do. What changes at once goes through the \
            agent, check by check as `boursectl fix` does: only verbs that [agent] allow has, each \
            written down with its undo. Files are written by root: settings of kernel and memory \
            below /etc/sysctl.d and /etc/tmpfiles.d, and for the exchange's daemons drop-ins that \
            keep them off the engine's CPU. They are replaced as a whole, and what is there \
            already is left alone. The kernel's command line is never changed: it is shown.

            Exit status 1 where something that is to do was not done.

            JSON: {"plan", "changes": [{"check", "line", "ok", "answer", "undo"}], "written": \
            [path], "removed": [path], "problems": [why], "next": [line], "undo": [line]}.
            """)

    @OptionGroup var target: TuneTarget

    func run() throws {
        let tuning = try target.tuning()
        var work = TuneWork(
            root: target.root, allowed: try target.common.settings().agent.allow)
        let agent = try target.common.agent()
        for item in tuning.items where !item.requests.isEmpty { work.change(item, agent) }
        for file in tuning.files where !file.isDone { work.write(file) }
        let out = target.common.out
        out.give(work.json(tuning), text: work.lines(tuning, out.ink))
        if !work.isDone { throw ExitCode(Failure.Code.failed.rawValue) }
    }
}

/// What was done of a plan.
private struct TuneWork {
    /// A change, as the agent answered.
    struct Change {
        var check: String
        var line: String
        var isDone: Bool
        var answer: String
        var undo: String?
    }

    let root: String
    /// What the agent may change.
    let allowed: [String]
    private var changes: [Change] = []
    private var written: [TuneFile] = []
    private var removed: [TuneFile] = []
    private var problems: [String] = []

    init(root: String, allowed: [String]) { (self.root, self.allowed) = (root, allowed) }

    var isDone: Bool { problems.isEmpty && changes.allSatisfy(\.isDone) }

    /// Has the agent do what puts a check right.
    mutating func change(_ item: TunePlan.Item, _ agent: AgentClient) {
        func all(_ isDone: Bool, _ answer: String) -> [Change] {
            item.requests.map {
                Change(check: item.name, line: $0.line, isDone: isDone, answer: answer)
            }
        }
        do throws(Failure) {
            let answer = try agent.post(
                "/v1/fix", ["name": .string(item.name), "apply": .bool(true)])
            if let refused = answer["refused"]?.text {
                // The agent may have looked later than the plan.
                let isRight = answer["requests"]?.texts?.isEmpty == true
                changes += all(false, isRight ? "the agent finds otherwise: \(refused)" : refused)
                return
            }
            guard case .array(let results)? = answer["results"] else {
                throw Failure("the agent's answer is not understood")
            }
            changes += results.map { result in
                Change(
                    check: item.name, line: result["line"]?.text ?? "",
                    isDone: result["ok"] == .bool(true), answer: result["answer"]?.text ?? "",
                    undo: result["undo"]?.text)
            }
            // It ends where its helper does not answer.
            let asked = answer["requests"]?.texts ?? []
            changes += asked.dropFirst(results.count).map {
                Change(check: item.name, line: $0, isDone: false, answer: "was not tried")
            }
        } catch {
            changes += all(false, error.problem)
        }
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
        } catch {
            problems.append((error as? Failure)?.problem ?? "\(error)")
        }
    }

    /// What takes files into use that the agent does not: units begin anew.
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
        // Only an orderly restart of matchd checks that it comes back as it went.
        lines.append(
            units.contains("bourse-matchd.service")
                ? "boursectl upgrade --force"
                : "systemctl try-restart \(units.joined(separator: " "))")
        return lines
    }

    /// What takes back all that was done here.
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
                }),
            "written": texts(written.map(\.path)), "removed": texts(removed.map(\.path)),
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
        if lines.isEmpty { lines.append("nothing was to do for boursectl") }
        lines += Self.block("To take it into use:", next(tuning), ink)
        lines += Self.block("To take it back:", undo, ink)
        for item in tuning.items where !item.advice.isEmpty {
            lines += Self.block("For you: \(Table.printable(item.text))", item.advice, ink)
        }
        lines += tuning.bootLines(ink)
        if !changes.isEmpty {
            lines += [
                "",
                ink.faint(
                    "Interrupts, queues, threads and the bound on waking begin anew with a start: "
                        + "[agent] automatic = true has the agent set them again."),
            ]
        }
        return lines
    }

    private static func block(_ heading: String, _ lines: [String], _ ink: Ink) -> [String] {
        lines.isEmpty ? [] : ["", ink.heading(heading)] + lines.map { "  " + Table.printable($0) }
    }
}
