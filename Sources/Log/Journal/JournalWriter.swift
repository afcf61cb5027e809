// Appends to the journal: write, then sync, then report. One thread appends and syncs; another may
// prepare segments ahead. `Sources/README.md`, "How the journal meets the disk", lists alternatives
// that were tried.

internal import Platform
internal import Synchronization
public import Terms
internal import Wire

/// How a journal is written.
public struct JournalOptions: Hashable, Sendable {
    /// Bytes of a segment file, a multiple of 4096 from 64 KiB to 4 GiB.
    public var segmentBytes: Int
    /// Free bytes of the disk below which `isBelowReserve` is true.
    public var reserveBytes: Int
    /// Whether segments are filled with zeros ahead of use. A sync then writes no file system
    /// metadata, which about halves its time; each byte is written twice.
    public var zeroesAhead: Bool

    /// These options.
    public init(
        segmentBytes: Int = 64 << 20, reserveBytes: Int = 256 << 20, zeroesAhead: Bool = true
    ) {
        precondition(
            segmentBytes >= 64 << 10 && segmentBytes % 4096 == 0 && segmentBytes <= 4 << 30,
            "whole pages, from 64 KiB to 4 GiB")
        self.segmentBytes = segmentBytes
        (self.reserveBytes, self.zeroesAhead) = (reserveBytes, zeroesAhead)
    }
}

/// The one writer of a journal.
///
/// `append`, `sync`, `settle` and `cut` belong to one thread, `prepareNext` to one other; the rest
/// is for any. A disk fault is final: all later calls throw `stopped`, and only recovery by a new
/// process can establish the disk's content.
public final class JournalWriter: @unchecked Sendable {
    // Fields without an atomic or a lock belong to the appending thread.
    private let directory: String
    private let options: JournalOptions
    private let supply: SegmentSupply
    private let place: JournalPlace?
    private var floor: DurableFloor?
    private var floorTime: Int64 = 0
    private var segment: File?
    private var offset = 0
    private var capacity = 0
    /// The end of the segment's part known to be on the disk, zeros included.
    private var zeroed = 0
    private var expected: Expectation
    private var hasUnsynced = false
    private var markedCommit: UInt64
    private let hasStopped = Atomic<Bool>(false)
    private let appended: Atomic<UInt64>
    private let durable: Atomic<UInt64>
    private let committed: Atomic<UInt64>

    /// Which journal.
    public let identity: JournalIdentity
    /// Which replica of it.
    public let replica: ReplicaID

    /// Maximum bytes of a write behind which zeros are written: where more comes at once, the disk
    /// has enough to do.
    private static let smallBytes = 64 << 10
    /// Number of zeros written at once.
    private static let zeroBytes = 4 << 20
    /// How often the floor is made durable.
    private static let floorNanos: Int64 = 1_000_000_000

    /// Continues where `recovered` ends. This process must hold the directory's lock.
    ///
    /// `identity` and `replica` are for an empty journal; of one that exists they are what
    /// `recovered` says. `place`: where its guards are, which then keep the last durable record and
    /// a fault of the disk. `start`: the record and its time behind which an empty journal begins,
    /// for a snapshot stands for all up to there.
    public init(
        recovered: RecoveredJournal, identity: JournalIdentity? = nil,
        replica: ReplicaID? = nil, behind start: (point: LogPoint, timestamp: Int64)? = nil,
        place: JournalPlace? = nil, options: JournalOptions
    ) throws(JournalError) {
        precondition(recovered.isRepaired, "a journal is recovered before it is gone on with")
        precondition(start == nil || recovered.end == nil, "only an empty journal has a start")
        let last = start?.point ?? recovered.last
        directory = recovered.directory
        (self.options, self.place) = (options, place)
        self.identity = recovered.identity ?? identity ?? .random()
        self.replica = replica ?? recovered.replica
        expected = Expectation(
            prior: last, timestamp: start?.timestamp ?? recovered.lastTimestamp)
        markedCommit = recovered.commitPoint
        appended = Atomic(last.sequence)
        durable = Atomic(last.sequence)
        committed = Atomic(max(recovered.commitPoint, start?.point.sequence ?? 0))
        supply = try SegmentSupply(directory: recovered.directory, options: options)
        try latching { () throws(JournalError) in
            if let place {
                floor = try DurableFloor(
                    place.floorFile, identity: self.identity, sequence: last.sequence)
            }
            try seat(recovered)
        }
    }

    private func seat(_ recovered: RecoveredJournal) throws(JournalError) {
        segment = nil
        guard let end = recovered.end else { return }
        let (file, size) = try onDisk { () throws(SystemError) in
            let file = try File(end.segment.path, .write)
            return (file, try file.size())
        }
        segment = file
        offset = end.offset
        capacity = size
        zeroed = options.zeroesAhead ? offset : capacity
        if !recovered.endIsMarked, !recovered.isEmpty { try mark() }
    }

    /// The last appended record.
    public var lastSequence: UInt64 { appended.load(ordering: .acquiring) }
    /// The last durable record.
    public var durableSequence: UInt64 { durable.load(ordering: .acquiring) }
    /// The last appended record, as all replicas name it. For the appending thread.
    public var last: LogPoint { expected.prior }
    /// That record's time. For the appending thread.
    public var lastTimestamp: Int64 { expected.timestamp }
    /// The last record known to be released.
    public var commitPoint: UInt64 { committed.load(ordering: .acquiring) }

    /// Notes that all up to `sequence` is released; for any thread. Later marks contain it. It
    /// never goes back.
    public func noteCommit(_ sequence: UInt64) {
        committed.max(sequence, ordering: .acquiringAndReleasing)
    }

    /// Writes whole records with CRC, which follow without a gap. They are not durable before
    /// `sync`. Begins a new segment if they don't fit, which syncs the old one.
    ///
    /// Throws `refused`, with nothing written, for records that can't follow. `isForeign`: they
    /// come from another host, so their CRCs are checked as well.
    public func append(
        _ records: UnsafeRawBufferPointer, isForeign: Bool = false
    ) throws(JournalError) {
        guard !isStopped else { throw .stopped }
        let end = try unsafe check(records, isForeign)
        try latching { () throws(JournalError) in
            var remainder = unsafe records
            while remainder.count > 0 {
                let (count, last) = unsafe fitting(remainder)
                if count == 0 {
                    try roll()
                    continue
                }
                let piece = unsafe UnsafeRawBufferPointer(rebasing: remainder[0..<count])
                try unsafe writePiece(piece)
                hasUnsynced = true
                expected = last
                appended.store(last.last, ordering: .releasing)
                unsafe remainder = UnsafeRawBufferPointer(rebasing: remainder[count...])
            }
        }
        assert(expected == end, "all of it was written")
    }

    /// Makes all appended records durable, and marks them so. One fdatasync(2).
    public func sync() throws(JournalError) {
        guard !isStopped else { throw .stopped }
        guard hasUnsynced, let segment else { return }
        try latching { () throws(JournalError) in
            try onDisk { () throws(SystemError) in try segment.syncData() }
            hasUnsynced = false
            floor?.advance(to: lastSequence)
            durable.store(lastSequence, ordering: .releasing)
            try mark()
        }
    }

    /// Writes a durable mark if the commit point moved since the last one. To be called when idle,
    /// within 100 ms after the last record: a quiet journal ends with a mark that all of it was
    /// released. True if it wrote one.
    @discardableResult public func settle() throws(JournalError) -> Bool {
        guard !isStopped else { throw .stopped }
        guard !hasUnsynced, let segment, commitPoint > markedCommit,
            capacity - offset >= SyncMark.bytes
        else { return false }
        try latching { () throws(JournalError) in
            try mark()
            try onDisk { () throws(SystemError) in try segment.syncData() }
        }
        return true
    }

    /// Whether a fault has ended this writer.
    public var isStopped: Bool { hasStopped.load(ordering: .acquiring) }

    /// Prepares segments if some are lacking; true when one was made. May take long: for a thread
    /// of its own, about every 100 ms. A full disk is no error here: it shows in `isBelowReserve`,
    /// and stops `append` only when the last segment is used up.
    public func prepareNext() throws(JournalError) -> Bool {
        let now = Clock.monotonicNanos()
        if let floor, now - floorTime >= Self.floorNanos {
            floorTime = now
            // As with any sync, no retry: it would succeed and prove nothing.
            try latching { () throws(JournalError) in
                try onDisk { () throws(SystemError) in try floor.sync() }
            }
        }
        return try supply.fill()
    }

    /// Whether free space was below the reserve, or no segment could be prepared, at the last
    /// check. One atomic load.
    public var isBelowReserve: Bool { supply.isBelowReserve.load(ordering: .relaxed) }

    /// Returns the disk's free bytes, and updates `isBelowReserve`. One statvfs(3).
    public func checkSpace() throws(JournalError) -> Int { try supply.checkSpace() }

    /// Cuts all records after `last`, as a lawful primary's log requires: they are kept in `cut/`,
    /// and the next process finishes an interrupted cut. Needs the place, whose replica file notes
    /// the intent. Snapshots of later records are set aside. Throws `cutBelowCommit`, with nothing
    /// changed, for released records, unless `isForced`.
    public func cut(
        after last: UInt64, snapshots: SnapshotStore? = nil, reason: String, isForced: Bool = false
    ) throws(JournalError) {
        guard !isStopped else { throw .stopped }
        guard let place else { preconditionFailure("a cut is noted in the replica file") }
        try sync()
        guard last < lastSequence else { return }
        guard isForced || last >= commitPoint else {
            throw .cutBelowCommit(after: last, commitPoint: commitPoint)
        }
        try latching { () throws(JournalError) in
            segment = nil
            try Journal.cut(place, after: last, snapshots: snapshots, reason: reason)
            let recovered = try Journal.recover(directory: directory, scanFrom: max(last, 1))
            expected = Expectation(prior: recovered.last, timestamp: recovered.lastTimestamp)
            markedCommit = min(markedCommit, last)
            committed.store(min(commitPoint, last), ordering: .releasing)
            appended.store(recovered.lastSequence, ordering: .releasing)
            durable.store(recovered.lastSequence, ordering: .releasing)
            floor = try DurableFloor(
                place.floorFile, identity: identity, sequence: recovered.lastSequence)
            try seat(recovered)
        }
    }

    /// Runs a write: a fault ends this writer, and a disk fault is latched.
    private func latching(_ body: () throws(JournalError) -> Void) throws(JournalError) {
        do throws(JournalError) { try body() } catch {
            hasStopped.store(true, ordering: .releasing)
            if let place, case .system(let reason) = error, reason.isDiskFault {
                place.latch("\(reason); the last durable record is \(durableSequence)")
            }
            throw error
        }
    }

    private func writePiece(_ piece: UnsafeRawBufferPointer) throws(JournalError) {
        guard let segment else { preconditionFailure("a segment is open") }
        do throws(SystemError) { try unsafe segment.write(piece, at: offset) } catch {
            throw .system(error)
        }
        offset += piece.count
        if offset > zeroed, piece.count <= Self.smallBytes { try zeroAhead() }
    }

    /// Fills the next part of the segment with zeros, if that was not done ahead of use: after a
    /// start, and when segments are used up faster than prepared. The next sync writes the file
    /// system's metadata for all of it at once; else each would, and take several times as long.
    private func zeroAhead() throws(JournalError) {
        guard let segment else { preconditionFailure("a segment is open") }
        // A write makes the rest of its page known.
        let start = min(capacity, (offset + 4095) / 4096 * 4096)
        zeroed = min(capacity, start + Self.zeroBytes)
        let zeros = [UInt8](repeating: 0, count: zeroed - start)
        try onDisk { () throws(SystemError) in try segment.write(zeros, at: start) }
    }

    /// Checks that these are whole records that can follow; returns what follows them.
    private func check(
        _ records: UnsafeRawBufferPointer, _ isForeign: Bool
    ) throws(JournalError) -> Expectation {
        var next = expected
        var offset = 0
        while offset < records.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: records[offset...])
            guard let header = unsafe RecordHeader(remainder),
                Int(header.length) <= remainder.count,
                header.length >= RecordHeader.size, header.length <= Limits.recordBytesMax,
                header.length & 7 == 0
            else { throw .refused(sequence: next.sequence, detail: "it is not whole") }
            let length = Int(header.length)
            guard length + SyncMark.bytes <= options.segmentBytes - SegmentHeader.blockBytes else {
                throw .refused(sequence: next.sequence, detail: "it is longer than a segment")
            }
            if let flaw = next.flaw(header) {
                throw .refused(sequence: next.sequence, detail: flaw.words)
            }
            if isForeign,
                unsafe CRC32C.record(UnsafeRawBufferPointer(rebasing: remainder[..<length]))
                    != header.crc
            {
                throw .refused(sequence: next.sequence, detail: Flaw.checksum.words)
            }
            next.pass(header)
            offset += length
        }
        return next
    }

    /// The bytes of checked whole records that fit into the segment, and what follows them.
    private func fitting(_ records: UnsafeRawBufferPointer) -> (count: Int, next: Expectation) {
        var next = expected
        var count = 0
        // A mark must fit after them.
        let room = segment == nil ? 0 : capacity - offset - SyncMark.bytes
        while count < records.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: records[count...])
            guard let header = unsafe RecordHeader(remainder) else {
                preconditionFailure("the records were checked")
            }
            if count + Int(header.length) > room { break }
            next.pass(header)
            count += Int(header.length)
        }
        return (count, next)
    }

    /// Ends the segment and begins the next. The old one is durable before the new one gets its
    /// name, so that only the newest can have a torn tail; the new header is durable too, so that
    /// every named segment has one.
    private func roll() throws(JournalError) {
        if hasUnsynced { try sync() }
        let next = try supply.take()
        let (file, isZeroed) = (next.file, next.isZeroed || !options.zeroesAhead)
        segment = try onDisk { () throws(SystemError) in
            let size = try file.size()
            let header = SegmentHeader(
                identity: identity, prior: expected.prior, priorTimestamp: expected.timestamp,
                fileBytes: size, replica: replica)
            let name = SegmentName(directory, header.firstSequence)
            try file.write(header.block())
            try file.sync()
            try Directory.rename(file.path, to: name.path)
            capacity = size
            return try File(name.path, .write)
        }
        offset = SegmentHeader.blockBytes
        zeroed = isZeroed ? capacity : offset
    }

    /// Writes a sync mark after the last record. Not synced by itself: without it recovery only
    /// knows less.
    private func mark() throws(JournalError) {
        guard let segment, capacity - offset >= SyncMark.bytes else { return }
        let mark = SyncMark(next: lastSequence + 1, commit: min(commitPoint, lastSequence))
        let at = offset
        let result = unsafe withUnsafeTemporaryAllocation(byteCount: SyncMark.bytes, alignment: 8) {
            raw -> Result<Void, SystemError> in
            unsafe mark.write(to: raw)
            do throws(SystemError) {
                try unsafe segment.write(UnsafeRawBufferPointer(raw), at: at)
                return .success(())
            } catch { return .failure(error) }
        }
        if case .failure(let error) = result { throw .system(error) }
        offset += SyncMark.bytes
        markedCommit = mark.commit
    }
}
