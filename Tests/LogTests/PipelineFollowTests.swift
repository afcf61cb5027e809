// Goal: a pipeline that follows makes durable what comes, shows and applies only what the primary
// has released, and leads when it is to.

import Engine
import Failover
import Follower
import Glibc
import Journal
import Link
import Pipeline
import Platform
import Terms
import Testing
import Wire

/// A primary and a host that follows it, with nothing between them but a test that copies.
@safe private final class FollowedPipeline {
    let primaryPlace, standbyPlace: PipelinePlace
    let primary: RunningPipeline
    private(set) var standby: RunningPipeline
    private(set) var intake: StandbyIntake
    let set: InSyncSet
    var desk: TestDesk
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 8)

    init() throws {
        (primaryPlace, standbyPlace) = (try PipelinePlace(), try PipelinePlace())
        try RunningPipeline(primaryPlace).stop()
        for name in try Directory.names(in: primaryPlace.path + "/journal") {
            let path = primaryPlace.path + "/journal/" + name
            guard !Directory.isDirectory(path) else { continue }
            let bytes = try File(path, .read).read(count: 8 << 20)
            try File(standbyPlace.path + "/journal/" + name, .replace).write(bytes)
        }
        primary = try RunningPipeline(primaryPlace)
        (standby, intake, set) = try Self.follow(standbyPlace)
        desk = try TestDesk(primary.connect(), "desk")
        #expect(primary.pipeline.sealedFeed.attach(after: standby.last.sequence))
    }

    deinit { unsafe room.deallocate() }

    static func follow(
        _ place: PipelinePlace
    ) throws -> (RunningPipeline, StandbyIntake, InSyncSet) {
        var set = InSyncSet()
        let running = try RunningPipeline(place, follows: true) { set = $0.inSync }
        return (running, StandbyIntake(running.pipeline, after: running.last, timestamp: 0), set)
    }

    /// Stops the host that follows and starts it again.
    func restart() throws {
        try standby.stop()
        var set = InSyncSet()
        standby = try RunningPipeline(standbyPlace, follows: true) { set = $0.inSync }
        intake = StandbyIntake(standby.pipeline, after: standby.last, timestamp: 0)
        self.again = set
    }

    /// The set of the process that was started again.
    private(set) var again: InSyncSet?

    /// Copies all that is sealed, and waits until it is durable on both hosts.
    func copy() throws {
        let end = primary.pipeline.applied
        let deadline = Clock.monotonicNanos() + patience
        while intake.end.sequence < end, Clock.monotonicNanos() < deadline {
            guard case .records(let count, _) = unsafe primary.pipeline.sealedFeed.take(into: room)
            else {
                usleep(1_000)
                continue
            }
            let run = unsafe UnsafeRawBufferPointer(rebasing: room[..<count])
            while try unsafe !intake.append(run), Clock.monotonicNanos() < deadline {
                usleep(1_000)
            }
        }
        wait { self.standby.pipeline.durable == end }
    }

    func wait(_ isTrue: () -> Bool, _ line: Int = #line) {
        let isSo = becomes(isTrue)
        #expect(isSo, "line \(line)")
    }
}

@Suite(.serialized) struct PipelineFollowTests {
    @Test func `what came is durable, and applied and shown only when the primary released it`()
        throws
    {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        try pair.copy()
        let end = pair.primary.pipeline.applied
        usleep(20_000)
        #expect(pair.standby.pipeline.durable == end)
        #expect(pair.standby.pipeline.released == 1 && pair.standby.pipeline.applied == 1)
        let client = try pair.standby.connect("follower", wantsAcks: false)
        #expect(client.welcome.role == .standby && client.welcome.released == 1)
        var follower = Follower(client.welcome)
        pair.set.follow(visible: 4)
        try follow(client, &follower, to: 4)
        pair.wait { pair.standby.pipeline.applied == 4 }
        // Beyond what is durable here nothing is shown, whatever was released there.
        pair.set.follow(visible: end + 100)
        pair.wait { pair.standby.pipeline.applied == end }
        #expect(pair.standby.pipeline.released == end)
        let (hash, sequence) = try pair.standby.stop()
        let own = try pair.primary.stop()
        #expect(sequence == end && own.sequence == end + 1)
        // The primary's last record is its hash mark.
        #expect(hash != 0)
    }

    @Test func `a record with a signature of an operator that is none is not taken`() throws {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        try pair.copy()
        let end = pair.intake.end
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "theft")
        for command in OperatorIngressTests.commands(audit) {
            let kind = type(of: command).kind
            var record = command.recordBytes(
                RecordHeader(
                    sequence: pair.intake.end.sequence + 1, timestamp: .max, epoch: end.epoch,
                    kind: kind))
            unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
            guard kind.isSigned else { continue }
            var error: SinkError?
            unsafe record.withUnsafeBytes { bytes in
                do throws(SinkError) { _ = unsafe try pair.intake.append(bytes) } catch let found {
                    error = found
                }
            }
            #expect(error?.description.contains("signature of an operator") == true, "\(kind)")
        }
        #expect(pair.intake.end == end)
        try pair.standby.stop()
        try pair.primary.stop()
    }

    @Test func `a start applies nothing that may not have been released`() throws {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        pair.set.follow(visible: 3)
        try pair.copy()
        let end = pair.intake.end
        pair.wait { pair.standby.pipeline.applied == 3 }
        // The mark that says so comes a moment later.
        pair.wait { Self.commitPoint(pair.standbyPlace) == 3 }
        try pair.restart()
        #expect(pair.standby.last == end)
        #expect(pair.standby.pipeline.applied == 3 && pair.standby.pipeline.released == 3)
        #expect(pair.standby.pipeline.durable == end.sequence)
        pair.again?.follow(visible: end.sequence)
        pair.wait { pair.standby.pipeline.applied == end.sequence }
        // More may follow, as before.
        try pair.desk.submit(TestDesk.place(1))
        try pair.copy()
        pair.again?.follow(visible: end.sequence + 1)
        pair.wait { pair.standby.pipeline.applied == end.sequence + 1 }
        try pair.standby.stop()
        try pair.primary.stop()
    }

    @Test func `it leads behind all that came, in its own epoch, and takes commands then`() throws {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        try pair.copy()
        let end = pair.intake.end.sequence
        let refused = try pair.standby.connect()
        #expect(throws: LinkError.self) {
            try refused.execute(TestDesk.place(1), session: pair.desk.session, number: 7)
        }
        pair.set.begin(epoch: 9, requiring: nil)
        let term = TermStart(cause: .failover, replica: (5, 6), attempt: (7, 8))
        #expect(pair.standby.pipeline.lead(epoch: 9, term))
        #expect(pair.standby.pipeline.termStart == end + 1)
        pair.wait { pair.standby.pipeline.released == end + 1 }
        pair.standby.pipeline.setRole(.primary)
        let client = try pair.standby.connect()
        var desk = TestDesk(client, session: pair.desk.session, number: pair.desk.number)
        let ack = try desk.submit(TestDesk.place(1))
        #expect(ack.refusal == .none && ack.sequence == end + 2)
        var marks: [(UInt64, UInt32, UInt16)] = []
        let feed = try pair.standby.connect("follower", wantsAcks: false)
        var follower = Follower(feed.welcome)
        try followRaw(feed, &follower, to: ack.sequence) {
            marks.append(($0.sequence, $0.epoch, $0.kind))
        }
        #expect(marks[Int(end)] == (end + 1, 9, CommandKind.epochMark.rawValue))
        #expect(marks.last! == (end + 2, 9, CommandKind.place.rawValue))
        try pair.standby.stop()
        // What it wrote is a journal as any other.
        let again = try RunningPipeline(pair.standbyPlace)
        #expect(again.pipeline.epoch == 9)
        try again.stop()
        try pair.primary.stop()
    }

    @Test func `a record that is damaged, or does not follow, is not taken`() throws {
        let pair = try FollowedPipeline()
        let last = pair.intake.end
        var record = Genesis(
            limits: .small, journalHigh: 1, journalLow: 2, hashKeyHigh: 3, hashKeyLow: 4
        ).recordBytes(
            RecordHeader(sequence: last.sequence + 1, timestamp: 2, epoch: 1, kind: .tick))
        func refusal(_ bytes: [UInt8]) -> String? {
            unsafe bytes.withUnsafeBytes { raw in
                do throws(SinkError) {
                    return try unsafe pair.intake.append(raw) ? nil : "no room"
                } catch { return error.description }
            }
        }
        #expect(refusal(record)?.contains("CRC") == true)
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        #expect(refusal(Array(record.dropLast(8)))?.contains("cannot follow") == true)
        var skipping = record
        skipping[8] += 1
        #expect(refusal(skipping)?.contains("cannot follow") == true)
        #expect(pair.intake.end == last)
        try pair.standby.stop()
        try pair.primary.stop()
    }

    @Test func `three rings' worth of records pass through a host that follows`() throws {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        let client = pair.desk.client
        var out = LinkEncoder()
        for round in 0..<200 {
            for _ in 0..<100 {
                pair.desk.number += 1
                out.submit(
                    session: pair.desk.session, number: pair.desk.number,
                    TestDesk.place(Int64(pair.desk.number % 50 + 1)))
            }
            try client.send(&out)
            var acked = 0
            while acked < 100 {
                guard case .acks(let acks) = try client.receive(timeoutNanos: patience)
                else {
                    Issue.record("acknowledgements were due in round \(round)")
                    return
                }
                acked += acks.count
            }
            try pair.copy()
            pair.set.follow(visible: pair.primary.pipeline.released)
        }
        let end = pair.primary.pipeline.applied
        pair.wait { pair.standby.pipeline.applied == end }
        pair.set.begin(epoch: 2, requiring: nil)
        #expect(pair.standby.pipeline.lead(epoch: 2, TermStart()))
        pair.wait { pair.standby.pipeline.released == end + 1 }
        #expect(pair.standby.fault == nil)
        try pair.standby.stop()
        try pair.primary.stop()
        let (ours, theirs) = (
            try Self.records(pair.standbyPlace, through: end),
            try Self.records(pair.primaryPlace, through: end)
        )
        #expect(ours == theirs)
    }

    /// The last record of which the journal says that it was released.
    private static func commitPoint(_ place: PipelinePlace) -> UInt64? {
        try? Journal.inspect(directory: place.path + "/journal").commitPoint
    }

    private static func records(_ place: PipelinePlace, through end: UInt64) throws -> [UInt8] {
        let reader = JournalReader(directory: place.path + "/journal", from: 1)
        var bytes: [UInt8] = []
        while reader.nextSequence <= end {
            guard try unsafe reader.next(upTo: end, { unsafe bytes.append(contentsOf: $0) }) else {
                break
            }
        }
        return bytes
    }

    @Test func `a release wakes who takes records, whatever the thread that sends them does`()
        throws
    {
        let pair = try FollowedPipeline()
        try pair.desk.prepare()
        try pair.copy()
        let (own, sender) = (pair.intake.bell, pair.standby.pipeline.sealedFeed.bell)
        for visible in 2...pair.primary.pipeline.applied {
            own.arm()
            // The thread that would serve a standby has woken up meanwhile.
            sender.arm()
            sender.disarm(isReadable: TCPSocket.wait(sender.descriptor, Int16(POLLIN), deadline: 0))
            pair.set.follow(visible: visible)
            let deadline = Clock.monotonicNanos() + patience
            let hasRung = TCPSocket.wait(own.descriptor, Int16(POLLIN), deadline: deadline)
            #expect(hasRung, "the release of record \(visible)")
            own.disarm(isReadable: hasRung)
            guard hasRung else { break }
            pair.wait { pair.standby.pipeline.applied == visible }
        }
        try pair.standby.stop()
        try pair.primary.stop()
    }

    @Test func `held intake ends with a hash mark, adds nothing, and goes on where it was`() throws
    {
        let running = try RunningPipeline(try PipelinePlace())
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        running.pipeline.holdIntake(true)
        #expect(becomes { running.pipeline.isLogHeld })
        let end = running.pipeline.applied
        let other = try running.connect()
        #expect(try becomes { try other.status().hashMark == end })
        var out = LinkEncoder()
        out.submit(session: desk.session, number: desk.number + 1, TestDesk.place(1))
        try desk.client.send(&out)
        usleep(100_000)
        #expect(running.pipeline.applied == end && running.pipeline.isLogHeld)
        running.pipeline.holdIntake(false)
        guard case .acks(let acks) = try desk.client.receive(timeoutNanos: patience) else {
            Issue.record("the order that waited was due")
            return
        }
        #expect(acks.count == 1)
        #expect(running.pipeline.applied == end + 1 && !running.pipeline.isLogHeld)
        // A held log goes on with a later term as well.
        running.pipeline.holdIntake(true)
        #expect(becomes { running.pipeline.isLogHeld })
        #expect(running.pipeline.raise(epoch: 4, TermStart(cause: .raise)))
        running.pipeline.holdIntake(false)
        desk.number += 1
        #expect(try desk.submit(TestDesk.place(2)).refusal == .none)
        try running.stop()
    }
}
