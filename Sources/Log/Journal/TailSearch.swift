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

    private static let sectorBytes = 512

    /// Looks through `file` from `offset` on, where the record `sequence` should be. Linear in the
    /// file's length, at memory speed over zero bytes.
    init(_ file: File, size: Int, from offset: Int, sequence: UInt64) throws(SystemError) {
        // The newest segment fits in memory many times over: sizes are bounded by the configuration.
        let bytes = try file.read(count: max(0, size - offset), at: offset)
        // No more records than this fit, so a higher number is chance or another log's.
        let highest = sequence + UInt64(size / SegmentHeader.smallestItemBytes)
        unsafe bytes.withUnsafeBytes { raw in
            unsafe look(raw, at: offset, sequence, highest)
        }
    }

    private mutating func look(
        _ raw: UnsafeRawBufferPointer, at offset: Int, _ sequence: UInt64, _ highest: UInt64
    ) {
        var at = 0
        while at + 8 <= raw.count {
            let word = unsafe raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            if word != 0 {
                if firstByte == nil { firstByte = offset + at }
                lastByte = offset + at + 7
                let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[at...])
                if at > 0 { unsafe lookForItem(rest, at: offset + at, sequence, highest) }
            }
            at += 8
        }
        for last in at..<max(at, raw.count) where unsafe raw[last] != 0 {
            if firstByte == nil { firstByte = offset + last }
            lastByte = offset + last
        }
        hasUnwrittenSector = unsafe Self.hasUnwrittenSector(raw, at: offset)
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
            let end = min(raw.count, (offset + at) / sectorBytes * sectorBytes + sectorBytes - offset)
            if unsafe raw[at..<end].allSatisfy({ $0 == 0 }) { return true }
            at = end
        }
        return false
    }
}

extension SegmentHeader {
    /// No item is shorter than this.
    static let smallestItemBytes = SyncMark.bytes
}
