// From a request to its endpoint: found, weighed, signed, handled.

import Engine
import Follower
import SpotAPI
import Terms

extension Venue {
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
            try endpoint.handle(self, call)
        } catch {
            call.fail(error)
        }
    }

    private func find(_ request: Call.Request) throws(APIError) -> Endpoint {
        guard let rows = Endpoint.byPath[request.path] else {
            try limiter.charge(1, address: request.address, now: clock())
            throw APIError(-1000, "No such endpoint.", status: 404)
        }
        guard let row = rows.first(where: { $0.method == request.method }) else {
            try limiter.charge(1, address: request.address, now: clock())
            throw APIError(-1000, "Method not allowed for this endpoint.", status: 405)
        }
        return row
    }

    private func admit(
        _ request: Call.Request, _ endpoint: Endpoint, _ finish: @escaping (Reply) -> Void
    ) throws(APIError) -> Call {
        let now = clock()
        let parameters: Parameters
        do throws(APIError) {
            parameters = try Parameters(query: request.query, body: request.body)
        } catch {
            try limiter.charge(1, address: request.address, now: now)
            throw error
        }
        try limiter.charge(endpoint.weight(parameters), address: request.address, now: now)
        if isStopping { throw .shuttingDown }
        // Who does not read can fill it, but is not to keep others from their orders, the answers
        // to which are short.
        if memory.isFull, endpoint.security != .trade { throw .overloaded }
        guard let needed = endpoint.security.permission else {
            return Call(
                parameters: parameters, now: now, caller: nil, deadline: 0, finish: finish)
        }
        let (caller, deadline) = try authenticate(request, parameters, needed, now: now)
        // The client is told by then that nothing is known, whatever its window.
        let latest = (now + options.answerMilliseconds) * 1_000_000
        return Call(
            parameters: parameters, now: now, caller: caller, deadline: min(deadline, latest),
            finish: finish)
    }

    private func authenticate(
        _ request: Call.Request, _ parameters: Parameters, _ needed: Permissions, now: Int64
    ) throws(APIError) -> (Caller, deadline: Int64) {
        guard let text = request.apiKey, isAPIKeyFormat(text), let keyID = Text64(text) else {
            throw .keyFormatInvalid
        }
        _ = try parameters.required("timestamp")
        let payload = try SignedPayload(query: request.query, body: request.body)
        let replica = try readyReplica()
        guard let key = replica.follower.engine.apiKey(keyID) else { throw .keyInvalid }
        let deadline = try RequestTime.deadline(parameters, now: now)
        guard try keyRing.isSigned(payload, by: key) else { throw .signatureInvalid }
        guard key.permissions.contains(needed) else { throw .keyInvalid }
        let caller = Caller(account: key.account, permissions: key.permissions, keyID: keyID)
        return (caller, deadline)
    }

    /// The replica, once it has caught up with the log. Throws 503.
    func readyReplica() throws(APIError) -> Replica {
        guard let replica, isCaughtUp else { throw .startingUp }
        return replica
    }

    /// The units of the symbol that the request names. Throws -1102, -1100, -1121.
    func units(_ call: Call, _ replica: Replica) throws(APIError) -> InstrumentUnits {
        try units(try call.parameters.symbol(), replica)
    }

    /// The units of a symbol. Throws -1121.
    func units(_ symbol: Text16, _ replica: Replica) throws(APIError) -> InstrumentUnits {
        guard let view = replica.follower.engine.instrument(symbol: symbol) else {
            throw .symbolInvalid
        }
        return InstrumentUnits(view, in: replica.follower.engine)
    }
}
