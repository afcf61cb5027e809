// bourse-helper: the one part that runs as root. It takes requests of a fixed list over a Unix
// socket that systemd holds for it, and nothing else.

import DaemonKit
import Helper
import Logging

let usage = DaemonUsage(
    name: "bourse-helper", purpose: "changes settings of the running kernel for the host agent",
    synopsis: "[--user NAME]",
    options: [
        DaemonOption(
            "--user", valueName: "NAME",
            help: "user whose requests are accepted besides root's (default bourse-agent)")
    ],
    notes: """
        It is started by bourse-helper.socket. Requests are lines, as `irq-affinity 24 0-1`; every
        change is logged with the request that undoes it.
        exit status: 0 nothing to do any more, 1 a fault, 64 wrong usage
        """)
let user = usage.readArguments()["--user"] ?? "bourse-agent"
DaemonProcess.run(usage.name) { daemon in
    let log = daemon.log
    try HelperServer(user: user) { log.report($0 ? .warning : .notice, $1) }
        .serve(until: daemon.signals)
}
