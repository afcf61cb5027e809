// The journal thread: group commit.

import Journal
import Link
import Platform
import Synchronization
import Wire

/// Where the log becomes durable. One thread uses it.
public protocol LogSink: AnyObject, Sendable {
    /// Writes whole records behind those before; throws what went wrong, for people.
    func append(_ records: UnsafeRawBufferPointer) throws(SinkError)
    /// Makes all that was written durable.
    func sync() throws(SinkError)
    /// All up to `sequence` is released: what is written from then on may say so.
    func noteCommit(_ sequence: UInt64)
    /// Makes durable what was noted since, where the log does not say it yet.
    func settle() throws(SinkError)
    /// Free bytes on the disk now; nil if that cannot be read.
    func freeBytes() -> UInt64?
    /// Whether free space was below the reserve when it was looked at last.
    var isBelowReserve: Bool { get }
}

/// A fault after which a stage cannot continue. A write or sync is never retried: what the disk
/// holds is unknown, so nothing more is released and the process ends.
public struct SinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, and what to do.
    public var description: String
    /// Whether the disk is to blame, so that what it holds is unknown.
    public var isDiskFault: Bool
    /// Whether the disk was full: a file that is replaced is as it was before.
    public var isFull: Bool
    /// A fault.
    public init(_ description: String, isDiskFault: Bool = false, isFull: Bool = false) {
        (self.description, self.isDiskFault) = (description, isDiskFault)
        self.isFull = isFull
    }
}

/// Writes all that waits and syncs it, again and again.
struct JournalThread: ~Copyable {
    let stages: Stages
    let sink: any LogSink
    var position: UInt64 = 0
    var recorder: SyncStats.Recorder
    var spaceCheck: Int64 = 0
    /// When the last commit ended.
    var committed: Int64 = 0
    /// The commit before, for the trace.
    var prior = LatencyTrace.Commit()
    var looks = Looks()
    /// Whether the log says durably that all of it is released.
    var isSettled = false

    /// Most bytes of one commit: larger ones would only make the first of them wait.
    static var commitBytesMax: Int { 4 << 20 }
    /// How often free space is looked at.
    static var spaceCheckNanos: Int64 { 250_000_000 }
    /// How long nothing comes before the log is settled.
    static var settleNanos: Int64 { 50_000_000 }

    init(stages: Stages, sink: any LogSink) {
        (self.stages, self.sink) = (stages, sink)
        recorder = SyncStats.Recorder(stages.syncStats)
        position = stages.durable.now.position
    }

    /// Commits until the log is closed and all of it is on disk.
    mutating func run() throws(SinkError) {
        lookAtSpace()
        while true {
            // In this order: once it is closed, the head read afterwards is the last.
            let isClosed = stages.logClosed.load(ordering: .acquiring)
            let head = stages.log.head.now
            if position < head {
                try commit(until: head)
            } else if isClosed {
                stages.journalClosed.store(true, ordering: .releasing)
                stages.linkBell.ring()
                return
            } else {
                try idle()
            }
        }
    }

    mutating func commit(until head: UInt64) throws(SinkError) {
        let began = Clock.monotonicNanos()
        var last = stages.durable.now.sequence
        var taken = 0
        var times = LatencyTrace.Commit()
        while position < head, taken < Self.commitBytesMax {
            let (bytes, start) = unsafe stages.log.piece(position, head)
            let count = unsafe seal(bytes, Self.commitBytesMax - taken, &last)
            // The peer gets them while they are written here.
            stages.sealedPosition.advance(to: start + UInt64(count))
            stages.wakeReplication()
            unsafe try sink.append(UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
            position = start + UInt64(count)
            taken += count
        }
        sink.noteCommit(stages.released.now)
        if stages.trace != nil { times.written = Clock.monotonicNanos() }
        try sink.sync()
        let now = Clock.monotonicNanos()
        // Before `durable`, so that whoever sees the record finds its sample.
        times.began = began
        times.synced = now
        stages.trace?.commit(position, times, prior: prior)
        prior = times
        stages.durable.advance(to: RingPoint(sequence: last, position: position))
        stages.linkBell.ring()
        stages.wakeReplication()
        recorder.record(nanos: UInt64(max(0, now - began)), at: now)
        committed = now
        isSettled = false
        if now > spaceCheck { lookAtSpace() }
    }

    /// Writes the CRC into each record, up to about `most` bytes; returns how many bytes those are.
    func seal(_ bytes: UnsafeRawBufferPointer, _ most: Int, _ last: inout UInt64) -> Int {
        // The journal thread owns the records between what is durable and the head.
        let records = unsafe UnsafeMutableRawBufferPointer(mutating: bytes)
        var offset = 0
        while offset < records.count, offset < most {
            let length = Int(unsafe records.load(fromByteOffset: offset, as: UInt32.self))
            if length == 0 { break }
            unsafe CRC32C.seal(
                record: UnsafeMutableRawBufferPointer(rebasing: records[offset..<offset + length]))
            unsafe last = records.load(fromByteOffset: offset + 8, as: UInt64.self)
            offset += length
        }
        return offset
    }

    mutating func lookAtSpace() {
        spaceCheck = Clock.monotonicNanos() + Self.spaceCheckNanos
        // Where it cannot be read, those who watch the exchange see none, and look; what commands
        // are taken stays as it was.
        stages.syncStats.diskFree.store(sink.freeBytes() ?? 0, ordering: .relaxed)
        stages.isBelowReserve.store(sink.isBelowReserve, ordering: .relaxed)
    }

    mutating func idle() throws(SinkError) {
        // Waking a thread takes longer than the next record often does to come.
        for _ in 0..<looks.most {
            if stages.log.head.now != position { return }
            Clock.relax()
        }
        let now = looks.sleep(
            stages.journalPark, isSettled ? Self.spaceCheckNanos : Self.settleNanos)
        if !isSettled, stages.log.head.now == position, now - committed >= Self.settleNanos {
            let released = stages.released.now
            sink.noteCommit(released)
            try sink.settle()
            isSettled = released == stages.durable.now.sequence
        }
        if now > spaceCheck { lookAtSpace() }
    }
}
