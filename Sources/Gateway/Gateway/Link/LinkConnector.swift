// Keeps a connection to matchd, and restores it after a loss.

import Follower
import Link
import Logging
import NIOCore
import NIOPosix

/// Connects, and reconnects with a growing pause after a loss.
final class LinkConnector {
    private let socket: String
    private let session: MatchdSession
    private let dispatcher: FrameDispatcher
    private let eventLoop: any EventLoop
    private let log: Logger
    /// Called when no new connection can help.
    private let fail: (String) -> Void
    private var channel: (any Channel)?
    private var pauseMilliseconds: Int64 = 0
    private var isStopped = false
    /// The last logged reason, so that a matchd that stays away does not fill the log.
    private var lastReason = ""

    /// The longest pause between two attempts.
    private static var pauseMillisecondsMax: Int64 { 1_000 }

    init(
        socket: String, session: MatchdSession, dispatcher: FrameDispatcher,
        eventLoop: any EventLoop, log: Logger, fail: @escaping (String) -> Void
    ) {
        (self.socket, self.session, self.dispatcher) = (socket, session, dispatcher)
        (self.eventLoop, self.log, self.fail) = (eventLoop, log, fail)
    }

    /// Starts to connect.
    func start() { connect() }

    /// Closes the connection and makes no other.
    func stop() {
        isStopped = true
        channel?.close(promise: nil)
    }

    private func connect() {
        guard !isStopped else { return }
        let handler = LinkHandler(session: session, dispatcher: dispatcher)
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let attempt = ClientBootstrap(group: eventLoop).connectTimeout(.seconds(2))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }.connect(unixDomainSocketPath: socket)
        attempt.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .failure(let error):
                lost("cannot reach matchd at \(socket): \(error)")
            case .success(let channel):
                self.channel = channel
                channel.closeFuture.assumeIsolated().whenComplete { [self] _ in closed(handler) }
                if isStopped { channel.close(promise: nil) }
            }
        }
    }

    private func closed(_ handler: LinkHandler) {
        channel = nil
        if handler.isWelcomed {
            // The connection had worked: this loss is a new one.
            pauseMilliseconds = 0
            lastReason = ""
        }
        switch handler.error {
        case .fatal(let text): fail(text)
        case .reconnect(let text): lost(text)
        case nil: lost("matchd closed the connection")
        }
    }

    private func lost(_ reason: String) {
        guard !isStopped else { return }
        if reason != lastReason {
            log.warning("\(reason); trying again")
            lastReason = reason
        }
        session.closed()
        pauseMilliseconds = min(max(50, pauseMilliseconds * 2), Self.pauseMillisecondsMax)
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pauseMilliseconds)) {
            [self] in connect()
        }
    }
}
