// An operator's session with the exchange: each command goes into the log once, whatever
// happens on the way.

import Configuration
import Engine
import Follower
import Link
import Platform
import Presentation
import Terms
import Wire

/// The result of an operator's command.
struct CommandReceipt {
    /// Its record in the log.
    let sequence: UInt64
    /// Its outcome in the engine.
    let outcome: Outcome
    /// The result as the line that is printed.
    var text: String { "Record \(Readable.count(sequence))." }
}

/// One operator's session with the exchange.
///
/// It relies on the log alone: a command is done when its record comes back on the feed. When the
/// connection is lost before that, the session reconnects, reads the log further, and resends what
/// is not in it under its old number, which the engine accepts once.
final class OperatorSession {
    /// The state of the exchange, after each of this session's commands.
    let replica: ExchangeReplica
    private let exchange: Exchange
    private let name: Text40
    private var client: LinkClient
    private var writer: WriterSession<Int>
    private var out = LinkEncoder()
    private var submitted = 0
    private var hasBegun = false
    private var done: [Int: CommandReceipt] = [:]
    /// Orders that mass cancels and kill switches ended since it was set to 0.
    private(set) var canceled = 0

    /// Maximum time of one command, lost connections included.
    static let commandNanosMax: Int64 = 30_000_000_000
    /// Maximum attempts of a command that other sessions of the same operator interrupt.
    static let attemptsMax = 20

    /// A session for an operator of that name.
    init(_ exchange: Exchange, operator name: Text40) throws(CommandError) {
        guard let name = Text40("\(LinkProtocol.operatorPrefix)\(name)") else {
            preconditionFailure("an operator's name fits the session's")
        }
        (self.exchange, self.name) = (exchange, name)
        client = try exchange.connect(name)
        replica = ExchangeReplica(client.welcome)
        writer = WriterSession(name: name, capacity: 16)
        greet()
        let deadline = Clock.monotonicNanos() + Exchange.replicaNanosMax
        try pump(until: deadline) { $0.replica.isCaughtUp }
    }

    /// Ends the session, which frees its name. Where that fails, the engine frees it when it needs
    /// the room.
    deinit {
        guard writer.close(&out) else { return }
        let deadline = Clock.monotonicNanos() + 1_000_000_000
        while !writer.isClosed, Clock.monotonicNanos() < deadline {
            do throws(LinkError) {
                if !out.isEmpty { try client.send(&out) }
                if let frame = try client.receive(timeoutNanos: 100_000_000),
                    case .acks(let acks) = frame
                {
                    for ack in acks { _ = writer.acked(ack, &out) }
                }
            } catch { return }
        }
    }

    /// Submits a command and waits until it is in the log. Throws a refusal; `meanings` explains
    /// some of them for this command.
    @discardableResult
    func submit(
        _ payload: some CommandPayload, meanings: [Refusal: String] = [:]
    ) throws(CommandError) -> CommandReceipt {
        try begin()
        for attempt in 1...Self.attemptsMax {
            let receipt = try submitOnce(payload)
            // Another boursectl of the same operator replaced this session; the command is not in
            // the log and can be submitted again.
            guard receipt.outcome.refusal == .sessionUnknown else {
                let refusal = receipt.outcome.refusal
                guard refusal == .none else {
                    throw meanings[refusal].map { CommandError("refused: \($0)") }
                        ?? CommandError(refused: refusal)
                }
                return receipt
            }
            let most = UInt64(attempt) * 10_000_000
            Clock.sleep(nanos: Int64(SystemRandom.number() % most))
        }
        throw CommandError(
            "other sessions of \(name) keep replacing this one; nothing was done",
            repair: "give each program its own operator name with --operator")
    }

    /// Submits a command that cancels many orders, and waits until all are cancelled, which may
    /// take the engine several turns. Returns how many ended.
    func submitCancels(_ payload: some CommandPayload) throws(CommandError) -> (CommandReceipt, Int)
    {
        canceled = 0
        let receipt = try submit(payload)
        let deadline = Clock.monotonicNanos() + Exchange.replicaNanosMax
        try pump(until: deadline) { !$0.replica.engine.hasMassCancels }
        return (receipt, canceled)
    }

    /// Opens the session before the first command: reading leaves nothing in the log.
    private func begin() throws(CommandError) {
        guard !hasBegun else { return }
        hasBegun = true
        writer.connected(&out)
        let deadline = Clock.monotonicNanos() + Self.commandNanosMax
        try pump(until: deadline) { $0.writer.state != .opening }
        if case .refused(let refusal) = writer.state { throw CommandError(refused: refusal) }
    }

    private func submitOnce(_ payload: some CommandPayload) throws(CommandError) -> CommandReceipt {
        let deadline = Clock.monotonicNanos() + Self.commandNanosMax
        if writer.state == .replaced { writer.reopen(&out) }
        try pump(until: deadline) { $0.writer.canSubmit || $0.writer.state == .replaced }
        submitted += 1
        let tag = submitted
        guard writer.submit(payload, tag: tag, &out) else {
            return CommandReceipt(sequence: 0, outcome: .refused(.sessionUnknown))
        }
        try pump(until: deadline) { $0.done[tag] != nil }
        guard let receipt = done.removeValue(forKey: tag) else {
            preconditionFailure("pump returns when the command is done")
        }
        return receipt
    }

    // MARK: The connection

    /// Subscribes to the log, and resumes the session if there is one, on a new connection.
    private func greet() {
        out = LinkEncoder()
        out.append(replica.subscription)
        if hasBegun { writer.connected(&out) }
    }

    /// Sends and receives until `isEnough`.
    private func pump(
        until deadline: Int64, _ isEnough: (OperatorSession) -> Bool
    ) throws(CommandError) {
        while !isEnough(self) {
            guard Clock.monotonicNanos() < deadline else {
                throw uncertain("no answer arrived in time")
            }
            do throws(LinkError) {
                if !out.isEmpty { try client.send(&out) }
                if let frame = try client.receive(timeoutNanos: 200_000_000) { try take(frame) }
            } catch { try reconnect(after: error, until: deadline) }
        }
    }

    private func take(_ frame: LinkFrame) throws(LinkError) {
        if case .acks(let acks) = frame {
            for ack in acks {
                for resolved in writer.acked(ack, &out) { resolve(resolved, sequence: 0) }
            }
        }
        do {
            _ = try unsafe replica.receive(frame) { header, bytes, outcome, engine in
                canceled += Self.canceled(engine)
                for resolved in unsafe writer.applied(header, bytes, outcome, &out) {
                    resolve(resolved, sequence: header.sequence)
                }
            }
        } catch { throw .refused(LinkRefusal(.malformed, "\(error)")) }
    }

    private func resolve(_ resolved: WriterSession<Int>.Resolved, sequence: UInt64) {
        done[resolved.tag] = CommandReceipt(sequence: sequence, outcome: resolved.outcome)
    }

    private static func canceled(_ engine: borrowing Engine) -> Int {
        unsafe engine.withEvents { events in
            var count = 0
            for i in 0..<events.count {
                if case .orderEnded(_, let reason) = unsafe events[i],
                    reason == .massCancel || reason == .killSwitch
                {
                    count += 1
                }
            }
            return count
        }
    }

    /// Reconnects once matchd is running again.
    private func reconnect(after error: LinkError, until deadline: Int64) throws(CommandError) {
        if case .refused(let refusal) = error, refusal.code != .stopping, refusal.code != .limit {
            throw CommandError(error)
        }
        writer.disconnected()
        Terminal.warn("boursectl: \(error); reconnecting")
        while true {
            do throws(LinkError) {
                client = try LinkClient.connect(
                    unix: exchange.settings.matchd.socket, name: name, wantsAcks: false)
                break
            } catch {
                guard Clock.monotonicNanos() < deadline else { throw uncertain("\(error)") }
                Clock.sleep(nanos: 100_000_000)
            }
        }
        do {
            try replica.reconnected(client.welcome)
        } catch { throw CommandError("\(error)") }
        greet()
    }

    /// The error where it is unknown whether a command is in the log.
    private func uncertain(_ why: String) -> CommandError {
        guard writer.inFlight > 0, case .open(let id) = writer.state else {
            return CommandError(why)
        }
        return CommandError(
            "\(why); it is unknown whether the command is in the log",
            repair:
                "when matchd runs again, look for session \(id.number) in `boursectl journal dump "
                + "--from \(replica.engine.sequence + 1)` before you repeat it")
    }
}

extension CommandError {
    /// A refused command.
    init(refused refusal: Refusal) {
        self.init("refused: \(refusal.meaning) (\(refusal))", repair: refusal.repair)
    }
}
