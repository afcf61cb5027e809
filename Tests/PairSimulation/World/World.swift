// Two hosts, their agents, etcd and clients, under the machine's one seeded scheduler.

import CMachine
import Failover
import Journal
import Platform
import Terms
import Wire

/// One host.
struct SimulatedHost {
    let name: HostName
    var isUp = true
    /// The machine's process that is matchd; nil: none runs.
    var process: Int32?
    var matchd: MatchdProcess?
    var agent: Agent?
    /// Counts up where the power went, so that nothing of before comes after.
    var token = 0
    /// Until when matchd and the agent stand still.
    var matchdPausedUntil: Int64 = 0
    var agentPausedUntil: Int64 = 0
    var isFailing = false
    /// Its disk was full, or is.
    var wasFull = false
    /// The replica of an old image that was put back, until the record shows that it was noticed.
    var imaged: ReplicaID?
    /// A record of its journal is damaged.
    var isFlipped = false
    /// Starts that failed, one after the other.
    var startFailures = 0
    /// Starts until the next release is installed, and the rules that the one there is knows.
    var startsBeforeUpgrade: UInt64 = 0
    var rules = SetRules.current
    static let nextRules = SetRules.current + 1
}

/// The world of one seed.
final class World {
    static let milli: Int64 = 1_000_000
    let seed: UInt64
    let root: String
    let plan: Plan
    var timing = FailoverTiming()
    var hosts: [SimulatedHost]
    var etcd: SimulatedEtcd
    let judge = Judge()
    let client = Client()
    var isTraced = false
    var isHealed = false
    var isDraining = false
    /// An operator forces a failover: what is off stays off.
    var isForcing = false
    /// The first record of the journal.
    private(set) var firstRecord: [UInt8] = []
    private(set) var isOver = false
    private(set) var healedAt: Int64 = 0
    private var drainedAt: Int64?
    private var hasLingered = false
    private var calmSince: Int64?
    private var processes: Int32 = 10
    private var agenda = Agenda()
    private let began: Int64
    var faults = [Int](repeating: 0, count: FaultKind.allCases.count)
    var transitions = [Int](repeating: 0, count: FailoverTransition.allCases.count)

    static let transitionIndex = Dictionary(
        uniqueKeysWithValues: FailoverTransition.allCases.enumerated().map {
            ($0.element, $0.offset)
        })

    init(seed: UInt64, root: String) {
        (self.seed, self.root) = (seed, root)
        began = machine_now()
        plan = Plan()
        hosts = ["a", "b"].map { SimulatedHost(name: HostName($0)) }
        for host in hosts.indices {
            hosts[host].startsBeforeUpgrade = seed / (host == 0 ? 1 : 5) % 5
        }
        etcd = SimulatedEtcd()
    }

    func places(_ host: Int) -> HostPlaces { HostPlaces(directory: "\(root)/\(host)") }
    var now: Int64 { machine_now() }

    func trace(_ line: @autoclosure () -> String) {
        guard isTraced else { return }
        print("\((now - began) / 1_000) us  \(line())")
    }

    func note(_ fault: FaultKind) { faults[fault.rawValue] += 1 }

    func finish() {
        isOver = true
        machine_end()
        machine_alarm(now)
    }

    // MARK: Time

    func add(after nanos: Int64, _ body: @escaping () -> Void) {
        agenda.add(at: now + max(0, nanos), body)
        machine_alarm(now + max(0, nanos))
    }

    /// The world's own thread.
    func run() {
        setUp()
        machine_spawn(1, 2, { _ in world.client.run() }, nil)
        machine_spawn(2, 2, { _ in Viewer(0).run() }, nil)
        machine_spawn(3, 2, { _ in Viewer(1).run() }, nil)
        for host in 0..<2 {
            startAgent(host)
            startMatchd(host)
        }
        planFaults()
        while !isOver {
            guard let at = agenda.nextAt else { break }
            if at > now { machine_sleep_until(at) } else { agenda.take()() }
        }
    }

    /// Begins one journal on both hosts.
    private func setUp() {
        do {
            var replicas: [ReplicaID] = []
            for host in 0..<2 {
                let places = places(host)
                try makeDirectories(host)
                let snapshots = SnapshotStore(directory: places.snapshots)
                if host == 0 {
                    _ = try Journal.begin(
                        places.place, limits: .small, snapshots: snapshots,
                        options: HostPlaces.options)
                    firstRecord = try Journal.firstRecord(places.journal)
                } else {
                    _ = try Journal.begin(
                        places.place, copying: firstRecord, snapshots: snapshots,
                        options: HostPlaces.options)
                }
                guard let file = try ReplicaFile(places.place.replicaFile) else { return }
                replicas.append(file.replica)
            }
            etcd.record = ClusterRecord(
                epoch: 1, primary: hosts[0].name,
                inSync: (0..<2).map { InSyncReplica(host: hosts[$0].name, replica: replicas[$0]) },
                attempt: SwapAttempt(run: 0, number: 0))
        } catch { judge.accuse("no journal could be begun: \(error)") }
    }

    func makeDirectories(_ host: Int) throws {
        let places = places(host)
        for path in [places.directory, places.journal, places.snapshots, places.runtime] {
            try Directory.create(path)
        }
    }

    // MARK: Processes

    func startMatchd(_ host: Int) {
        guard hosts[host].isUp, hosts[host].process == nil, !isOver else { return }
        processes += 1
        let process = processes
        hosts[host].process = process
        if hosts[host].startsBeforeUpgrade > 0 {
            hosts[host].startsBeforeUpgrade -= 1
        } else {
            hosts[host].rules = SimulatedHost.nextRules
        }
        let context = UnsafeMutableRawPointer(bitPattern: host + 1)
        machine_spawn(
            process, Int32(host),
            { context in
                let host = Int(bitPattern: context) - 1
                let process = machine_process()
                do {
                    let matchd = try MatchdProcess(world.places(host), host: host) { reason in
                        world.ended(host, process, reason)
                    }
                    world.hosts[host].startFailures = 0
                    world.hosts[host].matchd = matchd
                } catch { world.ended(host, process, "it cannot start: \(error)") }
            }, context)
    }

    /// A process ends by itself.
    func ended(_ host: Int, _ process: Int32, _ reason: String) -> Never {
        trace("\(hosts[host].name): \(reason)")
        if hosts[host].process == process {
            if reason.hasPrefix("it cannot start") {
                let isExpected =
                    hosts[host].isFailing || hosts[host].isFlipped
                    || hosts[host].wasFull && !isHealed
                hosts[host].startFailures = isExpected ? 0 : hosts[host].startFailures + 1
                if hosts[host].startFailures > 20, !isExpected {
                    judge.accuse("matchd of \(hosts[host].name) does not start: \(reason)")
                }
                if hosts[host].isFlipped {
                    let token = hosts[host].token
                    add(after: millis(0, 500)) { self.joinAnew(host, token) }
                }
            } else if reason.hasPrefix("fault"), !hosts[host].isFailing {
                judge.accuse("matchd of \(hosts[host].name) has a fault: \(reason)")
            }
            endMatchd(host, kills: false)
        }
        machine_kill(process)
        preconditionFailure("a process that ended goes on")
    }

    /// An operator has a host whose journal is damaged join anew.
    private func joinAnew(_ host: Int, _ token: Int) {
        guard hosts[host].token == token, hosts[host].isFlipped else { return }
        if wipe(host) { return powerOn(host) }
        add(after: 200 * Self.milli) { self.joinAnew(host, token) }
    }

    func endMatchd(_ host: Int, kills: Bool = true, restarts: Bool = true) {
        guard let process = hosts[host].process else { return }
        hosts[host].process = nil
        hosts[host].matchdPausedUntil = 0
        let number = hosts[host].matchd?.number
        hosts[host].matchd = nil
        if let agent = hosts[host].agent, let number {
            add(after: Self.milli) { agent.hear(.reaped(number)) }
        }
        if restarts {
            let token = hosts[host].token
            add(after: millis(20, plan.restartMillisMax)) {
                if self.hosts[host].token == token { self.startMatchd(host) }
            }
        }
        if kills { machine_kill(process) }
    }

    func startAgent(_ host: Int) {
        guard hosts[host].isUp, hosts[host].agent == nil else { return }
        processes += 1
        hosts[host].agent = Agent(host, process: processes)
    }

    func endAgent(_ host: Int, after: Int64) {
        guard let agent = hosts[host].agent else { return }
        hosts[host].agent = nil
        hosts[host].agentPausedUntil = 0
        agent.end()
        let token = hosts[host].token
        add(after: after) { if self.hosts[host].token == token { self.startAgent(host) } }
    }

    func powerOff(_ host: Int) {
        guard hosts[host].isUp else { return }
        hosts[host].isUp = false
        hosts[host].token += 1
        hosts[host].agent?.end()
        (hosts[host].agent, hosts[host].matchd, hosts[host].process) = (nil, nil, nil)
        (hosts[host].matchdPausedUntil, hosts[host].agentPausedUntil) = (0, 0)
        machine_power_cut(Int32(host))
        machine_disk(Int32(host), plan.syncNanos.least, plan.syncNanos.most, 0)
        // What is in memory only is gone.
        let runtime = places(host).runtime
        for name in (try? Directory.names(in: runtime)) ?? [] {
            try? Directory.remove(runtime + "/" + name)
        }
    }

    func powerOn(_ host: Int) {
        guard !hosts[host].isUp else { return }
        hosts[host].isUp = true
        if hosts[host].isFailing {
            hosts[host].isFailing = false
            machine_disk_fails(Int32(host), 0)
            clearFault(host)
        }
        startAgent(host)
        startMatchd(host)
    }

    /// An operator has replaced what failed.
    private func clearFault(_ host: Int) {
        for path in places(host).place.faultFiles where Directory.exists(path) {
            try? Directory.remove(path)
        }
    }

    func millis(_ least: Int, _ most: Int) -> Int64 { between(least, most) * Self.milli }

    func between(_ least: Int, _ most: Int) -> Int64 {
        Int64(least) + Int64(machine_random() % UInt64(max(1, most - least + 1)))
    }

    func below(_ n: Int) -> Int { Int(machine_random() % UInt64(n)) }

    func oneIn(_ n: Int) -> Bool { n > 0 && machine_random() % UInt64(n) == 0 }

    // MARK: The end

    func heal() {
        trace("healed")
        isHealed = true
        healedAt = now
        for host in 0..<2 {
            machine_cut(Int32(host), 0)
            (etcd.isCutFrom[host], etcd.isCutTo[host]) = (false, false)
            if hosts[host].isFailing { powerOff(host) }
            machine_disk_fails(Int32(host), 0)
            machine_disk(Int32(host), 100_000, 2_000_000, 0)
            powerOn(host)
        }
        machine_delay(100_000, 300_000)
        etcd.isDown = false
        judge.countFromHere()
        operate()
    }

    /// One fault lasts: after half of it trading has long gone on.
    private func linger(_ kind: FaultKind) {
        hasLingered = true
        note(kind)
        // A primary without space takes cancels only, by HA.md.
        _ = apply(kind, kind == .diskFull ? 1 - primary() : below(2), Plan.lingeringNanos)
        add(after: Plan.lingeringNanos / 2) { self.judge.countFromHere() }
        add(after: Plan.lingeringNanos) {
            if self.judge.acknowledgedSince < 3 {
                self.judge.accuse("nothing is acknowledged while this lasts: \(kind)")
            }
            self.heal()
        }
    }

    /// What operators do when all is well again, and whether it is.
    private func operate() {
        let since = now - healedAt
        for host in 0..<2 {
            hosts[host].agent?.hear(.verb(.resume))
            hosts[host].agent?.hear(.verb(.standbyAdd))
        }
        if !isDraining, etcd.record.inSync.count == 2, judge.acknowledgedSince >= 5 {
            if let kind = plan.lingering, !hasLingered {
                let calm = calmSince ?? now
                calmSince = calm
                // Slow bytes have come: else the standby is removed before its primary fails.
                if now - calm > 1_000 * Self.milli { return linger(kind) }
            } else {
                isDraining = true
            }
        } else {
            calmSince = nil
        }
        if isDraining, client.inFlight == 0, etcd.record.inSync.count == 2 {
            drainedAt = drainedAt ?? now
            // Long enough for the standby to have it all.
            if now - (drainedAt ?? now) > 400 * Self.milli { return finish() }
        } else {
            drainedAt = nil
        }
        if since > 15_000 * Self.milli {
            let why =
                judge.acknowledgedSince < 5
                ? "nothing is acknowledged"
                : etcd.record.inSync.count < 2
                    ? "not both are in sync" : "\(client.inFlight) commands are never answered"
            return judge.accuse("no progress after healing: \(why)")
        }
        add(after: 100 * Self.milli) { self.operate() }
    }
}

nonisolated(unsafe) var world: World! = nil
