// Commands on their way into the log, and the clients that wait for them.

import Engine
import Follower
import Link
import SpotAPI
import Terms
import Wire

/// What the log did with one of our commands.
struct Applied {
    let header: RecordHeader
    let outcome: Outcome
    let events: [Event]
}

/// Submits commands exactly once and answers each when its record was applied here, or when it is
/// known never to be. Time is an argument: milliseconds of a clock that only goes forward.
struct OrderDesk {
    typealias Done = (Result<Applied, APIError>) -> Void

    private struct Waiting {
        let ticket: UInt64
        let deadline: Int64
    }

    private(set) var session: WriterSession<UInt64>
    /// What is to be sent to matchd.
    var out = LinkEncoder()
    private var done: [UInt64: Done] = [:]
    /// In the order of their deadlines, from `first` on.
    private var waiting: [Waiting] = []
    private var first = 0
    private var lastTicket: UInt64 = 0
    private let answerMilliseconds: Int64

    init(name: Text40, capacity: Int, answerMilliseconds: Int64) {
        session = WriterSession(name: name, capacity: capacity)
        self.answerMilliseconds = answerMilliseconds
    }

    /// Whether commands can be sent now.
    var isOpen: Bool {
        if session.isConnected, case .open = session.state { true } else { false }
    }

    /// Clients that wait.
    var waitingCount: Int { done.count }

    /// Submits a command. Throws where it can't be sent now: then nothing was done.
    mutating func submit(
        _ payload: some CommandPayload, now: Int64, _ done: @escaping Done
    ) throws(APIError) {
        guard isOpen else { throw .matchingUnavailable }
        lastTicket += 1
        guard session.submit(payload, tag: lastTicket, &out) else { throw .overloaded }
        self.done[lastTicket] = done
        waiting.append(Waiting(ticket: lastTicket, deadline: now + answerMilliseconds))
    }

    mutating func connected() { session.connected(&out) }

    mutating func disconnected() {
        session.disconnected()
        out.removeAll()
    }

    /// Takes a record of the log; gives what there is to answer.
    mutating func applied(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) -> [() -> Void] {
        let resolved = unsafe session.applied(header, record, outcome, &out)
        guard !resolved.isEmpty else { return [] }
        let events = unsafe engine.withEvents { unsafe Array($0) }
        return resolved.compactMap { answer($0, header, events) }
    }

    /// Takes an acknowledgement; gives what there is to answer.
    mutating func acked(_ ack: LinkAck) -> [() -> Void] {
        session.acked(ack, &out).compactMap { answer($0, nil, []) }
    }

    private mutating func answer(
        _ resolved: WriterSession<UInt64>.Resolved, _ header: RecordHeader?, _ events: [Event]
    ) -> (() -> Void)? {
        guard let done = done.removeValue(forKey: resolved.tag) else { return nil }
        if let header, resolved.outcome.refusal != .sessionUnknown {
            let applied = Applied(header: header, outcome: resolved.outcome, events: events)
            return { done(.success(applied)) }
        }
        // It is not in the log: either the reserve refused it, or another writer has our session.
        let error: APIError =
            [.none, .sessionUnknown].contains(resolved.outcome.refusal)
            ? .matchingUnavailable : APIError(resolved.outcome.refusal)
        return { done(.failure(error)) }
    }

    /// Gives up on what has waited too long; gives what there is to answer.
    mutating func expire(now: Int64) -> [() -> Void] {
        var answers: [() -> Void] = []
        while first < waiting.count, waiting[first].deadline <= now {
            if let done = done.removeValue(forKey: waiting[first].ticket) {
                answers.append { done(.failure(.timeout)) }
            }
            first += 1
        }
        // Those at the front that were answered go too.
        while first < waiting.count, done[waiting[first].ticket] == nil { first += 1 }
        if first > 4_096 || first == waiting.count {
            waiting.removeFirst(first)
            first = 0
        }
        return answers
    }
}
