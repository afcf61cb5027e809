// Goal: the rules that matchd keeps by itself, one by one.

import Failover
import Terms
import Testing

private func moment(_ millis: Int64) -> BootTime { BootTime(nanos: millis * 1_000_000) }
private let one = ReplicaID(high: 0, low: 1)
private let two = ReplicaID(high: 0, low: 2)

private func acknowledged(
    _ matched: UInt64, epoch: UInt32 = 5, process: UInt64 = 1, by replica: ReplicaID = two
) -> PeerAcknowledgement {
    PeerAcknowledgement(
        epoch: epoch, process: ProcessNumber(process), replica: replica, matched: matched)
}

@Suite struct PromiseTests {
    @Test func `epochs below the promise or the journal's last are refused`() {
        var keeper = PromiseKeeper(promise: 5, journalEpoch: 6)
        #expect(keeper.verdict(on: 5) == .refuse(6))
        #expect(keeper.verdict(on: 6) == .promiseFirst)
        keeper.promised(6)
        #expect(keeper.verdict(on: 6) == .take)
        #expect(keeper.verdict(on: 7) == .promiseFirst)
    }

    @Test func `a promise is never lowered`() {
        var keeper = PromiseKeeper(promise: 5, journalEpoch: 1)
        keeper.promised(3)
        #expect(keeper.promise == 5)
        keeper.journalEnds(in: 4)
        #expect(keeper.least == 5)
    }

    @Test func `an order binds its own process, and no lower epoch`() {
        let order = MatchdOrder(
            run: 1, number: 1, process: ProcessNumber(4), epoch: 5, action: .promise)
        #expect(order.binds(ProcessNumber(4), epoch: 5))
        #expect(!order.binds(ProcessNumber(5), epoch: 5))
        #expect(!order.binds(ProcessNumber(4), epoch: 6))
    }
}

@Suite struct LeaseTests {
    @Test func `the lease counts from the sending of the beacon`() {
        var lease = ReleaseLease(leaseNanos: 500_000_000)
        #expect(!lease.isHeld(at: moment(0), isPeerRequired: true))
        lease.echoed(sentAt: moment(100))
        lease.echoed(sentAt: moment(50))
        #expect(lease.isHeld(at: moment(599), isPeerRequired: true))
        #expect(!lease.isHeld(at: moment(600), isPeerRequired: true))
        #expect(lease.isHeld(at: moment(900), isPeerRequired: false))
        lease.begin()
        #expect(!lease.isHeld(at: moment(150), isPeerRequired: true))
    }

    @Test func `beacons without progress, or of another epoch, are not echoed`() {
        let keeper = PromiseKeeper(promise: 5, journalEpoch: 5)
        func echoes(_ epoch: UInt32, _ progress: Bool, _ confirmed: Bool) -> Bool {
            BeaconRule.echoes(
                epoch: epoch, hasProgress: progress, keeper: keeper, isConfirmed: confirmed)
        }
        #expect(echoes(5, true, true))
        #expect(!echoes(5, false, true))
        #expect(!echoes(4, true, true))
        #expect(!echoes(6, true, true))
        #expect(!echoes(5, true, false))
        let timing = FailoverTiming()
        #expect(BeaconRule.hasProgress(oldestWaiting: nil, at: moment(9_000), timing: timing))
        #expect(BeaconRule.hasProgress(oldestWaiting: moment(1), at: moment(1_000), timing: timing))
        #expect(
            !BeaconRule.hasProgress(oldestWaiting: moment(0), at: moment(1_000), timing: timing))
    }
}

@Suite struct GateTests {
    @Test func `a required replica holds the gate until it acknowledges in this epoch`() {
        var gate = PeerRequirement(released: 3)
        gate.begin(epoch: 5, requiring: two)
        #expect(gate.release(durable: 9) == 3)
        gate.acknowledge(acknowledged(9, epoch: 4))
        gate.acknowledge(acknowledged(9, by: one))
        #expect(gate.release(durable: 9) == 3)
        gate.acknowledge(acknowledged(7))
        #expect(gate.release(durable: 9) == 7)
        #expect(gate.release(durable: 6) == 7, "it never goes back")
    }

    @Test func `a later process of the peer starts from nothing, an earlier one does not count`() {
        var gate = PeerRequirement(released: 0)
        gate.begin(epoch: 5, requiring: two)
        gate.acknowledge(acknowledged(7, process: 2))
        gate.acknowledge(acknowledged(9, process: 1))
        #expect(gate.limit == 7)
        gate.acknowledge(acknowledged(2, process: 3))
        #expect(gate.limit == 2)
        #expect(gate.release(durable: 9) == 2)
    }

    @Test func `another replica counts its processes anew`() {
        var gate = PeerRequirement(released: 0)
        gate.begin(epoch: 5, requiring: two)
        gate.acknowledge(acknowledged(7, process: 9, by: one))
        #expect(gate.limit == 0)
        gate.acknowledge(acknowledged(4, process: 2))
        #expect(gate.limit == 4)
    }

    @Test func `alone it waits for nobody; a peer that is added does not move it back`() {
        var gate = PeerRequirement(released: 0)
        gate.begin(epoch: 5, requiring: nil)
        #expect(gate.release(durable: 9) == 9)
        gate.require(two)
        #expect(gate.release(durable: 12) == 9)
        gate.require(nil)
        #expect(gate.release(durable: 12) == 12)
    }
}

@Suite struct StandbyTests {
    @Test func `an old tail is neither acknowledged nor shown`() {
        var standby = StandbyPosition(durable: 10, released: 4)
        standby.follow()
        standby.commit(9)
        #expect(standby.acknowledged == 0)
        #expect(standby.visible == 0)
        standby.match(6)
        #expect(standby.acknowledged == 6)
        #expect(standby.visible == 6)
        #expect(standby.released == 6)
    }

    @Test func `what is not synced is not acknowledged`() {
        var standby = StandbyPosition(durable: 4, released: 4)
        standby.match(7)
        standby.commit(7)
        #expect(standby.acknowledged == 4)
        standby.sync(7)
        #expect(standby.acknowledged == 7)
    }

    @Test func `what is known to be released is cut only for a forced failover`() {
        var standby = StandbyPosition(durable: 10, released: 0)
        standby.commit(20)
        standby.match(6)
        #expect(standby.mayCut(from: 7, epoch: 5, forced: nil), "the commit point is another's")
        #expect(!standby.mayCut(from: 6, epoch: 5, forced: nil))
        #expect(standby.mayCut(from: 6, epoch: 5, forced: ForcedStart(epoch: 6, from: 6)))
        #expect(!standby.mayCut(from: 5, epoch: 5, forced: ForcedStart(epoch: 6, from: 6)))
        #expect(!standby.mayCut(from: 6, epoch: 6, forced: ForcedStart(epoch: 6, from: 6)))
        standby.cut(behind: 5)
        #expect(standby.released == 5)
        #expect(standby.durable == 5)
    }
}
