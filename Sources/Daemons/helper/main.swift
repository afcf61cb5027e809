// bourse-helper: the one part that runs as root. It takes requests of a fixed list over a Unix
// socket that systemd holds for it, and nothing else.

import Glibc
import Helper
import Platform

let help = """
    bourse-helper: changes settings of the running kernel for the host agent

    usage: bourse-helper [--user NAME]
      --user NAME   whose requests are taken besides root's (default bourse-agent)
      --version     print the version and end
      --help        print this and end
    It is started by bourse-helper.socket. Requests are lines, as `irq-affinity 24 0-1`; every
    change is logged with the request that undoes it.
    exit status: 0 nothing to do any more, 1 a fault, 64 wrong usage
    """

var user = "bourse-agent"
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    switch argument {
    case "--user" where !rest.isEmpty: user = rest.removeFirst()
    case "--version":
        print("bourse-helper 0.1.0")
        exit(0)
    case "--help", "-h":
        print(help)
        exit(0)
    default:
        HelperLog.line("unknown argument \(argument)\n\(help)")
        exit(64)
    }
}
do {
    let signals = try Signals(note: HelperLog.line)
    let server = try HelperServer(user: user)
    server.serve(until: signals)
} catch {
    HelperLog.line("\(error)")
    exit(1)
}
