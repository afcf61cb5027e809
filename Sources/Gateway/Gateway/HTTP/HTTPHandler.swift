// Requests in, replies out, one at a time on each connection. While a client does not take its
// replies, its requests wait and nothing is read from it. Whoever sends no whole request for long,
// byte by byte or not at all, loses the connection.

import NIOCore
import NIOHTTP1
import Platform
import SpotAPI

/// The last handler of an HTTP connection.
final class HTTPHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A complete request.
    private struct Request {
        let head: HTTPRequestHead
        var body = ByteBuffer()
        var isTooLarge = false
    }

    private let front: Front
    /// The other end of the connection: the client, or a proxy.
    private let peer: String
    /// Whom limits count for the request that is being answered.
    private var address: String
    /// Whether that is whom a proxy named.
    private var isForwarded = false
    /// The handlers of HTTP; they are removed when the connection becomes a WebSocket.
    private let http: [any RemovableChannelHandler]
    /// Counts what is buffered for this client.
    private let buffer: ClientBuffer
    /// What came after a request for a WebSocket, while the handlers change.
    private var held: [NIOAny]?
    /// The request that is being read.
    private var partial: Request?
    /// Pipelined requests that wait for their turn.
    private var waiting = CircularBuffer<Request>()
    /// Whether a request is without its reply.
    private var isAnswering = false
    private var isServing = false
    private var isReadDue = false
    /// No more requests are read: the connection ends after the replies to those that wait.
    private var isEnding = false
    /// The reply to malformed input; it is the connection's last.
    private var malformed: Reply?
    private var isOpen = true
    /// The last reply was sent, and the client should close.
    private var isLingering = false
    /// When the next request must be here as a whole; nil while one is being answered.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?

    init(
        front: Front, peer: String, http: [any RemovableChannelHandler], buffer: ClientBuffer
    ) {
        (self.front, self.peer, self.http, self.buffer) = (front, peer, http, buffer)
        address = front.holder(peer, forwarded: [])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        expect(within: front.options.firstRequestSeconds, context)
    }

    /// Has the connection end unless a whole request is here by then.
    private func expect(within seconds: Int64, _ context: ChannelHandlerContext) {
        let time = NIODeadline.now() + .seconds(seconds)
        deadline = time
        // One that runs looks at the deadline as it is by then.
        if timer == nil { watch(context, at: time) }
    }

    private func watch(_ context: ChannelHandlerContext, at time: NIODeadline) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: time) { [self] in
            timer = nil
            guard let deadline else { return }
            if deadline <= .now() {
                drop(context)
            } else {
                watch(context, at: deadline)
            }
        }
    }

    /// Closes; what still comes meanwhile, as TLS takes its time for that, is not done.
    private func drop(_ context: ChannelHandlerContext) {
        (isOpen, isEnding) = (false, true)
        waiting.removeAll()
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline = nil
        timer?.cancel()
        // Nothing holds reads back any longer.
        if isReadDue { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        waiting.removeAll()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if held != nil {
            held?.append(data)
            return
        }
        guard !isEnding else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard waiting.count < front.options.pipelinedMax else { return end(context) }
            partial = Request(head: head)
            if head.headers.first(name: "expect")?.lowercased() == "100-continue",
                !isAnswering, waiting.isEmpty
            {
                let go = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
            }
        case .body(var part): add(&part)
        case .end:
            guard let request = partial else { return }
            partial = nil
            waiting.append(request)
            serve(context)
        }
    }

    private func add(_ part: inout ByteBuffer) {
        guard var request = partial, !request.isTooLarge else { return }
        // With a single owner the body grows in place.
        partial = nil
        if request.body.readableBytes + part.readableBytes > front.options.bodyBytesMax {
            request.isTooLarge = true
            buffer.remove(request.body.readableBytes)
            request.body = ByteBuffer()
        } else {
            buffer.add(part.readableBytes)
            request.body.writeBuffer(&part)
        }
        partial = request
    }

    /// Reads no more requests.
    private func end(_ context: ChannelHandlerContext) {
        isEnding = true
        partial = nil
        serve(context)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead(context) { context.read() } else { isReadDue = true }
    }

    private func mayRead(_ context: ChannelHandlerContext) -> Bool {
        isLingering || !isAnswering && waiting.isEmpty && !isEnding && context.channel.isWritable
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        serve(context)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, !isEnding, held == nil else { return drop(context) }
        malformed = Reply(.illegal("request", range: "HTTP/1.1"))
        end(context)
    }

    /// Serves waiting requests one after the other, as long as the client takes the replies.
    private func serve(_ context: ChannelHandlerContext) {
        // An immediate reply reenters here: the loop below continues with the next request.
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        while isOpen, !isAnswering, held == nil, context.channel.isWritable,
            let request = waiting.popFirst()
        {
            isAnswering = true
            deadline = nil
            buffer.remove(request.body.readableBytes)
            take(request, context)
        }
        guard isOpen, !isAnswering, held == nil, waiting.isEmpty else { return }
        if let malformed {
            send(malformed, keepAlive: false, isHead: false, context)
        } else if isReadDue, mayRead(context) {
            isReadDue = false
            context.read()
        }
    }

    private func take(_ request: Request, _ context: ChannelHandlerContext) {
        let head = request.head
        if isForwarded || !front.options.proxies.isEmpty {
            address = front.holder(peer, forwarded: head.headers["x-forwarded-for"])
            isForwarded = address != front.holder(peer, forwarded: [])
        }
        let keepAlive =
            head.isKeepAlive && !request.isTooLarge && !WebSocketUpgrade.isAnyAsked(head)
        let answer: (Reply) -> Void = { [self] reply in
            send(reply, keepAlive: keepAlive, isHead: head.method == .HEAD, context)
        }
        if request.isTooLarge {
            return answer(Reply(APIError(-1100, "The request's body is too large.", status: 413)))
        }
        if WebSocketUpgrade.isAsked(head), !front.isStopping {
            if front.memory.isFull { return answer(Reply(.overloaded)) }
            do throws(APIError) {
                try front.limiter.checkBan(address, now: Clock.realtimeMillis())
            } catch { return answer(Reply(error)) }
            if isForwarded {
                let client = address
                guard front.connections.openForwarded(client, front.options) else {
                    return answer(Reply(.overloaded))
                }
                let front = front
                context.channel.closeFuture.assumeIsolated().whenComplete { _ in
                    front.connections.closeForwarded(client)
                }
            }
            return upgrade(head, context, refuse: answer)
        }
        guard let body = String(validating: request.body.readableBytesView, as: UTF8.self) else {
            return answer(Reply(.illegal("body", range: "UTF-8")))
        }
        // Its reply is that of GET without the body (RFC 9110, 9.3.2).
        let name = head.method == .HEAD ? "GET" : head.method.rawValue
        guard let method = Endpoint.Method(rawValue: name) else {
            return answer(
                Reply(APIError(-1000, "Method not allowed for this endpoint.", status: 405)))
        }
        let split = head.uri.firstIndex(of: "?")
        front.route(
            Call.Request(
                method: method, path: String(head.uri[..<(split ?? head.uri.endIndex)]),
                query: split.map { String(head.uri[head.uri.index(after: $0)...]) } ?? "",
                body: body, apiKey: head.headers.first(name: "X-MBX-APIKEY"),
                timeUnit: head.headers.first(name: "X-MBX-TIME-UNIT"), address: address),
            finish: answer)
    }

    private func send(
        _ reply: Reply, keepAlive: Bool, isHead: Bool, _ context: ChannelHandlerContext
    ) {
        isAnswering = false
        guard isOpen else { return }
        let isLast =
            !keepAlive || front.isStopping || isEnding && waiting.isEmpty && malformed == nil
        var headers = HTTPHeaders()
        headers.reserveCapacity(10)
        headers.add(name: "content-type", value: "application/json;charset=UTF-8")
        headers.add(name: "content-length", value: String(reply.body.count))
        headers.add(name: "cache-control", value: "no-store")
        let weight = String(front.limiter.weight(address))
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
        guard isLast else {
            expect(within: front.options.idleSeconds, context)
            return serve(context)
        }
        (isOpen, isEnding) = (false, true)
        waiting.removeAll()
        done.assumeIsolated().whenComplete { [self] _ in linger(context) }
    }

    /// Ends the connection so that its last reply arrives: with unread input at the close, the
    /// system would discard data under way. Further input is dropped for a short time.
    private func linger(_ context: ChannelHandlerContext) {
        isLingering = true
        context.close(mode: .output, promise: nil)
        if isReadDue { context.read() }
        context.eventLoop.assumeIsolated().scheduleTask(
            in: .milliseconds(front.options.lingerMilliseconds)
        ) { context.close(promise: nil) }
    }

    // MARK: WebSocket

    /// Accepts the WebSocket and changes the handlers, or refuses an invalid request.
    private func upgrade(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext, refuse: @escaping (Reply) -> Void
    ) {
        let upgrade = WebSocketUpgrade(front.streams, front.eventLoop)
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
