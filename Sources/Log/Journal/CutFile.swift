// Files of records that were cut off a journal.
//
// `journal/cut/<first sequence>-<ns>.cut`:
//      0  8    magic, "BOURSEC1"
//      8  u32  version of this layout: 1
//     12  u32  bytes of this header: 512
//     16  u64  journal identity, high
//     24  u64  journal identity, low
//     32  u64  sequence of the first record that was cut
//     40  u32  epoch of the record before it
//     44  u32  CRC32C of what follows the header
//     48  u64  the segment: its first sequence
//     56  u64  where the bytes stood in it
//     64  u64  how many there are
//     72  i64  when, nanoseconds since 1970-01-01 UTC
//     80  428  why, as text
//    508  u32  CRC32C of bytes 0 ..< 508
//    512  …    the bytes
//
// A segment that is cut as a whole is moved there: `cut/<its name>-<ns>`.

internal import Platform
internal import Wire

/// The directory of cut records.
struct CutFile {
    static let magic: UInt64 = 0x3143_4553_5255_4F42
    static let headerBytes = 512
    private static let reasonBytesMax = 428

    /// `journal/cut`.
    let directory: String

    init(_ journal: String) { directory = Directory.join(journal, "cut") }

    /// Keeps the bytes `range` of a segment, if not empty. Durable when it returns. On a full disk
    /// they take the place of a prepared segment.
    func keep(
        _ segment: SegmentCursor, _ range: Range<Int>, sequence: UInt64, epoch: UInt32,
        reason: String
    ) throws(JournalError) {
        guard !range.isEmpty else { return }
        let now = Clock.realtimeNanos()
        let path = Directory.join(directory, NumberedName.name(sequence, "-\(now).cut"))
        let directory = directory
        func fill(_ file: File) throws(SystemError) {
            let crc = try copy(segment.file, range, to: file)
            try file.write(
                header(segment, range, sequence, epoch: epoch, crc: crc, time: now, reason))
        }
        try onDisk { () throws(SystemError) in
            do throws(SystemError) {
                try Directory.create(directory)
                try File.replace(path, fill: fill)
            } catch {
                guard error.isFull, let ready = prepared else { throw error }
                let file = try File(ready, .write)
                // Gives back what is over first: the directory may need some of it.
                try file.truncate(to: Self.headerBytes + range.count)
                try Directory.create(directory)
                try fill(file)
                try file.sync()
                try Directory.rename(ready, to: path)
                try Directory.sync(Directory.parent(of: ready) ?? ".")
            }
        }
    }

    /// One of the prepared segments, if there is any.
    private var prepared: String? {
        let journal = Directory.parent(of: directory) ?? "."
        return SegmentSupply.names.map { Directory.join(journal, $0) }.last(where: Directory.exists)
    }

    /// Copies the bytes to their place behind the header; gives their CRC32C.
    private func copy(
        _ source: File, _ range: Range<Int>, to file: File
    ) throws(SystemError) -> UInt32 {
        var (crc, at) = (UInt32(0), range.lowerBound)
        while at < range.upperBound {
            let piece = try source.read(count: min(1 << 20, range.upperBound - at), at: at)
            guard !piece.isEmpty else { break }
            unsafe piece.withUnsafeBytes { unsafe crc = CRC32C.checksum($0, from: crc) }
            try file.write(piece, at: Self.headerBytes + at - range.lowerBound)
            at += piece.count
        }
        return crc
    }

    private func header(
        _ segment: SegmentCursor, _ range: Range<Int>, _ sequence: UInt64, epoch: UInt32,
        crc: UInt32, time: Int64, _ reason: String
    ) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.headerBytes)
        unsafe header.withUnsafeMutableBytes { raw in
            var w = unsafe WireWriter(raw)
            w.integer(Self.magic)
            w.integer(UInt32(1))
            w.integer(UInt32(Self.headerBytes))
            w.integer(segment.header.identity.high)
            w.integer(segment.header.identity.low)
            w.integer(sequence)
            w.integer(epoch)
            w.integer(crc)
            w.integer(segment.header.firstSequence)
            w.integer(UInt64(range.lowerBound))
            w.integer(UInt64(range.count))
            w.integer(time)
            for (index, byte) in reason.utf8.prefix(Self.reasonBytesMax).enumerated() {
                unsafe raw[80 + index] = byte
            }
            unsafe TrailingCRC.seal(raw, Self.headerBytes - 4)
        }
        return header
    }

    /// Moves a file there unchanged.
    func take(_ path: String, name: String) throws(JournalError) {
        let target = Directory.join(directory, "\(name)-\(Clock.realtimeNanos())")
        let directory = directory
        try onDisk { () throws(SystemError) in
            do throws(SystemError) { try Directory.create(directory) } catch {
                guard error.isFull, let ready = prepared else { throw error }
                try Directory.remove(ready)
                try Directory.create(directory)
            }
            try Directory.rename(path, to: target)
            try Directory.sync(Directory.parent(of: path) ?? ".")
        }
    }
}
