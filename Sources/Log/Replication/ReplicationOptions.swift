// The settings of replication.

public import Failover
public import Secrets
public import Terms
internal import Wire

/// The settings of both sides.
public struct ReplicationOptions: Sendable {
    /// Primary: where to listen. Standby: where the primary listens. Numeric, as `10.0.0.2:7001`.
    public var address: String
    /// The files that prove this host's identity.
    public var files: TLSFiles
    /// The peer's name in its certificate.
    public var peer: String
    /// What this program knows of logs.
    public var level = LogLevel.current
    /// The times of failover.
    public var timing = FailoverTiming()
    /// Bytes of records that may be on their way, sent and not acknowledged.
    public var windowBytes = 8 << 20
    /// A standby that lacks more records than this gets a snapshot first, where there is one.
    public var snapshotLag: UInt64 = 5_000_000
    /// How long a newcomer may take for the handshake and the join, ns.
    public var joinNanos: Int64 = 2_000_000_000
    /// A connection on which nothing comes (standby), or nothing more can be sent (primary), is
    /// closed after this long, ns.
    public var silenceNanos: Int64 = 1_000_000_000
    /// Standby: the first and the longest pause between two attempts to connect, ns.
    public var pauseNanos: ClosedRange<Int64> = 50_000_000...500_000_000

    /// These options, with the usual bounds.
    public init(address: String, files: TLSFiles, peer: String) {
        (self.address, self.files, self.peer) = (address, files, peer)
    }
}
