// From a configuration to a running pipeline, and back.

import Configuration
import DaemonKit
import Engine
import Glibc
import Journal
import Link
import Logging
import Pipeline
import Platform
import Replica
import Terms

/// The matching daemon of one state directory.
final class MatchingDaemon {
    let settings: Settings
    let log: Logger
    /// Held as long as the process lives.
    let lock: StateLock
    let snapshots: SnapshotStore
    let pipeline: Pipeline
    let memory: TableMemory?
    let sink: JournalSink
    let writer: JournalWriter
    /// Carries out the agent's orders; nil: a standalone exchange.
    private let controller: ReplicaController?

    /// Recovers the journal and starts to serve.
    ///
    /// `trace`: the file that takes samples of where commands spend their time; nil: none are
    /// taken.
    init(_ settings: Settings, _ log: Logger, trace: String? = nil) throws {
        guard Directory.isDirectory(settings.state) else {
            throw SettingsError(
                file: settings.file, key: "exchange.state",
                text: """
                    there is no state directory \(settings.state): make it with `boursectl init`, \
                    or correct this key
                    """)
        }
        self.settings = settings
        self.log = log
        lock = try StateLock(directory: settings.state)
        // Not the journal's: that one is made with the journal, and missed where it is not mounted.
        for directory in [
            settings.snapshotsDirectory,
            Directory.parent(of: settings.matchd.socket) ?? settings.state,
        ] where !Directory.exists(directory) { try Directory.create(directory) }

        snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
        let place = JournalPlace(settings)
        let start = try Self.startJournal(settings, place, snapshots, log)
        writer = start.writer
        let identity = writer.identity
        sink = try JournalSink(writer)
        let listeners = try LinkListener.all(settings)
        var options = try PipelineOptions(settings)
        options.journal = (identity.high, identity.low)
        options.voids = start.voided
        options.mark = Self.openMark(settings, identity, log)
        options.trace = try trace.map { path throws(SystemError) in try LatencyTrace(path) }
        try LogClock.checkHost(place, writer, options.mark)
        let history = JournalHistory(
            directory: settings.journalDirectory, snapshots: snapshots, identity: identity)
        let engine = start.takeEngine()
        let pair = try settings.cluster.map { cluster in
            try PairStart(cluster, settings, start, place, released: engine.sequence)
        }
        pair?.change(&options)
        memory = TableMemory.take(engine) { log.report($0 ? .info : .warning, $1) }
        pipeline = try Pipeline.start(
            engine: engine, sink: sink, history: history, listeners: listeners,
            options: options
        ) { Self.end(after: $0, place, log) }
        controller = try pair?.run(pipeline, writer, history, log)
        for listener in listeners { log.notice("the Link listens at \(listener.address)") }
    }

    /// Opens the journal; long work is reported.
    private static func startJournal(
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
        // The journal was begun with these limits, and is raised by records of its own.
        if !start.limits.covers(settings.limits) {
            log.report(
                .warning,
                "[limits] of \(settings.file) are above those of the journal, which stand: raise "
                    + "them with `boursectl limits raise`")
        }
        log.notice("recovered to record \(start.writer.lastSequence)")
        return start
    }

    /// Ends the process after a fault of the pipeline.
    private static func end(
        after fault: SinkError, _ place: JournalPlace, _ log: Logger
    ) -> Never {
        // The note of it may be where nothing can be written either.
        let latched = place.latched()
        let isJournal = fault.isDiskFault || latched != nil
        log.fatal(
            (isJournal ? "the journal failed" : "a thread failed")
                + ", nothing more was acknowledged: \(latched?.detail ?? fault.description)",
            status: isJournal ? DaemonExit.journal : DaemonExit.fault)
    }

    /// Opens the mark that outlives the process, beside the Link's socket, and says what it shows.
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

    /// Where that mark is.
    static func markPath(_ settings: Settings) -> String {
        Directory.join(
            Directory.parent(of: settings.matchd.socket) ?? settings.state, "matchd.mark")
    }

    /// Serves until a signal, then drains, journals and writes a snapshot.
    func serve(_ daemon: DaemonProcess) throws {
        ServiceManager.ready()
        log.notice("ready at record \(pipeline.applied)")
        watch(daemon)
        ServiceManager.stopping()
        log.notice("draining")
        let work = WorkProgress()
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        work.begin(
            "draining", unit: "records", from: pipeline.durable, to: pipeline.applied)
        let engine = pipeline.stop { work.advance(to: $0) }
        controller?.stop()
        memory?.end()
        reporter?.end()
        // The thread that did it while it ran has ended.
        sink.noteCommit(pipeline.released)
        try sink.settle()
        sink.close()
        writeSnapshot(engine)
    }

    /// Leaves a snapshot, so that the next start has nothing to replay. The auditor writes them as
    /// well: where it is at it, or has this one, or the disk does not take it, nothing is lost by
    /// leaving it out.
    func writeSnapshot(_ engine: borrowing Engine) {
        let last = writer.last
        // Nobody may see what is not released, in a snapshot either.
        guard last.sequence == engine.sequence, pipeline.released == engine.sequence,
            let turn = try? StateLock(directory: snapshots.directory, name: "writer.lock"),
            (try? snapshots.sequences().contains(engine.sequence)) == false
        else {
            log.notice("stopped at record \(engine.sequence)")
            return
        }
        defer { _ = turn }
        let work = WorkProgress()
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        defer { reporter?.end() }
        do throws(JournalError) {
            let info = try snapshots.write(
                engine, identity: writer.identity, recordCRC: last.crc,
                keepFree: settings.matchd.reserveBytes, work: work)
            try snapshots.prune(keep: settings.auditd.snapshotsKeep)
            log.notice("stopped at record \(info.sequence), with a snapshot")
        } catch {
            log.warning("stopped at record \(engine.sequence), without a snapshot: \(error)")
        }
    }
}
