// What comes from matchd: the log, and what became of our commands.

import Engine
import Follower
import History
import Link
import Logging
import MarketData
import SpotAPI
import Terms
import Wire

/// Why a connection to matchd is of no more use.
enum LinkFault: Error {
    /// A new connection may heal it.
    case reconnect(String)
    /// Nothing here can: the gateway has to stop.
    case fatal(String)
}

extension Venue {
    /// Takes a frame.
    func receive(_ frame: LinkFrame) throws(LinkFault) {
        switch frame {
        case .welcome(let welcome): try welcomed(welcome)
        case .acks(let acks):
            var answers: [() -> Void] = []
            for ack in acks { answers += pending.acked(ack) }
            for answer in answers { answer() }
            try checkSession()
        // Its state is of a branch that was cut: only a new start follows the log from there.
        case .error(let refusal) where refusal.code == .forked: throw .fatal(refusal.text)
        case .error(let refusal): throw .reconnect(refusal.text)
        default: try follow(frame)
        }
    }

    /// Begins or goes on with the replica.
    private func welcomed(_ welcome: LinkWelcome) throws(LinkFault) {
        if let replica {
            do throws(FollowerError) {
                try replica.follower.reconnected(welcome)
            } catch {
                // A primary whose term is over: another one is to be had.
                if case .staleEpoch = error { throw .reconnect(error.description) }
                throw .fatal(error.description)
            }
        } else {
            let history: History
            do throws(HistoryError) {
                history = try openHistory(welcome.journalHigh, welcome.journalLow)
            } catch {
                throw .fatal(error.description)
            }
            guard history.openedAt <= welcome.released else {
                throw .fatal(
                    """
                    the history \(history.file) goes up to record \(history.openedAt), the journal \
                    only to \(welcome.released): records were lost or another state directory was \
                    restored; move the history away, and it is written anew from the journal
                    """)
            }
            replica = Replica(welcome, history: history)
        }
        guard let link, let replica else { return }
        link.send(replica.follower.subscription)
        pending.connected()
    }

    /// Gives a frame of the log to the replica, then tells clients what came of it.
    private func follow(_ frame: LinkFrame) throws(LinkFault) {
        guard let replica else { return }
        var answers: [() -> Void] = []
        var trades: [MarketTrade] = []
        let progress: FollowerProgress
        do throws(FollowerError) {
            progress = unsafe try replica.follower.receive(frame) {
                header, bytes, outcome, engine in
                keep(header, replica, engine, &trades)
                answers += unsafe pending.applied(
                    header, bytes, outcome, engine, host: clockNanos())
            }
        } catch {
            // What was applied before the fault counts.
            for answer in answers { answer() }
            if case .diverged = error { throw .fatal(error.description) }
            throw .reconnect(error.description)
        }
        replica.feed.flush()
        pending.open(instruments: replica.follower.engine.instrumentCount)
        if case .caughtUp = progress { caughtUp(replica) }
        for answer in answers { answer() }
        streams.publish(trades, self)
        try checkSession()
    }

    /// Keeps market data, history and keys up with the record that `engine` applied last.
    private func keep(
        _ header: RecordHeader, _ replica: Replica, _ engine: borrowing Engine,
        _ trades: inout [MarketTrade]
    ) {
        guard header.sequence > replica.history.openedAt else { return }
        if !replica.marketIsReady { restoreMarket(replica, engine) }
        let isFull = replica.market.apply(header, engine)
        replica.feed.add(header, engine)
        unsafe engine.withEvents { events in
            for i in 0..<events.count {
                switch unsafe events[i] {
                case .trade(let trade): trades.append(MarketTrade(trade, time: engine.timestamp))
                case .apiKeyChanged(let keyID): keyRing.forget(keyID)
                default: break
                }
            }
        }
        // Many prices changed since the last update: it goes out before its time.
        if isFull { streams.publishDepth(.fast, &replica.market, engine) }
    }

    /// Fills market data with what the history has, which ends where the records to come begin.
    private func restoreMarket(_ replica: Replica, _ engine: borrowing Engine) {
        replica.marketIsReady = true
        let week: Int64 = 7 * 86_400_000_000_000
        let from = engine.timestamp - week
        for number in 1...max(1, engine.instrumentCount) {
            let instrument = InstrumentID(UInt16(number))
            guard engine.instrument(instrument) != nil else { continue }
            do throws(HistoryError) {
                let past = try replica.history.readNow { reader in
                    (
                        try reader.minutes(instrument, from: from, limit: 10_080),
                        try reader.marketTrades(
                            instrument, HistoryRange(limit: replica.market.limits.trades))
                    )
                }
                for minute in past.0 { replica.market.restore(minute, instrument) }
                for trade in past.1 { replica.market.restore(recent: trade) }
            } catch {
                log.error("recent trades could not be read from history: \(error)")
            }
        }
    }

    private func caughtUp(_ replica: Replica) {
        guard !isCaughtUp else { return }
        if !replica.marketIsReady {
            replica.market = MarketData(sequence: replica.follower.engine.sequence)
            restoreMarketNow(replica)
        }
        isCaughtUp = true
        log.info("caught up with the log at record \(replica.follower.engine.sequence)")
    }

    private func restoreMarketNow(_ replica: Replica) {
        restoreMarket(replica, replica.follower.engine)
    }

    /// Whether our sessions still are those that may submit.
    private func checkSession() throws(LinkFault) {
        tellRefusedLanes()
        for state in pending.lanes.states {
            switch state {
            case .opening, .open, .closed: break
            case .replaced:
                throw .fatal(
                    """
                    another gateway has opened the session \(options.name): give each its own \
                    name in [gatewayd] name
                    """)
            case .refused(let refusal):
                throw .fatal(
                    """
                    matchd refused the session \(options.name) (\(refusal)): is [limits] \
                    sessions reached? `boursectl status` shows them
                    """)
            }
        }
    }

    /// Says how many sessions matchd refused, where that changed.
    private func tellRefusedLanes() {
        let refused = pending.lanes.refusedCount
        if refused == refusedLanes { return }
        refusedLanes = refused
        if refused > 0 {
            log.warning(
                """
                matchd refused \(refused) of the sessions \(options.name)#…: markets hold each \
                other up; more sessions: `boursectl limits raise`
                """)
        }
    }

    /// The connection to matchd was lost.
    func disconnected() {
        link = nil
        pending.disconnected()
    }
}
