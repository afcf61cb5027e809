// The table of all endpoints: method and path, security, weight and handler.

import SpotAPI
import Terms

/// A row of the table.
struct Endpoint: Sendable {
    /// An HTTP method that the API knows.
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// Who may call it (Binance "Endpoint security type").
    enum Security: Sendable {
        /// Anyone.
        case open
        /// A signed request of a key that may read.
        case userData
        /// A signed request of a key that may trade.
        case trade
        /// A signed request of a key that may withdraw.
        case withdraw

        /// What the key must allow; nil where anyone may call.
        var permission: Permissions? {
            switch self {
            case .open: nil
            case .userData: .read
            case .trade: .trade
            case .withdraw: .withdraw
            }
        }
    }

    typealias Handler = @Sendable (EndpointContext, Call) throws(APIError) -> Void

    let method: Method
    let path: String
    let security: Security
    /// Request weight by parameters.
    let weight: @Sendable (Parameters) -> Int
    let handle: Handler

    init(
        _ method: Method, _ path: String, _ security: Security,
        weight: @escaping @Sendable (Parameters) -> Int, _ handle: @escaping Handler
    ) {
        (self.method, self.path, self.security) = (method, path, security)
        (self.weight, self.handle) = (weight, handle)
    }

    init(
        _ method: Method, _ path: String, _ security: Security, _ weight: Int,
        _ handle: @escaping Handler
    ) { self.init(method, path, security, weight: { _ in weight }, handle) }

    /// All rows; each noun's file has its own.
    static let all: [Endpoint] =
        generalEndpoints + marketEndpoints + orderEndpoints + accountEndpoints + capitalEndpoints
        + depositEndpoints + withdrawalEndpoints

    /// Rows by path.
    static let byPath: [String: [Endpoint]] = Dictionary(grouping: all, by: \.path)
}
