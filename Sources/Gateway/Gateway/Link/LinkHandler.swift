// The Link on a NIO channel: from bytes to frames, as fast as the history keeps up.

import Follower
import Link
import NIOCore

/// The client's end of one connection to matchd.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let session: MatchdSession
    private let dispatcher: FrameDispatcher
    /// Watches whether this host is the one to follow; nil: there is no other.
    private(set) var watch: LinkWatch?
    private var decoder = LinkDecoder()
    private var isActive = false
    private var isHeldBack = false
    /// Whether matchd has sent its welcome on this connection.
    private(set) var isWelcomed = false
    /// Why this side closed the connection; nil: it did not.
    private(set) var error: MatchdSessionError?

    init(session: MatchdSession, dispatcher: FrameDispatcher, watch: LinkWatch?) {
        (self.session, self.dispatcher, self.watch) = (session, dispatcher, watch)
    }

    func channelActive(context: ChannelHandlerContext) {
        isActive = true
        session.opened(context.channel)
        if watch != nil { keepWatch(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isActive = false
        session.closed()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        watch?.heard()
        unsafe buffer.withUnsafeReadableBytes { unsafe decoder.receive($0) }
        drain(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        stop(.reconnect(LinkPlace.words(error)), context)
    }

    /// Takes frames while the history keeps up; while it does not, reads nothing from matchd.
    private func drain(_ context: ChannelHandlerContext) {
        guard error == nil, !isHeldBack else { return }
        do {
            while let frame = try decoder.next() {
                try watch?.receive(frame)
                try dispatcher.receive(frame)
                if case .welcome = frame { welcomed(context) }
                if let replica = dispatcher.replica, replica.isBackedUp {
                    holdBack(replica, context)
                    break
                }
            }
        } catch let error as MatchdSessionError {
            stop(error, context)
        } catch { stop(.reconnect("\(error)"), context) }
        session.flush()
    }

    private func welcomed(_ context: ChannelHandlerContext) {
        isWelcomed = true
        guard let watch, watch.isLeading == false else { return }
        let patience = TimeAmount.milliseconds(watch.patience)
        context.eventLoop.assumeIsolated().scheduleTask(in: patience) { [self] in
            if isActive, self.watch?.isLeading == false { stop(watch.doesNotLead, context) }
        }
    }

    /// Checks for silence from time to time as long as the connection is open.
    private func keepWatch(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(250)) { [self] in
            guard isActive, error == nil else { return }
            if isHeldBack { watch?.heard() }
            do throws(MatchdSessionError) { try watch?.checkSilence() } catch {
                return stop(error, context)
            }
            keepWatch(context)
        }
    }

    private func holdBack(_ replica: GatewayReplica, _ context: ChannelHandlerContext) {
        isHeldBack = true
        context.channel.setOption(ChannelOptions.autoRead, value: false).whenFailure { _ in }
        replica.reportWait()
        retry(replica, context)
    }

    private func retry(_ replica: GatewayReplica, _ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { [self] in
            guard isActive else { return }
            guard replica.flush() else { return retry(replica, context) }
            isHeldBack = false
            context.channel.setOption(ChannelOptions.autoRead, value: true).whenFailure { _ in }
            drain(context)
        }
    }

    private func stop(_ error: MatchdSessionError, _ context: ChannelHandlerContext) {
        if self.error == nil { self.error = error }
        context.close(promise: nil)
    }
}
