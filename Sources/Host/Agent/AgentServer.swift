// The agent's server: HTTP/1.1 on a Unix socket and on loopback, and the roles for load balancers.

import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Platform
import Synchronization

/// The addresses and limits of the server.
public struct AgentServerOptions: Sendable {
    /// The path of its Unix socket.
    public var socket: String
    /// Its address on loopback, with the port; nil: none. Port 0 lets the system choose.
    public var loopback: (host: String, port: Int)?
    /// Its address for load balancers, with the port, where it serves the roles alone; nil: none.
    public var health: (host: String, port: Int)?
    /// Maximum number of connections.
    public var connectionsMax = 256
    /// Maximum number of connections of one user; all over TCP count as one.
    public var connectionsPerPeerMax = 64
    /// Maximum size of a request's body.
    public var bodyBytesMax = 4_096
    /// Maximum size of a request's line and headers.
    public var headerBytesMax = 8_192
    /// Seconds without a byte after which a connection is closed.
    public var idleSeconds: Int64 = 60

    /// A server of these, all else by default.
    public init(socket: String, loopback: (host: String, port: Int)?) {
        (self.socket, self.loopback) = (socket, loopback)
    }
}

/// A running server. Any thread may use it.
public final class AgentServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let channels: [any Channel]
    private let socket: String
    /// The port on loopback; 0: none.
    public let port: Int

    /// Begins to serve what `core` knows. Throws where it cannot listen, in words for the log.
    public init(_ options: AgentServerOptions, core: AgentCore) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = AgentConnections(options)
        func bootstrap(_ peer: AgentPeer?) -> ServerBootstrap {
            ServerBootstrap(group: group).serverChannelOption(ChannelOptions.backlog, value: 128)
                .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    Self.accept(channel, core, options, connections, peer)
                }
        }
        var channels: [any Channel] = []
        do {
            if let parent = Directory.parent(of: options.socket), !Directory.exists(parent) {
                try Directory.create(parent, mode: 0o755)
            }
            channels.append(
                try Self.bound(options.socket, "socket") {
                    try bootstrap(nil).bind(
                        unixDomainSocketPath: options.socket, cleanupExistingSocketFile: true
                    ).wait()
                })
            // Who may ask for what is decided by the peer's user, not by the file.
            guard unsafe chmod(options.socket, 0o666) == 0 else {
                throw SystemError.last("open to all", options.socket)
            }
            let addresses = [
                (options.loopback, AgentPeer.loopback, "listen"),
                (options.health, AgentPeer.network, "health"),
            ]
            for case (let address?, let peer, let key) in addresses {
                channels.append(
                    try Self.bound("\(address.host) port \(address.port)", key) {
                        try bootstrap(peer).bind(host: address.host, port: address.port).wait()
                    })
            }
        } catch {
            try? group.syncShutdownGracefully()
            throw error
        }
        (self.group, self.channels) = (group, channels)
        socket = options.socket
        port = options.loopback == nil ? 0 : channels[1].localAddress?.port ?? 0
    }

    /// Stops.
    public func stop() {
        for channel in channels { try? channel.close().wait() }
        try? group.syncShutdownGracefully()
        _ = unsafe unlink(socket)
    }

    /// Binds; says which address and which key it was about when that fails.
    private static func bound(
        _ address: String, _ key: String, _ bind: () throws -> any Channel
    ) throws -> any Channel {
        do {
            return try bind()
        } catch {
            throw AgentServerError(
                description: """
                    cannot listen at \(address): \(error); is another process there? The address \
                    is [agent] \(key)
                    """)
        }
    }

    /// Who connected, as SO_PEERCRED of unix(7) has it.
    private struct Credentials: BitwiseCopyable, Sendable {
        var process: Int32
        var user: UInt32
        var group: UInt32
    }

    /// Makes the pipeline of a connection, or refuses it when there are too many.
    private static func accept(
        _ channel: any Channel, _ core: AgentCore, _ options: AgentServerOptions,
        _ connections: AgentConnections, _ peer: AgentPeer?
    ) -> EventLoopFuture<Void> {
        if let peer { return open(channel, core, options, connections, peer) }
        guard let socket = channel as? any SocketOptionProvider else { return channel.close() }
        let name = NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        let who: EventLoopFuture<Credentials> = socket.unsafeGetSocketOption(
            level: .socket, name: name)
        return who.flatMap { open(channel, core, options, connections, .user($0.user)) }
    }

    private static func open(
        _ channel: any Channel, _ core: AgentCore, _ options: AgentServerOptions,
        _ connections: AgentConnections, _ peer: AgentPeer
    ) -> EventLoopFuture<Void> {
        guard connections.add(peer) else { return channel.close() }
        channel.closeFuture.whenComplete { _ in connections.remove(peer) }
        return channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = options.headerBytesMax
            limits.maxHeaderListSize = options.headerBytesMax
            limits.maxHeaderFieldCount = 64
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(IdleStateHandler(allTimeout: .seconds(options.idleSeconds)))
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: true, withErrorHandling: true,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            // A request between the two limits is refused with a reason, a longer one without.
            try pipeline.addHandler(
                NIOHTTPServerRequestAggregator(maxContentLength: 16 * options.bodyBytesMax))
            try pipeline.addHandler(
                AgentHandler(core: core, peer: peer, bodyBytesMax: options.bodyBytesMax))
        }
    }
}

/// Why the server does not listen.
struct AgentServerError: Error, CustomStringConvertible { let description: String }

/// The connections that are open, by who is at their other end.
final class AgentConnections: Sendable {
    private let counts = Mutex<[AgentPeer: Int]>([:])
    private let most: Int
    private let mostOfPeer: Int

    init(_ options: AgentServerOptions) {
        (most, mostOfPeer) = (options.connectionsMax, options.connectionsPerPeerMax)
    }

    /// Counts one more; false where that would be too many.
    func add(_ peer: AgentPeer) -> Bool {
        counts.withLock { counts in
            let own = counts[peer] ?? 0
            guard own < mostOfPeer, counts.values.reduce(0, +) < most else { return false }
            counts[peer] = own + 1
            return true
        }
    }

    /// Counts one less.
    func remove(_ peer: AgentPeer) {
        counts.withLock { counts in
            let own = (counts[peer] ?? 1) - 1
            counts[peer] = own == 0 ? nil : own
        }
    }
}

/// Who is at the other end.
enum AgentPeer: Hashable, Sendable {
    /// A process on this host, over TCP: it may read.
    case loopback
    /// A process elsewhere, over TCP: it may read the roles.
    case network
    /// A process of this user, over the Unix socket.
    case user(UInt32)
}
