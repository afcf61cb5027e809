// Goal: numbers of terms from a peer's promise, a disk or etcd are bounded: counting up from the
// highest never overflows, and nobody leads a term above what a record may have.

import Failover
import Terms
import Testing

@Suite struct EpochBoundTests {
    private static let own = ReplicaID(high: 0, low: 1)
    private static let peer = ReplicaID(high: 0, low: 2)
    private static let peerHost = HostName("b")

    private func moment(_ millis: Int) -> BootTime { BootTime(nanos: Int64(millis) * 1_000_000) }

    private func record(_ epoch: UInt32) -> ClusterRecord {
        ClusterRecord(
            epoch: epoch, primary: HostName("a"),
            inSync: [
                InSyncReplica(host: HostName("a"), replica: Self.own),
                InSyncReplica(host: Self.peerHost, replica: Self.peer),
            ], attempt: SwapAttempt(run: 9, number: 1))
    }

    private func report(promise: UInt32, epoch: UInt32) -> MatchdReport {
        MatchdReport(
            process: ProcessNumber(1), state: .recovered, epoch: epoch, replica: Self.own,
            promise: promise, end: 90, endEpoch: epoch, durable: 90, commitPoint: 90)
    }

    @Test(arguments: [
        (UInt32(5), UInt32(5)), (ClusterRecord.epochMax, UInt32(5)), (UInt32.max, UInt32(5)),
        (UInt32.max - 1, UInt32.max - 1), (UInt32.max, UInt32.max),
    ])
    func `a host that promised any term claims none above the bound`(
        _ promise: UInt32, _ recordEpoch: UInt32
    ) {
        var core = FailoverCore(
            FailoverSettings(host: HostName("a"), peer: Self.peerHost), run: 1)
        var report = report(promise: promise, epoch: min(recordEpoch, promise))
        var claimed: UInt32?
        func obey(_ effects: FailoverEffects, at millis: Int) {
            for order in effects.orders {
                (report.ordersRun, report.ordersDone) = (order.run, order.number)
                switch order.action {
                case .follow: report.state = .following(isConfirmed: true)
                case .promise: claimed = order.epoch
                default: break
                }
            }
            guard let request = effects.read else { return }
            let reading = RecordReading(
                number: request.number, record: record(recordEpoch), floor: 80,
                isOwnCluster: true)
            obey(core.step(.recordRead(reading), at: moment(millis)), at: millis)
        }
        for millis in stride(from: 0, to: 3_000, by: 50) where claimed == nil {
            obey(core.step(.reported(report), at: moment(millis)), at: millis)
        }
        let highest = min(max(promise, recordEpoch), ClusterRecord.epochMax)
        #expect(claimed == highest + 1, "its own term ended with its process: it claims anew")
    }

    @Test(arguments: [UInt32(9), ClusterRecord.epochMax, .max - 1, .max])
    func `a primary raises to a peer's promise, whatever it is`(_ promise: UInt32) {
        var core = FailoverCore(
            FailoverSettings(host: HostName("a"), peer: Self.peerHost), run: 1)
        var report = report(promise: 5, epoch: 5)
        (report.state, report.epochStart, report.isLinkOpen) = (.leading, 1, true)
        report.holdsLease = true
        report.requirement = Self.peer
        report.peer = PeerReport(
            replica: Self.peer, echoedAt: moment(0), matched: 90, promise: promise)
        let first = core.step(.reported(report), at: moment(0))
        let reading = RecordReading(
            number: first.read?.number ?? 0, record: record(5), floor: 80, isOwnCluster: true)
        let effects = core.step(.recordRead(reading), at: moment(1))
        #expect(effects.swap?.purpose == .raise)
        #expect(effects.swap?.value.epoch == max(promise, 6))
    }
}
