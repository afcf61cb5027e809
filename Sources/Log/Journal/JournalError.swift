// What can be wrong with a journal, and what to do about it.

public import Platform

/// A fault of the journal or of a snapshot. Its description is one line that an operator can act
/// on.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operating system's refusal.
    case system(SystemError)
    /// A record that was durable is not as it was written. Nothing after `lastGood` may be used.
    case damaged(file: String, offset: Int, lastGood: UInt64, detail: String)
    /// Records `first ... last` are in no segment.
    case missing(directory: String, first: UInt64, last: UInt64)
    /// A file of another journal.
    case foreign(file: String, found: JournalIdentity, expected: JournalIdentity)
    /// A file of a format that a later version writes.
    case newer(file: String, version: UInt32, known: UInt32)
    /// A snapshot that can't be used.
    case snapshot(file: String, detail: String)
    /// A snapshot is of a later sequence than the journal's last record.
    case snapshotAhead(file: String, sequence: UInt64, lastGood: UInt64)
    /// The journal begins after sequence 1, and no snapshot stands before its beginning.
    case noSnapshot(directory: String, first: UInt64)
    /// Re-execution gave another hash than the log's mark at `sequence`.
    case diverged(sequence: UInt64)
    /// Recovery died twice while it applied the record of this sequence.
    case diesAt(sequence: UInt64, mark: String)
    /// The first record is not one that this version can start from.
    case genesis(file: String, detail: String)
    /// The writer met a fault before, which is final: what the disk holds is unknown.
    case stopped

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .system(let error): return error.description
        case .damaged(let file, let offset, let lastGood, let detail):
            return "\(file) is damaged at byte \(offset) (\(detail)); the last good record is "
                + "\(lastGood). Nothing was changed. Put this file back from a backup or a "
                + "standby; `boursectl journal verify` shows what else is affected"
        case .missing(let directory, let first, let last):
            return
                "\(directory) lacks the records \(first) to \(last): a segment is missing; put it "
                + "back from a backup or a standby"
        case .foreign(let file, let found, let expected):
            return "\(file) belongs to journal \(found), not to \(expected): it was copied from "
                + "another exchange; move it out of the way"
        case .newer(let file, let version, let known):
            return "\(file) has format \(version), this version reads up to \(known): install the "
                + "version that wrote it, or a later one"
        case .snapshot(let file, let detail): return "snapshot \(file) can't be used: \(detail)"
        case .snapshotAhead(let file, let sequence, let lastGood):
            return
                "the journal ends at \(lastGood), but \(file) is of sequence \(sequence): records "
                + "that were durable are gone. Put the newest segments back from a backup or a "
                + "standby; to go on without them, move that snapshot away"
        case .noSnapshot(let directory, let first):
            return
                "\(directory) begins at record \(first) and there is no valid snapshot before it: "
                + "put back the earlier segments or a snapshot of sequence \(first - 1) or later"
        case .diverged(let sequence):
            return
                "re-execution differs from the log's hash mark at record \(sequence): this version "
                + "does not compute what the one that wrote the log did; go back to that version, "
                + "and rehearse upgrades with `boursectl journal rehearse`"
        case .diesAt(let sequence, let mark):
            return
                "recovery died twice at record \(sequence). Void it with `boursectl journal void "
                + "\(sequence)`, or install a version that can apply it and remove \(mark), then "
                + "start again"
        case .genesis(let file, let detail): return "the first record of \(file): \(detail)"
        case .stopped:
            return "the journal stopped after an earlier fault; end this process and start it again"
        }
    }
}

/// Runs file operations and gives their errors as the journal's.
func onDisk<R>(_ body: () throws(SystemError) -> R) throws(JournalError) -> R {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
