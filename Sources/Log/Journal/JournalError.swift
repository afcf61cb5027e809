// Faults of a journal, and what to do about them.

public import Platform
public import Terms

/// A fault of the journal or of a snapshot. Its description is one line that an operator can act
/// on.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A failed system call.
    case system(SystemError)
    /// A durable record was altered. Nothing after `lastGood` may be used.
    case damaged(file: String, offset: Int, lastGood: UInt64, detail: String)
    /// Records `first ... last` are in no segment.
    case missing(directory: String, first: UInt64, last: UInt64)
    /// The journal's first records are in no segment.
    case beginningMissing(directory: String, first: UInt64, last: UInt64)
    /// A file of another journal.
    case foreign(file: String, found: JournalIdentity, expected: JournalIdentity)
    /// A file of an unknown format.
    case newer(file: String, version: UInt32, known: UInt32)
    /// The log uses what only a later release knows.
    case newerLevel(directory: String, level: LogLevel, known: LogLevel)
    /// A snapshot that can't be used.
    case snapshot(file: String, detail: String)
    /// A snapshot is of a later sequence than the journal's last record.
    case snapshotAhead(file: String, sequence: UInt64, lastGood: UInt64)
    /// A snapshot's record differs from the journal's at its sequence, in the same term.
    case forked(file: String, sequence: UInt64)
    /// The journal begins after sequence 1, and no snapshot precedes its beginning.
    case noSnapshot(directory: String, first: UInt64)
    /// Re-execution and the log's mark at `sequence` have different hashes.
    case diverged(sequence: UInt64)
    /// Recovery died twice while it applied the record of this sequence.
    case diesAt(sequence: UInt64, mark: String)
    /// This version can't start from the first record.
    case genesis(file: String, detail: String)
    /// The writer had a fault before, which is final: the disk's content is unknown.
    case stopped
    /// A write or a sync failed in an earlier process, and was not cleared since.
    case latched(file: String, detail: String)
    /// No trace of a journal here.
    case notBegun(directory: String)
    /// A journal was begun here, and is missing.
    case lost(directory: String, identity: JournalIdentity?)
    /// The journal ends before a record that was durable.
    case behind(directory: String, floor: UInt64, lastGood: UInt64)
    /// The replica file can't be used, or is missing.
    case replica(file: String, detail: String)
    /// A cut would remove records known to be released.
    case cutBelowCommit(after: UInt64, commitPoint: UInt64)
    /// The host's clock is so far ahead of the log (nanoseconds) that it may be wrong, and stamps
    /// are final.
    case clockAhead(nanos: Int64)
    /// Records that can't follow the last one; none was written.
    case refused(sequence: UInt64, detail: String)

    /// Whether a write or a sync failed, so that the disk's content is unknown: of a stopped
    /// writer, in an earlier call.
    public var isDiskFault: Bool {
        switch self {
        case .system(let error): error.isDiskFault
        case .stopped, .latched: true
        default: false
        }
    }

    /// Whether the disk was full, and nothing else is known to be wrong with it.
    public var isFull: Bool {
        if case .system(let error) = self { error.isFull && !error.isDiskFault } else { false }
    }

    /// Whether only an operator can help: a retry can't, or would hide the fault.
    public var needsOperator: Bool {
        switch self {
        case .system(let error): error.isDiskFault
        case .stopped: false
        default: true
        }
    }

    /// The fault, and what to do.
    public var description: String {
        switch self {
        case .system(let error): return error.description
        case .damaged(let file, let offset, let lastGood, let detail):
            return "\(file) is damaged at byte \(offset) (\(detail)); the last good record is "
                + "\(lastGood). Nothing was changed. Put this file back from a backup or a "
                + "standby; `boursectl journal verify` shows what else is affected. "
                + Self.acceptance(lastGood)
        case .missing(let directory, let first, let last):
            return
                "\(directory) lacks the records \(first) to \(last): a segment is missing; put it "
                + "back from a backup or a standby. " + Self.acceptance(first - 1)
        case .beginningMissing(let directory, let first, let last):
            return
                "\(directory) lacks its first records, \(first) to \(last): put the segments back "
                + "from a backup or a standby. Where a snapshot stands for them, "
                + "`boursectl journal accept-loss --before \(last + 1)` goes on without"
        case .foreign(let file, let found, let expected):
            return "\(file) belongs to journal \(found), not to \(expected): it was copied from "
                + "another exchange; move it out of the way"
        case .newer(let file, let version, let known):
            return "\(file) has format \(version), this version reads format \(known): install "
                + "the version that wrote it, or a later one"
        case .newerLevel(let directory, let level, let known):
            return
                "the log in \(directory) uses \(level), this version knows \(known): install the "
                + "version that wrote it, or a later one; there is no way back to this one"
        case .snapshot(let file, let detail): return "snapshot \(file) can't be used: \(detail)"
        case .snapshotAhead(let file, let sequence, let lastGood):
            return
                "the journal ends at \(lastGood), but \(file) is of sequence \(sequence): records "
                + "that were durable are gone. Put the newest segments back from a backup or a "
                + "standby. " + Self.acceptance(lastGood)
        case .forked(let file, let sequence):
            return
                "\(file) was made of another record \(sequence) than the journal has: the journal "
                + "lost records and went on, or the file is not of this exchange; compare with a "
                + "backup or a standby, and move what is wrong away"
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
        case .latched(let file, let detail):
            return "the journal's disk failed: \(detail). What it holds is unknown until it was "
                + "written again and read back. Look into the kernel log, replace the disk if it "
                + "is to blame, then `boursectl journal clear-fault`, which does that, removes "
                + "\(file) and says what is left"
        case .notBegun(let directory):
            return
                "there is no journal in \(directory), and nothing says that one was begun. For a "
                + "new exchange: `boursectl init`. If there was one: mount its volume or put the "
                + "state directory back"
        case .lost(let directory, let identity):
            let name = identity.map { " \($0)" } ?? ""
            return
                "journal\(name) is not in \(directory), the last good record is 0. Check that its "
                + "volume is mounted, or put it back from a backup or a standby. To give it up for "
                + "ever and begin a new exchange: `boursectl init --new-journal`"
        case .behind(let directory, let floor, let lastGood):
            return
                "\(directory) ends at record \(lastGood), but record \(floor) was durable: an old "
                + "copy, or the newest records are gone. Put them back from a backup or a standby. "
                + Self.acceptance(lastGood)
        case .replica(let file, let detail):
            return "\(file) \(detail): put it back from a backup; or, where `boursectl journal "
                + "verify` shows that all of the journal is there, `boursectl journal "
                + "renew-guards`, which makes it anew from what is there and keeps a damaged one "
                + "aside"
        case .cutBelowCommit(let last, let commitPoint):
            return "records after \(last) were released up to \(commitPoint): they are not cut"
        case .clockAhead(let nanos):
            return "the host's clock is \(nanos / 86_400_000_000_000) days ahead of the log, and "
                + "nothing else is known of the time. If it is wrong, put it right and start "
                + "again. If it is right, as after a long time without a start: `boursectl journal "
                + "accept-clock`"
        case .refused(let sequence, let detail):
            return "record \(sequence) can't follow in the journal: \(detail)"
        }
    }

    /// The same for the journal of `place`, with its last good record if not yet named.
    /// `isInCluster`: another host may have the same journal.
    public func message(for place: JournalPlace, isInCluster: Bool = false) -> String {
        switch self {
        case .notBegun(let directory) where isInCluster, .lost(let directory, _) where isInCluster:
            return
                "there is no journal in \(directory), the last good record is 0. Check that "
                + "its volume is mounted. If it is, and its content is lost, `boursectl rejoin` "
                + "begins this host's copy anew, as a learner, while the other host leads; a host "
                + "that has lost its certificates as well joins with a token: `boursectl cluster "
                + "invite` on the other host. Where no host has the journal, put it back from a "
                + "backup"
        case .damaged, .missing, .snapshotAhead, .lost, .behind:
            return description
                + (isInCluster
                    ? ". Or, while the other host leads: `boursectl rejoin`, which sets this "
                        + "journal aside and takes all of it from there" : "")
        case .latched:
            let floor = (try? Journal.floor(place)) ?? 0
            // The floor is synced once a second: after a power cut it is an earlier one.
            return "\(description). The last known durable record is at least \(floor)"
        default:
            let kept = (try? place.keptIdentity()) ?? nil
            let last = Journal.lastGood(directory: place.directory, identity: kept)
            return "\(description). The last good record is \(last)"
        }
    }

    private static func acceptance(_ last: UInt64) -> String {
        "To go on without what is lost: `boursectl journal accept-loss --after \(last)`"
    }
}

/// Runs file operations, with errors as the journal's.
@discardableResult func onDisk<R>(_ body: () throws(SystemError) -> R) throws(JournalError) -> R {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
