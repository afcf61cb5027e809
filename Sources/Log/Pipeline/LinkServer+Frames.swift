// What connections send.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

extension LinkServer {
    /// Takes the whole frames that a connection has sent.
    func take(_ connection: LinkConnection) {
        while unsafe connection.input.bytes.count >= LinkProtocol.headerBytes, !connection.isClosing
        {
            let bytes = unsafe connection.input.bytes
            guard let head = unsafe LinkHead(bytes) else {
                connection.refuse(
                    LinkRefusal(.malformed, "what came is no frame of Bourse's Link, version 1"))
                return
            }
            guard bytes.count >= head.length else { return }
            let body = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[LinkProtocol.headerBytes..<head.length])
            if head.type == .submit, connection.isReady {
                guard unsafe submit(connection, body) else {
                    connection.isBlocked = true
                    return
                }
            } else if let frame = unsafe LinkDecoder.frame(head.type, Array(body)) {
                guard take(connection, frame) else {
                    connection.isBlocked = true
                    return
                }
            } else {
                connection.refuse(
                    LinkRefusal(.malformed, "a \(head.type) frame is not well formed"))
                return
            }
            connection.input.consume(head.length)
        }
    }

    /// Takes a frame; false when it has to wait for room in the ring.
    func take(_ connection: LinkConnection, _ frame: LinkFrame) -> Bool {
        switch (connection.stage, frame) {
        case (.greeting, .hello(let hello)): greet(connection, hello)
        case (.proving(let challenge), .proof(let proof)):
            if connection.key?.accepts(proof, of: challenge) ?? false {
                welcome(connection)
            } else {
                connection.refuse(
                    LinkRefusal(.access, "the key is another than matchd's: compare the key files"))
            }
        case (.ready, .subscribe(let from, let atMost)): subscribe(connection, from, atMost)
        case (.ready, .query(let name)): return query(connection, name)
        case (.ready, .askStatus): send(connection, .status(status()))
        default:
            connection.refuse(
                LinkRefusal(.malformed, "a frame that has no place here: greet first, and once"))
        }
        return true
    }

    func send(_ connection: LinkConnection, _ frame: LinkFrame) {
        if !connection.output.append(frame) { drop(connection) }
    }

    // MARK: Greeting

    func greet(_ connection: LinkConnection, _ hello: LinkHello) {
        guard hello.version == LinkProtocol.version else {
            connection.refuse(LinkRefusal.version(theirs: hello.version))
            return
        }
        connection.hello = hello
        if connection.key == nil {
            welcome(connection)
        } else {
            let challenge = SystemRandom.bytes(LinkProtocol.proofBytes)
            connection.stage = .proving(challenge)
            send(connection, .challenge(challenge))
        }
    }

    func welcome(_ connection: LinkConnection) {
        connection.stage = .ready
        send(
            connection,
            .welcome(
                LinkWelcome(
                    epoch: epoch, journalHigh: options.journal.high,
                    journalLow: options.journal.low, limits: limits, released: gateNow,
                    time: Clock.realtimeNanos())))
    }

    // MARK: Commands

    /// Puts a frame's commands into the ring; false when there is no room for all of them now.
    func submit(_ connection: LinkConnection, _ body: UnsafeRawBufferPointer) -> Bool {
        if stages.intakeClosed.load(ordering: .relaxed) { return false }
        let entry = LinkProtocol.entryBytes
        let most =
            body.count + (body.count / entry) * (RecordHeader.size - entry)
            + Limits.recordBytesMax
        let used = requestPosition - stages.requestsTaken.now
        guard UInt64(most) + used <= UInt64(stages.requests.size) else { return false }
        let caller = connection.caller
        let session = unsafe body.count >= 8 ? body.loadUnaligned(as: UInt32.self) : 0
        let role = connection.role
        var position = requestPosition
        var verdict = LinkPolicy.Verdict.taken
        let walked = unsafe LinkSubmit.forEachEntry(body) { entry, payload in
            guard verdict == .taken else { return }
            verdict = unsafe LinkPolicy.judge(entry, payload, session: session, role)
            if verdict == .taken { unsafe put(entry, payload, session, caller, &position) }
        }
        guard walked != nil, verdict == .taken else {
            connection.refuse(
                walked == nil
                    ? LinkRefusal(.malformed, "a submit frame is not well formed")
                    : LinkPolicy.refusal(verdict, role))
            return true
        }
        if claim(connection, session) { requestPosition = position }
        return true
    }

    /// Writes one request behind `position`.
    @inline(__always) func put(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, _ session: UInt32,
        _ caller: Caller, _ position: inout UInt64
    ) {
        let length = RecordHeader.size + entry.payloadBytes
        let room = unsafe stages.requests.room(position, length)
        var header = RecordHeader(
            sequence: Request.command, timestamp: 0, epoch: 0, session: SessionID(session),
            number: entry.number, kind: .tick)
        header.length = UInt32(length)
        header.crc = caller.raw
        header.kind = entry.kind
        header.revision = entry.revision
        unsafe header.write(to: room)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[RecordHeader.size...])
            .copyMemory(from: payload)
        position = stages.requests.place(position, length) + UInt64(length)
    }

    /// Makes the connection the one that submits in a session. Whoever did so before is closed, so
    /// that nothing it sent can come in behind what this one sends.
    func claim(_ connection: LinkConnection, _ session: UInt32) -> Bool {
        if session == connection.session || session == 0 { return true }
        if let owner = owners[session], owner != connection.slot, let other = connections[owner] {
            guard other.role <= connection.role else {
                connection.refuse(LinkPolicy.refusal(.denied, connection.role))
                return false
            }
            drop(other)
        }
        guard owners.count < Self.ownersMax else {
            connection.refuse(LinkRefusal(.limit, "too many sessions on the Link's connections"))
            return false
        }
        owners[session] = connection.slot
        connection.session = session
        return true
    }

    /// Asks the engine thread for a writer's session; false when there is no room now.
    func query(_ connection: LinkConnection, _ name: Text40) -> Bool {
        let length = RecordHeader.size + 40
        let used = requestPosition - stages.requestsTaken.now
        guard UInt64(length + Limits.recordBytesMax) + used <= UInt64(stages.requests.size) else {
            return false
        }
        guard connection.queries.count < LinkConnection.queriesMax else {
            connection.refuse(LinkRefusal(.limit, "too many questions at once"))
            return true
        }
        connection.queries.append(name)
        let room = unsafe stages.requests.room(requestPosition, length)
        var header = RecordHeader(sequence: Request.query, timestamp: 0, kind: .tick)
        header.length = UInt32(length)
        header.crc = connection.caller.raw
        unsafe header.write(to: room)
        unsafe room.storeBytes(of: name, toByteOffset: RecordHeader.size, as: Text40.self)
        requestPosition = stages.requests.place(requestPosition, length) + UInt64(length)
        return true
    }

    /// Shows the engine thread what came in.
    func publishRequests() {
        guard requestPosition != stages.requests.head.now else { return }
        stages.requests.head.advance(to: requestPosition)
        stages.sequencerPark.unpark()
    }

    // MARK: Questions

    func subscribe(_ connection: LinkConnection, _ from: UInt64, _ atMost: UInt64) {
        guard case .none = connection.feed else {
            connection.refuse(LinkRefusal(.malformed, "a connection subscribes once"))
            return
        }
        guard from <= gateNow + 1 else {
            connection.refuse(
                LinkRefusal(
                    .unavailable,
                    """
                    the log ends at record \(gateNow), and record \(from) was asked for: the \
                    follower's state is not of this journal; start it afresh
                    """))
            return
        }
        send(connection, .voids(options.voids))
        if from > 0, let position = position(of: from) {
            connection.feed = .live(position)
        } else {
            connection.feed = .waiting(from: from, atMost: atMost)
        }
    }

    func status() -> LinkStatus {
        var s = LinkStatus()
        let stats = stages.syncStats
        s.released = gateNow
        s.durable = stages.durable.now
        s.applied = stages.applied.now
        s.epoch = UInt64(epoch)
        s.started = started
        s.syncP50 = stats.p50.load(ordering: .relaxed)
        s.syncP99 = stats.p99.load(ordering: .relaxed)
        s.syncs = stats.count.load(ordering: .relaxed)
        s.connections = UInt64(connections.count { $0 != nil })
        s.followers = UInt64(
            connections.count { if case .none = $0?.feed ?? .none { false } else { true } })
        s.connectionsMax = UInt64(connections.count)
        s.ingressFill =
            (requestPosition - stages.requestsTaken.now) * 1000 / UInt64(stages.requests.size)
        let waiting = stages.log.head.now - min(stages.log.head.now, stages.durablePosition.now)
        s.logFill = waiting * 1000 / UInt64(stages.log.size)
        s.diskFree = stats.diskFree.load(ordering: .relaxed)
        s.diskReserve = options.reserveBytes
        s.commands = stages.commands.now
        s.isBelowReserve = stages.isBelowReserve.load(ordering: .relaxed)
        s.hashMark = stages.hashMark.now
        s.role = Text40("standalone") ?? Text40()
        s.sessions = UInt64(owners.count)
        return s
    }
}

/// What writers may submit: the stateless check before the log.
enum LinkPolicy {
    /// What becomes of a command.
    enum Verdict {
        /// It goes into the log.
        case taken
        /// It is not well formed, or not one for writers.
        case malformed
        /// It is not one for the connection's role.
        case denied
    }

    /// What to tell the one who sent a command that is not taken.
    static func refusal(_ verdict: Verdict, _ role: LinkRole) -> LinkRefusal {
        guard verdict == .denied else {
            return LinkRefusal(
                .malformed,
                "a command that is not well formed, or not one for writers; are both sides of the "
                    + "same version?")
        }
        return LinkRefusal(
            .access,
            """
            this connection is one of \(role == .observer ? "an observer" : "a gateway") and may \
            not submit this: run it as matchd's user or root, or name its user in [matchd] \
            operator_users
            """)
    }

    /// Judges a command by its kind, its layout and the role of who sent it. Orders are checked by
    /// their length here and by the engine, which decodes them anyway; all others are decoded.
    @inline(__always)
    static func judge(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, session: UInt32, _ role: LinkRole
    ) -> Verdict {
        guard role >= .gateway else { return .denied }
        guard entry.revision == 0 else { return .malformed }
        let bytes: Int
        switch entry.kind {
        case CommandKind.place.rawValue: bytes = 112
        case CommandKind.cancel.rawValue: bytes = 56
        case CommandKind.amend.rawValue: bytes = 72
        default: return unsafe judgeRare(entry, payload, session: session, role)
        }
        return session != 0 && entry.payloadBytes == bytes ? .taken : .malformed
    }

    @inline(never)
    private static func judgeRare(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, session: UInt32, _ role: LinkRole
    ) -> Verdict {
        guard let kind = CommandKind(rawValue: entry.kind) else { return .malformed }
        switch kind {
        case .genesis, .tick, .hashMark, .epochMark: return .malformed
        // A record that the running engine has applied cannot be voided: replicas would differ.
        case .voidSequence: return .malformed
        case .openSession: if session != 0 { return .malformed }
        default: if session == 0 { return .malformed }
        }
        guard let command = unsafe Command(kind: kind, payload: payload) else { return .malformed }
        return role >= .operator || isForGateways(command) ? .taken : .denied
    }

    /// Whether a command is one that traders ask for, or a gateway for itself.
    static func isForGateways(_ command: Command) -> Bool {
        switch command {
        case .place, .cancel, .amend, .cancelReplace: true
        // All orders of the venue are the operators'.
        case .massCancel(let cancel): cancel.account.number != 0
        // Nor may a gateway stand in the log, or take over, as an operator.
        case .openSession(let session):
            !session.name.description.hasPrefix(LinkProtocol.operatorPrefix)
        default: false
        }
    }
}
