// A program's session with the exchange: each command goes into the log once, whatever happens on
// the way. Blocking, for tools and for the wallet.

public import Engine
public import Link
internal import Platform
public import Terms
public import Wire

/// What became of a submitted command.
public struct LoggedCommand: Sendable {
    /// Its record in the log; 0: it is not in the log.
    public let sequence: UInt64
    /// Its outcome in the engine.
    public let outcome: Outcome
}

/// What keeps the state that a session's commands meet.
public protocol LogReplica: AnyObject {
    /// Whether it has every record that matchd last reported as released.
    var isCaughtUp: Bool { get }
    /// The last record applied.
    var sequence: UInt64 { get }
    /// The frame that subscribes it to the log.
    var subscription: LinkFrame { get }
    /// Takes a frame; see `Follower.receive`.
    func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress
    /// Continues on a new connection.
    func reconnected(_ welcome: LinkWelcome) throws(FollowerError)
}

/// Why a session cannot go on with a command.
public enum CommandSessionError: Error, Sendable {
    /// There is no connection, or none that may be used.
    case link(LinkError)
    /// The replica does not fit the log.
    case replica(FollowerError)
    /// matchd refused the session.
    case refused(Refusal)
    /// No answer came in time. `uncertain` is the session whose command may be in the log, behind
    /// the replica's last record.
    case late(String, uncertain: SessionID?)
}

/// One writer's session.
///
/// It relies on the log alone: a command is done when its record comes back on the feed. When the
/// connection is lost before that, the session reconnects, reads the log further, and resends what
/// is not in it under its old number, which the engine accepts once. One owner at a time.
@safe public final class CommandSession<Replica: LogReplica> {
    /// The state of the exchange, after each of this session's commands.
    public let replica: Replica
    /// How long a command may take, lost connections included.
    public static var commandNanosMax: Int64 { 30_000_000_000 }

    private let name: Text40
    private let connect: (Text40) throws(LinkError) -> LinkClient
    private let lost: (LinkError) -> Void
    private let see: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    private var client: LinkClient
    private var writer: WriterSession<Int>
    private var out = LinkEncoder()
    private var submitted = 0
    private var hasBegun = false
    private var done: [Int: LoggedCommand] = [:]

    /// A session of `name`. `lost` is called when a connection was lost and another is tried,
    /// `see` with every record. Returns once the replica has what matchd has released, within
    /// `replicaNanosMax`.
    public init(
        _ name: Text40, connect: @escaping (Text40) throws(LinkError) -> LinkClient,
        replica make: (LinkWelcome) -> Replica, replicaNanosMax: Int64,
        lost: @escaping (LinkError) -> Void,
        see: @escaping (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(CommandSessionError) {
        (self.name, self.connect, self.lost) = (name, connect, lost)
        unsafe self.see = see
        do throws(LinkError) { client = try connect(name) } catch { throw .link(error) }
        replica = make(client.welcome)
        writer = WriterSession(name: name, capacity: 16)
        greet()
        try pump(until: Clock.monotonicNanos() + replicaNanosMax) { $0.replica.isCaughtUp }
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

    /// Opens the session, before the first command only: reading leaves nothing in the log.
    public func begin() throws(CommandSessionError) {
        guard !hasBegun else { return }
        hasBegun = true
        writer.connected(&out)
        try pump(until: Clock.monotonicNanos() + Self.commandNanosMax) {
            $0.writer.state != .opening
        }
        if case .refused(let refusal) = writer.state { throw .refused(refusal) }
    }

    /// Submits a command and waits until it is in the log. The outcome `sessionUnknown` without a
    /// record: another session of the name replaced this one, and the command is not in the log.
    public func submit(_ payload: some CommandPayload) throws(CommandSessionError) -> LoggedCommand
    {
        try begin()
        let deadline = Clock.monotonicNanos() + Self.commandNanosMax
        if writer.state == .replaced { writer.reopen(&out) }
        try pump(until: deadline) { $0.writer.canSubmit || $0.writer.state == .replaced }
        submitted += 1
        let tag = submitted
        guard writer.submit(payload, tag: tag, &out) else {
            return LoggedCommand(sequence: 0, outcome: .refused(.sessionUnknown))
        }
        try pump(until: deadline) { $0.done[tag] != nil }
        guard let receipt = done.removeValue(forKey: tag) else {
            preconditionFailure("pump returns when the command is done")
        }
        return receipt
    }

    /// Sends and receives until `isEnough`.
    public func pump(
        until deadline: Int64, _ isEnough: (CommandSession) -> Bool
    ) throws(CommandSessionError) {
        while !isEnough(self) {
            guard Clock.monotonicNanos() < deadline else {
                throw late("no answer arrived in time")
            }
            do throws(LinkError) {
                if !out.isEmpty { try client.send(&out) }
                if let frame = try client.receive(timeoutNanos: 200_000_000) { try take(frame) }
            } catch { try reconnect(after: error, until: deadline) }
        }
    }

    /// Follows the log for a time, without a command.
    public func follow(nanos: Int64) throws(CommandSessionError) {
        let end = Clock.monotonicNanos() + nanos
        try pump(until: end + Self.commandNanosMax) { _ in Clock.monotonicNanos() >= end }
    }

    // MARK: The connection

    /// Subscribes to the log, and resumes the session if there is one, on a new connection.
    private func greet() {
        out = LinkEncoder()
        out.append(replica.subscription)
        if hasBegun { writer.connected(&out) }
    }

    private func take(_ frame: LinkFrame) throws(LinkError) {
        if case .acks(let acks) = frame {
            for ack in acks {
                for resolved in writer.acked(ack, &out) { resolve(resolved, sequence: 0) }
            }
        }
        do {
            _ = try unsafe replica.receive(frame) { header, bytes, outcome, engine in
                unsafe see(header, bytes, outcome, engine)
                for resolved in unsafe writer.applied(header, bytes, outcome, &out) {
                    resolve(resolved, sequence: header.sequence)
                }
            }
        } catch { throw .refused(LinkRefusal(.malformed, "\(error)")) }
    }

    private func resolve(_ resolved: WriterSession<Int>.Resolved, sequence: UInt64) {
        done[resolved.tag] = LoggedCommand(sequence: sequence, outcome: resolved.outcome)
    }

    /// Reconnects once matchd is running again.
    private func reconnect(
        after error: LinkError, until deadline: Int64
    ) throws(CommandSessionError) {
        if case .refused(let refusal) = error, refusal.code != .stopping, refusal.code != .limit {
            throw .link(error)
        }
        writer.disconnected()
        lost(error)
        while true {
            do throws(LinkError) {
                client = try connect(name)
                break
            } catch {
                guard Clock.monotonicNanos() < deadline else { throw late("\(error)") }
                Clock.sleep(nanos: 100_000_000)
            }
        }
        do throws(FollowerError) { try replica.reconnected(client.welcome) } catch {
            throw .replica(error)
        }
        greet()
    }

    /// The error where it may be unknown whether a command is in the log.
    private func late(_ why: String) -> CommandSessionError {
        guard writer.inFlight > 0, case .open(let id) = writer.state else {
            return .late(why, uncertain: nil)
        }
        return .late(why, uncertain: id)
    }
}
