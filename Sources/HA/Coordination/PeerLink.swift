// The connection between the two agents of a cluster: TLS 1.3, certificates of the cluster's
// authority for the expected name on both sides, by one thread. The host whose name comes first
// listens, the other connects, so that there is one connection.

internal import Glibc
internal import Platform
public import Secrets
internal import Synchronization

/// Where the two agents are, and how long things take.
public struct PeerLinkOptions: Hashable, Sendable {
    /// This host's name.
    public var host: String
    /// The peer's, which its certificate has.
    public var peer: String
    /// Where this host's agent listens, numeric, as `10.0.0.1:7411`.
    public var address: String
    /// Where the peer's does.
    public var peerAddress: String
    /// This host's certificate.
    public var files: TLSFiles
    /// Between two messages while nothing changes, ns.
    public var intervalNanos: Int64 = 1_000_000_000
    /// Without a message for this long the connection is ended, ns.
    public var silenceNanos: Int64 = 3_000_000_000
    /// Time for a connection and its handshake, and between two attempts, ns.
    public var connectNanos: Int64 = 1_000_000_000

    /// These addresses, and times that fit beacons and G.
    public init(
        host: String, peer: String, address: String, peerAddress: String, files: TLSFiles
    ) {
        (self.host, self.peer) = (host, peer)
        (self.address, self.peerAddress) = (address, peerAddress)
        self.files = files
    }

    /// Whether this host listens.
    var listens: Bool { host.utf8.lexicographicallyPrecedes(peer.utf8) }
}

/// Whether the peer's agent is there.
public struct PeerLinkStatus: Hashable, Sendable {
    /// Messages come from it.
    public internal(set) var isReachable = false
    /// Since when that is so, by the host's clock, nanoseconds since 1970: to show only.
    public internal(set) var sinceNanos: Int64
    /// Why it is not; nil: it is, or nothing was tried yet.
    public internal(set) var fault: String?
}

/// A connection to the peer's agent that is made again whenever it is lost. Any thread may use it.
public final class PeerLink: Sendable {
    private let shared: Shared
    private let thread: PinnedThread

    final class Shared: Sendable {
        let bell: Doorbell
        let isStopping = Atomic<Bool>(false)
        let hasChanged = Atomic<Bool>(false)
        let status = Mutex(PeerLinkStatus(sinceNanos: Clock.realtimeNanos()))
        init() throws(SystemError) { bell = try Doorbell() }
    }

    /// Begins. On the link's thread: `outgoing` gives the message to send, `incoming` gets each
    /// that came, and `note` a line when the peer's agent comes or goes, and about a stranger at
    /// most one in ten seconds.
    public init(
        _ options: PeerLinkOptions, outgoing: @escaping @Sendable () -> PeerMessage,
        incoming: @escaping @Sendable (PeerMessage) -> Void,
        note: @escaping @Sendable (String) -> Void
    ) throws {
        let shared = try Shared()
        self.shared = shared
        thread = try PinnedThread.start(name: "peer") {
            PeerLoop(options, shared, outgoing, incoming, note).run()
        }
    }

    /// Whether the peer's agent is there.
    public var status: PeerLinkStatus { shared.status.withLock { $0 } }

    /// Something in the message has changed: it is sent at once.
    public func changed() {
        shared.hasChanged.store(true, ordering: .releasing)
        shared.bell.ring()
    }

    /// Ends the connection and the thread, within about a second. Call it once.
    public func stop() {
        shared.isStopping.store(true, ordering: .releasing)
        shared.bell.ring()
        thread.join()
    }
}

/// The link's thread.
private final class PeerLoop {
    /// Connections that have not proved their name.
    private static let newcomersMax = 8
    /// Longest wait of a turn: only deadlines of seconds pass without a sign.
    private static let turnMillisMax: Int32 = 250
    private static let noteNanos: Int64 = 10_000_000_000

    private let options: PeerLinkOptions
    private let shared: PeerLink.Shared
    private let outgoing: @Sendable () -> PeerMessage
    private let incoming: @Sendable (PeerMessage) -> Void
    private let note: @Sendable (String) -> Void
    private var listener: Int32 = -1
    private var newcomers: [PeerStream] = []
    private var session: PeerStream?
    private var sentAt: Int64 = 0
    private var retryAt: Int64 = 0
    private var notedAt = -PeerLoop.noteNanos

    init(
        _ options: PeerLinkOptions, _ shared: PeerLink.Shared,
        _ outgoing: @escaping @Sendable () -> PeerMessage,
        _ incoming: @escaping @Sendable (PeerMessage) -> Void,
        _ note: @escaping @Sendable (String) -> Void
    ) {
        (self.options, self.shared) = (options, shared)
        (self.outgoing, self.incoming, self.note) = (outgoing, incoming, note)
    }

    func run() {
        while !shared.isStopping.load(ordering: .acquiring) {
            shared.bell.arm()
            turn(Clock.monotonicNanos())
            shared.bell.disarm(isReadable: wait())
        }
        session?.end()
        if listener >= 0 { _ = close(listener) }
    }

    private func turn(_ now: Int64) {
        if options.listens {
            accept(now)
            greet(now)
        } else if session == nil, now >= retryAt {
            connect()
        }
        serve(Clock.monotonicNanos())
    }

    /// Whether the bell rang.
    private func wait() -> Bool {
        var entries = [pollfd(fd: shared.bell.descriptor, events: Int16(POLLIN), revents: 0)]
        if listener >= 0, newcomers.count < Self.newcomersMax {
            entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
        }
        for stream in newcomers + [session].compactMap(\.self) {
            entries.append(pollfd(fd: stream.descriptor, events: stream.events, revents: 0))
        }
        let millis = session?.hasMore ?? false ? 0 : Self.turnMillisMax
        return unsafe poll(&entries, nfds_t(entries.count), millis) > 0 && entries[0].revents != 0
    }

    // MARK: Making a connection

    private func accept(_ now: Int64) {
        guard now >= retryAt else { return }
        do {
            if listener < 0 { listener = try TCPSocket.listen(options.address, backlog: 8) }
            while newcomers.count < Self.newcomersMax,
                let stream = try TLSStream.accept(
                    listener, address: options.peer, files: options.files,
                    expecting: [options.peer])
            {
                newcomers.append(PeerStream(stream, at: now, isReady: false))
            }
        } catch {
            // As EMFILE or an address in use: trying at once again would only use the CPU up.
            retryAt = now + options.connectNanos
            lost("\(error)")
        }
    }

    /// Takes newcomers further; one that has proved its name takes the place of the connection.
    private func greet(_ now: Int64) {
        var remaining: [PeerStream] = []
        for newcomer in newcomers {
            do throws(PeerLinkError) {
                if try newcomer.shakeHands() {
                    if session != nil { end(.replaced) }
                    begin(newcomer)
                } else if now - newcomer.heardAt < options.silenceNanos {
                    remaining.append(newcomer)
                } else {
                    throw .silent
                }
            } catch { noteStranger(error) }
        }
        newcomers = remaining
    }

    private func connect() {
        let deadline = Clock.monotonicNanos() + options.connectNanos
        do throws(TLSError) {
            let stream = try TLSStream.connect(
                to: options.peerAddress, files: options.files, expecting: [options.peer],
                deadline: deadline)
            begin(PeerStream(stream, at: Clock.monotonicNanos(), isReady: true))
        } catch {
            lost(error.description)
            retryAt = Clock.monotonicNanos() + options.connectNanos
        }
    }

    private func begin(_ stream: PeerStream) {
        session = stream
        shared.hasChanged.store(true, ordering: .relaxed)
    }

    // MARK: The connection

    private func serve(_ now: Int64) {
        guard let session else { return }
        do throws(PeerLinkError) {
            try session.receive(at: now) { message in
                found()
                incoming(message)
            }
            if session.isFlushed {
                let isDue = now - sentAt >= options.intervalNanos
                if shared.hasChanged.exchange(false, ordering: .acquiring) || isDue {
                    session.send(outgoing())
                    sentAt = now
                }
            } else if now - sentAt >= options.silenceNanos {
                throw .silent
            }
            try session.flush()
            guard now - session.heardAt < options.silenceNanos else { throw .silent }
        } catch { end(error) }
    }

    private func end(_ error: PeerLinkError) {
        session?.end()
        session = nil
        retryAt = Clock.monotonicNanos() + options.connectNanos / 4
        lost(error.description)
    }

    // MARK: What is shown

    private func found() {
        let isNews = shared.status.withLock { status in
            defer { (status.isReachable, status.fault) = (true, nil) }
            if !status.isReachable { status.sinceNanos = Clock.realtimeNanos() }
            return !status.isReachable
        }
        if isNews { note("connected to the agent of \(options.peer)") }
    }

    private func lost(_ why: String) {
        let isNews = shared.status.withLock { status in
            defer { (status.isReachable, status.fault) = (false, why) }
            if status.isReachable { status.sinceNanos = Clock.realtimeNanos() }
            return status.isReachable || status.fault == nil
        }
        if isNews { note("no connection to the agent of \(options.peer): \(why)") }
    }

    private func noteStranger(_ error: PeerLinkError) {
        let now = Clock.monotonicNanos()
        guard now - notedAt >= Self.noteNanos else { return }
        notedAt = now
        note("a connection to \(options.address) was refused: \(error)")
    }
}
