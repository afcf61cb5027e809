// An etcd that is late, does things twice, loses answers and reads what is old.

import Failover

/// The record and the floor, with what was before.
struct SimulatedEtcd {
    private(set) var record: ClusterRecord
    private(set) var floor: UInt64 = 0
    private(set) var past: [ClusterRecord] = []
    var isDown = false

    init(_ record: ClusterRecord) { self.record = record }

    /// Applies a swap; `changed` where the record has a new value.
    mutating func swap(
        _ swap: RecordSwap, _ broken: BrokenRule
    ) -> (answer: SwapAnswer, changed: Bool) {
        guard equals(swap.compared, broken) else { return (.notDone(record), false) }
        past.append(record)
        record = swap.value
        if let lower = swap.floor { floor = lower }
        return (.done, true)
    }

    private func equals(_ compared: ClusterRecord, _ broken: BrokenRule) -> Bool {
        switch broken {
        case .compareEpochOnly:
            compared.epoch == record.epoch && compared.primary == record.primary
        case .compareWithoutAttempt:
            compared.epoch == record.epoch && compared.primary == record.primary
                && compared.inSync == record.inSync
        case .claimNotInSet: compared.attempt == record.attempt
        default: compared == record
        }
    }

    mutating func put(_ floor: FloorPut, _ broken: BrokenRule) -> SwapAnswer {
        guard floor.compared.attempt == record.attempt,
            floor.sequence >= self.floor || broken == .floorGoesBack
        else { return .notDone(record) }
        self.floor = floor.sequence
        return .done
    }
}
