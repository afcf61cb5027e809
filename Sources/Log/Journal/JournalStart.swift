// Opening, recovering and executing a journal at matchd's start.

public import Engine
public import Platform
public import Terms
public import Wire

/// An opened, recovered and executed journal: its writer, and the engine at its end, or at the last
/// record known to be released if this process is to follow.
public final class JournalStart {
    /// Appends behind the last record.
    public let writer: JournalWriter
    /// Sequences that replicas skip.
    public let voided: [UInt64]
    /// The limits in the journal.
    public let limits: EngineLimits
    /// The format of the log that the records read at this start use.
    public let format: UInt32
    /// The whole records after the engine's; nil unless this process is to follow. They may have to
    /// be cut.
    public let tail: [UInt8]?
    private var engine: Engine?

    /// Maximum bytes of a tail: several times what a primary holds back at once.
    private static let tailBytesMax = 512 << 20

    /// Opens the journal of a place, whose state this process has locked: checks its identity and
    /// that all durable records are there, and cuts an incomplete last write. Throws what stops a
    /// start. `follows`: records that may be unreleased are not applied. `rulesKnown` is the
    /// engine's. `report` gets a line about anything else that an operator should know.
    public init(
        _ place: JournalPlace, snapshots: SnapshotStore, options: JournalOptions,
        follows: Bool = false, rulesKnown: UInt32 = SetRules.current, work: WorkProgress,
        report: (String) -> Void
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
            through: follows ? max(1, recovered.commitPoint) : .max,
            mark: Directory.join(place.state, "recovery.mark"), rulesKnown: rulesKnown,
            report: report, work: work)
        (limits, format) = (restored.limits, recovered.level.format)
        // The state has those whose records precede the scanned part.
        voided = Array(Set(recovered.voided.all).union(restored.voids)).sorted()
        writer = try JournalWriter(
            recovered: recovered, replica: opened.replica.replica, place: place, options: options)
        tail = follows ? try Self.tail(recovered, after: restored.sequence) : nil
        engine = consume restored
    }

    /// The whole records of a recovered journal behind `sequence`.
    package static func tail(
        _ recovered: RecoveredJournal, after sequence: UInt64
    ) throws(JournalError) -> [UInt8] {
        let reader = JournalReader(
            directory: recovered.directory, from: sequence + 1, identity: recovered.identity)
        var bytes: [UInt8] = []
        var isGoing = sequence < recovered.lastSequence
        while isGoing {
            isGoing = try unsafe reader.next(upTo: recovered.lastSequence, bytesMax: 1 << 20) {
                unsafe bytes.append(contentsOf: $0)
            }
            guard bytes.count <= tailBytesMax else {
                throw .refused(
                    sequence: sequence + 1,
                    detail: """
                        more than \(tailBytesMax >> 20) MiB behind it are not known to be released
                        """)
            }
            isGoing = isGoing && reader.nextSequence <= recovered.lastSequence
        }
        return bytes
    }

    /// The engine; once.
    public func takeEngine() -> Engine {
        guard let engine = engine.take() else { preconditionFailure("the engine is taken once") }
        return engine
    }
}
