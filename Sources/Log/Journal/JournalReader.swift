// Reads records in order, of a journal at rest or of one that another process writes.

internal import Platform

/// Sequential reading from any sequence on. One owner at a time; not for use by several threads at
/// once.
///
/// Records are checked (CRC, sequence, time, epoch) before they are given. Of a journal that is
/// being written it gives records as soon as they are whole, which may be before they are durable:
/// they could still be gone after a power cut, or be cut where they were never released:
/// `commitPoint` says how far they were.
public final class JournalReader {
    /// How long a live reader waits for an unfinished record to become whole before it is damage.
    static let patienceNanos: Int64 = 10_000_000_000
    /// How often a live reader that has nothing to read looks at the directory: whether the segment
    /// is still there, and no later one without it.
    static let judgeNanos: Int64 = 1_000_000_000

    /// The directory with the segments.
    public let directory: String
    /// The sequence of the next record.
    public private(set) var nextSequence: UInt64
    /// The highest commit point of the marks that were passed: what is known to be released.
    public var commitPoint: UInt64 { max(committed, cursor?.commitPoint ?? 0) }
    /// The last record given, as all replicas name it; nil before the first.
    public private(set) var last: LogPoint?
    /// Which journal it is; nil before the first segment was found.
    public private(set) var identity: JournalIdentity?

    private let isLive: Bool
    private let prior: LogPoint?
    private var cursor: SegmentCursor?
    private var badSince: Int64?
    private var judged: Int64 = 0
    private var committed: UInt64 = 0

    /// A reader that begins at `sequence`. It opens nothing yet.
    ///
    /// `identity`: where given, files of another journal are an error. `behind`: where given, the
    /// record before the first one must be this one, or it is `forked`. `isLive`: another process
    /// may be writing: what is not whole yet is waited for, and an empty directory too.
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
    /// and up to `bytesMax` bytes and the rest of the record that passes it. The bytes are valid
    /// during the call. False when there is none (yet). Where `upTo` is given, all up to there was
    /// released: something unfinished there is damage at once.
    ///
    /// Throws `damaged` or `missing` for what no writer leaves behind. After an error it is of no
    /// use.
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
                    // Look again at what the disk holds now before deciding anything.
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

    /// Takes the mark that follows a run, if it is there, so that `commitPoint` is known at once.
    private func passMark(_ cursor: SegmentCursor) throws(JournalError) {
        _ = try step(cursor, 0, 0)
    }

    /// The segment that the next record stands in, at the record; nil where a live reader must
    /// wait.
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
            // Only a journal that is not yet begun may be empty.
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
                // Who asks for a record has had those before it.
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

    /// Decides what it means that no record follows: the end, something unfinished, or a fault.
    private func judge(_ cursor: SegmentCursor, _ upTo: UInt64) throws(JournalError) {
        let step = try step(cursor, upTo, .max)
        if isLive, case .end = step {
            badSince = nil
            // Idle for a while: reading a directory costs more than all the rest.
            let now = Clock.monotonicNanos()
            guard now - judged >= Self.judgeNanos else { return }
            judged = now
        }
        let segments = try SegmentName.list(directory)
        let later = segments.first { $0.firstSequence > nextSequence }
        switch step {
        case .run, .mark, .held:
            // It came between the two looks, and this look has passed it: find the place anew.
            reopen()
        case .end:
            badSince = nil
            try checkFile(cursor, segments)
            guard let later else { return }
            // Written and rolled over between the two looks? Then the next call finds it.
            if isLive, try appeared() { return reopen() }
            throw .missing(directory: directory, first: nextSequence, last: later.firstSequence - 1)
        case .bad(let flaw):
            let now = Clock.monotonicNanos()
            let since = badSince ?? now
            badSince = since
            // Up to a sequence that the caller knows to be released all was whole before it was.
            if isLive, !flaw.isWhole, upTo == .max {
                if now - since < Self.patienceNanos { return }
                // What a writer that died left unfinished stays until the next one cuts it off.
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

    /// A segment keeps its name and its length as long as it is written.
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
