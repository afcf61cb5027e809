// Re-executing the log.

public import Engine
public import Platform
internal import Terms
public import Wire

/// The progress of a replay.
public struct ReplayProgress: Hashable, Sendable {
    /// The last record applied.
    public var sequence: UInt64
    /// Its final record.
    public var last: UInt64
    /// Records applied in this replay.
    public var applied: UInt64
    /// Of them, records skipped as voided.
    public var skipped: UInt64
}

extension Journal {
    /// Applies the records after `engine.sequence` up to `through` (at most the journal's last) to
    /// the engine, skipping voided ones. Stops with `diverged` at a hash mark that the engine
    /// does not agree with.
    ///
    /// `mark`: where given, the crash mark's file; see `RecoveryMark`. `work` moves with each
    /// record. `progress` is called about every 100,000 records and at the end; `each` after each
    /// record with its outcome.
    public static func replay(
        _ journal: RecoveredJournal, into engine: inout Engine, through: UInt64 = .max,
        mark: String? = nil, work: WorkProgress? = nil,
        progress: (ReplayProgress) -> Void = { _ in },
        each: ((RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void)? = nil
    ) throws(JournalError) {
        let last = min(through, journal.lastSequence)
        let known = LogLevel(format: Genesis.currentFormat, rules: engine.rulesKnown)
        guard known.covers(journal.level) else {
            throw .newerLevel(directory: journal.directory, level: journal.level, known: known)
        }
        guard engine.sequence < last else { return }
        guard journal.firstSequence <= engine.sequence + 1 else {
            throw .noSnapshot(directory: journal.directory, first: journal.firstSequence)
        }
        let crashMark = try mark.map { path throws(JournalError) in
            try RecoveryMark(path, voided: journal.voided)
        }
        // A thrown error is reported; only a crash leaves the mark.
        defer { crashMark?.remove() }
        let reader = JournalReader(
            directory: journal.directory, from: engine.sequence + 1, identity: journal.identity)
        var state = ReplayProgress(sequence: engine.sequence, last: last, applied: 0, skipped: 0)
        var report = engine.sequence + 100_000
        work?.begin("replaying", unit: "records", from: engine.sequence, to: last)
        var isGoing = true
        while isGoing, engine.sequence < last {
            isGoing = try unsafe reader.next(upTo: last, bytesMax: 1 << 16) { run in
                unsafe apply(run, to: &engine, journal.voided, crashMark, work, &state, each)
            }
            state.sequence = engine.sequence
            if engine.hasDiverged { throw .diverged(sequence: state.sequence) }
            if engine.sequence >= report {
                report = engine.sequence + 100_000
                progress(state)
            }
        }
        guard engine.sequence == last else {
            throw .missing(directory: journal.directory, first: engine.sequence + 1, last: last)
        }
        progress(state)
    }

    private static func apply(
        _ run: UnsafeRawBufferPointer, to engine: inout Engine, _ voided: VoidedSequences,
        _ crashMark: RecoveryMark?, _ work: WorkProgress?, _ state: inout ReplayProgress,
        _ each: ((RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void)?
    ) {
        unsafe Records.forEach(run) { header, record in
            // A diverged replica stops at the mark that shows it.
            if engine.hasDiverged { return }
            crashMark?.enter(header.sequence)
            work?.advance(to: header.sequence)
            let outcome: Outcome
            if !voided.isEmpty, voided.contains(header.sequence) {
                unsafe outcome = engine.skip(record: record)
                state.skipped += 1
            } else {
                unsafe outcome = engine.apply(record: record)
            }
            state.applied += 1
            if let each = unsafe each { unsafe each(header, record, outcome, engine) }
        }
    }

    /// The engine at the journal's end, or at `through`: the newest valid snapshot, or an empty
    /// engine, and the log from there on.
    ///
    /// A snapshot beyond the journal's end stops it: snapshots are taken of durable records only,
    /// so the journal has lost records. `report` gets lines for people; the other parameters are as
    /// for `replay`.
    public static func restore(
        _ journal: RecoveredJournal, snapshots: SnapshotStore, through: UInt64 = .max,
        mark: String? = nil, rulesKnown: UInt32 = SetRules.current,
        report: (String) -> Void = { _ in }, work: WorkProgress? = nil
    ) throws(JournalError) -> Engine {
        if let ahead = try snapshots.sequences().first, ahead > journal.lastSequence {
            throw .snapshotAhead(
                file: snapshots.path(ahead), sequence: ahead, lastGood: journal.lastSequence)
        }
        var engine: Engine
        let limit = min(through, journal.lastSequence)
        work?.begin("loading a snapshot", unit: "", from: 0, to: 0)
        if let loaded = try snapshots.newestValid(
            atMost: limit, identity: journal.identity, journal: journal, report: report)
        {
            report("snapshot of sequence \(loaded.info.sequence)")
            engine = loaded.takeEngine()
        } else {
            guard let genesis = journal.genesis else {
                throw .noSnapshot(directory: journal.directory, first: journal.firstSequence)
            }
            // Nobody reads events here.
            engine = Engine(
                limits: genesis.limits, keepsEvents: false, rulesKnown: rulesKnown)
        }
        // Older than expected: its later voided records are not yet known.
        let isScanned = engine.sequence + 1 >= journal.scannedFrom
        let whole =
            isScanned
            ? journal
            : try inspect(directory: journal.directory, scanFrom: engine.sequence + 1) {
                work?.advance(to: UInt64($0), of: UInt64($1))
            }
        try unsafe replay(whole, into: &engine, through: limit, mark: mark, work: work)
        return engine
    }

    /// Where `recover` should begin to scan: the newest snapshot's sequence, or 1. Earlier records
    /// are not needed at start-up; `auditd` and `boursectl journal verify` read all.
    public static func scanStart(_ snapshots: SnapshotStore) throws(JournalError) -> UInt64 {
        var newest: UInt64 = 1
        // Validity is known only after loading; mostly one of the newest two is valid.
        for sequence in try snapshots.sequences().prefix(2) { newest = max(1, sequence) }
        return newest
    }
}
