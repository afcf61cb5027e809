// tune apply

import ArgumentParser
import Checks
import Configuration
import Presentation

struct TuneApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Makes the changes of the plan and writes the files for the next start.",
        discussion: """
            Makes the changes that `boursectl tune plan` marks `to do`. Immediate changes go \
            through the agent, check by check as with `boursectl fix`: only verbs that [agent] \
            allow permits, each recorded with its undo. Root writes the files: kernel and memory \
            settings below /etc/sysctl.d and /etc/tmpfiles.d, and drop-ins that keep the \
            exchange's daemons off the engine's CPU. Files are replaced as a whole, and only where \
            they differ. The kernel command line is shown, never changed.

            Exit status 1 where a change could not be made.

            JSON: {"plan", "changes": [{"check", "line", "ok", "answer", "undo"}], "written": \
            [path], "removed": [path], "problems": [why], "next": [line], "undo": [line]}.
            """)

    @OptionGroup var target: TuneOptions

    func run() throws {
        let tuning = try target.tuning()
        var work = TuneWork(root: target.root, allowed: try target.common.settings().agent.allow)
        let agent = try target.common.agent()
        for item in tuning.items where !item.requests.isEmpty { work.change(item, agent) }
        for file in tuning.files where !file.isDone { work.write(file) }
        let out = target.common.out
        out.give(work.json(tuning), text: work.lines(tuning, out.ink))
        if !work.isDone { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}
