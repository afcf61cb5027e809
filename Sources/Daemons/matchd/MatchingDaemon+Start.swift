// What matchd opens at its start, and reports of it.

import Configuration
import DaemonKit
import Journal
import Logging
import Pipeline
import Platform
import Terms

extension MatchingDaemon {
    /// Opens the journal; long work is reported.
    static func startJournal(
        _ settings: Settings, _ place: JournalPlace, _ snapshots: SnapshotStore, _ log: Logger
    ) throws -> JournalStart {
        let work = WorkProgress()
        let reporter = try WorkReporter(work, report: log.reporting(.info))
        defer { reporter.end() }
        let start = try JournalStart(
            place, snapshots: snapshots,
            options: JournalOptions(
                segmentBytes: settings.matchd.segmentBytes,
                reserveBytes: settings.matchd.reserveBytes),
            follows: settings.cluster != nil, work: work, report: log.reporting(.warning))
        // The journal's own limits apply; only its records raise them.
        if !start.limits.covers(settings.limits) {
            log.report(
                .warning,
                "[limits] of \(settings.file) are above those of the journal, which stand: raise "
                    + "them with `boursectl limits raise`")
        }
        log.notice("recovered to record \(start.writer.lastSequence)")
        return start
    }

    /// Opens the mark that outlives the process, beside the Link's socket, and reports its suspects.
    static func openMark(
        _ settings: Settings, _ identity: JournalIdentity, _ log: Logger
    ) -> CommandMark? {
        do throws(SystemError) {
            let mark = try CommandMark(
                markPath(settings), journal: (identity.high, identity.low))
            for suspect in mark.suspects {
                log.report(suspect.isRefused ? .critical : .error, "\(suspect)")
            }
            return mark
        } catch {
            log.error("no mark outlives this process: \(error)")
            return nil
        }
    }

    /// The path of that mark.
    static func markPath(_ settings: Settings) -> String {
        Directory.join(
            Directory.parent(of: settings.matchd.socket) ?? settings.state, "matchd.mark")
    }
}
