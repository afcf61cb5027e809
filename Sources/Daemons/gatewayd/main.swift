// bourse-gatewayd: clients. This file composes; the work is in Gateway/Gateway.

import Configuration
import DaemonKit
import Gateway
import Platform

let arguments = DaemonArguments(
    name: "bourse-gatewayd",
    purpose: "serves clients: REST and streams compatible with Binance Spot",
    options: [
        DaemonOption("--endpoints", help: "print endpoints, their callers and parameters, and exit")
    ]
) { settings in
    // Files may be put in place a moment later: what is wrong with them ends no start for good.
    settings.gatewayProblems
        + (CommandLine.arguments.contains("--check-config")
            ? GatewayDaemon.tlsProblems(settings) : [])
}
if arguments.options["--endpoints"] != nil {
    DaemonProcess.once(arguments.name) { _ in print(GatewayServer.endpoints.joined(separator: "\n"))
    }
}
DaemonProcess.run(arguments.name) { daemon in
    // Connections need more descriptors than the usual soft limit.
    Host.raiseFileLimit()
    try GatewayDaemon(settings: arguments.settings, log: daemon.log).run(daemon)
}
