// Two hosts, an etcd and a network around the real failover core, under one seeded clock.

import Failover
import Terms

/// One host.
struct SimulatedHost {
    let name: HostName
    var disk: SimulatedDisk
    var isOldImage = false
    var isUp = true
    var matchd: SimulatedMatchd?
    var core: FailoverCore?
    /// Counts the agents, so that nothing for an earlier one reaches a later.
    var agent = 0
    var processes: UInt64 = 0
    var token = 0
    /// Until when matchd, the agent, the disk stand still.
    var matchdPausedUntil: Int64 = 0
    var agentPausedUntil: Int64 = 0
    var hungUntil: Int64 = 0
    /// The etcd requests that wait, and their number.
    var waiting: Set<Int> = []
    var requests = 0
    var lastExplanation = FailoverExplanation.recovering
}

/// A place where a crash may be put.
enum SimulationStep: Int, CaseIterable {
    case order, swapSent, swapApplied, answered, cut, notice
}

/// The world of one seed.
final class Simulation {
    static let milli: Int64 = 1_000_000
    let seed: UInt64
    let broken: BrokenRule
    var timing = FailoverTiming()
    var random: SeededRandom
    private(set) var time: Int64 = 10_000 * milli
    private var agenda = SimulatedAgenda()
    var hosts: [SimulatedHost] = []
    var etcd: SimulatedEtcd
    var network = SimulatedNetwork()
    private(set) lazy var judge = SimulationJudge(self)
    var plan: SimulationPlan
    /// Records in a frame.
    var chunk: Int
    private var commands: UInt32 = 0
    private var replicas: UInt64 = 0
    var isHealed = false
    var healedAt: Int64 = 0
    var isOver = false
    /// The highest floor that a primary sent while it was one.
    var floorDue: UInt64 = 0
    var isReopened = false
    /// The host that the operator forces.
    var forcing: Int?
    var fakePromise: (process: ProcessNumber, epoch: UInt32)?
    var transitions = [Int](repeating: 0, count: FailoverTransition.allCases.count)
    var faults = [Int](repeating: 0, count: SimulatedFault.allCases.count)
    var trace: ((String) -> Void)?

    var now: BootTime { BootTime(nanos: time) }

    /// A pair at work with one fault, to measure.
    convenience init(seed: UInt64, only kind: SimulatedFault, onStandby: Bool) {
        self.init(seed: seed)
        plan = SimulationPlan(only: kind, onStandby: onStandby, &random)
        chunk = plan.chunk
    }

    init(seed: UInt64, broken: BrokenRule = .none) {
        self.seed = seed
        self.broken = broken
        random = SeededRandom(seed)
        plan = SimulationPlan(&random, broken)
        chunk = plan.chunk
        let names = [HostName("a"), HostName("b")]
        let ids = [ReplicaID(high: 0, low: 1), ReplicaID(high: 0, low: 2)]
        replicas = 2
        etcd = SimulatedEtcd(
            ClusterRecord(
                epoch: 1, primary: names[0],
                inSync: (0..<2).map { InSyncReplica(host: names[$0], replica: ids[$0]) },
                attempt: SwapAttempt(run: 0, number: 0)))
        // Quick successions of terms are seen more often where nobody waits for the other agent.
        if seed % 2 == 0 { timing.peerNanos = 0 }
        if broken == .claimWithinLease { timing.graceNanos = timing.leaseNanos / 2 }
        hosts = (0..<2).map {
            SimulatedHost(name: names[$0], disk: SimulatedDisk(replica: ids[$0]))
        }
    }

    // MARK: Scheduler

    func add(_ happening: SimulatedHappening, after nanos: Int64) {
        agenda.add(happening, at: time + max(0, nanos))
    }

    func note(_ fault: SimulatedFault) { faults[fault.rawValue] += 1 }

    /// Runs to the end; gives what was wrong.
    func run() -> String? {
        for host in 0..<2 {
            startAgent(host)
            startMatchd(host)
        }
        add(.load, after: 1)
        planFaults()
        var steps = 0
        while !isOver, judge.violation == nil, let (at, happening) = agenda.next() {
            time = at
            steps += 1
            if steps > 400_000 {
                judge.accuse("it never rests")
                break
            }
            take(happening)
        }
        return judge.violation
    }

    private func take(_ happening: SimulatedHappening) {
        switch happening {
        case .tick(let host, let agent):
            guard isAgent(host, agent) else { return }
            add(.tick(host, agent: agent), after: timing.beaconNanos)
            step(host, .tick)
        case .toAgent(let host, let agent, let event):
            guard isAgent(host, agent), !defers(happening, hosts[host].agentPausedUntil) else {
                return
            }
            step(host, event)
        case .toMatchd(let host, let agent, let order):
            guard let matchd = hosts[host].matchd, agent == hosts[host].agent else { return }
            let until = max(hosts[host].matchdPausedUntil, hosts[host].hungUntil)
            guard !defers(happening, until) else { return }
            matchd.obey(order)
            if hosts[host].matchd === matchd { _ = crashes(host, at: .order) }
        case .report(let host, let process):
            guard let matchd = self.process(host, process),
                !defers(happening, hosts[host].matchdPausedUntil)
            else { return }
            if !matchd.isReportDue { add(happening, after: timing.beaconNanos) }
            matchd.isReportDue = false
            deliverReport(host, matchd)
        case .beacon(let host, let process):
            guard let matchd = self.process(host, process),
                !defers(happening, hosts[host].matchdPausedUntil)
            else { return }
            matchd.beacon()
        case .synced(let host, let process, let upTo, let cuts):
            guard let matchd = self.process(host, process),
                !defers(happening, max(hosts[host].matchdPausedUntil, hosts[host].hungUntil))
            else { return }
            matchd.synced(upTo: upTo, cuts: cuts)
        case .frame(let host, let frame):
            guard hosts[host].isUp, let matchd = hosts[host].matchd,
                !defers(happening, hosts[host].matchdPausedUntil)
            else { return }
            deliver(frame, to: matchd)
        case .notice(let host, let epoch):
            guard hosts[host].core != nil, !defers(happening, hosts[host].agentPausedUntil) else {
                return
            }
            step(host, .peerReaped(epoch: epoch))
        case .agentsMeet(let host, let agent): agentsMeet(host, agent)
        case .arrives(let from, let agent, let id, let request):
            serve(request, from: from, agent: agent, id: id)
        case .answers(let host, let agent, let id, let event):
            guard isAgent(host, agent), !defers(happening, hosts[host].agentPausedUntil) else {
                return
            }
            hosts[host].waiting.remove(id)
            if crashes(host, at: .answered), !isAgent(host, agent) { return }
            hear(host, event)
        case .timesOut(let host, let agent, let id, let event):
            guard isAgent(host, agent), !defers(happening, hosts[host].agentPausedUntil),
                hosts[host].waiting.remove(id) != nil
            else { return }
            hear(host, event)
        case .startMatchd(let host, let token):
            if token == hosts[host].token { startMatchd(host) }
        case .startAgent(let host, let token):
            if token == hosts[host].token { startAgent(host) }
        case .powerOn(let host, let token):
            if token == hosts[host].token { powerOn(host) }
        case .load: load()
        case .fault(let index): inject(plan.faults[index])
        case .heal: heal()
        case .operate: operate()
        }
    }

    private func defers(_ happening: SimulatedHappening, _ until: Int64) -> Bool {
        guard until > time else { return false }
        agenda.add(happening, at: until)
        return true
    }

    private func isAgent(_ host: Int, _ agent: Int) -> Bool {
        hosts[host].agent == agent && hosts[host].core != nil
    }

    private func process(_ host: Int, _ number: UInt64) -> SimulatedMatchd? {
        guard let matchd = hosts[host].matchd, matchd.process.number == number else { return nil }
        return matchd
    }

    func newReplica() -> ReplicaID {
        replicas += 1
        return ReplicaID(high: 0, low: replicas)
    }

    // MARK: Processes

    func startMatchd(_ host: Int) {
        guard hosts[host].isUp, hosts[host].matchd == nil else { return }
        hosts[host].processes += 1
        let process = ProcessNumber(hosts[host].processes)
        let matchd = SimulatedMatchd(host: host, process: process, world: self)
        if broken == .resumeEpoch, let epoch = hosts[host].disk.records.last?.epoch,
            etcd.record.primary == hosts[host].name, etcd.record.epoch == epoch
        {
            resume(matchd, epoch)
        }
        hosts[host].matchd = matchd
        judge.checkSet()
        add(.report(host, process: process.number), after: 0)
    }

    /// Variant: a process goes on in an epoch that it did not claim.
    private func resume(_ matchd: SimulatedMatchd, _ epoch: UInt32) {
        let peer = hosts[1 - matchd.host].name
        matchd.state = .leading
        matchd.epoch = epoch
        matchd.gate.begin(epoch: epoch, requiring: etcd.record.replica(of: peer))
        matchd.epochStart = 1
        matchd.isLinkOpen = true
        add(.beacon(matchd.host, process: matchd.process.number), after: 1)
    }

    func endMatchd(_ host: Int, restarts: Bool) {
        guard let matchd = hosts[host].matchd else { return }
        hosts[host].matchd = nil
        hosts[host].matchdPausedUntil = 0
        if hosts[host].core != nil {
            add(
                .toAgent(host, agent: hosts[host].agent, .reaped(matchd.process)),
                after: Self.milli)
        }
        if restarts {
            let after = random.millis(20, plan.restartMillisMax)
            add(.startMatchd(host, token: hosts[host].token), after: after)
        }
    }

    func startAgent(_ host: Int) {
        guard hosts[host].isUp, hosts[host].core == nil else { return }
        hosts[host].agent += 1
        hosts[host].waiting = []
        let settings = FailoverSettings(
            host: hosts[host].name, peer: hosts[1 - host].name, timing: timing)
        hosts[host].core = FailoverCore(settings, run: random.next())
        add(.tick(host, agent: hosts[host].agent), after: 0)
        add(.agentsMeet(host, agent: hosts[host].agent), after: random.millis(10, 300))
    }

    private func agentsMeet(_ host: Int, _ agent: Int) {
        guard isAgent(host, agent) else { return }
        guard hosts[1 - host].core != nil, network.isCut == [false, false] else {
            return add(.agentsMeet(host, agent: agent), after: 250 * Self.milli)
        }
        for end in [host, 1 - host] { step(end, .peerReported(cluster: 0, epoch: 0)) }
    }

    func endAgent(_ host: Int, after: Int64) {
        hosts[host].core = nil
        add(.startAgent(host, token: hosts[host].token), after: after)
    }

    func powerOff(_ host: Int) {
        guard hosts[host].isUp else { return }
        hosts[host].isUp = false
        hosts[host].token += 1
        hosts[host].core = nil
        hosts[host].matchd = nil
        hosts[host].agentPausedUntil = 0
        hosts[host].matchdPausedUntil = 0
        hosts[host].hungUntil = 0
        let disk = hosts[host].disk
        let lost = random.below(disk.records.count - disk.durable + 1)
        hosts[host].disk.records.removeLast(lost)
        judge.checkSet()
    }

    func powerOn(_ host: Int) {
        guard !hosts[host].isUp else { return }
        hosts[host].isUp = true
        startAgent(host)
        startMatchd(host)
    }

    /// Perhaps something crashes here.
    func crashes(_ host: Int, at step: SimulationStep) -> Bool {
        guard !isHealed, plan.crashStep == step, random.oneIn(plan.crashOneIn) else { return false }
        note(.crashInStep)
        trace?("crash at \(step) of \(hosts[host].name)")
        switch random.below(3) {
        case 0: endMatchd(host, restarts: true)
        case 1: endAgent(host, after: random.millis(20, 1_000))
        default:
            powerOff(host)
            add(.powerOn(host, token: hosts[host].token), after: random.millis(200, 2_500))
        }
        return true
    }

    // MARK: The agent around the core

    func reportSoon(_ host: Int) {
        guard let matchd = hosts[host].matchd, !matchd.isReportDue else { return }
        matchd.isReportDue = true
        add(.report(host, process: matchd.process.number), after: 300_000)
    }

    private func deliverReport(_ host: Int, _ matchd: SimulatedMatchd) {
        guard hosts[host].core != nil else { return }
        var report = matchd.report()
        if let fake = fakePromise, fake.process == matchd.process {
            (report.state, report.promise) = (.promised, fake.epoch)
        }
        add(.toAgent(host, agent: hosts[host].agent, .reported(report)), after: 200_000)
    }

    /// Steps the core, and carries out its effects in their order.
    func step(_ host: Int, _ event: FailoverEvent) {
        guard hosts[host].core != nil, time >= hosts[host].agentPausedUntil else { return }
        let effects = hosts[host].core!.step(event, at: now)
        for transition in effects.transitions {
            transitions[FailoverTransition.index[transition]!] += 1
            if case .lost = transition { fakePromise = nil }
        }
        if let trace, effects.explanation != hosts[host].lastExplanation {
            hosts[host].lastExplanation = effects.explanation
            trace("\(hosts[host].name): \(effects.explanation) \(effects.transitions)")
        }
        let agent = hosts[host].agent
        for order in effects.orders { send(order, host) }
        if let epoch = effects.reapedEpoch, network.passes(host, &random) {
            add(.notice(to: 1 - host, epoch: epoch), after: random.micros(100, 1_000))
            if crashes(host, at: .notice), !isAgent(host, agent) { return }
        }
        if let swap = effects.swap {
            if broken == .neverRemove, swap.purpose == .remove {
                let unknown = FailoverEvent.swapAnswered(swap.value.attempt, .unknown)
                add(.toAgent(host, agent: agent, unknown), after: Self.milli)
            } else {
                request(.swap(swap), host)
            }
            if crashes(host, at: .swapSent), !isAgent(host, agent) { return }
        }
        if let floor = effects.floor {
            if floor.compared == etcd.record { floorDue = max(floorDue, floor.sequence) }
            let isDropped =
                broken == .floorOnlyAlone
                && etcd.record.inSync.count == 2
            if isDropped {
                add(.toAgent(host, agent: agent, .floorAnswered(.unknown)), after: Self.milli)
            } else {
                request(.floor(floor), host)
            }
        }
        if let read = effects.read { request(.read(read), host) }
        if let epoch = effects.reconcilesWallet {
            add(
                .toAgent(host, agent: agent, .walletReconciled(epoch: epoch)),
                after: random.millis(1, 20))
        }
        if let order = effects.opensLink { send(order, host) }
    }

    private func send(_ order: MatchdOrder, _ host: Int) {
        add(.toMatchd(host, agent: hosts[host].agent, order), after: 200_000)
    }

    /// A definite answer, or none, reaches the agent; broken rules misread it.
    private func hear(_ host: Int, _ event: FailoverEvent) {
        switch event {
        case .swapAnswered(let attempt, .unknown):
            let purpose = hosts[host].core!.swapUnderWay(attempt)?.purpose
            let isMisread =
                broken == .removalUnknownIsDone && purpose == .remove
                || broken == .claimUnknownIsDone && purpose == .claim
            if isMisread {
                return step(host, .swapAnswered(attempt, .done))
            }
            if broken == .addUnknownIsNotDone, purpose == .add,
                let compared = hosts[host].core!.view.record
            {
                step(host, .swapAnswered(attempt, .notDone(compared)))
                if let matchd = hosts[host].matchd, matchd.isPrimary {
                    matchd.gate.require(nil)
                }
                return
            }
        case .recordRead(let reading):
            return step(host, .recordRead(bend(reading, host)))
        default: break
        }
        step(host, event)
    }

    /// Broken rules about readings.
    private func bend(_ reading: RecordReading, _ host: Int) -> RecordReading {
        guard let record = reading.record else { return reading }
        if broken == .claimNotInSet, record.replica(of: hosts[host].name) == nil {
            let own = InSyncReplica(host: hosts[host].name, replica: hosts[host].disk.replica)
            let bent = ClusterRecord(
                epoch: record.epoch, primary: record.primary, inSync: record.inSync + [own],
                attempt: record.attempt, forced: record.forced)
            return RecordReading(number: reading.number, record: bent, floor: reading.floor)
        }
        if broken == .staleReadTakesRole, record.primary == hosts[host].name,
            let matchd = hosts[host].matchd, matchd.isFollowing || matchd.state == .promised,
            record.epoch >= matchd.keeper.least, record.epoch > matchd.gate.epoch
        {
            resume(matchd, record.epoch)
        }
        return reading
    }

    // MARK: etcd

    private func request(_ request: SimulatedRequest, _ host: Int) {
        hosts[host].requests += 1
        let (id, agent) = (hosts[host].requests, hosts[host].agent)
        hosts[host].waiting.insert(id)
        if network.reachesEtcd(host, &random) {
            let late = random.oneIn(plan.lateOneIn) && !isHealed
            let after = late ? random.millis(100, 3_000) : random.micros(500, 3_000)
            add(.arrives(from: host, agent: agent, id: id, request), after: after)
            if late { note(.lateSwap) }
            if random.oneIn(plan.doubleOneIn), !isHealed {
                let again = after + random.millis(0, 1_500)
                add(.arrives(from: host, agent: agent, id: id, request), after: again)
                note(.doubledSwap)
            }
        }
        let unknown: FailoverEvent =
            switch request {
            case .swap(let swap): .swapAnswered(swap.value.attempt, .unknown)
            case .floor: .floorAnswered(.unknown)
            case .read(let read): .readFailed(number: read.number)
            }
        add(.timesOut(host, agent: agent, id: id, unknown), after: 300 * Self.milli)
    }

    private func serve(_ request: SimulatedRequest, from: Int, agent: Int, id: Int) {
        guard !etcd.isDown else { return }
        let answer: FailoverEvent
        switch request {
        case .swap(let swap):
            let (result, changed) = etcd.swap(swap, broken)
            answer = .swapAnswered(swap.value.attempt, result)
            if changed {
                if let floor = swap.floor {
                    floorDue = floor
                    judge.giveUp(from)
                }
                trace?("etcd: \(swap.purpose) by \(hosts[from].name), epoch \(swap.value.epoch)")
                judge.checkSet()
                _ = crashes(from, at: .swapApplied)
            }
        case .floor(let floor): answer = .floorAnswered(etcd.put(floor, broken))
        case .read(let read):
            var record = etcd.record
            if !read.mustWrite, random.oneIn(plan.staleOneIn), !isHealed, let old = etcd.past.last {
                record = old
                note(.staleRead)
            }
            let reading = RecordReading(number: read.number, record: record, floor: etcd.floor)
            answer = .recordRead(reading)
        }
        if random.oneIn(plan.lostAnswerOneIn), !isHealed { return note(.lostAnswer) }
        guard network.hearsEtcd(from, &random) else { return }
        let late = random.oneIn(plan.lateOneIn) && !isHealed
        add(
            .answers(to: from, agent: agent, id: id, answer),
            after: late ? random.millis(100, 2_000) : random.micros(500, 3_000))
    }

    // MARK: Network

    func send(_ frame: SimulatedFrame, from host: Int) {
        if network.passes(host, &random) {
            let at = network.arrival(from: host, at: time, &random)
            agenda.add(.frame(to: 1 - host, frame), at: at)
        } else if !plan.holdsFrames || !random.oneIn(8) {
            return
        }
        // A copy, or what a cut held up, comes late.
        if random.oneIn(network.doubleOneIn) || network.isCut[host] {
            let later = random.oneIn(3) ? random.millis(500, 3_000) : random.millis(0, 200)
            add(.frame(to: 1 - host, frame), after: later)
        }
    }

    private func deliver(_ frame: SimulatedFrame, to matchd: SimulatedMatchd) {
        switch frame {
        case .beacon(let epoch, let sentAt, let hasProgress, let commit, let sealedEnd):
            matchd.takeBeacon(
                epoch: epoch, sentAt: sentAt, hasProgress: hasProgress, commit: commit,
                sealedEnd: sealedEnd)
        case .echo(let epoch, let sentAt, let isEcho, let new, let offer):
            matchd.takeEcho(epoch: epoch, sentAt: sentAt, isEcho: isEcho, new, offer: offer)
        case .append(let epoch, let from, let before, let records, let commit, let start, let f):
            matchd.takeAppend(
                epoch: epoch, from: from, before: before, records, commit: commit, start: start, f)
        case .appended(let acknowledgement): matchd.takeAcknowledgement(acknowledgement)
        case .refuse(let promise, let replica, let process):
            matchd.takeRefusal(promise: promise, replica: replica, process: process)
        }
    }

    // MARK: Clients

    private func load() {
        add(.load, after: random.micros(plan.loadMicros / 2, plan.loadMicros * 3 / 2))
        for host in 0..<2 {
            guard let matchd = hosts[host].matchd, matchd.state == .leading, matchd.isLinkOpen,
                !matchd.isIntakeHeld, matchd.holdsLease, time >= hosts[host].matchdPausedUntil
            else { continue }
            commands += 1
            matchd.append(commands)
        }
    }
}

extension FailoverTransition {
    static let index = Dictionary(
        uniqueKeysWithValues: allCases.enumerated().map { ($0.element, $0.offset) })
}
