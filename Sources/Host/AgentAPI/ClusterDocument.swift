// The agent's part in a cluster, as GET /v1/cluster gives it.

public import JSON
internal import Platform
public import Terms

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

/// A change of the primary from one host to the other, as the agent of the new one saw it.
public struct ClusterHandover: Hashable, Sendable {
    /// Counts the changes, from 1.
    public var number: UInt32
    /// When the new primary took commands, nanoseconds since 1970.
    public var time: Int64
    /// Who led before; nil: not known.
    public var from: String?
    /// Who leads since.
    public var to: String
    /// The epoch that began with it.
    public var epoch: UInt32
    /// What made the new primary claim, in one word: reaped, grace, switchover, failover, forced,
    /// alone or restart. Nil: not known.
    public var cause: String?
    /// The same for people.
    public var why: String?
    /// How long no command was acknowledged, too long by up to 0.1 s; nil: not known.
    public var pauseNanos: Int64?

    /// The change in one line.
    public var text: String {
        let pause = pauseNanos.map { "\($0 / 1_000_000) ms" } ?? "an unknown time"
        return "from \(from ?? "unknown") to \(to), epoch \(epoch): \(why ?? "unknown why"); no "
            + "command was acknowledged for \(pause)"
    }
}

/// A member of etcd, as a host's agent reaches it.
public struct ClusterArbiter: Hashable, Sendable {
    /// Its name, or its URL until etcd has listed it.
    public var name: String
    /// It leads the members.
    public var leads: Bool
    /// Why it takes no part in writes; nil: it does.
    public var fault: String?
    /// Since when that is so, nanoseconds since 1970.
    public var since: Int64
}

/// A gateway on a host of its own that is connected to a host's matchd.
public struct ClusterGateway: Hashable, Sendable {
    /// Its name, by its certificate.
    public var name: String
    /// The address that it comes from.
    public var address: String
    /// Since when, nanoseconds since 1970.
    public var since: Int64
}

/// A gateway that was removed on a host.
public struct RemovedGateway: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Certificates that were made until then are refused, seconds since 1970.
    public var time: Int64
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
    /// The record as etcd's text; nil: it is not known.
    public var record: String?
    /// When this agent last saw the set in sync change, nanoseconds since 1970; nil: not since it
    /// began.
    public var setChangedAt: Int64?
    /// How many acknowledged records are on this host alone, which leads; nil: it does not lead, or
    /// that is not known.
    public var atRiskRecords: UInt64?
    /// The last sequence that the primary reported as released, by etcd.
    public var floor: UInt64
    /// How many records the standby lacks; nil: not known.
    public var lagRecords: UInt64?
    /// Since how long the oldest record waits for the standby, ns, on the primary; nil: not known.
    public var lagNanos: Int64?
    /// The last record of this host's journal; nil: matchd gives no report.
    public var end: UInt64?
    /// The epoch of that record; nil: matchd gives no report.
    public var endEpoch: UInt32?
    /// The last record that this host knows to be released; nil: matchd gives no report.
    public var released: UInt64?
    /// This host's replica, 32 hexadecimal digits; nil: matchd gives no report.
    public var replica: String?
    /// etcd's cluster id that the replica belongs to, 16 hexadecimal digits, 0 where it belongs to
    /// none yet; nil: matchd gives no report.
    public var etcdCluster: String?
    /// The number of matchd's process, which rises with each start; nil: matchd gives no report.
    public var process: UInt64?
    /// The release that this host's matchd is of; nil: matchd gives no report.
    public var version: String?
    /// What that knows of logs; nil: matchd gives no report.
    public var level: LogLevel?
    /// What the log uses; nil: this host does not lead.
    public var logLevel: LogLevel?
    /// The agent makes no claims.
    public var isPaused: Bool
    /// The agent adds the standby only when an operator asks.
    public var isPeerOut: Bool
    /// This machine's hardware watchdog: unknown, absent, inactive or armed; nil: not reported.
    public var watchdog: String?
    /// The agent makes no claim, as its owner requires an armed watchdog.
    public var isBarred: Bool
    /// Why etcd gives no answer; nil: it does.
    public var etcdFault: String?
    /// Why matchd gives no reports; nil: it does.
    public var matchdFault: String?
    /// The members of etcd; none: they have not been asked yet.
    public var etcd: [ClusterArbiter]
    /// The gateways on hosts of their own that are connected to its matchd.
    public var gateways: [ClusterGateway]
    /// The gateways that were removed here; nil: that is not known.
    public var removedGateways: [RemovedGateway]?
    /// The service address with its prefix length; nil: there is none.
    public var serviceAddress: String?
    /// Whether this host has it; nil: there is none, or that is not known.
    public var isServiceHere: Bool?
    /// The last changes of the primary, oldest first.
    public var primaryChanges: [ClusterHandover]
    /// The last changes, oldest first.
    public var changes: [ClusterChange]
    /// Whether the peer's agent is connected; nil: this agent has no connection to it.
    public var isPeerReachable: Bool?
    /// Since when it is so, nanoseconds since 1970.
    public var peerSince: Int64?
    /// Why it is not; nil: it is.
    public var peerFault: String?
    /// When `peerDocument` came, nanoseconds since 1970.
    public var peerDocumentTime: Int64?
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
        (watchdog, isBarred) = (json["watchdog"]?.text, json["barred"]?.flag ?? false)
        peer = json["peer"]?.text
        primary = json["primary"]?.text
        recordEpoch = json["recordEpoch"]?.whole.flatMap(UInt32.init(exactly:))
        record = json["record"]?.text
        setChangedAt = json["setChanged"]?.whole
        atRiskRecords = json["atRiskRecords"]?.count
        etcd = json["etcd"]?.rows(ClusterArbiter.init) ?? []
        gateways = json["gateways"]?.rows(ClusterGateway.init) ?? []
        removedGateways = json["removedGateways"]?.rows(RemovedGateway.init)
        primaryChanges = json["primaryChanges"]?.rows(ClusterHandover.init) ?? []
        serviceAddress = json["serviceAddress"]?.text
        isServiceHere = json["serviceHere"]?.flag
        lagRecords = json["lagRecords"]?.count
        lagNanos = json["lagNanos"]?.whole
        end = json["end"]?.count
        endEpoch = json["endEpoch"]?.whole.flatMap(UInt32.init(exactly:))
        released = json["released"]?.count
        replica = json["replica"]?.text
        etcdCluster = json["etcdCluster"]?.text
        process = json["process"]?.count
        version = json["version"]?.text
        level = json["level"].flatMap(LogLevel.init(cluster:))
        logLevel = json["logLevel"].flatMap(LogLevel.init(cluster:))
        etcdFault = json["etcdFault"]?.text
        matchdFault = json["matchdFault"]?.text
        isPeerReachable = json["peerAgent"]?["reachable"]?.flag
        peerSince = json["peerAgent"]?["since"]?.whole
        peerFault = json["peerAgent"]?["fault"]?.text
        peerDocumentTime = json["peerAgent"]?["documentTime"]?.whole
        if let peer = json["peerAgent"]?["document"].flatMap(ClusterDocument.init(_:)) {
            peerDocuments = [peer]
        }
    }

    /// Whether the host leads, its Link open or not yet.
    public var leads: Bool { ["primary", "promoting", "handingOver"].contains(role) }

    /// Whether this host's journal has all that was released of the other's: the later epoch began
    /// with all of it, and within an epoch one journal is the beginning of the other. nil: one of
    /// them is not known.
    public func hasAllOf(_ other: ClusterDocument) -> Bool? {
        guard let end, let endEpoch, let otherEnd = other.end, let otherEpoch = other.endEpoch
        else { return nil }
        return (endEpoch, end) >= (otherEpoch, otherEnd)
    }

    /// Whether both hosts are in sync.
    public var isPairInSync: Bool { inSync.count == 2 }
}

extension LogLevel {
    /// Reads what `json` gives; nil for anything else.
    fileprivate init?(cluster json: JSONValue) {
        guard let format = json["format"]?.whole.flatMap(UInt32.init(exactly:)),
            let rules = json["rules"]?.whole.flatMap(UInt32.init(exactly:))
        else { return nil }
        self.init(format: format, rules: rules)
    }
}

extension ClusterHandover {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.whole.flatMap(UInt32.init(exactly:)),
            let time = json["time"]?.whole, let to = json["to"]?.text,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:))
        else { return nil }
        (self.number, self.time, self.to, self.epoch) = (number, time, to, epoch)
        (from, cause, why) = (json["from"]?.text, json["cause"]?.text, json["why"]?.text)
        pauseNanos = json["pauseNanos"]?.whole
    }
}

extension ClusterArbiter {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let leads = json["leads"]?.flag,
            let since = json["since"]?.whole
        else { return nil }
        (self.name, self.leads, self.since) = (name, leads, since)
        fault = json["fault"]?.text
    }
}

extension ClusterGateway {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let address = json["address"]?.text,
            let since = json["since"]?.whole
        else { return nil }
        (self.name, self.address, self.since) = (name, address, since)
    }
}

extension RemovedGateway {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let time = json["time"]?.whole else { return nil }
        (self.name, self.time) = (name, time)
    }
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
