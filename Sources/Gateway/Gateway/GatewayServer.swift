// A running gateway: its parts, sockets and timers.

import Engine
import Follower
public import History
import Link
public import Logging
import MarketData
import NIOCore
import NIOPosix
import NIOSSL
import Platform
import SpotAPI

/// A running gateway. All of it lives on one event loop; this handle may be used from any thread.
public final class GatewayServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let core: NIOLoopBound<Core>
    /// The port that clients connect to.
    public let port: Int

    /// What lives on the loop.
    private final class Core {
        let session: MatchdSession
        let front: Front
        let dispatcher: FrameDispatcher
        let connector: LinkConnector
        let fail: (String) -> Void
        var server: (any Channel)?
        var timers: [RepeatedTask] = []

        init(
            _ eventLoop: any EventLoop, _ options: GatewayOptions, _ log: Logger,
            _ openHistory: @escaping @Sendable (UInt64, UInt64) throws(HistoryError) -> History,
            _ fail: @escaping (String) -> Void
        ) throws {
            session = MatchdSession(name: options.name, capacity: options.inFlightMax, log: log)
            front = try Front(eventLoop: eventLoop, options: options, session: session, log: log)
            dispatcher = FrameDispatcher(
                session: session, front: front, log: log, openHistory: openHistory)
            connector = LinkConnector(
                places: LinkPlace.all(options), session: session, dispatcher: dispatcher,
                eventLoop: eventLoop, log: log, fail: fail)
            self.fail = fail
        }
    }

    /// A line for each endpoint, as `GET /api/v3/account userData`.
    public static var endpoints: [String] {
        Endpoint.all.map(\.line)
    }

    /// Starts to listen, and to follow matchd, which may be away: requests get 503 meanwhile.
    ///
    /// `openHistory` opens the history of the journal that matchd names. `onFault` is called on the
    /// loop when the gateway cannot continue, with a reason for the log: the process should end.
    /// Throws when the address cannot be bound, and `ClientTLSError`.
    public init(
        _ options: GatewayOptions, log: Logger,
        openHistory: @escaping @Sendable (UInt64, UInt64) throws(HistoryError) -> History,
        onFault: @escaping @Sendable (String) -> Void
    ) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let started = loop.submit {
            NIOLoopBound(try Core(loop, options, log, openHistory, onFault), eventLoop: loop)
        }
        do {
            core = try started.wait()
            self.group = group
            let core = core
            let channel = try Self.bootstrap(group, core, options).bind(
                host: options.host, port: options.port
            ).wait()
            port = channel.localAddress?.port ?? options.port
            try loop.submit {
                core.value.server = channel
                Self.startTimers(core.value)
                core.value.connector.start()
            }.wait()
        } catch {
            try? group.syncShutdownGracefully()
            throw error
        }
    }

    /// Stops: refuses new connections and requests, waits up to `drainMilliseconds` for commands in
    /// flight, and writes what waits for the history.
    public func stop() throws {
        let core = core
        let drained = core.eventLoop.makePromise(of: Void.self)
        core.eventLoop.execute {
            let front = core.value.front
            front.isStopping = true
            core.value.server?.close(promise: nil)
            front.streams.closeAll()
            let deadline = Clock.monotonicMillis() + front.options.drainMilliseconds
            Self.drain(core, deadline, drained)
        }
        try drained.futureResult.wait()
        let history = try core.eventLoop.submit { () -> History? in
            for timer in core.value.timers { timer.cancel() }
            core.value.connector.stop()
            core.value.dispatcher.replica?.flush()
            return core.value.dispatcher.replica?.history
        }.wait()
        let fault = history?.close()
        try group.syncShutdownGracefully()
        if let fault { throw fault }
    }

    /// Takes the certificate as its files are now, and `fresh`'s proxies and limits: of rates, and
    /// of how many connect. Connections that are open stay. Throws `ClientTLSError`, and changes
    /// nothing, where the files cannot be used.
    public func reload(_ fresh: GatewayOptions) throws {
        let core = core
        let files = try core.eventLoop.submit { core.value.front.options.clientTLS }.wait()
        // Here, not on the loop: disks may be slow.
        let tls = try files.map { try ClientTLS($0) }
        try core.eventLoop.submit { core.value.front.reload(fresh, tls) }.wait()
    }

    /// How a gateway is.
    public struct Status: Sendable {
        /// The sequence of the replica.
        public var sequence: UInt64 = 0
        /// Whether it has caught up.
        public var isCaughtUp = false
        /// Whether commands can be sent.
        public var isConnected = false
        /// Why the last connections to matchd failed or ended, in one line; empty: none has.
        public var lossText = ""
        /// When the certificate that clients see ends, seconds since 1970; nil: they see none.
        public var certificateEnds: Int64?
    }

    /// How it is now.
    public func status() -> Status {
        let core = core
        let status = core.eventLoop.submit { () -> Status in
            let (replica, session) = (core.value.dispatcher.replica, core.value.session)
            return Status(
                sequence: replica?.engine.sequence ?? 0, isCaughtUp: replica?.isCaughtUp ?? false,
                isConnected: session.isOpen, lossText: core.value.connector.lossText,
                certificateEnds: core.value.front.tls?.ends)
        }
        return (try? status.wait()) ?? Status()
    }

    private static func drain(
        _ core: NIOLoopBound<Core>, _ deadline: Int64, _ drained: EventLoopPromise<Void>
    ) {
        guard core.value.session.waitingCount > 0, Clock.monotonicMillis() < deadline else {
            return drained.succeed()
        }
        core.eventLoop.scheduleTask(in: .milliseconds(10)) { drain(core, deadline, drained) }
    }

    // MARK: Timers

    private static func startTimers(_ core: Core) {
        let (streams, dispatcher) = (core.front.streams, core.dispatcher)
        every(.milliseconds(100), core) {
            guard let replica = dispatcher.replica, replica.isCaughtUp else { return }
            streams.publishDepth(.fast, replica.takeDepthUpdates(.fast), replica.engine)
        }
        every(.seconds(1), core) {
            streams.beat(now: Clock.monotonicMillis())
            guard let replica = dispatcher.replica, replica.isCaughtUp else { return }
            streams.publishDepth(.slow, replica.takeDepthUpdates(.slow), replica.engine)
            streams.publishSecond(replica, now: Clock.realtimeMillis() * 1_000_000)
        }
        every(.seconds(10), core) { core.front.noteRefused() }
        every(.milliseconds(250), core) {
            for answer in core.session.expire() { answer.send() }
            // The next start writes it anew.
            if case .damaged(let file, let text) = dispatcher.replica?.history.fault {
                core.fail(HistoryError.damaged(file: file, text: text).description)
            }
        }
    }

    private static func every(_ delay: TimeAmount, _ core: Core, _ body: @escaping () -> Void) {
        let bound = NIOLoopBound(body, eventLoop: core.front.eventLoop)
        core.timers.append(
            core.front.eventLoop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
                bound.value()
            })
    }

    // MARK: Sockets

    private static func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ core: NIOLoopBound<Core>, _ options: GatewayOptions
    ) -> ServerBootstrap {
        ServerBootstrap(group: group).serverChannelOption(ChannelOptions.backlog, value: 1_024)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                ChannelOptions.writeBufferWaterMark,
                value: .init(low: options.replyBytesMax / 4, high: options.replyBytesMax)
            )
            // Otherwise the system buffers megabytes for a client that does not read; the data in
            // flight is not limited.
            .childChannelOption(
                ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: 25)),  // NOTSENT_LOWAT
                value: .init(options.systemBytesMax)
            )
            // Input is buffered until its turn: one read at a time, and not a large one.
            .childChannelOption(ChannelOptions.maxMessagesPerRead, value: 1)
            .childChannelOption(
                ChannelOptions.recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1_024, initial: 2_048, maximum: 16_384)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try accept(channel, core.value.front)
                }
            }
    }

    /// Makes the pipeline of a client's connection, or closes it when there are too many.
    private static func accept(_ channel: any Channel, _ front: Front) throws {
        let peer = channel.remoteAddress?.ipAddress ?? "unix"
        guard !front.isStopping, let place = front.open(peer) else {
            channel.close(promise: nil)
            return
        }
        channel.closeFuture.assumeIsolated().whenComplete { _ in front.connections.close(place) }
        let pipeline = channel.pipeline.syncOperations
        if front.tls != nil { try pipeline.addHandler(PlainHTTPRefusal()) }
        // What it counts is what waits for the socket, encrypted or not.
        let buffer = ClientBuffer(front.memory)
        try pipeline.addHandler(buffer)
        if let tls = front.tls {
            try pipeline.addHandler(NIOSSLServerHandler(context: tls.context))
            try pipeline.addHandler(SliceWriter())
        }
        let http = try pipeline.addHTTP(front.options)
        try pipeline.addHandler(HTTPHandler(front: front, peer: peer, http: http, buffer: buffer))
    }
}
