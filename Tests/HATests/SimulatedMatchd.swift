// A small matchd: a journal in memory, the real promise, gate, lease and standby's position.

import Failover
import Terms

/// One process of matchd.
final class SimulatedMatchd {
    let host: Int
    let process: ProcessNumber
    unowned let world: Simulation

    var state = MatchdState.recovered
    var epoch: UInt32 = 0
    var ordersRun: UInt64 = 0
    var ordersDone: UInt64 = 0
    var keeper: PromiseKeeper
    var gate: PeerRequirement
    var lease: ReleaseLease
    var standby: StandbyPosition
    var forced: ForcedStart?
    var cause = ClaimCause.alone
    var epochStart: UInt64 = 0
    var isLinkOpen = false
    var isIntakeHeld = false
    /// When the oldest record that is not durable was written.
    var unsyncedSince: Int64?
    var isSyncing = false
    var cuts = 0
    var shown = 0
    // Standby
    var heardAt: BootTime?
    var sealedEnd: UInt64?
    // Primary
    var peerReplica: ReplicaID?
    var peerProcess = ProcessNumber(0)
    var peerEchoedAt: BootTime?
    var peerPromise: UInt32 = 0
    var peerLacks = false
    var sentUpTo: Int?
    var waitingSince: Int64?
    /// The most that this replica acknowledged to this process.
    var counted: (replica: ReplicaID, sequence: UInt64)?
    var lastMatched: UInt64 = 0
    /// When it last sent a beacon with progress.
    var workedAt = BootTime(nanos: 0)
    var isReportDue = false
    /// Variant: the requirement is applied only when the addition is known.
    var reportedRequirement: ReplicaID?

    init(host: Int, process: ProcessNumber, world: Simulation) {
        self.host = host
        self.process = process
        self.world = world
        let disk = world.hosts[host].disk
        // Record, disk and journal back each other: the rule is broken where all three are.
        let forgets = world.broken == .noPromise
        keeper = PromiseKeeper(
            promise: forgets ? 0 : disk.promise, journalEpoch: forgets ? 0 : disk.lastEpoch)
        gate = PeerRequirement(released: disk.released)
        lease = ReleaseLease(leaseNanos: world.timing.leaseNanos)
        standby = StandbyPosition(durable: UInt64(disk.records.count), released: disk.released)
        world.hosts[host].disk.durable = disk.records.count
    }

    var disk: SimulatedDisk {
        get { world.hosts[host].disk }
        _modify { yield &world.hosts[host].disk }
    }

    var isPrimary: Bool { state == .leading || state == .sealed }
    var isFollowing: Bool {
        if case .following = state { true } else { false }
    }
    var holdsLease: Bool {
        lease.isHeld(at: world.now, isPeerRequired: gate.replica != nil)
    }
    var hasProgress: Bool {
        BeaconRule.hasProgress(
            oldestWaiting: unsyncedSince.map { BootTime(nanos: $0) }, at: world.now,
            timing: world.timing)
    }

    func report() -> MatchdReport {
        var report = MatchdReport(
            process: process, state: state, epoch: epoch, replica: disk.replica,
            promise: keeper.promise, end: UInt64(disk.records.count), endEpoch: disk.lastEpoch,
            durable: UInt64(disk.durable),
            commitPoint: isPrimary ? gate.released : standby.released)
        report.ordersRun = ordersRun
        report.ordersDone = ordersDone
        report.oldestWaiting = unsyncedSince.map { BootTime(nanos: $0) }
        report.heardAt = heardAt
        report.isHandedOver = sealedEnd.map { isFollowing && standby.acknowledged >= $0 } ?? false
        guard isPrimary else { return report }
        report.epochStart = epochStart
        if world.broken == .addWithoutEpoch, gate.released < epochStart {
            (report.epochStart, report.commitPoint) = (1, standby.released)
        }
        report.requirement = gate.replica ?? reportedRequirement
        report.holdsLease = holdsLease
        report.isLinkOpen = isLinkOpen
        report.isIntakeHeld = isIntakeHeld
        if let peerReplica {
            report.peer = PeerReport(
                replica: peerReplica, echoedAt: peerEchoedAt, matched: matchedThere,
                waitingSince: waitingSince.map { BootTime(nanos: $0) },
                promise: world.broken == .neverRaise ? 0 : peerPromise,
                lacksAcknowledged: peerLacks)
        }
        return report
    }

    /// What the peer acknowledged in this epoch.
    var matchedThere: UInt64 {
        if world.broken == .addBeforeMatched { return UInt64(disk.records.count) }
        guard let newest = gate.acknowledgement, newest.process == peerProcess else { return 0 }
        return newest.matched
    }

    // MARK: Orders

    func obey(_ order: MatchdOrder) {
        guard order.process == process else { return }
        (ordersRun, ordersDone) = (order.run, order.number)
        defer { world.reportSoon(host) }
        guard order.binds(process, epoch: isPrimary ? epoch : keeper.least) else { return }
        switch order.action {
        case .follow(let renews, let isConfirmed, let forced):
            if isPrimary && state != .sealed { return }
            if renews, world.broken != .noFloorCheck, world.broken != .hostsNotReplicas {
                disk.replica = world.newReplica()
            }
            if world.broken != .noPromise { promise(order.epoch) }
            if world.broken != .forcedFromEnd { self.forced = forced ?? self.forced }
            if state != .sealed, case .following(true) = state { return }
            state = .following(isConfirmed: isConfirmed)
            epoch = keeper.promise
            acknowledge()
        case .belong: break
        case .promise:
            guard isFollowing || state == .promised else { return }
            if world.broken == .noPromise {
                world.fakePromise = (process, order.epoch)
            } else {
                promise(order.epoch)
                standby.follow()
                state = .promised
                sealedEnd = nil
                syncAll()
            }
        case .lead(let terms):
            guard state == .promised || world.broken == .noPromise else { return }
            if world.broken != .noPromise { promise(order.epoch) }
            begin(order.epoch, requiring: terms.requirement, cause: terms.cause, terms.forced)
            world.judge.promoted(host, terms)
        case .require(let replica):
            guard isPrimary else { return }
            if world.broken == .addWithoutRequirement, replica != nil {
                reportedRequirement = replica
            } else {
                gate.require(replica)
                reportedRequirement = nil
            }
            release()
        case .raise(let from, _):
            guard isPrimary, epoch == from else { return }
            promise(order.epoch)
            begin(order.epoch, requiring: gate.replica, cause: .raise, forced)
        case .openLink:
            if state == .leading { isLinkOpen = true }
        case .holdIntake:
            guard state == .leading else { return }
            isIntakeHeld = true
            append(SimulatedRecord.hashMark)
        case .resumeIntake: isIntakeHeld = false
        case .seal:
            guard state == .leading, gate.released == UInt64(disk.records.count) else { return }
            state = .sealed
        case .end: world.endMatchd(host, restarts: true)
        }
    }

    func promise(_ epoch: UInt32) {
        if epoch > keeper.promise { standby.follow() }
        keeper.promised(epoch)
        disk.promise = keeper.promise
    }

    private func begin(
        _ epoch: UInt32, requiring replica: ReplicaID?, cause: ClaimCause,
        _ forced: ForcedStart?
    ) {
        if !isPrimary { gate = PeerRequirement(released: standby.released) }
        self.epoch = epoch
        self.cause = cause
        self.forced = forced
        if world.broken == .forcedFromEnd, let forced {
            self.forced = ForcedStart(epoch: forced.epoch, from: UInt64(disk.records.count) + 1)
        }
        gate.begin(epoch: epoch, requiring: replica)
        lease.begin()
        state = .leading
        isIntakeHeld = false
        forgetPeer()
        append(SimulatedRecord.epochMark)
        epochStart = UInt64(disk.records.count)
        world.add(.beacon(host, process: process.number), after: 0)
    }

    func forgetPeer() {
        peerReplica = nil
        peerEchoedAt = nil
        peerPromise = 0
        peerLacks = false
        sentUpTo = nil
        waitingSince = nil
    }

    // MARK: Journal

    func append(_ command: UInt32) {
        let record = SimulatedRecord(
            epoch: epoch, writer: UInt8(host), process: UInt32(process.number), command: command)
        disk.records.append(record)
        if world.broken != .noPromise { keeper.journalEnds(in: epoch) }
        world.judge.wrote(record, at: disk.records.count)
        syncLater()
        sendAppends()
    }

    func syncLater() {
        if disk.durable < disk.records.count, unsyncedSince == nil {
            unsyncedSince = world.time
        }
        guard !isSyncing, disk.durable < disk.records.count else { return }
        isSyncing = true
        let latency = world.random.micros(100, world.isHealed ? 2_000 : world.plan.syncMicrosMax)
        world.add(
            .synced(host, process: process.number, upTo: disk.records.count, cuts: cuts),
            after: max(latency, world.hosts[host].hungUntil - world.time))
    }

    func synced(upTo: Int, cuts: Int) {
        isSyncing = false
        if cuts == self.cuts {
            disk.durable = max(disk.durable, min(upTo, disk.records.count))
            standby.sync(UInt64(disk.durable))
            if world.random.oneIn(world.plan.marksOneIn) {
                // A mark names no record that is not on disk.
                let released = isPrimary ? gate.released : standby.released
                disk.released = max(disk.released, min(released, UInt64(disk.durable)))
            }
        }
        unsyncedSince = disk.durable < disk.records.count ? world.time : nil
        syncLater()
        if isPrimary { release() } else { acknowledge() }
    }

    /// A claim's sync, and a start's.
    func syncAll() {
        disk.durable = disk.records.count
        standby.sync(UInt64(disk.durable))
        unsyncedSince = nil
    }

    /// The gate opens as far as it may while the lease is held.
    func release() {
        guard isPrimary, holdsLease || world.broken == .releaseWithoutPeer else { return }
        let before = Int(gate.released)
        var durable = UInt64(disk.durable)
        if world.broken == .releaseUnsynced { durable = UInt64(disk.records.count) }
        if world.broken == .primaryShowsUnreleased {
            world.judge.shows(host, from: shown, to: disk.durable)
            shown = max(shown, disk.durable)
        }
        var after = Int(gate.release(durable: durable))
        if world.broken == .releaseWithoutPeer { after = max(after, disk.durable) }
        if world.broken == .gateGoesBack { after = Int(min(durable, gate.limit)) }
        if after != before { world.judge.released(host, from: before, to: after) }
        if after > before {
            sendBeaconSoon()
            world.reportSoon(host)
        }
    }

    func sendBeaconSoon() {
        guard isIntakeHeld || gate.released >= UInt64(disk.records.count) else { return }
        sendBeacon()
    }
}
