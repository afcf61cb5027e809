// Operators' verbs by their names, and why they are refused.

import AgentAPI
import Failover

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
