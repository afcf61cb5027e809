// bourse-matchd: sequences, journals and matches. This file composes; the work is in Log/Pipeline.

import Configuration
import DaemonKit
import Journal
import Logging
import Pipeline
import Platform

let arguments = DaemonArguments(
    name: "bourse-matchd", purpose: "orders, journals and applies the exchange's commands",
    options: [
        DaemonOption(
            "--trace", valueName: "FILE",
            help: "sample where commands spend their time, for `boursectl bench durable`")
    ])
DaemonProcess.run(arguments.name) { daemon in
    let log = daemon.log
    do {
        let exchange = try MatchingDaemon(
            arguments.settings, log, trace: arguments.options["--trace"])
        try exchange.serve(daemon)
    } catch let error as JournalError {
        // What is good may be long to read.
        let work = WorkProgress()
        work.begin("looking for the last good record", unit: "bytes", from: 0, to: 0)
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        let settings = arguments.settings
        let message = error.message(
            for: JournalPlace(settings), isInCluster: settings.cluster != nil)
        reporter?.end()
        // Where only an operator can help, another start would find the same.
        log.fatal(message, status: error.needsOperator ? DaemonExit.journal : DaemonExit.fault)
    } catch let error as SinkError {
        log.fatal("\(error)", status: error.isDiskFault ? DaemonExit.journal : DaemonExit.fault)
    }
}
