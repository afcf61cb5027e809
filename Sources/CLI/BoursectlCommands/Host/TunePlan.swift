// tune plan

import ArgumentParser
import Checks
import Presentation

struct TunePlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Shows which settings this host needs, and which it has.",
        discussion: """
            Derived from the configuration (matchd.cpu, [agent] interfaces) and from this host: \
            the kernel command line, interrupts, queues, governors, kernel and memory settings, \
            and the files that restore them after a reboot. It changes nothing; the agent need not \
            be running.

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
