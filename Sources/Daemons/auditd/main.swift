// bourse-auditd: re-executes the journal at low priority, and writes the snapshots. This file
// composes; the work is in Log/Audit.

import DaemonKit
import Platform

let arguments = DaemonArguments(
    name: "bourse-auditd", purpose: "re-executes the journal, checks it, and writes snapshots")
DaemonProcess.run(arguments.name) { daemon in
    Host.yieldToOthers()
    try AuditDaemon(arguments.settings, daemon.log).follow(until: daemon.signals)
}
