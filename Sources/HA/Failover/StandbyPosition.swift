// I1, I8: what a standby may acknowledge, show and cut.

/// How far a standby's journal is its primary's.
public struct StandbyPosition: Hashable, Sendable {
    /// Equal to the primary's up to here, in the epoch that is followed; an old tail never counts.
    public private(set) var matched: UInt64 = 0
    /// On disk up to here.
    public private(set) var durable: UInt64
    /// What the primary has released.
    public private(set) var commitPoint: UInt64 = 0
    /// The last record of **this** journal that is known to be released, for the sync marks. The
    /// commit point alone may name records that stand here as another, old tail.
    public private(set) var released: UInt64

    /// As recovered.
    public init(durable: UInt64, released: UInt64) {
        (self.durable, self.released) = (durable, released)
    }

    /// What it acknowledges.
    public var acknowledged: UInt64 { min(matched, durable) }

    /// What its followers, its auditor and its snapshots see.
    public var visible: UInt64 { min(commitPoint, matched, durable) }

    /// Another epoch is followed: nothing is matched yet.
    public mutating func follow() { (matched, commitPoint) = (0, 0) }

    /// The records up to `sequence` are the primary's.
    public mutating func match(_ sequence: UInt64) {
        matched = max(matched, sequence)
        released = max(released, min(commitPoint, matched))
    }

    /// The primary has released all up to `sequence`.
    public mutating func commit(_ sequence: UInt64) {
        commitPoint = max(commitPoint, sequence)
        released = max(released, min(commitPoint, matched))
    }

    /// The journal is on disk up to `sequence`.
    public mutating func sync(_ sequence: UInt64) { durable = max(durable, sequence) }

    /// The journal was cut behind `sequence`.
    public mutating func cut(behind sequence: UInt64) {
        matched = min(matched, sequence)
        durable = min(durable, sequence)
        released = min(released, sequence)
    }

    /// Whether the records from `first` on, whose first is of `epoch`, may be cut: none of them is
    /// known to be released, or a forced failover gave them up.
    public func mayCut(from first: UInt64, epoch: UInt32, forced: ForcedStart?) -> Bool {
        if first > released { return true }
        guard let forced else { return false }
        return forced.epoch > epoch && first >= forced.from
    }
}
