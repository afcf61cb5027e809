// tune plan

import ArgumentParser
import Checks
import Presentation

struct TunePlanCommand: ParsableCommand {
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

    @OptionGroup var target: TuneOptions

    func run() throws {
        let tuning = try target.tuning()
        let out = target.common.out
        out.give(tuning.json, text: tuning.lines(out.ink) + tuning.closing(out.ink))
    }
}
