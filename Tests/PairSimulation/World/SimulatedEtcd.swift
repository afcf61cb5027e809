// An etcd that is late, does things twice, loses answers and reads what is old.

import Failover

/// A request to etcd.
enum EtcdRequest {
    case swap(RecordSwap)
    case floor(FloorPut)
    case read(RecordRequest)
}

/// The record and the floor, with what was before.
struct SimulatedEtcd {
    var record = ClusterRecord(
        epoch: 0, primary: HostName(""), inSync: [], attempt: SwapAttempt(run: 0, number: 0))
    private(set) var floor: UInt64 = 0
    /// What a stale reading finds.
    private var past: [(record: ClusterRecord, floor: UInt64)] = []
    var isDown = false
    var isCutTo = [false, false]
    var isCutFrom = [false, false]
    /// Whether a host's agent reaches the other's.
    var areAgentsCut = [false, false]

    func hostsReach(_ host: Int) -> Bool { !areAgentsCut[host] }

    /// The answer; nil: none.
    mutating func serve(_ request: EtcdRequest) -> FailoverEvent? {
        guard !isDown else { return nil }
        switch request {
        case .swap(let swap):
            guard swap.compared == record else {
                return .swapAnswered(swap.value.attempt, .notDone(record))
            }
            remember()
            record = swap.value
            if let lower = swap.floor { floor = lower }
            world.trace("etcd: \(swap.purpose), epoch \(record.epoch) of \(record.primary)")
            return .swapAnswered(swap.value.attempt, .done)
        case .floor(let put):
            guard put.compared.attempt == record.attempt, put.sequence >= floor else {
                return .floorAnswered(.notDone(record))
            }
            remember()
            floor = put.sequence
            return .floorAnswered(.done)
        case .read(let read):
            var (record, floor) = (record, floor)
            if !read.mustWrite, world.oneIn(world.plan.staleOneIn), !world.isHealed,
                let old = past.last
            {
                (record, floor) = world.oneIn(2) ? old : past[world.below(past.count)]
                world.note(.staleRead)
            }
            return .recordRead(RecordReading(number: read.number, record: record, floor: floor))
        }
    }

    private mutating func remember() {
        past.append((record, floor))
        if past.count > 4 { past.removeFirst() }
    }
}
