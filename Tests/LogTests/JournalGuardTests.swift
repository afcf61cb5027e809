// Goal: a journal begins only on request, and whatever of it or beside it is lost, old or
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
                if Directory.isDirectory(path) {
                    try add(path)
                } else {
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
        #expect(
            try String(decoding: state.scratch.bytes(state.place.identityFile!), as: UTF8.self)
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

    @Test func `none is begun over one whose records are gone`() throws {
        let state = try JournalState()
        try state.begin()
        try state.add(50)
        let good = try state.image()
        let place = state.place
        let path = state.journal + "/" + (try state.segments())[0]
        var other = EngineLimits.small
        other.accounts += 1
        func zeroed(from start: Int) throws {
            try state.restore(good)
            var bytes = try #require(good[path])
            for i in start..<bytes.count { bytes[i] = 0 }
            try state.scratch.put(bytes, path)
        }
        func refusal(_ limits: EngineLimits = .small) throws -> JournalError? {
            let before = try state.image()
            let error = journalError { try state.begin(limits: limits) }
            #expect(try state.image() == before)
            return error
        }
        let behind = JournalError.behind(directory: state.journal, floor: 51, lastGood: 0)
        try zeroed(from: 4096)
        #expect(try refusal() == behind)
        try Directory.remove(place.replicaFile)
        #expect(try refusal() == behind)
        try Directory.remove(place.floorFile)
        guard case .lost(_, _?) = try refusal() else {
            Issue.record("the identity outside alone was not seen")
            return
        }
        try Directory.remove(place.identityFile!)
        _ = try state.snapshots.write(JournalSample(30))
        guard case .lost = try refusal() else {
            Issue.record("a snapshot alone was not seen")
            return
        }
        // Only its first record is left, and other limits are wanted.
        let genesis = try #require(good[path])[4096...].prefix(4)
        try zeroed(from: 4096 + Int(genesis.first!) + Int(genesis.dropFirst().first!) << 8)
        guard case .behind(_, 51, 1) = try refusal(other) else {
            Issue.record("it was begun again")
            return
        }
        try state.begin(isNew: true)
        #expect(try state.open().recovered.lastSequence == 1)
        // What the disk holds is unknown.
        place.latch("cannot sync x: Input/output error")
        guard case .latched = try refusal(other) else {
            Issue.record("a fault was not seen")
            return
        }
    }

    @Test func `the guards of one that is given up go last`() throws {
        let (state, _, _) = try JournalLossTests.several()
        // Its segments can't be moved away.
        try state.scratch.put([], state.journal + "/cut")
        #expect(journalError { try state.begin(isNew: true) } != nil)
        let place = state.place
        for path in [place.replicaFile, place.floorFile, place.identityFile!] {
            #expect(Directory.exists(path))
        }
        try Directory.remove(state.journal + "/cut")
        // Stopped on the way, it passes for no whole journal.
        let good = try state.image()
        let names = try state.segments()
        for gone in 1...names.count {
            try state.restore(good)
            for name in names.suffix(gone) { try Directory.remove(state.journal + "/" + name) }
            #expect(journalError { try state.begin() } != nil, "\(gone) gone")
            try state.begin(isNew: true)
            #expect(try state.open().recovered.lastSequence == 1)
        }
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
                ("removed", nil), ("emptied", []),
                ("zeroed", .init(repeating: 0, count: bytes.count)),
                ("half", Array(bytes[..<(bytes.count / 2)])),
            ]
            if let before = old[path], before != bytes { kinds.append(("old", before)) }
            if let strange = foreign[there] { kinds.append(("another's", strange)) }
            for (kind, content) in kinds {
                try state.restore(good)
                if let content {
                    try state.scratch.put(content, path)
                } else {
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
            let places =
                Array(stride(from: 0, to: bytes.count, by: 1_999))
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

    @Test func `a journal without its first segments is continued only on request`()
        throws
    {
        let (state, _, last) = try Self.several()
        let names = try state.segments()
        let first = try #require(UInt64(names[1].dropLast(4)))
        // The oldest snapshot is of record 1,001, which is behind the first segment's end.
        #expect(first < 1_001 || names.count > 3)
        try Directory.remove(state.journal + "/" + names[0])
        #expect(
            journalError { _ = try state.open() }
                == .beginningMissing(directory: state.journal, first: 1, last: first - 1))
        let left = try Journal.acceptLoss(
            state.place, before: first, snapshots: state.snapshots)
        #expect(left.firstSequence == first)
        #expect(try Self.outcome(state).last == last)
        // Without a snapshot that stands for them there is nothing to go on with.
        for sequence in try state.snapshots.sequences() {
            try Directory.remove(state.snapshots.path(sequence))
        }
        try Directory.remove(state.journal + "/" + names[1])
        let second = try #require(UInt64(names[2].dropLast(4)))
        let error = journalError {
            _ = try Journal.acceptLoss(state.place, before: second, snapshots: state.snapshots)
        }
        #expect(error == .noSnapshot(directory: state.journal, first: second))
        #expect(journalError { _ = try state.open() } != nil)
    }

    @Test func `a floor that is there takes no space`() throws {
        let state = try JournalState()
        try state.begin()
        // No file can be made beside it.
        try Directory.create(state.place.floorFile + ".new")
        try state.add(30)
        #expect(try Journal.floor(state.place) == 31)
        let writer = try state.writer()
        try writer.cut(after: 20, reason: "a test", isForced: true)
        #expect(try Journal.floor(state.place) == 20)
        try writer.append(JournalState.ticks(after: writer.last, 3, epoch: 2))
        try writer.sync()
        #expect(try Journal.floor(state.place) == 23)
        #expect(try state.open().recovered.lastSequence == 23)
        // Another journal's is not taken for it.
        try Directory.remove(state.place.floorFile)
        let other = try JournalState()
        try other.begin()
        let foreign = try state.scratch.bytes(other.place.floorFile)
        try state.scratch.put(foreign, state.place.floorFile)
        #expect(journalError { _ = try state.writer() } != nil)
        #expect(try state.scratch.bytes(state.place.floorFile) == foreign)
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

    @Test func `an accepted loss continues from the last good record, and keeps the rest`() throws {
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
        #expect(
            try Directory.names(in: state.snapshots.directory).allSatisfy {
                $0.hasSuffix(".snap") || $0.contains(".aside-")
            })
        try state.add(10)
        #expect(try Self.outcome(state).last == good + 10)
    }

    @Test func `an accepted loss may end at any segment, and be repeated`() throws {
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
