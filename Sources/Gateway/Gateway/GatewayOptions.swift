// How a gateway runs, and every bound it keeps.

public import Platform
public import Secrets
public import SpotAPI
public import Terms

/// How a gateway runs. Every queue and table that clients can fill has its maximum here.
public struct GatewayOptions: Sendable {
    /// Where clients connect: an address of this host.
    public var host: String
    /// The port; 0 lets the system choose.
    public var port: Int
    /// The files by which clients know it; nil: clients speak plain HTTP.
    public var clientTLS: ClientTLSFiles?
    /// matchd's Unix socket.
    public var linkSocket: String
    /// The hosts whose matchd it follows by TLS; empty: the one at `linkSocket`.
    public var linkHosts: [LinkHost] = []
    /// The authority of those hosts, and this gateway's certificate and key; nil without hosts.
    public var linkFiles: TLSFiles?
    /// The writer's name in the log: one gateway, one name.
    public var name: Text40
    /// File of the key that seals API secrets.
    public var sealKeyFile: String

    /// The limits on requests and orders over time.
    public var rateLimits = RateLimits.standard
    /// Proxies of the owner's: whom they name in X-Forwarded-For is the client.
    public var proxies: [AddressRange] = []
    /// Maximum number of client connections.
    public var connectionsMax = 4_096
    /// Maximum number of client connections from one address.
    public var connectionsPerAddressMax = 2_048
    /// Maximum new connections by TLS in a second, each of which costs a signature on the loop.
    public var handshakesPerSecond = 200
    /// Maximum of those from one address that is no proxy.
    public var handshakesPerSecondOfAddress = 50
    /// Maximum size of a request's body, bytes.
    public var bodyBytesMax = 65_536
    /// Maximum size of a request's line and headers together, bytes.
    public var headerBytesMax = 32_768
    /// Seconds in which a new connection's first request must be here as a whole.
    public var firstRequestSeconds: Int64 = 20
    /// Seconds from a reply in which the next request must be here as a whole; no fewer.
    public var idleSeconds: Int64 = 75
    /// Milliseconds that a client has to close its connection after the last reply.
    public var lingerMilliseconds: Int64 = 2_000
    /// Maximum number of signed requests of about a minute that are remembered, so that none is
    /// taken twice, of one key half as many; above it, signed requests get 503. At most 32 bytes
    /// each, for two minutes.
    public var takenRequestsMax = 1 << 21
    /// Maximum number of commands in flight.
    public var inFlightMax = 8_192
    /// Maximum validity of a command in milliseconds, whatever its client's recvWindow: a little
    /// later the client gets a time-out.
    public var answerMilliseconds: Int64 = 10_000
    /// Maximum number of streams of one WebSocket.
    public var streamsMax = 1_024
    /// Maximum rate of a client's WebSocket messages per second, pings included.
    public var streamMessagesPerSecond = 5
    /// Maximum size of a WebSocket message from a client, bytes.
    public var streamMessageBytesMax = 65_536
    /// Maximum number of pipelined requests that wait on a connection; a connection with more ends
    /// after their replies.
    public var pipelinedMax = 64
    /// Bytes of replies that may wait for a client; above it, its requests wait.
    public var replyBytesMax = 256 << 10
    /// Bytes of a connection that the system buffers unsent, see tcp(7) TCP_NOTSENT_LOWAT.
    public var systemBytesMax = 128 << 10
    /// Bytes that may wait for a stream's client; above it, the stream is closed.
    public var outboundBytesMax = 8 << 20
    /// Bytes buffered for all clients together: request bodies, replies and messages that wait.
    /// Above it, all requests but orders get 503, and the slowest connections are closed.
    public var clientBytesMax = 256 << 20
    /// Maximum number of streams of all WebSockets together.
    public var subscriptionsMax = 262_144
    /// Seconds between pings to a stream's client.
    public var pingSeconds: Int64 = 20
    /// Seconds without a pong after which a stream is closed.
    public var pongSeconds: Int64 = 60
    /// Maximum age of a stream, hours.
    public var streamHoursMax: Int64 = 24
    /// Maximum number of levels in a depth reply.
    public var depthMax = 5_000
    /// Maximum number of records that wait for the history before the feed is held back.
    public var historyQueueMax = 65_536
    /// Maximum time that a stop waits for commands in flight, milliseconds.
    public var drainMilliseconds: Int64 = 5_000

    /// These options; all others have their defaults.
    public init(host: String, port: Int, linkSocket: String, name: Text40, sealKeyFile: String) {
        (self.host, self.port, self.linkSocket) = (host, port, linkSocket)
        (self.name, self.sealKeyFile) = (name, sealKeyFile)
    }
}
