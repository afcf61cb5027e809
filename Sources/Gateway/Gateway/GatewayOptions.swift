// What the gateway is told at start, and every bound it keeps.

public import SpotAPI
public import Terms

/// How a gateway runs. Every queue and table of a client's making has its maximum here.
public struct GatewayOptions: Sendable {
    /// Where clients connect: an address of this host.
    public var host: String
    /// The port; 0 lets the system choose.
    public var port: Int
    /// matchd's Unix socket.
    public var linkSocket: String
    /// The writer's name in the log: one gateway, one name.
    public var name: Text40
    /// File of the key that seals API secrets.
    public var sealKeyFile: String

    /// What clients may ask for in a time.
    public var rateLimits = RateLimits.standard
    /// Most client connections.
    public var connectionsMax = 4_096
    /// Most client connections of one address.
    public var connectionsPerAddressMax = 2_048
    /// Most bytes of a request's body.
    public var bodyBytesMax = 65_536
    /// Most bytes of all headers of a request, its line included.
    public var headerBytesMax = 32_768
    /// Seconds without a byte after which an HTTP connection is closed.
    public var idleSeconds: Int64 = 75
    /// Milliseconds that a client has to close after its connection's last reply.
    public var lingerMilliseconds: Int64 = 2_000
    /// Most commands that wait for the log.
    public var inFlightMax = 8_192
    /// Most milliseconds that a command stays valid, whatever its client's recvWindow: a little
    /// later the client is told that its fate is unknown.
    public var answerMilliseconds: Int64 = 10_000
    /// Most streams of one WebSocket.
    public var streamsMax = 1_024
    /// Most messages a second that a WebSocket may send, pings included.
    public var streamMessagesPerSecond = 5
    /// Most bytes of a WebSocket message from a client.
    public var streamMessageBytesMax = 65_536
    /// Most requests of a connection that wait behind one another; behind that many the connection
    /// ends with their replies.
    public var pipelinedMax = 64
    /// Bytes of replies that may wait for a client; above it none of its requests is taken.
    public var replyBytesMax = 256 << 10
    /// Bytes of a connection that the system keeps and has not sent once, see tcp(7)
    /// TCP_NOTSENT_LOWAT.
    public var systemBytesMax = 128 << 10
    /// Bytes that may wait for a stream's client; a stream above it is closed.
    public var outboundBytesMax = 8 << 20
    /// Bytes kept for all clients together: bodies of requests, replies and messages that wait.
    /// Above it all requests but those of orders get 503, and the slowest connections are closed.
    public var clientBytesMax = 256 << 20
    /// Most streams of all WebSockets together.
    public var subscriptionsMax = 262_144
    /// Seconds between pings to a stream's client.
    public var pingSeconds: Int64 = 20
    /// Seconds without a pong after which a stream is closed.
    public var pongSeconds: Int64 = 60
    /// Hours that a stream lives.
    public var streamHoursMax: Int64 = 24
    /// Most levels of a depth request.
    public var depthMax = 5_000
    /// Most records that wait for the history before the feed is held back.
    public var historyQueueMax = 65_536
    /// Milliseconds that a stop waits for commands in flight.
    public var drainMilliseconds: Int64 = 5_000

    /// A gateway of these, all else by default.
    public init(host: String, port: Int, linkSocket: String, name: Text40, sealKeyFile: String) {
        self.host = host
        self.port = port
        self.linkSocket = linkSocket
        self.name = name
        self.sealKeyFile = sealKeyFile
    }
}
