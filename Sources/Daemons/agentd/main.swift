// bourse-agentd: watches this host. This file composes; the work is in Host/Agent.

import Checks
import Configuration
import DaemonKit
import Glibc
import Platform

let arguments = DaemonArguments(
    name: "bourse-agentd", purpose: "watches this host and tells what is wrong with it",
    own: [
        .init("--once", help: "make the checks, print them as JSON, and end"),
        .init(
            "--root", valueName: "DIR",
            help: "with --once: read a tree that was recorded of a host"),
    ], also: AgentDaemon.problems)
let log = DaemonLog(arguments.name)
do {
    if arguments.others["--once"] != nil || arguments.others["--root"] != nil {
        try AgentDaemon.once(arguments.settings, root: arguments.others["--root"] ?? "")
        exit(0)
    }
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals(note: log.line)
    try AgentDaemon(arguments.settings, log).serve(until: signals)
    log.line("stopped")
} catch {
    log.fatal("\(error)")
}
