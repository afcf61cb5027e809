// The Link on a NIO channel: bytes in, frames to the venue, frames out.

import Follower
import History
import Link
import Logging
import NIOCore
import Terms

/// The client's end of one connection to matchd.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let venue: Venue
    private var decoder = LinkDecoder()
    private var context: ChannelHandlerContext?
    private var isHeldBack = false
    private var isFlushDue = false
    /// Whether matchd greeted on this connection.
    private(set) var isWelcomed = false
    private(set) var fault: LinkFault?

    init(venue: Venue) { self.venue = venue }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        venue.link = self
        send(.hello(LinkHello(wantsAcks: false, name: venue.options.name)))
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        venue.disconnected()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        unsafe buffer.withUnsafeReadableBytes { unsafe decoder.receive($0) }
        drain(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        stop(.reconnect("\(error)"), context)
    }

    /// Takes frames while the history keeps up; else waits and reads no more from matchd.
    private func drain(_ context: ChannelHandlerContext) {
        guard fault == nil, !isHeldBack else { return }
        do {
            while let frame = try decoder.next() {
                try venue.receive(frame)
                if case .welcome = frame { isWelcomed = true }
                if let replica = venue.replica, replica.feed.isBackedUp {
                    holdBack(context)
                    break
                }
            }
        } catch let error as LinkFault {
            stop(error, context)
        } catch {
            stop(.reconnect("\(error)"), context)
        }
        flush()
    }

    private func holdBack(_ context: ChannelHandlerContext) {
        isHeldBack = true
        context.channel.setOption(ChannelOptions.autoRead, value: false).whenFailure { _ in }
        if let fault = venue.replica?.history.fault {
            venue.log.error("the feed waits for the history: \(fault)")
        }
        retry(context)
    }

    private func retry(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { [self] in
            guard self.context != nil, let replica = venue.replica else { return }
            guard replica.feed.flush() else { return retry(context) }
            isHeldBack = false
            context.channel.setOption(ChannelOptions.autoRead, value: true).whenFailure { _ in }
            drain(context)
        }
    }

    private func stop(_ fault: LinkFault, _ context: ChannelHandlerContext) {
        if self.fault == nil { self.fault = fault }
        context.close(promise: nil)
    }

    /// Writes a frame behind what waits to be sent.
    func send(_ frame: LinkFrame) { venue.pending.out.append(frame) }

    /// Sends what waits when this turn of the loop is done: commands of one turn go together.
    func flushSoon() {
        guard let context, !isFlushDue else { return }
        isFlushDue = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushDue = false
            flush()
        }
    }

    /// Sends what waits.
    func flush() {
        guard let context, !venue.pending.out.isEmpty else { return }
        let bytes = venue.pending.out.take()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
