// tune, and what its verbs share.

import ArgumentParser
import Checks
import Configuration
import Presentation

struct TuneGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune", abstract: "Keeps this host off the engine's CPU.",
        subcommands: [TunePlanCommand.self, TuneApplyCommand.self])
}

/// Which host is tuned.
struct TuneOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "Read, and write files, below this directory: a tree recorded of a host.",
            valueName: "dir"))
    var root = ""

    /// What it is to be told.
    func tuning() throws(CommandError) -> TunePlan {
        HostReading(plan: try common.settings().hostPlan, root: root).tuning()
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
    func closing(_ ink: Ink) -> [String] {
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
    func bootLines(_ ink: Ink) -> [String] {
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
