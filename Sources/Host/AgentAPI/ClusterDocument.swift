// The agent's part in a cluster, as GET /v1/cluster gives it.

public import JSON

/// A change of a host's role.
public struct ClusterChange: Hashable, Sendable {
    /// When, by the host's clock, nanoseconds since 1970.
    public var time: Int64
    /// The epoch that the host led or followed when it had changed.
    public var epoch: UInt32
    /// What changed, in one word.
    public var what: String
    /// Why, as a sentence without a full stop.
    public var why: String
}

/// One host's part in its cluster, as its agent knows it.
public struct ClusterDocument: Hashable, Sendable {
    /// This host.
    public var host: String
    /// The other one with the exchange; nil: none.
    public var peer: String?
    /// What it does: starting, standby, learner, claiming, promoting, primary or handingOver.
    public var role: String
    /// The epoch that it leads or follows; 0: neither.
    public var epoch: UInt32
    /// What its agent decided last, and why.
    public var sentence: String
    /// Who leads by the record; nil: the record is not known.
    public var primary: String?
    /// The hosts that have all that was released, by the record.
    public var inSync: [String]
    /// The record's epoch.
    public var recordEpoch: UInt32?
    /// When this agent last saw the set in sync change, nanoseconds since 1970; nil: not since it
    /// began.
    public var setChangedAt: Int64?
    /// The last sequence that the primary reported as released, by etcd.
    public var floor: UInt64
    /// How many records the standby lacks; nil: not known.
    public var lagRecords: UInt64?
    /// Since how long the oldest record waits for the standby, ns, on the primary; nil: not known.
    public var lagNanos: Int64?
    /// The last record of this host's journal; nil: matchd gives no report.
    public var end: UInt64?
    /// The last record that this host knows to be released; nil: matchd gives no report.
    public var released: UInt64?
    /// This host's replica, 32 hexadecimal digits; nil: matchd gives no report.
    public var replica: String?
    /// etcd's cluster id that the replica belongs to, 16 hexadecimal digits, 0 where it belongs to
    /// none yet; nil: matchd gives no report.
    public var etcdCluster: String?
    /// The agent makes no claims.
    public var isPaused: Bool
    /// The agent adds the standby only when an operator asks.
    public var isPeerOut: Bool
    /// Why etcd gives no answer; nil: it does.
    public var etcdFault: String?
    /// Why matchd gives no reports; nil: it does.
    public var matchdFault: String?
    /// The last changes, oldest first.
    public var changes: [ClusterChange]
    /// Whether the peer's agent is connected; nil: this agent has no connection to it.
    public var isPeerReachable: Bool?
    /// Why it is not; nil: it is.
    public var peerFault: String?
    /// What the peer's agent sent last: none or one.
    private var peerDocuments: [ClusterDocument] = []

    /// What the peer's agent sent last, if anything.
    public var peerDocument: ClusterDocument? { peerDocuments.first }

    /// Reads what `json` gives; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let host = json["host"]?.text, let role = json["role"]?.text,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:)),
            let sentence = json["sentence"]?.text,
            let inSync = json["inSync"]?.rows({ $0.text }),
            let floor = json["floor"]?.count,
            let isPaused = json["paused"]?.flag, let isPeerOut = json["peerOut"]?.flag,
            let changes = json["changes"]?.rows(ClusterChange.init)
        else { return nil }
        (self.host, self.role, self.epoch, self.sentence) = (host, role, epoch, sentence)
        (self.inSync, self.floor, self.changes) = (inSync, floor, changes)
        (self.isPaused, self.isPeerOut) = (isPaused, isPeerOut)
        peer = json["peer"]?.text
        primary = json["primary"]?.text
        recordEpoch = json["recordEpoch"]?.whole.flatMap(UInt32.init(exactly:))
        setChangedAt = json["setChanged"]?.whole
        lagRecords = json["lagRecords"]?.count
        lagNanos = json["lagNanos"]?.whole
        end = json["end"]?.count
        released = json["released"]?.count
        replica = json["replica"]?.text
        etcdCluster = json["etcdCluster"]?.text
        etcdFault = json["etcdFault"]?.text
        matchdFault = json["matchdFault"]?.text
        isPeerReachable = json["peerAgent"]?["reachable"]?.flag
        peerFault = json["peerAgent"]?["fault"]?.text
        if let peer = json["peerAgent"]?["document"].flatMap(ClusterDocument.init(_:)) {
            peerDocuments = [peer]
        }
    }

    /// Whether the host leads, its Link open or not yet.
    public var leads: Bool { ["primary", "promoting", "handingOver"].contains(role) }

    /// Whether both hosts are in sync.
    public var isPairInSync: Bool { inSync.count == 2 }
}

extension ClusterChange {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let time = json["time"]?.whole,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:)),
            let what = json["what"]?.text, let why = json["why"]?.text
        else { return nil }
        (self.time, self.epoch, self.what, self.why) = (time, epoch, what, why)
    }
}

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
}

extension AgentClient {
    /// The host's part in its cluster.
    public func cluster() throws(AgentError) -> ClusterDocument {
        guard let document = ClusterDocument(try get("/v1/cluster")) else {
            throw .malformed("cluster's members")
        }
        return document
    }

    /// Asks for a change of roles, which then takes its time; a refusal's reason is thrown.
    public func obey(
        _ verb: ClusterVerb, isPeerOff: Bool = false, by user: String
    ) throws(AgentError) -> ClusterDocument {
        let request: JSONValue = [
            "verb": .string(verb.rawValue), "peerIsOff": .bool(isPeerOff),
            "operator": .string(user),
        ]
        guard let document = ClusterDocument(try post("/v1/cluster", request)) else {
            throw .malformed("cluster's members")
        }
        return document
    }
}
