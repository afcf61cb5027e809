// An operator's session with the exchange.

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
    /// The end of a line about it: `Record 1,234.`
    var text: String { "Record \(Readable.count(sequence))." }
}

/// One operator's session with the exchange; see `CommandSession`.
final class OperatorSession {
    private let session: CommandSession<ExchangeReplica>
    private let name: Text40
    private let counter = CancelCounter()
    private let who: OperatorOption

    /// Maximum attempts of a command that other sessions of the same operator interrupt.
    static let attemptsMax = 20

    /// The state of the exchange, after each of this session's commands.
    var replica: ExchangeReplica { session.replica }

    /// A session for an operator of that name.
    init(_ exchange: Exchange, operator who: OperatorOption) throws(CommandError) {
        let name = try who.text()
        self.who = who
        guard let name = Text40("\(LinkProtocol.operatorPrefix)\(name)") else {
            preconditionFailure("an operator's name fits the session's")
        }
        self.name = name
        let counter = counter
        do throws(CommandSessionError) {
            session = try unsafe CommandSession(
                name,
                connect: { name, nanos throws(LinkError) in
                    try LinkClient.connect(
                        unix: exchange.settings.matchd.socket, name: name, wantsAcks: false,
                        timeoutNanos: nanos)
                },
                replica: { ExchangeReplica($0) }, replicaNanosMax: Exchange.replicaNanosMax,
                lost: { Terminal.warn("boursectl: \($0); reconnecting") },
                see: { _, _, _, engine in counter.count += Self.canceled(engine) })
        } catch { throw CommandError(error, behind: 0) }
    }

    /// Submits a command and waits until it is in the log; where operators have keys, a guarded one
    /// as a proposal, and throws that others have to endorse it. Throws a refusal; `meanings`
    /// explains some of them for this command.
    @discardableResult
    func submit(
        _ payload: some CommandPayload, meanings: [Refusal: String] = [:]
    ) throws(CommandError) -> CommandReceipt {
        guard let proposal = try proposal(of: payload, who) else {
            return try submitAlone(payload, meanings: meanings)
        }
        let receipt = try submitAlone(proposal, meanings: meanings)
        // Applied at once where the policy asks for nobody else.
        guard replica.engine.proposals.contains(where: { $0.id == proposal.id }) else {
            return receipt
        }
        throw CommandError(proposed: proposal, receipt, replica.engine.endorsements)
    }

    private func submitAlone(
        _ payload: some CommandPayload, meanings: [Refusal: String]
    ) throws(CommandError) -> CommandReceipt {
        for attempt in 1...Self.attemptsMax {
            let logged = try wrapping { session throws(CommandSessionError) in
                try session.submit(payload)
            }
            let refusal = logged.outcome.refusal
            // Another boursectl of the same operator replaced this session; the command is not in
            // the log and can be submitted again.
            guard refusal == .sessionUnknown else {
                guard refusal == .none else {
                    throw meanings[refusal].map { CommandError("refused: \($0)") }
                        ?? CommandError(refused: refusal)
                }
                return CommandReceipt(sequence: logged.sequence, outcome: logged.outcome)
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
        counter.count = 0
        let receipt = try submit(payload)
        let deadline = Clock.monotonicNanos() + Exchange.replicaNanosMax
        try wrapping { session throws(CommandSessionError) in
            try session.pump(until: deadline) { !$0.replica.engine.hasMassCancels }
        }
        return (receipt, counter.count)
    }

    /// Follows the log for so long.
    func follow(milliseconds: Int64) throws(CommandError) {
        _ = try wrapping { session throws(CommandSessionError) in
            try session.follow(nanos: milliseconds * 1_000_000)
        }
    }

    private func wrapping<T>(
        _ work: (CommandSession<ExchangeReplica>) throws(CommandSessionError) -> T
    ) throws(CommandError) -> T {
        do throws(CommandSessionError) { return try work(session) } catch {
            throw CommandError(error, behind: replica.sequence)
        }
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
}

/// Orders that mass cancels and kill switches ended since it was set to 0.
private final class CancelCounter {
    var count = 0
}

extension CommandError {
    /// A refused command.
    init(refused refusal: Refusal) {
        self.init("refused: \(refusal.meaning) (\(refusal))", repair: refusal.repair)
    }

    /// A session that cannot go on; what it had sent is in the log behind this record, or not.
    init(_ error: CommandSessionError, behind sequence: UInt64) {
        switch error {
        case .link(let error): self.init(error)
        case .replica(let error): self.init("\(error)")
        case .refused(let refusal): self.init(refused: refusal)
        case .late(let why, uncertain: nil): self.init(why)
        case .late(let why, uncertain: let id?):
            self.init(
                "\(why); it is unknown whether the command is in the log",
                repair: "when matchd runs again, look for session \(id.number) in `boursectl "
                    + "journal dump --from \(sequence + 1)` before you repeat it")
        }
    }
}
