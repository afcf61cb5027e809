// What connections send.

import Failover
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
                    LinkRefusal(
                        .malformed,
                        "what came is no frame of Bourse's Link, version \(LinkProtocol.version)"))
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
            connection.lastUsed = now
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
        case (.ready, .subscribe(let wanted)): subscribe(connection, wanted)
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
        guard hello.epochMax <= epoch else {
            connection.refuse(
                LinkRefusal(
                    .epoch,
                    """
                    this matchd is of epoch \(epoch), and epoch \(hello.epochMax) was seen \
                    already: its term is over
                    """))
            return
        }
        if let writer = connection.writer, hello.name != writer {
            connection.refuse(LinkPolicy.refusal(ofOther: writer))
            return
        }
        connection.hello = hello
        if let refusal = takeRole(connection, hello) {
            connection.refuse(refusal)
            return
        }
        if connection.key == nil {
            welcome(connection)
        } else {
            let challenge = SystemRandom.bytes(LinkProtocol.proofBytes)
            connection.stage = .proving(challenge)
            send(connection, .challenge(challenge))
        }
    }

    /// Gives root and matchd's own user, who are operators, the lower role that they ask for; or
    /// says why not. Only where nobody is named for that role: else they would say what chains say,
    /// or trade, beside those who do, whatever is asked of operators with keys.
    private func takeRole(_ connection: LinkConnection, _ hello: LinkHello) -> LinkRefusal? {
        if hello.purpose.contains(.customers), connection.role > .gateway {
            guard connection.isOwn, !options.users.hasAny(.gateway) else {
                return LinkRefusal(
                    .access,
                    """
                    a gateway's user may not be an operator's or a wallet's: name it in \
                    [matchd] gateway_users alone
                    """)
            }
            connection.role = .gateway
        }
        if hello.purpose.contains(.wallet), connection.role > .wallet {
            guard connection.isOwn, !options.users.hasAny(.wallet) else {
                return LinkRefusal(
                    .access,
                    """
                    a wallet's user may not be an operator's: name it in [matchd] wallet_users \
                    alone
                    """)
            }
            connection.role = .wallet
        }
        return nil
    }

    func welcome(_ connection: LinkConnection) {
        connection.stage = .ready
        var welcome = LinkWelcome(
            epoch: epoch, journalHigh: options.journal.high, journalLow: options.journal.low,
            released: gate.point.sequence, time: logTime)
        welcome.role = role.takesCommands && isHeldBack(connection) ? .standby : role
        welcome.process = options.process
        (welcome.forcedEpoch, welcome.forcedFrom) = options.forced
        send(connection, .welcome(welcome))
    }

    /// Whether a gateway of another host is to look for the other matchd, as this one may lead no
    /// more: cut off from the peer it could not know.
    func isHeldBack(_ connection: LinkConnection) -> Bool {
        connection.gateway != 0 && options.inSync.isOutOfLease(at: BootTime(nanos: now))
    }

    /// The role of this matchd now.
    var role: LinkServerRole {
        LinkServerRole(rawValue: stages.role.load(ordering: .acquiring)) ?? .sealed
    }

    /// The log's time now: what the stamp of a record would be, whatever the host's clock says.
    var logTime: Int64 {
        let line = stages.clock.line.load(ordering: .relaxed)
        // Before the engine thread has started there is none.
        return line == 0 ? Clock.realtimeNanos() : Clock.monotonicNanos() + line
    }

    /// The epoch of the term.
    var epoch: UInt32 { UInt32(truncatingIfNeeded: stages.epoch.now) }

    // MARK: Commands

    /// Puts a frame's commands into the ring; false when there is no room for all of them now.
    func submit(_ connection: LinkConnection, _ body: UnsafeRawBufferPointer) -> Bool {
        if stages.intakeClosed.load(ordering: .relaxed) { return false }
        if stages.isIntakeHeld.load(ordering: .relaxed) || waitsForLead(connection) { return false }
        if let refusal = submitRefusal(connection) {
            connection.refuse(refusal)
            return true
        }
        // Much of this connection's waits for instruments already: no more is read of it.
        if stages.held[connection.slot].isHolding(connection.caller.raw) { return false }
        let entry = LinkProtocol.entryBytes
        let most =
            body.count + (body.count / entry) * (RequestHeader.size - entry) + Limits.recordBytesMax
        guard hasRoom(for: connection, most) else { return false }
        let caller = connection.caller
        let session = unsafe body.count >= 8 ? body.loadUnaligned(as: UInt32.self) : 0
        let (role, own, writer) = (connection.role, connection.sessions, connection.writer)
        var position = requestPosition
        var last: UInt64 = 0
        var verdict = LinkPolicy.Verdict.taken
        let walked = unsafe LinkSubmit.forEachEntry(body) { entry, payload in
            guard verdict == .taken else { return }
            verdict = unsafe LinkPolicy.judge(
                entry, payload, session: session, own: own, role, writer)
            if verdict == .taken, unsafe !LinkPolicy.isSealed(entry, payload, options.journal) {
                verdict = .forged
            }
            if verdict == .taken {
                unsafe put(entry, payload, session, caller, connection.gateway, &position)
                last = entry.number
            }
        }
        guard walked != nil, verdict == .taken else {
            connection.refuse(
                walked == nil
                    ? LinkRefusal(.malformed, "a submit frame is not well formed")
                    : LinkPolicy.refusal(verdict, role, writer))
            return true
        }
        if claim(connection, session) {
            requestPosition = position
            requestLast = (session, last)
        }
        return true
    }

    /// Whether the ring of commands takes `bytes` more from this connection now. Its last MiB is
    /// for operators: gateways that offer more than the engine's rate must not keep out the
    /// operator who stops them. While a ring-full is held back for instruments, operators alone
    /// continue, up to twice as much: no more than another ring-full can come of what was taken
    /// before.
    func hasRoom(for connection: LinkConnection, _ bytes: Int) -> Bool {
        let isOperator = connection.role == .operator
        let heldMax = stages.requests.size * (isOperator ? 2 : 1)
        guard stages.heldBytes.now < UInt64(heldMax) else { return false }
        let reserved = isOperator ? 0 : Stages.operatorRequestBytes
        let used = requestPosition - stages.requestsTaken.now
        return used + UInt64(bytes + reserved) <= UInt64(stages.requests.size)
    }

    /// Whether a connection's commands wait until this host leads: those of a gateway that follows
    /// the log here, and so is ready at once. Each command has a deadline of its own.
    func waitsForLead(_ connection: LinkConnection) -> Bool {
        if case .none = connection.feed { return false }
        return role == .standby
    }

    /// Why nothing may be submitted here, whatever it is.
    func submitRefusal(_ connection: LinkConnection) -> LinkRefusal? {
        guard connection.hello?.purpose.contains(.writer) ?? false else {
            return LinkRefusal(.malformed, "this connection said that it submits nothing")
        }
        switch role {
        case .standalone, .primary: return nil
        case .standby:
            return LinkRefusal(.notPrimary, "this matchd is a standby: commands go to the primary")
        case .sealed:
            return LinkRefusal(
                .sealed, "this matchd is handing over and takes no more commands: connect again")
        }
    }

    /// Writes one request behind `position`.
    @inline(__always) func put(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, _ session: UInt32,
        _ caller: Caller, _ gateway: UInt32, _ position: inout UInt64
    ) {
        let length = RequestHeader.size + entry.payloadBytes
        let room = unsafe stages.requests.room(position, length)
        let header = RequestHeader(
            length: length, caller: caller, purpose: .command, session: SessionID(session),
            number: entry.number, kind: entry.kind, revision: entry.revision, gateway: gateway)
        unsafe header.write(to: room)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[RequestHeader.size...])
            .copyMemory(from: payload)
        position = stages.requests.place(position, length) + UInt64(length)
    }

    /// Makes the connection the one that submits in a session. The one before is closed, so that
    /// nothing of it can arrive behind what this one sends.
    ///
    /// A connection that submits in a session of another role is refused by the engine thread, so
    /// it does not displace anyone here; nor does a gateway that is bound to its name displace
    /// another. But an operator may submit in any session except the wallet's, whom it neither
    /// displaces nor keeps out, and a gateway of this host in any gateway's.
    func claim(_ connection: LinkConnection, _ session: UInt32) -> Bool {
        let (role, gateway) = (connection.role, connection.gateway)
        if session == 0 { return true }
        if role != .operator, LinkPolicy.maySubmit(.operator, in: role),
            owners[SessionOwner(session, .operator, 0)] != nil
        {
            connection.refuse(LinkPolicy.refusal(.denied, role, connection.writer))
            return false
        }
        if owners[SessionOwner(session, role, gateway)] == connection.slot { return true }
        for (owner, slot) in owners
        where owner.session == session && LinkPolicy.maySubmit(role, in: owner.role)
            && (gateway == 0 || owner.gateway == gateway)
        {
            if let before = connections[slot] { drop(before) }
        }
        own(connection, session)
        return true
    }

    /// Notes that a connection submits in a session; beyond `sessionsMax` it loses the one that it
    /// took first.
    func own(_ connection: LinkConnection, _ session: UInt32) {
        owners[SessionOwner(session, connection.role, connection.gateway)] = connection.slot
        connection.sessions.removeAll { $0 == session }
        if connection.sessions.count == LinkConnection.sessionsMax {
            let first = connection.sessions.removeFirst()
            let owner = SessionOwner(first, connection.role, connection.gateway)
            if owners[owner] == connection.slot { owners[owner] = nil }
        }
        connection.sessions.append(session)
    }

    /// Asks the engine thread for a writer's session; false when there is no room now.
    func query(_ connection: LinkConnection, _ name: Text40) -> Bool {
        let length = RequestHeader.size + MemoryLayout<Text40>.size
        guard hasRoom(for: connection, length + Limits.recordBytesMax) else { return false }
        guard connection.queries.count < LinkConnection.queriesMax else {
            connection.refuse(LinkRefusal(.limit, "too many questions at once"))
            return true
        }
        connection.queries.append(name)
        let room = unsafe stages.requests.room(requestPosition, length)
        let header = RequestHeader(length: length, caller: connection.caller, purpose: .query)
        unsafe header.write(to: room)
        unsafe room.storeBytes(of: name, toByteOffset: RequestHeader.size, as: Text40.self)
        requestPosition = stages.requests.place(requestPosition, length) + UInt64(length)
        return true
    }

    /// Publishes the new requests to the engine thread.
    func publishRequests() {
        guard requestPosition != stages.requests.head.now else { return }
        stages.trace?.begin(requestLast.session, requestLast.number, requestPosition, at: now)
        stages.requests.head.advance(to: requestPosition)
        stages.sequencerPark.unpark()
    }

    // MARK: Questions

    func subscribe(_ connection: LinkConnection, _ wanted: LinkSubscription) {
        guard case .none = connection.feed, connection.hello?.purpose.contains(.follower) ?? false
        else {
            connection.refuse(
                LinkRefusal(.malformed, "a connection subscribes once, and says so in its hello"))
            return
        }
        let from = wanted.from
        guard from <= gate.point.sequence + 1 else {
            // A standby may lag. A primary's gate covers all that is lawful to have: a failover
            // that was forced gave the rest up, and only a fresh start follows from there.
            connection.refuse(
                LinkRefusal(
                    role.takesCommands ? .forked : .unavailable,
                    """
                    the log ends at record \(gate.point.sequence), and record \(from) was asked \
                    for: the follower's state is not of this journal; start it afresh
                    """))
            return
        }
        var checked = wanted
        if from > 1, wanted.crc != 0, let before = position(of: from - 1) {
            let (bytes, _) = unsafe stages.log.piece(before, gate.point.position)
            guard let header = unsafe RecordHeader(bytes), header.crc == wanted.crc,
                header.epoch == wanted.epoch
            else {
                connection.refuse(Self.forked)
                return
            }
            checked.crc = 0
        }
        send(connection, .voids(options.voids))
        connection.feed = .waiting(checked, since: now)
    }

    func status() -> LinkStatus {
        var s = LinkStatus()
        let stats = stages.syncStats
        s.released = gate.point.sequence
        s.durable = stages.durable.now.sequence
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
        let waiting = stages.log.head.now - min(stages.log.head.now, stages.durable.now.position)
        s.logFill = waiting * 1000 / UInt64(stages.log.size)
        s.diskFree = stats.diskFree.load(ordering: .relaxed)
        s.diskReserve = options.reserveBytes
        s.commands = stages.commands.now
        s.isBelowReserve = stages.isBelowReserve.load(ordering: .relaxed)
        s.hashMark = stages.hashMark.now
        s.role = Text40(role.description) ?? Text40()
        s.peer = Text40(options.inSync.peer) ?? Text40()
        if let matched = options.inSync.matched {
            s.isPeerInSync = true
            s.peerMatched = matched
            s.atRisk = s.durable - min(s.durable, matched)
        }
        s.gateWaitNanos = heldSince == 0 ? 0 : UInt64(max(0, now - heldSince))
        s.clockOffset = stages.clock.offset.load(ordering: .relaxed)
        s.clockJumps = stages.clock.jumps.load(ordering: .relaxed)
        s.clockLastJump = stages.clock.lastJump.load(ordering: .relaxed)
        s.isClockApart = stages.clock.isApart.load(ordering: .relaxed)
        s.process = options.process
        s.poisoned = stages.poisoned.now
        s.evicted = evicted
        s.sessions = UInt64(owners.count)
        return s
    }
}
