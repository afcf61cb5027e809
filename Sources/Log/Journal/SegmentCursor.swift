// Walks over the items of one segment file.

internal import Platform
internal import Terms
internal import Wire

/// What the next record must be.
struct Expectation: Hashable {
    var sequence: UInt64
    var timestamp: Int64
    var epoch: UInt32

    init(_ header: SegmentHeader) {
        sequence = header.firstSequence
        timestamp = header.priorTimestamp
        epoch = header.priorEpoch
    }

    /// The last sequence before it.
    var last: UInt64 { sequence - 1 }
}

/// Why the bytes at some place are no item.
enum Flaw: Hashable {
    case length
    case checksum
    case sequence(UInt64)
    case order
    case mark

    /// In words for people.
    var words: String {
        switch self {
        case .length: "no record has this length"
        case .checksum: "the checksum is wrong"
        case .sequence(let found): "the record there says it is \(found)"
        case .order: "its time or epoch is before the record before it"
        case .mark: "a sync mark is wrong"
        }
    }

    /// Whether the bytes came whole, so that they can't be what a power cut left.
    var isWhole: Bool {
        switch self {
        case .sequence, .order: true
        case .length, .checksum, .mark: false
        }
    }
}

/// One open segment: gives runs of whole, checked records. One owner.
@safe final class SegmentCursor {
    @safe enum Step {
        /// Whole records back to back; valid until the next call.
        case run(UnsafeRawBufferPointer)
        /// A sync mark: all before it was durable when it was written.
        case mark
        /// Zero bytes, or the file's end.
        case end
        /// The next record is behind the sequence that was asked for.
        case held
        /// Something that is no item.
        case bad(Flaw)
    }

    private enum Item {
        case record(RecordHeader)
        case mark
        case end
        case partial
        case bad(Flaw)
    }

    static let bufferBytes = 1 << 20

    let file: File
    let header: SegmentHeader
    /// The file's length.
    let size: Int
    /// What the next record must be.
    private(set) var expected: Expectation
    private let buffer: UnsafeMutableRawBufferPointer
    /// The file offset of the buffer's first byte, and what part of the buffer is not yet walked
    /// over.
    private var base: Int
    private var position = 0
    private var filled = 0

    /// The file offset of the next item.
    var offset: Int { base + position }

    init(file: File, header: SegmentHeader, size: Int) {
        self.file = file
        self.header = header
        self.size = size
        expected = Expectation(header)
        base = SegmentHeader.blockBytes
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bufferBytes, alignment: 4096)
    }

    deinit { unsafe buffer.deallocate() }

    /// Forgets what was read ahead, so that the next step sees what another process wrote since.
    func refresh() {
        base += position
        position = 0
        filled = 0
    }

    /// The next items: records up to the sequence `upTo` and about `bytesMax` bytes, or what else
    /// stands there. Linear in the bytes passed over.
    func step(upTo: UInt64, bytesMax: Int) throws(SystemError) -> Step {
        while true {
            let start = position
            var at = position
            var stop: Item = .end
            walk: while true {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[at..<filled])
                let item = unsafe item(rest)
                guard case .record(let header) = item, header.sequence <= upTo else {
                    stop = item
                    break walk
                }
                at += Int(header.length)
                expected.sequence += 1
                expected.timestamp = header.timestamp
                expected.epoch = header.epoch
                if at - start >= bytesMax { break walk }
            }
            if at > start {
                position = at
                return unsafe .run(UnsafeRawBufferPointer(rebasing: buffer[start..<at]))
            }
            switch stop {
            case .record: return .held
            case .end: return .end
            case .bad(let flaw): return .bad(flaw)
            case .mark:
                position += SyncMark.bytes
                return .mark
            case .partial:
                if try !fill() { return filled == position ? .end : .bad(.length) }
            }
        }
    }

    /// Reads more of the file behind what is there; false at the file's end.
    private func fill() throws(SystemError) -> Bool {
        let rest = filled - position
        if position > 0, rest > 0 {
            let tail = unsafe UnsafeRawBufferPointer(rebasing: buffer[position..<filled])
            unsafe buffer.copyMemory(from: tail)
        }
        base += position
        position = 0
        filled = rest
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[rest...])
        let count = try unsafe file.read(into: room, at: base + rest)
        filled += count
        return count > 0
    }

    /// What stands at the start of `bytes`.
    @inline(__always)
    private func item(_ bytes: UnsafeRawBufferPointer) -> Item {
        guard bytes.count >= 8 else { return .partial }
        let length = unsafe Int(
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
        if length == 0 { return .end }
        if length == Int(SyncMark.tag) {
            guard bytes.count >= SyncMark.bytes else { return .partial }
            guard unsafe SyncMark.read(bytes) == expected.sequence else { return .bad(.mark) }
            return .mark
        }
        guard length >= RecordHeader.size, length <= Limits.recordBytesMax, length & 7 == 0 else {
            return .bad(.length)
        }
        guard bytes.count >= length else { return .partial }
        let record = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<length])
        guard let header = unsafe RecordHeader(record),
            unsafe header.crc == CRC32C.record(record)
        else { return .bad(.checksum) }
        guard header.sequence == expected.sequence else { return .bad(.sequence(header.sequence)) }
        guard header.timestamp >= expected.timestamp, header.epoch >= expected.epoch else {
            return .bad(.order)
        }
        return .record(header)
    }
}
