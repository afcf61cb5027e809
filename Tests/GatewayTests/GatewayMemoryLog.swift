// A log in memory for the real pipeline.

import Glibc
import Link
import Pipeline
import Synchronization

/// A log in memory, for a pipeline to append to and for followers to read.
final class MemoryLog: LogSink, LogArchive {
    private let records = Mutex<[[UInt8]]>([])
    /// While set, nothing becomes durable.
    let isStalled = Atomic<Bool>(false)
    /// While set, only cancels are taken.
    let isFull = Atomic<Bool>(false)

    func append(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        records.withLock { records in
            let isWhole = unsafe LinkRecords.forEachRecord(bytes) { _, record in
                unsafe records.append(Array(record))
            }
            precondition(isWhole, "whole records are appended")
        }
    }

    func sync() throws(SinkError) {
        while isStalled.load(ordering: .acquiring) { usleep(1_000) }
    }

    func noteCommit(_ sequence: UInt64) {}
    func settle() throws(SinkError) {}
    func freeBytes() -> UInt64? { 1 << 40 }
    var isBelowReserve: Bool { isFull.load(ordering: .acquiring) }

    func snapshot(atMost: UInt64) -> ArchivedSnapshot? { nil }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        Reader(self, sequence)
    }

    func record(_ sequence: UInt64) -> [UInt8]? {
        records.withLock { Int(sequence) <= $0.count ? $0[Int(sequence) - 1] : nil }
    }

    private final class Reader: RecordReader {
        let log: MemoryLog
        var sequence: UInt64

        init(_ log: MemoryLog, _ sequence: UInt64) { (self.log, self.sequence) = (log, sequence) }

        func next(
            upTo: UInt64, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Void
        ) throws(SinkError) -> Bool {
            var run: [UInt8] = []
            while sequence <= upTo, run.count < bytesMax, let record = log.record(sequence) {
                run += record
                sequence += 1
            }
            if run.isEmpty { return false }
            unsafe run.withUnsafeBytes { unsafe body($0) }
            return true
        }
    }
}
