// How replication is set up.

public import Failover
public import Secrets

/// What both sides are made with.
public struct ReplicationOptions: Sendable {
    /// Primary: where to listen. Standby: where the primary listens. Numeric, as `10.0.0.2:7001`.
    public var address: String
    /// This host's proof of itself.
    public var files: TLSFiles
    /// The peer's name in its certificate.
    public var peer: String
    /// How long things take.
    public var timing = FailoverTiming()
    /// Bytes of records that may be on their way, sent and not acknowledged.
    public var windowBytes = 8 << 20
    /// A standby that lacks more records than this gets a snapshot first, where there is one.
    public var snapshotLag: UInt64 = 5_000_000
    /// How long a newcomer may take to prove itself and to join.
    public var joinNanos: Int64 = 2_000_000_000
    /// A connection on which nothing comes (standby), or nothing more can be sent (primary), for so
    /// long is given up.
    public var silenceNanos: Int64 = 1_000_000_000
    /// Standby: the first and the longest pause between two attempts to connect.
    public var pauseNanos: ClosedRange<Int64> = 50_000_000...500_000_000

    /// These options, with the usual bounds.
    public init(address: String, files: TLSFiles, peer: String) {
        (self.address, self.files, self.peer) = (address, files, peer)
    }
}
