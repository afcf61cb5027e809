// A blocking Link client: for tools, benchmarks and tests.

import Glibc
import Platform
public import Terms
public import Wire

/// A connection to matchd. One owner at a time; every call may wait.
@safe public final class LinkClient {
    /// The server's greeting.
    public private(set) var welcome: LinkWelcome
    /// The socket, for polling with others.
    public let descriptor: Int32
    var decoder = LinkDecoder()
    var encoder = LinkEncoder()
    let buffer: UnsafeMutableRawBufferPointer
    /// Frames that came while another was awaited.
    var pending: [LinkFrame] = []

    /// Maximum frames kept while another is awaited.
    static var pendingMax: Int { 4096 }

    /// Connects to matchd's Unix socket.
    public static func connect(
        unix path: String, name: Text40, wantsAcks: Bool = true, epochMax: UInt32 = 0,
        purpose: LinkPurpose = [.writer, .follower], timeoutNanos: Int64 = 5_000_000_000
    ) throws(LinkError) -> LinkClient {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        var connected: Int32?
        while connected == nil {
            do throws(SystemError) { connected = try UnixSocket.connect(path) } catch {
                if error.code == ENOENT || error.code == ECONNREFUSED {
                    throw .notRunning(address: path)
                }
                // A matchd that hangs takes no connections out of its queue, which is full then.
                guard error.isWouldBlock else { throw .system(error) }
                guard Clock.monotonicNanos() < deadline else { throw .timedOut }
                Clock.sleep(nanos: 2_000_000)
            }
        }
        guard let connected else { throw .timedOut }
        return try LinkClient(
            connected, nil,
            LinkHello(wantsAcks: wantsAcks, name: name, epochMax: epochMax, purpose: purpose),
            deadline - Clock.monotonicNanos())
    }

    /// Connects to matchd over TCP.
    public static func connect(
        host: String, port: UInt16, key: LinkKey, name: Text40, wantsAcks: Bool = true,
        epochMax: UInt32 = 0, timeoutNanos: Int64 = 5_000_000_000
    ) throws(LinkError) -> LinkClient {
        var code = EADDRNOTAVAIL
        let descriptor = unsafe LinkSocket.resolve(host, port, passive: false) { entry in
            let info = unsafe entry.pointee
            let descriptor = unsafe socket(info.ai_family, info.ai_socktype, info.ai_protocol)
            guard descriptor >= 0 else { return nil }
            guard unsafe Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 else {
                code = errno
                close(descriptor)
                return nil
            }
            LinkSocket.set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            return descriptor
        }
        guard let descriptor else {
            if code == ECONNREFUSED { throw .notRunning(address: "\(host):\(port)") }
            throw .system(SystemError(code: code, operation: "connect to", path: "\(host):\(port)"))
        }
        return try LinkClient(
            descriptor, key, LinkHello(wantsAcks: wantsAcks, name: name, epochMax: epochMax),
            timeoutNanos)
    }

    init(
        _ descriptor: Int32, _ key: LinkKey?, _ hello: LinkHello, _ timeoutNanos: Int64
    ) throws(LinkError) {
        LinkSocket.prepare(descriptor)
        LinkSocket.widen(descriptor)
        self.descriptor = descriptor
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        welcome = LinkWelcome(epoch: 0, journalHigh: 0, journalLow: 0, released: 0, time: 0)
        let deadline = Clock.monotonicNanos() + timeoutNanos
        encoder.append(.hello(hello))
        try flush(deadline)
        while true {
            guard let frame = try receive(timeoutNanos: deadline - Clock.monotonicNanos()) else {
                throw .timedOut
            }
            switch frame {
            case .challenge(let challenge):
                guard let key else {
                    throw .refused(LinkRefusal(.access, "matchd asks for a key: give its key file"))
                }
                encoder.append(.proof(key.proof(of: challenge)))
                try flush(deadline)
            case .welcome(let welcome):
                guard welcome.version == LinkProtocol.version else {
                    throw .refused(LinkRefusal.version(theirs: welcome.version))
                }
                self.welcome = welcome
                return
            default:
                throw .refused(
                    LinkRefusal(.malformed, "the server did not greet: is this a Bourse Link?"))
            }
        }
    }

    deinit {
        close(descriptor)
        unsafe buffer.deallocate()
    }

    // MARK: Frames

    /// Sends all that is in `encoder`, and empties it.
    public func send(
        _ encoder: inout LinkEncoder, timeoutNanos: Int64 = 10_000_000_000
    ) throws(LinkError) {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while !encoder.isEmpty { try write(&encoder, deadline) }
    }

    /// Sends one frame.
    public func send(_ frame: LinkFrame) throws(LinkError) {
        encoder.append(frame)
        try flush(Clock.monotonicNanos() + 10_000_000_000)
    }

    /// The next frame; nil when none came in time. An error frame is thrown as `refused`.
    public func receive(timeoutNanos: Int64) throws(LinkError) -> LinkFrame? {
        if !pending.isEmpty { return pending.removeFirst() }
        return try read(until: Clock.monotonicNanos() + timeoutNanos)
    }

    /// The next frame for which `wanted` returns a value; earlier ones are kept for `receive`.
    /// Throws `timedOut`.
    public func next<T>(
        timeoutNanos: Int64, _ wanted: (LinkFrame) -> T?
    ) throws(LinkError) -> T {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while let frame = try read(until: deadline) {
            if let value = wanted(frame) { return value }
            guard pending.count < Self.pendingMax else {
                throw .refused(LinkRefusal(.limit, "too many frames came before the answer"))
            }
            pending.append(frame)
        }
        throw .timedOut
    }

    // MARK: Questions

    /// The status of matchd.
    public func status(timeoutNanos: Int64 = 5_000_000_000) throws(LinkError) -> LinkStatus {
        try send(.askStatus)
        return try next(timeoutNanos: timeoutNanos) { frame in
            if case .status(let status) = frame { status } else { nil }
        }
    }

    /// A writer's open session; its `id` is 0 if there is none.
    public func session(
        of name: Text40, timeoutNanos: Int64 = 5_000_000_000
    ) throws(LinkError) -> LinkSession {
        try send(.query(name))
        return try next(timeoutNanos: timeoutNanos) { frame in
            if case .session(let session) = frame, session.name == name { session } else { nil }
        }
    }

    /// Opens a session for `name`, which ends the name's previous session.
    public func openSession(
        _ name: Text40, timeoutNanos: Int64 = 10_000_000_000
    ) throws(LinkError) -> LinkAck {
        try execute(
            OpenSession(name: name), session: SessionID(0), number: 1, timeoutNanos: timeoutNanos)
    }

    /// Submits one command and waits until it is durable. After `timedOut` or `closed` it is
    /// unknown whether it is in the log; `session(of:)` shows it.
    public func execute(
        _ payload: some CommandPayload, session: SessionID, number: UInt64,
        timeoutNanos: Int64 = 10_000_000_000
    ) throws(LinkError) -> LinkAck {
        encoder.submit(session: session, number: number, payload)
        let deadline = Clock.monotonicNanos() + timeoutNanos
        try flush(deadline)
        return try next(timeoutNanos: deadline - Clock.monotonicNanos()) { frame in
            guard case .acks(let acks) = frame else { return nil }
            return acks.first { $0.session == session && $0.number == number }
        }
    }

    // MARK: Parts

    func flush(_ deadline: Int64) throws(LinkError) {
        while !encoder.isEmpty { try write(&encoder, deadline) }
    }

    func write(_ encoder: inout LinkEncoder, _ deadline: Int64) throws(LinkError) {
        var failure: LinkError?
        let descriptor = descriptor
        unsafe encoder.drain { bytes in
            let sent = retryingInterrupts {
                unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if sent > 0 { return sent }
            let code = errno
            if code != EAGAIN {
                failure =
                    code == EPIPE || code == ECONNRESET
                    ? .closed
                    : .system(SystemError(code: code, operation: "send to", path: "matchd"))
            }
            return 0
        }
        if let failure {
            // The server may have sent a reason before it closed.
            if failure == .closed, let said = farewell() { throw .refused(said) }
            throw failure
        }
        guard !encoder.isEmpty else { return }
        let left = deadline - Clock.monotonicNanos()
        guard left > 0 else { throw .timedOut }
        // Answers are read meanwhile, so that the two sides cannot deadlock.
        if LinkSocket.wait(descriptor, POLLOUT | POLLIN, nanos: left) {
            if LinkSocket.wait(descriptor, POLLIN, nanos: 0), pending.count < Self.pendingMax {
                try fill()
            }
        }
    }

    /// An error frame already received.
    func farewell() -> LinkRefusal? {
        while let frame = try? read(until: 0) {
            if case .error(let refusal) = frame { return refusal }
        }
        return lastRefusal
    }

    var lastRefusal: LinkRefusal?

    func read(until deadline: Int64) throws(LinkError) -> LinkFrame? {
        while true {
            do throws(LinkRefusal) {
                if let frame = try decoder.next() {
                    if case .error(let refusal) = frame {
                        lastRefusal = refusal
                        throw refusal
                    }
                    return frame
                }
            } catch { throw .refused(error) }
            let left = deadline - Clock.monotonicNanos()
            guard LinkSocket.wait(descriptor, POLLIN, nanos: max(0, left)) else { return nil }
            try fill()
        }
    }

    /// Reads the available bytes of the socket.
    func fill() throws(LinkError) {
        let got = retryingInterrupts {
            unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        if got > 0 {
            unsafe decoder.receive(UnsafeRawBufferPointer(rebasing: buffer[0..<got]))
        } else if got == 0 {
            throw .closed
        } else if errno == ECONNRESET {
            throw .closed
        } else if errno != EAGAIN {
            throw .system(SystemError(code: errno, operation: "receive from", path: "matchd"))
        }
    }
}

extension LinkRefusal {
    /// The versions differ.
    public static func version(theirs: UInt32) -> LinkRefusal {
        LinkRefusal(
            .version,
            """
            the other side speaks version \(theirs) of the Link, this one \(LinkProtocol.version): \
            install the same version of Bourse on both
            """)
    }
}
