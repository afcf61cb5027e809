// What was cut off a journal, read again for people.

internal import Platform
public import Wire

/// A file of `journal/cut`: the tail of a segment, or a whole one.
public struct CutTail: Hashable, Sendable {
    /// The file.
    public let path: String
    /// The sequence of its first record; of a whole segment, by its name.
    public let first: UInt64
    /// When it was cut, nanoseconds since 1970.
    public let time: Int64
    /// Why; empty for a whole segment.
    public let reason: String
    /// Where the records begin in the file.
    private let start: Int

    /// Maximum bytes of a file that are read: a segment's.
    private static let bytesMax = 1 << 30

    /// The files of a journal, the oldest first. What is no such file is left out. Throws where the
    /// directory cannot be read.
    public static func list(_ journal: String) throws(JournalError) -> [CutTail] {
        let directory = CutFile(journal).directory
        guard Directory.exists(directory) else { return [] }
        let names = try onDisk { () throws(SystemError) in try Directory.names(in: directory) }
        var tails: [CutTail] = []
        for name in names {
            let path = Directory.join(directory, name)
            let isTail = name.hasSuffix(".cut")
            if let tail = isTail ? try tail(path) : segment(path, name) { tails.append(tail) }
        }
        return tails.sorted { ($0.time, $0.first) < ($1.time, $1.first) }
    }

    /// Calls `body` with each whole record, as far as they are good. Returns how many there are.
    public func forEach(
        _ body: (RecordHeader, UnsafeRawBufferPointer) -> Void
    ) throws(JournalError) -> Int {
        let bytes = try onDisk { () throws(SystemError) in
            let file = try File(path, .read)
            return try file.read(count: min(file.size(), Self.bytesMax), at: start)
        }
        var count = 0
        unsafe bytes.withUnsafeBytes { raw in
            var at = 0
            while raw.count - at >= 8 {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[at...])
                if unsafe SyncMark(rest) != nil {
                    at += SyncMark.bytes
                    continue
                }
                guard let header = unsafe RecordHeader(rest), header.length >= RecordHeader.size,
                    Int(header.length) <= rest.count
                else { return }
                let record = unsafe UnsafeRawBufferPointer(rebasing: rest[..<Int(header.length)])
                guard unsafe CRC32C.record(record) == header.crc else { return }
                unsafe body(header, record)
                count += 1
                at += Int(header.length)
            }
        }
        return count
    }

    private static func tail(_ path: String) throws(JournalError) -> CutTail? {
        let header = try onDisk { () throws(SystemError) in
            try File(path, .read).read(count: CutFile.headerBytes)
        }
        guard header.count == CutFile.headerBytes else { return nil }
        return unsafe header.withUnsafeBytes { raw in
            guard unsafe TrailingCRC.holds(raw, CutFile.headerBytes - 4),
                unsafe UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)) == CutFile.magic
            else { return nil }
            let reason = unsafe raw[80..<508].prefix { $0 != 0 }
            return unsafe CutTail(
                path: path,
                first: UInt64(
                    littleEndian: raw.loadUnaligned(fromByteOffset: 32, as: UInt64.self)),
                time: Int64(
                    littleEndian: raw.loadUnaligned(fromByteOffset: 72, as: Int64.self)),
                reason: String(decoding: reason, as: UTF8.self), start: CutFile.headerBytes)
        }
    }

    /// A whole segment: `<its name>-<nanoseconds>`.
    private static func segment(_ path: String, _ name: String) -> CutTail? {
        let parts = name.split(separator: "-")
        guard parts.count == 2, let time = Int64(parts[1]),
            let first = NumberedName.number(String(parts[0]), SegmentName.ending)
        else { return nil }
        return CutTail(
            path: path, first: first, time: time, reason: "", start: SegmentHeader.blockBytes)
    }
}
