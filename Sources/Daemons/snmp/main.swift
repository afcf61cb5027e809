// bourse-snmp: the AgentX subagent. This file composes; the work is in Host/SNMP.

import Configuration
import DaemonKit
import Platform
import SNMP

let arguments = DaemonArguments(
    name: "bourse-snmp", purpose: "gives the host's state to snmpd, and tells its events")
DaemonProcess.run(arguments.name) { daemon in
    let snmp = arguments.settings.snmp
    var settings = SubagentSettings(
        agentx: snmp.agentx, agentSocket: snmp.agentSocket, state: snmp.state,
        pollSeconds: snmp.pollSeconds, enterprise: snmp.enterprise,
        version: Release.version)
    settings.targetSeconds = snmp.targetSeconds
    settings.readings = snmp.readings
    if let targets = snmp.targets { settings.targets = try loadTargets(targets) }
    try Subagent(settings, report: daemon.log.reporting()).run(until: daemon.signals)
}
