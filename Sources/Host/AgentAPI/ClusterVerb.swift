// What operators ask of the failover, over the agent.

internal import JSON
internal import Platform

/// An operator's verb for the failover.
public enum ClusterVerb: String, Hashable, Sendable {
    /// Hand the exchange over to the other host.
    case switchover
    /// Lead here.
    case failover
    /// Let the standby in again.
    case standbyAdd = "standby-add"
    /// Go on without the standby.
    case standbyRemove = "standby-remove"
    /// Make no claims.
    case pause
    /// Make claims again.
    case resume
    /// Nothing by itself: the proof that the other host is off is given.
    case peerOff = "peer-off"
}

extension ClusterVerb {
    /// What the agent answers to a failover where it would lead if only the other host were proven
    /// off.
    public static var notProvenOff: String {
        "this host is not in sync: what only the other one has would be lost; switch the other "
            + "one's power off first, then say so"
    }
}

extension AgentClient {
    /// The host's part in its cluster.
    public func cluster() throws(AgentError) -> ClusterDocument {
        guard let document = ClusterDocument(try get("/v1/cluster")) else {
            throw .malformed("cluster's members")
        }
        return document
    }

    /// Asks for a change of roles, which then takes its time; a refusal's reason is thrown. A
    /// forced failover has the record's epoch as it was before the other host was proven off;
    /// `proof` goes with `peerOff`.
    public func obey(
        _ verb: ClusterVerb, peerOffInEpoch: UInt32? = nil, proof: String? = nil,
        by user: String
    ) throws(AgentError) -> ClusterDocument {
        let request: JSONValue = [
            "verb": .string(verb.rawValue),
            "peerOffInEpoch": .orNull(peerOffInEpoch.map { Int64($0) }),
            "proof": .orNull(proof), "operator": .string(user),
            // Once nobody waits for the reply, who asked was told that nothing was done.
            "until": .number(Clock.monotonicNanos() + timeoutNanos),
        ]
        guard let document = ClusterDocument(try post("/v1/cluster", request)) else {
            throw .malformed("cluster's members")
        }
        return document
    }
}
