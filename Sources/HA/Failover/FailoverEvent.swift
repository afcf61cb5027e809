// The core's events and effects.

/// Why a host leads a new epoch.
public enum ClaimCause: Hashable, Sendable, CaseIterable {
    /// It is alone in sync; its process started anew.
    case alone
    /// Its own process ended, and nobody claimed within G.
    case restart
    /// The primary's process was reaped.
    case reaped
    /// The primary gave no sign within G.
    case grace
    /// The primary sealed for it.
    case switchover
    /// An operator ordered it, and it is in sync.
    case failover
    /// An operator forced it; what only the other host has is lost.
    case forced
    /// The primary raised its own epoch.
    case raise
}

/// What an operator asks for.
public enum FailoverVerb: Hashable, Sendable {
    /// Hand the exchange over to the peer; healthy only.
    case switchover
    /// Claim here; forced where this host is not in sync, which takes proof that the peer is off,
    /// given with the record's epoch that was known before the peer was seen to be off.
    case failover(peerOffInEpoch: UInt32?)
    /// Let the peer in again.
    case standbyAdd
    /// Go on without the peer until an operator adds it.
    case standbyRemove
    /// No claims.
    case pause
    /// Claims again.
    case resume
}

/// Why a verb is refused.
public enum VerbRefusal: Hashable, Sendable, CaseIterable {
    /// Here no matchd leads with the Link open.
    case notPrimary
    /// The peer is not in sync.
    case peerNotInSync
    /// The peer has not acknowledged all, or the lease is not held.
    case notHealthy
    /// A swap waits for etcd's answer.
    case swapPending
    /// etcd did not answer of late.
    case noArbiter
    /// This host leads already.
    case isPrimary
    /// Here no matchd follows, confirmed.
    case notFollowing
    /// This host is not in sync, and nothing proves that the peer is off.
    case peerNotProvenOff
    /// The record is of another epoch than before the proof: the peer was at work since.
    case peerWorkedSince
    /// Claims are paused, so the other host would not take the lead.
    case paused
    /// There is no peer.
    case standalone
    /// `watchdog = required`, and this host's is not armed.
    case noWatchdog
    /// The same of the peer.
    case peerNoWatchdog
}

/// A reading of record and floor in one transaction. At a start it must also write a key of its
/// own: a floor that is out of date would let an old image pass.
public struct RecordRequest: Hashable, Sendable {
    /// Counts the readings.
    public let number: UInt64
    /// Whether the transaction must write, so that what it reads is the newest.
    public let mustWrite: Bool
    /// That request.
    public init(number: UInt64, mustWrite: Bool) {
        (self.number, self.mustWrite) = (number, mustWrite)
    }
}

/// The record and the floor as one transaction read them.
public struct RecordReading: Hashable, Sendable {
    /// Of which request.
    public let number: UInt64
    /// The record; nil: there is none.
    public let record: ClusterRecord?
    /// The floor.
    public let floor: UInt64
    /// Whether the cluster id is the one in the replica file, or this etcd was made in its place.
    public let isOwnCluster: Bool
    /// The cluster id of the etcd that was read; 0: not known.
    public let cluster: UInt64

    /// That reading.
    public init(
        number: UInt64, record: ClusterRecord?, floor: UInt64, isOwnCluster: Bool = true,
        cluster: UInt64 = 0
    ) {
        self.number = number
        self.record = record
        self.floor = floor
        self.isOwnCluster = isOwnCluster
        self.cluster = cluster
    }
}

/// An event of the core.
public enum FailoverEvent: Hashable, Sendable {
    /// Time passes; at least every `beaconNanos`.
    case tick
    /// The record was read.
    case recordRead(RecordReading)
    /// It could not be read.
    case readFailed(number: UInt64)
    /// A swap was answered.
    case swapAnswered(SwapAttempt, SwapAnswer)
    /// A put of the floor was answered.
    case floorAnswered(SwapAnswer)
    /// matchd reports.
    case reported(MatchdReport)
    /// matchd was reaped.
    case reaped(ProcessNumber)
    /// The peer's agent reaped a process that led this epoch.
    case peerReaped(epoch: UInt32)
    /// The peer's agent reports: its etcd cluster's id, 0 if not known, and the epoch of the record
    /// there.
    case peerReported(cluster: UInt64, epoch: UInt32)
    /// The peer's agent reports whether it would claim nothing, for want of a watchdog.
    case peerBarred(Bool)
    /// The agent looked at the machine's watchdog.
    case watchdog(WatchdogState)
    /// The wallet's outbox is reconciled with the log of this epoch.
    case walletReconciled(epoch: UInt32)
    /// An operator asks for something.
    case verb(FailoverVerb)
}

/// What is to be done, in the order of the fields: what gives up a role goes first, what takes one
/// last; within a field in the order of the list.
public struct FailoverEffects: Sendable {
    /// 1. Remove the service address.
    public internal(set) var dropsAddress = false
    /// 1. Leave the service address to whoever leads next: it goes once that host has it, and
    /// within its lifetime anyhow. Clients who call meanwhile wait instead of finding nobody.
    public internal(set) var leavesAddress = false
    /// 2. Orders to matchd.
    public internal(set) var orders: [MatchdOrder] = []
    /// 3. Report to the peer's agent that the process that led this epoch was reaped.
    public internal(set) var reapedEpoch: UInt32?
    /// 4. Send this swap; answer it by `swapAnswered`, once each time.
    public internal(set) var swap: RecordSwap?
    /// 5. Put this floor, if the record is still mine.
    public internal(set) var floor: FloorPut?
    /// 6. Read record and floor.
    public internal(set) var read: RecordRequest?
    /// 7. Reconcile the wallet's outbox with the log of this epoch.
    public internal(set) var reconcilesWallet: UInt32?
    /// 8. Add or renew the service address.
    public internal(set) var takesAddress = false
    /// 9. Open the Link: the last of a claim's steps.
    public internal(set) var opensLink: MatchdOrder?
    /// 10. Answer the operator: nil where there was no verb or it is under way.
    public internal(set) var refusal: VerbRefusal?
    /// What happened in this cycle.
    public internal(set) var transitions: [FailoverTransition] = []
    /// The cycle in one sentence.
    public internal(set) var explanation = FailoverExplanation.recovering

    init() {}
}

/// What the core does to its role.
public enum FailoverTransition: String, Hashable, Sendable, CaseIterable {
    /// matchd was ordered to follow.
    case followed
    /// It follows under a new replica id: its journal ended below the floor.
    case renewed
    /// It follows without record and floor: etcd is away.
    case followedUnconfirmed
    /// A primary was found at work by an agent that started.
    case adopted
    /// A claim began: matchd promises.
    case promised
    /// The claim's swap was sent.
    case claimed
    /// The claim was lost.
    case lost
    /// The claim's swap was done: matchd leads.
    case led
    /// The claim was forced.
    case forced
    /// Address and Link are open.
    case opened
    /// The peer's removal was sent.
    case removing
    /// The peer is removed.
    case removed
    /// The gate requires the peer.
    case requiring
    /// It does not any more: the learner went away.
    case withdrawn
    /// The peer's addition was sent.
    case adding
    /// The peer is in sync again.
    case added
    /// A higher epoch was asked for.
    case raising
    /// The epoch was raised.
    case raised
    /// What an earlier run of this agent sent can no longer apply.
    case settled
    /// Intake is held for a switchover.
    case held
    /// matchd was ordered to seal.
    case sealed
    /// A switchover was given up.
    case gaveUp
    /// A higher epoch ended the role.
    case demoted
    /// matchd was reaped.
    case reaped
}
