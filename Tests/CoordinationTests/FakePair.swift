// Two hosts whose matchds do what orders say on journals that are two numbers, with a link between
// them that can be cut. What the shells around them do is real, and so is etcd.

import Coordination
import Failover
import Platform
import Synchronization
import Terms

/// One host with its matchd.
final class FakeHost: FailoverHost {
    struct State {
        var report: MatchdReport?
        var shell: FailoverShell?
        /// The peer's shell, while messages reach the peer's agent.
        var peerShell: FailoverShell?
        var hasAddress = false
        /// What was asked of this host, in order, as words.
        var calls: [String] = []
        var changes: [FailoverChange] = []
        /// When the newest echo of this term came.
        var echoedAt: BootTime?
        var isWalletStuck = false
    }

    let name: HostName
    let replica: ReplicaID
    let state: Mutex<State>

    init(_ name: String, replica: UInt64) {
        self.name = HostName(name)
        self.replica = ReplicaID(high: 0, low: replica)
        state = Mutex(State())
    }

    var calls: [String] { state.withLock { $0.calls } }
    var report: MatchdReport? { state.withLock { $0.report } }
    var transitions: [FailoverTransition] { state.withLock { $0.changes.map(\.transition) } }
    var inSync: InSyncReplica { InSyncReplica(host: name, replica: replica) }

    /// Whether its matchd leads with the Link open.
    var isOpen: Bool { report.map { $0.state == .leading && $0.isLinkOpen } ?? false }

    /// A process recovers its journal, of `end` records.
    func startMatchd(_ process: UInt64, end: UInt64, epoch: UInt32 = 1) {
        state.withLock { state in
            state.report = MatchdReport(
                process: ProcessNumber(process), replica: replica, promise: epoch, end: end,
                endEpoch: epoch, durable: end, commitPoint: end)
        }
    }

    func crashMatchd() {
        let (shell, ended) = state.withLock { state in
            defer { state.report = nil }
            return (state.shell, state.report?.process)
        }
        if let ended { shell?.take(.reaped(ended)) }
    }

    /// An operator's verb.
    func obey(_ verb: FailoverVerb) async -> VerbRefusal? {
        let shell = state.withLock { $0.shell }
        return await shell?.obey(verb)
    }

    // MARK: FailoverHost

    func dropAddress() { call("drop address") { $0.hasAddress = false } }
    func leaveAddress() { call("leave address") { $0.hasAddress = false } }

    func takeAddress() { call("take address") { $0.hasAddress = true } }

    func reportReaped(epoch: UInt32) {
        call("report reaped \(epoch)") { $0.peerShell?.take(.peerReaped(epoch: epoch)) }
    }

    func log(_ change: FailoverChange) { state.withLock { $0.changes.append(change) } }

    func reconcileWallet(epoch: UInt32) async {
        call("reconcile wallet \(epoch)") { _ in }
        while state.withLock({ $0.isWalletStuck }) { try? await Task.sleep(for: .milliseconds(10)) }
    }

    func send(_ order: MatchdOrder) {
        call(order.action.word) { state in
            guard let report = state.report, order.binds(report.process, epoch: report.promise)
            else {
                return
            }
            state.report = report.obeying(order)
            if case .lead = order.action { state.echoedAt = nil }
        }
    }

    private func call(_ what: String, _ change: (inout State) -> Void) {
        state.withLock { state in
            state.calls.append(what)
            change(&state)
        }
    }
}

/// Both hosts and the link between them.
final class FakePair: Sendable {
    let hosts = [FakeHost("a", replica: 1), FakeHost("b", replica: 2)]
    private let isLinked = Mutex(true)
    private let isOver = Mutex(false)

    /// Begins to replicate and to report, each 10 ms.
    func run() {
        Task.detached { [self] in
            while !isOver.withLock({ $0 }) {
                turn()
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    func stop() async {
        isOver.withLock { $0 = true }
        for host in hosts { await host.state.withLock({ $0.shell })?.stop() }
    }

    func cutLink(_ isCut: Bool) { isLinked.withLock { $0 = !isCut } }

    private func turn() {
        let now = BootTime(nanos: Clock.monotonicNanos())
        for (index, host) in hosts.enumerated() {
            if isLinked.withLock({ $0 }) { replicate(from: host, to: hosts[1 - index], now) }
            host.state.withLock { state in
                state.report?.release(echoedAt: state.echoedAt, at: now)
                if let report = state.report { state.shell?.take(.reported(report)) }
            }
        }
    }

    /// The primary's journal and beacons reach a standby that follows and has promised no more.
    private func replicate(from host: FakeHost, to peer: FakeHost, _ now: BootTime) {
        guard let leader = host.report, leader.isPrimary else { return }
        let answer: PeerReport? = peer.state.withLock { state in
            guard var report = state.report,
                report.state == .following(isConfirmed: true) || report.state == .promised
            else { return nil }
            guard leader.epoch >= report.promise else {
                return PeerReport(replica: report.replica, promise: report.promise)
            }
            report.state = .following(isConfirmed: true)
            (report.epoch, report.promise) = (leader.epoch, leader.epoch)
            (report.end, report.durable, report.endEpoch) = (
                leader.end, leader.end, leader.endEpoch
            )
            report.commitPoint = leader.commitPoint
            report.heardAt = now
            report.isHandedOver = leader.state == .sealed
            state.report = report
            return PeerReport(replica: report.replica, echoedAt: now, matched: leader.end)
        }
        guard let answer else { return }
        host.state.withLock { state in
            guard state.report?.epoch == leader.epoch else { return }
            state.report?.peer = answer
            if answer.echoedAt != nil { state.echoedAt = now }
        }
    }
}

extension MatchdReport {
    /// What the gate and the lease make of the peer's answers.
    fileprivate mutating func release(echoedAt: BootTime?, at now: BootTime) {
        guard isPrimary else { return }
        guard let requirement else {
            (commitPoint, holdsLease) = (end, true)
            return
        }
        if let peer, peer.replica == requirement { commitPoint = max(commitPoint, peer.matched) }
        holdsLease = echoedAt.map { now.since($0) < FailoverTiming().leaseNanos } ?? false
    }

    /// The report of a process that carried out this order.
    fileprivate func obeying(_ order: MatchdOrder) -> MatchdReport {
        var report = self
        (report.ordersRun, report.ordersDone) = (order.run, order.number)
        switch order.action {
        case .follow(_, let isConfirmed, _):
            report.state = .following(isConfirmed: isConfirmed)
            (report.epoch, report.promise) = (order.epoch, order.epoch)
            (report.isLinkOpen, report.requirement, report.peer) = (false, nil, nil)
            (report.isHandedOver, report.isIntakeHeld) = (false, false)
        case .belong(let cluster): report.cluster = cluster
        case .promise: (report.state, report.promise) = (.promised, order.epoch)
        case .lead(let terms):
            report.state = .leading
            report.requirement = terms.requirement
            report.startEpoch(order.epoch)
        case .raise: report.startEpoch(order.epoch)
        case .require(let replica): report.requirement = replica
        case .openLink: report.isLinkOpen = true
        case .holdIntake:
            report.isIntakeHeld = true
            report.end += 1
        case .resumeIntake: report.isIntakeHeld = false
        case .seal: report.state = .sealed
        case .end:
            // Whoever runs the test starts it anew; it does nothing more.
            report.state = .stopped
            report.isLinkOpen = false
        }
        return report
    }

    private mutating func startEpoch(_ epoch: UInt32) {
        (self.epoch, promise, endEpoch) = (epoch, epoch, epoch)
        end += 1
        (durable, epochStart) = (end, end)
        (state, isIntakeHeld, peer, isHandedOver) = (.leading, false, nil, false)
    }
}

extension MatchdAction {
    fileprivate var word: String {
        switch self {
        case .follow: "follow"
        case .belong: "belong"
        case .promise: "promise"
        case .lead: "lead"
        case .require(nil): "require nobody"
        case .require: "require the peer"
        case .raise: "raise"
        case .openLink: "open link"
        case .holdIntake: "hold intake"
        case .resumeIntake: "resume intake"
        case .seal: "seal"
        case .end: "end"
        }
    }
}
