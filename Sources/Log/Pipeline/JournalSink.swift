// The pipeline's side of the journal on disk.

public import Journal
public import Platform
import Synchronization

/// What a journal's sink cannot do while it goes on.
public struct JournalSinkFaults: Hashable, Sendable {
    /// Why no segment can be prepared; nil: they are, or the disk is full, which is below the
    /// reserve. Once those that are ready are used up, each new one is made by the next append.
    public var segments: JournalError?
    /// Why free space cannot be read; nil: it is.
    public var space: JournalError?

    /// None.
    public init() {}
}

/// Appends to a journal on disk, and keeps segments ready ahead of need in a thread of its own.
public final class JournalSink: LogSink, Sendable {
    private let writer: JournalWriter
    private let supply: Supply
    /// Why free space could not be read when it was looked at last.
    private let spaceFault = Mutex<JournalError?>(nil)

    /// The thread that makes segments.
    private final class Supply: Sendable {
        let isStopping = Atomic<Bool>(false)
        let parking = Parking()

        /// Why the last attempt failed; nil: it did not.
        let fault = Mutex<JournalError?>(nil)

        func run(_ writer: JournalWriter) {
            while !isStopping.load(ordering: .acquiring) {
                // A full disk shows in `isBelowReserve`, a failing one at the next append as well.
                var isMade = false
                do throws(JournalError) {
                    isMade = try writer.prepareNext()
                    // What ended the writer stays its reason.
                    if !writer.isStopped { fault.withLock { $0 = nil } }
                } catch { fault.withLock { $0 = error } }
                if !isMade { parking.park(timeoutNanos: 100_000_000) }
            }
        }
    }
    private let thread: PinnedThread

    /// Takes the writer; nobody else appends or syncs from here on.
    public init(_ writer: JournalWriter) throws(SystemError) {
        self.writer = writer
        let supply = Supply()
        self.supply = supply
        thread = try PinnedThread.start(name: "segments") { supply.run(writer) }
    }

    /// Ends the thread that makes segments. After the pipeline has stopped.
    public func close() {
        supply.isStopping.store(true, ordering: .releasing)
        supply.parking.unpark()
        thread.join()
    }

    /// Writes whole records.
    public func append(_ records: UnsafeRawBufferPointer) throws(SinkError) {
        do throws(JournalError) { unsafe try writer.append(records) } catch {
            throw SinkError(error)
        }
    }

    /// Makes all that was written durable.
    public func sync() throws(SinkError) {
        do throws(JournalError) { try writer.sync() } catch { throw SinkError(error) }
    }

    /// All up to `sequence` is released: marks carry it from then on. For any thread.
    public func noteCommit(_ sequence: UInt64) { writer.noteCommit(sequence) }

    /// Writes a durable mark where the commit point moved since the last one; for the thread that
    /// appends, within 100 ms after its last work.
    public func settle() throws(SinkError) {
        do throws(JournalError) { try writer.settle() } catch { throw SinkError(error) }
    }

    /// Free bytes on the disk, nil if that cannot be read; updates `isBelowReserve`.
    public func freeBytes() -> UInt64? {
        do throws(JournalError) {
            let free = try writer.checkSpace()
            spaceFault.withLock { $0 = nil }
            return UInt64(max(0, free))
        } catch {
            spaceFault.withLock { $0 = error }
            return nil
        }
    }

    /// What it cannot do now. For any thread.
    public var faults: JournalSinkFaults {
        var faults = JournalSinkFaults()
        faults.segments = supply.fault.withLock { $0 }
        faults.space = spaceFault.withLock { $0 }
        return faults
    }

    /// Whether free space is below the reserve.
    public var isBelowReserve: Bool { writer.isBelowReserve }
}

extension SinkError {
    /// The journal's fault.
    public init(_ error: JournalError) {
        self.init(
            error.description, isDiskFault: error.isDiskFault, isFull: error.isFull)
    }
}

/// Reads a journal on disk for followers.
public final class JournalHistory: LogArchive {
    private let directory: String
    private let snapshots: SnapshotStore
    private let identity: JournalIdentity
    /// The snapshot that was asked for last.
    private let opened = Mutex<SnapshotReader?>(nil)
    /// Why the snapshots could not be looked through; nil: they were.
    private let lastFault = Mutex<JournalError?>(nil)

    /// The journal and the snapshots of a state directory.
    public init(directory: String, snapshots: SnapshotStore, identity: JournalIdentity) {
        (self.directory, self.snapshots, self.identity) = (directory, snapshots, identity)
    }

    /// Why the snapshots could not be looked through when one was asked for last; nil: they were.
    /// Followers then begin at the log's first record, if that is kept.
    public var fault: JournalError? { lastFault.withLock { $0 } }

    /// The newest whole snapshot. It is read through once to check it; callers that get the same
    /// snapshot share the file.
    public func snapshot(atMost: UInt64) -> ArchivedSnapshot? {
        let newest = opened.withLock { opened -> SnapshotReader? in
            do throws(JournalError) {
                let found = try snapshots.openNewest(
                    atMost: atMost, identity: identity, known: opened)
                lastFault.withLock { $0 = nil }
                if let found { opened = found }
                return found
            } catch {
                lastFault.withLock { $0 = error }
                return nil
            }
        }
        guard let newest else { return nil }
        let info = newest.info
        return ArchivedSnapshot(
            sequence: info.sequence, time: info.timestamp, epoch: info.epoch, crc: info.recordCRC,
            stateHash: info.stateHash, count: info.bodyBytes
        ) { offset, count throws(SinkError) in
            do throws(JournalError) {
                return try newest.read(count: count, at: offset)
            } catch { throw SinkError(error) }
        }
    }

    /// A reader that follows what is written.
    public func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        Reader(
            JournalReader(directory: directory, from: sequence, identity: identity, isLive: true))
    }

    private final class Reader: RecordReader {
        private let reader: JournalReader
        init(_ reader: JournalReader) { self.reader = reader }

        func next(
            upTo: UInt64, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Void
        ) throws(SinkError) -> Bool {
            do throws(JournalError) {
                return try unsafe reader.next(upTo: upTo, bytesMax: bytesMax, body)
            } catch { throw SinkError(error) }
        }
    }
}
