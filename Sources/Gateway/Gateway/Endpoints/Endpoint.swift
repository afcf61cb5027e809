// The table of all endpoints: method and path, security, parameters, weight and handler.

package import SpotAPI
import Terms

/// A row of the table.
package struct Endpoint: Sendable {
    /// An HTTP method that the API knows.
    package enum Method: String, Sendable {
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

    package let method: Method
    package let path: String
    let security: Security
    /// Request weight by parameters.
    let weight: @Sendable (Parameters) -> Int
    /// The parameters that a request must have, and those that it may have besides: one with others
    /// is refused.
    package let needs: [Parameter]
    package let takes: [Parameter]
    let handle: Handler

    init(
        _ method: Method, _ path: String, _ security: Security,
        weight: @escaping @Sendable (Parameters) -> Int, needs: [Parameter] = [],
        takes: [Parameter] = [], _ handle: @escaping Handler
    ) {
        (self.method, self.path, self.security) = (method, path, security)
        (self.weight, self.needs, self.takes, self.handle) = (weight, needs, takes, handle)
    }

    init(
        _ method: Method, _ path: String, _ security: Security, _ weight: Int,
        needs: [Parameter] = [], takes: [Parameter] = [], _ handle: @escaping Handler
    ) {
        self.init(
            method, path, security, weight: { _ in weight }, needs: needs, takes: takes, handle)
    }

    /// The row in words: method, path, who may call it, and the parameters with their forms; a `!`
    /// marks those that must be there.
    var line: String {
        let parameters = needs.map { "\($0)!" } + takes.map { "\($0)" }
        return ([method.rawValue, path, "\(security)"] + parameters).joined(separator: " ")
    }

    /// All rows; each noun's file has its own.
    package static let all: [Endpoint] =
        generalEndpoints + marketEndpoints + orderEndpoints + accountEndpoints + capitalEndpoints
        + depositEndpoints + withdrawalEndpoints

    /// Rows by path.
    static let byPath: [String: [Endpoint]] = Dictionary(grouping: all, by: \.path)
}
