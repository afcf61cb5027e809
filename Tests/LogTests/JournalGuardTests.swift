// Goal: a journal begins only when it is told to, and whatever of it or beside it is lost, old or
// another's stops start-up: nothing that was acknowledged goes unnoticed.

import Engine
import Glibc
import Journal
import Platform
import Terms
import Testing
import Wire

/// A state directory with a journal that was begun, its guards and its snapshots.
struct JournalState {
    let scratch: JournalScratch
    var path: String { scratch.path }
    var journal: String { scratch.file("journal") }
    var place: JournalPlace {
        JournalPlace(
            directory: journal, state: path, runtime: scratch.file("run"),
            configuration: scratch.file("etc/bourse.toml"))
    }
    var snapshots: SnapshotStore { SnapshotStore(directory: scratch.file("snapshots")) }

    init() throws {
        scratch = try JournalScratch()
        for name in ["journal", "snapshots", "run", "etc"] {
            try Directory.create(scratch.file(name))
        }
    }

    @discardableResult
    func begin(limits: EngineLimits = .small, isNew: Bool = false) throws -> JournalBeginning {
        try Journal.begin(
            place, limits: limits, snapshots: snapshots, options: JournalLab.options, isNew: isNew)
    }

    func open() throws -> OpenedJournal { try Journal.open(place, snapshots: snapshots) }

    func writer() throws -> JournalWriter {
        let opened = try open()
        return try JournalWriter(
            recovered: opened.recovered, replica: opened.replica.replica, place: place,
            options: JournalLab.options)
    }

    /// Ticks, sealed, that follow `last`; the first may begin an epoch.
    static func ticks(
        after last: LogPoint, _ count: Int, epoch: UInt32? = nil, bytes: Int = 0
    ) -> [UInt8] {
        var all: [UInt8] = []
        for index in 1...max(count, 1) {
            let isMark = index == 1 && epoch != nil
            var record = recordBytes(
                RecordHeader(
                    sequence: last.sequence + UInt64(index),
                    timestamp: Int64.max / 2 + Int64(last.sequence) + Int64(index),
                    epoch: epoch ?? last.epoch, kind: isMark ? .epochMark : .tick), bytes)
            unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
            all += record
        }
        return all
    }

    /// A header and a payload of so many bytes that are no command's.
    private static func recordBytes(_ header: RecordHeader, _ payload: Int) -> [UInt8] {
        var header = header
        header.length = UInt32(RecordHeader.size + payload)
        var bytes = [UInt8](repeating: 0x55, count: RecordHeader.size + payload)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.write(to: $0) }
        return bytes
    }

    /// Adds `count` ticks, `batch` of them between syncs.
    func add(_ count: Int, batch: Int = 10, to writer: JournalWriter? = nil) throws {
        let writer = try writer ?? self.writer()
        for start in stride(from: 0, to: count, by: batch) {
            try writer.append(Self.ticks(after: writer.last, min(batch, count - start)))
            try writer.sync()
        }
    }

    func segments() throws -> [String] {
        try Directory.names(in: journal).filter { $0.hasSuffix(".seg") }
    }

    /// Files of this journal's directory that hold what was cut.
    func cuts() throws -> [String] {
        let directory = journal + "/cut"
        return Directory.exists(directory) ? try Directory.names(in: directory) : []
    }

    /// A copy of all files, by path.
    func image() throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        func add(_ directory: String) throws {
            for name in try Directory.names(in: directory) {
                let path = Directory.join(directory, name)
                if Directory.isDirectory(path) { try add(path) } else {
                    all[path] = try scratch.bytes(path)
                }
            }
        }
        try add(path)
        return all
    }

    /// Puts every file back as it was in `image`, and removes all others.
    func restore(_ image: [String: [UInt8]]) throws {
        for path in try self.image().keys where image[path] == nil { try Directory.remove(path) }
        for (path, bytes) in image {
            try Directory.create(Directory.parent(of: path)!)
            try scratch.put(bytes, path)
        }
    }
}

@Suite struct JournalBeginningTests {
    @Test func `a journal that was never begun is not begun by starting`() throws {
        let state = try JournalState()
        #expect(
            journalError { _ = try state.open() } == .notBegun(directory: state.journal))
        #expect(try Directory.names(in: state.journal).isEmpty)
        try Directory.remove(state.path + "/none")
        #expect(journalError { _ = try state.open() }?.needsOperator == true)
    }

    @Test func `it is begun once, and found again`() throws {
        let state = try JournalState()
        guard case .begun(let identity) = try state.begin() else {
            Issue.record("it was there")
            return
        }
        #expect(try state.begin() == .unchanged(identity))
        let opened = try state.open()
        #expect(opened.recovered.lastSequence == 1)
        #expect(opened.recovered.genesis?.limits == .small)
        #expect(opened.replica.identity == identity)
        #expect(opened.recovered.replica == opened.replica.replica)
        #expect(opened.replica.promise == 1)
        try state.add(20)
        #expect(try state.open().recovered.lastSequence == 21)
        #expect(try state.begin() == .unchanged(identity))
        #expect(try String(decoding: state.scratch.bytes(state.place.identityFile!), as: UTF8.self)
            == "\(identity)\n")
    }

    @Test func `limits can be changed as long as it holds nothing`() throws {
        let state = try JournalState()
        let first = try state.begin()
        var other = EngineLimits.small
        other.accounts += 1
        let second = try state.begin(limits: other)
        guard case .begun = second, first != second else {
            Issue.record("it was not begun anew: \(second)")
            return
        }
        #expect(try state.open().recovered.genesis?.limits == other)
        try state.add(1)
        // Now it does: it is left as it is, and matchd says which limits it has.
        guard case .unchanged = try state.begin() else {
            Issue.record("a journal with records was begun anew")
            return
        }
        #expect(try state.open().recovered.lastSequence == 2)
    }

    @Test func `a crash while it is begun is finished by the next try`() throws {
        let state = try JournalState()
        try state.begin()
        let all = try state.image()
        let (place, segment) = (state.place, state.journal + "/" + (try state.segments())[0])
        let order = [segment, place.replicaFile, place.floorFile, place.identityFile!]
        for made in 0...order.count {
            try state.restore(all)
            for path in order[made...] { try Directory.remove(path) }
            _ = try state.begin()
            #expect(try state.open().recovered.lastSequence == 1, "\(made) files")
            #expect(try state.image().keys.contains(place.identityFile!))
        }
        // The first segment without its record, as the process died between header and record.
        var bytes = try #require(all[segment])
        for i in 4096..<bytes.count { bytes[i] = 0 }
        try state.restore([segment: bytes])
        _ = try state.begin()
        #expect(try state.open().recovered.lastSequence == 1)
    }

    @Test func `only an operator's word gives a lost one up`() throws {
        let state = try JournalState()
        let first = try state.begin()
        try state.add(50)
        for name in try Directory.names(in: state.journal) {
            try Directory.remove(state.journal + "/" + name)
        }
        for _ in 0..<2 {
            guard case .lost = journalError({ _ = try state.begin() }) else {
                Issue.record("another one was begun")
                return
            }
        }
        let second = try state.begin(isNew: true)
        #expect(first != second)
        #expect(try state.open().recovered.lastSequence == 1)
        #expect(try Directory.names(in: state.path).contains { $0.hasPrefix("replica.given-up-") })
    }
}

@Suite struct JournalLossTests {
    /// A state with several segments, a snapshot in the middle and one near the end, and an older
    /// copy of all of it.
    static func several() throws -> (JournalState, old: [String: [UInt8]], last: UInt64) {
        let state = try JournalState()
        try state.begin()
        try state.add(1_000, batch: 30)
        func snapshot() throws {
            let opened = try state.open()
            let engine = try Journal.restore(opened.recovered, snapshots: state.snapshots)
            _ = try state.snapshots.write(
                engine, identity: opened.replica.identity,
                recordCRC: opened.recovered.last.crc)
        }
        try snapshot()
        try state.add(500, batch: 30)
        let old = try state.image()
        try state.add(2_000, batch: 30)
        try snapshot()
        try state.add(345, batch: 30)
        return (state, old, 3_846)
    }

    /// What start-up comes to: all records, or a refusal that says how far it is good.
    static func outcome(_ state: JournalState) throws -> (last: UInt64?, words: String) {
        do {
            let opened = try state.open()
            let engine = try Journal.restore(opened.recovered, snapshots: state.snapshots)
            return (engine.sequence, "")
        } catch let error as JournalError {
            return (nil, error.description)
        }
    }

    static func check(_ state: JournalState, _ last: UInt64, _ what: String) throws {
        let (found, words) = try outcome(state)
        if let found {
            #expect(found == last, "\(what): it went on from record \(found)")
        } else {
            #expect(!words.isEmpty)
        }
    }

    @Test func `any one file removed, old, zeroed, emptied or another's loses nothing silently`()
        throws
    {
        let (state, old, last) = try Self.several()
        let good = try state.image()
        let (other, _, _) = try Self.several()
        let foreign = try other.image()
        #expect(try Self.outcome(state).last == last)
        var refused = 0
        for (path, bytes) in good.sorted(by: { $0.key < $1.key }) {
            let there = other.path + path.dropFirst(state.path.count)
            var kinds: [(String, [UInt8]?)] = [
                ("removed", nil), ("emptied", []), ("zeroed", .init(repeating: 0, count: bytes.count)),
                ("half", Array(bytes[..<(bytes.count / 2)])),
            ]
            if let before = old[path], before != bytes { kinds.append(("old", before)) }
            if let strange = foreign[there] { kinds.append(("another's", strange)) }
            for (kind, content) in kinds {
                try state.restore(good)
                if let content { try state.scratch.put(content, path) } else {
                    try Directory.remove(path)
                }
                try Self.check(state, last, "\(path) \(kind)")
                if try Self.outcome(state).last == nil { refused += 1 }
            }
        }
        #expect(refused > 20)
        try state.restore(good)
        #expect(try Self.outcome(state).last == last)
    }

    @Test func `a segment cut or zeroed from any place on loses nothing silently`() throws {
        let (state, _, last) = try Self.several()
        let good = try state.image()
        for name in try state.segments() {
            let path = state.journal + "/" + name
            let bytes = try #require(good[path])
            let places = Array(stride(from: 0, to: bytes.count, by: 1_999))
                + Array(stride(from: 4096, to: bytes.count, by: 72 * 97))
            for at in places {
                for isCut in [true, false] {
                    let content =
                        Array(bytes[..<at])
                        + (isCut ? [] : [UInt8](repeating: 0, count: bytes.count - at))
                    guard content != bytes else { continue }
                    try state.restore(good)
                    try state.scratch.put(content, path)
                    try Self.check(state, last, "\(name) \(isCut ? "cut" : "zeroed") at \(at)")
                }
            }
        }
    }

    @Test func `a journal directory that is not mounted or is emptied is lost, not new`() throws {
        let (state, _, _) = try Self.several()
        try state.restore(try state.image().filter { !$0.key.hasPrefix(state.journal) })
        let kept = try String(
            decoding: state.scratch.bytes(state.place.identityFile!), as: UTF8.self)
        func isLost() -> Bool {
            guard case .lost(_, let identity?) = journalError({ _ = try state.open() }) else {
                return false
            }
            return kept == "\(identity)\n"
        }
        #expect(isLost())
        JournalScratch.remove(state.journal)
        #expect(isLost())
        // Without what stands beside it, the snapshots alone say that there was one.
        try Directory.create(state.journal)
        for path in [
            state.place.replicaFile, state.place.floorFile, state.place.identityFile!,
        ] { try Directory.remove(path) }
        guard case .lost(_, nil) = journalError({ _ = try state.open() }) else {
            Issue.record("old snapshots were not seen")
            return
        }
        #expect(journalError { try state.begin() } != nil)
    }

    @Test func `an accepted loss goes on from the last good record, and keeps the rest`() throws {
        let (state, _, _) = try Self.several()
        let newest = try #require(try state.segments().last)
        let path = state.journal + "/" + newest
        var bytes = try state.scratch.bytes(path)
        bytes[4096 + 72 * 20 + 9] ^= 1
        try state.scratch.put(bytes, path)
        guard case .damaged(_, _, let good, _) = journalError({ _ = try state.open() }) else {
            Issue.record("the damage was not seen")
            return
        }
        let left = try Journal.acceptLoss(
            state.place, after: good, snapshots: state.snapshots, reason: "a test")
        #expect(left.lastSequence == good)
        let (last, words) = try Self.outcome(state)
        #expect(last == good, "\(words)")
        #expect(try state.cuts().count == 1)
        #expect(try Directory.names(in: state.snapshots.directory).allSatisfy {
            $0.hasSuffix(".snap") || $0.contains(".aside-")
        })
        try state.add(10)
        #expect(try Self.outcome(state).last == good + 10)
    }

    @Test func `an accepted loss may end at any segment, and be told twice`() throws {
        let (state, _, _) = try Self.several()
        let names = try state.segments()
        let second = try #require(UInt64(names[1].dropLast(4)))
        try state.scratch.put([], state.journal + "/" + names[1])
        for _ in 0..<2 {
            let left = try Journal.acceptLoss(
                state.place, after: second - 1, snapshots: state.snapshots, reason: "a test")
            #expect(left.lastSequence == second - 1)
        }
        #expect(try Self.outcome(state).last == second - 1)
        #expect(try state.cuts().count >= names.count - 1)
    }
}

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
            let done = try #require(try Journal.clearFault(state.place))
            #expect(done.last == 101)
            #expect(done.bytes == 64 << 10)
            #expect(state.place.latched() == nil)
            #expect(try Journal.clearFault(state.place) == nil)
            #expect(try state.open().recovered.lastSequence == 101)
        }
    }

    @Test func `a fault of a journal that lost records is not cleared`() throws {
        let state = try JournalState()
        try state.begin()
        try state.add(100)
        let path = state.journal + "/" + (try state.segments())[0]
        var bytes = try state.scratch.bytes(path)
        for i in 4096 + 3000..<bytes.count { bytes[i] = 0 }
        try state.scratch.put(bytes, path)
        state.place.latch("cannot sync x: Input/output error")
        #expect(journalError { _ = try Journal.clearFault(state.place) } != nil)
        #expect(state.place.latched() != nil)
    }

    @Test func `only what the disk refuses is latched`() {
        func isFault(_ code: Int32, _ operation: String) -> Bool {
            SystemError(code: code, operation: operation, path: "x").isDiskFault
        }
        #expect(isFault(EIO, "sync") && isFault(ENOSPC, "sync") && isFault(EIO, "write"))
        #expect(isFault(EIO, "sync directory"))
        #expect(!isFault(ENOSPC, "write") && !isFault(EIO, "read") && !isFault(EACCES, "open"))
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

    @Test func `a cut goes on with another branch in a higher epoch`() throws {
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
        let keep: UInt64 = 1_200
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
                let first = 4096 + 8_000
                for i in max(first, end - zeroed)..<end { bytes[i] = 0 }
                try state.scratch.put(bytes, path)
                guard gone == names.count - 1 - names.firstIndex(of: holder)! || zeroed == 0 else {
                    continue
                }
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
        #expect(journalError {
            _ = try Journal.begin(
                learner.place, after: info, replica: replica, options: JournalLab.options)
        } != nil)
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
        #expect(reader.isDurable)
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

    @Test func `a torn record of many sectors is cut, a whole one with a wrong byte refused`() throws
    {
        let state = try JournalState()
        try state.begin()
        let opened = try state.open()
        let writer = try JournalWriter(
            recovered: opened.recovered, options: JournalOptions(segmentBytes: 1 << 20))
        try state.add(5, to: writer)
        let path = state.journal + "/" + (try state.segments()).last!
        try writer.append(
            JournalState.ticks(after: writer.last, 1, bytes: Limits.recordBytesMax / 2))
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

    @Test func `the replica file stands as it is drawn, and is never half there`() throws {
        let state = try JournalState()
        let path = state.place.replicaFile
        #expect(try ReplicaFile(path) == nil)
        let file = ReplicaFile(
            identity: JournalSample.identity, replica: ReplicaID(high: 3, low: 4), promise: 7,
            cluster: 9, cut: LogPoint(sequence: 11, epoch: 5, crc: 13))
        try file.store(path)
        #expect(try ReplicaFile(path) == file)
        let bytes = try state.scratch.bytes(path)
        #expect(bytes.count == 128)
        #expect(Array(bytes[0..<8]) == Array("BOURSER1".utf8))
        #expect(Array(bytes[8..<16]) == [1, 0, 0, 0, 128, 0, 0, 0])
        #expect(bytes[32] == 3 && bytes[40] == 4 && bytes[48] == 7 && bytes[56] == 9)
        #expect(bytes[64] == 11 && bytes[72] == 5 && bytes[76] == 13)
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
