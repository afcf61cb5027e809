// Clearing a failed write or sync: establishing the disk's content.

internal import Platform

/// The result of clearing a fault.
public struct ClearedFault: Hashable, Sendable {
    /// The fault.
    public var fault: String
    /// The rewritten segment.
    public var segment: String
    /// Its bytes.
    public var bytes: Int
    /// Whether it was read back past the page cache by O_DIRECT; else after the cache was dropped.
    public var isDirect: Bool
    /// The journal's last good record.
    public var last: UInt64
    /// Why the next start is still refused: the disk's content is known, but not complete. Nil if
    /// it is complete.
    public var damage: JournalError?
}

extension Journal {
    /// Clears a latched fault: rewrites the newest segment, syncs it and reads it back from the
    /// disk. After that, reading gives the disk's content, whole or not: a noted cut is finished,
    /// and the journal is checked. Nil if no fault is latched; throws, and leaves it latched, if
    /// the disk fails again. This process must hold the state's lock.
    ///
    /// All segments before the newest were synced before it was begun. Of the newest, the kernel
    /// may consider pages clean that never reached the disk, as it reports that only once;
    /// rewriting makes them dirty again.
    public static func clearFault(
        _ place: JournalPlace, snapshots: SnapshotStore
    ) throws(JournalError) -> ClearedFault? {
        guard let fault = place.latched() else { return nil }
        guard let newest = try SegmentName.list(place.directory).last else {
            throw .lost(directory: place.directory, identity: nil)
        }
        let (bytes, isDirect) = try onDisk { () throws(SystemError) in
            (try rewrite(newest.path), try readBack(newest.path))
        }
        try place.unlatch()
        var cleared = ClearedFault(
            fault: fault.detail, segment: newest.path, bytes: bytes, isDirect: isDirect, last: 0)
        do throws(JournalError) {
            let found = try place.latching { () throws(JournalError) in
                if var replica = try ReplicaFile(place.replicaFile) {
                    try finishCut(place, snapshots, &replica)
                }
                return try inspect(directory: place.directory, floor: try floor(place))
            }
            cleared.last = found.lastSequence
        } catch {
            if case .system = error { throw error }
            cleared.damage = error
            let kept = (try? place.keptIdentity()) ?? nil
            cleared.last = lastGood(directory: place.directory, identity: kept)
        }
        return cleared
    }

    private static let pieceBytes = 1 << 20

    /// Rewrites a file's bytes in place; returns their number.
    private static func rewrite(_ path: String) throws(SystemError) -> Int {
        let file = try File(path, .write)
        let size = try file.size()
        for offset in stride(from: 0, to: size, by: pieceBytes) {
            try file.write(
                try file.read(count: min(pieceBytes, size - offset), at: offset), at: offset)
        }
        try file.sync()
        return size
    }

    /// Compares the disk's content with what was written; returns whether O_DIRECT was used.
    private static func readBack(_ path: String) throws(SystemError) -> Bool {
        let file = try File(path, .read)
        let size = try file.size()
        // Past the cache only whole blocks are read; a segment of another length has none at its
        // end.
        let direct = size % 4096 == 0 ? try File.direct(path) : nil
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        for offset in stride(from: 0, to: size, by: pieceBytes) {
            let count = min(pieceBytes, size - offset)
            // In this order: the first is the content in memory.
            let wanted = try file.read(count: count, at: offset)
            if direct == nil { try file.dropCache() }
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[0..<count])
            let got = try unsafe (direct ?? file).read(into: piece, at: offset)
            guard got == count, unsafe piece.elementsEqual(wanted) else {
                throw SystemError.unequal(path)
            }
        }
        return direct != nil
    }
}
