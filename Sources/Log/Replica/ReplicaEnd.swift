// How a process of a pair ends by itself.

/// Why a process ends, to be started again as a follower.
public enum ReplicaEnd: Hashable, Sendable, CustomStringConvertible {
    /// The agent ordered it: another host leads a higher epoch.
    case ordered
    /// Records have to be cut; the intent is noted, and the next process begins with it.
    case cut(reason: String)
    /// The pair cannot be kept up from here.
    case fault(String)

    /// For the log.
    public var description: String {
        switch self {
        case .ordered: "another host leads a higher epoch: this process ends, the next one follows"
        case .cut(let reason):
            "records of an earlier term have to be cut, which the next process does: \(reason)"
        case .fault(let text): text
        }
    }
}
