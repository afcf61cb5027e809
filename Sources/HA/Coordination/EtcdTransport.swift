// Requests to etcd's JSON gateway, each on a connection of its own and within its time limit.

internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// What a member answered.
struct EtcdResponse: Sendable {
    let status: Int
    let body: [UInt8]
}

/// Why a member gave no answer.
enum EtcdTransportError: Error, Hashable, CustomStringConvertible {
    case noAnswer(milliseconds: Int64)
    case closed
    case tooLong
    case noCertificates

    var description: String {
        switch self {
        case .noAnswer(let milliseconds): "no answer within \(milliseconds) ms"
        case .closed: "it closed the connection"
        case .tooLong: "its answer has more than \(EtcdTransport.bodyBytesMax) bytes"
        case .noCertificates: "no certificates are set"
        }
    }
}

/// Posts requests. There are about two a second, so each has a connection of its own, on which no
/// other request's answer can arrive.
struct EtcdTransport: Sendable {
    /// Maximum size of an answer.
    static let bodyBytesMax = 65_536

    let loop: any EventLoop
    let context: NIOSSLContext?

    /// The answer to `body` at `path`; an error when none has come within `limit`.
    func post(
        _ endpoint: EtcdEndpoint, _ path: String, _ body: String, within limit: TimeAmount
    ) async throws -> EtcdResponse {
        try await loop.flatSubmit { begin(endpoint, path, body, limit) }.get()
    }

    private func begin(
        _ endpoint: EtcdEndpoint, _ path: String, _ body: String, _ limit: TimeAmount
    ) -> EventLoopFuture<EtcdResponse> {
        let answer = loop.makePromise(of: EtcdResponse.self)
        let late = loop.scheduleTask(in: limit) {
            answer.fail(
                EtcdTransportError.noAnswer(milliseconds: limit.nanoseconds / 1_000_000))
        }
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if endpoint.isSecure {
                        guard let context else { throw EtcdTransportError.noCertificates }
                        try pipeline.addHandler(tls(context, endpoint))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(
                        EtcdExchangeHandler(endpoint, path, body, answer))
                }
            }
        let connecting: EventLoopFuture<any Channel>
        if let address = try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port) {
            connecting = bootstrap.connect(to: address)
        } else {
            connecting = bootstrap.connect(host: endpoint.host, port: endpoint.port)
        }
        connecting.whenFailure { answer.fail($0) }
        answer.futureResult.whenComplete { _ in
            late.cancel()
            connecting.whenSuccess { $0.close(promise: nil) }
        }
        return answer.futureResult
    }

    /// A name is checked against the certificate's names, an address against its addresses.
    private func tls(
        _ context: NIOSSLContext, _ endpoint: EtcdEndpoint
    ) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: context, serverHostname: isAddress ? nil : endpoint.host)
    }
}

/// Sends one request and collects its answer.
private final class EtcdExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let endpoint: EtcdEndpoint
    private let path: String
    private let text: String
    private let answer: EventLoopPromise<EtcdResponse>
    private var status = 0
    private var body: [UInt8] = []

    init(
        _ endpoint: EtcdEndpoint, _ path: String, _ text: String,
        _ answer: EventLoopPromise<EtcdResponse>
    ) {
        self.endpoint = endpoint
        self.path = path
        self.text = text
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path)
        head.headers.add(name: "host", value: endpoint.authority)
        head.headers.add(name: "content-type", value: "application/json")
        head.headers.add(name: "content-length", value: String(text.utf8.count))
        head.headers.add(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = context.channel.allocator.buffer(string: text)
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= EtcdTransport.bodyBytesMax else {
                answer.fail(EtcdTransportError.tooLong)
                return
            }
            body += bytes.readableBytesView
        case .end: answer.succeed(EtcdResponse(status: status, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(EtcdTransportError.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }
}
