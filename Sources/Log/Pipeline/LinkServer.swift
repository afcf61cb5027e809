// The Link thread: all sockets of matchd.

import Failover
import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// Connections of a role that submit in a session, or those of a gateway that is bound to its name.
struct SessionOwner: Hashable {
    let session: UInt32
    let role: LinkRole
    let gateway: UInt32

    init(_ session: UInt32, _ role: LinkRole, _ gateway: UInt32) {
        (self.session, self.role, self.gateway) = (session, role, gateway)
    }
}

/// Takes commands from connections into the ring, and sends them what has passed the release gate.
///
/// One thread runs it. It never waits for a disk or for a single connection.
final class LinkServer {
    let stages: Stages
    let history: any LogArchive
    let listeners: [LinkListener]
    let options: PipelineOptions
    /// What is released so far; advances once a turn.
    var gate: ReleaseGate
    let poller: Poller
    let started: Int64
    var connections: [LinkConnection?]
    /// Closed connections whose descriptor a feeder's thread still uses.
    var leaving: [LinkConnection] = []
    /// This turn's time, ns.
    var now: Int64 = 0
    /// Since when the oldest durable record waits for the gate, ns; 0: none does.
    var heldSince: Int64 = 0
    /// When the feeders' rates were last compared, ns.
    var compared: Int64 = 0
    /// Connections closed because they took too little or another needed their place.
    var evicted: UInt64 = 0
    var uses: [UInt32]
    /// Which connection submits in a session: at most one of each role, and of each gateway that
    /// is bound to its name. The engine thread admits only those that may submit in it.
    var owners: [SessionOwner: Int] = [:]
    /// Where the next request goes.
    var requestPosition: UInt64 = 0
    /// The session and the number of the command before it.
    var requestLast: (session: UInt32, number: UInt64) = (0, 0)
    /// The slot whose blocked frame was the first of its kind in the last turn.
    var blockedFirst = 0
    /// The next answer.
    var answerPosition: UInt64 = 0
    /// Positions where a release ended, the newest last: where to look for a sequence.
    var index = ReleaseIndex()
    var heartbeat: Int64 = 0
    var stopDeadline: Int64 = .max
    var drainDeadline: Int64 = .max

    static var greetNanosMax: Int64 { 5_000_000_000 }
    /// How long a stop waits for what the gate holds back, ns.
    static var drainNanosMax: Int64 { 3_000_000_000 }
    static var feedersMax: Int { 8 }
    /// Feeders for observers, at most: the others are reserved for other roles.
    static var observerFeedersMax: Int { 4 }
    /// Bytes a second that a feeder has to send while others wait for one.
    static var feederRateMin: Int64 { 8 << 20 }
    static var acceptsMax: Int { 16 }
    /// Tokens of the poller: connections are their slots.
    static var bellToken: UInt64 { 1 << 32 }
    static var listenerToken: UInt64 { 1 << 33 }

    init(
        stages: Stages, history: any LogArchive, listeners: [LinkListener],
        options: PipelineOptions, sequence: UInt64
    ) throws(SystemError) {
        (self.stages, self.history) = (stages, history)
        (self.listeners, self.options) = (listeners, options)
        gate = ReleaseGate(sequence: sequence)
        started = Clock.realtimeNanos()
        precondition(
            options.connectionsMax <= Caller.slotsMax, "each caller has a number of its own")
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
            now = Clock.monotonicNanos()
            readBlocked()
            publishRequests()
            release()
            feed()
            flush()
            if hasEnded() { break }
        }
        for case let connection? in connections { drop(connection) }
        while !leaving.isEmpty {
            usleep(1000)
            closeLeaving()
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
        guard stages.journalClosed.load(ordering: .acquiring) else { return false }
        guard answerPosition == stages.answers.head.now, !isReleaseDue else {
            // What the peer does not acknowledge within that time is never answered.
            if drainDeadline == .max { drainDeadline = now + Self.drainNanosMax }
            return now > drainDeadline
        }
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
        let hasWork = isReleaseDue || isAnswerDue || isFeedDue || !leaving.isEmpty && hasLeft
        let isBlocked = connections.contains { $0?.isBlocked ?? false }
        let isStopping = stages.intakeClosed.load(ordering: .relaxed)
        let blockedPause: Int32 = role == .standby ? 20 : 1
        let pause: Int32 = hasWork ? 0 : isBlocked ? blockedPause : isStopping ? 10 : 250
        var hasRung = false
        do throws(SystemError) {
            _ = try poller.wait(milliseconds: pause) { token, events in
                self.now = Clock.monotonicNanos()
                if token == Self.bellToken {
                    hasRung = true
                } else if token >= Self.listenerToken {
                    self.accept(self.listeners[Int(token - Self.listenerToken)])
                } else if let connection = self.connections[Int(token)] {
                    self.ready(connection, events)
                }
            }
        } catch {
            // Without a wait this loop would spin for ever.
            stages.fail(SinkError("\(error)"))
        }
        stages.linkBell.disarm(isReadable: hasRung)
    }

    /// Whether the next answer has passed the gate already.
    var isAnswerDue: Bool {
        let end = stages.answers.head.now
        guard answerPosition < end else { return false }
        let (bytes, _) = unsafe stages.answers.piece(answerPosition, end)
        return unsafe Answer(bytes, at: 0).gate <= gate.point.sequence
    }

    /// Whether the gate would open further now.
    var isReleaseDue: Bool {
        let released = gate.point.sequence
        guard stages.durable.now.position > gate.point.position else { return false }
        let now = BootTime(nanos: Clock.monotonicNanos())
        return options.inSync.limit(released: released, at: now) > released
    }

    // MARK: Connections

    func accept(_ listener: LinkListener) {
        // A limit, so that a flood of newcomers does not delay the connections that are open.
        for _ in 0..<Self.acceptsMax {
            guard let newcomer = listener.accept() else { return }
            let descriptor = newcomer.socket
            guard !stages.intakeClosed.load(ordering: .relaxed) else {
                turnAway(descriptor, LinkRefusal(.stopping, "matchd stops; connect again later"))
                continue
            }
            guard let role = listener.role(of: descriptor, options.users) else {
                turnAway(
                    descriptor,
                    LinkRefusal(
                        .access,
                        """
                        this user may not use the exchange: run it as matchd's user or root, or \
                        name the user in [matchd] gateway_users, wallet_users, operator_users or \
                        observer_users
                        """))
                continue
            }
            if listener.key != nil, strangers >= max(1, connections.count / 4) {
                turnAway(
                    descriptor,
                    LinkRefusal(.limit, "too many connections have not proven the key; try again"))
                continue
            }
            let now = Clock.monotonicNanos()
            guard let slot = admit(role, at: now) else {
                turnAway(
                    descriptor,
                    LinkRefusal(
                        .limit, "matchd has no free connection for \(role)s: all are in use"))
                continue
            }
            let gateway = newcomer.writer.map { stages.gateways.number(of: $0) } ?? 0
            guard let gateway else {
                turnAway(
                    descriptor,
                    LinkRefusal(.limit, "matchd has had too many gateways: restart bourse-matchd"))
                continue
            }
            // Never 0, so that no caller is 0.
            uses[slot] = uses[slot] % 0x7FFF + 1
            let connection = LinkConnection(
                newcomer, slot: slot, use: uses[slot], key: listener.key, role: role,
                isOwn: listener.isOwn(descriptor), gateway: gateway, now: now,
                deadline: now + Self.greetNanosMax)
            do throws(SystemError) {
                try poller.add(descriptor, .readable, token: UInt64(slot))
                connections[slot] = connection
            } catch { close(descriptor) }
        }
    }

    /// A free slot for a newcomer of this role, if need be by an eviction; nil: none.
    func admit(_ role: LinkRole, at now: Int64) -> Int? {
        switch LinkAdmission.decide(role, connections.map { $0?.seat }, at: now) {
        case .free: break
        case .refuse: return nil
        case .evict(let slot):
            guard let connection = connections[slot] else { return nil }
            evicted += 1
            if !connection.isFeeding {
                connection.refuse(
                    LinkRefusal(
                        .evicted,
                        """
                        all of matchd's connections were taken and this one was the least useful: \
                        connect again when it is needed
                        """))
                _ = connection.output.flush(connection.descriptor)
            }
            drop(connection)
        }
        return connections.firstIndex { $0 == nil }
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
        guard connections[connection.slot] === connection else { return }
        poller.remove(connection.descriptor)
        connections[connection.slot] = nil
        owners = owners.filter { $0.value != connection.slot }
        if case .feeding(let feeder) = connection.feed {
            // Its thread has the descriptor and may be waiting for a disk: it ends first.
            feeder.isCancelled.store(true, ordering: .relaxed)
            shutdown(connection.descriptor, Int32(SHUT_RDWR))
            leaving.append(connection)
        } else {
            close(connection.descriptor)
        }
    }

    /// Whether a feeder's thread of a connection that is over has ended.
    var hasLeft: Bool {
        leaving.contains { connection in
            guard case .feeding(let feeder) = connection.feed else { return true }
            return feeder.state.load(ordering: .acquiring) != .running
        }
    }

    /// Closes what is over once its feeder's thread has ended.
    func closeLeaving() {
        leaving.removeAll { connection in
            if case .feeding(let feeder) = connection.feed {
                guard feeder.state.load(ordering: .acquiring) != .running else { return false }
            }
            close(connection.descriptor)
            return true
        }
    }

    /// Number of threads that feed followers.
    var feeders: Int { feeders { _ in true } }

    func feeders(of isMeant: (LinkRole) -> Bool) -> Int {
        leaving.count { isMeant($0.role) }
            + connections.count { $0.map { $0.isFeeding && isMeant($0.role) } ?? false }
    }

    /// Reads what a connection sent, and takes its frames.
    func ready(_ connection: LinkConnection, _ events: Poller.Interest) {
        guard events.contains(.readable) else {
            if events.contains(.closed) || events.contains(.failed) { drop(connection) }
            return
        }
        guard !connection.input.isFull else { return }
        let got = connection.input.receive(connection.descriptor)
        if got == 0 || got < 0 && errno != EAGAIN {
            drop(connection)
            return
        }
        if got > 0 { take(connection) }
    }

    /// Takes the frames that waited for room in the ring: operators' first, then the others',
    /// starting with another connection each turn, so that none takes all the room of every turn.
    func readBlocked() {
        blockedFirst = (blockedFirst + 1) % connections.count
        for isOperator in [true, false] {
            for step in connections.indices {
                let slot = (blockedFirst + step) % connections.count
                guard let connection = connections[slot], connection.isBlocked,
                    (connection.role == .operator) == isOperator
                else { continue }
                connection.isBlocked = false
                take(connection)
            }
        }
    }

    /// Asks the poller for the events that can be handled now only.
    func setInterest(_ connection: LinkConnection) {
        var interest: Poller.Interest = []
        let isReading =
            !connection.isBlocked && !connection.isClosing && !connection.input.isFull
            && connection.output.count < OutputBuffer.softLimit
            && !stages.intakeClosed.load(ordering: .relaxed)
        if isReading { interest.insert(.readable) }
        if connection.output.count > 0, !connection.isFeeding { interest.insert(.writable) }
        guard interest != connection.interest else { return }
        do throws(SystemError) {
            try poller.change(connection.descriptor, interest, token: UInt64(connection.slot))
            connection.interest = interest
        } catch {
            // It would never be read, or never written, again.
            drop(connection)
        }
    }

    /// Sends what is queued, and closes connections that have ended.
    func flush() {
        closeLeaving()
        for case let connection? in connections {
            if connection.output.count == 0 || connection.isFeeding {
                connection.lastTaken = now
            } else {
                let before = connection.output.count
                guard connection.output.flush(connection.descriptor) else {
                    drop(connection)
                    continue
                }
                if connection.output.count < before { connection.lastTaken = now }
            }
            if !connection.isClosing, now - connection.lastTaken > options.stallNanos {
                evicted += 1
                connection.refuse(Self.stalled)
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

    /// The refusal of a connection that took too little of what it subscribed to; it gets it if it
    /// reads again.
    static var stalled: LinkRefusal {
        LinkRefusal(
            .stalled,
            """
            this connection took too little of what matchd sent for too long, and others wait: \
            connect again, and read faster
            """)
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
