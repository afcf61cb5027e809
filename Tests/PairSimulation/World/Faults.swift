// What goes wrong.

import CMachine
import Failover
import Glibc

/// A kind of fault.
enum FaultKind: Int, CaseIterable {
    case powerCut, matchdCrash, agentCrash, bothDown, pauseHost, pauseMatchd, pauseAgent
    case hungDisk, slowDisk, syncError, diskFull
    case cutBoth, cutOneWay, cutEtcd, cutFromBoth, reset, slowLink, etcdDown, clockJump
    case switchover, operatorPause, standbyRemove, forcedFailover
    case wipedDisk, oldImage, bitFlip
    // These happen by themselves, as often as the plan says.
    case lateSwap, doubledSwap, lostAnswer, staleRead, tornWrite

    static let injected = Array(allCases.prefix { $0 != .lateSwap })
}

/// What one seed has in store.
struct Plan {
    struct Fault {
        let kind: FaultKind
        let host: Int
        let at: Int64
        let lasts: Int64
    }
    private(set) var faults: [Fault] = []
    let loadNanos: Int64
    let restartMillisMax: Int
    let syncNanos: (least: Int64, most: Int64)
    let delayNanosMax: Int64
    let lateOneIn: Int
    let doubleOneIn: Int
    let lostAnswerOneIn: Int
    let staleOneIn: Int
    let healsAt: Int64
    /// A single fault that lasts, once all is well again: trading must go on.
    let lingering: FaultKind?
    static let lingeringNanos = 10_000 * World.milli

    init() {
        func below(_ n: Int) -> Int { Int(machine_random() % UInt64(n)) }
        func millis(_ least: Int, _ most: Int) -> Int64 {
            Int64(least + below(most - least + 1)) * World.milli
        }
        loadNanos = [15, 40, 80][below(3)] * World.milli
        restartMillisMax = [60, 400, 1_200][below(3)]
        syncNanos = (100_000, [1, 2, 20, 200][below(4)] * World.milli)
        delayNanosMax = [200_000, 300_000, 1_500_000, 20_000_000][below(4)]
        lateOneIn = [0, 0, 20, 5][below(4)]
        doubleOneIn = [0, 0, 10, 3][below(4)]
        lostAnswerOneIn = [0, 0, 10, 3][below(4)]
        staleOneIn = [0, 4, 2][below(3)]
        let kinds = (0..<(2 + below(2))).map { _ in
            FaultKind.injected[below(FaultKind.injected.count)]
        }
        let count = 2 + below(3)
        var at = 1_500 * World.milli
        for _ in 0..<count {
            at += below(3) == 0 ? millis(0, 60) : millis(100, 900)
            faults.append(
                Fault(
                    kind: kinds[below(kinds.count)], host: below(2), at: at,
                    lasts: below(3) == 0 ? millis(10, 300) : millis(300, 1_800)))
        }
        healsAt = at + millis(500, 2_000)
        let lasting: [FaultKind] = [
            .powerCut, .pauseHost, .pauseMatchd, .pauseAgent, .hungDisk, .syncError, .diskFull,
            .cutBoth, .cutOneWay, .cutEtcd, .cutFromBoth, .etcdDown,
        ]
        lingering = below(6) == 0 ? lasting[below(lasting.count)] : nil
    }
}

extension World {
    func planFaults() {
        for host in 0..<2 {
            machine_disk(Int32(host), plan.syncNanos.least, plan.syncNanos.most, 0)
        }
        machine_delay(100_000, plan.delayNanosMax)
        for fault in plan.faults {
            add(after: fault.at) { self.inject(fault) }
            if fault.kind == .oldImage {
                for host in 0..<2 { add(after: 300 * Self.milli) { self.takeImage(host) } }
            }
        }
        add(after: plan.healsAt) { self.healSoon() }
    }

    /// What stands still goes on by itself, in order.
    private func healSoon() {
        if isForcing { return add(after: 50 * Self.milli) { self.healSoon() } }
        let until = hosts.map { max($0.matchdPausedUntil, $0.agentPausedUntil) }.max()!
        if until > now { return add(after: until - now) { self.healSoon() } }
        heal()
    }

    func primary() -> Int { etcd.record.primary == hosts[0].name ? 0 : 1 }

    private func inject(_ fault: Plan.Fault) {
        guard !isHealed else { return }
        let isOfStandby = [.wipedDisk, .oldImage, .bitFlip].contains(fault.kind)
        let host = isOfStandby ? 1 - primary() : oneIn(3) ? fault.host : primary()
        guard fault.kind != .forcedFailover || !isForcing else { return }
        guard apply(fault.kind, host, fault.lasts) else { return }
        note(fault.kind)
        if oneIn(3), fault.kind != .cutBoth, fault.kind != .cutFromBoth {
            for each in 0..<2 {
                machine_cut(Int32(each), 0)
                etcd.areAgentsCut[each] = false
            }
        }
        if fault.kind != .etcdDown, oneIn(2) { etcd.isDown = false }
    }

    /// Begins a fault; false: it cannot be now.
    func apply(_ kind: FaultKind, _ host: Int, _ lasts: Int64) -> Bool {
        trace("fault: \(kind) at \(hosts[host].name) for \(lasts / Self.milli) ms")
        let until = now + lasts
        let (least, most) = (plan.syncNanos.least, plan.syncNanos.most)
        switch kind {
        case .forcedFailover: force(after: lasts / 2)
        case .wipedDisk:
            guard wipe(host) else { return false }
            comesBack(host, lasts)
        case .oldImage:
            guard putImage(host) else { return false }
            comesBack(host, lasts / 4)
            if oneIn(2) {
                // Nobody is left who knows what it lacks, but the floor.
                powerOff(1 - host)
                comesBack(1 - host, lasts + millis(1_500, 3_000))
            }
        case .bitFlip:
            guard flipBit(host) else { return false }
            comesBack(host, lasts)
        case .powerCut:
            powerOff(host)
            comesBack(host, lasts)
        case .bothDown:
            powerOff(0)
            powerOff(1)
            comesBack(host, lasts)
            comesBack(1 - host, lasts + millis(0, 2_000))
        case .matchdCrash: endMatchd(host)
        case .agentCrash: endAgent(host, after: lasts / 2)
        case .pauseHost: pause(host, until: until, matchd: true, agent: true)
        case .pauseMatchd: pause(host, until: until, matchd: true, agent: false)
        case .pauseAgent: pause(host, until: until, matchd: false, agent: true)
        case .hungDisk: machine_disk(Int32(host), least, most, until)
        case .slowDisk: machine_disk(Int32(host), 20 * Self.milli, 400 * Self.milli, 0)
        case .syncError:
            hosts[host].isFailing = true
            machine_disk_fails(Int32(host), EIO)
        case .diskFull:
            hosts[host].wasFull = true
            machine_disk_fails(Int32(host), ENOSPC)
        case .cutBoth: cut(0, 1)
        case .cutOneWay: cut(host)
        case .cutEtcd:
            etcd.isCutTo[host] = oneIn(2)
            etcd.isCutFrom[host] = true
        case .cutFromBoth:
            cut(0, 1)
            (etcd.isCutTo[host], etcd.isCutFrom[host]) = (true, true)
        case .reset: machine_reset_connections()
        case .slowLink: machine_delay(1_000_000, millis(50, 700))
        case .etcdDown: etcd.isDown = true
        case .clockJump: machine_set_clock(Int32(host), millis(-3_000, 3_000))
        case .switchover: hosts[primary()].agent?.hear(.verb(.switchover))
        case .operatorPause: hosts[host].agent?.hear(.verb(.pause))
        case .standbyRemove: hosts[primary()].agent?.hear(.verb(.standbyRemove))
        case .lateSwap, .doubledSwap, .lostAnswer, .staleRead, .tornWrite: break
        }
        return true
    }

    private func cut(_ hosts: Int...) {
        for host in hosts {
            machine_cut(Int32(host), 1)
            etcd.areAgentsCut[host] = true
        }
    }

    func comesBack(_ host: Int, _ after: Int64) {
        let token = hosts[host].token
        add(after: after) { if self.hosts[host].token == token { self.powerOn(host) } }
    }

    private func pause(_ host: Int, until: Int64, matchd: Bool, agent: Bool) {
        if agent, let running = hosts[host].agent {
            hosts[host].agentPausedUntil = until
            machine_pause(running.process, until)
        }
        if matchd, let process = hosts[host].process {
            hosts[host].matchdPausedUntil = until
            machine_pause(process, until)
        }
    }
}
