// The primary's side of replication: one thread, which accepts the peer and serves it.

public import Failover
internal import Glibc
public import Platform
internal import Secrets
internal import Synchronization
internal import Terms

/// Serves the log to the one standby that may have it. It never delays the pipeline: what the
/// standby does not take is read from disk later.
///
/// A newcomer is authenticated and joins while the standby before is still served; once it has
/// joined, it replaces that one, unless it is an older process of the same replica.
public final class ReplicationServer: Sendable {
    private let shared: Shared
    private let thread: PinnedThread

    /// What the thread and its owner share.
    final class Shared: Sendable {
        let isStopping = Atomic<Bool>(false)
        let peer = Mutex<PeerReport?>(nil)
        let isJoined = Atomic<Bool>(false)
    }

    /// Listens, and serves `log` from now on. `note` gets a line about each connection that was
    /// refused or ended, at most one a second; it comes on the server's thread.
    public init(
        _ log: any PrimaryLog, _ options: ReplicationOptions,
        note: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let listener = try TCPSocket.listen(options.address, backlog: 8)
        let shared = Shared()
        self.shared = shared
        do throws(SystemError) {
            thread = try PinnedThread.start(name: "replicate") {
                let loop = ServerLoop(listener, log, options, shared, note)
                loop.run()
                _ = close(listener)
            }
        } catch {
            _ = close(listener)
            throw error
        }
    }

    /// What is known of the peer that last joined in this term; nil: none has.
    public var peer: PeerReport? { shared.peer.withLock { $0 } }

    /// Whether a peer is connected and has joined.
    public var isJoined: Bool { shared.isJoined.load(ordering: .acquiring) }

    /// Ends the connections and the thread, within about a tenth of a second. Call it once.
    public func stop() {
        shared.isStopping.store(true, ordering: .releasing)
        thread.join()
    }
}

/// The server's thread.
private final class ServerLoop {
    private struct Newcomer {
        let connection: ReplicationConnection
        let deadline: Int64
    }

    private let listener: Int32
    private let log: any PrimaryLog
    private let options: ReplicationOptions
    private let shared: ReplicationServer.Shared
    private let note: @Sendable (String) -> Void
    private var newcomers: [Newcomer] = []
    private var session: PeerSession?
    /// The peer of this term, also while it is away.
    private var known: (epoch: UInt32, process: ProcessNumber, report: PeerReport)?
    private var counted: (replica: ReplicaID, sequence: UInt64)?
    private var notedAt: Int64 = .min
    private var acceptAt: Int64 = 0
    /// Whether the listener was seen to have a connection. A thread that never waits looks once
    /// in a beacon's time: accept(2) costs more than sending a batch.
    private var hasCaller = true
    private var lookedAt: Int64 = 0

    /// Connections that have not joined, at most.
    private static let newcomersMax = 16

    init(
        _ listener: Int32, _ log: any PrimaryLog, _ options: ReplicationOptions,
        _ shared: ReplicationServer.Shared, _ note: @escaping @Sendable (String) -> Void
    ) {
        self.listener = listener
        self.log = log
        self.options = options
        self.shared = shared
        self.note = note
    }

    func run() {
        let bell = log.feed.bell
        var pause: Int64 = 0
        while !shared.isStopping.load(ordering: .acquiring) {
            if pause > 0 {
                bell.arm()
                // Again, for what came before the bell was armed.
                let hasRung = turn() > 0 && wait(pause, bell)
                bell.disarm(isReadable: hasRung)
            }
            pause = turn()
        }
        session?.connection.reject("the primary ends")
        leave()
    }

    /// One pass over everything; returns how long the thread may wait, ns.
    private func turn() -> Int64 {
        let now = Clock.monotonicNanos()
        if let known, known.epoch != log.term.epoch { forget() }
        accept(now)
        greet(now)
        let pause = serve(now)
        publish()
        return pause
    }

    /// Whether the bell rang.
    private func wait(_ nanos: Int64, _ bell: Doorbell) -> Bool {
        var entries = [(bell.descriptor, ReplicationWait.readable)]
        if newcomers.count < Self.newcomersMax, Clock.monotonicNanos() >= acceptAt {
            entries.append((listener, ReplicationWait.readable))
        }
        for newcomer in newcomers {
            entries.append(
                (newcomer.connection.descriptor, newcomer.connection.events(reads: true)))
        }
        if let session {
            entries.append(
                (session.connection.descriptor, session.connection.events(reads: session.reads)))
        }
        let ready = ReplicationWait.wait(
            entries, nanos: min(nanos, options.timing.beaconNanos))
        hasCaller = ready.contains(listener)
        return ready.contains(bell.descriptor)
    }

    // MARK: Newcomers

    private func accept(_ now: Int64) {
        guard hasCaller || now - lookedAt >= options.timing.beaconNanos else { return }
        (hasCaller, lookedAt) = (false, now)
        while newcomers.count < Self.newcomersMax, now >= acceptAt {
            do throws(TLSError) {
                guard
                    let stream = try TLSStream.accept(
                        listener, address: options.peer, files: options.files,
                        expecting: [options.peer])
                else { return }
                newcomers.append(
                    Newcomer(
                        connection: ReplicationConnection(stream),
                        deadline: now + options.joinNanos))
            } catch {
                // Such as EMFILE: trying again at once would only spin.
                acceptAt = now + options.timing.beaconNanos
                say("a connection could not be taken: \(error)")
            }
        }
    }

    /// Continues with the newcomers; one that has joined becomes the peer.
    private func greet(_ now: Int64) {
        var remaining: [Newcomer] = []
        for newcomer in newcomers {
            do throws(ReplicationError) {
                if let join = try greet(newcomer) {
                    try admit(newcomer.connection, join)
                } else if now < newcomer.deadline {
                    remaining.append(newcomer)
                } else {
                    throw .silent
                }
            } catch {
                if case .rejected(let reason) = error { newcomer.connection.reject(reason) }
                say("a newcomer was refused: \(error.words)")
            }
        }
        newcomers = remaining
    }

    private func greet(_ newcomer: Newcomer) throws(ReplicationError) -> ReplicationJoin? {
        guard try newcomer.connection.shakeHands(),
            let item = try newcomer.connection.next()
        else { return nil }
        guard case .join(let join) = item.frame else { throw .malformed }
        return join
    }

    private func admit(
        _ connection: ReplicationConnection, _ join: ReplicationJoin
    ) throws(ReplicationError) {
        // Only processes of one replica are in order: an old image counts from where it was made.
        if let known, join.replica == known.report.replica, join.process < known.process {
            throw .rejected(
                "process \(join.process.number) of that host is older than one that has joined: "
                    + "end it")
        }
        leave()
        let isSame = known.map {
            $0.process == join.process && $0.report.replica == join.replica
                && $0.epoch == log.term.epoch
        }
        let acknowledged = counted.map { $0.replica == join.replica ? $0.sequence : 0 }
        let next = try PeerSession(
            connection, join, log, options, counted: acknowledged ?? 0,
            prior: isSame == true ? known?.report : nil)
        session = next
        known = (next.epoch, next.process, next.report)
        publish()
        log.peerChanged()
    }

    // MARK: The peer

    private func serve(_ now: Int64) -> Int64 {
        guard let session else { return options.timing.beaconNanos }
        do throws(ReplicationError) {
            let time = BootTime(nanos: now)
            while session.reads, let item = try session.connection.next() {
                try session.receive(item.frame, at: time)
            }
            let pause = try session.pump(at: time)
            try session.connection.flush()
            // What is left waits for the socket, not for more to do.
            if session.connection.queued > 0 {
                guard now - session.connection.movedAt < options.silenceNanos else {
                    throw .silent
                }
                return options.timing.beaconNanos
            }
            return pause
        } catch {
            if case .rejected(let reason) = error { session.connection.reject(reason) }
            leave()
            say("the standby's connection ended: \(error.words)")
            log.peerChanged()
            return 0
        }
    }

    private func keep() {
        guard let session else { return }
        known = (session.epoch, session.process, session.report)
        counted = (session.replica, session.counted)
    }

    private func leave() {
        keep()
        session = nil
        publish()
    }

    /// A new term has begun: what is known belongs to the one before.
    private func forget() {
        if let session, session.epoch == known?.epoch {
            counted = (session.replica, session.counted)
            session.connection.reject("another term has begun")
        }
        session = nil
        known = nil
    }

    private func publish() {
        keep()
        let report = known?.report
        shared.peer.withLock { $0 = report }
        shared.isJoined.store(session != nil, ordering: .releasing)
    }

    private func say(_ line: String) {
        let now = Clock.monotonicNanos()
        guard notedAt == .min || now - notedAt >= 1_000_000_000 else { return }
        notedAt = now
        note(line)
    }
}
