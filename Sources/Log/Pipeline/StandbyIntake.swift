// Where the records of a primary come into the pipeline of a host that follows.

import Glibc
public import Journal
import Link
public import Platform
import Synchronization
import Terms
import Wire

/// Takes a primary's records into the log of a pipeline that follows: the journal thread makes them
/// durable, and the engine thread applies those that the primary has released.
///
/// One thread at a time uses it, and none once `Pipeline.lead` is called.
public final class StandbyIntake: @unchecked Sendable {
    // Unchecked: the fields belong to the thread that uses it.
    private let stages: Stages
    private let journal: (high: UInt64, low: UInt64)
    private var position: UInt64
    /// The last record that came.
    public private(set) var end: LogPoint
    /// That record's time.
    public private(set) var timestamp: Int64

    /// The intake of a pipeline that follows, whose journal ends with `last`.
    public init(_ pipeline: Pipeline, after last: LogPoint, timestamp: Int64) {
        (stages, journal) = (pipeline.stages, pipeline.journal)
        position = stages.log.head.now
        (end, self.timestamp) = (last, timestamp)
    }

    /// Takes whole records that follow those before. Returns false, and takes none, while disk or
    /// engine are so far behind that there is no room: try again when `bell` has rung. Throws, and
    /// takes none, if a record cannot follow, its CRC is wrong, or an operator's signature in it is
    /// none: the primary has checked that as well, and is not believed.
    public func append(_ records: UnsafeRawBufferPointer) throws(SinkError) -> Bool {
        let (head, next) = try unsafe check(records)
        guard hasRoom(until: head) else { return false }
        var offset = 0
        while offset < records.count {
            let length = Int(unsafe records.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let record = unsafe UnsafeRawBufferPointer(rebasing: records[offset..<offset + length])
            let start = stages.log.place(position, length)
            unsafe stages.log.room(position, length).copyMemory(from: record)
            position = start + UInt64(length)
            offset += length
        }
        if let next { (end, timestamp) = (LogPoint(next), next.timestamp) }
        stages.log.head.advance(to: position)
        stages.journalPark.unpark()
        return true
    }

    /// Rings when more is durable, when room came free and after a fault.
    public var bell: Doorbell { stages.standbyBell }

    /// The ring's head behind these records, and the last of them.
    private func check(
        _ records: UnsafeRawBufferPointer
    ) throws(SinkError) -> (head: UInt64, last: RecordHeader?) {
        var (head, next, offset) = (position, RecordHeader?.none, 0)
        while offset < records.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: records[offset...])
            guard let header = unsafe RecordHeader(remainder),
                Int(header.length) <= remainder.count,
                header.length >= RecordHeader.size, header.length <= Limits.recordBytesMax,
                header.length & 7 == 0,
                header.sequence == (next?.sequence ?? end.sequence) + 1,
                header.epoch >= next?.epoch ?? end.epoch,
                header.timestamp >= next?.timestamp ?? timestamp
            else {
                throw SinkError(
                    "a record that cannot follow record \(next.map { LogPoint($0) } ?? end) came "
                        + "from the primary")
            }
            let length = Int(header.length)
            guard
                unsafe CRC32C.record(UnsafeRawBufferPointer(rebasing: remainder[..<length]))
                    == header.crc
            else {
                throw SinkError(
                    "record \(header.sequence) came damaged from the primary: its CRC is wrong")
            }
            guard
                unsafe SealCheck.isSound(
                    header, UnsafeRawBufferPointer(rebasing: remainder[..<length]), of: journal)
            else {
                throw SinkError(
                    """
                    record \(header.sequence) came from the primary with a signature of an \
                    operator that is none: do not fail over to that host, and run `boursectl audit \
                    verify` on both
                    """)
            }
            head = stages.log.place(head, length) + UInt64(length)
            next = header
            offset += length
        }
        return (head, next)
    }

    private func hasRoom(until end: UInt64) -> Bool {
        let used = min(
            stages.durable.now.position, stages.retained.now, stages.senderPosition.now,
            stages.enginePosition.now)
        return end <= used || end - used <= UInt64(stages.log.size)
    }
}

extension Stages {
    /// Puts whole records that are on disk already into the log, before the threads start.
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
