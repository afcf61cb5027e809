// JSON-RPC 1.0 over HTTP, as Bitcoin Core and its kin speak it.

public import JSON
public import Requests
public import Secrets
internal import Terms

/// How a node is reached.
public struct NodeSettings: Sendable {
    /// Its RPC address.
    public var endpoint: HTTPEndpoint
    /// `USER:PASSWORD`, or nil where it asks for none.
    public var login: SecretBytes?
    /// How long it may take for an answer.
    public var answerMilliseconds: Int64 = 30_000

    /// A node at an address.
    public init(endpoint: HTTPEndpoint, login: SecretBytes?) {
        (self.endpoint, self.login) = (endpoint, login)
    }
}

/// Calls a node's methods. One owner at a time.
public final class NodeClient {
    /// Maximum bytes of an answer: a block of 4,000,000 weight units as JSON.
    public static var answerBytesMax: Int { 64 << 20 }
    /// Maximum values in an answer.
    public static var valuesMax: Int { 4_000_000 }

    private let settings: NodeSettings
    private let transport: HTTPPost
    private var calls = 0

    /// A client of a node. Connects to nothing yet.
    public init(_ settings: NodeSettings) {
        self.settings = settings
        transport = HTTPPost(bodyBytesMax: Self.answerBytesMax)
    }

    /// The result of a method.
    public func call(
        _ method: String, _ parameters: JSONValue...
    ) throws(NodeError) -> JSONValue {
        calls += 1
        let request: JSONValue = [
            "jsonrpc": "1.0", "id": .number(calls), "method": .string(method),
            "params": .array(parameters),
        ]
        let response: PostResponse
        do {
            response = try transport.postAndWait(
                settings.endpoint, "/", request.compact, authorization: authorization,
                milliseconds: settings.answerMilliseconds)
        } catch { throw .unreachable("\(settings.endpoint): \(error)") }
        switch response.status {
        case 401, 403:
            throw .unreachable(
                "\(settings.endpoint): it refuses the login (status \(response.status))")
        // Errors of a method have status 500 or 404, with a JSON body.
        case 200, 404, 500: break
        default:
            throw .unreachable("\(settings.endpoint): it answers with status \(response.status)")
        }
        guard let json = JSONValue(parsing: response.body, valuesMax: Self.valuesMax),
            json["id"]?.whole == Int64(calls)
        else { throw .malformed(method: method, "is not JSON, too large, or not to this request") }
        if let error = json["error"], error != .null {
            throw .refused(
                method: method, code: error["code"]?.whole ?? 0,
                message: String((error["message"]?.text ?? "no reason").prefix(200)))
        }
        guard let result = json["result"] else {
            throw .malformed(method: method, "has no result")
        }
        return result
    }

    private var authorization: String? {
        settings.login.map { login in
            unsafe login.withBytes { bytes in "Basic " + Base64.text(unsafe Array(bytes)) }
        }
    }
}
