// What matchd reports to the agent, and what the agent orders. A control socket carries both, in
// order; a process reports at each change and every 50 ms.

public import Terms

/// A process of matchd: later ones of a host have higher numbers.
public struct ProcessNumber: Hashable, Comparable, Sendable {
    /// The number.
    public let number: UInt64
    /// That process.
    public init(_ number: UInt64) { self.number = number }
    /// Earlier is less.
    public static func < (a: ProcessNumber, b: ProcessNumber) -> Bool { a.number < b.number }
}

/// What a process does.
public enum MatchdState: Hashable, Sendable {
    /// Its journal is recovered and synced; it waits for the order to follow.
    case recovered
    /// It follows, or waits for a primary to follow. Unconfirmed, record and floor are not known:
    /// it takes records, but acknowledges and echoes nothing, for it may be an old image of a host
    /// that led alone since.
    case following(isConfirmed: Bool)
    /// It has promised, and neither acknowledges nor echoes below its promise.
    case promised
    /// It leads `epoch`.
    case leading
    /// It leads and writes nothing more: all it wrote is released, the last record a hash mark.
    case sealed
    /// It stopped, as where it would have to cut what it knows to be released.
    case stopped
}

/// What a primary knows of its peer.
public struct PeerReport: Hashable, Sendable {
    /// Its replica.
    public var replica: ReplicaID
    /// When an echo of this epoch last arrived.
    public var echoedAt: BootTime?
    /// The last record that it acknowledged in this epoch; 0: none.
    public var matched: UInt64
    /// Since when the oldest record that it was sent waits for its acknowledgement.
    public var waitingSince: BootTime?
    /// The promise for which it refused, if above this epoch.
    public var promise: UInt32
    /// It came back without something that it had acknowledged.
    public var lacksAcknowledged: Bool
    /// What its program knows of logs; nil: not known.
    public var level: LogLevel?

    /// That peer.
    public init(
        replica: ReplicaID, echoedAt: BootTime? = nil, matched: UInt64 = 0,
        waitingSince: BootTime? = nil, promise: UInt32 = 0, lacksAcknowledged: Bool = false,
        level: LogLevel? = nil
    ) {
        self.replica = replica
        self.echoedAt = echoedAt
        self.matched = matched
        self.waitingSince = waitingSince
        self.promise = promise
        self.lacksAcknowledged = lacksAcknowledged
        self.level = level
    }
}

/// A gateway on a host of its own that is connected.
public struct GatewayReport: Hashable, Sendable {
    /// Its name, by its certificate.
    public var name: String
    /// The address that it comes from.
    public var address: String
    /// Since when, by the host's clock, nanoseconds since 1970.
    public var since: Int64

    /// A gateway of these values.
    public init(name: String, address: String, since: Int64) {
        (self.name, self.address, self.since) = (name, address, since)
    }
}

/// What one process reports.
public struct MatchdReport: Hashable, Sendable {
    /// Which process.
    public var process: ProcessNumber
    /// The run of the agent whose order it last carried out or refused.
    public var ordersRun: UInt64 = 0
    /// The number of that order.
    public var ordersDone: UInt64 = 0
    /// What it does.
    public var state: MatchdState
    /// The epoch that it leads, or follows.
    public var epoch: UInt32
    /// The replica on its disk.
    public var replica: ReplicaID
    /// The promise on its disk.
    public var promise: UInt32
    /// etcd's cluster id in its replica file; 0: none yet.
    public var cluster: UInt64 = 0
    /// The release of its program; nil: not known.
    public var version: String?
    /// What that knows of logs; nil: not known.
    public var level: LogLevel?
    /// What the log uses; nil: not known.
    public var logLevel: LogLevel?
    /// Its journal's last record.
    public var end: UInt64
    /// That record's epoch.
    public var endEpoch: UInt32
    /// The last record on disk.
    public var durable: UInt64
    /// The last sequence released, as far as it knows.
    public var commitPoint: UInt64
    /// Since when the oldest work waits on engine or disk; nil: none waits.
    public var oldestWaiting: BootTime?
    /// When it last echoed a beacon, of whatever epoch: a lease may live from then on.
    public var heardAt: BootTime?
    /// Standby: it holds all of a primary of `epoch` that is sealed.
    public var isHandedOver = false
    /// Standby: why it stopped, or cannot follow for now; nil: it follows.
    public var reason: String?
    /// Primary: the sequence of this term's EPOCH record.
    public var epochStart: UInt64 = 0
    /// Primary: what the gate requires.
    public var requirement: ReplicaID?
    /// Primary: the lease is held, or the peer is not required.
    public var holdsLease = false
    /// Primary: commands are taken.
    public var isLinkOpen = false
    /// Primary: intake is held; the hash mark stands last.
    public var isIntakeHeld = false
    /// Primary: the peer that has joined.
    public var peer: PeerReport?
    /// The gateways on hosts of their own that are connected; only shown.
    public var gateways: [GatewayReport] = []

    /// A report of a recovered process.
    public init(
        process: ProcessNumber, state: MatchdState = .recovered, epoch: UInt32 = 0,
        replica: ReplicaID, promise: UInt32, end: UInt64, endEpoch: UInt32, durable: UInt64,
        commitPoint: UInt64
    ) {
        self.process = process
        self.state = state
        self.epoch = epoch
        self.replica = replica
        self.promise = promise
        self.end = end
        self.endEpoch = endEpoch
        self.durable = durable
        self.commitPoint = commitPoint
    }

    /// Whether it leads, sealed or not.
    public var isPrimary: Bool { state == .leading || state == .sealed }
}

/// The terms on which a process leads.
public struct LeadTerms: Hashable, Sendable {
    /// The attempt whose swap was done.
    public let attempt: SwapAttempt
    /// The replica that the gate requires from the first record on.
    public let requirement: ReplicaID?
    /// The cause, for the EPOCH record.
    public let cause: ClaimCause
    /// The record's last forced failover.
    public let forced: ForcedStart?

    /// These terms.
    public init(
        attempt: SwapAttempt, requirement: ReplicaID?, cause: ClaimCause,
        forced: ForcedStart?
    ) {
        self.attempt = attempt
        self.requirement = requirement
        self.cause = cause
        self.forced = forced
    }
}

/// What matchd is to do.
public enum MatchdAction: Hashable, Sendable {
    /// Promise at least the order's epoch and follow. Journal below the floor: with a new replica
    /// id first. Unconfirmed: acknowledge and echo nothing.
    case follow(renewsReplica: Bool, isConfirmed: Bool, forced: ForcedStart?)
    /// Write this etcd cluster's id to the replica file.
    case belong(to: UInt64)
    /// Stop acknowledging and echoing, sync, promise the order's epoch durably.
    case promise
    /// Apply the tail, append the EPOCH record, release by the gate.
    case lead(LeadTerms)
    /// The gate requires this replica too, or none.
    case require(ReplicaID?)
    /// Lead on in this epoch, which is higher; append its EPOCH record, with intake open again.
    case raise(from: UInt32, attempt: SwapAttempt)
    /// Open the Link.
    case openLink
    /// Hold intake; append a hash mark.
    case holdIntake
    /// Take commands again.
    case resumeIntake
    /// Write nothing more.
    case seal
    /// Close the Link and end.
    case end
}

/// An order. matchd obeys only what names its own process and no lower epoch, of the agent that
/// connected last.
public struct MatchdOrder: Hashable, Sendable {
    /// Which run of the agent sent it.
    public let run: UInt64
    /// Counts the orders of that run.
    public let number: UInt64
    /// Which process.
    public let process: ProcessNumber
    /// The epoch that it belongs to.
    public let epoch: UInt32
    /// What to do.
    public let action: MatchdAction

    /// That order.
    public init(
        run: UInt64, number: UInt64, process: ProcessNumber, epoch: UInt32, action: MatchdAction
    ) {
        self.run = run
        self.number = number
        self.process = process
        self.epoch = epoch
        self.action = action
    }

    /// Whether it is for this process, which leads or has promised `epoch`.
    public func binds(_ process: ProcessNumber, epoch: UInt32) -> Bool {
        self.process == process && self.epoch >= epoch
    }
}
