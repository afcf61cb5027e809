// JSON by HTTP POST to other servers, each request on a connection of its own and within its time
// limit.

internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import NIOSSL

/// What a server answered.
public struct PostResponse: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The body.
    public let body: [UInt8]
}

/// Why there is no answer.
public enum PostError: Error, Hashable, CustomStringConvertible, Sendable {
    /// None came in time.
    case noAnswer(milliseconds: Int64)
    /// The server closed the connection before its answer was whole.
    case closed
    /// The answer is longer than is read.
    case tooLong(bytesMax: Int)
    /// The endpoint is TLS, and there are no certificates for it.
    case noCertificates

    /// The reason.
    public var description: String {
        switch self {
        case .noAnswer(let milliseconds): "no answer within \(milliseconds) ms"
        case .closed: "it closed the connection"
        case .tooLong(let bytesMax): "its answer has more than \(bytesMax) bytes"
        case .noCertificates: "no certificates are set"
        }
    }
}

/// Posts requests. They are few, so each has a connection of its own, on which no other request's
/// answer can arrive.
public struct HTTPPost: Sendable {
    /// Maximum size of an answer.
    public let bodyBytesMax: Int
    private let loop: any EventLoop
    private let context: NIOSSLContext?

    /// `context` is needed for TLS only.
    public init(bodyBytesMax: Int, context: NIOSSLContext? = nil) {
        self.bodyBytesMax = bodyBytesMax
        self.context = context
        loop = MultiThreadedEventLoopGroup.singleton.any()
    }

    /// The answer to `body` at `path`; an error when none has come within `milliseconds`.
    /// `authorization` is that header's value.
    public func post(
        _ endpoint: HTTPEndpoint, _ path: String, _ body: String, authorization: String? = nil,
        milliseconds: Int64
    ) async throws -> PostResponse {
        let request = Request(
            endpoint: endpoint, path: path, body: body, authorization: authorization)
        return try await loop.flatSubmit { begin(request, .milliseconds(milliseconds)) }.get()
    }

    /// The same for a thread that has nothing else to do meanwhile. Not to be called by an event
    /// loop or a task.
    public func postAndWait(
        _ endpoint: HTTPEndpoint, _ path: String, _ body: String, authorization: String? = nil,
        milliseconds: Int64
    ) throws -> PostResponse {
        let request = Request(
            endpoint: endpoint, path: path, body: body, authorization: authorization)
        return try loop.flatSubmit { begin(request, .milliseconds(milliseconds)) }.wait()
    }

    /// One request.
    fileprivate struct Request: Sendable {
        let endpoint: HTTPEndpoint
        let path: String
        let body: String
        let authorization: String?
    }

    private func begin(
        _ request: Request, _ limit: TimeAmount
    ) -> EventLoopFuture<PostResponse> {
        let endpoint = request.endpoint
        let answer = loop.makePromise(of: PostResponse.self)
        let late = loop.scheduleTask(in: limit) {
            answer.fail(PostError.noAnswer(milliseconds: limit.nanoseconds / 1_000_000))
        }
        let bodyBytesMax = bodyBytesMax
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if endpoint.isSecure {
                        guard let context else { throw PostError.noCertificates }
                        try pipeline.addHandler(tls(context, endpoint))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(PostHandler(request, bodyBytesMax, answer))
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
        _ context: NIOSSLContext, _ endpoint: HTTPEndpoint
    ) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: context, serverHostname: isAddress ? nil : endpoint.host)
    }
}

/// Sends one request and collects its answer.
private final class PostHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPPost.Request
    private let bodyBytesMax: Int
    private let answer: EventLoopPromise<PostResponse>
    private var status = 0
    private var body: [UInt8] = []

    init(
        _ request: HTTPPost.Request, _ bodyBytesMax: Int, _ answer: EventLoopPromise<PostResponse>
    ) {
        (self.request, self.bodyBytesMax, self.answer) = (request, bodyBytesMax, answer)
    }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: request.path)
        head.headers.add(name: "host", value: request.endpoint.authority)
        head.headers.add(name: "content-type", value: "application/json")
        head.headers.add(name: "content-length", value: String(request.body.utf8.count))
        head.headers.add(name: "connection", value: "close")
        if let authorization = request.authorization {
            head.headers.add(name: "authorization", value: authorization)
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = context.channel.allocator.buffer(string: request.body)
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= bodyBytesMax else {
                answer.fail(PostError.tooLong(bytesMax: bodyBytesMax))
                return
            }
            body += bytes.readableBytesView
        case .end: answer.succeed(PostResponse(status: status, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(PostError.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }
}
