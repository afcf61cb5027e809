// Writing a snapshot's body.

internal import Platform

/// Writes a snapshot's body to the file in large pieces. The first error is kept, as the engine's
/// sink can't stop it.
@safe struct SnapshotBody: ~Copyable {
    static let bufferBytes = 1 << 20

    let file: File
    private(set) var count = 0
    private(set) var crc: UInt32 = 0
    private let directory: String
    private let keepFree: Int
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var written = 0
    private var failure: SystemError?

    init(_ path: String, directory: String, keepFree: Int) throws(JournalError) {
        file = try onDisk { () throws(SystemError) in
            let file = try File(path, .replace)
            _ = try file.tryLock()
            return file
        }
        (self.directory, self.keepFree) = (directory, keepFree)
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bufferBytes, alignment: 64)
    }

    deinit { unsafe buffer.deallocate() }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        unsafe crc = CRC32C.checksum(bytes, from: crc)
        count += bytes.count
        var remainder = unsafe bytes
        while remainder.count > 0 {
            let n = min(remainder.count, Self.bufferBytes - filled)
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + n])
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: remainder[0..<n]))
            filled += n
            unsafe remainder = UnsafeRawBufferPointer(rebasing: remainder[n...])
            if filled == Self.bufferBytes { write() }
        }
    }

    mutating func flush() throws(JournalError) {
        write()
        if let failure { throw .system(failure) }
    }

    private mutating func write() {
        guard failure == nil, filled > 0 else { return }
        do throws(SystemError) {
            if keepFree > 0, try Directory.freeBytes(directory) < keepFree + filled {
                throw SystemError.full("write", file.path)
            }
            let piece = unsafe UnsafeRawBufferPointer(rebasing: buffer[0..<filled])
            try unsafe file.write(piece, at: SnapshotInfo.headerBytes + written)
            written += filled
            // In pieces, so that the journal's next sync never waits for a whole snapshot.
            try file.syncData()
        } catch { failure = error }
        filled = 0
    }
}
