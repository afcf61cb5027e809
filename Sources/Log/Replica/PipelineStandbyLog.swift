// A standby's log, on the pipeline and the files beside its journal.

internal import Failover
internal import Glibc
internal import Journal
internal import Pipeline
internal import Platform
internal import Replication
internal import Synchronization
internal import Terms

/// The log of a process that follows. Its journal exists (`boursectl cluster join` begins one), so
/// `begin` is refused; snapshots are refused as well.
final class PipelineStandbyLog: StandbyLog, @unchecked Sendable {
    // Unchecked: the intake belongs to whoever holds `entry`.
    private let parts: ReplicaParts
    private var intake: StandbyIntake
    private let replica: Mutex<ReplicaFile>
    private let end: @Sendable (ReplicaEnd) -> Never
    /// False: closed, nothing more is taken.
    private let entry = Mutex(true)

    /// How long a cut waits for the disk, ns.
    private static let syncNanosMax: Int64 = 30_000_000_000

    init(
        _ parts: ReplicaParts, _ replica: ReplicaFile,
        end: @escaping @Sendable (ReplicaEnd) -> Never
    ) {
        self.parts = parts
        self.replica = Mutex(replica)
        self.end = end
        intake = StandbyIntake(
            parts.pipeline, after: parts.last, timestamp: parts.lastTimestamp)
        bell = intake.bell
    }

    var identity: JournalIdentity? { parts.writer.identity }
    var cluster: UInt64 { file.cluster }
    var first: UInt64 { replica.withLock { $0.first } }
    var last: LogPoint { entry.withLock { _ in intake.end } }
    var lastTimestamp: Int64 { entry.withLock { _ in intake.timestamp } }
    var durable: UInt64 { parts.pipeline.durable }
    let bell: Doorbell
    var failure: SinkError? { nil }

    /// The replica file, as it is on disk.
    var file: ReplicaFile { replica.withLock { $0 } }

    /// Takes nothing more, as this process is to lead.
    func close() { entry.withLock { $0 = false } }

    /// Takes records again, as this process, which led, follows. The pipeline has written all of
    /// its log.
    func reopen() {
        entry.withLock { isOpen in
            intake = StandbyIntake(
                parts.pipeline, after: parts.writer.last, timestamp: parts.writer.lastTimestamp)
            isOpen = true
        }
    }

    func begin(_ identity: JournalIdentity) throws(SinkError) {
        throw SinkError("this host has a journal already")
    }

    func append(_ records: UnsafeRawBufferPointer) throws(SinkError) -> Bool {
        let result: Result<Bool, SinkError> = entry.withLock { isOpen in
            guard isOpen else {
                return .failure(SinkError("this process leads, or is about to: nothing is taken"))
            }
            do throws(SinkError) { return .success(try unsafe intake.append(records)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Notes the cut and ends the process: a journal is cut before threads read and write it.
    func cut(after last: UInt64, reason: String, isForced: Bool) throws(SinkError) {
        let deadline = Clock.monotonicNanos() + Self.syncNanosMax
        while parts.pipeline.durable < self.last.sequence {
            guard Clock.monotonicNanos() < deadline else {
                throw SinkError("the disk does not take what is to be cut")
            }
            Clock.sleep(nanos: 1_000_000)
        }
        let place = parts.place
        try change { file throws(JournalError) in
            guard let point = try Journal.point(place, last + 1) else {
                throw .refused(sequence: last + 1, detail: "it is not in the journal")
            }
            file.cut = point
        }
        end(.cut(reason: reason))
    }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        try parts.history.records(from: sequence)
    }

    func beginSnapshot(_ point: LogPoint, bytes: Int) throws(SinkError) {
        throw SinkError(
            """
            the primary does not have the records that this host lacks any more: take this host \
            out and join it anew with `boursectl cluster join`
            """)
    }

    func snapshot(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        preconditionFailure("no snapshot was begun")
    }

    func adoptSnapshot() throws(SinkError) { preconditionFailure("no snapshot was begun") }

    func show(visible: UInt64, released: UInt64) {
        parts.writer.noteCommit(released)
        parts.set.follow(visible: visible)
    }

    func promise(_ epoch: UInt32) throws(SinkError) {
        try change { file throws(JournalError) in file.promise = max(file.promise, epoch) }
    }

    /// The etcd cluster that this replica belongs to.
    func note(cluster: UInt64) throws(SinkError) {
        try change { file throws(JournalError) in file.cluster = cluster }
    }

    /// Gives this journal a new replica id: records that its end lacks may have been acknowledged.
    func renew() throws(SinkError) {
        try change { file throws(JournalError) in file.replica = .random() }
    }

    /// Changes the replica file, durably.
    private func change(
        _ body: (inout ReplicaFile) throws(JournalError) -> Void
    ) throws(SinkError) {
        let path = parts.place.replicaFile
        let result: Result<Void, JournalError> = replica.withLock { file in
            do throws(JournalError) {
                var next = file
                try body(&next)
                if next != file { try next.store(path) }
                file = next
                return .success(())
            } catch { return .failure(error) }
        }
        if case .failure(let error) = result { throw SinkError(error) }
    }
}
