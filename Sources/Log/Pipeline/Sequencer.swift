// The engine thread: orders commands, stamps them, applies them. It owns the engine.

import Engine
import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// What the engine thread does, one turn at a time.
///
/// A record becomes visible to the journal when the engine has applied it, so a command that stops
/// the engine by a bug never enters the log. The journal writes the records of one turn while the
/// engine applies those of the next.
struct Sequencer: ~Copyable {
    var engine: Engine
    let stages: Stages
    let hashEvery: UInt64
    let hashNanos: Int64
    let mark: CommandMark?
    /// Sequences that replicas pass over.
    let voids: Set<UInt64>
    /// Whether the log comes from a primary.
    var isFollowing: Bool
    /// Where the next record goes, as a position in the log ring.
    var position: UInt64 = 0
    /// Where the next answer goes.
    var answerPosition: UInt64 = 0
    /// The next request.
    var requestPosition: UInt64 = 0
    /// Records since the last hash mark.
    var sinceMark: UInt64 = 0
    /// The log's time at the last hash mark.
    var markTime: Int64
    var commands: UInt64 = 0
    /// The log's clock.
    var clock: LogClock
    /// When this turn began, since boot.
    var turnTime: Int64 = 0
    /// The last number of the sessions that submit most, so that no lookup is needed for each.
    var sessions = SessionCache()
    /// Commands that wait for their instrument.
    var held = HeldRequests()
    /// Records that ended nothing since the disk reserve was reached.
    var reserveSpent = 0
    /// Sessions that were opened and closed since then.
    var reserveOpenings = 0

    /// Most commands between two looks at the clock.
    static var turnMax: Int { 64 }
    /// How long commands are taken between two ticks of a long work.
    static var betweenTicksNanosMax: Int64 { 1_000_000 }
    /// Most records that end nothing while the disk is below its reserve.
    static var reserveSpentMax: Int { 256 }
    /// Most sessions that are opened or closed meanwhile: a gateway that comes back opens one for
    /// each of its lanes. Operators have as many again.
    static var reserveOpeningsMax: Int { 4_096 }

    init(engine: consuming Engine, stages: Stages, options: PipelineOptions) {
        let (host, monotonic) = LogClock.readHost()
        clock = LogClock(
            last: engine.timestamp, line: options.mark?.line, host: host, monotonic: monotonic)
        markTime = clock.now
        self.engine = engine
        self.stages = stages
        hashEvery = options.hashEvery
        hashNanos = options.hashNanos
        mark = options.mark
        voids = Set(options.voids)
        isFollowing = options.tail != nil
        stages.clock.publish(clock)
    }

    /// How long until the engine's next timer is due, ns; nil: none.
    var nanosToTimer: Int64? {
        if stages.isLogHeld.load(ordering: .relaxed) { return nil }
        return engine.nextTimer.map { max(0, $0 - clock.now) }
    }

    /// Gives the engine back.
    consuming func finish() -> Engine { engine }

    /// Takes what waits, up to a turn's worth; false when there was nothing to do.
    mutating func turn() -> Bool {
        let end = stages.requests.head.now
        if stages.isIntakeHeld.load(ordering: .acquiring)
            || stages.isLogHeld.load(ordering: .relaxed)
        {
            if isLogHeld(at: end) { return false }
        } else if requestPosition == end, engine.nextTimer == nil, held.isEmpty {
            return false
        }
        return turn(until: end)
    }

    /// The same after a sleep, including what is due by time alone.
    mutating func turnByTime() -> Bool {
        if stages.isLogHeld.load(ordering: .relaxed), holds() { return false }
        return turn(until: stages.requests.head.now)
    }

    private mutating func turn(until end: UInt64) -> Bool {
        let before = position
        readClock()
        raiseEpoch()
        raiseRules()
        let isWorking = fireTimer()
        var didWork = isWorking
        if !held.isEmpty, retryHeld() { didWork = true }
        if requestPosition < end {
            // Between two ticks of a long work other commands run, for about as long as a tick
            // takes.
            let deadline = isWorking ? Clock.monotonicNanos() + Self.betweenTicksNanosMax : 0
            repeat {
                take(until: end)
            } while requestPosition < end && isWorking && Clock.monotonicNanos() < deadline
            stages.requestsTaken.advance(to: requestPosition)
            stages.commands.advance(to: commands)
            stages.trace?.apply(requestPosition, position, taken: turnTime)
            didWork = true
        }
        markByTime(isIdle: requestPosition == end)
        if position != before {
            stages.journalPark.unpark()
            didWork = true
        } else if didWork {
            // Answers to commands that did not enter the log need no release.
            stages.linkBell.ring()
        }
        return didWork
    }

    mutating func take(until end: UInt64) {
        var left = Self.turnMax
        while requestPosition < end, left > 0 {
            let (bytes, start) = unsafe stages.requests.piece(requestPosition, end)
            var offset = 0
            while offset < bytes.count, left > 0 {
                let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
                if length == 0 { break }
                let request = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[offset..<offset + length])
                if unsafe isHeld(request) || !self.request(request) { unsafe hold(request) }
                offset += length
                left -= 1
            }
            requestPosition = start + UInt64(offset)
        }
    }

    /// Whether a request's session has one before it that waits.
    func isHeld(_ request: UnsafeRawBufferPointer) -> Bool {
        if held.isEmpty { return false }
        let session = unsafe RequestHeader(request).session.number
        return session != 0 && held.isHolding(session)
    }

    /// Holds a request back. Above `callerBytesMax` of one connection the Link reads no more of its
    /// commands; up to there a gateway continues in its other sessions.
    mutating func hold(_ request: UnsafeRawBufferPointer) {
        let header = unsafe RequestHeader(request)
        let bytes = unsafe held.append(header.session.number, header.caller.raw, request)
        stages.heldBytes.advance(to: UInt64(held.bytes))
        if bytes > HeldRequests.callerBytesMax {
            stages.held[header.caller.slot].hold(header.caller.raw)
        }
    }

    /// Retries the requests that were held back; returns whether any of them was applied.
    mutating func retryHeld() -> Bool {
        var waiting = HeldRequests()
        swap(&waiting, &held)
        var didWork = false
        let freed = unsafe waiting.retry(most: Self.turnMax) { bytes in
            guard unsafe request(bytes) else { return false }
            didWork = true
            return true
        }
        held = waiting
        stages.heldBytes.advance(to: UInt64(held.bytes))
        for caller in freed { stages.held[Caller(raw: caller).slot].free(caller) }
        if !freed.isEmpty { stages.linkBell.ring() }
        return didWork
    }

    /// Takes a request; returns false if it has to wait for its instrument.
    mutating func request(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let header = unsafe RequestHeader(bytes)
        let caller = header.caller
        if header.purpose == .query {
            unsafe answerQuery(caller, bytes)
            return true
        }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: bytes[RequestHeader.size...])
        let refusal = unsafe admit(caller, header, payload)
        guard refusal == .none else {
            commands += 1
            answer(caller, header, sequence: 0, Outcome(refusal: refusal, id: engine.sequence))
            return true
        }
        if header.session.number != 0, unsafe mustWait(header.kind, payload) { return false }
        commands += 1
        // Opening or closing a session is a command outside of any session, so without a number.
        let isOwn = header.session.number == 0
        let outcome = unsafe append(
            kind: header.kind, revision: header.revision, session: header.session,
            number: isOwn ? 0 : header.number, payload: payload)
        if isOwn {
            sessions.removeAll()
        } else {
            sessions.advance(header.session, header.number)
            if let mark, !mark.suspects.isEmpty { mark.passed(header.session, header.number) }
        }
        spendReserve(header.kind, outcome)
        if caller.wantsAcks || isOwn { answer(caller, header, sequence: engine.sequence, outcome) }
        if sinceMark >= hashEvery { markHash() }
        return true
    }

    /// Whether a command has to wait until its instrument's long work is over.
    func mustWait(_ kind: UInt16, _ payload: UnsafeRawBufferPointer) -> Bool {
        // Work that no tick brings on, as of an instrument that is halted, is not waited for.
        guard let kind = CommandKind(rawValue: kind), let due = engine.nextTimer, due <= clock.now
        else { return false }
        return unsafe engine.isBusy(kind, payload: payload)
    }

    // MARK: Time

    mutating func readClock() {
        let (host, monotonic) = LogClock.readHost()
        clock.advance(host: host, monotonic: monotonic)
        turnTime = monotonic
        mark?.keep(line: clock.line)
        stages.clock.publish(clock)
    }

    /// Fires the engine's timers that are due, and continues its long work, by one tick.
    mutating func fireTimer() -> Bool {
        guard let due = engine.nextTimer, due <= clock.now else { return false }
        _ = unsafe append(
            kind: CommandKind.tick.rawValue, revision: 0, session: SessionID(0), number: 0,
            payload: UnsafeRawBufferPointer(start: nil, count: 0))
        return true
    }

    /// Writes a hash mark when one is due by time, so that replicas of a quiet exchange are
    /// compared as well, and when a sealed primary is idle.
    mutating func markByTime(isIdle: Bool) {
        guard sinceMark > 0 else { return }
        let isSealed =
            isIdle && stages.role.load(ordering: .acquiring) == LinkServerRole.sealed.rawValue
        if isSealed || clock.now - markTime >= hashNanos { markHash() }
    }

    /// Writes the running hash into the log.
    mutating func markHash() {
        var hash = engine.eventHash.littleEndian
        _ = unsafe withUnsafeBytes(of: &hash) { payload in
            unsafe append(
                kind: CommandKind.hashMark.rawValue, revision: 0, session: SessionID(0), number: 0,
                payload: payload)
        }
        precondition(!engine.hasDiverged, "the engine agrees with its own mark")
        sinceMark = 0
        markTime = clock.now
        stages.hashMark.advance(to: engine.sequence)
    }

    // MARK: The log

    /// Writes a record into the log ring, applies it, and shows it to the journal.
    mutating func append(
        kind: UInt16, revision: UInt16, session: SessionID, number: UInt64,
        payload: UnsafeRawBufferPointer, epoch: UInt32? = nil
    ) -> Outcome {
        let length = RecordHeader.size + payload.count
        let start = stages.log.place(position, length)
        waitForRoom(until: start + UInt64(length))
        let room = unsafe stages.log.room(position, length)
        let header = RecordHeader(
            length: UInt32(length), sequence: engine.sequence + 1, timestamp: clock.now,
            epoch: epoch ?? engine.epoch, session: session, number: number, kind: kind,
            revision: revision)
        mark?.enter(session, number, kind)
        unsafe header.write(to: room)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[RecordHeader.size...])
            .copyMemory(from: payload)
        let outcome = unsafe engine.apply(record: UnsafeRawBufferPointer(room))
        mark?.leave()
        precondition(engine.sequence == header.sequence, "the engine took the record")
        position = start + UInt64(length)
        sinceMark += 1
        stages.applied.advance(to: engine.sequence)
        stages.log.head.advance(to: position)
        return outcome
    }

    /// Waits until the ring is free up to `end`: the disk, the Link or a peer has fallen far
    /// behind.
    func waitForRoom(until end: UInt64) {
        let size = UInt64(stages.log.size)
        var looks = 0
        while true {
            let used = min(
                stages.durable.now.position, stages.retained.now, stages.senderPosition.now)
            if end <= used || end - used <= size { return }
            wait(&looks)
        }
    }

    mutating func answer(
        _ caller: Caller, _ header: RequestHeader, sequence: UInt64, _ outcome: Outcome
    ) {
        let reply = Answer(
            caller: caller, gate: engine.sequence, sequence: sequence,
            session: header.session.number, refusal: outcome.refusal.rawValue,
            status: outcome.status.rawValue,
            kind: header.kind == CommandKind.openSession.rawValue ? .opening : .command,
            number: header.number, id: outcome.id)
        push(reply)
    }

    mutating func answerQuery(_ caller: Caller, _ bytes: UnsafeRawBufferPointer) {
        var reader = unsafe WireReader(
            UnsafeRawBufferPointer(rebasing: bytes[RequestHeader.size...]))
        let name: Text40 = reader.text()
        let session = engine.session(name: name)
        push(
            Answer(
                caller: caller, gate: engine.sequence, sequence: 0, session: 0, refusal: 0,
                status: 0, kind: .session, number: session?.lastNumber ?? 0,
                id: UInt64(session?.id.number ?? 0)))
    }

    mutating func push(_ reply: Answer) {
        let size = UInt64(stages.answers.size)
        let end = answerPosition + UInt64(Answer.size)
        var looks = 0
        while end > stages.answersTaken.now + size { wait(&looks) }
        unsafe reply.write(to: stages.answers.room(answerPosition, Answer.size))
        answerPosition = end
        stages.answers.head.advance(to: end)
    }

    /// One wait while a ring is full: yields at first, then sleeps for short times. It does not
    /// count as a turn: a disk that hangs must not look like progress.
    func wait(_ looks: inout Int) {
        looks += 1
        stages.journalPark.unpark()
        stages.linkBell.ring()
        if looks < 64 { sched_yield() } else { usleep(100) }
    }
}

/// The last command numbers of recently used sessions, by the low bits of the session ids.
struct SessionCache {
    private var ids = InlineArray<16, UInt32>(repeating: 0)
    private var numbers = InlineArray<16, UInt64>(repeating: 0)
    private var owners = InlineArray<16, LinkRole>(repeating: .observer)
    private var gateways = InlineArray<16, UInt32>(repeating: 0)

    /// The last number of a session and whose it is, where that is known here.
    func last(_ session: SessionID) -> (number: UInt64, owner: LinkRole)? {
        let place = Int(session.number & 15)
        return ids[place] == session.number ? (numbers[place], owners[place]) : nil
    }

    /// Takes a session's last number, and whose it is.
    mutating func set(_ session: SessionID, _ number: UInt64, _ owner: LinkRole) {
        let place = Int(session.number & 15)
        (ids[place], numbers[place], owners[place]) = (session.number, number, owner)
        gateways[place] = 0
    }

    /// The gateway that is bound to its name and has this session; 0: none is known here.
    func gateway(of session: SessionID) -> UInt32 {
        let place = Int(session.number & 15)
        return ids[place] == session.number ? gateways[place] : 0
    }

    /// Takes which gateway has a session that is known here.
    mutating func set(_ session: SessionID, gateway: UInt32) {
        let place = Int(session.number & 15)
        if ids[place] == session.number { gateways[place] = gateway }
    }

    /// Takes the next number of a session that is known here.
    mutating func advance(_ session: SessionID, _ number: UInt64) {
        let place = Int(session.number & 15)
        if ids[place] == session.number { numbers[place] = number }
    }

    /// Forgets all: a session was opened or closed.
    mutating func removeAll() { ids = InlineArray(repeating: 0) }
}
