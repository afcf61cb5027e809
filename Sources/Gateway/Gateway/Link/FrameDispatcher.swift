// From matchd's frames to clients: through the session and the replica.

import Engine
import Follower
import History
import Link
import Logging
import MarketData
import Platform

/// Takes the frames of all connections to matchd, one after the other, and passes their effects to
/// clients.
final class FrameDispatcher {
    private let session: MatchdSession
    private let front: Front
    private let log: Logger
    /// Opens the history of a journal, once matchd has named it.
    private let openHistory: @Sendable (UInt64, UInt64) throws(HistoryError) -> History
    /// The replica, from the first welcome on.
    private(set) var replica: GatewayReplica?

    init(
        session: MatchdSession, front: Front, log: Logger,
        openHistory: @escaping @Sendable (UInt64, UInt64) throws(HistoryError) -> History
    ) {
        (self.session, self.front, self.log, self.openHistory) = (session, front, log, openHistory)
    }

    /// Takes a frame.
    func receive(_ frame: LinkFrame) throws(MatchdSessionError) {
        switch frame {
        case .welcome(let welcome):
            let replica = try replica(welcome)
            self.replica = replica
            front.serve(replica)
            session.welcomed(replica.subscription)
        case .acks(let acks):
            for answer in session.acked(acks) { answer.send() }
            try session.checkLanes()
        // Its state is of a branch that was cut: only a new start follows the log from there.
        case .error(let refusal) where refusal.code == .forked: throw .fatal(refusal.text)
        case .error(let refusal): throw .reconnect(refusal.text)
        default: try follow(frame)
        }
    }

    /// The replica, ready for a new connection.
    private func replica(_ welcome: LinkWelcome) throws(MatchdSessionError) -> GatewayReplica {
        if let replica {
            do throws(FollowerError) {
                try replica.reconnected(welcome)
            } catch {
                // A primary whose term is over: another one is to be had.
                if case .staleEpoch = error { throw .reconnect(error.description) }
                throw .fatal(error.description)
            }
            return replica
        }
        let history: History
        do throws(HistoryError) {
            history = try openHistory(welcome.journalHigh, welcome.journalLow)
        } catch { throw .fatal(error.description) }
        guard history.openedAt <= welcome.released else {
            // A host that follows may not know yet all that was released before it was off.
            guard welcome.role.takesCommands else {
                throw .reconnect(
                    "the history goes up to record \(history.openedAt), and this host's matchd, "
                        + "which does not lead, knows of \(welcome.released) to be released so far")
            }
            throw .fatal(
                """
                the history \(history.file) goes up to record \(history.openedAt), the journal \
                only to \(welcome.released): records were lost or another state directory was \
                restored; move the history away, and it is written anew from the journal
                """)
        }
        return GatewayReplica(welcome, history: history, eventLoop: front.eventLoop, log: log)
    }

    /// Applies a frame of the log to the replica, and passes its effects to clients.
    private func follow(_ frame: LinkFrame) throws(MatchdSessionError) {
        guard let replica else { return }
        var answers: [PendingCommands.Answer] = []
        var trades: [MarketTrade] = []
        do throws(FollowerError) {
            unsafe try replica.receive(frame) { header, bytes, outcome, engine, effects in
                front.take(effects, engine)
                trades += effects.trades
                answers += unsafe session.applied(header, bytes, outcome, engine)
            }
        } catch {
            // What was applied before the error counts.
            for answer in answers { answer.send() }
            if case .diverged = error { throw .fatal(error.description) }
            throw .reconnect(error.description)
        }
        session.open(instruments: replica.engine.instrumentCount)
        for answer in answers { answer.send() }
        front.streams.publish(trades, replica)
        try session.checkLanes()
    }
}
