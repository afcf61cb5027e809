// Keeps a connection to matchd, however often it goes away.

import Follower
import Link
import Logging
import NIOCore
import NIOPosix

/// Connects, and connects again with a growing pause after a loss.
final class LinkConnector {
    private let venue: Venue
    private var channel: (any Channel)?
    private var pauseMilliseconds: Int64 = 0
    private var isStopped = false
    /// The last reason that was logged, so that a matchd that stays away fills no log.
    private var lastReason = ""

    /// The longest pause between two attempts.
    private static var pauseMillisecondsMax: Int64 { 1_000 }

    init(venue: Venue) { self.venue = venue }

    /// Begins to connect.
    func start() { connect() }

    /// Closes the connection and makes no other.
    func stop() {
        isStopped = true
        channel?.close(promise: nil)
    }

    private func connect() {
        guard !isStopped else { return }
        let handler = LinkHandler(venue: venue)
        let bound = NIOLoopBound(handler, eventLoop: venue.eventLoop)
        let attempt = ClientBootstrap(group: venue.eventLoop)
            .connectTimeout(.seconds(2))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(unixDomainSocketPath: venue.options.linkSocket)
        attempt.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .failure(let error):
                lost("cannot reach matchd at \(venue.options.linkSocket): \(error)")
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
            // It had been well: this loss is a new story.
            pauseMilliseconds = 0
            lastReason = ""
        }
        switch handler.fault {
        case .fatal(let text): venue.fail(text)
        case .reconnect(let text): lost(text)
        case nil: lost("matchd closed the connection")
        }
    }

    private func lost(_ reason: String) {
        guard !isStopped else { return }
        if reason != lastReason {
            venue.log.warning("\(reason); trying again")
            lastReason = reason
        }
        if venue.pending.lanes.isConnected { venue.disconnected() }
        pauseMilliseconds = min(max(50, pauseMilliseconds * 2), Self.pauseMillisecondsMax)
        venue.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pauseMilliseconds)) {
            [self] in connect()
        }
    }
}
