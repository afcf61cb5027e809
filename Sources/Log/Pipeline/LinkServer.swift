// The Link thread: all sockets of matchd.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// Takes commands from connections into the ring, and gives them what has passed the release gate.
///
/// One thread runs it. It never waits for a disk, and for no connection in particular.
final class LinkServer {
    let stages: Stages
    let history: any LogHistory
    let listeners: [LinkListener]
    let options: PipelineOptions
    let limits: EngineLimits
    let epoch: UInt32
    let gate: ReleaseGate
    let poller: Poller
    let started: Int64
    var connections: [LinkConnection?]
    var uses: [UInt32]
    /// Which connection submits in a session.
    var owners: [UInt32: Int] = [:]
    /// Where the next request goes.
    var requestPosition: UInt64 = 0
    /// The next answer.
    var answerPosition: UInt64 = 0
    /// What has passed the gate, as a position in the log ring.
    var releasedPosition: UInt64 = 0
    /// The last record that has passed the gate.
    var released: UInt64
    /// Positions where a release ended, the newest last: where to look for a sequence.
    var index = ReleaseIndex()
    var feeders = 0
    var heartbeat: Int64 = 0
    var stopDeadline: Int64 = .max

    static var greetNanosMax: Int64 { 5_000_000_000 }
    static var heartbeatNanos: Int64 { 1_000_000_000 }
    static var feedersMax: Int { 8 }
    static var ownersMax: Int { 4096 }
    static var acceptsMax: Int { 16 }
    /// Tokens of the poller: connections are their slots.
    static var bellToken: UInt64 { 1 << 32 }
    static var listenerToken: UInt64 { 1 << 33 }

    init(
        stages: Stages, history: any LogHistory, listeners: [LinkListener],
        options: PipelineOptions, limits: EngineLimits, epoch: UInt32, sequence: UInt64
    ) throws(SystemError) {
        self.stages = stages
        self.history = history
        self.listeners = listeners
        self.options = options
        self.limits = limits
        self.epoch = epoch
        gate = ReleaseGate(replicator: options.replicator)
        released = sequence
        started = Clock.realtimeNanos()
        connections = (0..<options.connectionsMax).map { _ in nil }
        uses = Array(repeating: 0, count: options.connectionsMax)
        poller = try Poller()
        try poller.add(stages.linkBell.descriptor, .readable, token: Self.bellToken)
        for (number, listener) in listeners.enumerated() {
            try poller.add(
                listener.descriptor, .readable, token: Self.listenerToken + UInt64(number))
        }
    }

    /// Serves until the pipeline has ended.
    func run() {
        while true {
            closeIntake()
            wait()
            readBlocked()
            publishRequests()
            release()
            feed()
            flush()
            if hasEnded() { break }
        }
        for case let connection? in connections { drop(connection) }
        while let connection = connections.first(where: { $0 != nil }), let connection {
            usleep(1000)
            drop(connection)
        }
        // After a fault as well: the engine thread ends when nothing can come any more.
        stages.intakeClosed.store(true, ordering: .releasing)
        stages.sequencerPark.unpark()
    }

    // MARK: Stopping

    func closeIntake() {
        guard stages.isStopping.load(ordering: .acquiring),
            !stages.intakeClosed.load(ordering: .relaxed)
        else { return }
        stages.intakeClosed.store(true, ordering: .releasing)
        stages.sequencerPark.unpark()
        for case let connection? in connections { setInterest(connection) }
    }

    /// Whether all that was taken is answered, or nobody takes the answers any more.
    func hasEnded() -> Bool {
        if stages.hasFailed.load(ordering: .acquiring) { return true }
        guard stages.journalClosed.load(ordering: .acquiring),
            answerPosition == stages.answers.head.now
        else { return false }
        if stopDeadline == .max {
            stopDeadline = Clock.monotonicNanos() + 1_000_000_000
            for case let connection? in connections where !connection.isFeeding {
                connection.refuse(LinkRefusal(.stopping, "matchd stops; connect again later"))
            }
            flush()
        }
        let isQuiet = connections.allSatisfy { $0 == nil || $0!.isFeeding || $0!.output.count == 0 }
        return isQuiet || Clock.monotonicNanos() > stopDeadline
    }

    // MARK: Waiting

    func wait() {
        stages.linkBell.arm()
        let hasWork =
            releasable(stages.durablePosition.now) != releasedPosition || isAnswerDue || isFeedDue
        let isBlocked = connections.contains { $0?.isBlocked ?? false }
        let isStopping = stages.intakeClosed.load(ordering: .relaxed)
        let pause: Int32 = hasWork ? 0 : isBlocked ? 1 : isStopping ? 10 : 250
        _ = try? poller.wait(milliseconds: pause) { token, events in
            if token == Self.bellToken { return }
            if token >= Self.listenerToken {
                self.accept(self.listeners[Int(token - Self.listenerToken)])
            } else if let connection = self.connections[Int(token)] {
                self.ready(connection, events)
            }
        }
        stages.linkBell.disarm()
    }

    /// Whether the next answer has passed the gate already.
    var isAnswerDue: Bool {
        let end = stages.answers.head.now
        guard answerPosition < end else { return false }
        let (bytes, _) = unsafe stages.answers.piece(answerPosition, end)
        return unsafe Answer(bytes, at: 0).gate <= gateNow
    }

    var gateNow: UInt64 {
        gate.released(durable: stages.durable.now, applied: stages.applied.now)
    }

    // MARK: Connections

    func accept(_ listener: LinkListener) {
        // The rest of a flood waits: between two handfuls those inside have their turn.
        for _ in 0..<Self.acceptsMax {
            guard let descriptor = listener.accept() else { return }
            guard !stages.intakeClosed.load(ordering: .relaxed),
                let slot = connections.firstIndex(where: { $0 == nil })
            else {
                turnAway(descriptor, LinkRefusal(.limit, "matchd has no free connection"))
                continue
            }
            guard let role = listener.role(of: descriptor, options.users) else {
                turnAway(
                    descriptor,
                    LinkRefusal(
                        .access,
                        """
                        this user may not use the exchange: run it as matchd's user or root, or \
                        name the user in [matchd] gateway_users, operator_users or observer_users
                        """))
                continue
            }
            if listener.key != nil, strangers >= max(1, connections.count / 4) {
                turnAway(
                    descriptor,
                    LinkRefusal(.limit, "too many connections have not proven the key; try again"))
                continue
            }
            uses[slot] = (uses[slot] + 1) & 0x7FFF
            let connection = LinkConnection(
                descriptor, slot: slot, use: uses[slot], key: listener.key, role: role,
                deadline: Clock.monotonicNanos() + Self.greetNanosMax)
            do throws(SystemError) {
                try poller.add(descriptor, .readable, token: UInt64(slot))
                connections[slot] = connection
            } catch {
                close(descriptor)
            }
        }
    }

    /// Connections over TCP whose peers have not proven the key: a share of all, so that there is
    /// room for those who have, and for those over the Unix socket.
    var strangers: Int { connections.count { $0.map { $0.key != nil && !$0.isReady } ?? false } }

    func turnAway(_ descriptor: Int32, _ refusal: LinkRefusal) {
        var output = OutputBuffer()
        _ = output.append(.error(refusal))
        _ = output.flush(descriptor)
        close(descriptor)
    }

    func drop(_ connection: LinkConnection) {
        if case .feeding(let feeder) = connection.feed {
            // Its thread has the descriptor and may be waiting for a disk: it ends first, and
            // `flush` comes back to the connection then.
            guard feeder.state.load(ordering: .acquiring) != .running else {
                feeder.isCancelled.store(true, ordering: .relaxed)
                shutdown(connection.descriptor, Int32(SHUT_RDWR))
                poller.remove(connection.descriptor)
                connection.isAbandoned = true
                return
            }
            feeders -= 1
        }
        poller.remove(connection.descriptor)
        close(connection.descriptor)
        connections[connection.slot] = nil
        owners = owners.filter { $0.value != connection.slot }
    }

    /// Reads what a connection sent, and takes its frames.
    func ready(_ connection: LinkConnection, _ events: Poller.Interest) {
        guard events.contains(.readable) else {
            if events.contains(.closed) || events.contains(.failed) { drop(connection) }
            return
        }
        guard !connection.input.isFull else { return }
        let got = connection.input.receive(connection.descriptor)
        if got == 0 || got < 0 && errno != EAGAIN && errno != EINTR {
            drop(connection)
            return
        }
        if got > 0 { take(connection) }
    }

    /// Frames that waited for room in the ring.
    func readBlocked() {
        for case let connection? in connections where connection.isBlocked {
            connection.isBlocked = false
            take(connection)
        }
    }

    /// Waits for what can be done now, and for nothing else.
    func setInterest(_ connection: LinkConnection) {
        var interest: Poller.Interest = []
        let isReading =
            !connection.isBlocked && !connection.isClosing && !connection.input.isFull
            && connection.output.count < OutputBuffer.softLimit
            && !stages.intakeClosed.load(ordering: .relaxed)
        if isReading { interest.insert(.readable) }
        if connection.output.count > 0, !connection.isFeeding { interest.insert(.writable) }
        guard interest != connection.interest else { return }
        connection.interest = interest
        try? poller.change(connection.descriptor, interest, token: UInt64(connection.slot))
    }

    /// Sends what there is, and closes what is over.
    func flush() {
        let now = Clock.monotonicNanos()
        for case let connection? in connections {
            if connection.isAbandoned {
                drop(connection)
                continue
            }
            if connection.output.count > 0, !connection.isFeeding,
                !connection.output.flush(connection.descriptor)
            {
                drop(connection)
                continue
            }
            let isLate = !connection.isReady && now > connection.deadline
            if isLate || connection.isClosing && connection.output.count == 0 {
                if case .closing = connection.stage {
                    drop(connection)
                } else {
                    connection.refuse(LinkRefusal(.limit, "no greeting within five seconds"))
                }
                continue
            }
            setInterest(connection)
        }
    }
}

/// Where releases ended in the log ring: positions at which a record begins.
struct ReleaseIndex {
    private var positions: [UInt64] = []
    private var first = 0

    static var capacity: Int { 8192 }

    /// Adds a position, the highest so far.
    mutating func append(_ position: UInt64) {
        positions.append(position)
        if positions.count - first > Self.capacity { first += 1 }
        if first >= Self.capacity {
            positions.removeFirst(first)
            first = 0
        }
    }

    /// Forgets what lies before `position`.
    mutating func forget(before position: UInt64) {
        while first < positions.count, positions[first] < position { first += 1 }
    }

    /// The positions, in ascending order.
    var all: ArraySlice<UInt64> { positions[first...] }
}
