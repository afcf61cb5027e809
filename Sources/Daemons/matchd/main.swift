// bourse-matchd: sequences, journals and matches. This file composes; the work is in Log/Pipeline.

import Configuration
import DaemonKit
import Engine
import Glibc
import Journal
import Link
import Pipeline
import Platform

let arguments = DaemonArguments(
    name: "bourse-matchd", purpose: "orders, journals and applies the exchange's commands",
    own: [
        DaemonArguments.OwnOption(
            "--trace", valueName: "FILE",
            help: "sample where commands spend their time, for `boursectl bench durable`")
    ])
let log = DaemonLog(arguments.name)
do {
    // Before any thread: threads inherit what is blocked.
    let signals = try Signals(note: log.line)
    let exchange = try MatchingDaemon(
        arguments.settings, log, trace: arguments.others["--trace"])
    try exchange.serve(until: signals)
} catch let error as ConfigurationFault {
    log.fatal(error.description, status: DaemonArguments.badConfiguration)
} catch let error as JournalError {
    // What is good may be long to read.
    let work = WorkProgress()
    work.begin("looking for the last good record", unit: "bytes", from: 0, to: 0)
    let reporter = try? WorkReporter(work, report: log.line)
    let message = error.message(for: JournalPlace(arguments.settings))
    reporter?.end()
    // Where only an operator can help, another start would find the same.
    log.fatal(
        message,
        status: error.needsOperator ? DaemonArguments.journalFault : 1)
} catch let error as SinkFault {
    log.fatal("\(error)", status: error.isDiskFault ? DaemonArguments.journalFault : 1)
} catch {
    log.fatal("\(error)")
}
