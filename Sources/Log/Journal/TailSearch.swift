// The bytes after the last good record of the newest segment.

internal import Platform
internal import Terms
internal import Wire

/// The bytes from a place in a segment to its end, searched for records and sync marks.
///
/// Only one thing identifies an interrupted write: a part of it was never written, and is still
/// zero. Bytes that were all written but are wrong are damage, acknowledged or not.
struct TailSearch {
    /// The first byte that is not zero, if any.
    var firstByte: Int?
    /// The last byte that is not zero, if any.
    var lastByte: Int?
    /// The first good record after this place that could belong to the log.
    var record: (offset: Int, sequence: UInt64)?
    /// The first good record up to the one that should be at the place: it stands elsewhere, which
    /// no interrupted write leaves.
    private var misplaced: (offset: Int, sequence: UInt64)?
    /// The first such sync mark.
    var mark: (offset: Int, sequence: UInt64)?
    /// Whether the item at the place overlaps a disk sector that was never written.
    private var hasUnwrittenSector = false
    /// Whether the item at the place is a whole record under a wrong length.
    private var isWholeRecord = false
    /// Whether the place has only a sync mark with a wrong byte.
    private(set) var isSpoiledMark = false

    /// Why an interrupted write can't have left this; nil if it can.
    var damage: String? {
        if let mark { return "a sync mark behind it, at byte \(mark.offset), is good" }
        if let misplaced {
            return "record \(misplaced.sequence) stands whole at byte \(misplaced.offset), where a "
                + "disk put a write that belongs elsewhere"
        }
        if isSpoiledMark { return nil }
        if isWholeRecord { return "it is a whole record under a wrong length" }
        if !hasUnwrittenSector {
            return "all of it was written, so that it may have been acknowledged"
        }
        return nil
    }

    private static let sectorBytes = 512
    /// Records before the place that are looked for: more than one write has.
    private static let earlierMax: UInt64 = 1 << 20
    /// Bytes of the file searched at a time.
    private static let windowBytes = 4 << 20

    /// Searches `file` from `offset` on, where the record `sequence` should be. Linear in the
    /// file's length, at memory speed over zero bytes.
    init(
        _ file: File, size: Int, from offset: Int, sequence: UInt64,
        progress: (Int) -> Void = { _ in }
    ) throws(SystemError) {
        // No more records fit: a higher number is chance or another log's.
        let highest = sequence + UInt64(size / SyncMark.bytes)
        var start = offset
        while start < size {
            // An item that begins in the window may extend beyond it.
            let bytes = try file.read(
                count: min(size - start, Self.windowBytes + Limits.recordBytesMax), at: start)
            unsafe bytes.withUnsafeBytes { raw in
                if start == offset {
                    hasUnwrittenSector = unsafe Self.hasUnwrittenSector(raw, at: offset)
                }
                unsafe look(raw, at: start, isFirst: start == offset, sequence, highest)
            }
            if start == offset, firstByte != nil {
                unsafe bytes.withUnsafeBytes { raw in
                    isWholeRecord = unsafe Self.isWholeRecord(raw, sequence)
                    isSpoiledMark = unsafe Self.isSpoiledMark(raw, sequence)
                }
            }
            progress(min(start + Self.windowBytes, size))
            start += Self.windowBytes
        }
        if let lastByte, lastByte >= offset + SyncMark.bytes { isSpoiledMark = false }
    }

    private mutating func look(
        _ raw: UnsafeRawBufferPointer, at offset: Int, isFirst: Bool, _ sequence: UInt64,
        _ highest: UInt64
    ) {
        let end = min(raw.count, Self.windowBytes)
        var at = 0
        while at + 8 <= end {
            if unsafe raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) != 0 {
                unsafe found(raw, at, at + 8, offset)
                let remainder = unsafe UnsafeRawBufferPointer(rebasing: raw[at...])
                // The item at the place itself is known to be bad.
                if at > 0 || !isFirst {
                    unsafe lookForItem(
                        remainder, at: offset + at, isNear: isFirst && at < Self.sectorBytes,
                        sequence, highest)
                }
            }
            at += 8
        }
        if at < end { unsafe found(raw, at, end, offset) }
    }

    private mutating func found(
        _ raw: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ offset: Int
    ) {
        for at in start..<end where unsafe raw[at] != 0 {
            if firstByte == nil { firstByte = offset + at }
            lastByte = offset + at
        }
    }

    private mutating func lookForItem(
        _ raw: UnsafeRawBufferPointer, at offset: Int, isNear: Bool, _ sequence: UInt64,
        _ highest: UInt64
    ) {
        // A mark before the record at the place proves nothing about that record.
        if mark == nil, let found = unsafe SyncMark(raw), found.next > sequence,
            found.next <= highest
        {
            mark = (offset, found.next)
        }
        guard record == nil || misplaced == nil, let header = unsafe RecordHeader(raw),
            header.length >= RecordHeader.size, header.length <= Limits.recordBytesMax,
            header.length & 7 == 0, header.length <= raw.count, header.sequence >= 1,
            header.sequence <= highest, header.sequence + Self.earlierMax >= sequence
        else { return }
        let whole = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<Int(header.length)])
        guard unsafe CRC32C.record(whole) == header.crc else { return }
        let found = (offset: offset, sequence: header.sequence)
        // Marks may have been kept back in front of it; a disk errs by sectors.
        if found.sequence <= sequence, !isNear { misplaced = misplaced ?? found }
        if found.sequence >= sequence { record = record ?? found }
    }

    /// Whether the item at the start of `raw`, at `offset` of the file, overlaps a sector that was
    /// not written from there on.
    private static func hasUnwrittenSector(_ raw: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard raw.count >= 4 else { return true }
        let said = unsafe Int(
            UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
        let isRecord = said >= RecordHeader.size && said <= Limits.recordBytesMax
        let length = said == Int(SyncMark.tag) ? SyncMark.bytes : isRecord ? said : 8
        var at = 0
        while at < length, at < raw.count {
            let end = min(
                raw.count, (offset + at) / sectorBytes * sectorBytes + sectorBytes - offset)
            if unsafe raw[at..<end].allSatisfy({ $0 == 0 }) { return true }
            at = end
        }
        return false
    }

    /// Whether the bytes are the record of this sequence, were its length another: the CRC covers
    /// all but the length.
    private static func isWholeRecord(_ raw: UnsafeRawBufferPointer, _ sequence: UInt64) -> Bool {
        guard let header = unsafe RecordHeader(raw), header.sequence == sequence else {
            return false
        }
        var (end, crc) = (8, UInt32(0))
        while end + 8 <= min(raw.count, Limits.recordBytesMax) {
            crc = unsafe CRC32C.checksum(
                UnsafeRawBufferPointer(rebasing: raw[end..<end + 8]), from: crc)
            end += 8
            if end >= RecordHeader.size, crc == header.crc { return true }
        }
        return false
    }

    /// Whether a mark is at the start, except for its tag, checksum or commit point.
    private static func isSpoiledMark(_ raw: UnsafeRawBufferPointer, _ sequence: UInt64) -> Bool {
        guard raw.count >= SyncMark.bytes else { return false }
        let tag = unsafe UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        return tag == SyncMark.tag || (unsafe SyncMark(raw, tagged: false)?.next == sequence)
    }
}

extension SegmentCursor {
    /// Searches the bytes after the last good record.
    func search(_ progress: (Int) -> Void = { _ in }) throws(JournalError) -> TailSearch {
        try onDisk { () throws(SystemError) in
            try TailSearch(
                file, size: size, from: offset, sequence: expected.sequence, progress: progress)
        }
    }
}
