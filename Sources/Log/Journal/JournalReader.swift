// Reads records in order, of a journal at rest or one being written by another process.

internal import Platform

/// Sequential reading from any sequence on. One owner at a time; not for several threads at once.
///
/// Records are checked (CRC, sequence, time, epoch) before they are returned. Of a journal being
/// written it returns records as soon as they are whole, maybe before they are durable: a power cut
/// could still lose them, and unreleased ones could be cut; `commitPoint` is the last released one.
public final class JournalReader {
    /// How long a live reader waits for an incomplete record before it counts as damage.
    static let patienceNanos: Int64 = 10_000_000_000
    /// How often an idle live reader checks the directory: that its segment still exists, and no
    /// later one without it.
    static let judgeNanos: Int64 = 1_000_000_000

    /// The directory with the segments.
    public let directory: String
    /// The sequence of the next record.
    public private(set) var nextSequence: UInt64
    /// The highest commit point of the marks read: the last record known to be released.
    public var commitPoint: UInt64 { max(committed, cursor?.commitPoint ?? 0) }
    /// The last record returned, as all replicas name it; nil before the first.
    public private(set) var last: LogPoint?
    /// The journal; nil before the first segment was found.
    public private(set) var identity: JournalIdentity?

    private let isLive: Bool
    private let prior: LogPoint?
    private var cursor: SegmentCursor?
    private var badSince: Int64?
    private var judged: Int64 = 0
    private var committed: UInt64 = 0

    /// A reader that begins at `sequence`. It opens nothing yet.
    ///
    /// With `identity`, files of another journal are an error. With `behind`, the record before the
    /// first must be this one, else `forked`. `isLive`: another process may be writing; the reader
    /// waits for incomplete records, and for a first segment.
    public init(
        directory: String, from sequence: UInt64, identity: JournalIdentity? = nil,
        behind prior: LogPoint? = nil, isLive: Bool = false
    ) {
        precondition(sequence > 0, "records are numbered from 1")
        (self.directory, self.identity) = (directory, identity)
        (self.isLive, self.prior) = (isLive, prior)
        nextSequence = sequence
    }

    /// Calls `body` with the next run of whole records, back to back: up to the sequence `upTo`,
    /// and up to about `bytesMax` bytes, the last record complete. The bytes are valid during the
    /// call. False when there is none (yet). With `upTo`, all up to there was released: an
    /// incomplete record is damage at once.
    ///
    /// Throws `damaged` or `missing` for states that no writer leaves. Unusable after an error.
    public func next(
        upTo: UInt64 = .max, bytesMax: Int = .max, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(JournalError) -> Bool {
        guard nextSequence <= upTo else { return false }
        guard let found = try position() else { return false }
        var current = found
        var isFresh = false
        while true {
            switch try step(current, upTo, bytesMax) {
            case .run(let bytes):
                badSince = nil
                nextSequence = current.expected.sequence
                last = current.expected.prior
                unsafe body(bytes)
                try passMark(current)
                return true
            case .mark:
                isFresh = false
            case .held:
                return false
            case .end, .bad:
                if let following = try open(nextSequence) {
                    guard following.header.prior == current.expected.prior else {
                        throw .damaged(
                            file: following.file.path, offset: 40, lastGood: nextSequence - 1,
                            detail: "its header names another record before it")
                    }
                    current = following
                    setCursor(following)
                    isFresh = false
                } else if !isFresh {
                    // Reread the disk before any decision.
                    current.refresh()
                    isFresh = true
                } else {
                    try judge(current, upTo)
                    return false
                }
            }
        }
    }

    private func setCursor(_ next: SegmentCursor?) {
        committed = commitPoint
        cursor = next
    }

    private func step(
        _ cursor: SegmentCursor, _ upTo: UInt64, _ bytesMax: Int
    ) throws(JournalError) -> SegmentCursor.Step {
        do throws(SystemError) { return try cursor.step(upTo: upTo, bytesMax: bytesMax) } catch {
            throw .system(error)
        }
    }

    /// Reads the mark after a run, if present, so that `commitPoint` is known at once.
    private func passMark(_ cursor: SegmentCursor) throws(JournalError) {
        _ = try step(cursor, 0, 0)
    }

    /// The segment of the next record, positioned at it; nil if a live reader must wait.
    private func position() throws(JournalError) -> SegmentCursor? {
        if let cursor { return cursor }
        let segments: [SegmentName]
        do throws(JournalError) { segments = try SegmentName.list(directory) } catch {
            if isLive, nextSequence == 1, case .system(let reason) = error, reason.isMissing {
                return nil
            }
            throw error
        }
        guard let name = segments.last(where: { $0.firstSequence <= nextSequence }) else {
            // Only a journal not yet begun may be empty.
            guard segments.first != nil || nextSequence > 1 else { return nil }
            throw .missing(
                directory: directory, first: segments.isEmpty ? 1 : nextSequence,
                last: (segments.first?.firstSequence ?? nextSequence) - 1)
        }
        let found = try name.open(identity: identity)
        while found.expected.sequence < nextSequence {
            switch try step(found, nextSequence - 1, .max) {
            case .run, .mark: continue
            case .held: preconditionFailure("a record before the one looked for is given")
            case .end, .bad:
                // The caller has read the records before this one.
                throw .damaged(
                    file: name.path, offset: found.offset, lastGood: found.expected.last,
                    detail: "record \(found.expected.sequence) was expected there")
            }
        }
        if let prior, prior.sequence + 1 == nextSequence, found.expected.prior != prior {
            throw .forked(file: name.path, sequence: prior.sequence)
        }
        identity = found.header.identity
        setCursor(found)
        return found
    }

    /// The segment that begins with `sequence`, if there is one.
    private func open(_ sequence: UInt64) throws(JournalError) -> SegmentCursor? {
        let name = SegmentName(directory, sequence)
        guard cursor?.header.firstSequence != sequence, Directory.exists(name.path) else {
            return nil
        }
        return try name.open(identity: identity)
    }

    /// Decides why no record follows: the end, an incomplete record, or a fault.
    private func judge(_ cursor: SegmentCursor, _ upTo: UInt64) throws(JournalError) {
        let step = try step(cursor, upTo, .max)
        if isLive, case .end = step {
            badSince = nil
            // Idle for a while: reading a directory is the costliest step.
            let now = Clock.monotonicNanos()
            guard now - judged >= Self.judgeNanos else { return }
            judged = now
        }
        let segments = try SegmentName.list(directory)
        let later = segments.first { $0.firstSequence > nextSequence }
        switch step {
        case .run, .mark, .held:
            // It was written between the two reads: find the place again.
            reopen()
        case .end:
            badSince = nil
            try checkFile(cursor, segments)
            guard let later else { return }
            // Written and rolled over between the two reads? Then the next call finds it.
            if isLive, try appeared() { return reopen() }
            throw .missing(directory: directory, first: nextSequence, last: later.firstSequence - 1)
        case .bad(let flaw):
            let now = Clock.monotonicNanos()
            let since = badSince ?? now
            badSince = since
            // Released records were whole before they were released.
            if isLive, !flaw.isWhole, upTo == .max {
                if now - since < Self.patienceNanos { return }
                // A dead writer's incomplete record stays until the next writer cuts it off.
                let tail = try cursor.search()
                cursor.refresh()
                guard case .bad = try self.step(cursor, upTo, .max) else { return reopen() }
                if later == nil, tail.damage == nil {
                    badSince = now
                    return
                }
            }
            throw .damaged(
                file: cursor.file.path, offset: cursor.offset, lastGood: nextSequence - 1,
                detail: flaw.words)
        }
    }

    /// Checks that a segment being written keeps its name and length.
    private func checkFile(
        _ cursor: SegmentCursor, _ segments: [SegmentName]
    ) throws(JournalError) {
        guard segments.contains(where: { $0.firstSequence == cursor.header.firstSequence }) else {
            throw .missing(
                directory: directory, first: cursor.header.firstSequence,
                last: max(cursor.expected.last, cursor.header.firstSequence))
        }
        let size = try onDisk { () throws(SystemError) in try cursor.file.size() }
        guard size >= cursor.size else {
            throw .damaged(
                file: cursor.file.path, offset: size, lastGood: nextSequence - 1,
                detail: "it was cut short: it had \(cursor.size) bytes")
        }
    }

    private func appeared() throws(JournalError) -> Bool {
        let again = JournalReader(directory: directory, from: nextSequence, identity: identity)
        return try unsafe again.next(upTo: nextSequence) { _ in }
    }

    private func reopen() {
        setCursor(nil)
        badSince = nil
    }
}
