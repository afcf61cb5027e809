// bourse-auditd: re-executes the journal at low priority, and writes the snapshots.

import Configuration
import DaemonKit
import Glibc
import Journal
import Platform

let arguments = DaemonArguments(
    name: "bourse-auditd", purpose: "re-executes the journal, checks it, and writes snapshots")
let log = DaemonLog(arguments.name)
do {
    let signals = try Signals(note: log.line)
    Host.yieldToOthers()
    let work = WorkProgress()
    let reporter = try WorkReporter(work, report: log.line)
    let auditor = try Auditor(arguments.settings, log, work)
    try auditor.follow(until: signals, reporter)
} catch {
    log.fatal("\(error)")
}
