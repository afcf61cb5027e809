// A standby's log: a real journal with a disk thread, which can be slow, full or broken.

import Failover
import Journal
import Pipeline
import Platform
import Replication
import Synchronization
import Terms
import Wire

/// A standby's log over a disk.
final class TestStandbyLog: StandbyLog {
    struct State {
        var writer: JournalWriter
        var queue: [[UInt8]] = []
        var queued = 0
        var last: LogPoint
        var timestamp: Int64
        var first: UInt64
        var failure: SinkError?
        var isWriting = false
        var isClosed = false
        /// The snapshot that comes.
        var snapshot: (point: LogPoint, bytes: [UInt8])?
        var shown: (visible: UInt64, released: UInt64) = (0, 0)
        var cuts: [(last: UInt64, isForced: Bool, reason: String)] = []
        var promises: [UInt32] = []
        var snapshots = 0
    }

    let disk: ReplicaDisk
    let state: Mutex<State>
    var cluster: UInt64 { disk.cluster }
    let bell: Doorbell
    /// The disk does nothing while this is set.
    let isHung = Atomic<Bool>(false)
    /// The disk is full from now on.
    let isFull = Atomic<Bool>(false)
    /// There is no space for another replica file.
    let hasNoSpace = Atomic<Bool>(false)
    /// A broken standby: `durable` is what was taken.
    let lies: Bool
    private let hasIdentity: Atomic<Bool>
    private let work = Parking()
    private let thread: Mutex<PinnedThread?>
    private static let queuedMax = 16 << 20

    init(_ disk: ReplicaDisk, isEmpty: Bool = false, lies: Bool = false) throws {
        self.disk = disk
        self.lies = lies
        bell = try Doorbell()
        let writer = try disk.open()
        state = Mutex(
            State(
                writer: writer, last: writer.last, timestamp: writer.lastTimestamp,
                first: max(1, try Journal.inspect(directory: disk.place.directory).firstSequence)))
        hasIdentity = Atomic(!isEmpty)
        thread = Mutex(nil)
        let started = try PinnedThread.start(name: "disk") { [weak self] in
            while let self, self.write() {}
        }
        thread.withLock { $0 = started }
    }

    /// Ends its disk thread, with or without writing what waits.
    func close() {
        state.withLock { $0.isClosed = true }
        work.unpark()
        thread.withLock { $0.take() }?.join()
    }

    /// Writes and syncs what waits; false at the end.
    private func write() -> Bool {
        let batch: [[UInt8]]? = state.withLock { state in
            if state.isClosed { return nil }
            if isHung.load(ordering: .acquiring) || state.failure != nil { return [] }
            let batch = state.queue
            state.queue = []
            state.isWriting = !batch.isEmpty
            return batch
        }
        guard let batch else { return false }
        guard !batch.isEmpty else {
            work.park(timeoutNanos: 5_000_000)
            return true
        }
        let writer = state.withLock { $0.writer }
        var failure: SinkError?
        do throws(JournalError) {
            if isFull.load(ordering: .acquiring) {
                throw .system(.full("write", disk.place.directory))
            }
            for bytes in batch {
                unsafe try withBytes(bytes) { raw throws(JournalError) in
                    unsafe try writer.append(raw, isForeign: true)
                }
            }
            try writer.sync()
        } catch { failure = SinkError(error) }
        state.withLock { state in
            state.isWriting = false
            state.queued -= batch.reduce(0) { $0 + $1.count }
            state.failure = state.failure ?? failure
        }
        bell.ring()
        return true
    }

    // MARK: StandbyLog

    var identity: JournalIdentity? {
        hasIdentity.load(ordering: .acquiring) ? ReplicaDisk.identity : nil
    }
    var first: UInt64 { state.withLock { $0.first } }
    var last: LogPoint { state.withLock { $0.last } }
    var lastTimestamp: Int64 { state.withLock { $0.timestamp } }
    var durable: UInt64 {
        state.withLock { lies ? $0.last.sequence : $0.writer.durableSequence }
    }
    var failure: SinkError? { state.withLock { $0.failure } }

    func begin(_ identity: JournalIdentity) throws(SinkError) {
        guard identity == ReplicaDisk.identity else { throw SinkError("another journal") }
        hasIdentity.store(true, ordering: .releasing)
    }

    func append(_ records: UnsafeRawBufferPointer) throws(SinkError) -> Bool {
        let bytes = unsafe [UInt8](records)
        let isTaken = state.withLock { state in
            guard state.queued + bytes.count <= Self.queuedMax else { return false }
            state.queue.append(bytes)
            state.queued += bytes.count
            unsafe bytes.withUnsafeBytes { raw in
                unsafe Records.forEach(raw) { header, _ in
                    state.last = LogPoint(header)
                    state.timestamp = header.timestamp
                }
            }
            return true
        }
        work.unpark()
        return isTaken
    }

    func cut(after last: UInt64, reason: String, isForced: Bool) throws(SinkError) {
        while state.withLock({ $0.queued > 0 && $0.failure == nil }) {
            Clock.sleep(nanos: 1_000_000)
        }
        let failure = state.withLock { state -> JournalError? in
            state.cuts.append((last, isForced, reason))
            do throws(JournalError) {
                try state.writer.cut(after: last, reason: reason, isForced: isForced)
            } catch { return error }
            state.last = state.writer.last
            state.timestamp = state.writer.lastTimestamp
            return nil
        }
        if let failure { throw SinkError(failure) }
    }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        DiskReader(disk.place.directory, sequence)
    }

    func beginSnapshot(_ point: LogPoint, bytes: Int) throws(SinkError) {
        state.withLock { $0.snapshot = (point, []) }
    }

    func snapshot(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        let copy = unsafe [UInt8](bytes)
        state.withLock { $0.snapshot?.bytes += copy }
    }

    /// A test's snapshot is 4 KiB and more of one byte, and the time of its record at the end.
    func adoptSnapshot() throws(SinkError) {
        let failure = state.withLock { state -> String? in
            guard let (point, bytes) = state.snapshot, bytes.count >= 8,
                bytes.dropLast(8).allSatisfy({ $0 == 7 })
            else { return "the snapshot is damaged" }
            let time = unsafe bytes.suffix(8).withUnsafeBytes {
                unsafe $0.loadUnaligned(as: Int64.self)
            }
            do {
                for name in try Directory.names(in: disk.place.directory) {
                    let path = Directory.join(disk.place.directory, name)
                    if !Directory.isDirectory(path) { try Directory.remove(path) }
                }
                state.writer = try disk.open(behind: (point, time))
            } catch { return "\(error)" }
            (state.last, state.timestamp, state.first) = (point, time, point.sequence + 1)
            state.snapshots += 1
            return nil
        }
        if let failure { throw SinkError(failure) }
    }

    func show(visible: UInt64, released: UInt64) {
        state.withLock { state in
            state.shown = (max(state.shown.visible, visible), max(state.shown.released, released))
            state.writer.noteCommit(min(released, state.writer.durableSequence))
        }
    }

    func promise(_ epoch: UInt32) throws(SinkError) {
        let failure = state.withLock { state -> JournalError? in
            state.promises.append(epoch)
            do throws(JournalError) {
                if hasNoSpace.load(ordering: .acquiring) {
                    throw .system(.full("write", disk.place.replicaFile + ".new"))
                }
                guard var file = try ReplicaFile(disk.place.replicaFile) else { return nil }
                file.promise = epoch
                try file.store(disk.place.replicaFile)
            } catch { return error }
            return nil
        }
        if let failure { throw SinkError(failure) }
    }
}
