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

/// Why a session does not go on with a command.
///
/// The session may be used again, unless it `hasEnded`, which `replica` alone does: then each call
/// throws the same. What was in flight stays so; see `CommandSession.submit`.
public enum CommandSessionError: Error, Sendable {
    /// There is no connection, or none that may be used.
    case link(LinkError)
    /// The replica does not fit the log. A torn feed alone (`damaged`, `gap`, `unexpected`) is
    /// repaired by the next connection.
    case replica(FollowerError)
    /// matchd refused the session; the next command asks for it again.
    case refused(Refusal)
    /// No answer came in time. `uncertain` is the session whose command may be in the log, behind
    /// the replica's last record; nil: it is not in the log.
    case late(String, uncertain: SessionID?)
}

/// One writer's session.
///
/// It relies on the log alone: a command is done when its record comes back on the feed. When the
/// connection is lost before that, the session reconnects, reads the log further, and resends what
/// is not in it under its old number, which the engine accepts once. One command is in flight at
/// most. A call waits no longer than it says, and at most `greetingNanosMin` more while matchd
/// takes a connection and does not greet. One owner at a time.
@safe public final class CommandSession<Replica: LogReplica> {
    /// The state of the exchange, after each of this session's commands.
    public let replica: Replica
    /// How long a command may take, lost connections included.
    public static var commandNanosMax: Int64 { 30_000_000_000 }
    /// How long an attempt to connect may take, however short the call.
    public static var greetingNanosMin: Int64 { 1_000_000_000 }
    /// How long an attempt to connect may take, however long the call.
    static var greetingNanosMax: Int64 { 5_000_000_000 }
    /// Attempts to connect begin no earlier than this after the last one.
    static var retryNanos: Int64 { 100_000_000 }

    /// Why there is no connection; nil while there is one.
    public private(set) var linkError: LinkError?

    private let name: Text40
    private let connect: (Text40, Int64) throws(LinkError) -> LinkClient
    private let lost: (LinkError) -> Void
    private let see: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    private var client: LinkClient?
    private var connectAt: Int64
    /// The replica's fault that ended this session.
    private var fault: FollowerError?
    private var writer: WriterSession<Void>
    private var out = LinkEncoder()
    private var hasBegun = false
    /// The command whose outcome no call has returned yet.
    private var current: Submitted?

    private struct Submitted {
        let kind: CommandKind
        let payload: [UInt8]
        var logged: LoggedCommand?
    }

    /// A session of `name`. `connect` gets the name and the nanoseconds that it may take. `lost` is
    /// called when a connection was lost and another is tried, `see` with every record that the
    /// replica applies, once and in order. Returns once the replica has what matchd has released,
    /// within `replicaNanosMax`; 0: at once, and `follow` brings it there.
    public init(
        _ name: Text40, connect: @escaping (Text40, Int64) throws(LinkError) -> LinkClient,
        replica make: (LinkWelcome) -> Replica, replicaNanosMax: Int64,
        lost: @escaping (LinkError) -> Void,
        see: @escaping (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(CommandSessionError) {
        (self.name, self.connect, self.lost) = (name, connect, lost)
        unsafe self.see = see
        let client: LinkClient
        do throws(LinkError) { client = try connect(name, Self.greetingNanosMax) } catch {
            throw .link(error)
        }
        self.client = client
        connectAt = Clock.monotonicNanos() + Self.retryNanos
        replica = make(client.welcome)
        writer = WriterSession(name: name, capacity: 1)
        out.append(replica.subscription)
        guard replicaNanosMax > 0 else { return }
        try pump(until: Clock.monotonicNanos() + replicaNanosMax) { $0.isCaughtUp }
    }

    /// Ends the session, which frees its name. Where that fails, the engine frees it when it needs
    /// the room.
    deinit {
        guard let client, writer.close(&out) else { return }
        let deadline = Clock.monotonicNanos() + 1_000_000_000
        while !writer.isClosed, Clock.monotonicNanos() < deadline {
            do throws(LinkError) {
                if !out.isEmpty { try client.send(&out, timeoutNanos: 1_000_000_000) }
                if let frame = try client.receive(timeoutNanos: 100_000_000),
                    case .acks(let acks) = frame
                {
                    for ack in acks { _ = writer.acked(ack, &out) }
                }
            } catch { return }
        }
    }

    /// Whether there is a connection, and its server leads, as it said at its greeting.
    public var isLed: Bool { client?.welcome.role.takesCommands ?? false }

    /// Greets the server again: what it said of itself may be old.
    public func greetAgain() {
        if client != nil { disconnect(.closed) }
    }

    /// Whether there is a connection now.
    public var isConnected: Bool { client != nil }

    /// Whether there is a connection, and the replica has all that matchd reported there as
    /// released.
    public var isCaughtUp: Bool { isConnected && replica.isCaughtUp }

    /// Whether the replica failed: this session is at its end, and only a new replica, in a new
    /// session, may follow the log.
    public var hasEnded: Bool { fault != nil }

    // MARK: Commands

    /// Opens the session, before the first command only: reading leaves nothing in the log.
    public func begin() throws(CommandSessionError) {
        try begin(until: Clock.monotonicNanos() + Self.commandNanosMax)
    }

    /// Submits a command and waits until it is in the log, up to `nanos`. Without a record the
    /// outcome says why it is not in the log; `sessionUnknown`: this session was closed, or another
    /// one of the name replaced it. The next `submit` opens a new one.
    ///
    /// Where this throws while the command was in flight, it stays so: later calls still send it
    /// again and see its record. The next `submit` first waits until it is known what became of
    /// it. The same command again is that one, if it is in the log, and is submitted if it is not;
    /// with another, its outcome is dropped.
    public func submit(
        _ payload: some CommandPayload, within nanos: Int64 = commandNanosMax
    ) throws(CommandSessionError) -> LoggedCommand {
        let deadline = Clock.monotonicNanos() + nanos
        let command = Submitted(kind: type(of: payload).kind, payload: payload.payloadBytes())
        if let before = current {
            let isSame = before.kind == command.kind && before.payload == command.payload
            // matchd may have refused what was to end it.
            if writer.isAbandoned { writer.abandon(&out) }
            let logged: LoggedCommand
            do throws(CommandSessionError) { logged = try outcome(until: deadline) } catch {
                // The other one is uncertain, this one was not sent.
                if !isSame, case .late(let why, _) = error { throw .late(why, uncertain: nil) }
                throw error
            }
            if isSame, logged.sequence != 0 { return logged }
        }
        try begin(until: deadline)
        if writer.state == .replaced { writer.reopen(&out) }
        try pump(until: deadline) { $0.writer.canSubmit || $0.isTurnedAway }
        try checkRefusal()
        guard writer.submit(payload, tag: (), &out) else {
            return LoggedCommand(sequence: 0, outcome: .refused(.sessionUnknown))
        }
        current = command
        return try outcome(until: deadline)
    }

    /// Sends and receives until `isEnough`.
    public func pump(
        until deadline: Int64, _ isEnough: (CommandSession) -> Bool
    ) throws(CommandSessionError) {
        while !isEnough(self) {
            let now = Clock.monotonicNanos()
            guard now < deadline else { throw late() }
            try turn(until: min(deadline, now + 200_000_000))
        }
    }

    /// Follows the log for `nanos`, without a command; `untilRecord`: until records came, at most.
    /// Returns whether there is a connection. A lost one is no error here: `lost` is called, and
    /// another is tried meanwhile.
    @discardableResult
    public func follow(
        nanos: Int64, untilRecord: Bool = false
    ) throws(CommandSessionError) -> Bool {
        let (end, first) = (Clock.monotonicNanos() + nanos, replica.sequence)
        repeat {
            do throws(CommandSessionError) { try turn(until: end) } catch {
                guard case .link(let error) = error else { throw error }
                lost(error)
            }
            if untilRecord, replica.sequence > first { break }
        } while Clock.monotonicNanos() < end
        return isConnected
    }

    private func begin(until deadline: Int64) throws(CommandSessionError) {
        if !hasBegun {
            hasBegun = true
            if let client { writer.connected(&out, epoch: client.welcome.epoch) }
        } else if case .refused = writer.state {
            writer.reopen(&out)
        }
        try pump(until: deadline) { $0.writer.state != .opening }
        try checkRefusal()
    }

    /// Whether another session has the name, or matchd refused this one.
    private var isTurnedAway: Bool {
        switch writer.state {
        case .replaced, .refused: true
        case .opening, .open, .closed: false
        }
    }

    private func checkRefusal() throws(CommandSessionError) {
        if case .refused(let refusal) = writer.state { throw .refused(refusal) }
    }

    /// Waits for what became of the command in flight.
    private func outcome(until deadline: Int64) throws(CommandSessionError) -> LoggedCommand {
        try pump(until: deadline) { $0.current?.logged != nil }
        guard let logged = current?.logged else {
            preconditionFailure("pump returns when the command is done")
        }
        current = nil
        return logged
    }

    private func resolve(_ resolved: [WriterSession<Void>.Resolved], sequence: UInt64) {
        for one in resolved {
            // The record of the session that replaced this one is not the command's.
            let isLogged = one.outcome.refusal != .sessionUnknown
            current?.logged = LoggedCommand(
                sequence: isLogged ? sequence : 0, outcome: one.outcome)
        }
    }

    // MARK: The connection

    /// Sends what is to be sent and takes a frame if one comes by `end`; connects before that where
    /// it is due.
    private func turn(until end: Int64) throws(CommandSessionError) {
        if let fault { throw .replica(fault) }
        guard let client = try connection(until: end) else { return }
        var frame: LinkFrame?
        do throws(LinkError) {
            let left = max(0, end - Clock.monotonicNanos())
            do throws(LinkError) {
                if !out.isEmpty { try client.send(&out, timeoutNanos: left) }
            } catch { if error != .timedOut { throw error } }
            frame = try client.receive(timeoutNanos: max(0, end - Clock.monotonicNanos()))
        } catch { return try dropped(error) }
        if let frame { try take(frame) }
    }

    private func take(_ frame: LinkFrame) throws(CommandSessionError) {
        if case .position(_, _, let epoch) = frame, let client, epoch > client.welcome.epoch {
            // Another term has begun: what the server said of itself is over, and it does not say
            // on this connection whether it leads now.
            return disconnect(.closed)
        }
        if case .acks(let acks) = frame {
            for ack in acks { resolve(writer.acked(ack, &out), sequence: 0) }
        }
        do throws(FollowerError) {
            _ = unsafe try replica.receive(frame) { header, bytes, outcome, engine in
                unsafe see(header, bytes, outcome, engine)
                unsafe resolve(
                    writer.applied(header, bytes, outcome, &out), sequence: header.sequence)
            }
        } catch {
            if case .staleEpoch = error {
                return try dropped(.refused(LinkRefusal(.epoch, "\(error)")))
            }
            throw failed(error)
        }
    }

    /// The connection; nil where there is none yet, after the time until the next attempt or `end`.
    private func connection(until end: Int64) throws(CommandSessionError) -> LinkClient? {
        if let client { return client }
        let now = Clock.monotonicNanos()
        guard now >= connectAt else {
            Clock.sleep(nanos: max(0, min(connectAt, end) - now))
            return nil
        }
        let nanos = min(max(end - now, Self.greetingNanosMin), Self.greetingNanosMax)
        defer { connectAt = Clock.monotonicNanos() + Self.retryNanos }
        let client: LinkClient
        do throws(LinkError) { client = try connect(name, nanos) } catch {
            linkError = error
            return nil
        }
        do throws(FollowerError) { try replica.reconnected(client.welcome) } catch {
            // A primary whose term is over: the next attempt may reach the right one.
            guard case .staleEpoch = error else { throw failed(error) }
            linkError = .refused(LinkRefusal(.epoch, "\(error)"))
            return nil
        }
        out = LinkEncoder()
        out.append(replica.subscription)
        if hasBegun, !writer.connected(&out, epoch: client.welcome.epoch) {
            linkError = .refused(LinkRefusal(.epoch, "the session had a later epoch already"))
            return nil
        }
        (self.client, linkError) = (client, nil)
        return client
    }

    /// Goes on without the connection; throws where another one may be no better, or of no use.
    private func dropped(_ error: LinkError) throws(CommandSessionError) {
        disconnect(error)
        guard case .refused(let refusal) = error else { return lost(error) }
        switch refusal.code {
        case .stopping, .limit, .epoch: lost(error)
        case .forked: throw failed(.forked(refusal.text))
        case .malformed, .access:
            // It may be the command that is refused so, each time that it is sent.
            writer.abandon(&out)
            throw .link(error)
        default: throw .link(error)
        }
    }

    /// The error of a replica that failed. Where no other connection repairs it, this session is at
    /// its end.
    private func failed(_ error: FollowerError) -> CommandSessionError {
        switch error {
        case .diverged, .forked, .otherJournal, .genesis, .snapshot: fault = error
        case .damaged, .gap, .staleEpoch, .unexpected: break
        }
        disconnect(.refused(LinkRefusal(.malformed, "\(error)")))
        return .replica(error)
    }

    private func disconnect(_ error: LinkError) {
        (client, linkError) = (nil, error)
        writer.disconnected()
    }

    /// The error where it may be unknown whether a command is in the log.
    private func late() -> CommandSessionError {
        let why = linkError.map { "\($0)" } ?? "no answer arrived in time"
        guard writer.inFlight > 0, case .open(let id) = writer.state else {
            return .late(why, uncertain: nil)
        }
        return .late(why, uncertain: id)
    }
}
