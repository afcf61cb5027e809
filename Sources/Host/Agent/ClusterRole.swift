// What the agent serves of a cluster, and who knows it.

public import JSON

/// This host's part in its cluster, as another target knows it. Any thread may ask.
public protocol ClusterRole: Sendable {
    /// The reply to GET /v1/cluster.
    var document: JSONValue { get }
    /// Carries an operator's verb out; `done` is called once with the reason for a refusal, or nil.
    func obey(
        _ verb: String, isPeerOff: Bool, by user: String,
        _ done: @escaping @Sendable (String?) -> Void)
}
