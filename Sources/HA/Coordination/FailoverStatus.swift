// The failover status, for operators and the agent's checks.

public import Failover

/// A change of this host's role, with its reason.
public struct FailoverChange: Hashable, Sendable {
    /// When, by the host's clock, nanoseconds since 1970: to show only.
    public let realtimeNanos: Int64
    /// When.
    public let at: BootTime
    /// What changed.
    public let transition: FailoverTransition
    /// The epoch that the host led, or else that its matchd followed, when it had changed.
    public let epoch: UInt32
    /// The cycle's sentence.
    public let sentence: String

    /// The change in one line.
    public var text: String { "\(transition.rawValue), epoch \(epoch): \(sentence)" }
}

/// One host's part in primary and standby, at one moment.
public struct FailoverStatus: Hashable, Sendable {
    /// Maximum number of changes that are kept.
    public static var changesMax: Int { 50 }

    /// When this was so.
    public internal(set) var at: BootTime
    /// This host.
    public let host: HostName
    /// The other one; nil: none.
    public let peer: HostName?
    /// This host's role.
    public internal(set) var role = FailoverRole.starting
    /// The epoch that it leads, or else that its matchd follows; 0: neither.
    public internal(set) var epoch: UInt32 = 0
    /// The last cycle in one sentence.
    public internal(set) var sentence = FailoverExplanation.recovering.description
    /// The record, as last known.
    public internal(set) var record: ClusterRecord?
    /// When the set in sync was first seen to be another than before, by the host's clock,
    /// nanoseconds since 1970; nil: it has not changed since the agent began.
    public internal(set) var setChangedAtRealtime: Int64?
    /// The last released sequence when this host became the only one in sync; nil: it is not, or
    /// was before the agent began.
    public internal(set) var aloneFrom: UInt64?
    /// The floor, as last known.
    public internal(set) var floor: UInt64 = 0
    /// matchd's newest report; nil: there is none.
    public internal(set) var report: MatchdReport?
    /// When that came.
    public internal(set) var reportedAt: BootTime?
    /// No claims.
    public internal(set) var isPaused = false
    /// The peer is not added until an operator asks.
    public internal(set) var isPeerOut = false
    /// This machine's watchdog.
    public internal(set) var watchdog = WatchdogState.unknown
    /// It claims nothing, for want of a watchdog.
    public internal(set) var isBarred = false
    /// When etcd last gave a definite answer.
    public internal(set) var answeredAt: BootTime?
    /// Why etcd's last request got no definite answer; nil: it got one.
    public internal(set) var etcdFault: String?
    /// Why matchd sends no reports; nil: it does.
    public internal(set) var controlFault: String?
    /// The last changes, oldest first.
    public internal(set) var changes: [FailoverChange] = []

    /// The last sign that commands could be acknowledged; see `HandoverWatch`.
    var servedAt: BootTime?
    /// For how long this host, which leads, has acknowledged nothing, at `now`, ns; nil: it does
    /// not lead, or never did in this run of the agent.
    public func muteNanos(at now: BootTime) -> Int64? {
        guard report?.isPrimary == true else { return nil }
        return servedAt.map { max(0, now.since($0)) }
    }
    /// The last changes of the primary.
    public internal(set) var primaryChanges: PrimaryHistory

    init(
        _ settings: FailoverSettings, _ start: FailoverStart, _ changes: PrimaryHistory,
        at: BootTime
    ) {
        (host, peer, self.at) = (settings.host, settings.peer, at)
        primaryChanges = changes
        (isPaused, isPeerOut) = (start.isPaused, start.isPeerOut)
    }

    /// On a primary: how many records the standby has not acknowledged. On a standby: how many
    /// records known to be released are not on its disk. Nil: not known.
    public var lagRecords: UInt64? {
        guard let report else { return nil }
        if report.isPrimary {
            return report.peer.map { report.end - min(report.end, $0.matched) }
        }
        guard report.heardAt != nil else { return nil }
        return report.commitPoint - min(report.commitPoint, report.durable)
    }

    /// On a primary: how long the oldest record has waited for the standby's acknowledgement, ns;
    /// 0: none waits. Nil: not known.
    public var lagNanos: Int64? {
        guard let report, report.isPrimary, let peer = report.peer else { return nil }
        return peer.waitingSince.map { max(0, at.since($0)) } ?? 0
    }

    /// How many acknowledged records are on no other host than this one, which leads: they are lost
    /// with its disk. Nil: it does not lead, or that is not known.
    public var atRiskRecords: UInt64? {
        guard let report, report.isPrimary, let record else { return nil }
        if record.inSync.count > 1 { return 0 }
        return aloneFrom.map { report.commitPoint - min(report.commitPoint, $0) }
    }

    /// Takes the record as it is known now.
    mutating func take(_ new: ClusterRecord?, at realtimeNanos: Int64) {
        if let old = record, let new, old.inSync != new.inSync {
            setChangedAtRealtime = realtimeNanos
            aloneFrom = new.inSync.map(\.host) == [host] ? report?.commitPoint : nil
        }
        record = new
    }

    mutating func note(_ change: FailoverChange) {
        if changes.count == Self.changesMax { changes.removeFirst() }
        changes.append(change)
    }
}
