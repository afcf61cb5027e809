// Reading a snapshot in pieces, to pass it on.

internal import Platform

/// A snapshot file with checked header and body; the body can be read in pieces. Safe to use from
/// several threads.
public final class SnapshotReader: Sendable {
    /// Its header.
    public let info: SnapshotInfo
    private let file: File

    /// Bytes read at a time during the check.
    private static var pieceBytes: Int { 1 << 20 }

    /// Opens and checks a whole file, in bounded memory.
    init(_ path: String, identity: JournalIdentity?) throws(JournalError) {
        let (file, size) = try onDisk { () throws(SystemError) in
            let file = try File(path, .read)
            return (file, try file.size())
        }
        let head = try onDisk { () throws(SystemError) in
            try file.read(count: SnapshotInfo.headerBytes)
        }
        let info = try SnapshotInfo(header: head, path: path, identity: identity)
        guard size - SnapshotInfo.headerBytes == info.bodyBytes else {
            throw .snapshot(
                file: path, detail: "it is \(size) bytes long, not as long as its header says")
        }
        var crc: UInt32 = 0
        var offset = 0
        while offset < info.bodyBytes {
            let count = min(Self.pieceBytes, info.bodyBytes - offset)
            let at = SnapshotInfo.headerBytes + offset
            let piece = try onDisk { () throws(SystemError) in try file.read(count: count, at: at) }
            guard piece.count == count else { throw .snapshot(file: path, detail: "it was cut") }
            unsafe piece.withUnsafeBytes { unsafe crc = CRC32C.checksum($0, from: crc) }
            offset += count
        }
        guard crc == info.bodyCRC else {
            throw .snapshot(file: path, detail: "its body is damaged")
        }
        (self.info, self.file) = (info, file)
    }

    /// Bytes of the body from `offset`, which are there.
    public func read(count: Int, at offset: Int) throws(JournalError) -> [UInt8] {
        precondition(offset >= 0 && count >= 0 && offset + count <= info.bodyBytes, "in the body")
        let file = file
        let bytes = try onDisk { () throws(SystemError) in
            try file.read(count: count, at: SnapshotInfo.headerBytes + offset)
        }
        guard bytes.count == count else { throw .snapshot(file: info.path, detail: "it was cut") }
        return bytes
    }
}

extension SnapshotStore {
    /// The newest whole snapshot of this journal at or before `atMost`, to be read in pieces, or
    /// nil. `known` was opened before: if it is still the newest, it is returned again.
    public func openNewest(
        atMost: UInt64 = .max, identity: JournalIdentity?, known: SnapshotReader? = nil
    ) throws(JournalError) -> SnapshotReader? {
        for sequence in try sequences() where sequence <= atMost {
            if let known, known.info.sequence == sequence { return known }
            if let found = try? SnapshotReader(path(sequence), identity: identity) { return found }
        }
        return nil
    }
}
