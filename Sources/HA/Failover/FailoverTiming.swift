// Time is an argument: CLOCK_BOOTTIME, which continues while a machine sleeps. It only detects
// failures; safety comes from the record and the acknowledgement rule.

/// A moment of CLOCK_BOOTTIME.
public struct BootTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since the machine started.
    public let nanos: Int64
    /// That moment.
    public init(nanos: Int64) { self.nanos = nanos }
    /// Earlier is less.
    public static func < (a: BootTime, b: BootTime) -> Bool { a.nanos < b.nanos }
    /// Nanoseconds from `other` to this.
    public func since(_ other: BootTime) -> Int64 { nanos - other.nanos }
    /// This many nanoseconds later.
    public func after(_ duration: Int64) -> BootTime { BootTime(nanos: nanos + duration) }
}

/// After how long what is missing counts as lost: beacon < R < L < G, with G ≥ L plus drift and
/// slack.
public struct FailoverTiming: Hashable, Sendable {
    private static let milli: Int64 = 1_000_000

    /// The interval between beacons.
    public var beaconNanos = 50 * milli
    /// R: without an echo for this long the peer is removed.
    public var removalNanos = 300 * milli
    /// L: the lease, from the sending of the last beacon that was echoed.
    public var leaseNanos = 500 * milli
    /// G: a replica in sync claims after this long without a beacon.
    public var graceNanos = 800 * milli
    /// An acknowledgement that takes this long removes the peer.
    public var stallNanos = 2_000 * milli
    /// Work that has waited this long on engine or local disk counts as no progress.
    public var progressNanos = 1_000 * milli
    /// The interval between two puts of the floor.
    public var floorNanos = 1_000 * milli
    /// The interval between a follower's readings of the record.
    public var readNanos = 1_000 * milli
    /// The pause after an unknown answer before the same swap is sent again.
    public var retryNanos = 50 * milli
    /// A switchover is given up after this long in one of its steps.
    public var handoverNanos = 1_000 * milli
    /// An operator's failover that could not begin within this time is given up.
    public var verbNanos = 10_000 * milli
    /// An agent that starts claims nothing for so long, unless the peer's has reported.
    public var peerNanos = 2_000 * milli
    /// Between two renewals of the service address, which lives 2 s.
    public var addressNanos = 500 * milli
    /// Within this span `removalsMax` removals put the peer out until an operator adds it.
    public var removalSpanNanos = 600_000 * milli
    /// Removals within the span, at most.
    public var removalsMax = 3
    /// A learner this many records behind is near enough to be required by the gate.
    public var addLagMax: UInt64 = 1_000

    /// The default times.
    public init() {}
}

/// What does not change while an agent runs.
public struct FailoverSettings: Hashable, Sendable {
    /// This host.
    public var host: HostName
    /// The other one; nil: there is none.
    public var peer: HostName?
    /// The times of failover.
    public var timing: FailoverTiming
    /// No claim without an armed watchdog.
    public var requiresWatchdog = false

    /// These settings.
    public init(host: HostName, peer: HostName?, timing: FailoverTiming = FailoverTiming()) {
        self.host = host
        self.peer = peer
        self.timing = timing
    }
}

/// The machine's hardware watchdog, which reboots a machine whose kernel or first process hangs.
public enum WatchdogState: String, Hashable, Sendable, CaseIterable {
    /// Not looked at yet, or it cannot be.
    case unknown
    /// The machine has none.
    case absent
    /// There is one, and it is not armed.
    case inactive
    /// It is armed.
    case armed
}
