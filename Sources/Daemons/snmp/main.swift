// bourse-snmp: the AgentX subagent. This file composes; the work is in Host/Subagent.

import Configuration
import DaemonKit
import Platform
import Subagent

let arguments = DaemonArguments(
    name: "bourse-snmp", purpose: "serves the host's state to snmpd and sends its alarms")
DaemonProcess.run(arguments.name) { daemon in
    let snmp = arguments.settings.snmp
    let settings = SubagentSettings(
        agentx: snmp.agentx, agentSocket: snmp.agentSocket, state: snmp.state,
        pollSeconds: snmp.pollSeconds, enterprise: snmp.enterprise, version: Release.version)
    try Subagent(settings, report: daemon.log.reportingFaults()).run(until: daemon.signals)
}
