// The client of the host agent: HTTP/1.1 over its Unix socket, one request a connection.

internal import Glibc
public import JSON
internal import Platform
internal import Terms

/// Why the agent gave no usable reply.
public struct AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whether nobody listens at the agent's socket.
    public let isAbsent: Bool
    /// What happened, for a log.
    public let description: String

    /// The agent's reason for a refusal; nil: it refused nothing.
    public let refusal: String?
    /// Whether it gave no reply in time.
    public let isSilent: Bool

    init(
        _ description: String, isAbsent: Bool = false, refusal: String? = nil,
        isSilent: Bool = false
    ) {
        (self.description, self.isAbsent, self.refusal) = (description, isAbsent, refusal)
        self.isSilent = isSilent
    }

    /// The reply lacks a member, or has one of another kind.
    static func malformed(_ what: String) -> AgentError {
        AgentError("the agent's \(what) lack something, or have something of another kind")
    }
}

/// The host agent, by its socket.
public struct AgentClient: Sendable {
    /// The path of its Unix socket.
    public let socket: String
    /// How long a whole reply may take, in nanoseconds.
    public let timeoutNanos: Int64
    /// Maximum size of a reply, its head included.
    public var replyBytesMax = 16 << 20
    /// Maximum number of JSON values in a reply.
    public var valuesMax = AgentClient.stateValuesMax

    /// Maximum number of JSON values in the largest state.
    public static var stateValuesMax: Int { 262_144 }

    /// A client of the agent at this socket.
    public init(socket: String, timeoutNanos: Int64 = 3_000_000_000) {
        (self.socket, self.timeoutNanos) = (socket, timeoutNanos)
    }

    /// The agent's state.
    public func state() throws(AgentError) -> AgentState {
        guard let state = AgentState(try get("/v1/state")) else { throw .malformed("state") }
        return state
    }

    /// The agent's events after one, as many as fit a reply.
    public func events(after sequence: UInt64) throws(AgentError) -> AlarmEvents {
        guard let events = AlarmEvents(try get("/v1/events?after=\(sequence)")) else {
            throw AgentError("the agent's events lack something, or are out of order")
        }
        return events
    }

    /// A check with its last day.
    public func check(_ name: String) throws(AgentError) -> CheckDetail {
        guard let detail = CheckDetail(try get("/v1/checks/" + PercentEncoding.encode(name))) else {
            throw .malformed("check")
        }
        return detail
    }

    /// The changes that the agent made, oldest first.
    public func changes() throws(AgentError) -> [HostChange] {
        guard let changes = try get("/v1/changes").rows(HostChange.init) else {
            throw .malformed("changes")
        }
        return changes
    }

    /// Asks how a check is repaired, or has it repaired.
    public func fix(_ request: FixRequest) throws(AgentError) -> FixReply {
        guard let reply = FixReply(try ask("POST", "/v1/fix", request.json)) else {
            throw .malformed("results")
        }
        return reply
    }

    /// Has a change undone.
    public func undo(_ request: UndoRequest) throws(AgentError) -> ChangeResult {
        guard let result = ChangeResult(try ask("POST", "/v1/undo", request.json)) else {
            throw .malformed("results")
        }
        return result
    }

    /// The reply to GET.
    public func get(_ path: String) throws(AgentError) -> JSONValue { try ask("GET", path, nil) }

    /// The reply to POST.
    func post(_ path: String, _ body: JSONValue) throws(AgentError) -> JSONValue {
        try ask("POST", path, body)
    }

    private func ask(
        _ method: String, _ path: String, _ body: JSONValue?
    ) throws(AgentError) -> JSONValue {
        let text = body?.compact ?? ""
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
            + "Connection: close\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try UnixSocket.ask(
                socket, Array((head + text).utf8), bytesMax: replyBytesMax,
                timeoutNanos: timeoutNanos)
        } catch {
            throw error.isMissing || error.code == ECONNREFUSED
                ? AgentError("the agent does not run: nobody listens at \(socket)", isAbsent: true)
                : AgentError("the agent: \(error)", isSilent: error.code == ETIMEDOUT)
        }
        guard let reply = HTTPReply(bytes) else {
            throw AgentError("the agent's reply is not complete HTTP")
        }
        let json = JSONValue(parsing: reply.body, valuesMax: valuesMax)
        guard reply.status == 200 else {
            throw AgentError(
                "the agent refuses: \(json?["error"]?.text ?? "\(reply.status)")",
                refusal: json?["error"]?.text)
        }
        guard let json else { throw AgentError("the agent's reply to \(path) is no JSON") }
        return json
    }
}
