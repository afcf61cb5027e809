// Requests in, replies out, one at a time on each connection (the pipeline sees to that).

import NIOCore
import NIOHTTP1

/// A reply of the agent.
struct AgentReply: Sendable {
    var status: Int
    var kind: String
    var body: [UInt8]

    init(_ status: Int = 200, kind: String, _ body: [UInt8]) {
        (self.status, self.kind, self.body) = (status, kind, body)
    }
}

/// The last handler of a connection: it gets whole requests.
final class AgentHandler: ChannelInboundHandler {
    typealias InboundIn = NIOHTTPServerRequestFull
    typealias OutboundOut = HTTPServerResponsePart

    private let core: AgentCore
    private let peer: AgentPeer
    private let bodyBytesMax: Int
    /// A request that waits until the client has taken the earlier replies.
    private var waiting: NIOHTTPServerRequestFull?

    init(core: AgentCore, peer: AgentPeer, bodyBytesMax: Int) {
        (self.core, self.peer, self.bodyBytesMax) = (core, peer, bodyBytesMax)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        waiting = unwrapInboundIn(data)
        // In a turn of its own: an immediate reply brings the next request here.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let (handler, context) = bound.value
            handler.answerWaiting(context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        answerWaiting(context)
        context.fireChannelWritabilityChanged()
    }

    private func answerWaiting(_ context: ChannelHandlerContext) {
        guard context.channel.isWritable, let request = waiting else { return }
        waiting = nil
        answer(request, context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The aggregator has replied to a request beyond its limit, and closes where it has to.
        guard !(error is NIOHTTPObjectAggregatorError) else { return }
        context.close(promise: nil)
    }

    private func answer(_ full: NIOHTTPServerRequestFull, _ context: ChannelHandlerContext) {
        let (keepsAlive, isHead) = (full.head.isKeepAlive, full.head.method == .HEAD)
        let body = full.body.map { Array($0.readableBytesView) } ?? []
        guard body.count <= bodyBytesMax else {
            return send(.refusal(413, "the request is too large"), false, isHead, context)
        }
        let request = AgentRequest(
            method: full.head.method.rawValue, target: full.head.uri, body: body, peer: peer,
            host: full.head.headers.first(name: "host"))
        let promise = context.eventLoop.makePromise(of: AgentReply.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { reply in
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            handler.send(reply, keepsAlive, isHead, context)
        }
        core.answer(request) { promise.succeed($0) }
    }

    private func send(
        _ reply: AgentReply, _ keepsAlive: Bool, _ isHead: Bool, _ context: ChannelHandlerContext
    ) {
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: reply.kind)
        headers.add(name: "content-length", value: String(reply.body.count))
        headers.add(name: "cache-control", value: "no-store")
        headers.add(name: "x-content-type-options", value: "nosniff")
        headers.add(name: "referrer-policy", value: "no-referrer")
        headers.add(name: "content-security-policy", value: AgentPages.policy)
        if !keepsAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: reply.status),
            headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead {
            let body = context.channel.allocator.buffer(bytes: reply.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let done = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if !keepsAlive { done.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
    }
}
