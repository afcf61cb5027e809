// From a journal as a start of matchd finds it to one that goes on.

public import Engine
public import Platform
public import Terms

/// A journal that was opened, recovered and executed: its writer, and the engine at its end.
public final class JournalStart {
    /// Appends behind the last record.
    public let writer: JournalWriter
    /// Sequences that replicas skip.
    public let voided: [UInt64]
    /// The limits that the journal holds.
    public let limits: EngineLimits
    private var engine: Engine?

    /// Opens the journal of a place, whose state this process has locked: which journal it is,
    /// whether all that was durable is there, and what the last write left unfinished are decided
    /// here. Throws what stops a start. `report` gets a line about each thing that an operator
    /// should know of and that stops nothing.
    public init(
        _ place: JournalPlace, snapshots: SnapshotStore, options: JournalOptions,
        work: WorkProgress, report: (String) -> Void
    ) throws(JournalError) {
        work.begin("checking the journal", unit: "bytes", from: 0, to: 0)
        let opened = try Journal.open(place, snapshots: snapshots) { done, all in
            work.advance(to: UInt64(done), of: UInt64(all))
        }
        let recovered = opened.recovered
        for note in opened.notes { report(note) }
        if let cut = recovered.cut { report("\(cut)") }
        let restored = try Journal.restore(
            recovered, snapshots: snapshots,
            mark: Directory.join(place.state, "recovery.mark"), report: report, work: work)
        limits = restored.limits
        // The state knows those whose records are older than what was scanned.
        voided = Array(Set(recovered.voided.all).union(restored.voids)).sorted()
        writer = try JournalWriter(
            recovered: recovered, replica: opened.replica.replica, place: place, options: options)
        engine = consume restored
    }

    /// The engine; once.
    public func takeEngine() -> Engine {
        guard let engine = engine.take() else { preconditionFailure("the engine is taken once") }
        return engine
    }
}
