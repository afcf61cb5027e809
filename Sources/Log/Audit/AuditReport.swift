// What an auditor is made with, and what it reports.

/// Where an auditor reads and writes, and when.
public struct AuditOptions: Sendable {
    /// The state directory.
    public var state: String
    /// The journal's segments.
    public var journal: String
    /// The snapshots.
    public var snapshots: String
    /// The file of the last record that it has executed.
    public var audited: String
    /// Commands between two snapshots.
    public var snapshotEvery: UInt64 = 1_000_000
    /// Nanoseconds after which a snapshot is written if anything changed.
    public var snapshotNanos: Int64 = 3_600_000_000_000
    /// Snapshots that are kept, the newest.
    public var snapshotsKeep = 4
    /// Free bytes that a snapshot leaves on the disk.
    public var keepFree = 0

    /// Options for these places.
    public init(state: String, journal: String, snapshots: String, audited: String) {
        (self.state, self.journal) = (state, journal)
        (self.snapshots, self.audited) = (snapshots, audited)
    }
}

/// What the auditor finds wrong. It ends with it: nothing that it would write afterwards could be
/// trusted.
public struct AuditError: Error, Hashable, CustomStringConvertible {
    /// What is wrong, and what to do.
    public let description: String
}

/// What an operator may want to know of an auditor's work.
public enum AuditReport: Hashable, Sendable, CustomStringConvertible {
    /// A snapshot that cannot be used: why.
    case passedOver(String)
    /// No snapshot of this record, the last that it has executed, is left.
    case lostOwn(UInt64)
    /// How far a long piece of work is.
    case progress(String)
    /// A snapshot of this record was written, of so many bytes.
    case snapshot(UInt64, bytes: Int)
    /// A snapshot of this record could not be written, and is tried again: why.
    case delayed(UInt64, String)

    /// Whether something is not as it should be.
    public var isWarning: Bool {
        switch self {
        case .passedOver, .lostOwn, .delayed: true
        case .progress, .snapshot: false
        }
    }

    /// In words.
    public var description: String {
        switch self {
        case .passedOver(let text), .progress(let text): text
        case .lostOwn(let sequence):
            "no snapshot of record \(sequence) is left, which was the last of its own"
        case .snapshot(let sequence, let bytes):
            "snapshot of record \(sequence), \(bytes >> 10) KiB"
        case .delayed(let sequence, let reason):
            "no snapshot of record \(sequence), to be tried again: \(reason)"
        }
    }
}
