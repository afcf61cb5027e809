// Goal: the writer's faults are final and say what to do; a live reader follows it; full and
// read-only disks lose nothing.

import Failover
import Glibc
import Journal
import Platform
import Replica
import Terms
import Testing
import Wire

@Suite struct JournalWriterTests {
    @Test func `what is synced is durable, what is appended is not yet`() throws {
        let lab = try JournalLab()
        let sample = JournalSample(10)
        let writer = try lab.writer()
        try writer.append(sample.bytes(1...4))
        #expect(writer.lastSequence == 4)
        #expect(writer.durableSequence == 0)
        try writer.sync()
        #expect(writer.durableSequence == 4)
        try writer.append(sample.bytes(5...10))
        #expect(writer.durableSequence == 4)
    }

    @Test
    func `a live reader sees records when they are whole and knows how far they are released`()
        throws
    {
        let lab = try JournalLab()
        let sample = JournalSample(900)
        let reader = JournalReader(directory: lab.directory, from: 1, isLive: true)
        var seen: [[UInt8]] = []
        func read() throws {
            while try unsafe reader.next({ run in
                unsafe Records.forEach(run) { unsafe seen.append([UInt8]($1)) }
            }) {}
        }
        try read()
        #expect(seen.isEmpty)
        let writer = try lab.writer()
        for first in stride(from: 1, through: 900, by: 9) {
            try writer.append(sample.bytes(first...first + 8))
            try read()
            #expect(seen.count == first + 8)
            #expect(reader.commitPoint == first - 1)
            // Durable is not released.
            try writer.sync()
            try read()
            #expect(reader.commitPoint == first - 1)
            writer.noteCommit(UInt64(first + 8))
            try writer.settle()
            try read()
            #expect(reader.commitPoint == first + 8)
        }
        #expect(seen == sample.records)
    }

    @Test func `a reader stops at its limit`() throws {
        let lab = try JournalLab()
        let sample = JournalSample(40)
        try lab.write(sample, batch: 40)
        let reader = JournalReader(directory: lab.directory, from: 3)
        var count = 0
        while try unsafe reader.next(
            upTo: 17,
            { run in
                unsafe Records.forEach(run) { header, _ in count += 1 }
            })
        {}
        #expect(count == 15)
        #expect(reader.nextSequence == 18)
        var found: UInt64?
        let isThere = try unsafe reader.next(bytesMax: 1) {
            unsafe found = RecordHeader($0)?.sequence
        }
        #expect(isThere)
        #expect(found == 18)
        #expect(reader.nextSequence == 19)
    }

    @Test func `a live reader waits for a half record and takes it when it is whole`() throws {
        let lab = try JournalLab()
        let sample = JournalSample(6)
        try lab.write(JournalSample(5))
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.lastSequence == 5)
        let path = lab.scratch.segment(1)
        let bytes = try lab.scratch.bytes(path)
        // A mark's last bytes are zero while nothing is known to be released.
        let marks = stride(from: 4096, to: bytes.count, by: 8).filter {
            Array(bytes[$0..<$0 + 4]) == Array("SYN2".utf8)
        }
        let end = marks.last! + 24
        let file = try File(path, .write)
        let record = sample.records[5]
        let reader = JournalReader(directory: lab.directory, from: 6, isLive: true)
        try file.write(Array(record[..<40]), at: end)
        var found: [UInt8] = []
        while try unsafe reader.next({ unsafe found += $0 }) {}
        #expect(found.isEmpty)
        try file.write(record, at: end)
        while try unsafe reader.next({ unsafe found += $0 }) {}
        #expect(found == record)
    }

    @Test func `segments are made ahead and survive a restart unused`() throws {
        let lab = try JournalLab()
        let sample = JournalSample(1500)
        for zeroes in [false, true] {
            let options = JournalOptions(
                segmentBytes: 64 << 10, reserveBytes: 0, zeroesAhead: zeroes)
            let writer = try JournalWriter(
                recovered: Journal.recover(directory: lab.directory),
                identity: JournalSample.identity, options: options)
            while try writer.prepareNext() {}
            let first = Int(writer.lastSequence) + 1
            for sequence in first..<first + 700 {
                try writer.append(sample.bytes(sequence...sequence))
                if sequence % 50 == 0 {
                    try writer.sync()
                    _ = try writer.prepareNext()
                }
            }
            try writer.sync()
        }
        #expect(try lab.read() == Array(sample.records[..<1400]))
    }

    /// The first byte from `offset` on of which the disk holds nothing.
    private static func hole(_ path: String, from offset: Int) throws -> Int {
        let seekHole: Int32 = 4
        let file = try File(path, .read)
        let found = withExtendedLifetime(file) {
            lseek(file.descriptor, off_t(offset), seekHole)
        }
        guard found >= 0 else { throw SystemError.last("look for a hole in", path) }
        return Int(found)
    }

    @Test func `a journal begins in a segment that is written to its end`() throws {
        let state = try JournalState()
        let options = JournalOptions(segmentBytes: 1 << 20, reserveBytes: 0)
        _ = try Journal.begin(
            state.place, limits: .small, snapshots: state.snapshots, options: options)
        #expect(try Self.hole(state.journal + "/00000000000000000001.seg", from: 0) == 1 << 20)
    }

    @Test func `zeros go ahead of small writes where a segment has none, and over nothing`() throws
    {
        let lab = try JournalLab()
        let options = JournalOptions(segmentBytes: 9 << 20, reserveBytes: 0)
        let sample = JournalSample(1)
        var written =
            sample.bytes(1...1) + JournalState.ticks(after: sample.point(), 40, bytes: 4000)
        func write(_ writer: JournalWriter, _ count: Int, bytes: Int) throws {
            let records = JournalState.ticks(after: writer.last, count, bytes: bytes)
            try writer.append(records)
            try writer.sync()
            written += records
        }
        func recovered() throws -> JournalWriter {
            try JournalWriter(
                recovered: Journal.recover(directory: lab.directory),
                identity: JournalSample.identity, options: options)
        }
        func hole() throws -> Int { try Self.hole(lab.scratch.segment(1), from: 0) }
        var writer = try recovered()
        // Of much at once the metadata are little: nothing goes ahead of it.
        try writer.append(written)
        try writer.sync()
        #expect(try hole() < 1 << 20)
        try write(writer, 1, bytes: 200)
        let first = try hole()
        #expect(first >= 4 << 20 && first < 5 << 20)
        // Nothing more as long as there are some, and the same again behind them.
        var small = 0
        while try hole() == first {
            try write(writer, 10, bytes: 4000)
            small += 1
        }
        #expect(small > 90)
        #expect(try hole() >= 8 << 20)
        // What an earlier process left behind its last record is not known.
        writer = try recovered()
        try write(writer, 10, bytes: 4000)
        #expect(try hole() == 9 << 20)
        while try SegmentCount(lab.directory).count < 2 { try write(writer, 10, bytes: 4000) }
        let reader = JournalReader(directory: lab.directory, from: 1)
        var read: [UInt8] = []
        while try unsafe reader.next({ unsafe read += $0 }) {}
        #expect(read == written)
    }

    private struct SegmentCount {
        let count: Int
        init(_ directory: String) throws {
            count = try Directory.names(in: directory).count { $0.hasSuffix(".seg") }
        }
    }

    @Test func `records that cannot follow are refused, and nothing of them is written`() throws {
        let lab = try JournalLab()
        let sample = JournalSample(20)
        let writer = try lab.writer()
        try writer.append(sample.bytes(1...4))
        try writer.sync()
        func refusal(_ bytes: [UInt8], isForeign: Bool = false) -> String {
            let error = journalError { try writer.append(bytes, isForeign: isForeign) }
            guard case .refused(_, let detail) = error else {
                return "\(String(describing: error))"
            }
            return detail
        }
        func changed(_ at: Int, _ value: UInt8) -> [UInt8] {
            var record = sample.records[4]
            record[at] = value
            unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
            return record
        }
        #expect(refusal(sample.bytes(6...7)) == "the record there says it is 6")
        #expect(refusal(sample.bytes(5...6) + sample.bytes(8...8)).hasSuffix("says it is 8"))
        #expect(refusal(Array(sample.records[4].dropLast(8))) == "it is not whole")
        #expect(refusal([1, 2, 3]) == "it is not whole")
        #expect(refusal([UInt8](repeating: 0xFF, count: 4096)) == "it is not whole")
        #expect(refusal(changed(23, 0)) == "its time or epoch is before the record before it")
        #expect(refusal(changed(24, 0)) == "its time or epoch is before the record before it")
        #expect(refusal(changed(24, 2)) == "its epoch rises without an epoch record")
        var bad = sample.records[4]
        bad[60] ^= 1
        #expect(refusal(bad, isForeign: true) == "the checksum is wrong")
        #expect(!writer.isStopped)
        #expect(writer.lastSequence == 4)
        try writer.append(sample.bytes(5...20), isForeign: true)
        try writer.sync()
        #expect(writer.last == sample.point())
        #expect(try lab.read() == sample.records)
    }

    @Test func `a second instance reports who holds the state`() throws {
        let scratch = try JournalScratch()
        let lock = try StateLock(directory: scratch.path)
        do {
            _ = try StateLock(directory: scratch.path)
            Issue.record("the state was taken twice")
        } catch {
            #expect(error == .held(path: scratch.file("lock"), pid: getpid()))
            #expect(error.description.contains("process \(getpid())"))
        }
        withExtendedLifetime(lock) {}
    }
}

/// A file system of its own, in memory.
final class JournalDisk {
    let scratch: JournalScratch
    var path: String { scratch.path }

    init(bytes: Int) throws {
        scratch = try JournalScratch()
        let result = unsafe mount("tmpfs", scratch.path, "tmpfs", 0, "size=\(bytes)")
        if result != 0 {
            Issue.record(
                """
                no file system can be mounted here (\(SystemError.last("mount", scratch.path))): \
                run the tests as root, or in a container with CAP_SYS_ADMIN
                """)
            throw SystemError.last("mount", scratch.path)
        }
    }

    func makeReadOnly() throws {
        let result = unsafe mount(
            "tmpfs", scratch.path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil)
        guard result == 0 else { throw SystemError.last("remount", scratch.path) }
    }

    /// Takes all of its space.
    func fill() throws {
        let file = try File(scratch.file("other-data"), .create)
        var offset = 0
        do throws(SystemError) {
            while true {
                try file.write([UInt8](repeating: 1, count: 4096), at: offset)
                offset += 4096
            }
        } catch { #expect(error.isFull) }
        #expect(try Directory.freeBytes(path) == 0)
    }

    deinit { _ = unsafe umount2(scratch.path, Int32(MNT_DETACH)) }
}

@Suite(.serialized) struct JournalDiskTests {
    @Test func `a full disk uses its reserve, then stops with what to do, and loses nothing`()
        throws
    {
        let disk = try JournalDisk(bytes: 512 << 10)
        let sample = JournalSample(6000)
        let writer = try JournalWriter(
            recovered: Journal.recover(directory: disk.path), identity: JournalSample.identity,
            options: JournalOptions(
                segmentBytes: 64 << 10, reserveBytes: 200 << 10, zeroesAhead: true))
        var durable = 0
        var atReserve: Int?
        var fault: JournalError?
        for sequence in 1...6000 {
            fault = journalError {
                _ = try writer.prepareNext()
                _ = try writer.checkSpace()
                try writer.append(sample.bytes(sequence...sequence))
                try writer.sync()
            }
            if fault != nil { break }
            durable = sequence
            if writer.isBelowReserve, atReserve == nil { atReserve = sequence }
        }
        let error = try #require(fault)
        #expect(error.description.contains("free space"))
        #expect(error.description.contains(disk.path))
        // The warning came with room for at least another segment of cancels.
        let warned = try #require(atReserve)
        #expect(durable - warned > 300)
        #expect(journalError { try writer.append(sample.bytes(1...1)) } == .stopped)
        #expect(journalError { try writer.sync() } == .stopped)
        let recovered = try Journal.recover(directory: disk.path)
        #expect(recovered.lastSequence == UInt64(durable))
    }

    @Test func `on a full disk a torn end is kept in the place of a prepared segment`() throws {
        let disk = try JournalDisk(bytes: 512 << 10)
        func ready() throws -> [String] {
            try Directory.names(in: disk.path).filter { $0.hasPrefix("ready") }
        }
        let writer = try JournalWriter(
            recovered: Journal.recover(directory: disk.path), identity: JournalSample.identity,
            options: JournalLab.options)
        while try writer.prepareNext() {}
        #expect(try ready() == ["ready-a", "ready-b"])
        let image = try JournalRecoveryTests.Image(60, batch: 60)
        let (torn, index) = try image.torn()
        try disk.scratch.put(torn, disk.scratch.segment(1))
        try disk.fill()
        let recovered = try Journal.recover(directory: disk.path)
        #expect(recovered.lastSequence == UInt64(index))
        let cut = try #require(recovered.cut)
        let kept = try #require(try CutTail.list(disk.path).first)
        #expect(kept.first == UInt64(index + 1))
        #expect(
            try disk.scratch.bytes(kept.path).dropFirst(512)
                == torn[cut.offset..<cut.offset + cut.bytes])
        #expect(try ready() == ["ready-a"])
        // And it goes on.
        let next = try JournalWriter(recovered: recovered, options: JournalLab.options)
        try next.append(image.sample.bytes(index + 1...60))
        try next.sync()
        #expect(try Journal.recover(directory: disk.path).lastSequence == 60)
    }

    @Test func `what a start writes over takes no space, and is whole`() throws {
        let disk = try JournalDisk(bytes: 64 << 10)
        let (process, replica) = (disk.scratch.file("process"), disk.scratch.file("replica"))
        var file = ReplicaFile(identity: JournalSample.identity)
        try file.store(replica)
        file.promise = 1
        try file.store(replica)
        let first = try ProcessNumber.next(process)
        withExtendedLifetime(try StateLock(directory: disk.path)) {}
        try disk.fill()
        for count in 1...20 {
            withExtendedLifetime(try StateLock(directory: disk.path)) {}
            #expect(try ProcessNumber.next(process).number == first.number + UInt64(count))
            file.promise += 1
            try file.store(replica)
            #expect(try ReplicaFile(replica) == file)
        }
        #expect(try Directory.freeBytes(disk.path) == 0)
    }

    @Test func `a disk without room for the first segment is reported`() throws {
        let disk = try JournalDisk(bytes: 32 << 10)
        let writer = try JournalWriter(
            recovered: Journal.recover(directory: disk.path), options: JournalLab.options)
        let error = journalError { try writer.append(JournalSample(1).bytes(1...1)) }
        #expect(error?.description.contains("free space") == true)
        #expect(try writer.prepareNext() == false)
        #expect(writer.isBelowReserve)
    }

    @Test func `a read-only disk is reported and left unchanged`() throws {
        let disk = try JournalDisk(bytes: 1 << 20)
        try Self.write(JournalSample(30), disk.path)
        try disk.makeReadOnly()
        let error = journalError { _ = try Journal.recover(directory: disk.path) }
        #expect(error?.description.contains("read-only") == true)
        #expect(try Journal.inspect(directory: disk.path).lastSequence == 30)
    }

    /// Writes a sample; nothing is open for writing afterwards, which would keep a file system from
    /// turning read-only.
    static func write(_ sample: JournalSample, _ directory: String) throws {
        let writer = try JournalWriter(
            recovered: Journal.recover(directory: directory), identity: JournalSample.identity,
            options: JournalLab.options)
        try writer.append(sample.bytes(1...sample.records.count))
        try writer.sync()
    }

    @Test func `a snapshot keeps its distance from a full disk`() throws {
        let disk = try JournalDisk(bytes: 256 << 10)
        let store = SnapshotStore(directory: disk.path)
        let error = journalError {
            try store.write(JournalSample(100), keepFree: 1 << 30)
        }
        #expect(error?.description.contains("free space") == true)
        #expect(try Directory.names(in: disk.path).isEmpty)
    }
}
