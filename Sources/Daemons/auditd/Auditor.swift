// A second opinion: the same log, executed again, from what lies on the disk.

import Configuration
import DaemonKit
import Engine
import Glibc
import Journal
import Logging
import Platform
import Terms
import Wire

/// What the auditor finds wrong. It raises the alarm by ending: nothing it would write afterwards
/// could be trusted.
struct AuditAlarm: Error, CustomStringConvertible {
    let description: String
}

/// How far this auditor has executed the log itself, kept over its life. Where it began again at a
/// later snapshot that matchd left, what it had not seen, or had raised the alarm about, would pass
/// for good.
struct AuditedMark {
    let path: String
    /// The last record; nil where nothing is kept.
    let sequence: UInt64?

    init(_ path: String) {
        self.path = path
        let bytes = try? File(path, .read).read(count: 32)
        let digits = bytes.map { $0.prefix { $0 >= 0x30 && $0 <= 0x39 } }
        sequence = digits.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }
    }

    /// Keeps another.
    func set(_ sequence: UInt64) throws(SystemError) {
        try File.replace(path, with: Array("\(sequence)\n".utf8))
    }
}

/// Follows the journal of a state directory. It only reads what matchd writes, so it never holds it
/// up. It executes what the sync marks say is released, and nothing behind: a record that is only
/// durable may still be cut, and is then no matter for a verdict or a snapshot.
final class Auditor {
    let settings: Settings
    let log: Logger
    /// One auditor for a state directory, as long as the process lives.
    let lock: StateLock
    let snapshots: SnapshotStore
    var engine: Engine
    var reader: JournalReader
    /// Reads ahead of `reader`, to the journal's end: what is released, and what is voided.
    var scout: JournalReader
    /// What the scout met at the end, and is looked at again.
    var scoutFault: JournalError?
    /// When the scout was sent, or met something new.
    var scoutTime: Int64 = 0
    var voided = VoidedSequences()
    var identity: JournalIdentity?
    /// The sequence of the newest snapshot, and when it was taken.
    var snapshot: UInt64
    var snapshotTime: Int64
    /// The last record that is known to be released.
    var released: UInt64 = 0
    /// Why the last snapshot was not written, and when it is tried again.
    var refusal: String?
    var retryTime: Int64 = 0
    /// What is found wrong while records are applied.
    var alarm: AuditAlarm?

    /// How far a long piece of work is.
    let work: WorkProgress

    /// Most bytes that are applied between two looks at signals and the clock.
    static var runBytesMax: Int { 256 << 10 }
    /// The shortest and the longest pause while nothing comes: it doubles up to there.
    static var pauseMillis: ClosedRange<Int32> { 20...1_000 }
    /// How long records that were read may stay unreleased before they are read again.
    static var scoutNanos: Int64 { 10_000_000_000 }
    /// How long a stop waits for what is still to come.
    static var finishNanos: Int64 { 500_000_000 }
    /// How many runs of records it takes at least, where there are so many.
    static var finishStepsMin: Int { 1_000 }
    /// The pause after a snapshot that could not be written.
    static var retryNanos: Int64 { 5_000_000_000 }

    /// Begins where it ended: at the newest valid snapshot of what it has seen itself, or with an
    /// empty engine.
    init(_ settings: Settings, _ log: Logger, _ work: WorkProgress) throws {
        self.settings = settings
        self.log = log
        self.work = work
        // First, for it says when the state directory itself is not there.
        lock = try StateLock(directory: settings.state, name: "auditd.lock")
        if !Directory.exists(settings.snapshotsDirectory) {
            try Directory.create(settings.snapshotsDirectory)
        }
        snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
        work.begin("loading a snapshot", unit: "", from: 0, to: 0)
        let audited = AuditedMark(settings.auditedFile)
        let loaded = try snapshots.newestValid(
            atMost: audited.sequence ?? .max, identity: nil, report: log.reporting(.warning))
        var prior: LogPoint?
        if let loaded {
            identity = loaded.info.identity
            prior = loaded.info.point
            engine = loaded.takeEngine()
        } else {
            // Until the log's first record says its limits.
            engine = Engine(limits: .small, keepsEvents: false)
        }
        if let seen = audited.sequence, engine.sequence < seen {
            log.warning("no snapshot of record \(seen) is left, which was the last of its own")
        } else if audited.sequence == nil {
            // What others left is taken on trust, once.
            try audited.set(engine.sequence)
        }
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
        reader = JournalReader(
            directory: settings.journalDirectory, from: engine.sequence + 1, identity: identity,
            behind: prior, isLive: true)
        scout = JournalReader(
            directory: settings.journalDirectory, from: engine.sequence + 1, identity: identity,
            behind: prior, isLive: true)
        // Before any is executed: a voided one may stop the engine.
        work.begin("looking for voided records", unit: "records", from: engine.sequence, to: 0)
        while try scoutAhead() { work.advance(to: scout.nextSequence) }
        work.begin("executing", unit: "records", from: engine.sequence, to: scout.commitPoint)
    }

    /// Reads a run of records behind those that are known to be released, and notes what is voided;
    /// false when there is none yet.
    func scoutAhead() throws(JournalError) -> Bool {
        var found = voided
        defer { voided = found }
        return try unsafe scout.next(bytesMax: Self.runBytesMax) { run in
            unsafe Self.forEachRecord(run) { header, record in unsafe found.note(header, record) }
        }
    }

    /// The same while records are executed. What was read but is not released may be cut, and other
    /// records, or none, then stand in its place: it is read again by a fresh scout after a while,
    /// and after a fault, which is thrown where that one meets it too.
    func lookAhead() throws -> Bool {
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
        }
        if voided != known,
            let late = voided.all.first(where: { !known.contains($0) && $0 <= engine.sequence })
        {
            throw AuditAlarm(
                description: """
                    record \(late) was voided after it had been executed here; start again, and it \
                    is passed over
                    """)
        }
        return got
    }

    /// Has a fresh scout begin where the reader stands.
    func sendScout() {
        // What was noted ahead may have been cut; where it was not, it is found again.
        var executed = VoidedSequences()
        for sequence in voided.all where sequence <= engine.sequence { executed.insert(sequence) }
        voided = executed
        scoutTime = Clock.monotonicNanos()
        scout = JournalReader(
            directory: settings.journalDirectory, from: reader.nextSequence, identity: identity,
            behind: reader.last, isLive: true)
    }

    /// Re-executes until a signal; ends with a snapshot of all that is released then. `reporter`
    /// speaks until what was there at first is executed: that may take long.
    func follow(until signals: Signals, _ reporter: WorkReporter) throws {
        log.notice("auditing from record \(engine.sequence + 1)")
        ServiceManager.ready()
        var (statusTime, pause): (Int64, Int32) = (0, Self.pauseMillis.lowerBound)
        var catchingUp: WorkReporter? = reporter
        while true {
            let isAhead = try step()
            if isAhead {
                pause = Self.pauseMillis.lowerBound
            } else {
                catchingUp?.end()
                catchingUp = nil
            }
            if let signal = signals.wait(milliseconds: isAhead ? 0 : pause) {
                log.notice("got signal \(signal)")
                break
            }
            if !isAhead { pause = min(2 * pause, Self.pauseMillis.upperBound) }
            let now = Clock.monotonicNanos()
            if isSnapshotDue(now) { try trySnapshot() }
            ServiceManager.watchdog()
            if now > statusTime, catchingUp == nil {
                statusTime = now + 1_000_000_000
                ServiceManager.status(
                    "checked to record \(engine.sequence); snapshot of record \(snapshot)")
            }
        }
        catchingUp?.end()
        ServiceManager.stopping()
        try finish()
    }

    /// Applies a run of released records, or looks for more; false when there is none yet.
    func step() throws -> Bool {
        var isAhead = false
        if reader.nextSequence > released { isAhead = try lookAhead() }
        released = max(released, scout.commitPoint)
        let got = unsafe try reader.next(upTo: released, bytesMax: Self.runBytesMax) { run in
            unsafe Self.forEachRecord(run) { header, record in unsafe apply(header, record) }
        }
        if let alarm { throw alarm }
        return got || isAhead
    }

    func apply(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        guard alarm == nil else { return }
        work.advance(to: header.sequence)
        if header.sequence == 1, let genesis = unsafe Genesis(record: record) {
            engine = Engine(limits: genesis.limits, keepsEvents: false)
        }
        let outcome =
            voided.contains(header.sequence)
            ? unsafe engine.skip(record: record) : unsafe engine.apply(record: record)
        if engine.hasDiverged {
            alarm = AuditAlarm(
                description: """
                    ALARM: the events up to record \(header.sequence) are not those of the \
                    matching daemon: stop trading, keep the state directory, and compare with \
                    `boursectl journal rehearse`
                    """)
        }
        switch CommandKind(rawValue: header.kind) {
        case .genesis where outcome.refusal != .none:
            alarm = AuditAlarm(
                description: """
                    the journal does not begin with a record that an engine can be made from; \
                    both daemons must be of the same version
                    """)
        default: break
        }
    }

    // MARK: Snapshots

    func isSnapshotDue(_ now: Int64) -> Bool {
        guard engine.sequence > snapshot, now >= retryTime else { return false }
        return engine.sequence - snapshot >= settings.auditd.snapshotEvery
            || now - snapshotTime >= Int64(settings.auditd.snapshotSeconds) * 1_000_000_000
    }

    /// Writes a snapshot. A disk that does not take it is reported once, and nothing is lost: the
    /// next try comes after a pause.
    func trySnapshot() throws {
        do { try writeSnapshot() } catch {
            let reason: String
            switch error {
            case let fault as JournalError: reason = fault.description
            // matchd writes one as well, when it stops: one at a time.
            case StateLockError.held: reason = "another process is writing one"
            case let fault as StateLockError: reason = fault.description
            case let fault as SystemError: reason = fault.description
            default: throw error
            }
            if reason != refusal {
                log.warning(
                    "no snapshot of record \(engine.sequence), to be tried again: \(reason)")
            }
            refusal = reason
            retryTime = Clock.monotonicNanos() + Self.retryNanos
        }
    }

    /// Checks the invariants, then writes a snapshot. What is written was released.
    func writeSnapshot() throws {
        if let broken = engine.checkInvariants() {
            throw AuditAlarm(
                description: """
                    ALARM: an invariant does not hold after record \(engine.sequence): \(broken); \
                    stop trading and keep the state directory
                    """)
        }
        guard let identity = reader.identity ?? identity else { return }
        let turn = try StateLock(directory: snapshots.directory, name: "writer.lock")
        defer { _ = turn }
        // What a writer that died left aside takes the space of this one.
        try snapshots.removeUnfinished()
        if try !isWritten(identity) {
            guard let last = reader.last, last.sequence == engine.sequence else {
                preconditionFailure("the reader stands where the engine does")
            }
            let reporter = try WorkReporter(work, report: log.reporting(.info))
            defer { reporter.end() }
            let info = try snapshots.write(
                engine, identity: identity, recordCRC: last.crc,
                keepFree: settings.matchd.reserveBytes, work: work)
            log.info("snapshot of record \(info.sequence), \(info.bodyBytes >> 10) KiB")
        }
        try snapshots.prune(keep: settings.auditd.snapshotsKeep)
        try AuditedMark(settings.auditedFile).set(engine.sequence)
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
        refusal = nil
    }

    /// Whether matchd has left a whole snapshot of this record, which must have the same state.
    func isWritten(_ identity: JournalIdentity) throws -> Bool {
        guard
            let other = try snapshots.newest(atMost: engine.sequence, identity: identity)?.info,
            other.sequence == engine.sequence
        else { return false }
        guard other.stateHash == engine.stateHash() else {
            throw AuditAlarm(
                description: """
                    ALARM: the state after record \(engine.sequence) is not that of the matching \
                    daemon in \(other.path): stop trading and keep the state directory
                    """)
        }
        return true
    }

    /// Takes what is still to come for a moment, and leaves a snapshot if all of it is durable.
    func finish() throws {
        let end = Clock.monotonicNanos() + Self.finishNanos
        var steps = 0
        // On a busy machine that time may pass without any of it being given to this process.
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
        log.notice("stopped at record \(engine.sequence)")
    }

    /// Calls `body` with each record of a run that the reader has checked.
    static func forEachRecord(
        _ run: UnsafeRawBufferPointer, _ body: (RecordHeader, UnsafeRawBufferPointer) -> Void
    ) {
        var offset = 0
        while offset < run.count {
            guard
                let header = unsafe RecordHeader(
                    UnsafeRawBufferPointer(rebasing: run[offset...]))
            else { preconditionFailure("the reader gives whole records") }
            let end = offset + Int(header.length)
            unsafe body(header, UnsafeRawBufferPointer(rebasing: run[offset..<end]))
            offset = end
        }
    }
}
