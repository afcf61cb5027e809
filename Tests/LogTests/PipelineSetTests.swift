// Goal: who has to have a record before it leaves changes while the pipeline runs, at one sequence,
// and the release point never goes back.

import Engine
import Failover
import Follower
import Glibc
import Link
import Pipeline
import Platform
import Synchronization
import Terms
import Testing
import Wire

@Suite(.serialized) struct PipelineSetTests {
    static let replica = ReplicaID(high: 0, low: 7)

    static func acknowledgement(
        _ matched: UInt64, epoch: UInt32 = 1, process: UInt64 = 1,
        replica: ReplicaID = PipelineSetTests.replica
    ) -> PeerAcknowledgement {
        PeerAcknowledgement(
            epoch: epoch, process: ProcessNumber(process), replica: replica, matched: matched)
    }

    /// A set that leads epoch 1 with a lease that does not end.
    static func leading(requiring replica: ReplicaID? = nil) -> InSyncSet {
        var timing = FailoverTiming()
        timing.leaseNanos = .max / 4
        let set = InSyncSet(following: "standby", released: 0, timing: timing)
        set.begin(epoch: 1, requiring: replica)
        set.echoed(sentAt: BootTime(nanos: Clock.monotonicNanos()))
        return set
    }

    @Test func `the set changes at one sequence, and what has left stays out`() throws {
        let set = Self.leading()
        let running = try RunningPipeline(try PipelinePlace()) { $0.inSync = set }
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let released = running.pipeline.released
        #expect(set.require(Self.replica) == released)
        #expect(running.pipeline.released == released)
        var out = LinkEncoder()
        for number in 1...3 {
            out.submit(
                session: desk.session, number: desk.number + UInt64(number),
                TestDesk.place(Int64(number)))
        }
        try client.send(&out)
        #expect(becomes { running.pipeline.durable == released + 3 })
        // Acknowledgements of another epoch or of another replica count for nothing.
        set.acknowledge(Self.acknowledgement(released + 3, epoch: 2))
        set.acknowledge(Self.acknowledgement(released + 1))
        #expect(becomes { running.pipeline.released == released + 1 })
        usleep(20_000)
        #expect(running.pipeline.released == released + 1)
        let status = try client.status()
        #expect(status.isPeerInSync && "\(status.peer)" == "standby")
        #expect(status.peerMatched == released + 1 && status.atRisk == 2)
        #expect(status.gateWaitNanos > 0)
        // Another replica is required: what this one has is nothing to it.
        #expect(set.require(ReplicaID(high: 0, low: 8)) == released + 1)
        set.acknowledge(Self.acknowledgement(released + 3))
        usleep(20_000)
        #expect(running.pipeline.released == released + 1)
        #expect(set.require(nil) == released + 1)
        #expect(becomes { running.pipeline.released == released + 3 })
        try running.stop()
    }

    @Test func `without a lease nothing leaves, and with it again all does`() throws {
        var timing = FailoverTiming()
        timing.leaseNanos = 300_000_000
        let set = InSyncSet(following: "standby", released: 0, timing: timing)
        set.begin(epoch: 1, requiring: nil)
        let running = try RunningPipeline(try PipelinePlace()) { $0.inSync = set }
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let released = running.pipeline.released
        #expect(set.require(Self.replica) == released)
        set.acknowledge(Self.acknowledgement(.max / 2))
        var out = LinkEncoder()
        out.submit(session: desk.session, number: desk.number + 1, TestDesk.place(1))
        try client.send(&out)
        #expect(becomes { running.pipeline.durable == released + 1 })
        usleep(20_000)
        #expect(running.pipeline.released == released)
        #expect(!set.holdsLease(at: BootTime(nanos: Clock.monotonicNanos())))
        // An echo of a beacon that was sent too long ago is no lease.
        set.echoed(sentAt: BootTime(nanos: Clock.monotonicNanos() - timing.leaseNanos))
        usleep(20_000)
        #expect(running.pipeline.released == released)
        // A lease may be over before a busy machine looks at it: the peer answers again and again.
        let isReleased = becomes {
            set.echoed(sentAt: BootTime(nanos: Clock.monotonicNanos()))
            return running.pipeline.released == released + 1
        }
        #expect(isReleased)
        try running.stop()
    }

    @Test func `the release point never goes back while the set changes under load`() throws {
        let set = Self.leading()
        let running = try RunningPipeline(try PipelinePlace()) { $0.inSync = set }
        let client = try running.connect("load", wantsAcks: false)
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        var follower = Follower(client.welcome)
        try client.send(follower.subscription)
        let isOver = Flag()
        let pipeline = running.pipeline
        let changer = try PinnedThread.start(name: "changer") {
            var random = LinkFuzz()
            var process: UInt64 = 1
            while !isOver.isSet.load(ordering: .relaxed) {
                let durable = pipeline.durable
                switch random.below(4) {
                case 0: _ = set.require(nil)
                case 1: _ = set.require(Self.replica)
                case 2:
                    // A later process of the peer starts from nothing.
                    process += 1
                    set.acknowledge(Self.acknowledgement(0, process: process))
                default: set.acknowledge(Self.acknowledgement(durable, process: process))
                }
            }
            _ = set.require(nil)
        }
        var out = LinkEncoder()
        var last: UInt64 = 0
        for number in 1...3_000 {
            out.submit(
                session: desk.session, number: desk.number + UInt64(number),
                TestDesk.place(Int64(number % 50 + 1)))
            if number % 100 == 0 { try client.send(&out) }
            let released = pipeline.released
            #expect(released >= last && released <= pipeline.durable)
            last = released
            while let frame = try client.receive(timeoutNanos: 0) {
                if case .position(let named, _, _) = frame {
                    #expect(named == follower.engine.sequence, "it names just what was sent")
                }
                _ = unsafe try follower.receive(frame) { _, _, _, _ in }
            }
            #expect(follower.engine.sequence <= pipeline.released)
        }
        isOver.isSet.store(true, ordering: .relaxed)
        changer.join()
        try running.stop()
    }
}
