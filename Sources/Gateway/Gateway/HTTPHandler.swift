// Requests in, replies out, one at a time on each connection (the pipeline sees to that).

import NIOCore
import NIOHTTP1
import SpotAPI

/// The last handler of an HTTP connection.
final class HTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let venue: Venue
    private let address: String
    /// The handlers that make this HTTP; they go when the connection becomes a WebSocket.
    private let http: [any RemovableChannelHandler]
    /// What came behind a request for a WebSocket, while the handlers change.
    private var held: [NIOAny]?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isTooLarge = false
    private var isOpen = true

    init(venue: Venue, address: String, http: [any RemovableChannelHandler]) {
        self.venue = venue
        self.address = address
        self.http = http
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if held != nil {
            held?.append(data)
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
            isTooLarge = false
            if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                let go = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
            }
        case .body(var part):
            if body.readableBytes + part.readableBytes > venue.options.bodyBytesMax {
                isTooLarge = true
                body.clear()
            } else if !isTooLarge {
                body.writeBuffer(&part)
            }
        case .end:
            guard let head else { return }
            self.head = nil
            take(head, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func take(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let keepAlive = head.isKeepAlive && !isTooLarge && !WebSocketUpgrade.isAnyAsked(head)
        let answer: (Reply) -> Void = { [self] reply in
            send(reply, keepAlive: keepAlive, isHead: head.method == .HEAD, context)
        }
        if isTooLarge {
            return answer(Reply(APIError(-1100, "The request's body is too large.", status: 413)))
        }
        if WebSocketUpgrade.isAsked(head), !venue.isStopping {
            return upgrade(head, context, refuse: answer)
        }
        guard let body = String(validating: body.readableBytesView, as: UTF8.self) else {
            return answer(Reply(.illegal("body", range: "UTF-8")))
        }
        guard let method = Endpoint.Method(rawValue: head.method.rawValue) else {
            return answer(
                Reply(APIError(-1000, "Method not allowed for this endpoint.", status: 405)))
        }
        let split = head.uri.firstIndex(of: "?")
        venue.route(
            Call.Request(
                method: method, path: String(head.uri[..<(split ?? head.uri.endIndex)]),
                query: split.map { String(head.uri[head.uri.index(after: $0)...]) } ?? "",
                body: body, apiKey: head.headers.first(name: "X-MBX-APIKEY"), address: address),
            finish: answer)
    }

    private func send(
        _ reply: Reply, keepAlive: Bool, isHead: Bool, _ context: ChannelHandlerContext
    ) {
        guard isOpen else { return }
        let isLast = !keepAlive || venue.isStopping
        var headers = HTTPHeaders()
        headers.reserveCapacity(10)
        headers.add(name: "content-type", value: "application/json;charset=UTF-8")
        headers.add(name: "content-length", value: String(reply.body.count))
        headers.add(name: "cache-control", value: "no-store")
        let weight = String(venue.limiter.weight(address))
        headers.add(name: "x-mbx-used-weight", value: weight)
        headers.add(name: "x-mbx-used-weight-1m", value: weight)
        if let counts = reply.orderCounts {
            headers.add(name: "x-mbx-order-count-10s", value: String(counts.ten))
            headers.add(name: "x-mbx-order-count-1d", value: String(counts.day))
        }
        if let seconds = reply.retryAfterSeconds {
            headers.add(name: "retry-after", value: String(seconds))
        }
        if isLast { headers.add(name: "connection", value: "close") }
        let status = HTTPResponseStatus(statusCode: reply.status)
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead {
            let body = context.channel.allocator.buffer(bytes: reply.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let done = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if isLast { done.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
    }

    // MARK: WebSocket

    /// Agrees to the WebSocket and changes the handlers, or tells what is wrong with the request.
    private func upgrade(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext,
        refuse: @escaping (Reply) -> Void
    ) {
        let upgrade = WebSocketUpgrade(venue)
        upgrade.headers(head, context.channel).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .failure:
                refuse(Reply(APIError(-1000, "The WebSocket handshake is not valid.")))
            case .success(let headers):
                held = []
                let agreed = HTTPResponseHead(
                    version: .http1_1, status: .switchingProtocols, headers: headers)
                context.write(wrapOutboundOut(.head(agreed)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                change(upgrade, head, context)
            }
        }
    }

    private func change(
        _ upgrade: WebSocketUpgrade, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let pipeline = context.pipeline.syncOperations
        let removals = http.map { pipeline.removeHandler($0) }
        EventLoopFuture.andAllSucceed(removals, on: context.eventLoop).assumeIsolated()
            .flatMap { upgrade.addHandlers(head, context) }
            .whenComplete { [self] result in
                guard case .success = result, isOpen else {
                    context.close(promise: nil)
                    return
                }
                let waiting = held ?? []
                for data in waiting { context.fireChannelRead(data) }
                held = []
                pipeline.removeHandler(self, promise: nil)
            }
    }
}
