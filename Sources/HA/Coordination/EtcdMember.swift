// etcd's members, as it reports them.

internal import JSON

/// A member of the etcd cluster.
public struct EtcdMember: Hashable, Sendable {
    /// Its id.
    public let id: UInt64
    /// Its name; empty until it has started once.
    public let name: String
    /// Where the other members reach it.
    public let peerURLs: [String]
    /// Where clients reach it; none until it has started once.
    public let clientURLs: [String]

    init?(_ json: JSONValue) {
        guard let id = JSONValue.etcdNumber(json["ID"]), id > 0 else { return nil }
        self.id = id
        name = json["name"]?.text ?? ""
        peerURLs = json["peerURLs"]?.texts ?? []
        clientURLs = json["clientURLs"]?.texts ?? []
    }
}

/// The status of a member.
public struct EtcdMemberStatus: Hashable, Sendable {
    /// Its cluster's id.
    public let clusterID: UInt64
    /// Its id.
    public let memberID: UInt64
    /// The leader's id; 0: it knows none.
    public let leaderID: UInt64
    /// Of the election.
    public let raftTerm: UInt64
    /// Size of its database, bytes.
    public let databaseBytes: UInt64
    /// Version of etcd.
    public let version: String
    /// Alarms, as it words them.
    public let errors: [String]

    init?(_ json: JSONValue) {
        guard let cluster = JSONValue.etcdNumber(json["header"]?["cluster_id"]),
            let member = JSONValue.etcdNumber(json["header"]?["member_id"]),
            let leader = JSONValue.etcdNumber(json["leader"]),
            let term = JSONValue.etcdNumber(json["raftTerm"]),
            let size = JSONValue.etcdNumber(json["dbSize"]),
            let version = json["version"]?.text
        else { return nil }
        (clusterID, memberID, leaderID) = (cluster, member, leader)
        (raftTerm, databaseBytes, self.version) = (term, size, version)
        errors = json["errors"]?.texts ?? []
    }
}
