// Asking this host's agent.

import Checks
import Configuration
import Glibc
import JSON
import Platform
import Presentation

/// The agent of this host, by its socket.
struct AgentClient {
    /// The path of its socket.
    let socket: String

    /// Most bytes of an answer: everything that was read of a large host is the longest.
    static let answerBytesMax = 64 << 20
    /// Most values in an answer.
    static let valuesMax = 1 << 20
    /// Nanoseconds that an answer may take: the helper may have much to do.
    static let answerNanosMax: Int64 = 60_000_000_000

    /// What it answers to GET.
    func get(_ path: String) throws(CommandError) -> JSONValue { try ask("GET", path, nil) }

    /// What it answers to POST.
    func post(_ path: String, _ body: JSONValue) throws(CommandError) -> JSONValue {
        try ask("POST", path, body.compact)
    }

    /// Its state.
    func state() throws(CommandError) -> HostView {
        guard let view = HostView(try get("/v1/state")) else {
            throw CommandError("the agent's answer is not understood: are both of one version?")
        }
        return view
    }

    private func ask(_ method: String, _ path: String, _ body: String?) throws(CommandError)
        -> JSONValue
    {
        let text = body ?? ""
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + "Content-Length: \(text.utf8.count)\r\n\r\n"
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try UnixSocket.ask(
                socket, Array((head + text).utf8), bytesMax: Self.answerBytesMax,
                timeoutNanos: Self.answerNanosMax)
        } catch {
            let isAway = error.isMissing || error.code == ECONNREFUSED
            throw isAway
                ? CommandError(
                    "the agent does not run: nobody listens at \(socket)",
                    repair: "start it: systemctl start bourse-agentd", code: .notRunning)
                : CommandError(error)
        }
        guard let answer = HTTPAnswer(bytes) else {
            throw CommandError("the agent's answer is not whole")
        }
        let json = JSONValue(parsing: answer.body, valuesMax: Self.valuesMax)
        guard answer.status == 200 else {
            let why = json?["error"]?.text ?? "it answered \(answer.status)"
            throw CommandError("the agent refuses: \(why)")
        }
        guard let json else { throw CommandError("the agent's answer is no JSON") }
        return json
    }
}

/// An answer of the agent: HTTP/1.1 with its length, RFC 9112.
private struct HTTPAnswer {
    let status: Int
    let body: ArraySlice<UInt8>

    init?(_ bytes: [UInt8]) {
        let end = bytes.indices.first { bytes[$0...].starts(with: [13, 10, 13, 10]) }
        guard let end else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            return nil
        }
        let length = lines.lazy.map { $0.lowercased() }
            .first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) }
        guard let length, length == bytes.count - end - 4 else { return nil }
        self.status = status
        body = bytes[(end + 4)...]
    }
}

/// The agent's state as boursectl shows it.
struct HostView {
    /// All of it.
    let json: JSONValue
    /// Its checks, the worst first.
    let checks: [ReportedCheck]

    init?(_ json: JSONValue) {
        guard case .array(let rows) = json["checks"] else { return nil }
        let checks = rows.compactMap(ReportedCheck.init)
        guard checks.count == rows.count else { return nil }
        self.json = json
        self.checks = checks.sorted {
            ($1.state.severity, $0.kind, $0.name) < ($0.state.severity, $1.kind, $1.name)
        }
    }

    /// The host's name.
    var host: String { json["host"]?.text ?? "?" }
    /// When it was so, in nanoseconds since 1970.
    var time: Int64 { json["time"]?.whole ?? 0 }

    /// Checks of a name: a check's, a kind's, or the first part of either, as `disk` or
    /// `disk.space`. All where there is none.
    func checks(named name: String?) throws(CommandError) -> [ReportedCheck] {
        guard let name else { return checks }
        let found = checks.filter { check in
            check.name == name || check.name.hasPrefix(name + "/")
                || check.name.hasPrefix(name + ".")
        }
        guard !found.isEmpty else {
            throw CommandError(
                "there is no check \(name) on \(host)",
                repair: "see `boursectl check` for all of them", code: .usage)
        }
        return found
    }

    /// The one check of a name.
    func check(_ name: String) throws(CommandError) -> ReportedCheck {
        if let check = checks.first(where: { $0.name == name }) { return check }
        let some = try checks(named: name)
        guard some.count == 1 else {
            throw CommandError(
                "\(name) is \(some.count) checks",
                repair: "name one: " + some.prefix(8).map(\.name).joined(separator: ", "),
                code: .usage)
        }
        return some[0]
    }
}

extension Ink {
    /// A state in its colour.
    func state(_ state: CheckState) -> String {
        switch state {
        case .ok: good(state.name)
        case .warning: warning(state.name)
        case .critical: bad(state.name)
        case .unknown: faint(state.name)
        }
    }
}

extension CommonOptions {
    /// This host's agent.
    func agent() throws(CommandError) -> AgentClient {
        AgentClient(socket: try settings().agent.socket)
    }
}
