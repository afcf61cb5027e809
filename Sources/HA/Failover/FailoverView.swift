/// What the core knows. Decisions read it; only events change it.
public struct FailoverView: Sendable {
    /// The record, as the last answer or reading had it. It may be old, which only a swap shows.
    public internal(set) var record: ClusterRecord?
    /// The floor, as last read.
    public internal(set) var floor: UInt64 = 0
    /// When the last request that etcd answered was sent.
    public internal(set) var askedAt: BootTime?
    /// When etcd last answered.
    public internal(set) var answeredAt: BootTime?
    /// etcd is another cluster's.
    public internal(set) var isOtherCluster = false
    /// The last reading found no record.
    public internal(set) var lacksRecord = false
    /// The newest report of the process that runs.
    public internal(set) var report: MatchdReport?
    /// When it came.
    public internal(set) var reportedAt: BootTime?
    /// No claims.
    public internal(set) var isPaused = false
    /// The peer is not added until an operator asks.
    public internal(set) var isPeerOut = false
    /// The newest epoch whose primary's process was reaped, and when that was known.
    public internal(set) var reaped: (epoch: UInt32, at: BootTime)?
    /// The cluster id of the etcd that the record was read from; 0: not known.
    public internal(set) var cluster: UInt64 = 0
    /// What the peer's agent reported last: its etcd cluster's id, and the record's epoch there.
    public internal(set) var peer: (cluster: UInt64, epoch: UInt32)?
    /// This machine's watchdog.
    public internal(set) var watchdog = WatchdogState.unknown
    /// The peer's agent says that it would make no claim, for want of a watchdog.
    public internal(set) var isPeerBarred = false
    /// When the peer was removed, within `removalSpanNanos`.
    public internal(set) var removals: [BootTime] = []

    init(_ start: FailoverStart) {
        (isPaused, isPeerOut) = (start.isPaused, start.isPeerOut)
    }
}

/// What operators ordered, and removals came to, before this agent started.
public struct FailoverStart: Hashable, Sendable {
    /// No claims.
    public var isPaused: Bool
    /// The peer is not added until an operator asks.
    public var isPeerOut: Bool

    /// That; nothing by default.
    public init(isPaused: Bool = false, isPeerOut: Bool = false) {
        (self.isPaused, self.isPeerOut) = (isPaused, isPeerOut)
    }
}
