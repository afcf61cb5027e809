// Exactly once: a writer's numbered commands, from submission to the log.

public import Link
public import Terms
public import Wire

/// A writer's commands in flight, for a writer that follows the log.
///
/// Commands are numbered 1, 2, … in a session of the log. They stay here until they are seen in the
/// log; after a lost connection all unseen ones are sent again under their old numbers, and matchd
/// drops duplicates. A command that matchd refused without logging it (disk reserve, poison) leaves
/// its number free: later ones were not logged either, and are renumbered once matchd has answered
/// all of them.
///
/// Sans-IO and pure: it writes frames into a `LinkEncoder`. Bounded: `submit` returns false when
/// full.
///
/// The owner calls `connected` when a connection is welcomed, `disconnected` when it is lost,
/// `acked` with every `LinkAck`, `applied` with every record of the log in order.
public struct WriterSession<Tag: Sendable>: Sendable {
    /// How it stands.
    public enum State: Hashable, Sendable {
        /// Waits until the session is open.
        case opening
        /// Accepts commands.
        case open(SessionID)
        /// A later incarnation of the name has the session: this one may submit nothing more.
        case replaced
        /// matchd refused the session.
        case refused(Refusal)
        /// The writer has closed it; its name is free once `isClosed`.
        case closed
    }

    /// A resolved command.
    public struct Resolved: Sendable {
        /// The submitter's tag.
        public var tag: Tag
        /// What came of it. `sessionUnknown`, `diskReserve`, `poisoned`: it is not in the log and
        /// never will be under this session.
        public var outcome: Outcome
    }

    struct Flight: Sendable {
        var number: UInt64
        var kind: UInt16
        var payload: [UInt8]
        var tag: Tag
    }

    /// The writer's name.
    public let name: Text40
    /// Maximum commands in flight.
    public let capacity: Int
    /// How it stands.
    public private(set) var state = State.opening
    /// Whether matchd has reported the session's end as durable.
    public private(set) var isClosed = false
    /// Whether there is a connection.
    public private(set) var isConnected = false
    /// Whether what is in flight was given up: see `abandon`.
    public private(set) var isAbandoned = false
    /// In the order of their numbers, from `first` on.
    var flights: [Flight] = []
    var first = 0
    var nextNumber: UInt64 = 1
    /// The lowest number that a refused command left free; flights behind it wait to be numbered
    /// anew, those not sent since have number 0.
    var freeNumber: UInt64?
    /// While there is a free number: the last one sent.
    var lastSent: UInt64 = 0
    /// matchd does not know the session: commands not in the log up to this record never will be.
    var lostAt: UInt64?
    /// The last record seen of the log.
    var lastSeen: UInt64 = 0
    /// The highest epoch of a server.
    var epochMax: UInt32 = 0
    /// The newest session of this name in the log.
    var newest = SessionID(0)
    /// The awaited attempt to open: the number of its `OpenSession`.
    var attempt: UInt64

    /// A writer of this name. Attempts to open it are numbered from behind `attempt`: apart from
    /// those of other writers on the same connection.
    public init(name: Text40, capacity: Int = 8192, attempt: UInt64 = 0) {
        precondition(capacity > 0, "room for one command at least")
        (self.name, self.capacity, self.attempt) = (name, capacity, attempt)
    }

    /// Commands in flight.
    public var inFlight: Int { flights.count - first }

    /// Whether `submit` takes a command now.
    public var canSubmit: Bool {
        guard isConnected, !isAbandoned, lostAt == nil, case .open = state else { return false }
        return inFlight < capacity
    }

    /// A server of `epoch` welcomed a connection: opens the session, or continues it and resends
    /// commands not seen in the log. False, and nothing is done, if an earlier server had a later
    /// term: this one's log may lack records.
    @discardableResult
    public mutating func connected(_ out: inout LinkEncoder, epoch: UInt32 = 0) -> Bool {
        guard epoch == 0 || epoch >= epochMax else { return false }
        epochMax = max(epochMax, epoch)
        isConnected = true
        numberAnew()
        switch state {
        case .opening: open(&out)
        case .open: if isAbandoned { open(&out) } else { resend(&out) }
        case .replaced, .refused, .closed: break
        }
        return true
    }

    /// The connection was lost; no command is lost with it.
    public mutating func disconnected() { isConnected = false }

    /// Opens a new session after `replaced`, `refused` or `closed`.
    public mutating func reopen(_ out: inout LinkEncoder) {
        precondition(inFlight == 0, "what the old session had in flight was resolved")
        (state, isClosed) = (.opening, false)
        if isConnected { open(&out) }
    }

    /// Sends nothing of what is in flight again, as matchd would refuse the connection for it, but
    /// a new session to end this one. Its record in the log resolves what is in flight then:
    /// nothing of it can enter the log any more. May be repeated where matchd refused that.
    public mutating func abandon(_ out: inout LinkEncoder) {
        guard inFlight > 0, case .open = state else { return }
        isAbandoned = true
        if isConnected { open(&out) }
    }

    /// Ends the session, so that its name is free; false, and nothing is done, while a command is
    /// in flight or there is no connection. Nothing of it can enter the log afterwards.
    public mutating func close(_ out: inout LinkEncoder) -> Bool {
        guard isConnected, inFlight == 0, lostAt == nil, case .open(let id) = state else {
            return false
        }
        state = .closed
        attempt += 1
        out.submit(session: SessionID(0), number: attempt, CloseSession(session: id))
        return true
    }

    /// Submits a command; false, and nothing is done, if `canSubmit` is false.
    public mutating func submit(
        _ payload: some CommandPayload, tag: Tag, _ out: inout LinkEncoder
    ) -> Bool {
        guard canSubmit, case .open(let id) = state else { return false }
        var flight = Flight(
            number: 0, kind: type(of: payload).kind.rawValue, payload: payload.payloadBytes(),
            tag: tag)
        if freeNumber == nil {
            flight.number = nextNumber
            nextNumber += 1
            send(flight, id, &out)
        }
        flights.append(flight)
        return true
    }

    /// Takes an acknowledgement; returns the commands that it resolves: those that did not enter
    /// the log. All others are resolved by `applied`.
    public mutating func acked(_ ack: LinkAck, _ out: inout LinkEncoder) -> [Resolved] {
        if ack.session.number == 0 {
            opened(ack)
            return []
        }
        guard case .open(let id) = state, ack.session == id, !ack.isLogged else { return [] }
        var resolved: [Resolved] = []
        switch ack.refusal {
        case .duplicateCommand: return []
        case .sessionUnknown:
            lostAt = max(lostAt ?? 0, ack.id)
            return settle(&out)
        case .sessionGap: break
        default:
            guard let at = flights[first...].firstIndex(where: { $0.number == ack.number }) else {
                return []
            }
            resolved = [Resolved(tag: flights[at].tag, outcome: .refused(ack.refusal))]
            flights.remove(at: at)
            if inFlight == 0 { isAbandoned = false }
            if freeNumber == nil { lastSent = nextNumber - 1 }
            freeNumber = min(freeNumber ?? .max, ack.number)
        }
        // All commands sent after it are answered, so none of them is in the log.
        if freeNumber != nil, ack.number >= lastSent {
            let before = numberAnew()
            if isConnected, !isAbandoned {
                for flight in flights[before...] { send(flight, id, &out) }
            }
        }
        return resolved
    }

    /// Takes a record of the log; returns the commands that it resolves: its own, or all when the
    /// record shows that another incarnation has replaced this one.
    public mutating func applied(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ out: inout LinkEncoder
    ) -> [Resolved] {
        lastSeen = header.sequence
        let resolved = unsafe resolve(header, record, outcome)
        return lostAt == nil ? resolved : resolved + settle(&out)
    }

    private mutating func resolve(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome
    ) -> [Resolved] {
        if header.kind == CommandKind.openSession.rawValue {
            return unsafe sessionOpened(record, outcome)
        }
        guard case .open(let id) = state, header.session == id,
            first < flights.count, flights[first].number == header.number
        else { return [] }
        let tag = flights[first].tag
        first += 1
        if first > 1024 || first == flights.count {
            flights.removeFirst(first)
            first = 0
        }
        if inFlight == 0 { isAbandoned = false }
        return [Resolved(tag: tag, outcome: outcome)]
    }

    // MARK: Parts

    /// Renumbers the flights after a free number from it on; returns the place of the first of
    /// them.
    @discardableResult
    mutating func numberAnew() -> Int {
        guard let free = freeNumber else { return flights.endIndex }
        let at = flights[first...].firstIndex { $0.number == 0 || $0.number > free }
        nextNumber = free
        freeNumber = nil
        guard let at else { return flights.endIndex }
        for index in at..<flights.count {
            flights[index].number = nextNumber
            nextNumber += 1
        }
        return at
    }

    /// Where matchd does not know the session and the log shows no other incarnation: it was
    /// closed, or cut in a failover. What is in flight is not in the log; a new session is opened.
    mutating func settle(_ out: inout LinkEncoder) -> [Resolved] {
        guard let lost = lostAt, lastSeen >= lost, case .open = state else { return [] }
        let resolved = dropAll()
        state = .opening
        if isConnected { open(&out) }
        return resolved
    }

    /// Resolves all flights as not in the log.
    mutating func dropAll() -> [Resolved] {
        let resolved = flights[first...].map {
            Resolved(tag: $0.tag, outcome: .refused(.sessionUnknown))
        }
        (flights, first, freeNumber, lostAt) = ([], 0, nil, nil)
        isAbandoned = false
        return resolved
    }

    mutating func open(_ out: inout LinkEncoder) {
        attempt += 1
        out.submit(session: SessionID(0), number: attempt, OpenSession(name: name))
    }

    mutating func opened(_ ack: LinkAck) {
        if state == .closed, ack.number == attempt { isClosed = true }
        guard state == .opening, ack.number == attempt else { return }
        guard ack.refusal == .none else {
            state = .refused(ack.refusal)
            return
        }
        let id = SessionID(UInt32(truncatingIfNeeded: ack.id))
        nextNumber = 1
        state = newest > id ? .replaced : .open(id)
    }

    mutating func sessionOpened(
        _ record: UnsafeRawBufferPointer, _ outcome: Outcome
    ) -> [Resolved] {
        let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
        guard outcome.refusal == .none,
            case .openSession(let open) = unsafe Command(kind: .openSession, payload: payload),
            open.name == name
        else { return [] }
        newest = max(newest, SessionID(UInt32(truncatingIfNeeded: outcome.id)))
        guard case .open(let id) = state, newest > id else { return [] }
        state = .replaced
        return dropAll()
    }

    func send(_ flight: Flight, _ id: SessionID, _ out: inout LinkEncoder) {
        unsafe flight.payload.withUnsafeBytes {
            unsafe out.submit(session: id, number: flight.number, kind: flight.kind, payload: $0)
        }
    }

    func resend(_ out: inout LinkEncoder) {
        guard case .open(let id) = state else { return }
        for flight in flights[first...] { send(flight, id, &out) }
    }
}
