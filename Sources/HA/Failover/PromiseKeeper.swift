// I2: a host keeps its promise on disk, never lowers it, and refuses epochs below it or below its
// journal's last. matchd owns one; it applies to the peer's frames and to orders alike.

/// What is to be done with a message of an epoch.
public enum PromiseVerdict: Hashable, Sendable {
    /// Refuse it; name this promise.
    case refuse(UInt32)
    /// Make the promise durable, forget what was matched, then take the message.
    case promiseFirst
    /// Take it.
    case take
}

/// A host's promise: no lower epoch is followed any more.
public struct PromiseKeeper: Hashable, Sendable {
    /// What is on disk.
    public private(set) var promise: UInt32
    /// The epoch of the journal's last record.
    public private(set) var journalEpoch: UInt32

    /// As recovered.
    public init(promise: UInt32, journalEpoch: UInt32) {
        (self.promise, self.journalEpoch) = (promise, journalEpoch)
    }

    /// The lowest epoch that is not refused.
    public var least: UInt32 { max(promise, journalEpoch) }

    /// What to do with a message of `epoch`.
    public func verdict(on epoch: UInt32) -> PromiseVerdict {
        if epoch < least { return .refuse(least) }
        return epoch > promise ? .promiseFirst : .take
    }

    /// The promise of `epoch` is durable. A lower one changes nothing.
    public mutating func promised(_ epoch: UInt32) { promise = max(promise, epoch) }

    /// The journal's last record is now of `epoch`; lower after a cut.
    public mutating func journalEnds(in epoch: UInt32) { journalEpoch = epoch }
}
