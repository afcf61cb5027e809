// What the stages of matchd share: three rings, and one cursor for each stage.
//
//   sockets ─► Link thread ─► requests ─► engine thread ─► log ─► journal thread ─► disk
//                   ▲                          │            │            │
//                   │                          ▼            ▼         durable
//                   └──────────────────────  answers, records, up to the release gate
//
// Every cursor has one writer. The engine thread never waits for a disk or a socket unless a ring
// is full, and the rings are as large as the longest stall that it has to outlast.

import Platform
import Synchronization
import Terms

/// The shared memory of one pipeline.
final class Stages: Sendable {
    /// Link thread → engine thread.
    let requests: ByteRing
    /// Engine thread → journal thread and Link thread: whole records.
    let log: ByteRing
    /// Engine thread → Link thread.
    let answers: ByteRing

    /// Requests that the engine thread has taken, as a position.
    let requestsTaken = Cursor()
    /// Answers that the Link thread has taken, as a position.
    let answersTaken = Cursor()
    /// Records of the log on disk, as a position. Written before `durable`.
    let durablePosition = Cursor()
    /// The last record on disk. By the journal thread.
    let durable: Cursor
    /// The last record that the engine applied. By the engine thread.
    let applied: Cursor
    /// Records before this position are not read by the Link thread any more.
    let retained = Cursor()
    /// Commands of writers so far.
    let commands = Cursor()
    /// The last hash mark's sequence.
    let hashMark = Cursor()
    /// Turns of the engine thread's loop: it lives while this moves.
    let turns = Cursor()

    /// Wakes the engine thread: there are requests.
    let sequencerPark = Parking()
    /// Wakes the journal thread: there are records.
    let journalPark = Parking()
    /// Wakes the Link thread: something became durable, or may be answered.
    let linkBell: Doorbell

    /// Set by the journal thread: free space is below the reserve.
    let isBelowReserve = Atomic<Bool>(false)
    /// The Link thread takes no more requests; what is in the ring is all there will be.
    let intakeClosed = Atomic<Bool>(false)
    /// The engine thread has written its last record.
    let logClosed = Atomic<Bool>(false)
    /// All of the log is on disk.
    let journalClosed = Atomic<Bool>(false)
    /// The owner wants the pipeline to end.
    let isStopping = Atomic<Bool>(false)
    /// A stage met a fault: nothing more is released.
    let hasFailed = Atomic<Bool>(false)

    let syncStats = SyncStats()

    init(requestBytes: Int, logBytes: Int, answerBytes: Int, sequence: UInt64) throws(SystemError) {
        linkBell = try Doorbell()
        requests = ByteRing(size: requestBytes)
        log = ByteRing(size: logBytes)
        answers = ByteRing(size: answerBytes)
        durable = Cursor(sequence)
        applied = Cursor(sequence)
    }
}

/// How long group commits take: the last 1,024, as percentiles.
final class SyncStats: Sendable {
    /// Median, ns.
    let p50 = Atomic<UInt64>(0)
    /// 99th percentile, ns.
    let p99 = Atomic<UInt64>(0)
    /// Group commits since the start.
    let count = Atomic<UInt64>(0)
    /// Free bytes on the journal's disk.
    let diskFree = Atomic<UInt64>(0)

    /// The journal thread's side.
    struct Recorder {
        let stats: SyncStats
        var window = [UInt64](repeating: 0, count: 1024)
        var next = 0
        var total: UInt64 = 0

        init(_ stats: SyncStats) { self.stats = stats }

        /// Takes one duration; works the percentiles out anew every 64.
        mutating func record(nanos: UInt64) {
            window[next] = nanos
            next = (next + 1) & 1023
            total += 1
            stats.count.store(total, ordering: .relaxed)
            guard total & 63 == 0 || total < 16 else { return }
            let sorted = window.prefix(Int(min(total, 1024))).sorted()
            stats.p50.store(sorted[sorted.count / 2], ordering: .relaxed)
            stats.p99.store(sorted[sorted.count * 99 / 100], ordering: .relaxed)
        }
    }
}
