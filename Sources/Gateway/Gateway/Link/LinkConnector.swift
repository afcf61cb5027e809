// Keeps a connection to matchd, and restores it after a loss.

import Follower
import Link
import Logging
import NIOCore

/// Connects, and reconnects with a growing pause after a loss.
///
/// Of two hosts it stays with the one that leads. After a loss it tries the other one, unless only
/// a new term has begun. It leaves a host that does not lead at once if it has not tried the other
/// yet; else it follows that host for a second, as it may be about to lead, and then asks again.
final class LinkConnector {
    private let places: [LinkPlace]
    private var choice: PlaceChoice
    private let session: MatchdSession
    private let dispatcher: FrameDispatcher
    private let eventLoop: any EventLoop
    private let log: Logger
    /// Called when no new connection can help.
    private let fail: (String) -> Void
    private var channel: (any Channel)?
    private var pauseMilliseconds: Int64 = 0
    private var isStopped = false
    /// Why the last connection to each place failed or ended.
    private var losses: [String?]
    /// The reasons logged since a connection worked, so that a matchd that stays away does not
    /// fill the log.
    private var reasons: Set<String> = []

    /// The longest pause between two attempts.
    private static var pauseMillisecondsMax: Int64 { 1_000 }

    init(
        places: [LinkPlace], session: MatchdSession, dispatcher: FrameDispatcher,
        eventLoop: any EventLoop, log: Logger, fail: @escaping (String) -> Void
    ) {
        (self.places, self.session, self.dispatcher) = (places, session, dispatcher)
        (self.eventLoop, self.log, self.fail) = (eventLoop, log, fail)
        losses = places.map { _ in nil }
        choice = PlaceChoice(count: places.count)
    }

    /// Why there is no connection, in one line, with a clause for each place that was tried.
    var lossText: String {
        zip(places, losses).compactMap { place, loss in
            loss.map { places.count > 1 ? "\(place.name): \($0)" : $0 }
        }.joined(separator: "; ")
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
        let number = choice.current
        let (place, patience) = (places[number], choice.attempt())
        let handler = LinkHandler(
            session: session, dispatcher: dispatcher,
            watch: place.isRemote ? LinkWatch(host: place.name, patience: patience) : nil)
        let attempt: EventLoopFuture<any Channel>
        do { attempt = try place.connect(eventLoop, handler) } catch {
            return lost("this gateway's certificates cannot be used: \(error)", at: number)
        }
        attempt.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .failure(let error):
                choice.skip()
                lost("cannot reach matchd at \(place.name): \(error)", at: number)
            case .success(let channel):
                self.channel = channel
                channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
                    closed(handler, at: number)
                }
                if isStopped { channel.close(promise: nil) }
            }
        }
    }

    private func closed(_ handler: LinkHandler, at number: Int) {
        channel = nil
        if handler.isWelcomed {
            // The connection had worked: this loss is a new one.
            pauseMilliseconds = 0
            losses = places.map { _ in nil }
            if handler.watch?.isLeading ?? true { reasons = [] }
        }
        if let watch = handler.watch { choice.leave(watch) }
        switch handler.error {
        case .fatal(let text): fail(text)
        case .reconnect(let text): lost(text, at: number)
        case nil: lost("matchd closed the connection", at: number)
        }
    }

    private func lost(_ reason: String, at number: Int) {
        guard !isStopped else { return }
        losses[number] = reason
        if reasons.count < 16, reasons.insert(reason).inserted {
            log.warning("\(reason); trying again")
        }
        session.closed()
        pauseMilliseconds = min(max(50, pauseMilliseconds * 2), Self.pauseMillisecondsMax)
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pauseMilliseconds)) {
            [self] in connect()
        }
    }
}
