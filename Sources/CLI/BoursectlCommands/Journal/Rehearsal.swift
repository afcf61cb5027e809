// The journal executed again and compared: for `journal rehearse` and `upgrade`.

import Configuration
import Engine
import Glibc
import JSON
import Journal
import Presentation
import Terms
import Wire

/// Executes the log again and compares.
struct Rehearsal {
    let settings: Settings

    /// The result.
    struct Report {
        var last: UInt64 = 0
        var applied: UInt64 = 0
        var voided: UInt64 = 0
        var hashMarks: UInt64 = 0
        var snapshots: [UInt64] = []
        var eventHash: UInt64 = 0
        var stateHash: UInt64 = 0
        var nanos: Int64 = 0

        var json: JSONValue {
            [
                "ok": .bool(true), "last": .number(last), "applied": .number(applied),
                "voided": .number(voided), "hashMarks": .number(hashMarks),
                "snapshots": .array(
                    snapshots.map { ["sequence": .number($0), "ok": .bool(true)] }),
                "eventHash": .string(Readable.hex(eventHash)),
                "stateHash": .string(Readable.hex(stateHash)),
                "seconds": .string(
                    DecimalNumber(units: Int128(nanos / 1_000_000), scale: 3).text(decimals: 3)),
            ]
        }

        func text(_ ink: Ink) -> [String] {
            var facts = Facts()
            facts.add(
                "records",
                "\(Readable.count(applied)) re-executed up to \(last), "
                    + "\(Readable.rate(applied, nanos: nanos))")
            if voided > 0 { facts.add("voided", Readable.count(voided)) }
            facts.add("hash marks", "\(Readable.count(hashMarks)) agree")
            facts.add("snapshots", "\(Readable.count(snapshots.count)) agree")
            facts.add("event hash", Readable.hex(eventHash))
            facts.add("state hash", Readable.hex(stateHash))
            return [ink.good("This version reproduces the state.")] + facts.lines(ink)
        }
    }

    /// Executes the whole journal.
    func run() throws(CommandError) -> Report {
        try CommandError.wrapping {
            let journal = try JournalOnDisk.inspect(settings)
            guard !journal.isEmpty else { throw CommandError("the journal is empty") }
            return try rehearse(journal)
        }
    }

    private func rehearse(_ journal: RecoveredJournal) throws -> Report {
        CrashNote.install()
        let store = SnapshotStore(directory: settings.snapshotsDirectory)
        var snapshots = try store.sequences().filter { $0 <= journal.lastSequence }
        snapshots.reverse()
        var report = Report(last: journal.lastSequence)
        var engine = try beginning(journal, store, &snapshots)
        var meter = ProgressMeter("Rehearsing", unit: "records")
        defer { meter.clear() }
        for sequence in snapshots + [journal.lastSequence] {
            try replay(journal, &engine, through: sequence, &report, &meter)
            if sequence < journal.lastSequence || snapshots.last == sequence {
                guard !report.snapshots.contains(sequence) else { continue }
                try compare(engine, store, sequence, journal)
                report.snapshots.append(sequence)
            }
        }
        if let broken = engine.checkInvariants() {
            throw CommandError("at record \(engine.sequence) the books do not balance: \(broken)")
        }
        (report.eventHash, report.stateHash) = (engine.eventHash, engine.stateHash())
        report.nanos = meter.elapsedNanos
        return report
    }

    /// An empty engine for a journal that is whole; where old segments were archived, the oldest
    /// snapshot that the rest follows.
    private func beginning(
        _ journal: RecoveredJournal, _ store: SnapshotStore, _ snapshots: inout [UInt64]
    ) throws -> Engine {
        if journal.firstSequence <= 1 {
            guard let genesis = journal.genesis else {
                throw CommandError("this version cannot read the journal's first record")
            }
            return Engine(limits: genesis.limits, keepsEvents: false)
        }
        while let sequence = snapshots.first {
            snapshots.removeFirst()
            if sequence + 1 >= journal.firstSequence {
                return try store.load(sequence, identity: journal.identity).takeEngine()
            }
        }
        throw CommandError(
            JournalError.noSnapshot(directory: journal.directory, first: journal.firstSequence))
    }

    private func replay(
        _ journal: RecoveredJournal, _ engine: inout Engine, through: UInt64,
        _ report: inout Report, _ meter: inout ProgressMeter
    ) throws(JournalError) {
        let before = report.applied
        let counts = Counts()
        unsafe CrashNote.next = engine.sequence + 1
        try unsafe Journal.replay(
            journal, into: &engine, through: through,
            progress: { state in
                meter.draw(done: before + state.applied, total: journal.lastSequence)
            }, each: { header, _, outcome, _ in counts.add(header, outcome) })
        report.applied += counts.applied
        report.voided += counts.voided
        report.hashMarks += counts.hashMarks
    }

    /// Counts of a replay.
    private final class Counts {
        var applied: UInt64 = 0
        var voided: UInt64 = 0
        var hashMarks: UInt64 = 0

        func add(_ header: RecordHeader, _ outcome: Outcome) {
            applied += 1
            if header.kind == CommandKind.hashMark.rawValue { hashMarks += 1 }
            if outcome.refusal == .voided { voided += 1 }
            unsafe CrashNote.next = header.sequence + 1
        }
    }

    private func compare(
        _ engine: borrowing Engine, _ store: SnapshotStore, _ sequence: UInt64,
        _ journal: RecoveredJournal
    ) throws {
        guard let found = try store.newest(atMost: sequence, identity: journal.identity),
            found.info.sequence == sequence
        else {
            throw CommandError(
                "the snapshot \(store.path(sequence)) is damaged or of another journal",
                repair: "move it away; auditd writes a new one")
        }
        guard engine.stateHash() == found.info.stateHash, engine.eventHash == found.info.eventHash
        else {
            throw CommandError(
                "this version reaches another state than the snapshot of record \(sequence)",
                repair: "do not switch to this version; keep the journal and this message")
        }
    }
}

/// Reports which record stops the engine: a bug that would stop every replica.
enum CrashNote {
    /// The record that is being executed. Only the thread that executes writes it, and only its own
    /// signal handler reads it.
    nonisolated(unsafe) static var next: UInt64 = 0

    /// Reports when a trap ends the process.
    static func install() {
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] {
            signal(number) { number in
                // Only what may be called in a signal handler, signal-safety(7).
                CrashNote.write("\nboursectl: the engine of this version stops at record ")
                unsafe CrashNote.write(CrashNote.next)
                CrashNote.write("\n")
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    private static func write(_ text: StaticString) {
        _ = unsafe Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }

    private static func write(_ value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = UInt8(ascii: "0") + UInt8(value / divisor % 10)
            _ = unsafe Glibc.write(STDERR_FILENO, &digit, 1)
            divisor /= 10
        }
    }
}
