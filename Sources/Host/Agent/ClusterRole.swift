// What the agent serves of a cluster, and who knows it.

public import AgentAPI

/// This host's part in its cluster, as another target knows it. Any thread may ask.
public protocol ClusterRole: Sendable {
    /// What GET /v1/cluster gives, the peer's part with it.
    var document: ClusterDocument { get }
    /// Why this host is not what a load balancer asks for; nil: it is.
    func lacks(_ health: HealthQuestion) -> String?
    /// Carries an operator's verb out; `done` is called once with the reason for a refusal, or nil.
    /// `peerOffInEpoch` states that the peer is off since the record was of that epoch; `proof` is
    /// what shows it, printable.
    func obey(
        _ verb: String, peerOffInEpoch: UInt32?, proof: String?, by user: String,
        _ done: @escaping @Sendable (String?) -> Void)
}

/// What a load balancer asks of a host.
public enum HealthQuestion: String, Hashable, Sendable, CaseIterable {
    /// It leads, and its Link is open.
    case primary = "/health/primary"
    /// It follows and is in sync.
    case standby = "/health/standby"
    /// Its matchd runs, in whatever role.
    case any = "/health"
}
