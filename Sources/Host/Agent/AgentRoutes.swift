// The agent's endpoints.

import AgentAPI
import Checks
import Glibc
import HelperAPI
import JSON
import NIOPosix
import Platform
import Terms

/// A request, read whole.
struct AgentRequest: Sendable {
    var method: String
    /// Path and query.
    var target: String
    var body: [UInt8] = []
    var peer: AgentPeer
    /// The Host header.
    var host: String?

    /// The path without the query.
    var path: Substring { target.prefix { $0 != "?" } }

    /// A whole number in the query.
    func number(_ name: String) -> UInt64? {
        for pair in target.dropFirst(path.count + 1).split(separator: "&")
        where pair.hasPrefix("\(name)=") {
            return UInt64(pair.dropFirst(name.count + 1))
        }
        return nil
    }
}

extension AgentReply {
    static func json(_ value: JSONValue, status: Int = 200) -> AgentReply {
        AgentReply(status, kind: "application/json", Array(value.compact.utf8))
    }

    static func refusal(_ status: Int, _ why: String) -> AgentReply {
        json(["error": .string(why)], status: status)
    }
}

extension AgentCore {
    /// Answers a request; `done` is called once, here or on another thread.
    func answer(_ request: AgentRequest, done: @escaping @Sendable (AgentReply) -> Void) {
        if let question = HealthQuestion(rawValue: String(request.path)) {
            return done(health(question, request.method))
        }
        if request.peer == .network {
            return done(.refusal(404, "only \(HealthQuestion.any.rawValue) is served here"))
        }
        if request.peer == .loopback, !Self.isOwn(request.host) {
            // A page elsewhere whose name was made to mean this address must not read it.
            return done(.refusal(403, "use the loopback address or localhost as Host"))
        }
        switch request.method {
        case "GET", "HEAD": done(read(request))
        case "POST": change(request, done)
        default: done(.refusal(405, "GET, HEAD and POST are understood"))
        }
    }

    /// What load balancers ask, by the status alone: no more than a role shows to others.
    private func health(_ question: HealthQuestion, _ method: String) -> AgentReply {
        guard ["GET", "HEAD", "OPTIONS"].contains(method) else {
            return .refusal(405, "GET, HEAD and OPTIONS are understood")
        }
        guard let cluster else { return .refusal(404, Self.noCluster) }
        let why = cluster.lacks(question)
        return .json(
            ["ok": .bool(why == nil), "why": .orNull(why)], status: why == nil ? 200 : 503)
    }

    /// Whether a Host header means this host's loopback.
    static func isOwn(_ host: String?) -> Bool {
        guard var name = host?.lowercased() else { return true }
        if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]") {
            name = String(name[..<colon])
        }
        return name == "localhost" || name == "[::1]"
            || name.hasPrefix("127.") && name.utf8.allSatisfy { 0x30...0x39 ~= $0 || $0 == 0x2E }
    }

    private func read(_ request: AgentRequest) -> AgentReply {
        let json = "application/json"
        switch request.path {
        case "/": return AgentPages.html(cluster: clusterOverview)
        case "/ops.js": return AgentPages.script
        case "/ops.css": return AgentPages.style
        case "/metrics":
            return AgentReply(kind: OpenMetrics.kind, Array(metrics.utf8))
        case "/v1/state": return AgentReply(kind: json, stateBody())
        case "/v1/trend": return .json(trend)
        case "/v1/observation": return .json(observation)
        case "/v1/changes": return .json(.array(executor.changes.map(\.json)))
        case "/v1/cluster":
            guard let cluster else { return .refusal(404, Self.noCluster) }
            return .json(cluster.document.json)
        case "/v1/cluster/overview":
            return clusterOverview.map { .json($0.json) } ?? .refusal(404, Self.noCluster)
        case "/v1/events":
            guard let after = request.number("after") else {
                return .refusal(400, "say after which event: /v1/events?after=N")
            }
            return .json(alarmLog.events(after: after).json)
        case _ where request.path.hasPrefix("/v1/checks/"):
            let name = PercentEncoding.decode(request.path.dropFirst("/v1/checks/".count))
            return name.flatMap(check).map { .json($0.json) }
                ?? .refusal(404, "there is no such check")
        default: return .refusal(404, "there is nothing of this name")
        }
    }

    private var clusterOverview: ClusterOverview? {
        cluster.map { ClusterOverview($0.document, at: Clock.realtimeNanos()) }
    }

    // MARK: Changes

    private func change(_ request: AgentRequest, _ done: @escaping @Sendable (AgentReply) -> Void) {
        guard case .user(let user) = request.peer else {
            return done(.refusal(403, "changes are taken over the Unix socket alone"))
        }
        guard user == 0 || user == Host.userID else {
            return done(.refusal(403, "only root may change something: use sudo"))
        }
        guard let json = JSONValue(parsing: request.body) else {
            return done(.refusal(400, "the request is no JSON"))
        }
        // The user of sudo, for the list of changes.
        let name = json["operator"]?.text ?? "\(user)"
        guard (1...40).contains(name.utf8.count), name.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            return done(.refusal(400, "an operator's name has 1 to 40 printable characters"))
        }
        switch request.path {
        case "/v1/fix": fix(json, by: name, done)
        case "/v1/undo": undo(json, by: name, done)
        case "/v1/cluster": obey(json, by: name, done)
        default: done(.refusal(404, "there is nothing of this name"))
        }
    }

    static let noCluster = "this exchange is standalone: `boursectl cluster init` makes a cluster"

    private func obey(
        _ json: JSONValue, by user: String, _ done: @escaping @Sendable (AgentReply) -> Void
    ) {
        guard let cluster else { return done(.refusal(404, Self.noCluster)) }
        guard let verb = json["verb"]?.text else { return done(.refusal(400, "a verb is missing")) }
        if let until = json["until"]?.whole, Clock.monotonicNanos() > until {
            return done(.refusal(409, "nobody waits for \(verb) any more: give it again"))
        }
        let proof = json["proof"]?.text
        guard (proof ?? "-").utf8.allSatisfy({ 0x20...0x7E ~= $0 }),
            1...300 ~= (proof ?? "-").utf8.count
        else { return done(.refusal(400, "a proof has 1 to 300 printable characters")) }
        cluster.obey(
            verb, peerOffInEpoch: json["peerOffInEpoch"]?.whole.flatMap { UInt32(exactly: $0) },
            proof: proof, by: user
        ) { refusal in
            done(refusal.map { .refusal(409, $0) } ?? .json(cluster.document.json))
        }
    }

    private func fix(
        _ json: JSONValue, by user: String, _ done: @escaping @Sendable (AgentReply) -> Void
    ) {
        guard let request = FixRequest(json) else {
            return done(.refusal(400, "expected {\"name\": text, \"apply\": true or false}"))
        }
        guard let finding = finding(request.name) else {
            return done(.refusal(404, "there is no such check"))
        }
        var requests: [HelperRequest] = []
        var refusal: String?
        switch finding.fix {
        case .change(let all):
            requests = all
            if request.applies { refusal = executor.policy.refusal(of: all) }
        case .advice: refusal = "a person has to do it: its advice says what"
        case nil: refusal = "there is nothing to fix"
        }
        let (lines, why) = (requests.map(\.line), refusal)
        @Sendable func reply(_ results: [ChangeResult]) -> AgentReply {
            .json(FixReply(requests: lines, results: results, refused: why).json)
        }
        guard request.applies, refusal == nil else { return done(reply([])) }
        if !executor.carryOut(requests, by: user, done: { done(reply($0)) }) {
            done(.refusal(503, "too much is waiting to be changed"))
        }
    }

    private func undo(
        _ json: JSONValue, by user: String, _ done: @escaping @Sendable (AgentReply) -> Void
    ) {
        guard let request = UndoRequest(json) else {
            return done(.refusal(400, "expected {\"id\": number}"))
        }
        let isTaken = executor.undo(request.id, by: user) { result in
            done(
                result.map { .json($0.json) }
                    ?? .refusal(404, "there is no such change, or it cannot be undone"))
        }
        if !isTaken { done(.refusal(503, "too much is waiting to be changed")) }
    }
}

/// The ops page: files of this build, without any resource from elsewhere.
enum AgentPages {
    static var policy: String {
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    /// What stands in the page where a cluster is shown.
    private static let mark = "<!-- cluster -->"
    private static let parts = String(decoding: PackageResources.ops_html, as: UTF8.self)
        .split(separator: mark, maxSplits: 1, omittingEmptySubsequences: false)

    /// The page; of the cluster it shows by itself what is known as it is asked for.
    static func html(cluster: ClusterOverview?) -> AgentReply {
        AgentReply(
            kind: "text/html; charset=utf-8",
            Array(parts.joined(separator: cluster?.html ?? "").utf8))
    }
    static var script: AgentReply {
        AgentReply(kind: "text/javascript; charset=utf-8", PackageResources.ops_js)
    }
    static var style: AgentReply {
        AgentReply(kind: "text/css; charset=utf-8", PackageResources.ops_css)
    }
}
