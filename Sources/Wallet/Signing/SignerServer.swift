// The signer's socket: one request at a time, and nobody waits for a peer that is slow.

internal import Glibc
public import Link
public import Payments
public import Platform
internal import SignerAPI

/// Serves requests at a Unix socket. One owner at a time.
public final class SignerServer {
    /// Maximum connections; further ones wait in the kernel's queue.
    public static var connectionsMax: Int { 8 }
    /// Nanoseconds that a peer has for its request, and as many to take its answer.
    public static var peerNanosMax: Int64 { 5_000_000_000 }

    private struct Connection {
        let socket: Int32
        var deadline: Int64
        var request: [UInt8] = []
        /// The answer that is to be sent, and how much of it was; nil: there is none yet.
        var answer: [UInt8]?
        var sent = 0
    }

    private let listener: Int32
    private let users: LinkUsers
    private let report: (String) -> Void
    private var connections: [Connection] = []
    private var refused: Set<UInt32> = []

    /// Listens at `path` for root, this process's user and `users`. `report` gets a line about each
    /// user that may not ask, once.
    public init(
        _ path: String, users: LinkUsers, report: @escaping (String) -> Void
    ) throws(SystemError) {
        (self.users, self.report) = (users, report)
        listener = try UnixSocket.listen(path, mode: 0o660, backlog: 8)
    }

    deinit {
        for connection in connections { close(connection.socket) }
        close(listener)
    }

    /// Does what can be done within `milliseconds` and without waiting: takes connections, reads
    /// requests, answers one of them, drops peers whose time is over.
    public func turn(
        milliseconds: Int32, _ answer: (SigningRequest) -> SigningAnswer
    ) throws(SystemError) {
        let isFull = connections.count >= Self.connectionsMax
        var waiting = connections.map {
            pollfd(
                fd: $0.socket, events: Int16($0.answer == nil ? POLLIN : POLLOUT), revents: 0)
        }
        waiting.append(pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0))
        let count = retryingInterrupts {
            unsafe poll(&waiting, nfds_t(waiting.count), milliseconds)
        }
        guard count >= 0 else { throw .last("wait for", "requests") }
        let now = Clock.monotonicNanos()
        var (kept, hasAnswered): ([Connection], Bool) = ([], false)
        for (connection, event) in zip(connections, waiting) {
            var connection = connection
            var isOpen = now < connection.deadline
            if isOpen, event.revents != 0 {
                isOpen = connection.answer == nil ? read(&connection) : send(&connection)
            }
            if isOpen, connection.answer == nil, !hasAnswered,
                connection.request.last == SignerLine.end
            {
                connection.answer = SignerLine.bytes(reply(connection.request, answer).json)
                connection.deadline = Clock.monotonicNanos() + Self.peerNanosMax
                hasAnswered = true
                isOpen = send(&connection)
            }
            if isOpen { kept.append(connection) } else { close(connection.socket) }
        }
        connections = kept
        if waiting.last?.revents != 0 { accept() }
    }

    /// Whether a peer is there.
    public var isBusy: Bool { !connections.isEmpty }

    private func reply(
        _ bytes: [UInt8], _ answer: (SigningRequest) -> SigningAnswer
    ) -> SigningAnswer {
        guard let json = SignerLine.value(bytes, bytesMax: SigningRequest.textBytesMax),
            let request = SigningRequest(json)
        else { return .refused(.malformed, "this is no request of a signature") }
        return answer(request)
    }

    private func accept() {
        let peer = Glibc.accept(listener, nil, nil)
        guard peer >= 0 else { return }
        guard fcntl(peer, F_SETFD, FD_CLOEXEC) == 0, fcntl(peer, F_SETFL, O_NONBLOCK) == 0 else {
            close(peer)
            return
        }
        guard let who = try? PeerCredentials(socket: peer),
            let groups = try? PeerCredentials.groups(socket: peer),
            users.role(user: who.userID, groups: groups + [who.groupID], own: Host.userID) != nil
        else {
            if let who = try? PeerCredentials(socket: peer), refused.count < 64,
                refused.insert(who.userID).inserted
            {
                report("user \(who.userID) may not ask for signatures: [signerd] wallet_users")
            }
            close(peer)
            return
        }
        connections.append(
            Connection(socket: peer, deadline: Clock.monotonicNanos() + Self.peerNanosMax))
    }

    /// Bytes that are read of one peer before the others have their turn.
    private static var turnBytesMax: Int { 1 << 20 }

    /// Reads what is there; false: the connection is of no more use.
    private func read(_ connection: inout Connection) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let socket = connection.socket
        let begin = connection.request.count
        // A whole line may wait for its turn.
        while connection.request.last != SignerLine.end,
            connection.request.count - begin < Self.turnBytesMax
        {
            let count = retryingInterrupts { unsafe recv(socket, &chunk, chunk.count, 0) }
            if count < 0 { return errno == EAGAIN }
            guard count > 0 else { return false }
            connection.request += chunk[..<count]
            guard connection.request.count <= SigningRequest.textBytesMax + 1 else { return false }
        }
        return true
    }

    /// Sends what fits; false: all is sent, or nothing more can be.
    private func send(_ connection: inout Connection) -> Bool {
        guard let answer = connection.answer else { return true }
        let (socket, rest) = (connection.socket, answer[connection.sent...])
        let count = unsafe rest.withUnsafeBytes { bytes in
            retryingInterrupts {
                unsafe Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
        if count < 0 { return errno == EAGAIN }
        connection.sent += count
        return connection.sent < answer.count
    }
}
