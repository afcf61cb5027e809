// Where the records of a primary come into the pipeline of a host that follows.

import Glibc
public import Journal
import Link
import Platform
import Synchronization
import Terms
import Wire

/// Takes the records of a primary into the log of a pipeline that follows: from there the journal
/// thread makes them durable, and the engine thread applies what the primary has released.
///
/// One thread uses it, from `Pipeline.start` until `Pipeline.lead` is called.
public final class StandbyIntake: @unchecked Sendable {
    // Unchecked: the fields belong to the thread that uses it.
    private let stages: Stages
    private var position: UInt64
    private var last: LogPoint

    /// The intake of a pipeline that follows, whose journal ends with `last`.
    public init(_ pipeline: Pipeline, after last: LogPoint) {
        stages = pipeline.stages
        position = stages.log.head.now
        self.last = last
    }

    /// The last record that came.
    public var end: LogPoint { last }

    /// Takes whole records, which follow those before and whose CRCs are right. Waits for room
    /// where the disk or the engine has fallen far behind, up to `timeoutNanos`; throws then, after
    /// a fault, and for a record that cannot follow, of which it takes none. What was taken before
    /// the throw stays.
    public func append(
        _ records: UnsafeRawBufferPointer, timeoutNanos: Int64 = 10_000_000_000
    ) throws(SinkError) {
        var offset = 0
        while offset < records.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: records[offset...])
            guard let header = unsafe RecordHeader(rest), Int(header.length) <= rest.count,
                header.length >= RecordHeader.size, header.length <= Limits.recordBytesMax,
                header.length & 7 == 0, header.sequence == last.sequence + 1,
                header.epoch >= last.epoch
            else {
                throw SinkError("a record that cannot follow record \(last) came from the primary")
            }
            let length = Int(header.length)
            let record = unsafe UnsafeRawBufferPointer(rebasing: rest[..<length])
            guard unsafe CRC32C.record(record) == header.crc else {
                throw SinkError(
                    "record \(header.sequence) came damaged from the primary: its CRC is wrong")
            }
            let start = stages.log.place(position, length)
            try waitForRoom(until: start + UInt64(length), timeoutNanos)
            unsafe stages.log.room(position, length).copyMemory(from: record)
            position = start + UInt64(length)
            last = LogPoint(header)
            offset += length
            stages.log.head.advance(to: position)
        }
        stages.journalPark.unpark()
    }

    private func waitForRoom(until end: UInt64, _ timeoutNanos: Int64) throws(SinkError) {
        let size = UInt64(stages.log.size)
        var deadline: Int64 = 0
        while true {
            let used = min(
                stages.durable.now.position, stages.retained.now, stages.senderPosition.now,
                stages.enginePosition.now)
            if end <= used || end - used <= size { return }
            let now = Clock.monotonicNanos()
            if deadline == 0 { deadline = now + timeoutNanos }
            guard now < deadline, !stages.hasFailed.load(ordering: .acquiring),
                !stages.isStopping.load(ordering: .acquiring)
            else { throw SinkError("the log has no room: disk or engine are too far behind") }
            stages.journalPark.unpark()
            stages.linkBell.ring()
            stages.sequencerPark.unpark()
            Clock.sleep(nanos: 100_000)
        }
    }
}

extension Stages {
    /// Puts whole records into the log that are on disk already. Before the threads start.
    func preload(_ tail: [UInt8]) {
        enginePosition.advance(to: 0)
        var position: UInt64 = 0
        var last = durable.now.sequence
        unsafe tail.withUnsafeBytes { bytes in
            unsafe Records.forEach(bytes) { header, record in
                let start = log.place(position, record.count)
                precondition(
                    start + UInt64(record.count) <= UInt64(log.size), "the tail fits the ring")
                unsafe log.room(position, record.count).copyMemory(from: record)
                position = start + UInt64(record.count)
                last = header.sequence
            }
        }
        log.head.advance(to: position)
        sealedPosition.advance(to: position)
        durable.advance(to: RingPoint(sequence: last, position: position))
    }
}
