// One connection between two matchds: a TLS stream with an output and an input buffer.

internal import Glibc
internal import Platform
internal import Secrets

/// How a connection ended.
enum ReplicationError: Error, Hashable {
    case tls(TLSError)
    /// The other side closed it in order.
    case closed
    case malformed
    /// This side ends it for this reason, which it sends to the other side; or the other side did.
    case rejected(String)
    /// The peer took or sent nothing for too long.
    case silent

    /// The reason, for the log.
    var words: String {
        switch self {
        case .tls(let error): error.description
        case .closed: "the peer closed the connection"
        case .malformed:
            "what came is no replication frame of version \(ReplicationProtocol.version): run the "
                + "same release on both hosts"
        case .rejected(let reason): reason
        case .silent: "nothing came for too long"
        }
    }
}

/// The stream and its two buffers, both of a fixed size. One thread uses it.
final class ReplicationConnection {
    private let stream: TLSStream
    private var decoder = ReplicationDecoder()
    /// Allocated when the first frame is queued: connections without a proven peer take no memory.
    private var output: [UInt8] = []
    private var (start, end) = (0, 0)
    /// What the stream waits for besides input; events of poll(2).
    private var waits: Int16 = 0
    private var isReady = false
    /// When bytes last came or went, by the monotonic clock.
    private(set) var movedAt = Clock.monotonicNanos()
    /// When bytes last came.
    private(set) var heardAt = Clock.monotonicNanos()

    /// With more bytes than this waiting, no more records are queued, so that beacons are not
    /// delayed.
    static let queuedMax = 512 << 10

    private static let outputBytes = queuedMax + 4 * ReplicationProtocol.frameBytesMax

    init(_ stream: TLSStream) { self.stream = stream }

    var descriptor: Int32 { stream.descriptor }
    /// Bytes that wait to be sent.
    var queued: Int { end - start }

    /// The events of poll(2) to wait for. `reads`: whether more frames are wanted.
    func events(reads: Bool) -> Int16 {
        let reading = reads ? Int16(POLLIN) : 0
        return queued > 0 || !isReady ? reading | max(waits, Int16(POLLIN)) : reading
    }

    /// Continues the handshake; returns true once it is done.
    func shakeHands() throws(ReplicationError) -> Bool {
        if isReady { return true }
        switch try step({ () throws(TLSError) in try stream.handshake() }) {
        case .done:
            isReady = true
            waits = 0
            return true
        case .wait(let events): waits = events
        case .ended: throw .closed
        }
        return false
    }

    /// Queues a frame.
    func queue(_ frame: ReplicationFrame) throws(ReplicationError) {
        let bytes = frame.bytes()
        try makeRoom(bytes.count)
        output.replaceSubrange(end..<end + bytes.count, with: bytes)
        end += bytes.count
    }

    /// Queues a frame and the payload that `fill` writes, at most `payloadBytesMax` bytes; nothing
    /// if that is 0. `fill` returns the count and the frame, or nil.
    func queue(
        headBytes: Int, _ fill: (UnsafeMutableRawBufferPointer) -> (Int, ReplicationFrame)?
    ) throws(ReplicationError) {
        try makeRoom(headBytes + ReplicationProtocol.payloadBytesMax)
        let place = end + headBytes..<end + headBytes + ReplicationProtocol.payloadBytesMax
        let filled = unsafe output.withUnsafeMutableBytes {
            unsafe fill(UnsafeMutableRawBufferPointer(rebasing: $0[place]))
        }
        guard let (count, frame) = filled, count > 0 else { return }
        let head = frame.bytes(payload: count)
        precondition(head.count == headBytes, "the head has its length")
        output.replaceSubrange(end..<end + headBytes, with: head)
        end += headBytes + count
    }

    private func makeRoom(_ count: Int) throws(ReplicationError) {
        if output.isEmpty {
            // Read only where it was written: most connections never touch most of it.
            output = unsafe [UInt8](unsafeUninitializedCapacity: Self.outputBytes) {
                $1 = Self.outputBytes
            }
        }
        if output.count - end >= count { return }
        unsafe output.withUnsafeMutableBytes { raw in
            unsafe raw.copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[start..<end]))
        }
        (start, end) = (0, end - start)
        // Only small frames are queued without checking `queued`: so many mean that none is sent.
        guard output.count - end >= count else { throw .silent }
    }

    /// Sends what can be sent now.
    func flush() throws(ReplicationError) {
        while start < end {
            let progress = try step { () throws(TLSError) in
                let result: Result<TLSStream.StepResult, TLSError> =
                    unsafe output.withUnsafeBytes { raw in
                        do throws(TLSError) {
                            return .success(
                                unsafe try stream.write(
                                    UnsafeRawBufferPointer(rebasing: raw[start..<end])))
                        } catch { return .failure(error) }
                    }
                return try result.get()
            }
            switch progress {
            case .done(let count):
                start += count
                movedAt = Clock.monotonicNanos()
            case .wait(let events):
                waits = events
                return
            case .ended: throw .closed
            }
        }
        (start, end, waits) = (0, 0, 0)
    }

    /// The next frame that has come, or nil.
    func next() throws(ReplicationError) -> ReplicationDecoder.Item? {
        while true {
            do throws(ReplicationDecoder.FrameError) {
                if let item = try decoder.next() { return item }
            } catch { throw .malformed }
            let progress = try step { () throws(TLSError) in
                var result = TLSStream.StepResult.ended
                _ = unsafe try decoder.fill { room throws(TLSError) in
                    result = unsafe try stream.read(into: room)
                    if case .done(let count) = result { return count }
                    return 0
                }
                return result
            }
            switch progress {
            case .done:
                movedAt = Clock.monotonicNanos()
                heardAt = movedAt
            case .wait: return nil
            case .ended: throw .closed
            }
        }
    }

    /// The payload of the frame that came last.
    func withTail<R>(
        _ item: ReplicationDecoder.Item, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        unsafe decoder.withTail(item, body)
    }

    /// Sends the reason and ends the stream, if the socket takes that at once.
    func reject(_ reason: String) {
        guard isReady, (try? queue(.reject(reason))) != nil, (try? flush()) != nil, queued == 0
        else { return }
        _ = try? stream.end()
    }

    private func step(
        _ body: () throws(TLSError) -> TLSStream.StepResult
    ) throws(ReplicationError) -> TLSStream.StepResult {
        do throws(TLSError) { return try body() } catch { throw .tls(error) }
    }
}

/// Waits for descriptors: poll(2).
enum ReplicationWait {
    /// Waits until one of them has its events, or `nanos` have passed; gives those that have.
    static func wait(_ entries: [(descriptor: Int32, events: Int16)], nanos: Int64) -> [Int32] {
        var list = entries.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
        let millis = Int32(clamping: (max(0, nanos) + 999_999) / 1_000_000)
        guard unsafe poll(&list, nfds_t(list.count), millis) > 0 else { return [] }
        return list.filter { $0.revents != 0 }.map(\.fd)
    }

    /// To read.
    static var readable: Int16 { Int16(POLLIN) }
}
