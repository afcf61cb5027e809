// Which host may answer. A primary that was paused may serve old data, but never acknowledge: the
// lease limits for how long it answers; the gate alone makes an acknowledgement safe.

/// The primary's lease: the echo of a beacon, counted from the beacon's sending. It exists only
/// while the peer is in sync.
public struct ReleaseLease: Hashable, Sendable {
    private let leaseNanos: Int64
    /// When the newest beacon that was echoed was sent.
    public private(set) var sentAt: BootTime?

    /// A lease of this length, not held.
    public init(leaseNanos: Int64) { self.leaseNanos = leaseNanos }

    /// A beacon of this term came back. An echo of an older one changes nothing.
    public mutating func echoed(sentAt: BootTime) {
        self.sentAt = max(self.sentAt ?? sentAt, sentAt)
    }

    /// A new term: echoes of the one before do not count.
    public mutating func begin() { sentAt = nil }

    /// Whether it may release, with the Link open. Alone there is no lease to hold.
    public func isHeld(at now: BootTime, isPeerRequired: Bool) -> Bool {
        guard isPeerRequired else { return true }
        guard let sentAt else { return false }
        return now.since(sentAt) < leaseNanos
    }
}

/// Which beacons a standby echoes: those of the epoch that it follows, from a primary that works.
public enum BeaconRule {
    /// Whether to echo. A beacon without progress says that the primary hangs, so its lease must
    /// end. An unconfirmed standby echoes none.
    public static func echoes(
        epoch: UInt32, hasProgress: Bool, keeper: PromiseKeeper, isConfirmed: Bool
    ) -> Bool {
        isConfirmed && hasProgress && epoch == keeper.promise && keeper.verdict(on: epoch) == .take
    }

    /// Whether a daemon works: nothing has waited on its engine or disk for too long.
    public static func hasProgress(
        oldestWaiting: BootTime?, at now: BootTime, timing: FailoverTiming
    ) -> Bool {
        oldestWaiting.map { now.since($0) < timing.progressNanos } ?? true
    }
}
