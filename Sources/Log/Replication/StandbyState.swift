// What a standby may do, between the thread that replicates and the one that carries out orders.

public import Failover
internal import Pipeline
public import Terms

/// What a standby starts with.
public struct StandbyStart: Hashable, Sendable {
    /// The replica on its disk.
    public var replica: ReplicaID
    /// This process.
    public var process: ProcessNumber
    /// The promise on its disk.
    public var promise: UInt32
    /// The last record of its journal that is known to be released.
    public var released: UInt64

    /// That start.
    public init(replica: ReplicaID, process: ProcessNumber, promise: UInt32, released: UInt64) {
        self.replica = replica
        self.process = process
        self.promise = promise
        self.released = released
    }
}

/// The state of a standby, for reports.
public struct StandbyStatus: Hashable, Sendable {
    /// What it does: `recovered`, `following`, `promised` or `stopped`.
    public var state: MatchdState
    /// Why it stopped, or cannot follow for now.
    public var reason: String?
    /// The epoch that it follows.
    public var epoch: UInt32
    /// The replica on its disk.
    public var replica: ReplicaID
    /// The promise on its disk.
    public var promise: UInt32
    /// How far its journal equals the primary's.
    public var position: StandbyPosition
    /// When it last echoed a beacon.
    public var heardAt: BootTime?
    /// The last record of a primary of `epoch` that is sealed; nil: it is not.
    public var sealedEnd: UInt64?
    /// The last forced failover that it knows of.
    public var forced: ForcedStart?
    /// What the program of the last primary that was followed knows of logs; nil: none was.
    public var primaryLevel: LogLevel?

    /// Whether it holds all of a primary of `epoch` that is sealed.
    public var isHandedOver: Bool {
        guard case .following = state, let sealedEnd else { return false }
        return position.acknowledged >= sealedEnd
    }
}

/// The rules of a standby, in the words of `SimulatedMatchd+Replication`.
struct StandbyState {
    let process: ProcessNumber
    var keeper: PromiseKeeper
    var status: StandbyStatus
    /// Rises with each order, so that a connection made under an earlier one ends.
    var orders: UInt64 = 0
    /// This process leads, or is about to: it follows nobody, whatever comes.
    private(set) var leads = false

    init(_ start: StandbyStart, durable: UInt64, journalEpoch: UInt32) {
        process = start.process
        keeper = PromiseKeeper(promise: start.promise, journalEpoch: journalEpoch)
        status = StandbyStatus(
            state: .recovered, epoch: 0, replica: start.replica, promise: start.promise,
            position: StandbyPosition(durable: durable, released: start.released))
    }

    /// The promise of `epoch` is durable.
    mutating func promised(_ epoch: UInt32) {
        if epoch > keeper.promise { status.position.follow() }
        keeper.promised(epoch)
        status.promise = keeper.promise
    }

    /// An order: follow.
    mutating func follow(isConfirmed: Bool, forced: ForcedStart?, replica: ReplicaID) {
        if case .stopped = status.state { return }
        status.replica = replica
        status.forced = forced ?? status.forced
        if case .following(true) = status.state { return }
        status.state = .following(isConfirmed: isConfirmed)
        status.epoch = keeper.promise
    }

    /// An order: neither acknowledge nor echo below the promise any more.
    mutating func hold() {
        if case .stopped = status.state { return }
        status.position.follow()
        status.sealedEnd = nil
        status.state = .promised
    }

    /// This process leads from here on.
    mutating func lead() { leads = true }

    /// This process led and follows again: its journal ends durably at `durable`, in `epoch`, and
    /// all up to `released` was released.
    mutating func resign(durable: UInt64, released: UInt64, epoch: UInt32) {
        leads = false
        status.position = StandbyPosition(
            durable: durable, released: max(released, status.position.released))
        keeper.journalEnds(in: epoch)
    }

    /// A primary's term is followed, whose epoch was promised.
    mutating func begin(_ epoch: UInt32, forced: ForcedStart?) {
        status.forced = forced ?? status.forced
        switch status.state {
        case .following: break
        default: status.state = .following(isConfirmed: true)
        }
        if status.epoch != epoch {
            status.epoch = epoch
            status.sealedEnd = nil
            status.position.follow()
        }
    }

    /// Whether frames of `epoch`, which a connection follows, are still to be taken.
    func follows(_ epoch: UInt32) -> Bool {
        guard case .following = status.state else { return false }
        return status.epoch == epoch && keeper.verdict(on: epoch) == .take
    }

    /// What to acknowledge of `epoch`; nil: nothing.
    func acknowledgement(_ epoch: UInt32) -> PeerAcknowledgement? {
        guard status.state == .following(isConfirmed: true), follows(epoch),
            status.position.acknowledged > 0
        else { return nil }
        return PeerAcknowledgement(
            epoch: epoch, process: process, replica: status.replica,
            matched: status.position.acknowledged)
    }

    /// Takes a beacon; whether to echo it.
    mutating func takeBeacon(_ beacon: ReplicationBeacon, at now: BootTime) -> Bool {
        guard case .following(let isConfirmed) = status.state else { return false }
        status.sealedEnd = beacon.sealedEnd > 0 ? beacon.sealedEnd : nil
        status.position.commit(beacon.commitPoint)
        let echoes = BeaconRule.echoes(
            epoch: beacon.epoch, hasProgress: beacon.hasProgress, keeper: keeper,
            isConfirmed: isConfirmed)
        if echoes { status.heardAt = now }
        return echoes
    }

    /// The first record whose point is offered to a primary: the last that is known to be released,
    /// or the one before what a forced failover gave up.
    func offerFrom(first: UInt64) -> UInt64 {
        var from = status.position.released
        if let forced = status.forced, forced.epoch > keeper.journalEpoch, forced.from > 0 {
            from = min(from, forced.from - 1)
        }
        return max(from, first, 1)
    }

    /// Replication has ended for good.
    mutating func stop(_ reason: String) {
        guard status.state != .stopped else { return }
        status.state = .stopped
        status.reason = reason
    }

    /// The primary cannot be followed for now.
    mutating func hinder(_ reason: String) {
        if status.state != .stopped { status.reason = reason }
    }
}
