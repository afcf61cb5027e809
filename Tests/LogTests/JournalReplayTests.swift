// Goal: a restart gives the state that was there: from the log, from a snapshot and the log, with
// voided records passed over; and it says where it can't.

import Engine
import Glibc
import Journal
import Platform
import Terms
import Testing
import Wire

@Suite struct JournalReplayTests {
    /// A state directory's two parts.
    static func place() throws -> (JournalLab, SnapshotStore) {
        let lab = try JournalLab()
        let directory = lab.scratch.file("snapshots")
        try Directory.create(directory)
        return (lab, SnapshotStore(directory: directory))
    }

    @Test func `a replay gives the engine that wrote the log`() throws {
        let (lab, snapshots) = try Self.place()
        let sample = JournalSample(1500)
        try lab.write(sample, batch: 10)
        let work = WorkProgress()
        let engine = try Journal.restore(
            Journal.recover(directory: lab.directory), snapshots: snapshots,
            mark: lab.scratch.file("recovery.mark"), work: work)
        let original = sample.engine()
        #expect(engine.sequence == 1500)
        #expect(engine.eventHash == original.eventHash)
        #expect(engine.stateHash() == original.stateHash())
        #expect(work.count == 1500)
        #expect(work.text.hasPrefix("replaying 1500 of 1500 records, 100 %, "))
        #expect(!Directory.exists(lab.scratch.file("recovery.mark")))
    }

    @Test func `a replay starts from the newest whole snapshot`() throws {
        let (lab, snapshots) = try Self.place()
        let sample = JournalSample(1500)
        try lab.write(sample, batch: 10)
        for last in [300, 700, 1100] {
            let info = try snapshots.write(sample, upTo: last)
            #expect(info.sequence == UInt64(last))
        }
        // The newest is damaged in its body, so the one before is taken, with a word about it.
        let path = snapshots.path(1100)
        var bytes = try lab.scratch.bytes(path)
        bytes[500] ^= 1
        try lab.scratch.put(bytes, path)
        var reports: [String] = []
        let recovered = try Journal.recover(
            directory: lab.directory, scanFrom: Journal.scanStart(snapshots))
        let engine = try Journal.restore(
            recovered, snapshots: snapshots, report: { reports.append($0) })
        #expect(engine.stateHash() == sample.engine().stateHash())
        #expect(reports.contains { $0.contains("body is damaged") })
        #expect(reports.contains("snapshot of sequence 700"))
        let early = try Journal.restore(recovered, snapshots: snapshots, through: 500)
        #expect(early.sequence == 500)
        #expect(early.stateHash() == sample.engine(upTo: 500).stateHash())
    }

    @Test func `a journal whose beginning was archived needs a snapshot`() throws {
        let (lab, snapshots) = try Self.place()
        let sample = JournalSample(1500)
        try lab.write(sample, batch: 10)
        try snapshots.write(sample, upTo: 900)
        try Directory.remove(lab.scratch.segment(1))
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.firstSequence > 1)
        let engine = try Journal.restore(recovered, snapshots: snapshots)
        #expect(engine.stateHash() == sample.engine().stateHash())
        try Directory.remove(snapshots.path(900))
        let error = journalError { _ = try Journal.restore(recovered, snapshots: snapshots) }
        #expect(error == .noSnapshot(directory: lab.directory, first: recovered.firstSequence))
    }

    @Test func `a snapshot behind the journal's end stops start-up`() throws {
        let (lab, snapshots) = try Self.place()
        try lab.write(JournalSample(100))
        try snapshots.write(JournalSample(120))
        let recovered = try Journal.recover(directory: lab.directory)
        let error = journalError { _ = try Journal.restore(recovered, snapshots: snapshots) }
        #expect(
            error == .snapshotAhead(file: snapshots.path(120), sequence: 120, lastGood: 100))
    }

    @Test func `a voided record is passed over on every replay`() throws {
        let (lab, snapshots) = try Self.place()
        var sample = JournalSample(60)
        sample.add(
            VoidSequence(
                sequence: 30, audit: Audit(operatorName: Text40("alice")!, reason: "stops it")))
        try lab.write(sample)
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.voided.all == [30])
        let engine = try Journal.restore(recovered, snapshots: snapshots)
        #expect(engine.stateHash() == sample.engine(voided: [30]).stateHash())
        #expect(engine.stateHash() != sample.engine().stateHash())
    }

    @Test func `a hash mark that is not the engine's stops the replay`() throws {
        let (lab, snapshots) = try Self.place()
        var sample = JournalSample(50)
        sample.add(HashMark(eventHash: sample.engine().eventHash))
        for _ in 0..<20 { sample.add(sample.order()) }
        sample.add(HashMark(eventHash: sample.engine().eventHash ^ 1))
        for _ in 0..<20 { sample.add(sample.order()) }
        try lab.write(sample, batch: 8)
        let recovered = try Journal.recover(directory: lab.directory)
        let error = journalError { _ = try Journal.restore(recovered, snapshots: snapshots) }
        #expect(error == .diverged(sequence: 72))
    }

    @Test func `recovery that dies twice at one record names it, and continues once it is voided`()
        async throws
    {
        let (lab, snapshots) = try Self.place()
        var sample = JournalSample(40)
        try lab.write(sample)
        let (directory, mark) = (lab.directory, lab.scratch.file("recovery.mark"))
        for _ in 1...2 {
            await #expect(processExitsWith: .failure) {
                [directory = directory as String, mark = mark as String] in
                var engine = Engine(limits: .small)
                try unsafe Journal.replay(
                    Journal.inspect(directory: directory), into: &engine, mark: mark,
                    each: { header, _, _, _ in precondition(header.sequence < 25, "a bug") })
            }
        }
        var recovered = try Journal.recover(directory: lab.directory)
        let error = journalError {
            _ = try Journal.restore(recovered, snapshots: snapshots, mark: mark)
        }
        #expect(error == .diesAt(sequence: 25, mark: mark))
        #expect(error?.description.contains("journal void 25") == true)
        sample.add(
            VoidSequence(
                sequence: 25, audit: Audit(operatorName: Text40("alice")!, reason: "stops it")))
        try lab.write(sample, from: 41)
        recovered = try Journal.recover(directory: lab.directory)
        let engine = try Journal.restore(recovered, snapshots: snapshots, mark: mark)
        #expect(engine.sequence == 41)
        #expect(!Directory.exists(mark))
    }

    @Test func `a start that died elsewhere is simply tried again`() throws {
        let (lab, snapshots) = try Self.place()
        try lab.write(JournalSample(40))
        let mark = lab.scratch.file("recovery.mark")
        let recovered = try Journal.recover(directory: lab.directory)
        // "BOURSEM1", died at 9, and before that at 7.
        try lab.scratch.put(
            Array("BOURSEM1".utf8) + [9] + [UInt8](repeating: 0, count: 7)
                + [7] + [UInt8](repeating: 0, count: 7), mark)
        #expect(
            try Journal.restore(recovered, snapshots: snapshots, mark: mark).sequence == 40)
        try lab.scratch.put([1, 2, 3], mark)
        #expect(
            try Journal.restore(recovered, snapshots: snapshots, mark: mark).sequence == 40)
    }
}

@Suite struct JournalSnapshotTests {
    @Test func `a snapshot is found by itself, kept in number, and never half there`() throws {
        let (lab, snapshots) = try JournalReplayTests.place()
        let sample = JournalSample(400)
        for last in stride(from: 50, through: 400, by: 50) {
            try snapshots.write(sample, upTo: last)
        }
        try lab.scratch.put([1], snapshots.path(450) + ".1.new")
        try snapshots.prune(keep: 3)
        #expect(try snapshots.sequences() == [400, 350, 300])
        #expect(try Directory.names(in: snapshots.directory).count == 3)
        guard
            let loaded = try snapshots.newestValid(
                atMost: 399, identity: JournalSample.identity, report: { _ in })
        else {
            Issue.record("no snapshot was found")
            return
        }
        #expect(loaded.info.sequence == 350)
        #expect(loaded.engine.stateHash() == sample.engine(upTo: 350).stateHash())
        let newest = try #require(try snapshots.newest(identity: JournalSample.identity))
        #expect(newest.info.sequence == 400)
        #expect(newest.body.count == newest.info.bodyBytes)
    }

    @Test func `a flipped bit anywhere makes a snapshot invalid`() throws {
        let (lab, snapshots) = try JournalReplayTests.place()
        try snapshots.write(JournalSample(60))
        let path = snapshots.path(60)
        let bytes = try lab.scratch.bytes(path)
        for at in Array(0..<128) + Array(stride(from: 128, to: bytes.count, by: 97)) {
            var bad = bytes
            bad[at] ^= UInt8(1 << (at % 8))
            let error = journalError {
                _ = try SnapshotStore.decode(bad, path: path, identity: JournalSample.identity)
            }
            #expect(error != nil, "byte \(at)")
        }
        for end in [0, 8, 127, 128, bytes.count - 1] {
            let error = journalError {
                _ = try SnapshotStore.decode(
                    Array(bytes[..<end]), path: path, identity: JournalSample.identity)
            }
            #expect(error != nil, "cut at \(end)")
        }
    }

    @Test func `another journal's snapshot and a later format are refused`() throws {
        let (lab, snapshots) = try JournalReplayTests.place()
        let sample = JournalSample(60)
        try snapshots.write(sample)
        let other = JournalIdentity(high: 1, low: 2)
        guard case .foreign = journalError({ _ = try snapshots.load(60, identity: other) }) else {
            Issue.record("it was taken")
            return
        }
        let path = snapshots.path(60)
        var bytes = try lab.scratch.bytes(path)
        bytes[8] = 9
        let crc = unsafe bytes.withUnsafeBytes {
            unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[0..<124]))
        }
        for i in 0..<4 { bytes[124 + i] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(i))) }
        try lab.scratch.put(bytes, path)
        let error = journalError {
            _ = try snapshots.newestValid(identity: JournalSample.identity, report: { _ in })
        }
        #expect(error == .newer(file: path, version: 9, known: 2))
    }
}
