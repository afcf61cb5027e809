// tune, and what its verbs share.

import ArgumentParser
import Checks
import Configuration
import HelperAPI
import Presentation

struct TuneGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune", abstract: "Tunes this host for the engine's CPU.",
        subcommands: [TunePlanCommand.self, TuneApplyCommand.self])
}

/// The host to tune.
struct TuneOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "Read and write files below this directory, the recorded tree of a host.",
            valueName: "dir"))
    var root = ""

    /// The tuning it needs.
    func tuning() throws(CommandError) -> TunePlan {
        HostReading(plan: HostPlan(try common.settings()), root: root).tuning()
    }
}

extension TunePlan {
    private static let headings: [Topic: String] = [
        .processors: "CPUs of hot threads", .boot: "Kernel command line",
        .interrupts: "Interrupts", .queues: "Network queues",
        .frequency: "Frequency and idle states", .kernel: "Kernel settings",
        .memory: "Memory settings", .files: "Files for the next start",
    ]

    /// The items by topic, each with its state and why it matters.
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

    /// The files' texts, the kernel command line and the next steps.
    func closing(_ ink: Ink) -> [String] {
        var lines: [String] = []
        for file in files where !file.isDone {
            lines += ["", ink.heading(file.path) + (file.text == nil ? "  is removed" : "")]
            lines += (file.text ?? "").split(separator: "\n").map { "  \($0)" }
        }
        lines += bootLines(ink)
        let count = items.count { $0.state == .change }
        lines.append("")
        if isDone {
            lines.append(ink.good("Nothing is left to do."))
        } else if count > 0 {
            lines.append(
                "`boursectl tune apply` makes the changes marked `to do`; the rest is for you.")
        } else {
            lines.append("The rest is for you.")
        }
        return lines
    }

    /// What the owner has to do for the kernel command line.
    func bootLines(_ ink: Ink) -> [String] {
        guard !boot.missing.isEmpty else { return [] }
        return ["", ink.heading("For you: the kernel command line lacks")]
            + ["  " + boot.missing.joined(separator: " "), "Add it with:"]
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
