// bourse-snmp: the AgentX subagent. This file composes; the work is in Host/SNMP.

import Configuration
import Glibc
import Platform
import SNMP

let arguments = DaemonArguments(
    name: "bourse-snmp", purpose: "gives the host's state to snmpd, and tells its events")
let log = DaemonLog(arguments.name)
do {
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals([.terminate, .interrupt])
    let snmp = arguments.settings.snmp
    let subagent = try Subagent(
        SubagentSettings(
            agentx: snmp.agentx, agentSocket: snmp.agentSocket, state: snmp.state,
            pollSeconds: snmp.pollSeconds, enterprise: snmp.enterprise,
            version: DaemonArguments.version),
        report: log.line)
    try subagent.run(until: signals)
} catch {
    log.fatal("\(error)")
}
