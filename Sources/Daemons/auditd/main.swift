// bourse-auditd: re-executes the journal at low priority, and writes the snapshots.

import Configuration
import DaemonKit
import Logging
import Platform

let arguments = DaemonArguments(
    name: "bourse-auditd", purpose: "re-executes the journal, checks it, and writes snapshots")
DaemonProcess.run(arguments.name) { daemon in
    Host.yieldToOthers()
    let work = WorkProgress()
    let reporter = try WorkReporter(work, report: daemon.log.reporting(.info))
    let auditor = try Auditor(arguments.settings, daemon.log, work)
    try auditor.follow(until: daemon.signals, reporter)
}
