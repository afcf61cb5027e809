// What becomes of a verb that was not done in time, as far as the agent's document shows.

package import AgentAPI
import Failover

/// Whether something that was asked for, and is not there, may still come. Pure.
package enum OrderOutlook: Hashable {
    /// It may.
    case open
    /// It is done; what was waited for after it is missing. What is done.
    case done(String)
    /// It will not come. Why.
    case dropped(String)

    /// Of `verb`, which the agent accepted when its document was `before`; `now` is `nanos` later.
    package init(
        _ verb: ClusterVerb, _ before: ClusterDocument, _ now: ClusterDocument, after nanos: Int64
    ) {
        let (host, peer) = (now.host, now.peer ?? "the other host")
        let epoch = now.recordEpoch ?? 0
        let isLater = epoch > before.recordEpoch ?? 0
        let isTaken = isLater && !now.leads && now.primary != nil && now.primary != host
        let taken = "\(now.primary ?? peer) leads epoch \(epoch) since"
        switch verb {
        case .switchover where isTaken: self = .done("\(now.primary ?? peer) leads epoch \(epoch)")
        case .switchover:
            self = now.role == "primary" ? .dropped("it was given up, and \(host) leads on") : .open
        case .failover where now.leads:
            self = .done("\(host) leads epoch \(epoch), and takes no commands yet")
        case .failover, .standbyAdd, .standbyRemove:
            if isTaken {
                self = .dropped(taken)
            } else {
                self = Self.untaken(verb, now, peer, after: nanos)
            }
        case .pause, .resume:
            self =
                now.isPaused == (verb == .pause)
                ? .done(now.sentence) : .dropped("another verb has taken it back")
        case .peerOff: self = .open
        }
    }

    /// Where nobody else leads meanwhile.
    private static func untaken(
        _ verb: ClusterVerb, _ now: ClusterDocument, _ peer: String, after nanos: Int64
    ) -> Self {
        switch verb {
        case .standbyAdd where now.isPeerOut: .dropped("\(peer) was taken out again")
        case .standbyRemove where !now.isPeerOut: .dropped("\(peer) was let in again")
        case .failover where now.role != "claiming" && nanos >= FailoverTiming().verbNanos:
            .dropped("the agent gives a request up that it could not begin in time")
        default: .open
        }
    }
}
