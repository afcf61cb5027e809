// What stands behind the last good record of the newest segment.

internal import Platform
internal import Terms
internal import Wire

/// The bytes from a place in a segment to its end, looked through for records and sync marks.
struct TailSearch {
    /// The first byte that is not zero, if any.
    var firstByte: Int?
    /// The last byte that is not zero, if any.
    var lastByte: Int?
    /// The first good record that could belong to the log behind this place.
    var record: (offset: Int, sequence: UInt64)?
    /// The first good sync mark that could.
    var mark: (offset: Int, sequence: UInt64)?
    /// Whether the item at the place overlaps a disk sector that was never written.
    var hasUnwrittenSector = false

    /// Whether no interrupted write leaves this behind: anything before a mark, or good records
    /// behind one that was written in full.
    var isDamage: Bool { mark != nil || (record != nil && !hasUnwrittenSector) }

    private static let sectorBytes = 512
    /// How much of the file is looked at in one piece.
    private static let windowBytes = 4 << 20

    /// Looks through `file` from `offset` on, where the record `sequence` should be. Linear in the
    /// file's length, at memory speed over zero bytes.
    init(_ file: File, size: Int, from offset: Int, sequence: UInt64) throws(SystemError) {
        // No more records than this fit, so a higher number is chance or another log's.
        let highest = sequence + UInt64(size / SyncMark.bytes)
        var start = offset
        while start < size {
            // An item that begins in the window may reach over its end.
            let bytes = try file.read(
                count: min(size - start, Self.windowBytes + Limits.recordBytesMax), at: start)
            unsafe bytes.withUnsafeBytes { raw in
                if start == offset {
                    hasUnwrittenSector = unsafe Self.hasUnwrittenSector(raw, at: offset)
                }
                unsafe look(raw, at: start, isFirst: start == offset, sequence, highest)
            }
            start += Self.windowBytes
        }
    }

    private mutating func look(
        _ raw: UnsafeRawBufferPointer, at offset: Int, isFirst: Bool, _ sequence: UInt64,
        _ highest: UInt64
    ) {
        let end = min(raw.count, Self.windowBytes)
        var at = 0
        while at + 8 <= end {
            if unsafe raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) != 0 {
                found(offset + at, offset + at + 7)
                let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[at...])
                // What stands at the place itself is known to be no good item.
                if at > 0 || !isFirst {
                    unsafe lookForItem(rest, at: offset + at, sequence, highest)
                }
            }
            at += 8
        }
        for last in at..<max(at, end) where unsafe raw[last] != 0 {
            found(offset + last, offset + last)
        }
    }

    private mutating func found(_ first: Int, _ last: Int) {
        if firstByte == nil { firstByte = first }
        lastByte = last
    }

    private mutating func lookForItem(
        _ raw: UnsafeRawBufferPointer, at offset: Int, _ sequence: UInt64, _ highest: UInt64
    ) {
        if mark == nil, let next = unsafe SyncMark.read(raw), next >= sequence, next <= highest {
            mark = (offset, next)
        }
        guard record == nil, let header = unsafe RecordHeader(raw),
            header.length >= RecordHeader.size, header.length <= Limits.recordBytesMax,
            header.length & 7 == 0, header.length <= raw.count,
            header.sequence >= sequence, header.sequence <= highest
        else { return }
        let whole = unsafe UnsafeRawBufferPointer(rebasing: raw[0..<Int(header.length)])
        if unsafe CRC32C.record(whole) == header.crc { record = (offset, header.sequence) }
    }

    /// Whether the item at the start of `raw`, at `offset` of the file, overlaps a sector of which
    /// nothing from there on was written.
    private static func hasUnwrittenSector(_ raw: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard raw.count >= 4 else { return true }
        let said = unsafe Int(
            UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
        let length = said >= RecordHeader.size && said <= Limits.recordBytesMax ? said : 8
        var at = 0
        while at < length, at < raw.count {
            let end = min(
                raw.count, (offset + at) / sectorBytes * sectorBytes + sectorBytes - offset)
            if unsafe raw[at..<end].allSatisfy({ $0 == 0 }) { return true }
            at = end
        }
        return false
    }
}

extension SegmentCursor {
    /// Looks through what stands behind the last good record.
    func search() throws(JournalError) -> TailSearch {
        try onDisk { () throws(SystemError) in
            try TailSearch(file, size: size, from: offset, sequence: expected.sequence)
        }
    }
}
