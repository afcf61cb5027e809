// Drives the failover core on one host: passes it events and the time, and carries its effects out,
// in the order of their fields. All of it runs on one thread of its own, so that nothing else
// in the agent delays it, and no step waits: etcd's answers, the wallet's and matchd's come as
// events.

public import Failover
internal import NIOCore
internal import NIOPosix
internal import Platform
internal import Synchronization

/// One host's failover. Any thread may use it.
public final class FailoverShell: Sendable {
    private struct State {
        var core: FailoverCore
        var status: FailoverStatus
        var watch = HandoverWatch()
        /// The proof that the peer is off, and when it was given.
        var proof: (text: String, at: BootTime)?
        var tick: RepeatedTask?
        var isStopped = false
    }

    private let settings: FailoverSettings
    private let store: any RecordStore
    private let host: any FailoverHost
    /// The thread of all shells of a process, which is one but in tests. It ends with the process:
    /// an answer may come at any time.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>
    private let shown: Mutex<FailoverStatus>

    /// A shell that does nothing yet. `run` is random, one for each; `start` and `changes`, those
    /// of the primary, are what outlived the one before.
    public init(
        _ settings: FailoverSettings, run: UInt64, start: FailoverStart = FailoverStart(),
        changes: PrimaryHistory = PrimaryHistory(), store: any RecordStore, host: any FailoverHost
    ) {
        self.settings = settings
        self.store = store
        self.host = host
        loop = Self.group.next()
        let status = FailoverStatus(settings, start, changes, at: Self.now)
        let core = FailoverCore(settings, run: run, start: start)
        state = NIOLoopBoundBox.makeBoxSendingValue(
            State(core: core, status: status), eventLoop: loop)
        shown = Mutex(status)
    }

    /// For so long a proof is one of the next claim, ns.
    private static var proofNanos: Int64 { 300_000_000_000 }
    private static var now: BootTime { BootTime(nanos: Clock.monotonicNanos()) }

    /// Starts: a cycle now, then at least one every `beaconNanos`.
    public func start() {
        let interval = TimeAmount.nanoseconds(settings.timing.beaconNanos)
        loop.execute { [self] in
            guard state.value.tick == nil, !state.value.isStopped else { return }
            state.value.tick = loop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) {
                [weak self] _ in _ = self?.step(.tick)
            }
        }
    }

    /// Stops: no effect is carried out after it. What was sent to etcd may still be done. The
    /// service address expires by itself.
    public func stop() async {
        let stopping = loop.submit { [self] in
            state.value.tick?.cancel()
            state.value.isStopped = true
        }
        try? await stopping.get()
    }

    /// Takes an event. Events of one caller are taken in their order.
    public func take(_ event: FailoverEvent) { loop.execute { [self] in _ = step(event) } }

    /// Takes what the peer's agent says: the changes of the primary that it knows, and whether its
    /// host leads without taking commands, for so many nanoseconds.
    func take(_ changes: PrimaryHistory, isPeerMute: Bool, muteNanos: Int64?) {
        let dayNanos: Int64 = 86_400_000_000_000
        let now = Self.now
        let servedAt = muteNanos.map { now.after(-min(max(0, $0), dayNanos)) }
        loop.execute { [self] in
            state.value.watch.notePeer(isMute: isPeerMute, servedAt: servedAt, at: now)
            state.value.status.primaryChanges.take(changes)
            let all = state.value.status.primaryChanges
            shown.withLock { $0.primaryChanges = all }
        }
    }

    /// Takes the proof that the peer is off: the claim that follows names it as a reason.
    public func note(proof: String) {
        loop.execute { [self] in state.value.proof = (proof, Self.now) }
    }

    /// Passes an operator's verb to the core; returns why it is refused, or nil.
    public func obey(_ verb: FailoverVerb) async -> VerbRefusal? {
        // It fails only where the thread has ended, and the process with it.
        try? await loop.submit { [self] in step(.verb(verb)) }.get()
    }

    /// The current status.
    public var status: FailoverStatus { shown.withLock { $0 } }

    /// Notes why matchd sends no reports; nil: it does. On the shell's thread.
    func noteControl(_ fault: String?) {
        loop.preconditionInEventLoop()
        guard state.value.status.controlFault != fault else { return }
        state.value.status.controlFault = fault
        shown.withLock { $0.controlFault = fault }
    }

    // MARK: One cycle

    func step(_ event: FailoverEvent) -> VerbRefusal? {
        guard !state.value.isStopped else { return nil }
        let now = Self.now
        if case .reported(let report) = event { store.expect(report.cluster) }
        let effects = state.value.core.step(event, at: now)
        let changes = note(effects, at: now)
        carryOut(effects)
        for change in changes { host.log(change) }
        return effects.refusal
    }

    private func carryOut(_ effects: FailoverEffects) {
        if effects.dropsAddress { host.dropAddress() }
        if effects.leavesAddress { host.leaveAddress() }
        for order in effects.orders { host.send(order) }
        if let epoch = effects.reapedEpoch { host.reportReaped(epoch: epoch) }
        if let swap = effects.swap {
            Task { [self] in
                let answer = await store.swap(swap)
                take(.swapAnswered(swap.value.attempt, answer.swapAnswer), answer.fault)
            }
        }
        if let floor = effects.floor {
            Task { [self] in
                let answer = await store.put(floor)
                take(.floorAnswered(answer.swapAnswer), answer.fault)
            }
        }
        if let request = effects.read { Task { [self] in await read(request) } }
        if let epoch = effects.reconcilesWallet {
            Task { [self] in
                await host.reconcileWallet(epoch: epoch)
                take(.walletReconciled(epoch: epoch))
            }
        }
        if effects.takesAddress { host.takeAddress() }
        if let order = effects.opensLink { host.send(order) }
    }

    /// Every reading is a transaction that writes, whether the core asks for that or not, so that
    /// it is never old.
    private func read(_ request: RecordRequest) async {
        do throws(EtcdError) {
            let found = try await store.read(by: settings.host, number: request.number)
            let reading = RecordReading(
                number: request.number, record: found.record, floor: found.floor,
                cluster: found.cluster)
            take(.recordRead(reading), nil)
        } catch {
            if case .otherCluster = error {
                let reading = RecordReading(
                    number: request.number, record: nil, floor: 0, isOwnCluster: false)
                take(.recordRead(reading), error.description)
            } else {
                take(.readFailed(number: request.number), error.description)
            }
        }
    }

    /// Takes etcd's answer.
    private func take(_ event: FailoverEvent, _ fault: String?) {
        loop.execute { [self] in
            state.value.status.etcdFault = fault
            _ = step(event)
        }
    }

    /// Publishes the core's state; returns what has changed.
    private func note(_ effects: FailoverEffects, at now: BootTime) -> [FailoverChange] {
        let core = state.value.core
        var status = state.value.status
        status.at = now
        (status.role, status.epoch) = (core.role, core.epoch)
        status.sentence = effects.explanation.description
        status.floor = core.view.floor
        (status.report, status.reportedAt) = (core.view.report, core.view.reportedAt)
        let change = watch(effects, core, primary: status.record?.primary, at: now)
        if let change { status.primaryChanges.add(change) }
        status.servedAt = state.value.watch.servedAt
        status.take(core.view.record, at: Clock.realtimeNanos())
        (status.watchdog, status.isBarred) = (core.view.watchdog, core.isBarred)
        (status.isPaused, status.isPeerOut) = (core.view.isPaused, core.view.isPeerOut)
        status.answeredAt = core.view.answeredAt
        let changes = effects.transitions.map { transition in
            let isClaim = transition == .claimed || transition == .forced
            let proof = isClaim ? self.proof(at: now).map { "; \($0)" } : nil
            return FailoverChange(
                realtimeNanos: Clock.realtimeNanos(), at: now, transition: transition,
                epoch: core.epoch, sentence: status.sentence + (proof ?? ""))
        }
        for change in changes { status.note(change) }
        state.value.status = status
        shown.withLock { $0 = status }
        return changes
    }

    /// The proof that the peer is off, while it is new.
    private func proof(at now: BootTime) -> String? {
        state.value.proof.flatMap { now.since($0.at) < Self.proofNanos ? $0.text : nil }
    }

    /// The change of the primary that this cycle completes, if any; `primary` led by the record
    /// before it.
    private func watch(
        _ effects: FailoverEffects, _ core: FailoverCore, primary: HostName?, at now: BootTime
    ) -> PrimaryChange? {
        var watch = state.value.watch
        defer { state.value.watch = watch }
        watch.note(core.view.report, at: core.view.reportedAt)
        if effects.transitions.contains(.demoted) { watch.demoted() }
        for order in effects.orders {
            if case .lead(let terms) = order.action {
                watch.claimed(terms.cause, from: primary, proof: proof(at: now))
            }
        }
        guard effects.transitions.contains(.opened) else { return nil }
        state.value.proof = nil
        return watch.opened(
            by: settings.host, epoch: core.epoch, at: now, realtimeNanos: Clock.realtimeNanos())
    }
}

extension EtcdAnswer {
    /// Why it is not definite; nil: it is.
    fileprivate var fault: String? {
        if case .unknown(let error) = self { error.description } else { nil }
    }
}
