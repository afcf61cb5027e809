// I1 and I3: what the release gate waits for besides this host's own disk.

public import Terms

/// A standby has all up to `matched` durable and equal to the primary's journal, as of `epoch`.
public struct PeerAcknowledgement: Hashable, Sendable {
    /// The epoch in which it matched.
    public let epoch: UInt32
    /// The standby's process.
    public let process: ProcessNumber
    /// Its replica.
    public let replica: ReplicaID
    /// The last such record.
    public let matched: UInt64

    /// That acknowledgement.
    public init(epoch: UInt32, process: ProcessNumber, replica: ReplicaID, matched: UInt64) {
        self.epoch = epoch
        self.process = process
        self.replica = replica
        self.matched = matched
    }
}

/// The gate of one process as primary: a record is released when it is durable here and, while a
/// replica is required, durable and matched there in this epoch. What is released stays released.
public struct PeerRequirement: Hashable, Sendable {
    /// The term.
    public private(set) var epoch: UInt32 = 0
    /// The replica that the gate requires; nil: this host is alone.
    public private(set) var replica: ReplicaID?
    /// The newest acknowledgement of the peer's newest process in this epoch.
    public private(set) var acknowledgement: PeerAcknowledgement?
    /// The last sequence released: the commit point.
    public private(set) var released: UInt64

    /// Shut, with this much known to be released.
    public init(released: UInt64) { self.released = released }

    /// A term begins: no acknowledgement of an earlier one counts.
    public mutating func begin(epoch: UInt32, requiring replica: ReplicaID?) {
        precondition(epoch > self.epoch, "a term is above the one before")
        self.epoch = epoch
        self.replica = replica
        acknowledgement = nil
    }

    /// From now on the gate requires this replica, or none.
    public mutating func require(_ replica: ReplicaID?) { self.replica = replica }

    /// Counts an acknowledgement, unless it is of another epoch or of an earlier process of the
    /// replica. A later process starts from nothing, and so does another replica: a blank disk or
    /// an old image counts its processes anew.
    public mutating func acknowledge(_ new: PeerAcknowledgement) {
        guard new.epoch == epoch else { return }
        if let old = acknowledgement, new.replica == old.replica {
            if new.process < old.process { return }
            if new.process == old.process, new.matched <= old.matched { return }
        }
        acknowledgement = new
    }

    /// The last record that the peer lets be released.
    public var limit: UInt64 {
        guard let replica else { return .max }
        guard let acknowledgement, acknowledgement.replica == replica else { return 0 }
        return acknowledgement.matched
    }

    /// Opens as far as allowed; returns the commit point.
    public mutating func release(durable: UInt64) -> UInt64 {
        released = max(released, min(durable, limit))
        return released
    }
}
