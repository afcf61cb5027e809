// What the core shows of its role.

/// What a host does, in one word.
public enum FailoverRole: String, Hashable, Sendable, CaseIterable {
    /// Its matchd has not recovered, or follows without record and floor, or stopped.
    case starting
    /// It follows and is in sync.
    case standby
    /// It follows and is not in sync.
    case learner
    /// It promises, or its swap is under way.
    case claiming
    /// It leads, and its Link is not open yet.
    case promoting
    /// It leads.
    case primary
    /// It leads, and hands over to the peer.
    case handingOver
}

extension FailoverCore {
    /// This host's role, as far as this agent knows.
    public var role: FailoverRole {
        switch phase {
        case .starting: .starting
        case .following:
            view.record.map { $0.replica(of: settings.host) } == view.report?.replica
                ? .standby : .learner
        case .promising, .claiming: .claiming
        case .applying, .reconciling: .promoting
        case .open: .primary
        case .handingOver, .sealed: .handingOver
        }
    }

    /// The epoch that it leads, or else that its matchd follows; 0: neither.
    public var epoch: UInt32 { term?.epoch ?? view.report?.epoch ?? 0 }
}
