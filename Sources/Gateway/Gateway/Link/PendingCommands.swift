// Commands in flight, and the clients that wait for them.

package import Engine
import Follower
import Link
package import SpotAPI
package import Terms
package import Wire

/// A command of ours that is in the log.
package struct AppliedCommand {
    package let header: RecordHeader
    package let outcome: Outcome
    /// Its events, and those of later records that continued its work.
    package var events: [Event]
    /// When the last of them happened, ns since 1970 on the log's clock.
    package var timestamp: Int64
    /// Why the cancel of a cancel-replace was refused, or `.none`.
    package var cancelRefusal = Refusal.none
}

/// When a command is answered.
package enum AnswerTime {
    /// When its own record was applied.
    case atOnce
    /// When the order that it placed is no longer in flight.
    case atLanding
    /// When all orders that it is to cancel have ended.
    case afterMassCancel(MassCancel)
}

/// Submits commands exactly once and answers each when its record was applied here, when it is
/// known that it never will be, or when its time is over. Time is an argument: `now` in
/// milliseconds of a clock that only goes forward, `host` in nanoseconds since 1970 on this host's
/// clock.
///
/// Pure: frames go into `out`, answers are returned, and the owner sends both.
package struct PendingCommands {
    /// Where a client's answer goes.
    package typealias Done = (Result<AppliedCommand, APIError>) -> Void

    /// An answer that is due.
    package struct Answer {
        let done: Done
        package let result: Result<AppliedCommand, APIError>

        /// Sends it; commands that the client submits from there are later ones.
        package func send() { done(result) }
    }

    /// A client whose command is not in the log yet.
    private struct Waiting {
        /// When it times out.
        let until: Int64
        /// When its command was sent.
        let sent: Int64
        let time: AnswerTime
        /// The cancel of a cancel-replace.
        let cancel: Cancel?
        let done: Done
    }

    /// A client whose command was applied and continues with later records.
    fileprivate struct Following {
        let until: Int64
        let done: Done
        var applied: AppliedCommand
        /// Whose orders a mass cancel ends; nil for an order in flight.
        let massCancel: MassCancel?
        /// The order in flight, or what is still to end.
        var orders: Set<OrderID>
    }

    private(set) var lanes: Lanes
    /// Frames to send to matchd.
    var out = LinkEncoder()
    /// The log's clock, compared with this host's.
    private(set) var clock = LogOffset()
    private var waiting: [UInt64: Waiting] = [:]
    private var following: [Following] = []
    /// The earliest time at which a client times out.
    private var nextExpiry = Int64.max
    private var lastTicket: UInt64 = 0

    /// Milliseconds after a command's deadline in which its answer may still come: it may have been
    /// sequenced at the last moment.
    static var graceMilliseconds: Int64 { 500 }

    /// Maximum number of events kept for answers that wait, about 80 MB.
    static var eventsMax: Int { 262_144 }

    init(name: Text40, capacity: Int) { lanes = Lanes(name: name, capacity: capacity) }

    /// Whether commands for any instrument can be sent now.
    var isOpen: Bool { lanes.isOpen }

    /// Clients that wait.
    var waitingCount: Int { waiting.count + following.count }

    /// Submits a command whose deadline is `lifetime` milliseconds ahead. Throws where it can't be
    /// sent now: then nothing was done.
    mutating func submit(
        _ payload: some InstrumentCommand, _ time: AnswerTime, cancel: Cancel? = nil,
        lifetime: Int64, now: Int64, host: Int64, _ done: @escaping Done
    ) throws(APIError) {
        lastTicket += 1
        try lanes.submit(payload, tag: lastTicket, &out)
        let until = now + max(0, lifetime) + Self.graceMilliseconds
        waiting[lastTicket] = Waiting(
            until: until, sent: host, time: time, cancel: cancel, done: done)
        nextExpiry = min(nextExpiry, until)
    }

    mutating func connected() { lanes.connected(&out) }

    /// Opens lanes for so many instruments, where there are none yet.
    mutating func open(instruments: Int) { lanes.open(instruments, &out) }

    mutating func disconnected() {
        lanes.disconnected()
        out.removeAll()
    }

    /// Takes a record of the log, which `engine` applied last; returns the answers it
    /// decides.
    mutating func applied(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine, host: Int64
    ) -> [Answer] {
        clock.observe(stamp: header.timestamp, host: host)
        let resolved = unsafe lanes.applied(header, record, outcome, &out)
        if resolved.isEmpty, following.isEmpty { return [] }
        let events = unsafe engine.withEvents { unsafe Array($0) }
        var answers = goOn(events, engine)
        for one in resolved {
            guard let client = waiting.removeValue(forKey: one.tag) else { continue }
            if one.outcome.refusal == .sessionUnknown {
                answers.append(Answer(done: client.done, result: .failure(.matchingUnavailable)))
                continue
            }
            clock.observe(stamp: header.timestamp, sent: client.sent, host: host)
            var applied = AppliedCommand(
                header: header, outcome: one.outcome, events: events, timestamp: engine.timestamp)
            if let cancel = client.cancel {
                applied.cancelRefusal = Self.refusal(of: cancel, engine)
            }
            if !follow(applied, client, engine) {
                answers.append(Answer(done: client.done, result: .success(applied)))
            }
        }
        return answers
    }

    /// Takes an acknowledgement; returns the answers it decides.
    mutating func acked(_ ack: LinkAck) -> [Answer] {
        lanes.acked(ack, &out).compactMap { one in
            guard let client = waiting.removeValue(forKey: one.tag) else { return nil }
            // It is not in the log, and never will be.
            let error: APIError =
                [.none, .sessionUnknown].contains(one.outcome.refusal)
                ? .matchingUnavailable : APIError(one.outcome.refusal)
            return Answer(done: client.done, result: .failure(error))
        }
    }

    /// Gives up on commands that have waited too long; returns their answers.
    mutating func expire(now: Int64) -> [Answer] {
        guard now >= nextExpiry else { return [] }
        var answers: [Answer] = []
        for (ticket, client) in waiting where client.until <= now {
            waiting[ticket] = nil
            answers.append(Answer(done: client.done, result: .failure(.timeout)))
        }
        for client in following where client.until <= now { answers.append(client.answerNow) }
        following.removeAll { $0.until <= now }
        nextExpiry = min(
            waiting.values.reduce(.max) { min($0, $1.until) },
            following.reduce(.max) { min($0, $1.until) })
        return answers
    }

    // MARK: Commands over several records

    /// Keeps a client whose command continues with later records; false where it does not.
    private mutating func follow(
        _ applied: AppliedCommand, _ client: Waiting, _ engine: borrowing Engine
    ) -> Bool {
        guard applied.outcome.refusal == .none else { return false }
        var orders: Set<OrderID> = []
        var massCancel: MassCancel?
        switch client.time {
        case .atOnce: return false
        case .atLanding:
            let order = OrderID(applied.outcome.id)
            if engine.isInFlight(order) { orders.insert(order) }
        case .afterMassCancel(let command):
            massCancel = command
            engine.forEachOrder(of: command.account) { order in
                if order.instrument == command.instrument { orders.insert(order.order) }
            }
            // Orders that an earlier mass cancel ends belong to that one.
            for earlier in following
            where earlier.massCancel?.account == command.account
                && earlier.massCancel?.instrument == command.instrument
            {
                orders.subtract(earlier.orders)
            }
        }
        if orders.isEmpty { return false }
        following.append(
            Following(
                until: client.until, done: client.done, applied: applied, massCancel: massCancel,
                orders: orders))
        nextExpiry = min(nextExpiry, client.until)
        return true
    }

    /// Takes the events of a record for those who follow; returns the answers it decides.
    private mutating func goOn(_ events: [Event], _ engine: borrowing Engine) -> [Answer] {
        if following.isEmpty { return [] }
        var answers: [Answer] = []
        for index in following.indices {
            if following[index].massCancel == nil {
                following[index].takeFlight(events)
                following[index].orders = following[index].orders.filter { order in
                    engine.isInFlight(order)
                }
            } else {
                following[index].takeEnds(events)
            }
            following[index].applied.timestamp = engine.timestamp
            if following[index].orders.isEmpty {
                let client = following[index]
                answers.append(Answer(done: client.done, result: .success(client.applied)))
            }
        }
        if following.reduce(0, { $0 + $1.applied.events.count }) > Self.eventsMax {
            for client in following where !client.orders.isEmpty {
                answers.append(client.answerNow)
            }
            following.removeAll()
        }
        following.removeAll { $0.orders.isEmpty }
        return answers
    }

    /// Why a cancel that is not in effect was refused: its order, which is still there, shows it.
    private static func refusal(of cancel: Cancel, _ engine: borrowing Engine) -> Refusal {
        var cancel = cancel
        if engine.refusal(of: cancel) == .none { return .none }
        cancel.restriction = .none
        return engine.refusal(of: cancel) == .none ? .cancelRestricted : .orderUnknown
    }
}

extension PendingCommands.Following {
    /// The answer where it can wait no longer: an order is reported as far as it is; what a mass
    /// cancel ends is not known yet.
    fileprivate var answerNow: PendingCommands.Answer {
        .init(done: done, result: massCancel == nil ? .success(applied) : .failure(.timeout))
    }

    /// Keeps what concerns the order in flight.
    fileprivate mutating func takeFlight(_ events: [Event]) {
        for event in events {
            switch event {
            case .orderEnded(let order, _), .orderAmended(let order, oldPrice: _):
                if orders.contains(order.order) { applied.events.append(event) }
            case .trade(let trade):
                if orders.contains(trade.taker.order) { applied.events.append(event) }
            default: break
            }
        }
    }

    /// Keeps what the mass cancel ended, and forgets what ended otherwise.
    fileprivate mutating func takeEnds(_ events: [Event]) {
        for event in events {
            switch event {
            case .orderEnded(let order, let reason):
                if orders.remove(order.order) != nil, reason == .massCancel {
                    applied.events.append(event)
                }
            case .trade(let trade):
                for fill in [trade.maker, trade.taker] where fill.status == .filled {
                    orders.remove(fill.order)
                }
            default: break
            }
        }
    }
}
