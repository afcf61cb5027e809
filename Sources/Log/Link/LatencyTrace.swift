// Where the time of an acknowledgement goes: stamps of sampled commands, in a mapped file.

internal import Glibc
public import Platform
internal import Synchronization

/// A command's times at each stage of matchd, ns of `Clock.monotonicNanos`.
public struct LatencySample: Hashable, Sendable {
    /// Its session.
    public var session: UInt32
    /// Its number in the session.
    public var number: UInt64
    /// The stamps, in the order of `LatencyTrace.Stamp`.
    public var stamps: [Int64]

    /// The time of this stamp.
    public subscript(stamp: LatencyTrace.Stamp) -> Int64 { stamps[stamp.rawValue] }
}

/// Samples of commands in a pipeline, about one each millisecond, in a file that another process
/// reads. Each stage stamps passing samples: it reads one cursor per turn, and the clock if a
/// sample waits.
///
///      0  u64      magic, "BOURSET1"
///      8  u64      samples that are complete
///     64  16 ki × 104 bytes: sample i in place i modulo 16 ki
///                   0  u64      session
///                   8  u64      number
///                  16  u64      where its request ends in the ring of commands
///                  24  u64      where its record ends in the log ring
///                  32  i64 × 9  the stamps
///
/// It should be on tmpfs, like the command mark.
@safe public final class LatencyTrace: @unchecked Sendable {
    // Unchecked: a sample belongs to one stage at a time; the cursors below pass it on.

    /// The stamps.
    public enum Stamp: Int, CaseIterable, Sendable {
        /// The Link thread has read it from its socket.
        case received
        /// The engine thread has begun the turn that took it.
        case taken
        /// That turn has applied it, and published it to the journal.
        case applied
        /// The records of the group commit before its own are written.
        case priorWritten
        /// They are durable.
        case priorSynced
        /// The journal thread has begun the group commit that it is part of.
        case began
        /// That commit's records are written.
        case written
        /// They are durable.
        case synced
        /// The Link thread has released it.
        case released
    }

    /// When a group commit began, had its records written, and had them durable.
    public struct Commit: Sendable {
        /// When it began.
        public var began: Int64 = 0
        /// When its records were written.
        public var written: Int64 = 0
        /// When they were durable.
        public var synced: Int64 = 0
        /// None.
        public init() {}
    }

    private static let magic: UInt64 = 0x3154_4553_5255_4F42
    private static let headerBytes = 64
    private static let slotBytes = 104
    /// Capacity of the file in samples.
    public static let capacity = 1 << 14
    /// Maximum samples in progress.
    public static let pendingMax = 1 << 10
    /// Time between two samples, ns.
    public static let intervalNanos: Int64 = 1_000_000

    private static var bytes: Int { headerBytes + capacity * slotBytes }
    private let base: UnsafeMutableRawPointer
    private let begun = Atomic<UInt64>(0)
    private let applied = Atomic<UInt64>(0)
    private let durable = Atomic<UInt64>(0)
    // The Link thread's own.
    private var ended: UInt64 = 0
    private var next: Int64 = 0

    /// Makes the file, or empties it.
    public init(_ path: String) throws(SystemError) {
        let file = try File(path, .replace)
        // Written, not only allocated: a store into a page without a disk block could be fatal.
        try file.write([UInt8](repeating: 0, count: Self.bytes))
        unsafe base = try Self.map(file, PROT_READ | PROT_WRITE)
        unsafe base.storeBytes(of: Self.magic, as: UInt64.self)
    }

    deinit { _ = unsafe munmap(base, Self.bytes) }

    private static func map(
        _ file: File, _ protection: Int32
    ) throws(SystemError) -> UnsafeMutableRawPointer {
        let raw = unsafe mmap(nil, bytes, protection, MAP_SHARED, file.descriptor, 0)
        guard let raw = unsafe raw, unsafe raw != MAP_FAILED else { throw .last("map", file.path) }
        return unsafe raw
    }

    // MARK: The stages

    /// For the Link thread: the request that ends at `position` is published to the engine.
    @inline(__always)
    public func begin(_ session: UInt32, _ number: UInt64, _ position: UInt64, at now: Int64) {
        guard now >= next else { return }
        let sample = begun.load(ordering: .relaxed)
        guard sample - ended < UInt64(Self.pendingMax) else { return }
        next = now + Self.intervalNanos
        set(sample, 0, UInt64(session))
        set(sample, 8, number)
        set(sample, 16, position)
        stamp(sample, .received, now)
        begun.store(sample + 1, ordering: .releasing)
    }

    /// For the engine thread: a turn that began at `taken` took all before `position`, and its
    /// records end at `log`.
    @inline(__always)
    public func apply(_ position: UInt64, _ log: UInt64, taken: Int64) {
        var sample = applied.load(ordering: .relaxed)
        let end = begun.load(ordering: .acquiring)
        guard sample < end, get(sample, 16) <= position else { return }
        let now = Clock.monotonicNanos()
        while sample < end, get(sample, 16) <= position {
            set(sample, 24, log)
            stamp(sample, .taken, taken)
            stamp(sample, .applied, now)
            sample += 1
        }
        applied.store(sample, ordering: .releasing)
    }

    /// For the journal thread: all before `position` of the log ring is durable, by this group
    /// commit; that of `prior` came before it.
    @inline(__always)
    public func commit(_ position: UInt64, _ commit: Commit, prior: Commit) {
        var sample = durable.load(ordering: .relaxed)
        let end = applied.load(ordering: .acquiring)
        guard sample < end else { return }
        while sample < end, get(sample, 24) <= position {
            let applied = Int64(bitPattern: get(sample, Self.offset(.applied)))
            stamp(sample, .priorWritten, max(applied, prior.written))
            stamp(sample, .priorSynced, max(applied, prior.synced))
            stamp(sample, .began, commit.began)
            stamp(sample, .written, commit.written)
            stamp(sample, .synced, commit.synced)
            sample += 1
        }
        durable.store(sample, ordering: .releasing)
    }

    /// For the Link thread: all before `position` of the log ring is released.
    @inline(__always)
    public func release(_ position: UInt64) {
        let end = durable.load(ordering: .acquiring)
        guard ended < end, get(ended, 24) <= position else { return }
        let now = Clock.monotonicNanos()
        while ended < end, get(ended, 24) <= position {
            stamp(ended, .released, now)
            ended += 1
        }
        unsafe (base + 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
            .store(ended, ordering: .releasing)
    }

    private func slot(_ sample: UInt64) -> Int {
        Self.headerBytes + Int(sample % UInt64(Self.capacity)) * Self.slotBytes
    }

    private func get(_ sample: UInt64, _ offset: Int) -> UInt64 {
        unsafe base.load(fromByteOffset: slot(sample) + offset, as: UInt64.self)
    }

    private func set(_ sample: UInt64, _ offset: Int, _ value: UInt64) {
        unsafe base.storeBytes(of: value, toByteOffset: slot(sample) + offset, as: UInt64.self)
    }

    private func stamp(_ sample: UInt64, _ stamp: Stamp, _ time: Int64) {
        set(sample, Self.offset(stamp), UInt64(bitPattern: time))
    }

    private static func offset(_ stamp: Stamp) -> Int { 32 + 8 * stamp.rawValue }

    // MARK: Reading

    /// The samples in the file at `path` that are complete, the oldest first: the last ones, where
    /// there were more than it holds.
    public static func read(_ path: String) throws(SystemError) -> [LatencySample] {
        let file = try File(path, .read)
        guard try file.size() == bytes else {
            throw SystemError(code: EINVAL, operation: "read the samples of", path: path)
        }
        let base = unsafe try map(file, PROT_READ)
        defer { _ = unsafe munmap(base, bytes) }
        func word(_ offset: Int) -> UInt64 {
            unsafe base.load(fromByteOffset: offset, as: UInt64.self)
        }
        func count() -> UInt64 {
            unsafe (base + 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
                .load(ordering: .acquiring)
        }
        /// The first one that is not being overwritten.
        func first() -> UInt64 {
            let (end, room) = (count(), UInt64(capacity - pendingMax))
            return end - min(end, room)
        }
        var samples: [LatencySample] = []
        let start = first()
        for sample in start..<count() {
            let slot = headerBytes + Int(sample % UInt64(capacity)) * slotBytes
            samples.append(
                LatencySample(
                    session: UInt32(truncatingIfNeeded: word(slot)), number: word(slot + 8),
                    stamps: Stamp.allCases.map { Int64(bitPattern: word(slot + offset($0))) }))
        }
        return Array(samples.dropFirst(Int(first() - start)))
    }
}
