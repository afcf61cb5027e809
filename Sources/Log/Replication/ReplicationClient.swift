// The standby's side of replication: one thread, which connects to the primary and takes its log.

public import Failover
internal import Journal
public import Pipeline
public import Platform
internal import Secrets
internal import Synchronization
public import Terms

/// Follows a primary as far as the promise allows: appends its records to the log, acknowledges
/// what is durable and matched, and echoes beacons.
///
/// Orders come from another thread. Once `promise` has returned, nothing of a lower term is
/// acknowledged or echoed any more.
public final class ReplicationClient: Sendable {
    private let shared: Shared
    private let log: any StandbyLog
    private let thread: PinnedThread

    /// What the thread and its owner share.
    final class Shared: Sendable {
        let state: Mutex<StandbyState>
        let isStopping = Atomic<Bool>(false)
        let isJoined = Atomic<Bool>(false)
        /// Rings with each order. The log's own bell is the primary's side's while this process
        /// leads.
        let bell: Doorbell
        init(_ state: StandbyState) throws(SystemError) {
            self.state = Mutex(state)
            bell = try Doorbell()
        }
    }

    /// Waits for the order to follow. `note` gets a line about each connection that failed or
    /// ended, at most one a second, and the same again once a minute; it comes on the client's
    /// thread.
    public init(
        _ log: any StandbyLog, _ start: StandbyStart, _ options: ReplicationOptions,
        note: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let shared = try Shared(
            StandbyState(start, durable: log.durable, journalEpoch: log.last.epoch))
        self.shared = shared
        self.log = log
        thread = try PinnedThread.start(name: "follow") {
            ClientLoop(log, options, shared, note).run()
        }
    }

    /// Its state now.
    public var status: StandbyStatus { shared.state.withLock { $0.status } }
    /// Whether it is connected to a primary whose term it follows.
    public var isJoined: Bool { shared.isJoined.load(ordering: .acquiring) }
    /// The lowest epoch that is not refused.
    public var least: UInt32 { shared.state.withLock { $0.keeper.least } }

    /// Promises at least `epoch` durably, and follows a primary of that or a later one.
    /// Unconfirmed, it takes records but neither acknowledges nor echoes. `replica`: the one on its
    /// disk, which may be new. It also ends what `promise` began.
    public func follow(
        epoch: UInt32, isConfirmed: Bool, forced: ForcedStart?, replica: ReplicaID
    ) throws(SinkError) {
        try change { state throws(SinkError) in
            try Self.promise(epoch, &state, log)
            state.follow(isConfirmed: isConfirmed, forced: forced, replica: replica)
        }
    }

    /// Stops acknowledging and echoing, then makes the promise of `epoch` durable. A primary of
    /// that epoch or a later one is still followed when it comes.
    public func promise(_ epoch: UInt32) throws(SinkError) {
        try change { state throws(SinkError) in
            state.hold()
            try Self.promise(epoch, &state, log)
        }
    }

    /// This process is to lead: from here on it connects to nobody, until `resign`. Otherwise a
    /// sealed primary would take the next one's records before it is ordered to follow, and stop.
    public func lead() {
        shared.state.withLock { state in
            state.lead()
            state.orders += 1
        }
        wake()
    }

    /// This process led, and is to follow in place: its log ends durably at `durable`, in `epoch`,
    /// and all up to `released` was released. Before `follow`.
    public func resign(durable: UInt64, released: UInt64, epoch: UInt32) {
        shared.state.withLock { $0.resign(durable: durable, released: released, epoch: epoch) }
    }

    /// Ends the connection and the thread, within about a second. Call it once.
    public func stop() {
        shared.isStopping.store(true, ordering: .releasing)
        wake()
        thread.join()
    }

    private func change(
        _ body: (inout StandbyState) throws(SinkError) -> Void
    ) throws(SinkError) {
        let result: Result<Void, SinkError> = shared.state.withLock { state in
            let (promise, replica) = (state.keeper.promise, state.status.replica)
            defer {
                let isHeld = state.status.state == .promised
                if isHeld || promise != state.keeper.promise || replica != state.status.replica {
                    state.orders += 1
                }
            }
            do throws(SinkError) { return .success(try body(&state)) } catch {
                return .failure(error)
            }
        }
        wake()
        try result.get()
    }

    private func wake() {
        log.bell.ring()
        shared.bell.ring()
    }

    static func promise(
        _ epoch: UInt32, _ state: inout StandbyState, _ log: any StandbyLog
    ) throws(SinkError) {
        if epoch > state.keeper.promise { try log.promise(epoch) }
        state.promised(epoch)
    }
}

/// The client's thread: connects, serves the connection, waits, connects again.
private final class ClientLoop {
    private let log: any StandbyLog
    private let options: ReplicationOptions
    private let shared: ReplicationClient.Shared
    private let note: @Sendable (String) -> Void
    private var pause: Int64
    private var notedAt: Int64 = .min
    private var noted = ""

    init(
        _ log: any StandbyLog, _ options: ReplicationOptions, _ shared: ReplicationClient.Shared,
        _ note: @escaping @Sendable (String) -> Void
    ) {
        self.log = log
        self.options = options
        self.shared = shared
        self.note = note
        pause = options.pauseNanos.lowerBound
    }

    func run() {
        while !shared.isStopping.load(ordering: .acquiring) {
            guard isReady() else {
                sleep(options.timing.beaconNanos)
                continue
            }
            let began = Clock.monotonicNanos()
            let end = attempt()
            shared.isJoined.store(false, ordering: .releasing)
            if !shared.isStopping.load(ordering: .acquiring) { say(end.words) }
            if Clock.monotonicNanos() - began > options.pauseNanos.upperBound {
                pause = options.pauseNanos.lowerBound
            }
            sleep(pause)
            pause = min(pause * 2, options.pauseNanos.upperBound)
        }
    }

    /// Whether there is an order to follow, and all that the journal has is durable: only what is
    /// on disk is offered to a primary.
    private func isReady() -> Bool {
        if let failure = log.failure {
            shared.state.withLock { $0.stop(failure.description) }
            return false
        }
        let durable = log.durable
        guard durable >= log.last.sequence else { return false }
        return shared.state.withLock { state in
            if state.leads { return false }
            switch state.status.state {
            case .recovered, .stopped: return false
            default:
                state.status.position.sync(durable)
                return true
            }
        }
    }

    private func attempt() -> ReplicationError {
        do throws(TLSError) {
            let stream = try TLSStream.connect(
                to: options.address, files: options.files, expecting: [options.peer],
                deadline: Clock.monotonicNanos() + options.silenceNanos)
            let session = StandbySession(
                ReplicationConnection(stream), log, options, shared)
            return session.run()
        } catch { return .tls(error) }
    }

    /// Sleeps until there is an order or the log's bell rings, or for so long.
    private func sleep(_ nanos: Int64) {
        let leads = shared.state.withLock { $0.leads }
        let bells = leads ? [shared.bell] : [shared.bell, log.bell]
        for bell in bells { bell.arm() }
        let isOver = shared.isStopping.load(ordering: .acquiring)
        let ready = ReplicationWait.wait(
            bells.map { ($0.descriptor, ReplicationWait.readable) }, nanos: isOver ? 0 : nanos)
        for bell in bells { bell.disarm(isReadable: ready.contains(bell.descriptor)) }
    }

    private func say(_ line: String) {
        let now = Clock.monotonicNanos()
        // What stays, such as a full disk, is repeated once a minute.
        let pause: Int64 = line == noted ? 60_000_000_000 : 1_000_000_000
        guard notedAt == .min || now - notedAt >= pause else { return }
        (noted, notedAt) = (line, now)
        note(line)
    }
}
