// Goal: after a fault of the disk nothing is trusted that was not read back; a cut is finished
// whenever it was begun; and what the formats hold for other hosts is what it says.

import Engine
import Glibc
import Journal
import Pipeline
import Platform
import Terms
import Testing
import Wire

@Suite struct JournalFaultTests {
    @Test func `a latched fault stops every start until it is cleared`() throws {
        let state = try JournalState()
        try state.begin()
        try state.add(100)
        for file in state.place.faultFiles {
            state.place.latch("cannot sync x: Input/output error")
            // One of the two notes is enough.
            try Directory.remove(file)
            let error = journalError { _ = try state.open() }
            guard case .latched(_, "cannot sync x: Input/output error") = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.description.contains("boursectl journal clear-fault") == true)
            let done = try #require(
                try Journal.clearFault(state.place, snapshots: state.snapshots))
            #expect(done.last == 101 && done.damage == nil)
            #expect(done.bytes == 64 << 10)
            #expect(state.place.latched() == nil)
            #expect(try Journal.clearFault(state.place, snapshots: state.snapshots) == nil)
            #expect(try state.open().recovered.lastSequence == 101)
        }
    }

    /// The disk that failed holds the note as well.
    @Test func `a note that is not whole counts, and is not shown`() throws {
        let state = try JournalState()
        let file = try #require(state.place.faultFiles.last)
        let notes: [[UInt8]] = [
            [], [0x0A], [UInt8](repeating: 0xFE, count: 60), [0, 0, 0, 0x0A],
            Array("cannot sync x".utf8), Array("cannot \u{1B}[2J\n".utf8), [0xC3, 0x0A],
        ]
        for bytes in notes {
            try state.scratch.put(bytes, file)
            #expect(state.place.latched()?.detail == "the fault is not described", "\(bytes)")
        }
        try state.scratch.put(Array("cannot sync Prüfung\nmore".utf8), file)
        #expect(state.place.latched()?.detail == "cannot sync Prüfung")
        // Either of the two may be the whole one.
        let first = try #require(state.place.faultFiles.first)
        try state.scratch.put([0xFE], first)
        #expect(first != file && state.place.latched()?.detail == "cannot sync Prüfung")
        try state.scratch.put([], file)
        #expect(state.place.latched()?.file == first)
    }

    @Test func `a fault that left damage is cleared, and the way out of the damage leads on`()
        throws
    {
        let state = try JournalState()
        try state.begin()
        try state.add(100)
        let good = try state.image()
        let path = state.journal + "/" + (try state.segments())[0]
        func isDamaged(_ error: JournalError?) -> Bool {
            guard case .damaged = error else { return false }
            return true
        }
        let kinds: [(String, (inout [UInt8]) -> Void, Int)] = [
            ("zeroed", { for i in 4096 + 3000..<$0.count { $0[i] = 0 } }, 50),
            ("flipped", { $0[4096 + 3000] ^= 1 }, 50), ("longer", { $0 += [1] }, 101),
            ("no header", { $0[33] ^= 1 }, 0),
        ]
        for (kind, change, least) in kinds {
            try state.restore(good)
            var bytes = try #require(good[path])
            change(&bytes)
            try state.scratch.put(bytes, path)
            state.place.latch("cannot sync x: Input/output error")
            guard case .latched = journalError({ _ = try state.open() }) else {
                Issue.record("\(kind): it was started")
                continue
            }
            let done = try #require(
                try Journal.clearFault(state.place, snapshots: state.snapshots), "\(kind)")
            #expect(state.place.latched() == nil)
            #expect(done.bytes == bytes.count)
            #expect(isDamaged(done.damage), "\(kind): \(String(describing: done.damage))")
            #expect(try state.scratch.bytes(path) == bytes)
            #expect(isDamaged(journalError { _ = try state.open() }))
            #expect(done.last >= UInt64(least) && done.last <= 101)
            // Where nothing can be read there is nothing to go on with.
            guard least > 0 else { continue }
            _ = try Journal.acceptLoss(
                state.place, after: done.last, snapshots: state.snapshots, reason: "a test")
            #expect(try state.open().recovered.lastSequence == done.last)
        }
    }

    @Test func `a cut that a fault interrupted is finished when it is cleared`() throws {
        let (state, _) = try JournalCutTests.place()
        var replica = try #require(try ReplicaFile(state.place.replicaFile))
        let reader = JournalReader(directory: state.journal, from: 1_601)
        #expect(try unsafe reader.next(upTo: 1_601) { _ in })
        replica.cut = reader.last
        try replica.store(state.place.replicaFile)
        let path = state.journal + "/" + (try #require(try state.segments().last))
        var bytes = try state.scratch.bytes(path)
        let end = bytes.lastIndex { $0 != 0 }! + 1
        for i in end - 100..<end { bytes[i] = 0 }
        try state.scratch.put(bytes, path)
        state.place.latch("cannot write x: Input/output error")
        let done = try #require(
            try Journal.clearFault(state.place, snapshots: state.snapshots))
        #expect(done.damage == nil && done.last == 1_600)
        #expect(try ReplicaFile(state.place.replicaFile)?.cut == nil)
        #expect(try state.open().recovered.lastSequence == 1_600)
    }

    @Test func `only what the disk refuses is latched`() {
        func isFault(_ code: Int32, _ operation: String) -> Bool {
            SystemError(code: code, operation: operation, path: "x").isDiskFault
        }
        #expect(isFault(EIO, "sync") && isFault(ENOSPC, "sync") && isFault(EIO, "write"))
        #expect(isFault(EIO, "sync directory"))
        #expect(!isFault(ENOSPC, "write") && !isFault(EIO, "read") && !isFault(EACCES, "open"))
    }

    @Test func `a disk fault needs an operator`() throws {
        func error(_ code: Int32, _ operation: String) -> JournalError {
            .system(SystemError(code: code, operation: operation, path: "x"))
        }
        for fault in [error(EIO, "sync"), error(EIO, "write"), error(ENOSPC, "sync")] {
            #expect(fault.needsOperator)
            #expect(SinkError(fault).isDiskFault)
            #expect(SinkError(fault).description == fault.description)
        }
        for other in [error(ENOSPC, "write"), error(EIO, "read"), error(EMFILE, "open")] {
            #expect(!other.needsOperator)
            #expect(!SinkError(other).isDiskFault)
        }
        // After a fault of the thread that syncs the floor, the appending one learns of it so.
        #expect(SinkError(JournalError.stopped).isDiskFault)
    }
}

@Suite struct JournalCutTests {
    /// A writer with 300 records in several batches, all released up to 200.
    static func place() throws -> (JournalState, JournalWriter) {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try state.add(1_999, batch: 10, to: writer)
        writer.noteCommit(1_000)
        return (state, writer)
    }

    @Test func `after a cut another branch continues in a higher epoch`() throws {
        let (state, writer) = try Self.place()
        try writer.cut(after: 1_200, reason: "the primary's log differs")
        #expect(writer.lastSequence == 1_200)
        #expect(writer.durableSequence == 1_200)
        try writer.append(JournalState.ticks(after: writer.last, 7, epoch: 5), isForeign: true)
        try writer.sync()
        let opened = try state.open()
        #expect(opened.recovered.lastSequence == 1_207)
        #expect(opened.recovered.lastEpoch == 5)
        #expect(opened.recovered.commitPoint == 1_000)
        #expect(opened.replica.cut == nil)
        #expect(try !state.cuts().isEmpty)
    }

    @Test func `what was released is not cut, unless it is forced`() throws {
        let (state, writer) = try Self.place()
        #expect(
            journalError { try writer.cut(after: 999, reason: "") }
                == .cutBelowCommit(after: 999, commitPoint: 1_000))
        #expect(writer.lastSequence == 2_000)
        try writer.cut(after: 2_000, reason: "nothing stands behind")
        try writer.cut(after: 999, reason: "forced", isForced: true)
        #expect(try state.open().recovered.lastSequence == 999)
    }

    @Test func `a cut that was interrupted anywhere is finished before the end is judged`() throws {
        let (state, writer) = try Self.place()
        try state.add(345, to: writer)
        let before = try state.image()
        let names = try state.segments()
        let keep: UInt64 = 1_600
        var replica = try #require(try ReplicaFile(state.place.replicaFile))
        let reader = JournalReader(directory: state.journal, from: keep + 1)
        #expect(try unsafe reader.next(upTo: keep + 1) { _ in })
        replica.cut = reader.last
        #expect(replica.cut?.sequence == keep + 1)
        let holder = try #require(names.last { UInt64($0.dropLast(4))! <= keep })
        // How many of the later segments are gone already, and how much of its own is zeroed.
        for gone in 0...(names.count - 1 - names.firstIndex(of: holder)!) {
            for zeroed in [0, 8, 600, 5_000, 1 << 20] {
                try state.restore(before)
                try replica.store(state.place.replicaFile)
                for name in names.suffix(gone) { try Directory.remove(state.journal + "/" + name) }
                let path = state.journal + "/" + holder
                var bytes = try state.scratch.bytes(path)
                let end = bytes.lastIndex { $0 != 0 }! + 1
                // The record after the last that stays goes as the last of all.
                var first = 4096
                while bytes[first] != 48 || bytes[first + 8] != UInt8((keep + 2) & 0xFF)
                    || bytes[first + 9] != UInt8((keep + 2) >> 8)
                { first += bytes[first] == 48 ? 48 : 24 }
                for i in max(first, end - zeroed)..<end { bytes[i] = 0 }
                try state.scratch.put(bytes, path)
                let opened = try state.open()
                #expect(opened.recovered.lastSequence == keep, "\(gone) gone, \(zeroed) zeroed")
                #expect(opened.replica.cut == nil)
                #expect(try ReplicaFile(state.place.replicaFile)?.cut == nil)
            }
        }
    }

    @Test func `an old replica file's intent cuts nothing of the branch that followed`() throws {
        let (state, writer) = try Self.place()
        var replica = try #require(try ReplicaFile(state.place.replicaFile))
        let reader = JournalReader(directory: state.journal, from: 1_201)
        #expect(try unsafe reader.next(upTo: 1_201) { _ in })
        replica.cut = reader.last
        try writer.cut(after: 1_200, reason: "lawful")
        try writer.append(JournalState.ticks(after: writer.last, 50, epoch: 2))
        try writer.sync()
        try replica.store(state.place.replicaFile)
        #expect(try state.open().recovered.lastSequence == 1_250)
    }

    @Test func `a snapshot of a branch that was cut is passed over, of an own fork refused`() throws
    {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try state.add(99, to: writer)
        func snapshot(_ crc: UInt32? = nil) throws {
            let opened = try state.open()
            let engine = try Journal.restore(opened.recovered, snapshots: state.snapshots)
            _ = try state.snapshots.write(
                engine, identity: opened.replica.identity,
                recordCRC: crc ?? opened.recovered.last.crc)
        }
        try snapshot()
        try writer.cut(after: 50, reason: "lawful")
        try writer.append(JournalState.ticks(after: writer.last, 100, epoch: 2))
        try writer.sync()
        var reports: [String] = []
        let opened = try state.open()
        let engine = try Journal.restore(
            opened.recovered, snapshots: state.snapshots, report: { reports.append($0) })
        #expect(engine.sequence == 150)
        #expect(reports.contains { $0.contains("that branch was cut") })
        try snapshot(7)
        guard
            case .forked(_, 150) = journalError({
                _ = try Journal.restore(opened.recovered, snapshots: state.snapshots)
            })
        else {
            Issue.record("a snapshot of another record was taken")
            return
        }
    }
}

@Suite struct JournalReplicaTests {
    @Test func `a journal may begin after a snapshot`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let info = try #require(try state.snapshots.newest(identity: nil)).info
        let learner = try JournalState()
        try learner.scratch.put(
            try state.scratch.bytes(info.path), learner.snapshots.path(info.sequence))
        let replica = ReplicaFile(identity: info.identity, promise: 1)
        let recovered = try Journal.begin(
            learner.place, after: info, replica: replica, options: JournalLab.options)
        #expect(recovered.isEmpty)
        #expect(recovered.last == info.point)
        #expect(recovered.firstSequence == info.sequence + 1)
        // Also when it dies before the first record came.
        #expect(try learner.open().recovered.isEmpty)
        #expect(try JournalLossTests.outcome(learner).last == info.sequence)
        let writer = try learner.writer()
        let reader = JournalReader(directory: state.journal, from: info.sequence + 1)
        while try unsafe reader.next({ run in
            do { try unsafe writer.append([UInt8](run), isForeign: true) } catch {
                Issue.record("\(error)")
            }
        }) {}
        try writer.sync()
        #expect(try JournalLossTests.outcome(learner).last == last)
        #expect(
            journalError {
                _ = try Journal.begin(
                    learner.place, after: info, replica: replica, options: JournalLab.options)
            } != nil)
    }

    @Test func `a reader that was held back sees the records that replaced cut ones`() throws {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try state.add(40, to: writer)
        let reader = JournalReader(directory: state.journal, from: 1, isLive: true)
        while try unsafe reader.next(upTo: 11, { _ in }) {}
        #expect(reader.nextSequence == 12)
        try writer.cut(after: 11, reason: "a test")
        try writer.append(JournalState.ticks(after: writer.last, 25, epoch: 2))
        try writer.sync()
        for upTo: UInt64 in [12, 20, 36] {
            while try unsafe reader.next(upTo: upTo, { _ in }) {}
            #expect(reader.nextSequence == upTo + 1)
        }
        #expect(reader.last == writer.last)
    }

    @Test func `marks carry the commit point, and a quiet journal ends with one`() throws {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try state.add(20, to: writer)
        #expect(try writer.settle() == false)
        writer.noteCommit(21)
        writer.noteCommit(15)
        #expect(writer.commitPoint == 21)
        #expect(try writer.settle())
        #expect(try writer.settle() == false)
        #expect(try state.open().recovered.commitPoint == 21)
        let reader = JournalReader(directory: state.journal, from: 1, isLive: true)
        while try unsafe reader.next({ _ in }) {}
        #expect(reader.commitPoint == 21)
        #expect(reader.last == writer.last)
    }

    @Test func `records are as long as a transaction of many inputs`() throws {
        let state = try JournalState()
        try state.begin()
        let opened = try state.open()
        let options = JournalOptions(segmentBytes: 1 << 20, reserveBytes: 0, zeroesAhead: false)
        let writer = try JournalWriter(
            recovered: opened.recovered, replica: opened.replica.replica, place: state.place,
            options: options)
        let longest = Limits.recordBytesMax - RecordHeader.size
        #expect(Limits.recordBytesMax == 128 << 10)
        // It does not fit into what is left of a small segment, but into the next, larger one.
        for _ in 0..<40 {
            try writer.append(JournalState.ticks(after: writer.last, 1, bytes: longest))
            try writer.append(JournalState.ticks(after: writer.last, 3))
            try writer.sync()
        }
        #expect(try state.segments().count > 4)
        #expect(try state.open().recovered.lastSequence == 161)
        var count = 0
        let reader = JournalReader(directory: state.journal, from: 1)
        while try unsafe reader.next({ count += $0.count }) {}
        #expect(count > 40 * longest)
        // A byte more is no record, and one that no segment holds is refused before it is written.
        let more = JournalState.ticks(after: writer.last, 1, bytes: longest + 8)
        #expect(journalError { try writer.append(more) } != nil)
        let small = try JournalWriter(
            recovered: Journal.recover(directory: state.journal), options: JournalLab.options)
        let error = journalError {
            try small.append(JournalState.ticks(after: small.last, 1, bytes: longest))
        }
        #expect(error?.description.hasSuffix("it is longer than a segment") == true)
    }

    @Test func `a torn record of many sectors is cut, a whole one with a wrong byte refused`()
        throws
    {
        let state = try JournalState()
        try state.begin()
        let opened = try state.open()
        let writer = try JournalWriter(
            recovered: opened.recovered, options: JournalOptions(segmentBytes: 1 << 20))
        try state.add(5, to: writer)
        try writer.append(
            JournalState.ticks(after: writer.last, 1, bytes: Limits.recordBytesMax / 2))
        let path = state.journal + "/" + (try state.segments()).last!
        let good = try state.scratch.bytes(path)
        let end = good.lastIndex { $0 != 0 }! + 1
        let begin = end - Limits.recordBytesMax / 2 - RecordHeader.size
        var torn = good
        for i in (begin + 30_000) / 4096 * 4096..<end { torn[i] = 0 }
        var hole = good
        for i in (begin + 9_000) / 512 * 512..<(begin + 9_000) / 512 * 512 + 512 { hole[i] = 0 }
        for bytes in [torn, hole] {
            try state.scratch.put(bytes, path)
            let recovered = try Journal.recover(directory: state.journal)
            #expect(recovered.lastSequence == 6)
            #expect(recovered.cut?.sequence == 7)
        }
        for at in [begin, begin + 1, begin + 6, begin + 20_000, end - 1] {
            var bytes = good
            bytes[at] ^= 0x40
            try state.scratch.put(bytes, path)
            guard
                case .damaged(_, begin, 6, _) = journalError({
                    _ = try Journal.recover(directory: state.journal)
                })
            else {
                Issue.record("byte \(at - begin) was taken for torn")
                continue
            }
        }
    }

    @Test func `the replica file has the documented layout, and is replaced atomically`() throws {
        let state = try JournalState()
        let path = state.place.replicaFile
        #expect(try ReplicaFile(path) == nil)
        let file = ReplicaFile(
            identity: JournalSample.identity, replica: ReplicaID(high: 3, low: 4), promise: 7,
            cluster: 9, first: 15, cut: LogPoint(sequence: 11, epoch: 5, crc: 13))
        try file.store(path)
        #expect(try ReplicaFile(path) == file)
        let bytes = try state.scratch.bytes(path)
        #expect(bytes.count == 128)
        #expect(Array(bytes[0..<8]) == Array("BOURSER1".utf8))
        #expect(Array(bytes[8..<16]) == [1, 0, 0, 0, 128, 0, 0, 0])
        #expect(bytes[32] == 3 && bytes[40] == 4 && bytes[48] == 7 && bytes[56] == 9)
        #expect(bytes[64] == 11 && bytes[72] == 5 && bytes[76] == 13)
        #expect(bytes[80] == 15)
        for at in bytes.indices {
            var bad = bytes
            bad[at] ^= 1
            try state.scratch.put(bad, path)
            #expect(journalError { _ = try ReplicaFile(path) } != nil, "byte \(at)")
        }
        for count in [0, 1, 127, 129] {
            try state.scratch.put(Array((bytes + [0])[..<count]), path)
            #expect(journalError { _ = try ReplicaFile(path) } != nil)
        }
    }

    @Test func `an epoch rises only by its record`() throws {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try writer.append(JournalState.ticks(after: writer.last, 3, epoch: 2))
        var tick = JournalState.ticks(after: writer.last, 1)
        tick[24] = 3
        unsafe tick.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        #expect(journalError { try writer.append(tick) }?.description.contains("epoch") == true)
        try writer.sync()
        // Nor does a reader take it.
        let path = state.journal + "/" + (try state.segments())[0]
        var bytes = try state.scratch.bytes(path)
        let end = bytes.lastIndex { $0 != 0 }! / 8 * 8 + 8
        let at = end + (SyncedEnd.isMark(bytes, end) ? 0 : 8)
        bytes.replaceSubrange(at..<at + tick.count, with: tick)
        try state.scratch.put(bytes, path)
        #expect(journalError { _ = try state.open() }?.description.contains("epoch") == true)
    }
}

/// Where the last item of a segment ends.
private enum SyncedEnd {
    /// Whether a sync mark ends at `end`; one whose commit point is 0 has 8 zero bytes more.
    static func isMark(_ bytes: [UInt8], _ end: Int) -> Bool {
        Array(bytes[end - 24..<end - 20]) == Array("SYN2".utf8)
    }
}
