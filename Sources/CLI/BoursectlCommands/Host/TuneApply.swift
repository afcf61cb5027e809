// tune apply

import ArgumentParser
import Checks
import Configuration
import Presentation

struct TuneApplyCommand: ParsableCommand {
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

    @OptionGroup var target: TuneOptions

    func run() throws {
        let tuning = try target.tuning()
        var work = TuneWork(
            root: target.root, allowed: try target.common.settings().agent.allow)
        let agent = try target.common.agent()
        for item in tuning.items where !item.requests.isEmpty { work.change(item, agent) }
        for file in tuning.files where !file.isDone { work.write(file) }
        let out = target.common.out
        out.give(work.json(tuning), text: work.lines(tuning, out.ink))
        if !work.isDone { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}
