// bourse-gatewayd: clients. This file composes; the work is in Gateway/Gateway.

import Configuration
import DaemonKit
import Gateway
import Glibc
import Logging
import Platform

let arguments = DaemonArguments(
    name: "bourse-gatewayd",
    purpose: "serves clients: REST and streams compatible with Binance Spot",
    own: [.init("--endpoints", help: "print method, path and who may ask of each, and end")]
)
if arguments.others["--endpoints"] != nil {
    print(GatewayServer.endpoints.joined(separator: "\n"))
    exit(0)
}
LoggingSystem.bootstrap { label in StderrLogHandler(label: label) }
let log = Logger(label: arguments.name)
do {
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals { log.notice("\($0)") }
    GatewayDaemon.raiseFileLimit()
    exit(GatewayDaemon(settings: arguments.settings, log: log).run(until: signals))
} catch {
    log.critical("\(error)")
    exit(1)
}
