// A service of the owner's that is asked before a withdrawal goes out, as for lists of sanctions.

public import JSON
internal import Requests
public import Terms

/// What the service is told of a withdrawal, one JSON object by HTTP POST:
///
///     {"withdrawal": 7, "account": "alice", "asset": "LTC", "network": "litecoin",
///      "address": "ltc1q…", "tag": "", "units": "150000000", "decimals": 8, "requester": ""}
///
/// It answers with status 200 and `{"decision": "pass"}`, or `{"decision": "hold", "reason": "…"}`.
public struct ScreeningQuestion: Hashable, Sendable {
    /// The withdrawal's id.
    public var withdrawal: UInt64
    /// Whose it is: the account's name.
    public var account: String
    /// The asset's code.
    public var asset: String
    /// The chain's name.
    public var network: String
    /// Where it goes.
    public var address: String
    /// The destination's tag, or empty.
    public var tag: String
    /// What arrives, in the asset's smallest units.
    public var amount: Amount
    /// Decimals of such a unit.
    public var decimals: UInt8
    /// The operator who asked for it; empty: the customer.
    public var requester: String

    /// What is told of a withdrawal.
    public init(
        withdrawal: UInt64, account: String, asset: String, network: String, address: String,
        tag: String, amount: Amount, decimals: UInt8, requester: String
    ) {
        (self.withdrawal, self.account, self.asset) = (withdrawal, account, asset)
        (self.network, self.address, self.tag) = (network, address, tag)
        (self.amount, self.decimals, self.requester) = (amount, decimals, requester)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "withdrawal": .number(withdrawal), "account": .string(account),
            "asset": .string(asset), "network": .string(network), "address": .string(address),
            "tag": .string(tag), "units": .string("\(amount.units)"),
            "decimals": .number(decimals), "requester": .string(requester),
        ]
    }
}

/// What the service says of a withdrawal.
public enum ScreeningAnswer: Hashable, Sendable {
    /// It may go out.
    case releases
    /// It may not, for now, and why.
    case holds(String)
    /// It answers, and decides nothing about this one.
    case unclear(String)
    /// It gives no answer, and why. Nothing goes out.
    case absent(String)
}

/// Whoever is asked whether withdrawals may go out.
public protocol WithdrawalScreen {
    /// The answer to one question.
    func answer(_ question: ScreeningQuestion) -> ScreeningAnswer
}

/// The service at an HTTP address.
public struct ScreeningClient: WithdrawalScreen, Sendable {
    /// Maximum bytes of an answer.
    public static let answerBytesMax = 16_384
    /// How long an answer may take, milliseconds.
    public static let answerMilliseconds: Int64 = 2_000

    private let endpoint: HTTPEndpoint
    private let path: String
    private let loginFile: String?
    private let transport = HTTPPost(bodyBytesMax: ScreeningClient.answerBytesMax)

    /// The service at `http://HOST:PORT/PATH` on this host, as customers' names and addresses go
    /// there in clear; nil for any other text. `loginFile` holds `USER:PASSWORD`.
    public init?(_ url: String, loginFile: String?) {
        let scheme = "http://"
        guard url.hasPrefix(scheme), url.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let endpoint = HTTPEndpoint(scheme + rest[..<slash]),
            endpoint.host == "localhost" || endpoint.host == "::1"
                || endpoint.host.hasPrefix("127.")
        else { return nil }
        self.endpoint = endpoint
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
        self.loginFile = loginFile
    }

    /// Asks the service, and waits for its answer.
    public func answer(_ question: ScreeningQuestion) -> ScreeningAnswer {
        let response: PostResponse
        do {
            response = try transport.postAndWait(
                endpoint, path, question.json.compact,
                authorization: try NodeClient.authorization(loginFile),
                milliseconds: Self.answerMilliseconds)
        } catch let error as PostError {
            if case .tooLong = error { return .unclear("\(error)") }
            return .absent("\(endpoint): \(error)")
        } catch { return .absent("\(endpoint): \(error)") }
        guard response.status == 200 else {
            return .unclear("it answers with status \(response.status)")
        }
        let json = JSONValue(parsing: response.body, valuesMax: 100)
        switch json?["decision"]?.text {
        case "pass": return .releases
        case "hold":
            return .holds(NodeClient.shown(json?["reason"]?.text ?? "it gives no reason"))
        default: return .unclear("its answer has no decision of pass or hold")
        }
    }
}
