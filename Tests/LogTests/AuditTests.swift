// Goal: the auditor executes what was released, from where it ended, and raises the alarm where
// what it finds is not what matchd did.

import Audit
import Engine
import Glibc
import Journal
import Link
import Pipeline
import Platform
import Synchronization
import Terms
import Testing
import Wire

@Suite struct AuditTests {
    let place: PipelinePlace
    /// Where the log ends, and its state's hash there.
    let end: (hash: UInt64, sequence: UInt64)

    /// A log of some orders, at rest.
    init() throws {
        place = try PipelinePlace()
        end = try Self.write(place, isNew: true)
    }

    private static func write(
        _ place: PipelinePlace, isNew: Bool = false, snapshot: Bool = false, price: Int64 = 1
    ) throws -> (hash: UInt64, sequence: UInt64) {
        let running = try RunningPipeline(place)
        var desk = try TestDesk(running.connect(), isNew ? "desk" : "desk \(Clock.realtimeNanos())")
        if isNew { try desk.prepare() }
        for order in 1...100 { try desk.submit(TestDesk.place(Int64(order % 7) + price)) }
        let end = try running.stop(snapshot: snapshot)
        // As matchd does at a stop: the log says that all of it is released.
        running.inner.noteCommit(end.sequence)
        try running.inner.settle()
        return end
    }

    private var options: AuditOptions {
        AuditOptions(
            state: place.path, journal: place.path + "/journal",
            snapshots: place.path + "/snapshots", audited: place.path + "/audited")
    }

    private final class Reports: Sendable {
        let all = Mutex<[AuditReport]>([])
        /// What was reported, progress left out.
        var lines: [AuditReport] {
            all.withLock { $0 }.filter { if case .progress = $0 { false } else { true } }
        }
    }

    private func audit(
        _ options: AuditOptions? = nil, _ reports: Reports = Reports()
    ) throws -> Auditor {
        try Auditor(options ?? self.options, WorkProgress()) { report in
            reports.all.withLock { $0.append(report) }
        }
    }

    /// Executes up to a record.
    private func execute(_ auditor: Auditor, to sequence: UInt64) throws {
        let deadline = Clock.monotonicNanos() + 60_000_000_000
        while auditor.engine.sequence < sequence, Clock.monotonicNanos() < deadline {
            if try !auditor.step() { usleep(1_000) }
        }
        #expect(auditor.engine.sequence == sequence)
    }

    private var snapshots: [UInt64] {
        get throws { try SnapshotStore(directory: place.path + "/snapshots").sequences() }
    }

    @Test func `what was released is executed, and a stop leaves a snapshot`() throws {
        let reports = Reports()
        let auditor = try audit(nil, reports)
        #expect(auditor.engine.sequence == 0)
        try execute(auditor, to: end.sequence)
        #expect(auditor.engine.stateHash() == end.hash)
        #expect(auditor.status == "checked to record \(end.sequence); snapshot of record 0")
        try auditor.finish()
        #expect(try snapshots == [end.sequence])
        #expect(reports.lines.map(\.isWarning) == [false])
        let audited = try File(place.path + "/audited", .read).read(count: 32)
        #expect(audited == Array("\(end.sequence)\n".utf8))
    }

    @Test func `a signature of an operator that is none raises the alarm`() throws {
        let running = try RunningPipeline(place)
        let forged = try running.stop().sequence + 1
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "theft")
        let command = try #require(
            OperatorIngressTests.commands(audit).first { type(of: $0).kind == .signDecision })
        var record = command.recordBytes(
            RecordHeader(
                sequence: forged, timestamp: Clock.realtimeNanos(), epoch: running.last.epoch,
                kind: .signDecision))
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        try unsafe record.withUnsafeBytes { try unsafe running.inner.append($0) }
        try running.inner.sync()
        running.inner.noteCommit(forged)
        try running.inner.settle()
        let auditor = try self.audit()
        let error = #expect(throws: AuditError.self) { try execute(auditor, to: forged) }
        #expect(error?.description.contains("record \(forged) has a signature") == true)
    }

    @Test func `it resumes where it ended, not at a later snapshot of matchd's`() throws {
        do { try audit().finish() }
        let later = try Self.write(place, snapshot: true)
        #expect(try snapshots == [later.sequence, end.sequence])
        let reports = Reports()
        let auditor = try audit(nil, reports)
        #expect(auditor.engine.sequence == end.sequence)
        try execute(auditor, to: later.sequence)
        #expect(auditor.engine.stateHash() == later.hash)
        // matchd's is compared with its own, and not written again.
        try auditor.trySnapshot()
        #expect(reports.lines.isEmpty && auditor.snapshot == later.sequence)
    }

    @Test func `without its own snapshot it reports that and begins earlier`() throws {
        do { try audit().finish() }
        try Directory.remove(
            SnapshotStore(directory: place.path + "/snapshots").path(end.sequence))
        let reports = Reports()
        let auditor = try audit(nil, reports)
        #expect(auditor.engine.sequence == 0)
        #expect(reports.lines == [.lostOwn(end.sequence)])
        #expect(reports.lines.first?.isWarning == true)
    }

    @Test func `a snapshot that cannot be used is passed over`() throws {
        do { try audit().finish() }
        let path = SnapshotStore(directory: place.path + "/snapshots").path(end.sequence)
        try File(path, .write).write([1], at: 100)
        let reports = Reports()
        #expect(try audit(nil, reports).engine.sequence == 0)
        guard case .passedOver = reports.lines.first else {
            Issue.record("reported \(reports.lines)")
            return
        }
    }

    @Test func `a state that is not matchd's raises the alarm`() throws {
        let auditor = try audit()
        try execute(auditor, to: end.sequence)
        // As many records, of other orders.
        let other = try PipelinePlace()
        #expect(try Self.write(other, isNew: true, price: 9).sequence == end.sequence)
        let engine = try Journal.restore(
            Journal.recover(directory: other.path + "/journal"),
            snapshots: SnapshotStore(directory: other.path + "/snapshots"))
        let identity = try #require(
            try Journal.recover(directory: place.path + "/journal").identity)
        _ = try SnapshotStore(directory: place.path + "/snapshots")
            .write(engine, identity: identity, recordCRC: 0)
        let error = #expect(throws: AuditError.self) { try auditor.trySnapshot() }
        #expect(error?.description.hasPrefix("ALARM: the state after record") == true)
    }

    @Test func `a snapshot is due after so many records or so long`() throws {
        var options = options
        options.snapshotEvery = end.sequence + 1
        options.snapshotNanos = 1_000_000_000_000
        let auditor = try audit(options)
        let now = Clock.monotonicNanos()
        #expect(!auditor.isSnapshotDue(now + options.snapshotNanos))
        try execute(auditor, to: end.sequence)
        #expect(!auditor.isSnapshotDue(now))
        #expect(auditor.isSnapshotDue(Clock.monotonicNanos() + options.snapshotNanos))
    }

    @Test func `a disk without room is reported once, and tried again later`() throws {
        var options = options
        options.snapshotEvery = 1
        options.keepFree = .max / 2
        let reports = Reports()
        let auditor = try audit(options, reports)
        try execute(auditor, to: end.sequence)
        #expect(auditor.isSnapshotDue(Clock.monotonicNanos()))
        try auditor.trySnapshot()
        try auditor.trySnapshot()
        #expect(reports.lines.count == 1 && reports.lines.first?.isWarning == true)
        #expect(!auditor.isSnapshotDue(Clock.monotonicNanos()))
        #expect(try snapshots == [])
    }

    @Test func `one auditor has a state directory`() throws {
        let first = try audit()
        #expect(throws: StateLockError.self) { try audit() }
        #expect(first.engine.sequence == 0)
    }

    @Test func `a journal that is damaged ends it`() throws {
        let path = try #require(try Directory.names(in: place.path + "/journal").first)
        let file = try File(place.path + "/journal/" + path, .write)
        // Within the first record, behind the header.
        try file.write([0xFF, 0xFF, 0xFF], at: 4_096 + 40)
        #expect(throws: JournalError.self) { try execute(audit(), to: end.sequence) }
    }
}
