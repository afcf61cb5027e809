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
    let history: JournalHistory
    let writer: JournalWriter
    /// Carries out the agent's orders; nil: no cluster.
    private let controller: ReplicaController?
    /// Takes gateways on other hosts; nil: none are wanted.
    private let remote: RemoteGateways?

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
        // Not the journal's, which is made with the journal: where it is missing, its disk is not
        // mounted.
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
        let passed = try settings.linkAddress.map { address throws(LinkError) in
            try LinkListener.passed(address: "\(address)")
        }
        let listeners = try LinkListener.all(settings) + [passed].compactMap { $0 }
        var options = try PipelineOptions(settings)
        options.journal = (identity.high, identity.low)
        options.voids = start.voided
        options.mark = Self.openMark(settings, identity, log)
        options.trace = try trace.map { path throws(SystemError) in try LatencyTrace(path) }
        try LogClock.checkHost(place, writer, options.mark)
        history = JournalHistory(
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
        remote = try passed.flatMap { try PairStart.takeGateways(settings, $0, log) }
        controller = try pair?.run(pipeline, writer, history, remote, log)
        for listener in listeners { log.notice("the Link listens at \(listener.address)") }
    }

    /// Ends the process after a fault of the pipeline.
    private static func end(
        after fault: SinkError, _ place: JournalPlace, _ log: Logger
    ) -> Never {
        // The note of the fault may be on a disk that failed as well.
        let latched = place.latched()
        let isJournal = fault.isDiskFault || latched != nil
        log.fatal(
            (isJournal ? "the journal failed" : "a thread failed")
                + ", nothing more was acknowledged: \(latched?.detail ?? fault.description)",
            status: isJournal ? DaemonExit.journal : DaemonExit.fault)
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
        remote?.stop()
        controller?.stop()
        memory?.end()
        reporter?.end()
        // The journal thread, which does this while the pipeline runs, has ended.
        sink.noteCommit(pipeline.released)
        try sink.settle()
        sink.close()
        writeSnapshot(engine)
    }

    /// Leaves a snapshot. The auditor writes them as well, so this one may be left out.
    private func writeSnapshot(_ engine: borrowing Engine) {
        let work = WorkProgress()
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        defer { reporter?.end() }
        let end = "stopped at record \(engine.sequence)"
        do throws(JournalError) {
            let info = try snapshots.writeLast(
                engine, writer, released: pipeline.released, keep: settings.auditd.snapshotsKeep,
                keepFree: settings.matchd.reserveBytes, work: work)
            log.notice(info == nil ? "\(end)" : "\(end), with a snapshot")
        } catch {
            log.warning("\(end), without a snapshot: \(error)")
        }
    }
}
