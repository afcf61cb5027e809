// The auditor: executes the log on the disk a second time.

public import Engine
internal import Glibc
internal import Journal
public import Platform
internal import Terms
internal import Wire

/// Follows the journal of a state directory. It only reads matchd's files, so it never delays it.
/// It executes the records that sync marks show as released, and no others: a record that is only
/// durable may still be cut.
public final class Auditor {
    private let options: AuditOptions
    private let report: @Sendable (AuditReport) -> Void
    /// One auditor per state directory, for the life of the process.
    private let lock: StateLock
    private let snapshots: SnapshotStore
    /// The result of the executed records.
    public private(set) var engine: Engine
    private var reader: JournalReader
    /// Reads ahead of `reader`, to the journal's end, for released and voided records.
    private var scout: JournalReader
    /// The fault that the scout met at the end, to be checked again.
    private var scoutFault: JournalError?
    /// When the scout started, or last found new records.
    private var scoutTime: Int64 = 0
    private var voided = VoidedSequences()
    private var identity: JournalIdentity?
    /// The sequence of the newest snapshot.
    public private(set) var snapshot: UInt64
    private var snapshotTime: Int64
    /// The last record that is known to be released.
    private var released: UInt64 = 0
    /// Why the last snapshot was not written, and when it is retried.
    private var refusal: String?
    private var retryTime: Int64 = 0
    /// A fault found while records are applied.
    private var alarm: AuditError?

    /// The progress of long work.
    private let work: WorkProgress

    /// Maximum size of the records that one step executes.
    private static var runBytesMax: Int { 256 << 10 }
    /// How long records may stay unreleased before they are read again.
    private static var scoutNanos: Int64 { 10_000_000_000 }
    /// How long a stop waits for further records.
    private static var finishNanos: Int64 { 500_000_000 }
    /// The minimum number of runs of records that a stop executes, if available.
    private static var finishStepsMin: Int { 1_000 }
    /// The pause after a failed snapshot.
    private static var retryNanos: Int64 { 5_000_000_000 }

    /// Resumes at the newest valid snapshot of records that it has executed, or with an empty
    /// engine.
    public init(
        _ options: AuditOptions, _ work: WorkProgress,
        report: @escaping @Sendable (AuditReport) -> Void
    ) throws {
        self.options = options
        self.report = report
        self.work = work
        // First, as it reports a missing state directory.
        lock = try StateLock(directory: options.state, name: "auditd.lock")
        if !Directory.exists(options.snapshots) { try Directory.create(options.snapshots) }
        snapshots = SnapshotStore(directory: options.snapshots)
        work.begin("loading a snapshot", unit: "", from: 0, to: 0)
        let audited = AuditedMark(options.audited)
        let loaded = try snapshots.newestValid(
            atMost: audited.sequence ?? .max, identity: nil, report: { report(.passedOver($0)) })
        var prior: LogPoint?
        if let loaded {
            identity = loaded.info.identity
            prior = loaded.info.point
            engine = loaded.takeEngine()
        } else {
            // Until the log's first record gives the limits.
            engine = Engine(limits: .small, keepsEvents: false)
        }
        if let seen = audited.sequence, engine.sequence < seen {
            report(.lostOwn(seen))
        } else if audited.sequence == nil {
            // Another writer's snapshot is trusted, once.
            try audited.set(engine.sequence)
        }
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
        reader = JournalReader(
            directory: options.journal, from: engine.sequence + 1, identity: identity,
            behind: prior, isLive: true)
        scout = JournalReader(
            directory: options.journal, from: engine.sequence + 1, identity: identity,
            behind: prior, isLive: true)
        // Before executing any: a voided one may stop the engine.
        work.begin("looking for voided records", unit: "records", from: engine.sequence, to: 0)
        while try scoutAhead() { work.advance(to: scout.nextSequence) }
        scoutTime = Clock.monotonicNanos()
        work.begin("executing", unit: "records", from: engine.sequence, to: scout.commitPoint)
    }

    /// Reads a run of records after those known to be released, and notes voided ones; false when
    /// there is none yet.
    private func scoutAhead() throws(JournalError) -> Bool {
        var found = voided
        defer { voided = found }
        return try unsafe scout.next(bytesMax: Self.runBytesMax) { run in
            unsafe Self.forEachRecord(run) { header, record in unsafe found.note(header, record) }
        }
    }

    /// The same while records are executed. Unreleased records may be cut and replaced: after a
    /// while, and after a fault, a fresh scout reads them again; a fault that it confirms is
    /// thrown.
    private func lookAhead() throws -> Bool {
        let known = voided
        let got: Bool
        do throws(JournalError) { got = try scoutAhead() } catch {
            guard error != scoutFault, scout.nextSequence > reader.nextSequence else { throw error }
            scoutFault = error
            sendScout()
            return true
        }
        if got {
            scoutFault = nil
            scoutTime = Clock.monotonicNanos()
        } else if scout.nextSequence > reader.nextSequence,
            Clock.monotonicNanos() - scoutTime > Self.scoutNanos
        {
            sendScout()
            return true
        }
        if voided != known,
            let late = voided.all.first(where: { !known.contains($0) && $0 <= engine.sequence })
        {
            throw AuditError(
                description: """
                    record \(late) was voided after it had been executed here; start again, and it \
                    is passed over
                    """)
        }
        return got
    }

    /// Starts a fresh scout at the reader's position.
    private func sendScout() {
        // Noted records may have been cut; if not, they are found again.
        var executed = VoidedSequences()
        for sequence in voided.all where sequence <= engine.sequence { executed.insert(sequence) }
        voided = executed
        scoutTime = Clock.monotonicNanos()
        scout = JournalReader(
            directory: options.journal, from: reader.nextSequence, identity: identity,
            behind: reader.last, isLive: true)
    }

    /// Its progress in one line.
    public var status: String {
        "checked to record \(engine.sequence); snapshot of record \(snapshot)"
    }

    /// Executes a run of released records, or looks for more; false when there is none yet. Throws
    /// `AuditError` for a fault of the exchange, `JournalError` for a damaged journal.
    public func step() throws -> Bool {
        var isAhead = false
        if reader.nextSequence > released { isAhead = try lookAhead() }
        released = max(released, scout.commitPoint)
        let got = unsafe try reader.next(upTo: released, bytesMax: Self.runBytesMax) { run in
            unsafe Self.forEachRecord(run) { header, record in unsafe apply(header, record) }
        }
        if let alarm { throw alarm }
        return got || isAhead
    }

    private func apply(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        guard alarm == nil else { return }
        work.advance(to: header.sequence)
        if header.sequence == 1, let genesis = unsafe Genesis(record: record) {
            engine = Engine(limits: genesis.limits, keepsEvents: false)
        }
        let isVoided = voided.contains(header.sequence)
        if !isVoided, let identity = reader.identity ?? identity,
            unsafe !SealCheck.isSound(header, record, of: (identity.high, identity.low))
        {
            alarm = AuditError(
                description: """
                    ALARM: record \(header.sequence) has a signature of an operator that is none: \
                    somebody has written into the log; stop withdrawals, keep the state directory, \
                    and run `boursectl audit verify`
                    """)
            return
        }
        let outcome =
            isVoided
            ? unsafe engine.skip(record: record) : unsafe engine.apply(record: record)
        if engine.hasDiverged {
            alarm = AuditError(
                description: """
                    ALARM: the events up to record \(header.sequence) are not those of the \
                    matching daemon: stop trading, keep the state directory, and compare with \
                    `boursectl journal rehearse`
                    """)
        }
        switch CommandKind(rawValue: header.kind) {
        case .genesis where outcome.refusal != .none:
            alarm = AuditError(
                description: """
                    the journal does not begin with a record that an engine can be made from; \
                    both daemons must be of the same version
                    """)
        default: break
        }
    }

    // MARK: Snapshots

    /// Whether it is time for a snapshot, at `now` of the monotonic clock.
    public func isSnapshotDue(_ now: Int64) -> Bool {
        guard engine.sequence > snapshot, now >= retryTime else { return false }
        return engine.sequence - snapshot >= options.snapshotEvery
            || now - snapshotTime >= options.snapshotNanos
    }

    /// Writes a snapshot as `trySnapshot` does if it is time for one, at `now` of the monotonic
    /// clock.
    public func snapshotIfDue(at now: Int64) throws {
        if isSnapshotDue(now) { try trySnapshot() }
    }

    /// Writes a snapshot. A failure is reported once and retried after a pause; nothing is lost.
    public func trySnapshot() throws {
        do { try writeSnapshot() } catch {
            let reason: String
            switch error {
            case let fault as JournalError: reason = fault.description
            // matchd also writes one when it stops: one at a time.
            case StateLockError.held: reason = "another process is writing one"
            case let fault as StateLockError: reason = fault.description
            case let fault as SystemError: reason = fault.description
            default: throw error
            }
            if reason != refusal { report(.delayed(engine.sequence, reason)) }
            refusal = reason
            retryTime = Clock.monotonicNanos() + Self.retryNanos
        }
    }

    /// Checks the invariants, then writes a snapshot of released records.
    private func writeSnapshot() throws {
        if let broken = engine.checkInvariants() {
            throw AuditError(
                description: """
                    ALARM: an invariant does not hold after record \(engine.sequence): \(broken); \
                    stop trading and keep the state directory
                    """)
        }
        guard let identity = reader.identity ?? identity else { return }
        let turn = try StateLock(directory: snapshots.directory, name: "writer.lock")
        defer { _ = turn }
        // The leftovers of a dead writer take the space of this one.
        try snapshots.removeUnfinished()
        if try !isWritten(identity) {
            guard let last = reader.last, last.sequence == engine.sequence else {
                preconditionFailure("the reader stands where the engine does")
            }
            let report = report
            let reporter = try WorkReporter(work) { report(.progress($0)) }
            defer { reporter.end() }
            let info = try snapshots.write(
                engine, identity: identity, recordCRC: last.crc,
                keepFree: options.keepFree, work: work)
            report(.snapshot(info.sequence, bytes: info.bodyBytes))
        }
        try snapshots.prune(keep: options.snapshotsKeep)
        try AuditedMark(options.audited).set(engine.sequence)
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
        refusal = nil
    }

    /// Whether matchd has written a whole snapshot of this record; its state must be the same.
    private func isWritten(_ identity: JournalIdentity) throws -> Bool {
        guard let other = try snapshots.newest(atMost: engine.sequence, identity: identity)?.info,
            other.sequence == engine.sequence
        else { return false }
        guard other.stateHash == engine.stateHash() else {
            throw AuditError(
                description: """
                    ALARM: the state after record \(engine.sequence) is not that of the matching \
                    daemon in \(other.path): stop trading and keep the state directory
                    """)
        }
        return true
    }

    /// Executes further records for a moment, then writes a snapshot.
    public func finish() throws {
        let end = Clock.monotonicNanos() + Self.finishNanos
        var steps = 0
        // On a busy machine this process may get no CPU during that time.
        while steps < Self.finishStepsMin || Clock.monotonicNanos() < end {
            if try step() {
                steps += 1
                continue
            }
            if reader.nextSequence == scout.nextSequence { break }
            steps += Self.finishStepsMin / 50
            Clock.sleep(nanos: 10_000_000)
        }
        if engine.sequence > snapshot { try trySnapshot() }
    }

    /// Calls `body` with each record of a run that the reader has checked.
    private static func forEachRecord(
        _ run: UnsafeRawBufferPointer, _ body: (RecordHeader, UnsafeRawBufferPointer) -> Void
    ) {
        var offset = 0
        while offset < run.count {
            guard let header = unsafe RecordHeader(UnsafeRawBufferPointer(rebasing: run[offset...]))
            else { preconditionFailure("the reader gives whole records") }
            let end = offset + Int(header.length)
            unsafe body(header, UnsafeRawBufferPointer(rebasing: run[offset..<end]))
            offset = end
        }
    }
}
