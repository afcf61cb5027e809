// The life of the auditor: it follows the journal until a signal.

import Audit
import Configuration
import DaemonKit
import Engine
import Logging
import Platform

/// The auditor of one state directory.
struct AuditDaemon {
    private let log: Logger
    private let auditor: Auditor
    /// Reports until what was there at first is executed: that may take long.
    private let reporter: WorkReporter

    init(_ settings: Settings, _ log: Logger) throws {
        self.log = log
        let work = WorkProgress()
        reporter = try WorkReporter(work, report: log.reporting(.info))
        auditor = try Auditor(AuditOptions(settings), work) {
            log.report($0.isWarning ? .warning : .info, "\($0)")
        }
    }

    /// Executes what comes; ends with a snapshot of all that is released then.
    func follow(until signals: Signals) throws {
        log.notice("auditing from record \(auditor.engine.sequence + 1)")
        ServiceManager.ready()
        var (statusTime, pace) = (Int64(0), AuditPace())
        var catchingUp: WorkReporter? = reporter
        while true {
            let isAhead = try auditor.step()
            if !isAhead {
                catchingUp?.end()
                catchingUp = nil
            }
            if let signal = signals.wait(milliseconds: pace.waitMillis(isAhead: isAhead)) {
                log.notice("got signal \(signal), stopping")
                break
            }
            let now = Clock.monotonicNanos()
            try auditor.snapshotIfDue(at: now)
            ServiceManager.watchdog()
            if now > statusTime, catchingUp == nil {
                statusTime = now + 1_000_000_000
                ServiceManager.status(auditor.status)
            }
        }
        catchingUp?.end()
        ServiceManager.stopping()
        try auditor.finish()
        log.notice("stopped at record \(auditor.engine.sequence)")
    }
}

extension AuditOptions {
    init(_ settings: Settings) {
        self.init(
            state: settings.state, journal: settings.journalDirectory,
            snapshots: settings.snapshotsDirectory, audited: settings.auditedFile)
        snapshotEvery = settings.auditd.snapshotEvery
        snapshotNanos = Int64(settings.auditd.snapshotSeconds) * 1_000_000_000
        snapshotsKeep = settings.auditd.snapshotsKeep
        keepFree = settings.matchd.reserveBytes
    }
}
