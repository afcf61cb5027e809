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
    private(set) var options: GatewayOptions
    /// By which certificate new connections are encrypted; nil: they are not.
    private(set) var tls: ClientTLS?
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

    init(
        eventLoop: any EventLoop, options: GatewayOptions, session: MatchdSession, log: Logger
    ) throws(ClientTLSError) {
        (self.eventLoop, self.options, self.log) = (eventLoop, options, log)
        tls = try options.clientTLS.map { files throws(ClientTLSError) in try ClientTLS(files) }
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

    /// Takes a certificate, proxies, and limits: of rates, and of how many connect. Connections
    /// that are open stay.
    func reload(_ fresh: GatewayOptions, _ tls: ClientTLS?) {
        self.tls = tls
        limiter.limits = fresh.rateLimits
        options.rateLimits = fresh.rateLimits
        options.connectionsMax = fresh.connectionsMax
        options.connectionsPerAddressMax = fresh.connectionsPerAddressMax
        options.proxies = fresh.proxies
    }

    /// Whom limits count for what comes from `peer`.
    func holder(_ peer: String, forwarded: [String]) -> String {
        ClientAddress.holder(peer, forwarded: forwarded, proxies: options.proxies)
    }

    /// Counts a new connection from `peer`, and returns the place that it is counted at; nil where
    /// it is refused: too many are open or shake hands. One that is banned is told so in a reply.
    func open(_ peer: String) -> String? {
        let isProxy = IPAddress(peer).map { peer in
            options.proxies.contains { $0.contains(peer) }
        }
        // A proxy's connections are those of many, and are counted by its whole address.
        let place = isProxy == true ? "proxy \(peer)" : holder(peer, forwarded: [])
        let isOpen = connections.open(
            place, isProxy: isProxy == true, isTLS: tls != nil, now: Clock.monotonicMillis(),
            options)
        return isOpen ? place : nil
    }

    /// Says how many connections were refused of late, if any were.
    func noteRefused() {
        let refused = connections.takeRefused()
        guard refused.all > 0 else { return }
        log.warning(
            """
            \(refused.all) connections were refused in ten seconds, the last from \
            \(refused.lastAddress): \(connections.count) are open; [gatewayd] connections and \
            connections_per_address let no more in, or \(options.handshakesPerSecond) handshakes \
            of TLS a second, \(options.handshakesPerSecondOfAddress) of one address
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
        let timeUnit: TimeUnit
        if let word = request.timeUnit {
            guard let unit = TimeUnit(word) else { throw .timeUnitInvalid }
            timeUnit = unit
        } else {
            timeUnit = .milliseconds
        }
        // A client that does not read can fill the memory, but must not keep others from their
        // orders, the answers to which are short.
        if memory.isFull, endpoint.security != .trade { throw .overloaded }
        guard let needed = endpoint.security.permission else {
            try parameters.check(needs: endpoint.needs, takes: endpoint.takes)
            return Call(
                parameters: parameters, now: now, caller: nil, deadline: 0, timeUnit: timeUnit,
                finish: finish)
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
            timeUnit: timeUnit, finish: finish)
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
    private var forwarded: [String: Int] = [:]
    /// The handshakes of this second.
    private var handshakes: [String: Int] = [:]
    private var handshakesOfAll = 0
    private var second: Int64 = 0

    /// Counts one more; false, and nothing counted, when that is too many. A proxy has as many as
    /// all. `now` in milliseconds of a clock that does not go back.
    mutating func open(
        _ address: String, isProxy: Bool = false, isTLS: Bool = false, now: Int64 = 0,
        _ options: GatewayOptions
    ) -> Bool {
        let own = byAddress[address] ?? 0
        guard count < options.connectionsMax, isProxy || own < options.connectionsPerAddressMax,
            !isTLS || mayShakeHands(address, isProxy: isProxy, now, options)
        else {
            refuse(address)
            return false
        }
        count += 1
        byAddress[address] = own + 1
        return true
    }

    /// A handshake costs a signature: so many in a second hold up nobody's orders for long.
    private mutating func mayShakeHands(
        _ address: String, isProxy: Bool, _ now: Int64, _ options: GatewayOptions
    ) -> Bool {
        if now / 1_000 != second {
            second = now / 1_000
            handshakes.removeAll(keepingCapacity: true)
            handshakesOfAll = 0
        }
        let own = handshakes[address] ?? 0
        guard handshakesOfAll < options.handshakesPerSecond,
            isProxy || own < options.handshakesPerSecondOfAddress
        else { return false }
        handshakesOfAll += 1
        handshakes[address] = own + 1
        return true
    }

    /// Counts one that was refused.
    mutating func refuse(_ address: String) { refused = (refused.all + 1, address) }

    /// Counts a WebSocket of a client behind a proxy; false where it has as many as one address
    /// may.
    mutating func openForwarded(_ client: String, _ options: GatewayOptions) -> Bool {
        let own = forwarded[client] ?? 0
        guard own < options.connectionsPerAddressMax else {
            refuse(client)
            return false
        }
        forwarded[client] = own + 1
        return true
    }

    /// Counts one less of those.
    mutating func closeForwarded(_ client: String) {
        guard let own = forwarded[client] else { return }
        forwarded[client] = own == 1 ? nil : own - 1
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
