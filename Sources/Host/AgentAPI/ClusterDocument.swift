// The agent's part in a cluster, as GET /v1/cluster gives it.

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

    /// One of these.
    public init(time: Int64, epoch: UInt32, what: String, why: String) {
        (self.time, self.epoch, self.what, self.why) = (time, epoch, what, why)
    }
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
    /// The cause as a clause of a sentence.
    public var why: String?
    /// What showed that the former primary was off; nil: nothing had to.
    public var proof: String?
    /// How long no command was acknowledged, too long by up to 0.1 s; nil: not known.
    public var pauseNanos: Int64?

    /// A change of which only this is known.
    public init(number: UInt32, time: Int64, to: String, epoch: UInt32) {
        (self.number, self.time, self.to, self.epoch) = (number, time, to, epoch)
    }

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

    /// One of these.
    public init(name: String, leads: Bool, fault: String?, since: Int64) {
        (self.name, self.leads, self.fault, self.since) = (name, leads, fault, since)
    }
}

/// A gateway on a host of its own that is connected to a host's matchd.
public struct ClusterGateway: Hashable, Sendable {
    /// Its name, by its certificate.
    public var name: String
    /// The address that it comes from.
    public var address: String
    /// Since when, nanoseconds since 1970.
    public var since: Int64

    /// One of these.
    public init(name: String, address: String, since: Int64) {
        (self.name, self.address, self.since) = (name, address, since)
    }
}

/// A gateway that was removed on a host.
public struct RemovedGateway: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Certificates that were made until then are refused, seconds since 1970.
    public var time: Int64

    /// One of these.
    public init(name: String, time: Int64) {
        (self.name, self.time) = (name, time)
    }
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
    public var inSync: [String] = []
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
    public var floor: UInt64 = 0
    /// How many records the standby lacks; nil: not known.
    public var lagRecords: UInt64?
    /// Since how long the oldest record waits for the standby, ns, on the primary; nil: not known.
    public var lagNanos: Int64?
    /// How long this host, which leads, has acknowledged nothing, ns; nil: it does not lead, or
    /// that is not known.
    public var muteNanos: Int64?
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
    public var isPaused = false
    /// When an operator paused or resumed claims last, nanoseconds since 1970; 0: never; nil: not
    /// reported.
    public var pauseOrderedAt: Int64?
    /// The agent adds the standby only when an operator asks.
    public var isPeerOut = false
    /// This machine's hardware watchdog: unknown, absent, inactive or armed; nil: not reported.
    public var watchdog: String?
    /// The agent makes no claim, as its owner requires an armed watchdog.
    public var isBarred = false
    /// Why etcd gives no answer; nil: it does.
    public var etcdFault: String?
    /// Why matchd gives no reports; nil: it does.
    public var matchdFault: String?
    /// The members of etcd; none: they have not been asked yet.
    public var etcd: [ClusterArbiter] = []
    /// The gateways on hosts of their own that are connected to its matchd.
    public var gateways: [ClusterGateway] = []
    /// The gateways that were removed here; nil: that is not known.
    public var removedGateways: [RemovedGateway]?
    /// The service address with its prefix length; nil: there is none.
    public var serviceAddress: String?
    /// Whether this host has it; nil: there is none, or that is not known.
    public var isServiceHere: Bool?
    /// The last changes of the primary, oldest first.
    public var primaryChanges: [ClusterHandover] = []
    /// The last changes, oldest first.
    public var changes: [ClusterChange] = []
    /// Whether the peer's agent is connected; nil: this agent has no connection to it.
    public var isPeerReachable: Bool?
    /// Since when it is so, nanoseconds since 1970.
    public var peerSince: Int64?
    /// Why it is not; nil: it is.
    public var peerFault: String?
    /// The highest epoch whose process the peer's agent saw end; 0: none; nil: not reported.
    public var peerReapedEpoch: UInt32?
    /// When `peerDocument` came, nanoseconds since 1970.
    public var peerDocumentTime: Int64?
    /// What the peer's agent sent last: none or one.
    private var peerDocuments: [ClusterDocument] = []

    /// What the peer's agent sent last, if anything.
    public var peerDocument: ClusterDocument? {
        get { peerDocuments.first }
        set { peerDocuments = newValue.map { [$0] } ?? [] }
    }

    /// The part of a host of which only this is known: claims are allowed, and nothing changed.
    public init(host: String, role: String, epoch: UInt32, sentence: String) {
        (self.host, self.role, self.epoch, self.sentence) = (host, role, epoch, sentence)
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
