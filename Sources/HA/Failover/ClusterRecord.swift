// The record: one etcd key that names the primary and the replicas in sync.

public import Terms

/// A host of the cluster, as its configuration names it.
public struct HostName: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    public let text: String
    /// The host of this name.
    public init(_ text: String) { self.text = text }
    /// The name.
    public var description: String { text }
}

/// Makes each value of the record unique: a random number of the agent's run, and a count.
public struct SwapAttempt: Hashable, Sendable {
    /// Random, one for each run of an agent.
    public let run: UInt64
    /// The swaps of that run, from 1.
    public let number: UInt64
    /// This attempt.
    public init(run: UInt64, number: UInt64) { (self.run, self.number) = (run, number) }
}

/// A replica that has all that was released, and its host.
public struct InSyncReplica: Hashable, Sendable {
    /// Where it is.
    public let host: HostName
    /// Which it is.
    public let replica: ReplicaID
    /// That replica on that host.
    public init(host: HostName, replica: ReplicaID) {
        (self.host, self.replica) = (host, replica)
    }
}

/// The last forced failover: what was released at `from` and later in epochs below `epoch` may be
/// lost. `from` is behind what the forced host knew to be released: its own tail behind that need
/// not be what was released, so its end would be too high.
public struct ForcedStart: Hashable, Sendable {
    /// The epoch that began by force.
    public let epoch: UInt32
    /// The first sequence that may be cut for it.
    public let from: UInt64
    /// That start.
    public init(epoch: UInt32, from: UInt64) { (self.epoch, self.from) = (epoch, from) }

    /// The start of a host that knows of `released`, and whose last record is of `endEpoch`. Where
    /// it has not followed since an `earlier` one, it counts what that gave up as well.
    public init(epoch: UInt32, released: UInt64, endEpoch: UInt32, earlier: ForcedStart?) {
        var from = min(released, .max - 1) + 1
        if let earlier, endEpoch < earlier.epoch { from = min(from, earlier.from) }
        self.init(epoch: epoch, from: from)
    }
}

/// The record.
public struct ClusterRecord: Hashable, Sendable {
    /// The highest epoch that is taken from a peer: no exchange has so many terms, and counting up
    /// from there cannot overflow.
    public static var epochMax: UInt32 { .max / 2 }

    /// How far a peer's promise may be above the primary's epoch: more than any run of claims and
    /// new etcds comes to. A primary follows no higher one, or one promise could use all epochs up.
    public static var leapMax: UInt32 { 1_000_000 }

    /// The primary's term. It only rises.
    public let epoch: UInt32
    /// Who leads it.
    public let primary: HostName
    /// Who has all that was released; at most two.
    public let inSync: [InSyncReplica]
    /// Who wrote this value.
    public let attempt: SwapAttempt
    /// The last forced failover, where there was one.
    public let forced: ForcedStart?
    /// The id of the etcd cluster in whose place this one was made; nil: none. Replicas of that one
    /// belong to this one now.
    public let replaces: UInt64?

    /// A record of these values.
    public init(
        epoch: UInt32, primary: HostName, inSync: [InSyncReplica], attempt: SwapAttempt,
        forced: ForcedStart? = nil, replaces: UInt64? = nil
    ) {
        self.epoch = epoch
        self.primary = primary
        self.inSync = inSync
        self.attempt = attempt
        self.forced = forced
        self.replaces = replaces
    }

    /// The replica of `host` that is in sync, if any.
    public func replica(of host: HostName) -> ReplicaID? {
        inSync.first { $0.host == host }?.replica
    }
}

/// Why the record is swapped.
public enum SwapPurpose: Hashable, Sendable, CaseIterable {
    /// To lead a new epoch.
    case claim
    /// To go on without the peer.
    case remove
    /// To count the peer again.
    case add
    /// To lead the same set in an epoch above the peer's promise, or after a seal.
    case raise
    /// To rule out that a swap of an earlier run of this agent still applies.
    case settle
}

/// One compare-and-swap of the record. It compares the whole value.
public struct RecordSwap: Hashable, Sendable {
    /// Why.
    public let purpose: SwapPurpose
    /// The value that must be there.
    public let compared: ClusterRecord
    /// The value to put.
    public let value: ClusterRecord
    /// The floor to put with it: only a forced failover lowers the floor.
    public let floor: UInt64?

    /// That swap.
    public init(
        purpose: SwapPurpose, compared: ClusterRecord, value: ClusterRecord, floor: UInt64? = nil
    ) {
        self.purpose = purpose
        self.compared = compared
        self.value = value
        self.floor = floor
    }
}

/// The floor to put while the record is still mine; it confirms the role, for it writes. The
/// transaction also compares the floor, which must be no higher: a put that comes late would lower
/// it, and an old image would pass.
public struct FloorPut: Hashable, Sendable {
    /// The value that the record must have.
    public let compared: ClusterRecord
    /// The commit point.
    public let sequence: UInt64
    /// That put.
    public init(compared: ClusterRecord, sequence: UInt64) {
        (self.compared, self.sequence) = (compared, sequence)
    }
}

/// What became of a transaction that compares and writes.
public enum SwapAnswer: Hashable, Sendable {
    /// It wrote.
    case done
    /// The record has this value. This request wrote nothing, and will not; the same one, sent
    /// before, may have written a value that was replaced since.
    case notDone(ClusterRecord)
    /// No definite answer: it may have written, or may still write.
    case unknown
}
