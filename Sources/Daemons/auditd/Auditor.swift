// A second opinion: the same log, executed again, from what lies on the disk.

import Configuration
import Engine
import Glibc
import Journal
import Platform
import Terms
import Wire

/// What the auditor finds wrong. It raises the alarm by ending: nothing it would write afterwards
/// could be trusted.
struct AuditAlarm: Error, CustomStringConvertible {
    let description: String
}

/// Follows the journal of a state directory. It only reads what matchd writes, so it never holds it
/// up; a snapshot is taken only of what matchd has marked as durable.
final class Auditor {
    let settings: Settings
    let log: DaemonLog
    /// One auditor for a state directory, as long as the process lives.
    let lock: StateLock
    let snapshots: SnapshotStore
    var engine: Engine
    var reader: JournalReader
    var voided = VoidedSequences()
    var identity: JournalIdentity?
    /// The sequence of the newest snapshot, and when it was taken.
    var snapshot: UInt64
    var snapshotTime: Int64
    /// What is found wrong while records are applied.
    var alarm: AuditAlarm?

    /// Most bytes that are applied between two looks at signals and the clock.
    static var runBytesMax: Int { 8 << 20 }

    /// Begins at the newest valid snapshot, or with an empty engine.
    init(_ settings: Settings, _ log: DaemonLog) throws {
        self.settings = settings
        self.log = log
        // First, for it says when the state directory itself is not there.
        lock = try StateLock(directory: settings.state, name: "auditd.lock")
        for directory in [settings.journalDirectory, settings.snapshotsDirectory] {
            if !Directory.exists(directory) { try Directory.create(directory) }
        }
        snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
        let loaded = try snapshots.newestValid(identity: nil, report: log.line)
        if let loaded {
            identity = loaded.info.identity
            engine = loaded.takeEngine()
        } else {
            engine = Engine(limits: settings.limits, keepsEvents: false)
        }
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
        reader = JournalReader(
            directory: settings.journalDirectory, from: engine.sequence + 1, identity: identity,
            isLive: true)
        try findVoids()
    }

    /// Notes the records that are voided, before any is executed: a voided one may stop the engine.
    func findVoids() throws(JournalError) {
        let scout = JournalReader(
            directory: settings.journalDirectory, from: engine.sequence + 1, identity: identity,
            isLive: true)
        var found = VoidedSequences()
        while unsafe try scout.next(
            bytesMax: Self.runBytesMax,
            { run in
                unsafe Self.forEachRecord(run) { header, record in
                    unsafe found.note(header, record)
                }
            })
        {}
        voided = found
    }

    /// Re-executes until a signal; ends with a snapshot of all that is durable then.
    func follow(until signals: Signals) throws {
        log.line("auditing from record \(engine.sequence + 1)")
        ServiceManager.ready()
        var statusTime: Int64 = 0
        while true {
            let isAhead = try step()
            let wait: Int32 = isAhead ? 0 : 20
            if let signal = signals.wait(milliseconds: wait) {
                log.line("got signal \(signal)")
                break
            }
            let now = Clock.monotonicNanos()
            if isSnapshotDue(now) { try writeSnapshot() }
            ServiceManager.watchdog()
            if now > statusTime {
                statusTime = now + 1_000_000_000
                ServiceManager.status(
                    "checked to record \(engine.sequence); snapshot of record \(snapshot)")
            }
        }
        ServiceManager.stopping()
        try finish()
    }

    /// Applies a run of records; false when there is none yet.
    func step() throws -> Bool {
        let got = unsafe try reader.next(bytesMax: Self.runBytesMax) { run in
            unsafe Self.forEachRecord(run) { header, record in unsafe apply(header, record) }
        }
        if let alarm { throw alarm }
        return got
    }

    func apply(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        guard alarm == nil else { return }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
        if voided.contains(header.sequence) {
            _ = unsafe engine.skip(record: record)
        } else {
            _ = unsafe engine.apply(record: record)
        }
        if engine.hasDiverged {
            alarm = AuditAlarm(
                description: """
                    ALARM: the events up to record \(header.sequence) are not those of the \
                    matching daemon: stop trading, keep the state directory, and compare with \
                    `boursectl journal rehearse`
                    """)
        }
        if case .voidSequence(let void) = unsafe Command(
            kind: CommandKind(rawValue: header.kind) ?? .tick, payload: payload),
            !voided.contains(void.sequence)
        {
            alarm = AuditAlarm(
                description: """
                    record \(void.sequence) was voided after it had been executed here; start \
                    again, and it is passed over
                    """)
        }
    }

    // MARK: Snapshots

    func isSnapshotDue(_ now: Int64) -> Bool {
        guard engine.sequence > snapshot, reader.isDurable else { return false }
        return engine.sequence - snapshot >= settings.auditd.snapshotEvery
            || now - snapshotTime >= Int64(settings.auditd.snapshotSeconds) * 1_000_000_000
    }

    /// Checks the invariants, then writes a snapshot. What is written was durable in the journal.
    func writeSnapshot() throws {
        if let broken = engine.checkInvariants() {
            throw AuditAlarm(
                description: """
                    ALARM: an invariant does not hold after record \(engine.sequence): \(broken); \
                    stop trading and keep the state directory
                    """)
        }
        guard let identity = reader.identity ?? identity else { return }
        let turn = try waitForTurn()
        defer { _ = turn }
        if try !snapshots.sequences().contains(engine.sequence) {
            let info = try snapshots.write(
                engine, identity: identity, keepFree: settings.matchd.reserveBytes)
            log.line("snapshot of record \(info.sequence), \(info.bodyBytes >> 10) KiB")
        }
        try snapshots.prune(keep: settings.auditd.snapshotsKeep)
        snapshot = engine.sequence
        snapshotTime = Clock.monotonicNanos()
    }

    /// matchd writes a snapshot as well, when it stops: one at a time.
    func waitForTurn() throws -> StateLock {
        var tries = 0
        while true {
            do throws(StateLockError) {
                return try StateLock(directory: settings.snapshotsDirectory, name: "writer.lock")
            } catch {
                tries += 1
                guard case .held = error, tries < 600 else { throw error }
                Clock.sleep(nanos: 100_000_000)
            }
        }
    }

    /// Takes what is still to come for a moment, and leaves a snapshot if all of it is durable.
    func finish() throws {
        for _ in 0..<50 {
            if try step() { continue }
            if reader.isDurable { break }
            Clock.sleep(nanos: 10_000_000)
        }
        if reader.isDurable, engine.sequence > snapshot { try writeSnapshot() }
        log.line("stopped at record \(engine.sequence)")
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
