// What goes wrong, and how it is put right.

import Failover

/// A kind of fault.
enum SimulatedFault: Int, CaseIterable {
    case powerCut, matchdCrash, agentCrash, bothDown, pauseHost, pauseMatchd, pauseAgent, hungDisk
    case cutBoth, cutOneWay, cutEtcd, cutFromBoth, lossy, slow, etcdDown
    case wiped, oldImage, recentImage, switchover, forced, operatorPause, standbyRemove
    // These happen by themselves, as often as the plan says.
    case crashInStep, lateSwap, doubledSwap, lostAnswer, staleRead, cut

    static let injected = Array(allCases.prefix { $0 != .crashInStep })
}

/// Which links work.
struct SimulatedNetwork {
    /// From a host to its peer.
    var isCut = [false, false]
    var isCutToEtcd = [false, false]
    var isCutFromEtcd = [false, false]
    var lossOneIn = 0
    var doubleOneIn = 0
    var delayMicrosMax = 800

    func passes(_ host: Int, _ random: inout SeededRandom) -> Bool {
        !isCut[host] && !random.oneIn(lossOneIn)
    }
    func reachesEtcd(_ host: Int, _ random: inout SeededRandom) -> Bool { !isCutToEtcd[host] }
    func hearsEtcd(_ host: Int, _ random: inout SeededRandom) -> Bool { !isCutFromEtcd[host] }

    /// In order, as on one connection, unless it loses some or is slow.
    private var arrivesAt: [Int64] = [0, 0]

    /// When a frame that is sent now arrives.
    mutating func arrival(from host: Int, at time: Int64, _ random: inout SeededRandom) -> Int64 {
        let at = time + random.micros(100, random.below(4) == 0 ? delayMicrosMax : 300)
        if lossOneIn > 0 || delayMicrosMax > 1_000 { return at }
        arrivesAt[host] = max(arrivesAt[host], at)
        return arrivesAt[host]
    }
}

/// What one seed has in store.
struct SimulationPlan {
    struct Fault {
        let kind: SimulatedFault
        let host: Int
        let at: Int64
        let lasts: Int64
        /// On the standby; nil: mostly on the primary.
        var isOnStandby: Bool?
    }
    private(set) var faults: [Fault] = []
    let chunk: Int
    let loadMicros: Int
    let restartMillisMax: Int
    let syncMicrosMax: Int
    /// Sync marks with the commit point, one in so many.
    let marksOneIn: Int
    let lateOneIn: Int
    let doubleOneIn: Int
    let lostAnswerOneIn: Int
    let staleOneIn: Int
    let crashOneIn: Int
    let crashStep: SimulationStep
    let healsAt: Int64
    /// Whether a cut holds frames up, some of which come later.
    var holdsFrames = true

    init(_ random: inout SeededRandom, _ broken: BrokenRule) {
        let milli = Simulation.milli
        chunk = [1, 2, 8, 64][random.below(4)]
        loadMicros = [4_000, 15_000, 40_000][random.below(3)]
        syncMicrosMax = [2_000, 2_000, 60_000, 400_000][random.below(4)]
        marksOneIn = [1, 1, 20][random.below(3)]
        restartMillisMax = [60, 400, 1_200][random.below(3)]
        lateOneIn = [0, 0, 20, 5][random.below(4)]
        doubleOneIn = [0, 0, 10, 3][random.below(4)]
        lostAnswerOneIn = [0, 0, 10, 3][random.below(4)]
        staleOneIn = [0, 4, 2][random.below(3)]
        crashOneIn = [0, 8, 40][random.below(3)]
        crashStep = SimulationStep.allCases[random.below(SimulationStep.allCases.count)]
        // A seed has a few kinds of faults, so that each meets itself again.
        let kinds = (0..<(2 + random.below(3))).map { _ in
            SimulatedFault.injected[random.below(SimulatedFault.injected.count)]
        }
        let count = 2 + random.below(6)
        var at = 1_000 * milli
        for _ in 0..<count {
            at += random.oneIn(3) ? random.millis(0, 60) : random.millis(100, 1_600)
            faults.append(
                Fault(
                    kind: kinds[random.below(kinds.count)], host: random.below(2), at: at,
                    lasts: random.oneIn(3) ? random.millis(10, 300) : random.millis(300, 3_000)))
        }
        // Acknowledgements that are held up while their primary is lost, and come to its next term.
        if random.oneIn(4) {
            at += random.millis(1_000, 1_600)
            faults.append(
                Fault(kind: .cutOneWay, host: random.below(2), at: at, lasts: 0))
            at += random.millis(10, 200)
            faults.append(
                Fault(
                    kind: random.oneIn(2) ? .powerCut : .matchdCrash, host: random.below(2), at: at,
                    lasts: random.millis(20, 400)))
        }
        healsAt = at + random.millis(500, 2_500)
    }

    /// One fault of a pair at work, and nothing else.
    init(only kind: SimulatedFault, onStandby: Bool, _ random: inout SeededRandom) {
        (chunk, loadMicros, syncMicrosMax, marksOneIn) = (64, 4_000, 2_000, 1)
        (restartMillisMax, lateOneIn, doubleOneIn, lostAnswerOneIn) = (400, 0, 0, 0)
        (staleOneIn, crashOneIn, crashStep) = (0, 0, .order)
        let at = random.millis(3_000, 5_000)
        holdsFrames = false
        let long = 10_000 * Simulation.milli
        faults = [Fault(kind: kind, host: 0, at: at, lasts: long, isOnStandby: onStandby)]
        healsAt = at + 5_000 * Simulation.milli
    }
}

extension Simulation {
    func planFaults() {
        for (index, fault) in plan.faults.enumerated() { add(.fault(index), after: fault.at) }
        add(.heal, after: plan.healsAt)
    }

    /// The host that is primary by the record; sometimes its peer.
    private func primary() -> Int { etcd.record.primary == hosts[0].name ? 0 : 1 }

    func inject(_ fault: SimulationPlan.Fault) {
        guard !isHealed else { return }
        var host = random.oneIn(3) ? fault.host : primary()
        if let isOnStandby = fault.isOnStandby {
            host = isOnStandby ? 1 - primary() : primary()
            judge.countFromHere()
        }
        let until = time + fault.lasts
        trace?("fault: \(fault.kind) at \(hosts[host].name)")
        note(fault.kind)
        switch fault.kind {
        case .powerCut, .wiped, .oldImage, .recentImage: cutPower(host, fault)
        case .bothDown:
            for each in 0..<2 {
                powerOff(each)
                let after = each == host ? fault.lasts : fault.lasts + random.millis(0, 3_000)
                add(.powerOn(each, token: hosts[each].token), after: after)
            }
        case .matchdCrash: endMatchd(host, restarts: true)
        case .agentCrash: endAgent(host, after: fault.lasts / 2)
        case .pauseHost:
            hosts[host].matchdPausedUntil = until
            hosts[host].agentPausedUntil = until
        case .pauseMatchd: hosts[host].matchdPausedUntil = until
        case .pauseAgent: hosts[host].agentPausedUntil = until
        case .hungDisk: hosts[host].hungUntil = until
        case .cutBoth: network.isCut = [true, true]
        case .cutOneWay: network.isCut[host] = true
        case .cutEtcd:
            if random.oneIn(2) { network.isCutToEtcd[host] = true }
            network.isCutFromEtcd[host] = true
        case .cutFromBoth:
            network.isCut = [true, true]
            network.isCutToEtcd[host] = true
            network.isCutFromEtcd[host] = true
        case .lossy:
            network.lossOneIn = random.oneIn(2) ? 4 : 40
            network.doubleOneIn = 3
        case .slow: network.delayMicrosMax = random.oneIn(2) ? 400_000 : 1_500_000
        case .etcdDown: etcd.isDown = true
        case .switchover: step(primary(), .verb(.switchover))
        case .forced: force()
        case .operatorPause: step(host, .verb(.pause))
        case .standbyRemove: step(primary(), .verb(.standbyRemove))
        case .crashInStep, .lateSwap, .doubledSwap, .lostAnswer, .staleRead, .cut: break
        }
        if fault.isOnStandby != nil { return }
        if random.oneIn(3) { network = SimulatedNetwork() }
        if fault.kind != .etcdDown, random.oneIn(2) { etcd.isDown = false }
    }

    private func cutPower(_ host: Int, _ fault: SimulationPlan.Fault) {
        powerOff(host)
        var disk = hosts[host].disk
        switch fault.kind {
        case .wiped:
            let replica = broken == .hostsNotReplicas ? disk.replica : newReplica()
            disk = SimulatedDisk(replica: replica)
        case .oldImage where etcd.floor > 1 && etcd.floor == floorDue || broken.isOfTheFloor:
            rewind(&disk, to: random.below(min(disk.records.count, Int(floorDue))))
            hosts[host].isOldImage = true
        case .recentImage where plan.crashOneIn == 0 && disk.records.count > Int(etcd.floor):
            // Above the floor, below what was acknowledged: no rule sees that in time.
            let kept = Int(etcd.floor) + random.below(disk.records.count - Int(etcd.floor))
            if kept < judge.acknowledged.count { judge.mayLose = true }
            rewind(&disk, to: kept)
            hosts[host].isOldImage = true
        default: break
        }
        hosts[host].disk = disk
        judge.checkSet()
        add(.powerOn(host, token: hosts[host].token), after: fault.lasts)
    }

    private func rewind(_ disk: inout SimulatedDisk, to count: Int) {
        disk.records.removeSubrange(min(count, disk.records.count)...)
        disk.durable = disk.records.count
        disk.released = min(disk.released, UInt64(disk.records.count))
        disk.promise = disk.lastEpoch
    }

    /// An operator turns the primary off and forces the other host; the primary comes back later.
    private func force() {
        let (off, on) = (primary(), 1 - primary())
        guard hosts[on].isUp, hosts[on].core != nil else { return }
        if broken == .forcedWhileAlive {
            network.isCut = [true, true]
        } else {
            powerOff(off)
            add(.powerOn(off, token: hosts[off].token), after: random.millis(1_500, 3_000))
        }
        step(on, .verb(failover(on)))
    }

    /// A failover, forced where need be, of an operator who looked at the host's agent before.
    private func failover(_ host: Int) -> FailoverVerb {
        .failover(peerOffInEpoch: hosts[host].core?.view.record?.epoch)
    }

    // MARK: Healing

    func heal() {
        if plan.faults[0].isOnStandby != nil { return finish() }
        isHealed = true
        // What stands still goes on by itself, in order.
        let until = hosts.map { max($0.matchdPausedUntil, $0.agentPausedUntil, $0.hungUntil) }
            .max()!
        if until > time { return add(.heal, after: until - time) }
        healedAt = time
        network = SimulatedNetwork()
        etcd.isDown = false
        for host in 0..<2 {
            powerOn(host)
        }
        judge.countFromHere()
        trace?("healed")
        add(.operate, after: 100 * Self.milli)
    }

    /// What operators do when all is well again, and whether it is.
    func operate() {
        let since = time - healedAt
        for host in 0..<2 where hosts[host].core != nil {
            step(host, .verb(.resume))
            step(host, .verb(.standbyAdd))
        }
        if isWell { return finish() }
        if let forcing, !isOpen(forcing), !hosts[1 - forcing].isUp, hosts[forcing].core != nil {
            step(forcing, .verb(failover(forcing)))
        }
        let isLost = !(0..<2).contains { host in
            etcd.record.replica(of: hosts[host].name) == hosts[host].disk.replica
        }
        if isLost || judge.mayLose, since > 3_000 * Self.milli, !isReopened {
            reopenByForce()
        }
        // After a second force nobody can say any more what the first one gave up.
        if judge.mayLose || timesForced > 1 {
            for host in 0..<2 where hosts[host].matchd?.state == .stopped && isOpen(1 - host) {
                rejoin(host)
            }
        }
        let isOperated = isLost || judge.mayLose || isReopened || timesForced > 1
        let limit: Int64 = (isOperated ? 14_000 : 8_000) * Self.milli
        if since > limit {
            let who =
                judge.firstAcknowledgedAt == nil
                ? "nothing is acknowledged" : "not both are in sync"
            return judge.accuse("no progress after healing: \(who)")
        }
        add(.operate, after: 100 * Self.milli)
    }

    /// Nobody in sync is left: the operator decides.
    private func reopenByForce() {
        isReopened = true
        let on = hosts[0].disk.records.count >= hosts[1].disk.records.count ? 0 : 1
        powerOff(1 - on)
        add(.powerOn(1 - on, token: hosts[1 - on].token), after: 2_000 * Self.milli)
        if hosts[on].matchd?.state == .stopped { endMatchd(on, restarts: true) }
        forcing = on
        judge.countFromHere()
    }

    private var timesForced: Int {
        transitions[FailoverTransition.index[.forced]!]
    }

    /// A host that would have to cut what was released becomes a learner with an empty journal.
    private func rejoin(_ host: Int) {
        powerOff(host)
        hosts[host].disk = SimulatedDisk(replica: newReplica())
        powerOn(host)
    }

    private var isWell: Bool {
        guard etcd.record.inSync.count == 2, judge.acknowledgedSince >= 5 else { return false }
        return isOpen(primary())
    }

    private func isOpen(_ host: Int) -> Bool {
        guard let matchd = hosts[host].matchd else { return false }
        return matchd.state == .leading && matchd.epoch == etcd.record.epoch && matchd.isLinkOpen
    }

    private func finish() {
        judge.checkSet()
        isOver = true
    }
}
