// Walks the items of one segment file.

internal import Platform
internal import Terms
internal import Wire

/// What the next record must be.
struct Expectation: Hashable {
    /// The record before it.
    var prior: LogPoint
    /// That record's time.
    var timestamp: Int64

    init(_ header: SegmentHeader) {
        prior = header.prior
        timestamp = header.priorTimestamp
    }

    init(prior: LogPoint, timestamp: Int64) { (self.prior, self.timestamp) = (prior, timestamp) }

    /// Its sequence.
    var sequence: UInt64 { prior.sequence + 1 }
    /// The last sequence before it.
    var last: UInt64 { prior.sequence }

    /// Why a whole record can't follow; nil if it can. Time never goes back, and a term begins with
    /// its mark, or with the log.
    @inline(__always) func flaw(_ header: RecordHeader) -> Flaw? {
        guard header.sequence == sequence else { return .sequence(header.sequence) }
        guard header.timestamp >= timestamp, header.epoch >= prior.epoch else { return .order }
        guard
            header.epoch == prior.epoch || header.kind == CommandKind.epochMark.rawValue
                || header.sequence == 1
        else { return .epoch }
        return nil
    }

    /// Advances past that record.
    @inline(__always) mutating func pass(_ header: RecordHeader) {
        prior = LogPoint(header)
        timestamp = header.timestamp
    }
}

/// Why bytes are not a valid item.
enum Flaw: Hashable {
    case length
    case checksum
    case sequence(UInt64)
    case order
    case epoch
    case mark

    /// In words for people.
    var words: String {
        switch self {
        case .length: "no record has this length"
        case .checksum: "the checksum is wrong"
        case .sequence(let found): "the record there says it is \(found)"
        case .order: "its time or epoch is before the record before it"
        case .epoch: "its epoch rises without an epoch record"
        case .mark: "a sync mark is wrong"
        }
    }

    /// Whether the bytes are complete, so that a power cut can't have left them.
    var isWhole: Bool {
        switch self {
        case .sequence, .order, .epoch: true
        case .length, .checksum, .mark: false
        }
    }
}

/// One open segment: returns runs of whole, checked records. One owner.
@safe final class SegmentCursor {
    @safe enum Step {
        /// Whole records back to back; valid until the next call.
        case run(UnsafeRawBufferPointer)
        /// A sync mark: everything before it was durable when it was written.
        case mark
        /// Zero bytes, or the file's end.
        case end
        /// The next record is after the requested sequence.
        case held
        /// Not a valid item.
        case bad(Flaw)
    }

    private enum Item {
        case record(RecordHeader)
        case mark(SyncMark)
        case end
        case partial
        case bad(Flaw)
    }

    static let bufferBytes = 1 << 20

    let file: File
    let header: SegmentHeader
    /// The file's length.
    var size: Int { header.fileBytes }
    /// What the next record must be.
    private(set) var expected: Expectation
    /// The highest commit point of the marks read.
    private(set) var commitPoint: UInt64 = 0
    /// Made at the first read: of many segments only the header is needed.
    private var buffer = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// The file offset of the buffer's first byte, and what part of the buffer is not yet walked
    /// over.
    private var base: Int
    private var position = 0
    private var filled = 0
    /// Which records were asked for when the buffer was filled. Later ones may have been cut since,
    /// and others stand in their place.
    private var filledUpTo: UInt64 = 0

    /// The file offset of the next item.
    var offset: Int { base + position }

    init(file: File, header: SegmentHeader) {
        (self.file, self.header) = (file, header)
        expected = Expectation(header)
        base = SegmentHeader.blockBytes
    }

    deinit { unsafe buffer.deallocate() }

    /// Drops the read-ahead, so that the next step sees another process's writes.
    func refresh() {
        base += position
        position = 0
        filled = 0
    }

    /// The next items: records up to the sequence `upTo` and about `bytesMax` bytes, or what else
    /// stands there. Linear in the bytes skipped.
    func step(upTo: UInt64, bytesMax: Int) throws(SystemError) -> Step {
        while true {
            let start = position
            var at = position
            var stop: Item = .end
            walk: while true {
                let remainder = unsafe UnsafeRawBufferPointer(rebasing: buffer[at..<filled])
                let item = unsafe item(remainder)
                guard case .record(let header) = item, header.sequence <= min(upTo, filledUpTo)
                else {
                    stop = item
                    break walk
                }
                at += Int(header.length)
                expected.pass(header)
                if at - start >= bytesMax { break walk }
            }
            if at > start {
                position = at
                return unsafe .run(UnsafeRawBufferPointer(rebasing: buffer[start..<at]))
            }
            switch stop {
            case .record(let header) where header.sequence <= upTo: refresh()
            case .record: return .held
            case .end: return .end
            case .bad(let flaw): return .bad(flaw)
            case .mark(let mark):
                position += SyncMark.bytes
                commitPoint = max(commitPoint, mark.commit)
                return .mark
            case .partial:
                if try !fill(upTo) { return filled == position ? .end : .bad(.length) }
            }
        }
    }

    /// Reads more of the file; false at its end.
    private func fill(_ upTo: UInt64) throws(SystemError) -> Bool {
        filledUpTo = upTo
        if unsafe buffer.isEmpty {
            unsafe buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Self.bufferBytes, alignment: 4096)
        }
        let remainder = filled - position
        if position > 0, remainder > 0 {
            let tail = unsafe UnsafeRawBufferPointer(rebasing: buffer[position..<filled])
            unsafe buffer.copyMemory(from: tail)
        }
        base += position
        position = 0
        filled = remainder
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[remainder...])
        let count = try unsafe file.read(into: room, at: base + remainder)
        filled += count
        return count > 0
    }

    /// The item at the start of `bytes`.
    @inline(__always)
    private func item(_ bytes: UnsafeRawBufferPointer) -> Item {
        guard bytes.count >= 8 else { return .partial }
        let length = unsafe Int(
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
        if length == 0 { return .end }
        if length == Int(SyncMark.tag) {
            guard bytes.count >= SyncMark.bytes else { return .partial }
            guard let mark = unsafe SyncMark(bytes), mark.next == expected.sequence else {
                return .bad(.mark)
            }
            return .mark(mark)
        }
        guard length >= RecordHeader.size, length <= Limits.recordBytesMax, length & 7 == 0 else {
            return .bad(.length)
        }
        guard bytes.count >= length else { return .partial }
        let record = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<length])
        guard let header = unsafe RecordHeader(record), unsafe header.crc == CRC32C.record(record)
        else { return .bad(.checksum) }
        if let flaw = expected.flaw(header) { return .bad(flaw) }
        return .record(header)
    }
}
