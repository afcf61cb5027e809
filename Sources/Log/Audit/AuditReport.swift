// The options of an auditor, and its reports.

/// The places and intervals of an auditor.
public struct AuditOptions: Sendable {
    /// The state directory.
    public var state: String
    /// The journal's segments.
    public var journal: String
    /// The snapshots.
    public var snapshots: String
    /// The file with the last record that it has executed.
    public var audited: String
    /// Commands between two snapshots.
    public var snapshotEvery: UInt64 = 1_000_000
    /// Nanoseconds after which a snapshot is written if anything changed.
    public var snapshotNanos: Int64 = 3_600_000_000_000
    /// Number of snapshots to keep, the newest.
    public var snapshotsKeep = 4
    /// Free bytes that a snapshot leaves on the disk.
    public var keepFree = 0

    /// Options for these places.
    public init(state: String, journal: String, snapshots: String, audited: String) {
        (self.state, self.journal) = (state, journal)
        (self.snapshots, self.audited) = (snapshots, audited)
    }
}

/// A fault that the auditor finds. It ends the auditor, whose later results could not be trusted.
public struct AuditError: Error, Hashable, CustomStringConvertible {
    /// The fault, and what to do.
    public let description: String
}

/// A report of an auditor's work.
public enum AuditReport: Hashable, Sendable, CustomStringConvertible {
    /// A snapshot cannot be used: the reason.
    case passedOver(String)
    /// No snapshot of the last executed record is left.
    case lostOwn(UInt64)
    /// The progress of long work.
    case progress(String)
    /// A snapshot of this record was written, with its size in bytes.
    case snapshot(UInt64, bytes: Int)
    /// A snapshot of this record could not be written and is retried: the reason.
    case delayed(UInt64, String)

    /// Whether it reports a problem.
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
