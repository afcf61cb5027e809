// Opening, recovering and executing a journal at matchd's start.

public import Engine
public import Platform
public import Terms

/// An opened, recovered and executed journal: its writer, and the engine at its end.
public final class JournalStart {
    /// Appends behind the last record.
    public let writer: JournalWriter
    /// Sequences that replicas skip.
    public let voided: [UInt64]
    /// The limits in the journal.
    public let limits: EngineLimits
    private var engine: Engine?

    /// Opens the journal of a place, whose state this process has locked: checks its identity and
    /// that all durable records are there, and cuts an incomplete last write. Throws what stops a
    /// start; `report` gets a line about anything else that an operator should know.
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
        // The state has those whose records precede the scanned part.
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
