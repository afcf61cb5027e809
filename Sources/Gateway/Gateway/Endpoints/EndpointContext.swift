// What an endpoint may use of the gateway.

import Engine
import Follower
import History
import Platform
import SpotAPI
import Terms

/// The replica to read, the way for commands, and the limits.
struct EndpointContext {
    let session: MatchdSession
    let limiter: RateLimiter
    /// Maximum number of levels of a depth request.
    let depthMax: Int
    /// The replica, once matchd has named its journal.
    var replica: GatewayReplica?
    private let ids = ClientIDs()

    /// The replica, once it has caught up with the log. Throws 503.
    func readyReplica() throws(APIError) -> GatewayReplica {
        guard let replica, replica.isCaughtUp else { throw .startingUp }
        return replica
    }

    /// The replica, and the units of the symbol that the request names. Throws 503, -1102, -1100,
    /// -1121.
    func market(_ call: Call) throws(APIError) -> (GatewayReplica, InstrumentUnits) {
        let replica = try readyReplica()
        return (replica, try replica.units(try call.parameters.symbol()))
    }

    /// A client order id for a client that gave none.
    func newClientID() -> Text40 { ids.next() }

    /// A call's deadline on the log's clock.
    func deadline(_ call: Call) -> Int64 { session.onLog(call.deadline) }

    /// The new order of a call.
    func order(_ call: Call, _ units: InstrumentUnits) throws(APIError) -> OrderRequest {
        try OrderRequest(
            call.parameters, account: call.account, units: units, clOrdID: newClientID(),
            deadline: deadline(call))
    }

    /// Counts a new order of the caller. Throws -1015.
    func countOrder(_ call: Call) throws(APIError) {
        try limiter.countOrder(call.account, now: call.now)
        call.orderCounts = limiter.orders(call.account)
    }
}

/// Random ids of 22 letters and digits.
final class ClientIDs {
    private var pool: [UInt8] = []

    func next() -> Text40 {
        var bytes: [UInt8] = []
        while bytes.count < 22 {
            if pool.isEmpty { pool = SystemRandom.bytes(1_024) }
            let byte = pool.removeLast()
            // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier.
            if byte < 248 { bytes.append(Self.letters[Int(byte % 62)]) }
        }
        guard let id = Text40(ascii: bytes) else { preconditionFailure("letters and digits") }
        return id
    }

    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
}

extension Call {
    /// Reads history and calls `done` with what was read; an error is answered.
    func read<T: Sendable>(
        _ replica: GatewayReplica, _ body: @escaping @Sendable (HistoryReader) throws -> T,
        done: @escaping (T) -> Void
    ) {
        replica.readHistory(body) { result in
            switch result {
            case .success(let value): done(value)
            case .failure(let error): self.fail(error)
            }
        }
    }
}
