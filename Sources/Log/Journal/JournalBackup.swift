// A copy of a journal that a matchd may be writing, as a state directory that can be started.

internal import Glibc
internal import Platform

/// A backup: the records up to the last one that is known to be released, the newest snapshot of
/// them, and guards of its own. Started somewhere it is another replica, so that no host takes it
/// for the one that it was copied from.
///
///      DIRECTORY/journal/*.seg      the last one ends with record `last`
///      DIRECTORY/snapshots/*.snap   one, or none
///      DIRECTORY/replica, floor     the guards of the copy; beside bourse.toml goes journal.id
public struct JournalBackup: Hashable, Sendable {
    /// Which journal.
    public let identity: JournalIdentity
    /// The last record in it.
    public let last: LogPoint
    /// The first record in it.
    public let first: UInt64
    /// That record's time.
    public let lastTimestamp: Int64
    /// The snapshot's last record; nil: there was none to copy.
    public let snapshot: UInt64?
    /// Bytes that were copied.
    public let bytes: Int

    /// Copies the journal of `place` to `directory`, which must not exist and appears whole and
    /// durable, or not at all. What an interrupted call left is beside it as `.partial`, and the
    /// caller's to remove. It leaves `keepFree` bytes free on the disk. It reads and writes at most
    /// `bytesPerSecond` each, and then reads every record of the copy back. `configuration` is
    /// bourse.toml. `progress` gets the bytes copied and their total, often, also before and after
    /// anything is copied; what it throws ends the backup, of which nothing is left then.
    public static func write(
        _ place: JournalPlace, snapshots: SnapshotStore, configuration: [UInt8],
        to directory: String, bytesPerSecond: Int, keepFree: Int,
        progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) -> JournalBackup {
        let aside = directory + ".partial"
        // Not `Directory.create`: what is there may be another's, or of a call that runs, and a
        // folder above that is missing may be a disk that is not mounted.
        try onDisk { () throws(SystemError) in
            guard unsafe mkdir(aside, 0o700) == 0 else { throw .last("make", aside) }
        }
        do throws(JournalError) {
            var copy = BackupCopy(
                aside: aside, bytesPerSecond: bytesPerSecond, keepFree: keepFree)
            let made = try copy.run(place, snapshots, configuration, progress)
            try onDisk { () throws(SystemError) in
                guard !Directory.exists(directory) else {
                    throw SystemError(code: EEXIST, operation: "make", path: directory)
                }
                try Directory.rename(aside, to: directory)
            }
            return made
        } catch {
            try? remove(aside)
            throw error
        }
    }

    /// Removes what a backup consists of.
    private static func remove(_ directory: String) throws(SystemError) {
        guard Directory.isDirectory(directory) else { return }
        for name in try Directory.names(in: directory) {
            let path = Directory.join(directory, name)
            guard Directory.isDirectory(path) else {
                try Directory.remove(path)
                continue
            }
            for file in try Directory.names(in: path) {
                try Directory.remove(Directory.join(path, file))
            }
            guard unsafe rmdir(path) == 0 else { throw .last("remove", path) }
        }
        guard unsafe rmdir(directory) == 0 else { throw .last("remove", directory) }
    }
}

/// One backup in the making.
private struct BackupCopy {
    let aside: String
    let bytesPerSecond: Int
    let keepFree: Int
    var bytes = 0
    private let begin = Clock.monotonicNanos()
    private static let pieceBytes = 1 << 20

    init(aside: String, bytesPerSecond: Int, keepFree: Int) {
        (self.aside, self.bytesPerSecond, self.keepFree) = (aside, bytesPerSecond, keepFree)
    }

    mutating func run(
        _ place: JournalPlace, _ snapshots: SnapshotStore, _ configuration: [UInt8],
        _ progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) -> JournalBackup {
        let replica = try ReplicaFile(place.replicaFile)
        let found = try Journal.confirmingDamage { () throws(JournalError) in
            try Journal.inspect(
                directory: place.directory, scanFrom: try Journal.scanStart(snapshots)
            ) { (_, _) throws(JournalError) in try progress(0, 0) }
        }
        guard let replica, let identity = found.identity, found.commitPoint >= found.firstSequence
        else {
            throw .refused(
                sequence: found.commitPoint,
                detail: "nothing of the journal is known to be released")
        }
        guard replica.cut == nil else {
            throw .refused(
                sequence: found.commitPoint,
                detail: "a cut of the journal is under way: its daemon has to start first")
        }
        let last = found.commitPoint
        let copied = JournalPlace(
            directory: Directory.join(aside, "journal"), state: aside,
            configuration: Directory.join(aside, "bourse.toml"))
        let store = SnapshotStore(directory: Directory.join(aside, "snapshots"))
        try onDisk { () throws(SystemError) in
            for path in [copied.directory, store.directory] { try Directory.create(path) }
        }
        let segments = try SegmentName.list(place.directory).filter { $0.firstSequence <= last }
        let snapshot = try snapshots.newest(atMost: last, identity: identity)?.info.sequence
        guard snapshot != nil || found.firstSequence == 1 else {
            throw .refused(
                sequence: found.firstSequence,
                detail: "the journal begins there, and no snapshot stands for what was before")
        }
        var ends: [(source: SegmentName, end: Int, size: Int)] = []
        for (index, segment) in segments.enumerated() {
            let cursor = try segment.open(identity: identity)
            if index + 1 == segments.count { try cursor.pass(to: last) }
            ends.append(
                (segment, index + 1 == segments.count ? cursor.offset : cursor.size, cursor.size))
        }
        var total = ends.reduce(0) { $0 + $1.end }
        // First: the auditor removes old snapshots.
        if let snapshot {
            let size = try onDisk { () throws(SystemError) in
                try File(snapshots.path(snapshot), .read).size()
            }
            total += size
            try checkSpace(for: total)
            try copy(snapshots.path(snapshot), to: store.path(snapshot), size, size: size) {
                (done) throws(JournalError) in
                try progress(done, total)
            }
        }
        for (source, end, size) in ends {
            try checkSpace(for: total - bytes)
            let target = SegmentName(copied.directory, source.firstSequence).path
            try copy(source.path, to: target, end, size: size) { (done) throws(JournalError) in
                try progress(done, total)
            }
        }
        // In a replica's place it comes with what that had promised, and acknowledged nothing.
        try ReplicaFile(
            identity: identity, promise: replica.promise, cluster: replica.cluster,
            first: replica.first
        ).store(copied.replicaFile)
        _ = try DurableFloor(copied.floorFile, identity: identity, sequence: last)
        try copied.keep(identity)
        try onDisk { () throws(SystemError) in
            try File.replace(Directory.join(aside, "bourse.toml"), with: configuration)
            for path in [copied.directory, store.directory, aside] { try Directory.sync(path) }
        }
        return try verify(copied, identity, last, snapshot, progress)
    }

    /// Throws where the disk has no room for so many bytes more: the exchange may be on it.
    private func checkSpace(for more: Int) throws(JournalError) {
        try onDisk { () throws(SystemError) in
            guard try Directory.freeBytes(aside) >= more + keepFree else {
                throw SystemError(code: ENOSPC, operation: "copy \(more) bytes to", path: aside)
            }
        }
    }

    /// Reads every record of the copy.
    private func verify(
        _ copied: JournalPlace, _ identity: JournalIdentity, _ last: UInt64, _ snapshot: UInt64?,
        _ progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) -> JournalBackup {
        let found = try Journal.inspect(
            directory: copied.directory, identity: identity, floor: last
        ) { (_, _) throws(JournalError) in try progress(bytes, bytes) }
        guard found.lastSequence == last else {
            throw .refused(
                sequence: last, detail: "the copy ends with record \(found.lastSequence) instead")
        }
        return JournalBackup(
            identity: identity, last: found.last, first: found.firstSequence,
            lastTimestamp: found.lastTimestamp, snapshot: snapshot, bytes: bytes)
    }

    /// Copies the first `end` bytes of a file into one of `size`, durably.
    private mutating func copy(
        _ path: String, to target: String, _ end: Int, size: Int,
        _ progress: (Int) throws(JournalError) -> Void
    ) throws(JournalError) {
        var done = 0
        let (source, file) = try onDisk { () throws(SystemError) in
            (try File(path, .read), try File(target, .createNew))
        }
        while done < end {
            let count = try onDisk { () throws(SystemError) in
                let piece = try source.read(count: min(Self.pieceBytes, end - done), at: done)
                guard !piece.isEmpty else {
                    throw SystemError(code: EIO, operation: "read all of", path: path)
                }
                try file.write(piece, at: done)
                return piece.count
            }
            done += count
            bytes += count
            try progress(bytes)
            pause()
        }
        try onDisk { () throws(SystemError) in
            try file.truncate(to: size)
            try file.sync()
        }
    }

    /// Waits as long as the bytes copied so far are to take at least.
    private func pause() {
        let (seconds, rest) = bytes.quotientAndRemainder(dividingBy: bytesPerSecond)
        let due = Int64(seconds * 1_000 + rest * 1_000 / bytesPerSecond) * 1_000_000
        let left = due - (Clock.monotonicNanos() - begin)
        if left > 0 { Clock.sleep(nanos: left) }
    }
}

extension Journal {
    /// The result of `look` at a journal that may be written to. A write in progress can look like
    /// damage for a moment, so damage is confirmed by five more looks, 0.2 s apart.
    public static func confirmingDamage<R>(
        _ look: () throws(JournalError) -> R
    ) throws(JournalError) -> R {
        for _ in 0..<5 {
            do throws(JournalError) { return try look() } catch {
                guard case .damaged = error else { throw error }
                Clock.sleep(nanos: 200_000_000)
            }
        }
        return try look()
    }
}
