// From frames to bytes.

public import Terms
public import Wire

/// Appends frames to a growing buffer, for any transport to send. The owner bounds it by `count`.
public struct LinkEncoder: Sendable {
    /// Bytes written and not taken yet, as a buffer.
    public private(set) var bytes: [UInt8] = []
    /// Where the last frame begins, while it is a submit frame that can take more commands.
    var openSubmit: Int?
    var openSession = SessionID(0)

    /// An empty one.
    public init() {}

    /// Bytes written and not taken yet.
    public var count: Int { bytes.count }
    /// Whether there is nothing to send.
    public var isEmpty: Bool { bytes.isEmpty }

    /// Returns all bytes written, and starts empty.
    public mutating func take() -> [UInt8] {
        openSubmit = nil
        defer { bytes = [] }
        return bytes
    }

    /// Drops all bytes and keeps the memory.
    public mutating func removeAll() {
        openSubmit = nil
        bytes.removeAll(keepingCapacity: true)
    }

    /// Calls `body` with the bytes; then drops as many as it returns.
    public mutating func drain(_ body: (UnsafeRawBufferPointer) -> Int) {
        let sent = unsafe bytes.withUnsafeBytes { unsafe body($0) }
        precondition(sent >= 0 && sent <= bytes.count, "at most the bytes written were sent")
        openSubmit = nil
        if sent == bytes.count {
            bytes.removeAll(keepingCapacity: true)
        } else {
            bytes.removeFirst(sent)
        }
    }

    /// Writes a command into a submit frame of its session: the last one while it has room, else a
    /// new one. Session 0 is for `OpenSession` alone; its `number` comes back in the
    /// acknowledgement.
    public mutating func submit(
        session: SessionID, number: UInt64, _ payload: some CommandPayload
    ) {
        unsafe withUnsafeTemporaryAllocation(byteCount: Limits.recordBytesMax, alignment: 8) {
            room in
            var writer = unsafe WireWriter(room)
            payload.encode(into: &writer)
            writer.pad()
            unsafe submit(
                session: session, number: number, kind: type(of: payload).kind.rawValue,
                payload: UnsafeRawBufferPointer(rebasing: room[0..<writer.offset]))
        }
    }

    /// The same with an encoded and padded payload.
    public mutating func submit(
        session: SessionID, number: UInt64, kind: UInt16, revision: UInt16 = 0,
        payload: UnsafeRawBufferPointer
    ) {
        precondition(
            payload.count & 7 == 0 && payload.count <= Limits.recordBytesMax - RecordHeader.size,
            "a payload is padded and fits a record")
        let frame = submitFrame(session, payload.count)
        put(number)
        put(UInt32(payload.count))
        put(kind)
        put(revision)
        unsafe bytes.append(contentsOf: payload)
        patch(frame, UInt32(bytes.count - frame))
        patch(frame + 12, word(frame + 12) + 1)
    }

    /// Where the submit frame begins that takes an entry with `payload` bytes.
    mutating func submitFrame(_ session: SessionID, _ payload: Int) -> Int {
        if let open = openSubmit, openSession == session,
            bytes.count - open + LinkProtocol.entryBytes + payload <= LinkProtocol.submitBytesMax
        {
            return open
        }
        let frame = begin(.submit)
        put(session.number)
        put(UInt32(0))
        end(frame)
        (openSubmit, openSession) = (frame, session)
        return frame
    }

    /// Writes any frame.
    public mutating func append(_ frame: LinkFrame) {
        let start = begin(frame.type)
        switch frame {
        case .hello(let hello): put(hello)
        case .proof(let proof): bytes.append(contentsOf: proof)
        case .submit(let submit): bytes.append(contentsOf: submit.body)
        case .subscribe(let wanted): put(wanted)
        case .query(let name): put(name)
        case .askStatus: break
        case .challenge(let challenge): bytes.append(contentsOf: challenge)
        case .welcome(let welcome): put(welcome)
        case .acks(let acks): put(acks)
        case .voids(let voids):
            put(UInt64(UInt32(voids.count)))
            for sequence in voids { put(sequence) }
        case .snapshot(let head): put(head)
        case .chunk(let part):
            put(UInt64(UInt32(part.count)))
            bytes.append(contentsOf: part)
        case .records(let run): bytes.append(contentsOf: run.bytes)
        case .position(let released, let time, let epoch):
            put(released)
            put(time)
            put(epoch)
            put(UInt32(0))
        case .session(let session): put(session)
        case .status(let status): put(status)
        case .error(let refusal): put(refusal)
        }
        end(start)
        openSubmit = nil
    }

    // MARK: Parts

    mutating func begin(_ type: LinkFrameType) -> Int {
        let start = bytes.count
        put(UInt32(0))
        put(type.rawValue)
        put(UInt16(0))
        return start
    }

    mutating func end(_ start: Int) {
        while (bytes.count - start) & 7 != 0 { bytes.append(0) }
        let length = bytes.count - start
        precondition(length <= LinkProtocol.frameBytesMax, "a frame within its limit")
        patch(start, UInt32(length))
    }

    mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func put(_ text: Text40) {
        unsafe withUnsafeBytes(of: text) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func patch(_ offset: Int, _ value: UInt32) {
        unsafe bytes.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
        }
    }

    func word(_ offset: Int) -> UInt32 {
        unsafe bytes.withUnsafeBytes {
            unsafe UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
    }

    mutating func put(_ welcome: LinkWelcome) {
        put(welcome.version)
        put(welcome.epoch)
        put(welcome.journalHigh)
        put(welcome.journalLow)
        put(welcome.role.rawValue)
        put(welcome.forcedEpoch)
        put(welcome.released)
        put(welcome.time)
        put(welcome.process)
        put(welcome.forcedFrom)
        put(welcome.primary)
    }

    mutating func put(_ ack: LinkAck) {
        put(ack.number)
        put(ack.sequence)
        put(ack.id)
        put(ack.refusal.rawValue)
        put(ack.status.rawValue)
        for _ in 0..<5 { bytes.append(0) }
    }

    mutating func put(_ s: LinkStatus) {
        for value in s.words { put(value) }
        put(s.role)
        put(s.peer)
    }

    mutating func put(_ hello: LinkHello) {
        put(hello.version)
        put(UInt32(hello.wantsAcks ? 1 : 0))
        put(hello.name)
        put(hello.epochMax)
        put(hello.purpose.rawValue)
        put(hello.process)
    }

    mutating func put(_ wanted: LinkSubscription) {
        put(wanted.from)
        put(wanted.atMost)
        put(wanted.epoch)
        put(wanted.crc)
    }

    mutating func put(_ acks: [LinkAck]) {
        precondition(Set(acks.map(\.session)).count <= 1, "acknowledgements of one session")
        put(acks.first?.session.number ?? 0)
        put(UInt32(acks.count))
        for ack in acks { put(ack) }
    }

    mutating func put(_ head: LinkSnapshot) {
        put(head.sequence)
        put(head.time)
        put(head.epoch)
        put(head.crc)
        put(head.stateHash)
        put(head.count)
    }

    mutating func put(_ session: LinkSession) {
        put(session.name)
        put(session.id.number)
        put(UInt32(0))
        put(session.lastNumber)
    }

    mutating func put(_ refusal: LinkRefusal) {
        let text = refusal.text.utf8.prefix(LinkProtocol.errorBytesMax)
        put(refusal.code.rawValue)
        put(UInt16(text.count))
        bytes.append(contentsOf: text)
    }
}

extension LinkFrame {
    /// Its type on the wire.
    fileprivate var type: LinkFrameType {
        switch self {
        case .hello: .hello
        case .proof: .proof
        case .submit: .submit
        case .subscribe: .subscribe
        case .query: .query
        case .askStatus: .askStatus
        case .challenge: .challenge
        case .welcome: .welcome
        case .acks: .acks
        case .voids: .voids
        case .snapshot: .snapshot
        case .chunk: .chunk
        case .records: .records
        case .position: .position
        case .session: .session
        case .status: .status
        case .error: .error
        }
    }
}
