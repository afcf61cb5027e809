// One host's journal in a directory, and the records that tests write.

import Failover
import Glibc
import Journal
import Pipeline
import Platform
import Synchronization
import Terms
import Wire

/// A record with its checksum.
func makeRecord(_ sequence: UInt64, epoch: UInt32, salt: UInt64 = 0) -> [UInt8] {
    let header = RecordHeader(
        sequence: sequence, timestamp: 1_700_000_000_000_000_000 + Int64(sequence), epoch: epoch,
        kind: .hashMark)
    return sealed(HashMark(eventHash: sequence &* 0x9E37_79B9_7F4A_7C15 ^ salt).recordBytes(header))
}

/// The first record of a term.
func makeEpochMark(_ sequence: UInt64, epoch: UInt32, salt: UInt64 = 0) -> [UInt8] {
    let header = RecordHeader(
        sequence: sequence, timestamp: 1_700_000_000_000_000_000 + Int64(sequence), epoch: epoch,
        kind: .epochMark)
    return sealed(
        EpochMark(
            priorEpoch: epoch - 1, cause: .genesis, commitPoint: 0, eventHash: salt
        ).recordBytes(header))
}

/// The log's first record.
func makeGenesis() -> [UInt8] {
    let header = RecordHeader(
        sequence: 1, timestamp: 1_700_000_000_000_000_001, epoch: 1, kind: .genesis)
    return sealed(
        Genesis(
            limits: .small, journalHigh: ReplicaDisk.identity.high,
            journalLow: ReplicaDisk.identity.low, hashKeyHigh: 11, hashKeyLow: 13
        ).recordBytes(header))
}

private func sealed(_ record: [UInt8]) -> [UInt8] {
    var record = record
    unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
    return record
}

/// The point of a record.
func makePoint(_ record: [UInt8]) -> LogPoint {
    unsafe record.withUnsafeBytes { unsafe LogPoint(RecordHeader($0)!) }
}

/// Runs a call that throws typed errors over bytes.
func withBytes<R, E>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(E) -> R
) throws(E) -> R {
    let result: Result<R, E> = unsafe bytes.withUnsafeBytes { raw in
        do throws(E) { return .success(unsafe try body(raw)) } catch { return .failure(error) }
    }
    return try result.get()
}

/// A journal's directory with its guards, which outlives the processes that write it.
final class ReplicaDisk: Sendable {
    static let identity = JournalIdentity(high: 0x0123_4567_89AB_CDEF, low: 0x0FED_CBA9_8765_4321)
    static let options = JournalOptions(
        segmentBytes: 64 << 10, reserveBytes: 0, zeroesAhead: false)

    let scratch: TestPlace
    let place: JournalPlace
    let replica: ReplicaID
    let cluster: UInt64
    let options: JournalOptions

    init(_ options: JournalOptions = ReplicaDisk.options, cluster: UInt64 = 0) throws {
        scratch = try TestPlace()
        (self.options, self.cluster) = (options, cluster)
        replica = .random()
        place = JournalPlace(directory: scratch.path + "/journal", state: scratch.path + "/state")
        try Directory.create(place.directory)
        try Directory.create(place.state)
        try ReplicaFile(identity: Self.identity, replica: replica).store(place.replicaFile)
    }

    /// Its writer, of a process that starts now.
    func open(behind start: (point: LogPoint, timestamp: Int64)? = nil) throws -> JournalWriter {
        try JournalWriter(
            recovered: Journal.recover(directory: place.directory), identity: Self.identity,
            replica: replica, behind: start, place: place, options: options)
    }

    /// Writes records of `epoch` up to `last`, behind what is there; the term begins with its mark.
    func write(upTo last: UInt64, epoch: UInt32 = 1, salt: UInt64 = 0, commit: UInt64 = 0) throws {
        let writer = try open()
        while writer.lastSequence < last {
            let next = writer.lastSequence + 1
            let record =
                next == 1
                ? makeGenesis()
                : epoch > writer.last.epoch
                    ? makeEpochMark(next, epoch: epoch, salt: salt)
                    : makeRecord(next, epoch: epoch, salt: salt)
            unsafe try withBytes(record) { bytes throws(JournalError) in
                unsafe try writer.append(bytes)
            }
        }
        writer.noteCommit(commit)
        try writer.sync()
        try writer.settle()
    }

    /// All its records, as they lie on disk.
    func records(from first: UInt64 = 1) throws -> [[UInt8]] {
        let reader = JournalReader(directory: place.directory, from: first)
        var records: [[UInt8]] = []
        while try unsafe reader.next({ run in
            unsafe Records.forEach(run) { unsafe records.append([UInt8]($1)) }
        }) {}
        return records
    }

    /// The files that cuts left.
    func cuts() -> [String] {
        ((try? Directory.names(in: place.directory + "/cut")) ?? []).sorted()
    }
}

/// Reads a journal on disk as both sides do.
final class DiskReader: RecordReader {
    private let reader: JournalReader
    init(_ directory: String, _ sequence: UInt64) {
        reader = JournalReader(
            directory: directory, from: sequence, identity: ReplicaDisk.identity, isLive: true)
    }

    func next(
        upTo: UInt64, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(SinkError) -> Bool {
        do throws(JournalError) {
            return try unsafe reader.next(upTo: upTo, bytesMax: bytesMax, body)
        } catch { throw SinkError(error) }
    }
}
