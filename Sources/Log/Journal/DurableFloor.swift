// A note of the last durable record, outside the journal.

internal import Glibc
internal import Platform
internal import Synchronization
internal import Wire

/// The last durable record, in a small mapped file: stored at each group commit, to outlive the
/// process, and synced about every second, to outlive the host. A journal that ends before it has
/// lost records, even if it looks whole: it is an old copy, or its newest part is gone.
///
///      0  8    magic, "BOURSEF1"
///      8  u64  journal identity, high
///     16  u64  journal identity, low
///     24  u64  the last durable record
///
/// A sector is written atomically, so it needs no checksum. It is made with the journal; a missing
/// one, or one of zeros, is a loss.
@safe final class DurableFloor: @unchecked Sendable {
    // Unchecked: one thread stores, one other syncs; the sequence is one aligned word.
    private static let bytes = 4096
    private static let magic: UInt64 = 0x3146_4553_5255_4F42
    private let file: File
    private let page: UnsafeMutableRawPointer
    private let synced = Atomic<UInt64>(0)
    private let kept = Atomic<UInt64>(0)

    /// Opens or makes the file, with `sequence` durable in it when it returns. A whole one is
    /// written in place: that takes no space and works on a full disk.
    init(_ path: String, identity: JournalIdentity, sequence: UInt64) throws(JournalError) {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        unsafe bytes.withUnsafeMutableBytes { raw in
            var w = unsafe WireWriter(raw)
            w.integer(Self.magic)
            w.integer(identity.high)
            w.integer(identity.low)
            w.integer(sequence)
        }
        let content = bytes
        file = try onDisk { () throws(SystemError) in
            if Directory.exists(path) {
                let there = try File(path, .write)
                let found = try there.read(count: Self.bytes + 1)
                // Of this journal: all before the sequence.
                if found.count == Self.bytes, found[..<24] == content[..<24] { return there }
            }
            try File.replace(path, with: content, keepsOwner: true)
            return try File(path, .write)
        }
        let raw = unsafe mmap(
            nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        guard let raw = unsafe raw, unsafe raw != MAP_FAILED else {
            throw .system(.last("map", path))
        }
        unsafe page = raw
        advance(to: sequence)
        try onDisk { () throws(SystemError) in try sync() }
    }

    deinit { _ = unsafe munmap(page, Self.bytes) }

    /// Notes that a record is durable. One store.
    @inline(__always) func advance(to sequence: UInt64) {
        unsafe page.storeBytes(of: sequence.littleEndian, toByteOffset: 24, as: UInt64.self)
        kept.store(sequence, ordering: .releasing)
    }

    /// Makes the note durable if it changed. One fdatasync(2).
    func sync() throws(SystemError) {
        let now = kept.load(ordering: .acquiring)
        guard now != synced.load(ordering: .relaxed) else { return }
        guard unsafe msync(page, Self.bytes, MS_SYNC) == 0 else { throw .last("sync", file.path) }
        synced.store(now, ordering: .relaxed)
    }

    /// The note of this journal; nil if there is none. Throws for another journal's, and for a
    /// damaged one.
    static func read(
        _ path: String, identity: JournalIdentity?
    ) throws(JournalError) -> UInt64? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try File(path, .read).read(count: 32) } catch {
            if error.isMissing { return nil }
            throw .system(error)
        }
        guard bytes.count == 32 else { throw .replica(file: path, detail: "is damaged") }
        let (isFloor, found, sequence): (Bool, JournalIdentity, UInt64) =
            unsafe bytes.withUnsafeBytes { raw in
                var r = unsafe WireReader(raw)
                let isFloor = r.integer(UInt64.self) == magic
                return (isFloor, JournalIdentity(high: r.integer(), low: r.integer()), r.integer())
            }
        guard isFloor, sequence > 0 else { throw .replica(file: path, detail: "is damaged") }
        if let identity, found != identity {
            throw .foreign(file: path, found: found, expected: identity)
        }
        return sequence
    }

    /// The same for repairs: a damaged one counts as none.
    static func readIfWhole(
        _ path: String, identity: JournalIdentity?
    ) throws(JournalError) -> UInt64? {
        do throws(JournalError) { return try read(path, identity: identity) } catch {
            if case .replica = error { return nil }
            throw error
        }
    }
}
