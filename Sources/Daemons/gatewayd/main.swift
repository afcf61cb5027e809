// bourse-gatewayd: clients. This file composes; the work is in Gateway/Gateway.

import Configuration
import Glibc
import Logging
import Platform

let arguments = DaemonArguments(
    name: "bourse-gatewayd",
    purpose: "serves clients: REST and streams compatible with Binance Spot"
)
LoggingSystem.bootstrap { label in StderrLogHandler(label: label) }
let log = Logger(label: arguments.name)
do {
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals()
    GatewayDaemon.raiseFileLimit()
    exit(GatewayDaemon(settings: arguments.settings, log: log).run(until: signals))
} catch {
    log.critical("\(error)")
    exit(1)
}
