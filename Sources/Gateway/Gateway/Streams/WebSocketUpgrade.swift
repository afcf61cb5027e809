// From HTTP to WebSocket (RFC 6455 section 4.2), on any request of a connection: clients with a
// pool request it on one that has served others before.

import NIOCore
import NIOHTTP1
import NIOWebSocket
import SpotAPI

extension ChannelPipeline.SynchronousOperations {
    /// Adds the handlers of an HTTP/1.1 server, and returns them for removal when the connection
    /// becomes a WebSocket.
    func addHTTP(_ options: GatewayOptions) throws -> [any RemovableChannelHandler] {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = options.headerBytesMax
        limits.maxHeaderListSize = options.headerBytesMax
        limits.maxHeaderFieldCount = 64
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        let encoder = HTTPResponseEncoder()
        let bytes = ByteToMessageHandler(decoder)
        let validator = NIOHTTPResponseHeadersValidator()
        try addHandler(encoder)
        try addHandler(bytes)
        try addHandler(validator)
        // The encoder last: the reply that accepts the upgrade still passes it.
        return [bytes, validator, encoder]
    }
}

/// Accepts WebSockets of streams and makes their pipelines.
struct WebSocketUpgrade {
    private let upgrader: NIOWebSocketServerUpgrader

    init(_ hub: StreamHub, _ eventLoop: any EventLoop) {
        let bound = NIOLoopBound(hub, eventLoop: eventLoop)
        upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: hub.options.streamMessageBytesMax, automaticErrorHandling: true,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let path = StreamPath(uri: head.uri) else {
                        preconditionFailure("an upgrade was agreed to for its path")
                    }
                    let most = bound.value.options.outboundBytesMax
                    try channel.syncOptions?.setOption(
                        .writeBufferWaterMark, value: .init(low: most / 4, high: most))
                    try Self.addStreams(channel.pipeline.syncOperations, path, bound.value)
                }
            })
    }

    /// Whether the request asks for a WebSocket of streams.
    static func isAsked(_ head: HTTPRequestHead) -> Bool {
        head.method == .GET
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && StreamPath(uri: head.uri) != nil
    }

    /// Whether the request asks for any other protocol. Nothing after it is read as HTTP, so its
    /// reply is the connection's last.
    static func isAnyAsked(_ head: HTTPRequestHead) -> Bool {
        head.method == .CONNECT || head.headers.contains(name: "upgrade")
    }

    /// The headers that accept; the future fails when the handshake is not valid.
    func headers(_ head: HTTPRequestHead, _ channel: any Channel) -> EventLoopFuture<HTTPHeaders> {
        upgrader.buildUpgradeResponse(
            channel: channel, upgradeRequest: head,
            initialResponseHeaders: ["connection": "upgrade", "upgrade": "websocket"])
    }

    /// Adds the WebSocket's handlers after all others.
    func addHandlers(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> { upgrader.upgrade(context: context, upgradeRequest: head) }

    private static func addStreams(
        _ pipeline: ChannelPipeline.SynchronousOperations, _ path: StreamPath, _ hub: StreamHub
    ) throws {
        try pipeline.addHandler(FrameGuard())
        try pipeline.addHandler(
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64,
                maxAccumulatedFrameSize: hub.options.streamMessageBytesMax))
        let buffer = try pipeline.handler(type: ClientBuffer.self)
        try pipeline.addHandler(StreamHandler(hub: hub, path: path, buffer: buffer))
    }
}
