// The cluster document, and the verbs by their names.

import AgentAPI
import Control
import Coordination
import Failover
import JSON
import Platform
import Terms

extension FailoverStatus {
    /// Of the reply to GET /v1/cluster, what the failover knows. Times are nanoseconds: `time`,
    /// `setChanged` and `pauseOrderedAt` since 1970, others durations, `muteNanos`
    /// since this host, which leads, could acknowledge last. `pauseOrderedAt` is when an
    /// operator paused or resumed last; 0: never.
    func members(pauseOrderedAt: Int64) -> [JSONValue.Member] {
        let json: JSONValue = [
            "host": .string(host.text), "peer": .orNull(peer?.text),
            "role": .string("\(role)"), "epoch": .number(epoch), "sentence": .string(sentence),
            "primary": .orNull(record?.primary.text),
            "inSync": .strings(record?.inSync.map(\.host.text) ?? []),
            "recordEpoch": .orNull(record.map { Int64($0.epoch) }), "floor": .number(floor),
            "record": .orNull(record?.text),
            "etcdCluster": .orNull(report.map { $0.cluster.hexText }),
            "lagRecords": .orNull(lagRecords.map { Int64(clamping: $0) }),
            "lagNanos": .orNull(lagNanos),
            "muteNanos": .orNull(muteNanos(at: BootTime(nanos: Clock.monotonicNanos()))),
            "end": .orNull(report.map { Int64(clamping: $0.end) }),
            "endEpoch": .orNull(report.map { Int64($0.endEpoch) }),
            "setChanged": .orNull(setChangedAtRealtime),
            "atRiskRecords": .orNull(atRiskRecords.map { Int64(clamping: $0) }),
            "process": .orNull(report.map { Int64(clamping: $0.process.number) }),
            "version": .orNull(report?.version), "level": Self.json(report?.level),
            "logLevel": Self.json(report?.logLevel),
            "replica": .orNull(report.map { "\($0.replica)" }),
            "released": .orNull(report.map { Int64(clamping: $0.commitPoint) }),
            "paused": .bool(isPaused), "pauseOrderedAt": .number(pauseOrderedAt),
            "peerOut": .bool(isPeerOut),
            "watchdog": .string(watchdog.rawValue), "barred": .bool(isBarred),
            "etcdFault": .orNull(etcdFault), "matchdFault": .orNull(controlFault),
            "gateways": .array(
                (controlFault == nil ? report?.gateways ?? [] : []).map {
                    [
                        "name": .string($0.name), "address": .string($0.address),
                        "since": .number($0.since),
                    ]
                }),
            "primaryChanges": primaryChanges.json,
            "changes": .array(
                changes.map {
                    [
                        "time": .number($0.realtimeNanos), "epoch": .number($0.epoch),
                        "what": .string($0.transition.rawValue), "why": .string($0.sentence),
                    ]
                }),
        ]
        guard case .object(let members) = json else { return [] }
        return members
    }

    private static func json(_ level: LogLevel?) -> JSONValue {
        level.map { ["format": .number($0.format), "rules": .number($0.rules)] } ?? .null
    }
}

extension EtcdMemberView {
    /// A row of `etcd`; `since` is nanoseconds since 1970.
    var json: JSONValue {
        [
            "name": .string(name), "leads": .bool(isLeader), "fault": .orNull(fault),
            "since": .number(sinceNanos),
        ]
    }
}

extension FailoverVerb {
    /// The verb of that name.
    init?(_ name: String, peerOffInEpoch: UInt32?) {
        switch name {
        case "switchover": self = .switchover
        case "failover": self = .failover(peerOffInEpoch: peerOffInEpoch)
        case "standby-add": self = .standbyAdd
        case "standby-remove": self = .standbyRemove
        case "pause": self = .pause
        case "resume": self = .resume
        default: return nil
        }
    }
}

extension VerbRefusal {
    /// For operators.
    var words: String {
        switch self {
        case .notPrimary: "this host does not lead with the Link open: ask the primary's agent"
        case .peerNotInSync: "the other host is not in sync: see `boursectl cluster status`"
        case .notHealthy:
            "the other host lags behind, or does not answer in time: see `boursectl cluster status`"
        case .swapPending: "a change of the record waits for etcd's answer: try again"
        case .noArbiter: "etcd does not answer: a majority of its three members has to run"
        case .isPrimary: "this host leads already"
        case .notFollowing: "this host's matchd does not follow, or is not confirmed: try again"
        case .paused: "claims are paused, on both hosts: `boursectl cluster resume` first"
        case .peerNotProvenOff: ClusterVerb.notProvenOff
        case .peerWorkedSince:
            "etcd has another record than before the proof: the other host was at work since. See "
                + "`boursectl cluster status`; if it is off now, give the same command again"
        case .standalone: "this exchange has no second host"
        case .noWatchdog:
            "this host's watchdog is not armed, and its [cluster] watchdog is required: see "
                + "`boursectl explain kernel.watchdog`, or set it to auto and restart bourse-agentd"
        case .peerNoWatchdog:
            "the other host's watchdog is not armed, and its [cluster] watchdog is required: it "
                + "would not take over; see there: `boursectl explain kernel.watchdog`"
        }
    }
}
