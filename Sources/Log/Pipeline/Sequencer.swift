// The engine thread: orders commands, stamps them, applies them. It owns the engine.

import Engine
import Glibc
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
    /// Where the next record goes, as a position in the log ring.
    var position: UInt64 = 0
    /// Where the next answer goes.
    var answerPosition: UInt64 = 0
    /// The next request.
    var requestPosition: UInt64 = 0
    /// Commands since the last hash mark.
    var sinceMark: UInt64 = 0
    var commands: UInt64 = 0
    /// The log's clock: never goes back.
    var time: Int64
    /// The last number of the sessions that submit most, so that no lookup is needed for each.
    var sessions = SessionCache()

    /// Most commands between two looks at the clock.
    static var turnMax: Int { 64 }

    init(engine: consuming Engine, stages: Stages, hashEvery: UInt64) {
        time = engine.timestamp
        self.engine = engine
        self.stages = stages
        self.hashEvery = hashEvery
    }

    /// When the engine's next timer is due.
    var nextTimer: Int64? { engine.nextTimer }

    /// Gives the engine back.
    consuming func finish() -> Engine { engine }

    /// Takes what waits, up to a turn's worth; false when there was nothing to do.
    mutating func turn() -> Bool {
        let (end, before) = (stages.requests.head.now, position)
        if requestPosition == end, engine.nextTimer == nil { return false }
        time = max(time, Clock.realtimeNanos())
        var didWork = fireTimer()
        if requestPosition < end {
            take(until: end)
            stages.requestsTaken.advance(to: requestPosition)
            stages.commands.advance(to: commands)
            didWork = true
        }
        if position != before {
            stages.journalPark.unpark()
        } else if didWork {
            // Answers to what did not enter the log may wait for nothing.
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
                unsafe request(
                    UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                offset += length
                left -= 1
            }
            requestPosition = start + UInt64(offset)
        }
    }

    mutating func request(_ bytes: UnsafeRawBufferPointer) {
        guard let header = unsafe RecordHeader(bytes) else {
            preconditionFailure("a request has a header")
        }
        let caller = Caller(raw: header.crc)
        if header.sequence == Request.query {
            unsafe answerQuery(caller, bytes)
            return
        }
        commands += 1
        let refusal = admit(header)
        guard refusal == .none else {
            answer(caller, header, sequence: 0, Outcome.refused(refusal))
            return
        }
        let isOpening = header.session.number == 0
        let outcome = unsafe append(
            kind: header.kind, revision: header.revision, session: header.session,
            number: isOpening ? 0 : header.number,
            payload: UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.size...]))
        if isOpening {
            sessions.removeAll()
        } else {
            sessions.set(header.session, header.number)
        }
        if caller.wantsAcks || isOpening {
            answer(caller, header, sequence: engine.sequence, outcome)
        }
        sinceMark += 1
        if sinceMark >= hashEvery { mark() }
    }

    /// Whether a command may enter the log. What repeats, leaves a gap or comes from a session that
    /// is not open would be refused by the engine; here it takes no room in the log.
    mutating func admit(_ header: RecordHeader) -> Refusal {
        if header.session.number != 0 {
            guard let last = lastNumber(header.session) else { return .sessionUnknown }
            if header.number <= last { return .duplicateCommand }
            if header.number > last + 1 { return .sessionGap }
        }
        if stages.isBelowReserve.load(ordering: .relaxed) {
            switch CommandKind(rawValue: header.kind) {
            case .cancel, .massCancel, .setKillSwitch, .openSession: break
            default: return .diskReserve
            }
        }
        return .none
    }

    mutating func lastNumber(_ session: SessionID) -> UInt64? {
        if let last = sessions.last(session) { return last }
        guard let view = engine.session(session) else { return nil }
        sessions.set(session, view.lastNumber)
        return view.lastNumber
    }

    /// Fires the engine's timers that are due.
    mutating func fireTimer() -> Bool {
        guard let due = engine.nextTimer, due <= time else { return false }
        _ = unsafe append(
            kind: CommandKind.tick.rawValue, revision: 0, session: SessionID(0), number: 0,
            payload: UnsafeRawBufferPointer(start: nil, count: 0))
        return true
    }

    /// Writes the running hash into the log.
    mutating func mark() {
        sinceMark = 0
        var hash = engine.eventHash.littleEndian
        _ = unsafe withUnsafeBytes(of: &hash) { payload in
            unsafe append(
                kind: CommandKind.hashMark.rawValue, revision: 0, session: SessionID(0), number: 0,
                payload: payload)
        }
        precondition(!engine.hasDiverged, "the engine agrees with its own mark")
        stages.hashMark.advance(to: engine.sequence)
    }

    /// Writes a record into the log ring, applies it, and shows it to the journal.
    mutating func append(
        kind: UInt16, revision: UInt16, session: SessionID, number: UInt64,
        payload: UnsafeRawBufferPointer
    ) -> Outcome {
        let length = RecordHeader.size + payload.count
        let start = stages.log.place(position, length)
        waitForRoom(until: start + UInt64(length))
        let room = unsafe stages.log.room(position, length)
        var header = RecordHeader(
            sequence: engine.sequence + 1, timestamp: time, epoch: engine.epoch, session: session,
            number: number, kind: .tick)
        header.length = UInt32(length)
        header.kind = kind
        header.revision = revision
        unsafe header.write(to: room)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[RecordHeader.size...])
            .copyMemory(from: payload)
        let outcome = unsafe engine.apply(record: UnsafeRawBufferPointer(room))
        precondition(engine.sequence == header.sequence, "the engine took the record")
        position = start + UInt64(length)
        stages.applied.advance(to: engine.sequence)
        stages.log.head.advance(to: position)
        return outcome
    }

    /// Waits until the ring is free up to `end`: the disk or the Link has fallen far behind.
    func waitForRoom(until end: UInt64) {
        let size = UInt64(stages.log.size)
        var looks = 0
        while end > min(stages.durablePosition.now, stages.retained.now) + size {
            wait(&looks)
        }
    }

    mutating func answer(
        _ caller: Caller, _ header: RecordHeader, sequence: UInt64, _ outcome: Outcome
    ) {
        let reply = Answer(
            caller: caller, gate: engine.sequence, sequence: sequence,
            session: header.session.number, refusal: outcome.refusal.rawValue,
            status: outcome.status.rawValue, isSession: false, number: header.number,
            id: outcome.id)
        push(reply)
    }

    mutating func answerQuery(_ caller: Caller, _ bytes: UnsafeRawBufferPointer) {
        var reader = unsafe WireReader(
            UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.size...]))
        let name: Text40 = reader.text()
        let session = engine.session(name: name)
        push(
            Answer(
                caller: caller, gate: engine.sequence, sequence: 0, session: 0, refusal: 0,
                status: 0, isSession: true, number: session?.lastNumber ?? 0,
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

    /// One wait of a full ring: lets the others run, then sleeps for short times.
    func wait(_ looks: inout Int) {
        looks += 1
        stages.journalPark.unpark()
        stages.linkBell.ring()
        stages.turns.advance(to: stages.turns.now + 1)
        if looks < 64 { sched_yield() } else { usleep(100) }
    }
}

/// The last numbers of the sessions that were seen last, by the low bits of their ids.
struct SessionCache {
    private var ids = InlineArray<16, UInt32>(repeating: 0)
    private var numbers = InlineArray<16, UInt64>(repeating: 0)

    /// The last number of a session, where it is known here.
    func last(_ session: SessionID) -> UInt64? {
        let place = Int(session.number & 15)
        return ids[place] == session.number ? numbers[place] : nil
    }

    /// Takes a session's last number.
    mutating func set(_ session: SessionID, _ number: UInt64) {
        let place = Int(session.number & 15)
        ids[place] = session.number
        numbers[place] = number
    }

    /// Forgets all: a session was opened, so another may be closed.
    mutating func removeAll() { ids = InlineArray(repeating: 0) }
}
