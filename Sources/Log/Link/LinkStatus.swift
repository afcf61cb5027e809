// How matchd is, as it tells over the Link.

public import Terms

/// What a running matchd says of itself.
///
///      0  u64  released          64  u64  connections      128  u64  flags: 1 below the reserve
///      8  u64  durable           72  u64  followers        136  u64  hashMarkSequence
///     16  u64  applied           80  u64  connectionsMax   144  text40 role
///     24  u64  epoch             88  u64  ingress fill     184  u64  sessions open
///     32  i64  started           96  u64  log ring fill
///     40  u64  fsync p50, ns    104  u64  disk free
///     48  u64  fsync p99, ns    112  u64  disk reserve
///     56  u64  syncs            120  u64  commands
///
/// Fills are in thousandths.
public struct LinkStatus: Hashable, Sendable {
    /// Bytes of its body.
    static var size: Int { 192 }
    /// The last record that was let out.
    public var released: UInt64 = 0
    /// The last record on disk.
    public var durable: UInt64 = 0
    /// The last record that the engine applied.
    public var applied: UInt64 = 0
    /// The epoch of the log's term.
    public var epoch: UInt64 = 0
    /// When the process began to serve, ns since 1970.
    public var started: Int64 = 0
    /// Median of a group commit's write and fdatasync, ns, over the last 1,024.
    public var syncP50: UInt64 = 0
    /// 99th percentile of the same, ns.
    public var syncP99: UInt64 = 0
    /// Group commits since the start.
    public var syncs: UInt64 = 0
    /// Connections now.
    public var connections: UInt64 = 0
    /// Those that follow the log.
    public var followers: UInt64 = 0
    /// The most connections.
    public var connectionsMax: UInt64 = 0
    /// How full the ring of commands is, thousandths.
    public var ingressFill: UInt64 = 0
    /// How much of the log ring is not durable yet, thousandths.
    public var logFill: UInt64 = 0
    /// Bytes free on the journal's disk.
    public var diskFree: UInt64 = 0
    /// The reserve below which only cancels are taken, bytes.
    public var diskReserve: UInt64 = 0
    /// Commands of writers since the start.
    public var commands: UInt64 = 0
    /// Whether free space is below the reserve.
    public var isBelowReserve = false
    /// The record of the last hash mark; 0: none since the start.
    public var hashMark: UInt64 = 0
    /// `standalone`; with a second host `primary` or `standby`.
    public var role = Text40()
    /// Sessions that are open.
    public var sessions: UInt64 = 0

    /// All zero.
    public init() {}
}
