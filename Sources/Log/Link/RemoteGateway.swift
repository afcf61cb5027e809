// One gateway on another host: its TLS stream, the Link's socket, and the bytes between them.

internal import Glibc
internal import Platform
internal import Secrets
internal import Terms

/// A connection from outside and its socket to the Link. One thread uses it.
final class RemoteGateway {
    /// Where it comes from.
    let address: String
    /// When it must have proved itself, or gone once it is refused.
    private(set) var deadline: Int64
    /// When its connection was taken, by the host's clock, nanoseconds since 1970.
    private let since = Clock.realtimeNanos()
    private let stream: TLSStream
    /// What the handshake or a write waits for, events of poll(2).
    private var waits = Int16(POLLIN)
    /// The end of the pair of sockets whose other end the Link has; -1 before the handshake's end.
    private var inner: Int32 = -1
    private var inbound = RelayBuffer()
    private var outbound = RelayBuffer()
    private var hasStreamEnded = false
    private var hasInnerEnded = false
    /// When the Link was first seen to have closed its end.
    private var innerEndAt: Int64?
    /// What is still to be sent once it is refused; nil: it is not.
    private var farewell: [UInt8]?
    /// Whether the connection broke while nothing is read from it.
    private var isBroken = false
    /// Whether it may have more to do at once.
    private(set) var hasMore = false

    /// How long what the Link sent last may take to leave, ns.
    private static let leaveNanosMax: Int64 = 2_000_000_000
    /// How long a gateway that is refused may take to read why and to close, ns.
    private static let farewellNanosMax: Int64 = 2_000_000_000
    /// Steps of one turn, so that a busy gateway does not keep the others waiting.
    private static let stepsMax = 16

    init(_ stream: TLSStream, _ address: String, deadline: Int64) {
        (self.stream, self.address, self.deadline) = (stream, address, deadline)
    }

    deinit { if inner >= 0 { close(inner) } }

    /// The gateway's name, once it has proved it.
    var name: String { String(stream.peerName.dropLast(LinkProtocol.gatewaySuffix.count)) }

    /// As it is shown once it is connected.
    var connected: ConnectedGateway { ConnectedGateway(name: name, address: address, since: since) }

    /// When its certificate was made, seconds since 1970.
    var made: Int64 { stream.peerMade }

    /// What to wait for.
    var awaited: [pollfd] {
        if let farewell {
            let events = Int16(POLLIN) | (farewell.isEmpty ? 0 : waits)
            return [pollfd(fd: stream.descriptor, events: events, revents: 0)]
        }
        guard inner >= 0 else { return [pollfd(fd: stream.descriptor, events: waits, revents: 0)] }
        var entries: [pollfd] = []
        if !hasStreamEnded || !outbound.isEmpty {
            let reads = !hasStreamEnded && !inbound.isFull
            let events = (reads ? Int16(POLLIN) : 0) | (outbound.isEmpty ? 0 : waits)
            entries.append(pollfd(fd: stream.descriptor, events: events, revents: 0))
        }
        if innerEndAt == nil {
            let reads = !outbound.isFull
            let events = (reads ? Int16(POLLIN) : 0) | (inbound.isEmpty ? 0 : Int16(POLLOUT))
            entries.append(pollfd(fd: inner, events: events, revents: 0))
        }
        return entries
    }

    /// A descriptor of `awaited` has an error, or its other end is closed.
    func hungUp(_ descriptor: Int32) {
        if descriptor == stream.descriptor {
            // What can still be read says why.
            if inner >= 0, hasStreamEnded || inbound.isFull { isBroken = true }
        } else if descriptor == inner, innerEndAt == nil {
            innerEndAt = Clock.monotonicNanos()
        }
    }

    /// Continues the handshake; true once the gateway has proved its name.
    func shakeHands() throws(TLSError) -> Bool {
        switch try stream.handshake() {
        case .done: return true
        case .wait(let events): waits = events
        case .ended: throw .cut(peer: address)
        }
        return false
    }

    /// Passes one end of a new pair of sockets to the Link, as the gateway's whose sessions are
    /// called `writer`; false where that is not possible now.
    func open(_ link: LinkListener, as writer: Text40) -> Bool {
        var ends = [Int32](repeating: -1, count: 2)
        let type = Int32(SOCK_STREAM.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { return false }
        guard link.pass(ends[1], of: writer) else {
            close(ends[0])
            close(ends[1])
            return false
        }
        LinkSocket.prepare(ends[0])
        (inner, waits) = (ends[0], Int16(POLLOUT))
        inbound.allocate()
        outbound.allocate()
        return true
    }

    /// Is refused from now on, with a reason that goes to the gateway and into its log; nil: TLS
    /// has told it already.
    func refuse(_ refusal: LinkRefusal?) {
        var encoder = LinkEncoder()
        if let refusal { encoder.append(.error(refusal)) }
        (farewell, waits) = (encoder.take(), Int16(POLLOUT))
        deadline = Clock.monotonicNanos() + Self.farewellNanosMax
        if refusal == nil { shutdown(stream.descriptor, Int32(SHUT_WR)) }
    }

    /// Says why it is refused; whether it is over. What the gateway sends meanwhile is read and
    /// dropped: to close before that could take the reason from it.
    func isGone(_ now: Int64) -> Bool {
        guard now < deadline, let bytes = farewell else { return true }
        if !bytes.isEmpty {
            var (sent, failure): (Int, TLSError?) = (0, nil)
            unsafe bytes.withUnsafeBytes { bytes in
                do throws(TLSError) {
                    switch unsafe try stream.write(bytes) {
                    case .done(let count): sent = count
                    case .wait(let events): waits = events
                    case .ended: failure = .cut(peer: address)
                    }
                } catch { failure = error }
            }
            guard failure == nil else { return true }
            farewell?.removeFirst(sent)
            guard farewell?.isEmpty == true else { return false }
            _ = try? stream.end()
            shutdown(stream.descriptor, Int32(SHUT_WR))
        }
        var room = [UInt8](repeating: 0, count: 16_384)
        let got = retryingInterrupts {
            unsafe recv(stream.descriptor, &room, room.count, 0)
        }
        return got == 0 || got < 0 && errno != EAGAIN
    }

    /// Moves bytes both ways; why it is over, or nil.
    func serve(_ now: Int64) -> String? {
        hasMore = false
        do throws(TLSError) {
            for _ in 0..<Self.stepsMax {
                let (hasReceived, hasSent) = (try receive(), try send())
                hasMore = hasReceived || hasSent
                if !hasMore { break }
            }
        } catch { return "\(error)" }
        if isBroken { return "the connection broke" }
        if hasStreamEnded, inbound.isEmpty || innerEndAt != nil { return "it closed" }
        guard let end = innerEndAt else { return nil }
        if hasInnerEnded, outbound.isEmpty {
            _ = try? stream.end()
            return "the Link closed it"
        }
        return now - end > Self.leaveNanosMax ? "the Link closed it, and it takes nothing" : nil
    }

    /// From the gateway to the Link; whether anything moved.
    private func receive() throws(TLSError) -> Bool {
        var moved = false
        if !hasStreamEnded, !inbound.isFull {
            var failure: TLSError?
            unsafe inbound.fill { room in
                do throws(TLSError) {
                    switch unsafe try stream.read(into: room) {
                    case .done(let count): return count
                    case .ended: hasStreamEnded = true
                    case .wait: break
                    }
                } catch { failure = error }
                return 0
            }
            if let failure { throw failure }
            moved = inbound.hasMoved
        }
        if !inbound.isEmpty, innerEndAt == nil {
            unsafe inbound.drain { bytes in
                let sent = retryingInterrupts {
                    unsafe Glibc.send(inner, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
                if sent < 0, errno != EAGAIN { innerEndAt = Clock.monotonicNanos() }
                return max(0, sent)
            }
            moved = moved || inbound.hasMoved
        }
        return moved
    }

    /// From the Link to the gateway; whether anything moved.
    private func send() throws(TLSError) -> Bool {
        var moved = false
        if !hasInnerEnded, !outbound.isFull {
            unsafe outbound.fill { room in
                let got = retryingInterrupts { unsafe recv(inner, room.baseAddress, room.count, 0) }
                if got == 0 || got < 0 && errno != EAGAIN {
                    hasInnerEnded = true
                    innerEndAt = innerEndAt ?? Clock.monotonicNanos()
                }
                return max(0, got)
            }
            moved = outbound.hasMoved
        }
        if !outbound.isEmpty {
            var failure: TLSError?
            unsafe outbound.drain { bytes in
                do throws(TLSError) {
                    switch unsafe try stream.write(bytes) {
                    case .done(let count): return count
                    case .wait(let events): waits = events
                    case .ended: hasStreamEnded = true
                    }
                } catch { failure = error }
                return 0
            }
            if let failure { throw failure }
            moved = moved || outbound.hasMoved
        }
        return moved
    }
}

/// Bytes on their way in one direction: of a fixed size, taken once.
struct RelayBuffer {
    private var bytes: [UInt8] = []
    private var (start, end) = (0, 0)
    /// Whether the last `fill` or `drain` moved anything.
    private(set) var hasMoved = false

    /// Its size.
    static let capacity = 1 << 18

    /// Whether nothing is in it.
    var isEmpty: Bool { start == end }
    /// Whether nothing more fits before something is drained.
    var isFull: Bool { end - start == Self.capacity }

    /// Takes its memory.
    mutating func allocate() { bytes = [UInt8](repeating: 0, count: Self.capacity) }

    /// Adds what `body` writes into the room at the end; it returns how many bytes that is.
    mutating func fill(_ body: (UnsafeMutableRawBufferPointer) -> Int) {
        if end == Self.capacity {
            bytes.replaceSubrange(0..<end - start, with: bytes[start..<end])
            (start, end) = (0, end - start)
        }
        let from = end
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe body(UnsafeMutableRawBufferPointer(rebasing: $0[from...]))
        }
        end += count
        hasMoved = count > 0
    }

    /// Removes as many bytes at the front as `body` says that it took of them.
    mutating func drain(_ body: (UnsafeRawBufferPointer) -> Int) {
        let filled = start..<end
        let count = unsafe bytes.withUnsafeBytes {
            unsafe body(UnsafeRawBufferPointer(rebasing: $0[filled]))
        }
        start += count
        if start == end { (start, end) = (0, 0) }
        hasMoved = count > 0
    }
}
