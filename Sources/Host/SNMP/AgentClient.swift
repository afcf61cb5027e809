// Asking the host agent: HTTP/1.1 over its Unix socket, one request a connection, all bounded.

internal import Glibc
internal import JSON
internal import Platform

/// Why the agent gave no answer that can be used.
public struct AgentFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened, for a log.
    public let description: String
    init(_ description: String) { self.description = description }
}

/// The host agent, by its socket.
public struct AgentClient: Sendable {
    /// The path of its Unix socket.
    public let socket: String
    /// How long a whole answer may take, in nanoseconds.
    public let timeoutNanos: Int64

    /// Most bytes of an answer, its head included.
    public static var answerBytesMax: Int { 16 << 20 }

    /// A client of the agent at this socket.
    public init(socket: String, timeoutNanos: Int64 = 3_000_000_000) {
        self.socket = socket
        self.timeoutNanos = timeoutNanos
    }

    /// The agent's state.
    public func state() throws(AgentFault) -> AgentState {
        guard let state = AgentState(try get("/v1/state")) else {
            throw AgentFault("the agent's state lacks something, or has something of another kind")
        }
        return state
    }

    /// The agent's events behind one, at most 500.
    public func events(after sequence: UInt64) throws(AgentFault) -> AgentEvents {
        guard let events = AgentEvents(try get("/v1/events?after=\(sequence)")) else {
            throw AgentFault("the agent's events lack something, or are out of order")
        }
        return events
    }

    private func get(_ path: String) throws(AgentFault) -> JSONValue {
        let connection = try AgentConnection(
            socket, deadline: Clock.monotonicNanos() + timeoutNanos)
        try connection.send(
            "GET \(path) HTTP/1.1\r\nHost: agent\r\nAccept: application/json\r\n"
                + "Connection: close\r\n\r\n")
        let answer = HTTPAnswer(try connection.readAll(max: Self.answerBytesMax))
        guard let answer else { throw AgentFault("the agent's answer is no HTTP") }
        guard answer.status == 200 else {
            throw AgentFault("the agent answered \(answer.status) to \(path)")
        }
        guard let json = JSONValue(parsing: answer.body, valuesMax: AgentState.valuesMax) else {
            throw AgentFault("the agent's answer to \(path) is no JSON, or too much of it")
        }
        return json
    }
}

/// An answer of HTTP/1.1 (RFC 9112), read whole.
struct HTTPAnswer: Hashable, Sendable {
    var status: Int
    var body: [UInt8]

    /// Most bytes of a line of its head.
    static let lineBytesMax = 4_096

    /// Reads an answer up to the connection's end; nil when it is not whole.
    init?(_ bytes: [UInt8]) {
        let crlf: [UInt8] = [13, 10]
        var rest = bytes[...]
        /// The bytes up to the next line's end; nil when there is none.
        func line() -> ArraySlice<UInt8>? {
            let reach = rest.prefix(Self.lineBytesMax)
            guard let end = reach.indices.first(where: { reach[$0...].starts(with: crlf) })
            else { return nil }
            defer { rest = rest[(end + 2)...] }
            return rest[..<end]
        }
        guard let first = line(), first.starts(with: Array("HTTP/1.".utf8)),
            let status = Int(String(decoding: first.dropFirst(9).prefix(3), as: UTF8.self))
        else { return nil }
        self.status = status
        var length: Int?
        var isChunked = false
        while true {
            guard let header = line() else { return nil }
            if header.isEmpty { break }
            let parts = String(decoding: header, as: UTF8.self).lowercased()
                .split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let value = parts[1].drop { $0 == " " }
            if parts[0] == "content-length" {
                guard let number = Int(value), number >= 0 else { return nil }
                length = number
            }
            if parts[0] == "transfer-encoding" { isChunked = value == "chunked" }
        }
        body = []
        if isChunked {
            while true {
                guard let head = line(),
                    let digits = head.split(separator: UInt8(ascii: ";")).first,
                    let count = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                    count >= 0, count <= rest.count - 2
                else { return nil }
                if count == 0 { return }
                body += rest.prefix(count)
                rest = rest.dropFirst(count + 2)
            }
        }
        guard length ?? 0 <= rest.count else { return nil }
        body = Array(rest.prefix(length ?? rest.count))
    }
}

/// A connection with a time by which all has to be done.
private final class AgentConnection {
    let descriptor: Int32
    let deadline: Int64

    init(_ path: String, deadline: Int64) throws(AgentFault) {
        self.deadline = deadline
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw AgentFault("\(SystemError.last("make", "a socket"))") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw AgentFault("\(path) is longer than a socket's path may be")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            throw AgentFault("\(SystemError.last("reach the agent at", path))")
        }
    }

    deinit { _ = close(descriptor) }

    /// Waits until the socket is ready for `events`.
    private func wait(_ events: Int32) throws(AgentFault) {
        let left = deadline - Clock.monotonicNanos()
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        guard left > 0, unsafe poll(&entry, 1, Int32(clamping: left / 1_000_000 + 1)) > 0 else {
            throw AgentFault("the agent took too long to answer")
        }
    }

    func send(_ text: String) throws(AgentFault) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            try wait(POLLOUT)
            let n = unsafe bytes.withUnsafeBytes {
                unsafe write(descriptor, $0.baseAddress, $0.count)
            }
            if n < 0, errno == EINTR || errno == EAGAIN { continue }
            guard n > 0 else { throw AgentFault("\(SystemError.last("ask the agent"))") }
            bytes = bytes.dropFirst(n)
        }
    }

    /// All that comes until the other side closes.
    func readAll(max: Int) throws(AgentFault) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            try wait(POLLIN)
            let n = unsafe read(descriptor, &chunk, chunk.count)
            if n < 0, errno == EINTR || errno == EAGAIN { continue }
            guard n >= 0 else { throw AgentFault("\(SystemError.last("hear the agent"))") }
            if n == 0 { return all }
            all += chunk[..<n]
            guard all.count <= max else {
                throw AgentFault("the agent's answer is longer than \(max) bytes")
            }
        }
    }
}
