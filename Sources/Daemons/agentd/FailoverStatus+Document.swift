// What this host knows of its cluster, as the agent shows it.

import AgentAPI
import Control
import Coordination
import Failover
import Platform
import Terms

extension FailoverStatus {
    /// What the failover knows, as of now.
    var document: ClusterDocument {
        var document = ClusterDocument(
            host: host.text, role: "\(role)", epoch: epoch, sentence: sentence)
        (document.peer, document.floor) = (peer?.text, floor)
        if let record {
            (document.primary, document.recordEpoch) = (record.primary.text, record.epoch)
            (document.inSync, document.record) = (record.inSync.map(\.host.text), record.text)
        }
        (document.lagRecords, document.lagNanos) = (lagRecords, lagNanos)
        document.muteNanos = muteNanos(at: BootTime(nanos: Clock.monotonicNanos()))
        (document.setChangedAt, document.atRiskRecords) = (setChangedAtRealtime, atRiskRecords)
        (document.isPaused, document.isPeerOut) = (isPaused, isPeerOut)
        (document.watchdog, document.isBarred) = (watchdog.rawValue, isBarred)
        (document.etcdFault, document.matchdFault) = (etcdFault, controlFault)
        document.primaryChanges = primaryChanges.changes.map(ClusterHandover.init)
        document.changes = changes.map {
            ClusterChange(
                time: $0.realtimeNanos, epoch: $0.epoch, what: $0.transition.rawValue,
                why: $0.sentence)
        }
        if let report { document.take(report, isCurrent: controlFault == nil) }
        return document
    }
}

extension ClusterDocument {
    /// Takes what matchd reported, and if that is current its gateways.
    fileprivate mutating func take(_ report: MatchdReport, isCurrent: Bool) {
        etcdCluster = report.cluster.hexText
        (end, endEpoch, released) = (report.end, report.endEpoch, report.commitPoint)
        (process, version) = (report.process.number, report.version)
        (level, logLevel) = (report.level, report.logLevel)
        replica = "\(report.replica)"
        guard isCurrent else { return }
        gateways = report.gateways.map {
            ClusterGateway(name: $0.name, address: $0.address, since: $0.since)
        }
    }
}

extension ClusterHandover {
    fileprivate init(_ change: PrimaryChange) {
        self.init(
            number: change.number, time: change.realtimeNanos, to: change.to.text,
            epoch: change.epoch)
        (from, cause, why) = (change.from?.text, change.cause?.text, change.why)
        (proof, pauseNanos) = (change.proof, change.pauseNanos)
    }
}

extension ClusterArbiter {
    /// A member as this host reaches it.
    init(_ member: EtcdMemberView) {
        self.init(
            name: member.name, leads: member.isLeader, fault: member.fault,
            since: member.sinceNanos)
    }
}
