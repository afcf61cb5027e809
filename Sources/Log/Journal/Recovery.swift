// Start-up: the content of the journal on disk, and its incomplete end.

public import Terms
public import Wire

/// Operations on journal directories.
public enum Journal {
    /// The format level that this version writes in segments and snapshots. Later ones are not
    /// read.
    public static var formatLevel: UInt32 { 1 }
}

/// The incomplete end of a journal, never acknowledged.
public struct TornTail: Hashable, Sendable, CustomStringConvertible {
    /// The segment.
    public let file: String
    /// The first incomplete record.
    public let sequence: UInt64
    /// Where it began.
    public let offset: Int
    /// Bytes from there to the last one written.
    public let bytes: Int

    /// One line about it.
    public var description: String {
        "\(file): \(bytes) bytes from byte \(offset) on were not a whole record \(sequence): never "
            + "acknowledged, cut off; they are kept in the directory cut beside it"
    }
}

/// A journal that may be continued.
public struct RecoveredJournal: Sendable {
    /// The directory with the segments.
    public let directory: String
    /// The journal; nil when there is no segment yet.
    public internal(set) var identity: JournalIdentity?
    /// The log's first record, if read, with the engine's limits.
    public internal(set) var genesis: Genesis?
    /// The first record that is on disk; 1 unless old segments were archived. 0 when there is none.
    public internal(set) var firstSequence: UInt64 = 0
    /// The last good record, or the one before the first segment; sequence 0 if there is none.
    public internal(set) var last = LogPoint.start
    /// Its time.
    public internal(set) var lastTimestamp: Int64 = 0
    /// The last released record by the marks.
    public internal(set) var commitPoint: UInt64 = 0
    /// The replica that wrote the newest segment.
    public internal(set) var replica = ReplicaID.none
    /// Number of segments.
    public internal(set) var segmentCount = 0
    /// The first checked record; of earlier segments only the header was checked.
    public internal(set) var scannedFrom: UInt64 = 1
    /// Bytes of the scanned segments.
    public internal(set) var bytesScanned = 0
    /// The incomplete end, if any.
    public internal(set) var cut: TornTail?
    /// Sequences that a `VoidSequence` among the records scanned voids.
    public internal(set) var voided = VoidedSequences()
    /// What the records scanned use, as their EPOCH and rules records say.
    public internal(set) var level = LogLevel.oldest
    /// Whether it was recovered, so that all of it is durable, or only inspected.
    var isRepaired = false
    /// Whether a sync mark is the last item.
    var endIsMarked = false
    /// Where the next item goes; nil when there is no segment.
    var end: (segment: SegmentName, offset: Int)?

    /// The last good record; 0 when there is none.
    public var lastSequence: UInt64 { last.sequence }
    /// Its epoch.
    public var lastEpoch: UInt32 { last.epoch }
    /// Whether there is no record.
    public var isEmpty: Bool { lastSequence < max(firstSequence, 1) }
}

extension RecoveredJournal {
    /// The record of a sequence, as all replicas name it; nil if the journal does not reach back
    /// that far. Reads the segment up to it.
    func point(_ sequence: UInt64) throws(JournalError) -> LogPoint? {
        if sequence == last.sequence { return last }
        let segments = try SegmentName.list(directory)
        // If it is the last of its segment, the next segment's header names it.
        if let following = segments.first(where: { $0.firstSequence == sequence + 1 }) {
            return try following.open(identity: identity).header.prior
        }
        guard let segment = segments.last(where: { $0.firstSequence <= sequence }) else {
            return nil
        }
        let cursor = try segment.open(identity: identity)
        try cursor.pass(to: sequence)
        return cursor.expected.last == sequence ? cursor.expected.prior : nil
    }
}

/// Sequences whose records replicas skip, because a later `VoidSequence` names them.
public struct VoidedSequences: Sendable, Hashable {
    private var sequences: Set<UInt64> = []

    /// None.
    public init() {}

    /// Whether there is none.
    public var isEmpty: Bool { sequences.isEmpty }
    /// All of them, in order.
    public var all: [UInt64] { sequences.sorted() }
    /// Whether this one is voided. O(1).
    public func contains(_ sequence: UInt64) -> Bool { sequences.contains(sequence) }
    /// Adds one.
    public mutating func insert(_ sequence: UInt64) { sequences.insert(sequence) }

    /// Adds what this record voids, if it is a `VoidSequence`. A record can't void a later one.
    public mutating func note(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        guard header.kind == CommandKind.voidSequence.rawValue else { return }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
        if case .voidSequence(let void) = unsafe Command(kind: .voidSequence, payload: payload),
            void.sequence < header.sequence
        {
            sequences.insert(void.sequence)
        }
    }
}
