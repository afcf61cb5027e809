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
    private let keyRing: KeyRing
    private var context: EndpointContext

    init(eventLoop: any EventLoop, options: GatewayOptions, session: MatchdSession, log: Logger) {
        (self.eventLoop, self.options) = (eventLoop, options)
        limiter = RateLimiter(limits: options.rateLimits)
        memory = ClientMemory(
            bytesMax: options.clientBytesMax, log: log, clock: Clock.monotonicMillis)
        streams = StreamHub(options: options, memory: memory)
        keyRing = KeyRing(file: options.sealKeyFile, log: log)
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
            return Call(parameters: parameters, now: now, caller: nil, deadline: 0, finish: finish)
        }
        let (caller, deadline) = try authenticate(request, parameters, needed, now: now)
        // A little later the client gets a time-out, whatever its window.
        let latest = (now + options.answerMilliseconds) * 1_000_000
        return Call(
            parameters: parameters, now: now, caller: caller, deadline: min(deadline, latest),
            finish: finish)
    }

    private func authenticate(
        _ request: Call.Request, _ parameters: Parameters, _ needed: Permissions, now: Int64
    ) throws(APIError) -> (AuthenticatedCaller, deadline: Int64) {
        guard let text = request.apiKey, isAPIKeyFormat(text), let keyID = Text64(text) else {
            throw .keyFormatInvalid
        }
        _ = try parameters.required("timestamp")
        let payload = try SignedPayload(query: request.query, body: request.body)
        let replica = try context.readyReplica()
        guard let key = replica.engine.apiKey(keyID) else { throw .keyInvalid }
        let deadline = try RequestTime.deadline(parameters, now: now)
        guard try keyRing.isSigned(payload, by: key) else { throw .signatureInvalid }
        guard key.permissions.contains(needed) else { throw .keyInvalid }
        return (
            AuthenticatedCaller(
                account: key.account, permissions: key.permissions, keyID: keyID), deadline
        )
    }
}

/// Counts connections, all and by address.
struct ConnectionTable {
    private(set) var count = 0
    private var byAddress: [String: Int] = [:]

    /// Counts one more; false, and nothing counted, when that is too many.
    mutating func open(_ address: String, _ options: GatewayOptions) -> Bool {
        let own = byAddress[address] ?? 0
        guard count < options.connectionsMax, own < options.connectionsPerAddressMax else {
            return false
        }
        count += 1
        byAddress[address] = own + 1
        return true
    }

    /// Counts one less.
    mutating func close(_ address: String) {
        guard let own = byAddress[address] else { return }
        count -= 1
        byAddress[address] = own == 1 ? nil : own - 1
    }
}
