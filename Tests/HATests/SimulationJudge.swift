// What must hold, whatever happens. Knows what clients and followers saw.

import Failover

/// The checkers.
final class SimulationJudge {
    unowned let world: Simulation
    /// What was acknowledged, in order.
    private(set) var acknowledged: [SimulatedRecord] = []
    /// What was shown by anyone beyond that; only where a rule is broken.
    private var hostOfEpoch: [UInt32: Int] = [:]
    private var written: [UInt64: SimulatedRecord] = [:]
    private(set) var violation: String?
    /// Since healing.
    private(set) var acknowledgedSince = 0
    private(set) var firstAcknowledgedAt: Int64?
    private var gapMax: Int64 = 0
    /// The longest time without an acknowledgement since then, also one that lasts still.
    var longestGap: Int64 { max(gapMax, world.time - acknowledgedAt) }
    private var acknowledgedAt: Int64 = 0
    /// A disk lost records above the floor, which no rule can know of: loss is not judged.
    var mayLose = false

    init(_ world: Simulation) { self.world = world }

    func accuse(_ what: String) {
        if violation == nil { violation = what }
    }

    /// (epoch, sequence) names one record.
    func wrote(_ record: SimulatedRecord, at sequence: Int) {
        let key = UInt64(record.epoch) << 32 | UInt64(sequence)
        if let other = written[key], other != record {
            accuse("two records have one epoch and one sequence")
        }
        written[key] = record
    }

    /// A primary released the records behind `from` up to `to`.
    func released(_ host: Int, from: Int, to: Int) {
        guard let matchd = world.hosts[host].matchd else { return }
        if to < from { return accuse("the gate went back") }
        if hostOfEpoch.updateValue(host, forKey: matchd.epoch) ?? host != host {
            accuse("two hosts acknowledged in one epoch")
        }
        let records = world.hosts[host].disk.records
        for index in from..<to {
            if index < acknowledged.count {
                if acknowledged[index] != records[index], !mayLose {
                    accuse("two records were acknowledged at one sequence")
                }
            } else if index > acknowledged.count {
                return accuse("a record was released before those before it")
            } else {
                acknowledged.append(records[index])
                acknowledgedSince += 1
                gapMax = longestGap
                acknowledgedAt = world.time
                if firstAcknowledgedAt == nil { firstAcknowledgedAt = world.time }
            }
        }
        checkLeases(host, matchd)
    }

    func countFromHere() {
        (acknowledgedSince, firstAcknowledgedAt) = (0, nil)
        (gapMax, acknowledgedAt) = (0, world.time)
    }

    /// No other host may answer, by its lease, where this one acknowledges for want of a sign.
    private func checkLeases(_ host: Int, _ matchd: SimulatedMatchd) {
        guard let other = world.hosts[1 - host].matchd, other.isLinkOpen, other.state == .leading,
            other.holdsLease, other.epoch < matchd.epoch, matchd.cause == .grace,
            other.gate.replica != nil
        else { return }
        accuse("two hosts may answer at once")
    }

    /// Somebody was shown the records behind `from` up to `to`.
    func shows(_ host: Int, from: Int, to: Int) {
        guard !mayLose else { return }
        let records = world.hosts[host].disk.records
        for index in from..<max(from, to)
        where index >= acknowledged.count || records[index] != acknowledged[index] {
            return accuse("somebody was shown a record that is not acknowledged")
        }
    }

    /// A host leads.
    func promoted(_ host: Int, _ terms: LeadTerms) {
        guard world.etcd.record.attempt == terms.attempt else { return }
        if !holdsAll(world.hosts[host].disk.records), !mayLose {
            accuse("a promoted host lacks an acknowledged record")
        }
    }

    /// The operator gave up what only the other host has.
    func giveUp(_ host: Int) {
        let records = world.hosts[host].disk.records
        var same = 0
        while same < min(records.count, acknowledged.count), records[same] == acknowledged[same] {
            same += 1
        }
        world.trace?("given up: from \(same + 1) to \(acknowledged.count)")
        acknowledged.removeSubrange(same...)
        // What an earlier force gave up, and this host knows to have been released, is back.
        let known = Int(world.hosts[host].matchd?.standby.released ?? 0)
        if same < known { acknowledged += records[same..<min(known, records.count)] }
    }

    func cuts(_ host: Int, from sequence: Int, isKnownReleased: Bool) {
        guard let matchd = world.hosts[host].matchd else { return }
        let records = world.hosts[host].disk.records
        let isForced = (matchd.forced?.epoch ?? 0) > records[sequence - 1].epoch
        if isKnownReleased, !isForced { accuse("a host cut what it knew to be released") }
        guard !mayLose, sequence <= acknowledged.count,
            records[sequence - 1] == acknowledged[sequence - 1], someoneHoldsAll
        else { return }
        accuse("an acknowledged record was cut")
    }

    private func holdsAll(_ records: [SimulatedRecord]) -> Bool {
        guard records.count >= acknowledged.count else { return false }
        var index = acknowledged.count - 1
        while index >= 0 {
            if records[index] != acknowledged[index] { return false }
            index -= 1
        }
        return true
    }

    private func isListed(_ host: Int) -> Bool {
        world.etcd.record.replica(of: world.hosts[host].name) == world.hosts[host].disk.replica
    }

    private var someoneHoldsAll: Bool {
        (0..<2).contains { isListed($0) && holdsAll(world.hosts[$0].disk.records) }
    }

    /// Who is in sync by the record has all that was acknowledged, on disk. Of an old image this is
    /// judged only once its process is confirmed.
    func checkSet() {
        guard violation == nil, !mayLose else { return }
        for host in 0..<2 where isListed(host) {
            let disk = world.hosts[host].disk
            if world.hosts[host].isOldImage {
                guard let matchd = world.hosts[host].matchd, matchd.state != .recovered,
                    matchd.state != .following(isConfirmed: false)
                else { continue }
            }
            if disk.durable < acknowledged.count || !holdsAll(disk.records) {
                accuse("a host is in sync by the record and lacks an acknowledged record")
            }
        }
    }
}
