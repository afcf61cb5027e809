// One connection to the peer's agent: lines in both directions.

internal import Glibc
internal import Secrets

/// Why a connection between agents ended.
enum PeerLinkError: Error, Hashable, CustomStringConvertible {
    case tls(TLSError)
    /// A line is longer than `PeerMessage.bytesMax`.
    case tooLong
    /// A line is no message.
    case malformed
    /// More than `PeerStream.messagesMax` within a second.
    case tooMany
    /// Nothing came, or nothing was taken, for too long.
    case silent
    /// The peer closed it.
    case ended
    /// A newer connection of the peer's took its place.
    case replaced

    var description: String {
        switch self {
        case .tls(let error): error.description
        case .tooLong: "it sends a line of more than \(PeerMessage.bytesMax) bytes"
        case .malformed: "it sends what is no message of this version"
        case .tooMany: "it sends more than \(PeerStream.messagesMax) messages a second"
        case .silent: "nothing comes from it"
        case .ended: "it ended the connection: it stops or restarts"
        case .replaced: "it connected anew"
        }
    }
}

/// One connection, by one thread; no call waits.
final class PeerStream {
    /// Maximum number of messages in a second: the peer sends one, and one for each change.
    static let messagesMax = 100
    /// Bytes that one turn reads, so that other connections get theirs.
    private static let turnBytesMax = 65_536
    private static let second: Int64 = 1_000_000_000

    private let stream: TLSStream
    /// When something came last, or else when it began.
    private(set) var heardAt: Int64
    private(set) var isReady = false
    private var waitsFor = Int16(POLLIN)
    private var line: [UInt8] = []
    private var outgoing: [UInt8] = []
    private var window: (since: Int64, count: Int) = (0, 0)

    init(_ stream: TLSStream, at now: Int64, isReady: Bool) {
        (self.stream, heardAt, self.isReady) = (stream, now, isReady)
    }

    var descriptor: Int32 { stream.descriptor }
    /// The events of poll(2) that it waits for.
    var events: Int16 { waitsFor | (outgoing.isEmpty ? 0 : Int16(POLLOUT)) }
    /// Whether all that was to be sent is with the kernel.
    var isFlushed: Bool { outgoing.isEmpty }
    /// Whether reading stopped before there was nothing left: it need not make the socket readable.
    private(set) var hasMore = false

    /// Goes on with the handshake; whether the peer has proved its name.
    func shakeHands() throws(PeerLinkError) -> Bool {
        guard !isReady else { return true }
        switch try step({ () throws(TLSError) in try stream.handshake() }) {
        case .done:
            (isReady, waitsFor) = (true, Int16(POLLIN))
            return true
        case .wait(let events): waitsFor = events
        case .ended: throw .ended
        }
        return false
    }

    /// Reads what there is and gives each message to `take`.
    func receive(
        at now: Int64, _ take: (PeerMessage) -> Void
    ) throws(PeerLinkError) {
        var room = [UInt8](repeating: 0, count: 16_384)
        var taken = 0
        hasMore = false
        while taken < Self.turnBytesMax {
            let progress = try step { () throws(TLSError) in
                var result: Result<TLSStream.StepResult, TLSError> = .success(.ended)
                unsafe room.withUnsafeMutableBytes { room in
                    do throws(TLSError) {
                        result = .success(unsafe try stream.read(into: room))
                    } catch { result = .failure(error) }
                }
                return try result.get()
            }
            switch progress {
            case .wait: return
            case .ended: throw .ended
            case .done(let count):
                (heardAt, taken) = (now, taken + count)
                for byte in room[..<count] { try add(byte, at: now, take) }
            }
        }
        hasMore = true
    }

    private func add(
        _ byte: UInt8, at now: Int64, _ take: (PeerMessage) -> Void
    ) throws(PeerLinkError) {
        guard byte == UInt8(ascii: "\n") else {
            guard line.count < PeerMessage.bytesMax else { throw .tooLong }
            line.append(byte)
            return
        }
        if now - window.since >= Self.second { window = (now, 0) }
        window.count += 1
        guard window.count <= Self.messagesMax else { throw .tooMany }
        guard let message = PeerMessage(line) else { throw .malformed }
        line.removeAll(keepingCapacity: true)
        take(message)
    }

    /// Takes a message to send; what was taken before has to be flushed.
    func send(_ message: PeerMessage) {
        precondition(outgoing.isEmpty, "one message is sent after the other")
        outgoing = message.line
    }

    /// Writes what the socket takes.
    func flush() throws(PeerLinkError) {
        while !outgoing.isEmpty {
            let progress = try step { () throws(TLSError) in
                var result: Result<TLSStream.StepResult, TLSError> = .success(.ended)
                unsafe outgoing.withUnsafeBytes { bytes in
                    do throws(TLSError) { result = .success(unsafe try stream.write(bytes)) } catch
                    { result = .failure(error) }
                }
                return try result.get()
            }
            switch progress {
            case .wait: return
            case .ended: throw .ended
            case .done(let count): outgoing.removeFirst(count)
            }
        }
    }

    /// Says that nothing more comes, if that is possible at once.
    func end() { if isReady { _ = try? stream.end() } }

    private func step(
        _ body: () throws(TLSError) -> TLSStream.StepResult
    ) throws(PeerLinkError) -> TLSStream.StepResult {
        do throws(TLSError) { return try body() } catch { throw .tls(error) }
    }
}
