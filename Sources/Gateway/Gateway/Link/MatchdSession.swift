// The writer's side of the connection to matchd: what is sent, and the commands that wait.

import Engine
import Follower
package import Link
package import Logging
import NIOCore
import Platform
package import SpotAPI
package import Terms
package import Wire

/// Why a connection to matchd cannot be used any more.
package enum MatchdSessionError: Error, Hashable {
    /// A new connection may help.
    case reconnect(String)
    /// No connection can help: the gateway has to stop.
    case fatal(String)
}

/// Sends frames while there is a connection, and keeps commands over all connections until the log
/// shows them or matchd refuses them.
package final class MatchdSession {
    private let name: Text40
    private let log: Logger
    private var pending: PendingCommands
    /// The connection, while there is one.
    private var channel: (any Channel)?
    private var isFlushDue = false
    /// The number of refused lanes in the last log line.
    private var refusedLanes = 0

    /// A session of a writer's name, with at most `capacity` commands in flight.
    package init(name: Text40, capacity: Int, log: Logger) {
        (self.name, self.log) = (name, log)
        pending = PendingCommands(name: name, capacity: capacity)
    }

    /// Whether commands for any instrument can be sent now.
    package var isOpen: Bool { pending.isOpen }

    /// Clients that wait for a command.
    var waitingCount: Int { pending.waitingCount }

    // MARK: The connection

    /// A connection is open: greets matchd.
    func opened(_ channel: any Channel) {
        self.channel = channel
        pending.out.append(
            .hello(
                LinkHello(
                    wantsAcks: false, name: name, purpose: [.writer, .follower, .customers])))
        flush()
    }

    /// matchd has sent its welcome: subscribes to the log, opens lanes, and sends again what
    /// the log has not shown of the commands.
    package func welcomed(_ subscription: LinkFrame) {
        pending.out.append(subscription)
        pending.connected()
    }

    /// The connection was lost; commands wait for the next one.
    package func closed() {
        channel = nil
        pending.disconnected()
    }

    /// Sends what waits when this turn of the loop is done: commands of one turn go together.
    private func flushSoon() {
        guard let channel, !isFlushDue else { return }
        isFlushDue = true
        channel.eventLoop.assumeIsolated().execute { [self] in
            isFlushDue = false
            flush()
        }
    }

    /// Sends what waits.
    func flush() {
        guard let channel, !pending.out.isEmpty else { return }
        channel.writeAndFlush(ByteBuffer(bytes: takeOutput()), promise: nil)
    }

    /// The bytes to send next.
    package func takeOutput() -> [UInt8] { pending.out.take() }

    // MARK: Commands

    /// Submits a command that is valid until `deadline` (ns since 1970 on this host's clock).
    /// `done` is called at its time, or when the command was refused or took too long. Throws where
    /// it cannot be sent: then nothing was done.
    package func submit(
        _ payload: some InstrumentCommand, _ time: AnswerTime, cancel: Cancel? = nil,
        deadline: Int64, _ done: @escaping PendingCommands.Done
    ) throws(APIError) {
        let host = Clock.realtimeNanos()
        try pending.submit(
            payload, time, cancel: cancel, lifetime: (deadline - host) / 1_000_000,
            now: Clock.monotonicMillis(), host: host, done)
        flushSoon()
    }

    /// A moment of this host's clock on the log's.
    func onLog(_ host: Int64) -> Int64 { pending.clock.onLog(host) }

    /// Takes acknowledgements; returns the answers they decide.
    package func acked(_ acks: [LinkAck]) -> [PendingCommands.Answer] {
        acks.flatMap { pending.acked($0) }
    }

    /// Takes a record of the log, which `engine` applied last; returns the answers it decides.
    func applied(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) -> [PendingCommands.Answer] {
        unsafe pending.applied(header, record, outcome, engine, host: Clock.realtimeNanos())
    }

    /// Opens a lane for each of so many instruments, up to the maximum.
    package func open(instruments: Int) { pending.open(instruments: instruments) }

    /// Gives up on commands that waited too long; returns their answers.
    func expire() -> [PendingCommands.Answer] { pending.expire(now: Clock.monotonicMillis()) }

    /// Throws where another gateway has taken a lane or the first lane was refused. Logs the number
    /// of other refused lanes when it changes.
    package func checkLanes() throws(MatchdSessionError) {
        let refused = pending.lanes.refusedCount
        if refused != refusedLanes, refused > 0 {
            log.warning(
                """
                matchd refused \(refused) of the sessions \(name)#…: markets hold each other up; \
                more sessions: `boursectl limits raise`
                """)
        }
        refusedLanes = refused
        for state in pending.lanes.states {
            switch state {
            case .opening, .open, .closed: break
            case .replaced:
                throw .fatal(
                    """
                    another gateway has opened the session \(name): give each its own name in \
                    [gatewayd] name
                    """)
            case .refused(let refusal):
                throw .fatal(
                    """
                    matchd refused the session \(name) (\(refusal)): is [limits] sessions \
                    reached? `boursectl status` shows them
                    """)
            }
        }
    }
}

extension Clock {
    /// Milliseconds since 1970 on this host's clock.
    static func realtimeMillis() -> Int64 { realtimeNanos() / 1_000_000 }

    /// Milliseconds of a clock that only goes forward.
    static func monotonicMillis() -> Int64 { monotonicNanos() / 1_000_000 }
}
