// One request on its way through the gateway.

import Engine
import SpotAPI
import Terms

/// Who calls, once the signature was found valid.
struct AuthenticatedCaller {
    let account: AccountID
    let permissions: Permissions
    let keyID: Text64
}

/// A reply to a client.
struct Reply {
    var status: Int
    var body: [UInt8]
    var retryAfterSeconds: Int?
    /// New orders of the account in 10 seconds and a day, for replies about orders.
    var orderCounts: (ten: Int, day: Int)?

    /// An error's reply.
    init(_ error: APIError) {
        var json = JSONWriter(capacity: 160)
        error.write(to: &json)
        status = error.status
        body = json.bytes
        retryAfterSeconds = error.retryAfterSeconds
    }

    init(status: Int, body: [UInt8]) { (self.status, self.body) = (status, body) }
}

/// A routed request: its parameters, its caller, and where its reply goes. Answered once.
final class Call {
    /// A request, whatever the transport.
    struct Request {
        var method: Endpoint.Method
        var path: String
        var query: String
        var body: String
        /// The header `X-MBX-APIKEY`, or nil.
        var apiKey: String?
        /// The header `X-MBX-TIME-UNIT`, or nil.
        var timeUnit: String?
        /// The client's address.
        var address: String
    }

    let parameters: Parameters
    /// This host's clock when the request came, milliseconds since 1970.
    let now: Int64
    /// Who calls; nil where the endpoint is public.
    let caller: AuthenticatedCaller?
    /// When the request must have no effect any more, ns since 1970 on this host's clock; 0 where
    /// the endpoint is public.
    let deadline: Int64
    /// The unit of the reply's times.
    let timeUnit: TimeUnit
    /// Set where the reply reports how many orders the account has sent.
    var orderCounts: (ten: Int, day: Int)?
    private var finish: ((Reply) -> Void)?

    init(
        parameters: Parameters, now: Int64, caller: AuthenticatedCaller?, deadline: Int64,
        timeUnit: TimeUnit, finish: @escaping (Reply) -> Void
    ) {
        (self.parameters, self.now, self.caller) = (parameters, now, caller)
        (self.deadline, self.timeUnit, self.finish) = (deadline, timeUnit, finish)
    }

    /// The account that calls. Only for endpoints that are signed.
    var account: AccountID {
        guard let caller else { preconditionFailure("a signed endpoint has a caller") }
        return caller.account
    }

    /// Answers with JSON.
    func reply(status: Int = 200, capacity: Int = 512, _ write: (inout JSONWriter) -> Void) {
        var json = JSONWriter(capacity: capacity, timeUnit: timeUnit)
        write(&json)
        answer(Reply(status: status, body: json.bytes))
    }

    /// Answers with an array of `values`, each about so many bytes.
    func reply<Value>(
        _ values: [Value], bytes: Int, _ write: (inout JSONWriter, Value) -> Void
    ) {
        reply(capacity: 64 + bytes * values.count) { json in
            json.beginArray()
            for value in values { write(&json, value) }
            json.endArray()
        }
    }

    /// Answers with an error.
    func fail(_ error: APIError) { answer(Reply(error)) }

    /// Answers with finished JSON.
    func answer(json: [UInt8]) { answer(Reply(status: 200, body: json)) }

    private func answer(_ reply: Reply) {
        guard let finish else { preconditionFailure("a request is answered once") }
        self.finish = nil
        var reply = reply
        reply.orderCounts = orderCounts
        finish(reply)
    }
}
