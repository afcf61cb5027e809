// An agent: the failover core that ships, at the control socket of the matchd that ships.

import CMachine
import Control
import Failover
import Glibc
import Platform
import Terms

/// One run of an agent.
final class Agent {
    let host: Int
    let process: Int32
    private(set) var core: FailoverCore
    private var connection: Int32 = -1
    private var input: [UInt8] = []
    private(set) var state: MatchdState?
    private var isOver = false
    /// The host's disk is gone: what it sent to etcd goes with it.
    var isLost = false
    private var waiting: Set<Int> = []
    private var requests = 0
    private var ticks = 0
    private var explanation = FailoverExplanation.recovering
    /// Orders that matchd has not carried out: a new connection gets them again.
    private var sent: [MatchdOrder] = []

    init(_ host: Int, process: Int32) {
        (self.host, self.process) = (host, process)
        core = FailoverCore(
            FailoverSettings(
                host: world.hosts[host].name, peer: world.hosts[1 - host].name,
                timing: world.timing), run: machine_random())
        machine_spawn(
            process, Int32(host),
            { context in
                Unmanaged<Agent>.fromOpaque(context!).takeUnretainedValue().run()
            }, Unmanaged.passRetained(self).toOpaque())
        tick()
    }

    func end() {
        isOver = true
        machine_kill(process)
    }

    private func tick() {
        guard !isOver else { return }
        hear(.tick)
        if ticks % 5 == 0 { report() }
        ticks += 1
        world.add(after: world.timing.beaconNanos) { [self] in tick() }
    }

    /// To the other host's agent.
    private func report() {
        guard world.etcd.hostsReach(host), world.now >= world.hosts[host].agentPausedUntil else {
            return
        }
        world.add(after: world.between(100_000, 1_000_000)) { [host] in
            world.hosts[1 - host].agent?.hear(.peerReported(cluster: 0, epoch: 0))
        }
    }

    // MARK: The control socket

    private func run() {
        while true {
            if connection < 0 {
                let path = world.places(host).control
                connection = (try? UnixSocket.connect(path)) ?? -1
                input = []
                for order in sent where connection >= 0 { write(order) }
            }
            guard connection >= 0 else {
                Clock.sleep(nanos: 10 * World.milli)
                continue
            }
            guard TCPSocket.wait(connection, Int16(POLLIN), deadline: .max / 2) else { continue }
            var chunk = [UInt8](repeating: 0, count: 8_192)
            let count = recv(connection, &chunk, chunk.count, 0)
            if count <= 0 {
                if count < 0, errno == EAGAIN { continue }
                _ = close(connection)
                connection = -1
                Clock.sleep(nanos: World.milli)
                continue
            }
            input += chunk[..<count]
            while let end = input.firstIndex(of: 0x0A) {
                let report = ControlLine.json(input[..<end]).flatMap(MatchdReport.init(_:))
                input.removeSubrange(...end)
                guard let report else {
                    world.judge.accuse("matchd reports what is no report")
                    return
                }
                world.judge.reported(host, report)
                sent.removeAll {
                    $0.process != report.process
                        || $0.run == report.ordersRun && $0.number <= report.ordersDone
                }
                if report.state != state {
                    state = report.state
                    world.trace(
                        "matchd of \(world.hosts[host].name): \(report.state)"
                            + ", epoch \(report.epoch), promise \(report.promise)"
                            + ", end \(report.end) of \(report.endEpoch),"
                            + " released \(report.commitPoint)")
                }
                hear(.reported(report))
            }
        }
    }

    private func write(_ order: MatchdOrder) {
        let bytes = Array("\(order.json.compact)\n".utf8)
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func send(_ order: MatchdOrder) {
        sent.append(order)
        if connection >= 0 { write(order) }
    }

    // MARK: The core

    /// Something happens, now or when this agent goes on.
    func hear(_ event: FailoverEvent) {
        guard !isOver, !world.isOver else { return }
        let until = world.hosts[host].agentPausedUntil
        guard world.now >= until else {
            if event == .tick { return }
            return world.add(after: until - world.now) { [self] in hear(event) }
        }
        step(event)
    }

    private func step(_ event: FailoverEvent) {
        let effects = core.step(event, at: BootTime(nanos: world.now))
        for transition in effects.transitions {
            world.transitions[World.transitionIndex[transition]!] += 1
        }
        if effects.explanation != explanation {
            explanation = effects.explanation
            world.trace("agent \(world.hosts[host].name): \(explanation)")
        }
        for order in effects.orders { send(order) }
        if let epoch = effects.reapedEpoch, world.etcd.hostsReach(host) {
            world.add(after: world.between(100_000, 1_000_000)) { [host] in
                world.hosts[1 - host].agent?.hear(.peerReaped(epoch: epoch))
            }
        }
        if let swap = effects.swap { request(.swap(swap)) }
        if let floor = effects.floor { request(.floor(floor)) }
        if let read = effects.read { request(.read(read)) }
        if let epoch = effects.reconcilesWallet {
            world.add(after: world.millis(1, 20)) { [self] in
                hear(.walletReconciled(epoch: epoch))
            }
        }
        if let order = effects.opensLink { send(order) }
    }

    // MARK: etcd

    private func request(_ request: EtcdRequest) {
        requests += 1
        let id = requests
        waiting.insert(id)
        let plan = world.plan
        if !world.etcd.isCutTo[host] {
            let late = world.oneIn(plan.lateOneIn) && !world.isHealed
            let after = late ? world.millis(100, 3_000) : world.between(500_000, 3_000_000)
            if late { world.note(.lateSwap) }
            world.add(after: after) { [self] in arrives(request, id) }
            if world.oneIn(plan.doubleOneIn), !world.isHealed {
                world.note(.doubledSwap)
                world.add(after: after + world.millis(0, 1_500)) { [self] in
                    arrives(request, id)
                }
            }
        }
        let unknown: FailoverEvent =
            switch request {
            case .swap(let swap): .swapAnswered(swap.value.attempt, .unknown)
            case .floor: .floorAnswered(.unknown)
            case .read(let read): .readFailed(number: read.number)
            }
        world.add(after: 300 * World.milli) { [self] in
            if waiting.remove(id) != nil { hear(unknown) }
        }
    }

    private func arrives(_ request: EtcdRequest, _ id: Int) {
        guard !isLost, let answer = world.etcd.serve(request) else { return }
        if case .swapAnswered(_, .done) = answer { world.judge.recordChanged() }
        if world.oneIn(world.plan.lostAnswerOneIn), !world.isHealed {
            return world.note(.lostAnswer)
        }
        guard !world.etcd.isCutFrom[host] else { return }
        let late = world.oneIn(world.plan.lateOneIn) && !world.isHealed
        world.add(after: late ? world.millis(100, 2_000) : world.between(500_000, 3_000_000)) {
            [self] in
            if waiting.remove(id) != nil { hear(answer) }
        }
    }
}
