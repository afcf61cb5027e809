// Appends to the journal: write, then sync, then tell. One thread appends and syncs; another may
// prepare segments ahead of need.

internal import Platform
internal import Synchronization
internal import Terms
internal import Wire

/// How a journal is written.
public struct JournalOptions: Hashable, Sendable {
    /// Bytes of a segment file, a multiple of 4096 from 64 KiB to 4 GiB.
    public var segmentBytes: Int
    /// Free bytes of the disk below which `isBelowReserve` is true.
    public var reserveBytes: Int
    /// Whether segments are filled with zeros ahead of use. Then a sync has no file system metadata
    /// to write, which about halves its time; each byte is written twice.
    public var zeroesAhead: Bool

    /// These options.
    public init(
        segmentBytes: Int = 64 << 20, reserveBytes: Int = 256 << 20, zeroesAhead: Bool = true
    ) {
        precondition(
            segmentBytes >= 64 << 10 && segmentBytes % 4096 == 0 && segmentBytes <= 4 << 30,
            "whole pages, from 64 KiB to 4 GiB")
        self.segmentBytes = segmentBytes
        self.reserveBytes = reserveBytes
        self.zeroesAhead = zeroesAhead
    }
}

/// The one writer of a journal.
///
/// `append` and `sync` belong to one thread, `prepareNext` to one other; the rest is for any. A
/// fault of `append` or `sync` is final: all later calls throw `stopped`, and only recovery by a
/// new process tells what is on disk.
public final class JournalWriter: @unchecked Sendable {
    // Everything without an atomic or a lock of its own is touched by the appending thread only.
    private let directory: String
    private let options: JournalOptions
    private let supply: SegmentSupply
    private var segment: File?
    private var offset = 0
    private var capacity = 0
    private var timestamp: Int64
    private var epoch: UInt32
    private var hasUnsynced = false
    private let hasStopped = Atomic<Bool>(false)
    private let appended: Atomic<UInt64>
    private let durable: Atomic<UInt64>

    /// Which journal.
    public let identity: JournalIdentity

    /// Goes on where `recovered` ends. The directory must be locked by this process.
    ///
    /// `identity` is for an empty journal, and must be the one in the genesis record that is
    /// appended first; of one that exists, it is what `recovered` says.
    public init(
        recovered: RecoveredJournal, identity: JournalIdentity? = nil, options: JournalOptions
    ) throws(JournalError) {
        precondition(recovered.isRepaired, "a journal is recovered before it is gone on with")
        directory = recovered.directory
        self.options = options
        self.identity = recovered.identity ?? identity ?? .random()
        timestamp = recovered.lastTimestamp
        epoch = recovered.lastEpoch
        appended = Atomic(recovered.lastSequence)
        durable = Atomic(recovered.lastSequence)
        supply = try SegmentSupply(directory: recovered.directory, options: options)
        guard let end = recovered.end else { return }
        let (file, size) = try onDisk { () throws(SystemError) in
            let file = try File(end.segment.path, .write)
            return (file, try file.size())
        }
        segment = file
        offset = end.offset
        capacity = size
        if !recovered.endIsMarked, !recovered.isEmpty { try mark() }
    }

    /// The last record that was appended.
    public var lastSequence: UInt64 { appended.load(ordering: .acquiring) }
    /// The last record that is durable.
    public var durableSequence: UInt64 { durable.load(ordering: .acquiring) }

    /// Writes whole records, which follow those before without a gap and have their CRC. They are
    /// not durable before `sync`. Begins a new segment where they don't fit, which syncs the old
    /// one.
    public func append(_ records: UnsafeRawBufferPointer) throws(JournalError) {
        guard !isStopped else { throw .stopped }
        do throws(JournalError) {
            var rest = unsafe records
            while rest.count > 0 {
                let (count, last) = unsafe fitting(rest)
                if count == 0 {
                    try roll()
                    continue
                }
                let piece = unsafe UnsafeRawBufferPointer(rebasing: rest[0..<count])
                try unsafe writePiece(piece)
                hasUnsynced = true
                appended.store(last, ordering: .releasing)
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        } catch {
            hasStopped.store(true, ordering: .releasing)
            throw error
        }
    }

    /// Makes all that was appended durable, and marks that it is. One fdatasync(2).
    public func sync() throws(JournalError) {
        guard !isStopped else { throw .stopped }
        guard hasUnsynced, let segment else { return }
        do throws(JournalError) {
            try onDisk { () throws(SystemError) in try segment.syncData() }
            hasUnsynced = false
            durable.store(lastSequence, ordering: .releasing)
            try mark()
        } catch {
            hasStopped.store(true, ordering: .releasing)
            throw error
        }
    }

    /// Whether a fault has ended this writer.
    public var isStopped: Bool { hasStopped.load(ordering: .acquiring) }

    /// Makes segments ahead of need, if some are lacking; true when one was made. May take long:
    /// for a thread of its own, about every 100 ms. A full disk is no error here: it shows in
    /// `isBelowReserve`, and stops `append` only when the last segment is used up.
    public func prepareNext() throws(JournalError) -> Bool { try supply.fill() }

    /// Whether free space was below the reserve, or no segment could be made ahead, at the last
    /// look. One atomic load.
    public var isBelowReserve: Bool { supply.isBelowReserve.load(ordering: .relaxed) }

    /// Looks at the disk's free bytes, which it gives, and renews `isBelowReserve`. One statvfs(3).
    public func checkSpace() throws(JournalError) -> Int { try supply.checkSpace() }

    private func writePiece(_ piece: UnsafeRawBufferPointer) throws(JournalError) {
        guard let segment else { preconditionFailure("a segment is open") }
        do throws(SystemError) { try unsafe segment.write(piece, at: offset) } catch {
            throw .system(error)
        }
        offset += piece.count
    }

    /// How many bytes of whole records fit into the segment, and the last of them.
    private func fitting(_ records: UnsafeRawBufferPointer) -> (count: Int, last: UInt64) {
        var last = appended.load(ordering: .relaxed)
        var count = 0
        // A mark must fit behind them.
        let room = segment == nil ? 0 : capacity - offset - SyncMark.bytes
        while count < records.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: records[count...])
            guard let header = unsafe RecordHeader(rest), Int(header.length) <= rest.count,
                header.length >= RecordHeader.size, header.length & 7 == 0
            else { preconditionFailure("whole records are appended") }
            precondition(header.sequence == last + 1, "records are appended without a gap")
            precondition(
                header.timestamp >= timestamp && header.epoch >= epoch,
                "time and epoch never decrease along the log")
            if count + Int(header.length) > room { break }
            last = header.sequence
            timestamp = header.timestamp
            epoch = header.epoch
            count += Int(header.length)
        }
        return (count, last)
    }

    /// Ends the segment and begins the next. What stands in the old one is durable before the new
    /// one has its name, so that a torn tail can only be in the newest.
    private func roll() throws(JournalError) {
        try sync()
        let header = SegmentHeader(
            identity: identity, firstSequence: lastSequence + 1, priorTimestamp: timestamp,
            priorEpoch: epoch)
        let name = SegmentName(directory, header.firstSequence)
        let next = try supply.take()
        segment = try onDisk { () throws(SystemError) in
            try next.write(header.block())
            try next.sync()
            try Directory.rename(next.path, to: name.path)
            return try File(name.path, .write)
        }
        offset = SegmentHeader.blockBytes
        capacity = options.segmentBytes
    }

    /// Writes a sync mark behind the last record. Not synced by itself: where it is lost, recovery
    /// only knows less.
    private func mark() throws(JournalError) {
        guard let segment, capacity - offset >= SyncMark.bytes else { return }
        let next = lastSequence + 1
        let at = offset
        let result = unsafe withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) {
            raw -> Result<Void, SystemError> in
            unsafe SyncMark.write(next: next, to: raw)
            do throws(SystemError) {
                try unsafe segment.write(UnsafeRawBufferPointer(raw), at: at)
                return .success(())
            } catch { return .failure(error) }
        }
        if case .failure(let error) = result { throw .system(error) }
        offset += SyncMark.bytes
    }
}
