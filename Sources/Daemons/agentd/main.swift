// bourse-agentd: watches this host. This file composes; the work is in Host/Agent.

import Checks
import Configuration
import DaemonKit

let arguments = DaemonArguments(
    name: "bourse-agentd", purpose: "monitors this host and reports what is wrong with it",
    options: [
        DaemonOption("--once", help: "make the checks, print them as JSON, and exit"),
        DaemonOption(
            "--root", valueName: "DIR",
            help: "with --once: read a tree that was recorded of a host"),
    ], check: AgentDaemon.problems)
let options = arguments.options
if options["--once"] != nil || options["--root"] != nil {
    DaemonProcess.once(arguments.name) { _ in
        try AgentDaemon.once(arguments.settings, root: options["--root"] ?? "")
    }
}
DaemonProcess.run(arguments.name) { daemon in
    try AgentDaemon(arguments.settings, daemon.log).serve(daemon)
}
