// bourse-snmp: the AgentX subagent. This file composes; the work is in Host/SNMP.

import Configuration
import DaemonKit
import Glibc
import Platform
import SNMP

let arguments = DaemonArguments(
    name: "bourse-snmp", purpose: "gives the host's state to snmpd, and tells its events")
let log = DaemonLog(arguments.name)
do {
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals(note: log.line)
    let snmp = arguments.settings.snmp
    var settings = SubagentSettings(
        agentx: snmp.agentx, agentSocket: snmp.agentSocket, state: snmp.state,
        pollSeconds: snmp.pollSeconds, enterprise: snmp.enterprise,
        version: DaemonArguments.version)
    settings.targetSeconds = snmp.targetSeconds
    settings.readings = snmp.readings
    if let targets = snmp.targets { settings.targets = try loadTargets(targets) }
    try Subagent(settings, report: log.line).run(until: signals)
} catch let error as SettingsError {
    log.fatal(error.description, status: DaemonArguments.badConfiguration)
} catch {
    log.fatal("\(error)")
}
