// The clients' side of the gateway: from a request to its endpoint, and the bounds of all clients.

import Engine
import Follower
import Link
import Logging
import MarketData
import NIOCore
import Platform
import SpotAPI
import Terms

/// The limits, keys, streams, memory and connections of all clients. It belongs to one event loop,
/// so there are no locks.
final class Front {
    let eventLoop: any EventLoop
    let options: GatewayOptions
    let limiter: RateLimiter
    let memory: ClientMemory
    let streams: StreamHub
    /// Clients' connections, those of streams included.
    var connections = ConnectionTable()
    /// Whether new connections and requests are refused.
    var isStopping = false
    private let log: Logger
    private let keyRing: KeyRing
    private var takenRequests: TakenRequests
    private var context: EndpointContext

    init(eventLoop: any EventLoop, options: GatewayOptions, session: MatchdSession, log: Logger) {
        (self.eventLoop, self.options, self.log) = (eventLoop, options, log)
        limiter = RateLimiter(limits: options.rateLimits)
        memory = ClientMemory(
            bytesMax: options.clientBytesMax, log: log, clock: Clock.monotonicMillis)
        streams = StreamHub(options: options, memory: memory)
        keyRing = KeyRing(file: options.sealKeyFile, log: log)
        takenRequests = TakenRequests(
            countMax: options.takenRequestsMax, start: Clock.realtimeMillis())
        context = EndpointContext(session: session, limiter: limiter, depthMax: options.depthMax)
    }

    /// Answers requests from this replica, once it has caught up.
    func serve(_ replica: GatewayReplica) { context.replica = replica }

    /// Takes the effects of the record that `engine` applied last.
    func take(_ effects: RecordEffects, _ engine: borrowing Engine) {
        for keyID in effects.changedKeys { keyRing.forget(keyID) }
        streams.publishDepth(.fast, effects.depthUpdates, engine)
    }

    /// Takes a request; `finish` is called once, now or when its command is in the log.
    func route(_ request: Call.Request, finish: @escaping (Reply) -> Void) {
        if let reply = health(request) { return finish(reply) }
        let call: Call
        let endpoint: Endpoint
        do throws(APIError) {
            endpoint = try find(request)
            call = try admit(request, endpoint, finish)
        } catch {
            finish(Reply(error))
            return
        }
        do throws(APIError) {
            try endpoint.handle(context, call)
        } catch { call.fail(error) }
    }

    /// Says how many connections were refused of late, if any were.
    func noteRefused() {
        let refused = connections.takeRefused()
        guard refused.all > 0 else { return }
        log.warning(
            """
            \(refused.all) connections were refused in ten seconds, the last from \
            \(refused.lastAddress): \(connections.count) are open, and [gatewayd] connections and \
            connections_per_address let no more in
            """)
    }

    /// What load balancers ask: whether this process answers, and whether an order would be taken.
    /// A halt or a kill switch is the owner's own, and cancels are taken meanwhile. Neither counts
    /// against a limit, as whoever asks for all clients has their address; nil: it is another path.
    private func health(_ request: Call.Request) -> Reply? {
        guard request.method == .get else { return nil }
        let isLive = request.path == "/health/live"
        guard isLive || request.path == "/health/ready" else { return nil }
        do throws(APIError) {
            if !isLive {
                if isStopping { throw .shuttingDown }
                _ = try context.readyReplica()
                guard context.session.isOpen else { throw .matchingUnavailable }
            }
            return Reply(status: 200, body: Array("{}".utf8))
        } catch { return Reply(error) }
    }

    private func find(_ request: Call.Request) throws(APIError) -> Endpoint {
        guard let rows = Endpoint.byPath[request.path] else {
            try limiter.charge(1, address: request.address, now: Clock.realtimeMillis())
            throw APIError(-1000, "No such endpoint.", status: 404)
        }
        guard let row = rows.first(where: { $0.method == request.method }) else {
            try limiter.charge(1, address: request.address, now: Clock.realtimeMillis())
            throw APIError(-1000, "Method not allowed for this endpoint.", status: 405)
        }
        return row
    }

    private func admit(
        _ request: Call.Request, _ endpoint: Endpoint, _ finish: @escaping (Reply) -> Void
    ) throws(APIError) -> Call {
        let now = Clock.realtimeMillis()
        let parameters: Parameters
        do throws(APIError) {
            parameters = try Parameters(query: request.query, body: request.body)
        } catch {
            try limiter.charge(1, address: request.address, now: now)
            throw error
        }
        try limiter.charge(endpoint.weight(parameters), address: request.address, now: now)
        if isStopping { throw .shuttingDown }
        // A client that does not read can fill the memory, but must not keep others from their
        // orders, the answers to which are short.
        if memory.isFull, endpoint.security != .trade { throw .overloaded }
        guard let needed = endpoint.security.permission else {
            try parameters.check(needs: endpoint.needs, takes: endpoint.takes)
            return Call(parameters: parameters, now: now, caller: nil, deadline: 0, finish: finish)
        }
        let (caller, deadline, text) = try authenticate(request, parameters, needed, now: now)
        try parameters.check(needs: endpoint.needs, takes: endpoint.takes)
        let time = try parameters.time(.timestamp) ?? 0
        try takenRequests.take(
            text, of: caller.keyID, signedAt: time / 1_000_000, now: now,
            changes: endpoint.method != .get)
        // A little later the client gets a time-out, whatever its window.
        let latest = (now + options.answerMilliseconds) * 1_000_000
        return Call(
            parameters: parameters, now: now, caller: caller, deadline: min(deadline, latest),
            finish: finish)
    }

    private func authenticate(
        _ request: Call.Request, _ parameters: Parameters, _ needed: Permissions, now: Int64
    ) throws(APIError) -> (AuthenticatedCaller, deadline: Int64, text: [UInt8]) {
        guard let text = request.apiKey, isAPIKeyFormat(text), let keyID = Text64(text) else {
            throw .keyFormatInvalid
        }
        _ = try parameters.required(.timestamp)
        let payload = try SignedPayload(query: request.query, body: request.body)
        let replica = try context.readyReplica()
        guard let key = replica.engine.apiKey(keyID) else { throw .keyInvalid }
        let deadline = try RequestTime.deadline(parameters, now: now)
        guard let signed = try keyRing.signedText(payload, by: key) else { throw .signatureInvalid }
        guard key.permissions.contains(needed) else { throw .keyInvalid }
        return (
            AuthenticatedCaller(
                account: key.account, permissions: key.permissions, keyID: keyID), deadline, signed
        )
    }
}

/// Counts connections, all and by address.
struct ConnectionTable {
    private(set) var count = 0
    private var refused = (all: 0, lastAddress: "")
    private var byAddress: [String: Int] = [:]

    /// Counts one more; false, and nothing counted, when that is too many.
    mutating func open(_ address: String, _ options: GatewayOptions) -> Bool {
        let own = byAddress[address] ?? 0
        guard count < options.connectionsMax, own < options.connectionsPerAddressMax else {
            refused = (refused.all + 1, address)
            return false
        }
        count += 1
        byAddress[address] = own + 1
        return true
    }

    /// How many were refused since the last call, and from where the last came.
    mutating func takeRefused() -> (all: Int, lastAddress: String) {
        defer { refused = (0, "") }
        return refused
    }

    /// Counts one less.
    mutating func close(_ address: String) {
        guard let own = byAddress[address] else { return }
        count -= 1
        byAddress[address] = own == 1 ? nil : own - 1
    }
}
