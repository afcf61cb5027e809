// How matchd is, as it reports over the Link.

public import Terms

/// What a running matchd says of itself.
///
/// 64-bit words in the order of `words` below, then text40 role and text40 peer. Fills are in
/// thousandths.
public struct LinkStatus: Hashable, Sendable {
    /// The last record that was let out; the commit point.
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
    /// Whether the host's clock is so far from the log's that the log does not follow it.
    public var isClockApart = false
    /// Whether the peer is in the in-sync set: nothing is released that it does not have.
    public var isPeerInSync = false
    /// The record of the last hash mark; 0: none since the start.
    public var hashMark: UInt64 = 0
    /// Sessions with a connection.
    public var sessions: UInt64 = 0
    /// The last record that the peer has durable and matched; 0: no peer.
    public var peerMatched: UInt64 = 0
    /// Records durable here that the peer does not have: lost if this host is lost now and an
    /// operator lets the peer go on.
    public var atRisk: UInt64 = 0
    /// For how long the oldest durable record that is not released has waited, ns.
    public var gateWaitNanos: UInt64 = 0
    /// The host's clock minus the log's, ns.
    public var clockOffset: Int64 = 0
    /// Jumps of the host's clock since the start.
    public var clockJumps: UInt64 = 0
    /// The last of them, ns.
    public var clockLastJump: Int64 = 0
    /// A number that the process has by itself.
    public var process: UInt64 = 0
    /// Commands refused since the start because the process died twice with them.
    public var poisoned: UInt64 = 0
    /// Connections closed since the start because they took too little or others needed the room.
    public var evicted: UInt64 = 0
    /// `standalone`; with a second host `primary`, `standby` or `sealed`.
    public var role = Text40()
    /// The other host's name; empty without one.
    public var peer = Text40()

    /// All zero.
    public init() {}
}

extension LinkStatus {
    static var wordCount: Int { 28 }

    /// The numbers, in the order of the frame.
    var words: [UInt64] {
        get {
            let flags: UInt64 =
                (isBelowReserve ? 1 : 0) | (isClockApart ? 2 : 0) | (isPeerInSync ? 4 : 0)
            return [
                released, durable, applied, epoch, UInt64(bitPattern: started), syncP50, syncP99,
                syncs, connections, followers, connectionsMax, ingressFill, logFill, diskFree,
                diskReserve, commands, flags, hashMark, sessions, peerMatched, atRisk,
                gateWaitNanos, UInt64(bitPattern: clockOffset), clockJumps,
                UInt64(bitPattern: clockLastJump), process, poisoned, evicted,
            ]
        }
        set {
            precondition(newValue.count == Self.wordCount, "all words of a status")
            released = newValue[0]
            durable = newValue[1]
            applied = newValue[2]
            epoch = newValue[3]
            started = Int64(bitPattern: newValue[4])
            syncP50 = newValue[5]
            syncP99 = newValue[6]
            syncs = newValue[7]
            connections = newValue[8]
            followers = newValue[9]
            connectionsMax = newValue[10]
            ingressFill = newValue[11]
            logFill = newValue[12]
            diskFree = newValue[13]
            diskReserve = newValue[14]
            commands = newValue[15]
            isBelowReserve = newValue[16] & 1 != 0
            isClockApart = newValue[16] & 2 != 0
            isPeerInSync = newValue[16] & 4 != 0
            hashMark = newValue[17]
            sessions = newValue[18]
            peerMatched = newValue[19]
            atRisk = newValue[20]
            gateWaitNanos = newValue[21]
            clockOffset = Int64(bitPattern: newValue[22])
            clockJumps = newValue[23]
            clockLastJump = Int64(bitPattern: newValue[24])
            process = newValue[25]
            poisoned = newValue[26]
            evicted = newValue[27]
        }
    }
}
