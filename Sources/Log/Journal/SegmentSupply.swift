// Segment files prepared ahead, so that beginning one costs a rename.

internal import Platform
internal import Synchronization

/// Keeps two empty segments: the next one, and a reserve for a full disk.
final class SegmentSupply: Sendable {
    static let names = ["ready-a", "ready-b"]

    /// Whether only commands that free funds should be accepted.
    let isBelowReserve = Atomic<Bool>(false)
    private let isShort = Atomic<Bool>(false)
    private let directory: String
    private let options: JournalOptions
    private let ready: Mutex<[File]>

    init(directory: String, options: JournalOptions) throws(JournalError) {
        (self.directory, self.options) = (directory, options)
        var found: [File] = []
        for name in Self.names {
            let path = Directory.join(directory, name)
            try onDisk { () throws(SystemError) in
                try Directory.remove(path + ".new")
                guard Directory.exists(path) else { return }
                let file = try File(path, .write)
                // Made with other options, or taken by a process that died before it had a name:
                // that one is made anew, for what stands behind its header would pass for a
                // journal's.
                if try file.size() == options.segmentBytes, try Self.isZero(file) {
                    found.append(file)
                } else {
                    try Directory.remove(path)
                }
            }
        }
        ready = Mutex(found)
        _ = try checkSpace()
    }

    private static func isZero(_ file: File) throws(SystemError) -> Bool {
        let size = try file.size()
        for offset in stride(from: 0, to: size, by: 1 << 20) {
            let bytes = try file.read(count: min(1 << 20, size - offset), at: offset)
            let isZero = unsafe bytes.withUnsafeBytes { raw in
                unsafe raw.bindMemory(to: UInt64.self).allSatisfy { $0 == 0 }
            }
            guard isZero else { return false }
        }
        return true
    }

    /// Makes one segment if fewer than two are ready; true when it did.
    func fill() throws(JournalError) -> Bool {
        let taken = ready.withLock { $0.map(\.path) }
        let paths = Self.names.map { Directory.join(directory, $0) }
        guard let path = paths.first(where: { !taken.contains($0) && !Directory.exists($0) }) else {
            return false
        }
        do throws(SystemError) {
            let file = try make(path)
            ready.withLock { $0.append(file) }
            isShort.store(false, ordering: .relaxed)
            return true
        } catch {
            guard error.isFull else { throw .system(error) }
            isShort.store(true, ordering: .relaxed)
            isBelowReserve.store(true, ordering: .relaxed)
            return false
        }
    }

    /// An empty segment: a prepared one, else one made now, without zeros on the disk.
    func take() throws(JournalError) -> (file: File, isZeroed: Bool) {
        let file = ready.withLock { files -> File? in
            // One that a cut took on a full disk is gone.
            files.removeAll { !Directory.exists($0.path) }
            return files.isEmpty ? nil : files.removeFirst()
        }
        if let file { return (file, true) }
        return try onDisk { () throws(SystemError) in
            let path = Directory.join(directory, "ready-now")
            let file = try File(path, .replace)
            try file.allocate(offset: 0, count: options.segmentBytes)
            return (file, false)
        }
    }

    func checkSpace() throws(JournalError) -> Int {
        let free = try onDisk { () throws(SystemError) in try Directory.freeBytes(directory) }
        // Cleared only well above the limit, so that it doesn't flicker.
        let wasBelow = isBelowReserve.load(ordering: .relaxed)
        let line = wasBelow ? options.reserveBytes + options.reserveBytes / 8 : options.reserveBytes
        isBelowReserve.store(free < line || isShort.load(ordering: .relaxed), ordering: .relaxed)
        return free
    }

    /// Writes an empty segment aside, then renames it, so that a named one is whole.
    private func make(_ path: String) throws(SystemError) -> File {
        try File.replace(path) { file throws(SystemError) in
            try file.allocate(offset: 0, count: options.segmentBytes)
            guard options.zeroesAhead else { return }
            let zeros = [UInt8](repeating: 0, count: min(options.segmentBytes, 256 << 10))
            var offset = 0
            while offset < options.segmentBytes {
                try file.write(zeros, at: offset)
                offset += zeros.count
                // In pieces, so that the appending thread's sync never waits for all of it.
                try file.syncData()
            }
        }
        return try File(path, .write)
    }
}
