// Each cycle of the core in one plain sentence, for `boursectl cluster status` and the journal.

/// Why a peer has to go.
public enum RemovalReason: Hashable, Sendable {
    /// No echo for R.
    case silent
    /// It acknowledges nothing for 2 s.
    case stalled
    /// Its replica is another than the record's.
    case otherReplica
    /// It came back without what it had acknowledged.
    case lacksAcknowledged
    /// An operator asked for it.
    case operatorAsked

    var text: String {
        switch self {
        case .silent: "it gives no echo"
        case .stalled: "it acknowledges nothing"
        case .otherReplica: "it has another replica id"
        case .lacksAcknowledged: "it lacks records that it had acknowledged"
        case .operatorAsked: "an operator asked for it"
        }
    }
}

/// A cycle's reason.
public enum FailoverExplanation: Hashable, Sendable, CustomStringConvertible {
    /// No process has reported yet.
    case recovering
    /// The start's transaction is not answered.
    case reading
    /// The key is missing.
    case noRecord
    /// etcd is another cluster's.
    case otherCluster
    /// The peer's etcd was made in the place of this host's, and its record is of this epoch.
    case superseded(HostName, UInt32)
    /// The agent has started just now, and the peer's has not reported yet.
    case waitingPeer(HostName)
    /// The process stopped, for a reason.
    case stopped(String)
    /// It cannot follow for now, for a reason.
    case hindered(HostName, UInt32, String)
    /// It follows in sync.
    case following(HostName, UInt32)
    /// It follows as a learner.
    case learning(HostName, UInt32)
    /// It follows unconfirmed.
    case unconfirmed
    /// It would claim, but for the pause.
    case paused
    /// It would claim, but has no armed watchdog, which its owner requires.
    case barred(WatchdogState)
    /// It is in sync and waits: its own process led.
    case waitingGrace(UInt32)
    /// It led, and its journal is no longer the one that was in sync.
    case lostJournal(UInt32)
    /// It is about to claim, and asks for the record first.
    case asking(ClaimCause)
    /// It promises.
    case promising(UInt32, ClaimCause)
    /// Its swap is under way.
    case claiming(UInt32, ClaimCause)
    /// It lost.
    case lost(UInt32, HostName)
    /// It leads; the tail is applied, the gate not open over all.
    case applying(UInt32)
    /// It leads; the wallet is reconciled.
    case reconciling(UInt32)
    /// It leads with the peer.
    case leadingWith(HostName, UInt32)
    /// It leads alone.
    case leadingAlone(UInt32)
    /// It leads alone; the learner cannot be added yet.
    case notAdding(HostName, UInt32, RemovalReason)
    /// It leads alone, the peer is out.
    case peerOut(HostName, UInt32)
    /// It leads, out of lease.
    case holding(HostName, UInt32)
    /// It leads; the peer is to be removed.
    case removing(HostName, UInt32, RemovalReason)
    /// The peer should go, but etcd gives no answer.
    case cannotRemove(HostName, RemovalReason)
    /// It leads; the gate waits for the learner.
    case requiring(HostName, UInt32)
    /// It leads; the learner is added.
    case adding(HostName, UInt32)
    /// It leads; its epoch is raised.
    case raising(UInt32)
    /// It leads; an old swap is ruled out.
    case settling(UInt32)
    /// A switchover: intake is held.
    case handingOver(HostName)
    /// A switchover: sealed.
    case sealed(HostName)
    /// A higher epoch is there.
    case demoted(HostName, UInt32)
    /// matchd has not carried out the last order.
    case ordering(UInt32)

    /// The sentence.
    public var description: String {
        switch self {
        case .recovering: "waits for matchd to recover its journal"
        case .reading: "waits for etcd: record and floor are not known"
        case .noRecord: "takes no role: etcd has no record; cluster init writes the first one"
        case .otherCluster:
            "takes no role: etcd is of another cluster than this host's journal; rejoin brings "
                + "them together"
        case .superseded(let host, let epoch):
            "takes no role: the etcd of \(host) is newer, of epoch \(epoch), and without this "
                + "host: join it, by cluster invite there"
        case .waitingPeer(let host): "waits for the agent of \(host) before it claims"
        case .stopped(let reason): "takes no role: \(reason)"
        case .hindered(let host, let epoch, let reason):
            "cannot follow \(host) in epoch \(epoch): \(reason)"
        case .following(let host, let epoch): "follows \(host) in epoch \(epoch), in sync"
        case .learning(let host, let epoch): "follows \(host) in epoch \(epoch), not in sync"
        case .unconfirmed: "follows unconfirmed: etcd gives no answer"
        case .paused: "does not claim: paused"
        case .barred(let state):
            "does not claim: \(state.text), and watchdog = required; arm it (boursectl explain "
                + "kernel.watchdog), or set [cluster] watchdog = auto and restart bourse-agentd"
        case .waitingGrace(let epoch):
            "led epoch \(epoch) until its process ended; waits for the peer to claim"
        case .lostJournal(let epoch):
            "led epoch \(epoch), and its journal is not the one in sync; an operator decides"
        case .asking(let cause): "is about to claim, for \(cause.text); asks etcd first"
        case .promising(let epoch, let cause): "claims epoch \(epoch), for \(cause.text): promises"
        case .claiming(let epoch, let cause):
            "claims epoch \(epoch), for \(cause.text): waits for etcd"
        case .lost(let epoch, let host): "lost epoch \(epoch) to \(host)"
        case .applying(let epoch): "leads epoch \(epoch): waits until all it has is released"
        case .reconciling(let epoch): "leads epoch \(epoch): waits for the wallet's outbox"
        case .leadingWith(let host, let epoch): "leads epoch \(epoch) with \(host) in sync"
        case .leadingAlone(let epoch): "leads epoch \(epoch) alone"
        case .notAdding(let host, let epoch, let reason):
            "leads epoch \(epoch) alone, does not add \(host): \(reason.text)"
        case .peerOut(let host, let epoch):
            "leads epoch \(epoch) alone: \(host) is out until standby add"
        case .holding(let host, let epoch): "leads epoch \(epoch), holds: no echo from \(host)"
        case .removing(let host, let epoch, let reason):
            "leads epoch \(epoch), removes \(host): \(reason.text)"
        case .cannotRemove(let host, let reason):
            "cannot remove \(host), for etcd gives no answer: \(reason.text)"
        case .requiring(let host, let epoch): "leads epoch \(epoch), waits for \(host) to match"
        case .adding(let host, let epoch): "leads epoch \(epoch), adds \(host)"
        case .raising(let epoch): "raises its epoch to \(epoch)"
        case .settling(let epoch): "leads epoch \(epoch), rules out an earlier swap"
        case .handingOver(let host): "hands over to \(host): intake is held"
        case .sealed(let host): "hands over to \(host): sealed"
        case .demoted(let host, let epoch): "ends its role: \(host) leads epoch \(epoch)"
        case .ordering(let epoch): "waits for matchd to carry out an order of epoch \(epoch)"
        }
    }
}

extension WatchdogState {
    /// Its state as a sentence without a full stop.
    public var text: String {
        switch self {
        case .unknown: "how this machine's watchdog is, is not known"
        case .absent: "this machine has no hardware watchdog"
        case .inactive: "this machine's watchdog is not armed"
        case .armed: "this machine's watchdog is armed"
        }
    }
}

extension ClaimCause {
    var text: String {
        switch self {
        case .alone: "it is alone in sync"
        case .restart: "its own process ended and nobody else claimed"
        case .reaped: "the primary's process ended"
        case .grace: "the primary gives no sign"
        case .switchover: "the primary sealed for it"
        case .failover: "an operator asked for it"
        case .forced: "an operator forced it"
        case .raise: "a higher promise"
        }
    }
}
