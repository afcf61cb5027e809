// What load balancers and checks are shown of the cluster.

import Agent
import AgentAPI
import Checks
import Coordination
import Failover

extension FailoverStatus {
    /// Nanoseconds after which this host's decisions, or matchd's reports, are of the past.
    private static var freshNanos: Int64 { 1_000_000_000 }
    /// The same of etcd, which is asked once a second.
    private static var arbiterNanos: Int64 { 4_000_000_000 }

    /// Why this host is not what a load balancer asks for; nil: it is.
    func lacks(_ health: HealthQuestion, at now: BootTime) -> String? {
        guard now.since(at) < Self.freshNanos else { return "the agent does not decide in time" }
        guard let report, let reportedAt, now.since(reportedAt) < Self.freshNanos else {
            return "matchd gives no reports"
        }
        switch health {
        case .any: return nil
        case .standby: return role == .standby ? nil : "this host is \(role.rawValue)"
        case .primary:
            guard role == .primary else { return "this host is \(role.rawValue)" }
            guard report.isLinkOpen else { return "its Link is not open" }
            return report.holdsLease ? nil : "it is out of its lease and holds"
        }
    }

    /// For the checks; `document` is what is shown of this status and of the peer's agent.
    func reading(_ document: ClusterDocument, at now: BootTime) -> ClusterReading {
        func flag(_ condition: Bool) -> String { condition ? "1" : "0" }
        let hasArbiter = answeredAt.map { now.since($0) < Self.arbiterNanos } ?? false
        var values: [ClusterReading.Key: String] = [
            .role: role.rawValue, .epoch: "\(epoch)", .sentence: sentence,
            .inSync: flag(record?.inSync.count == 2), .arbiter: flag(hasArbiter),
            .peer: flag(document.isPeerReachable ?? false), .paused: flag(isPaused),
            .peerOut: flag(isPeerOut),
        ]
        values[.lag] = lagRecords.map { "\($0)" }
        values[.lagNanos] = lagNanos.map { "\($0)" }
        values[.leader] = leader(document, at: now) ?? "-"
        values[.arbiterFault] = etcdFault
        values[.peerFault] = document.peerFault
        return ClusterReading(values)
    }

    /// Who acknowledges commands, as far as this host knows: itself; or the host whose beacons its
    /// matchd echoes; or the peer, if its agent says so. Nil: nobody.
    private func leader(_ document: ClusterDocument, at now: BootTime) -> String? {
        if lacks(.primary, at: now) == nil { return host.text }
        if let heard = report?.heardAt, now.since(heard) < Self.freshNanos, let record,
            record.primary != host
        {
            return record.primary.text
        }
        guard document.isPeerReachable == true, let other = document.peerDocument,
            other.role == FailoverRole.primary.rawValue
        else { return nil }
        return other.host
    }
}
