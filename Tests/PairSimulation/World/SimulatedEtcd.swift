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
    private var past: [ClusterRecord] = []
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
            past.append(record)
            record = swap.value
            if let lower = swap.floor { floor = lower }
            if let forced = record.forced { world.judge.giveUp(forced) }
            for host in world.hosts.indices {
                if record.replica(of: world.hosts[host].name) != world.hosts[host].imaged {
                    world.hosts[host].imaged = nil
                }
            }
            world.trace("etcd: \(swap.purpose), epoch \(record.epoch) of \(record.primary)")
            return .swapAnswered(swap.value.attempt, .done)
        case .floor(let put):
            guard put.compared.attempt == record.attempt, put.sequence >= floor else {
                return .floorAnswered(.notDone(record))
            }
            floor = put.sequence
            return .floorAnswered(.done)
        case .read(let read):
            var read_ = record
            if !read.mustWrite, world.oneIn(world.plan.staleOneIn), !world.isHealed,
                let old = past.last
            {
                read_ = old
                world.note(.staleRead)
            }
            return .recordRead(RecordReading(number: read.number, record: read_, floor: floor))
        }
    }
}
