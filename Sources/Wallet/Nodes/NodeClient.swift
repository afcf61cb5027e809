// JSON-RPC over HTTP: 1.0, as Bitcoin Core and its kin speak it, and 2.0 of EVM nodes.

public import JSON
internal import Platform
public import Requests
internal import Terms

/// How a node is reached.
public struct NodeSettings: Sendable {
    /// Its RPC address.
    public var endpoint: HTTPEndpoint
    /// A file with `USER:PASSWORD`, as the node's own cookie, or nil where it asks for none. It is
    /// read for each call, as a node writes another cookie at each start.
    public var loginFile: String?
    /// How long it may take for an answer.
    public var answerMilliseconds: Int64 = 30_000

    /// A node at an address.
    public init(endpoint: HTTPEndpoint, loginFile: String?) {
        (self.endpoint, self.loginFile) = (endpoint, loginFile)
    }
}

/// The version of JSON-RPC that a node speaks.
public enum NodeProtocol: String, Sendable {
    /// An answer has a result and an error, of which one is null.
    case version1 = "1.0"
    /// An answer names this version, and has either a result or an error.
    case version2 = "2.0"
}

/// Calls a node's methods. One owner at a time.
public final class NodeClient {
    /// Maximum bytes of an answer: a block of 4,000,000 weight units as JSON.
    public static var answerBytesMax: Int { 64 << 20 }
    /// Maximum values in an answer.
    public static var valuesMax: Int { 4_000_000 }

    private let settings: NodeSettings
    private let transport: HTTPPost
    private let version: NodeProtocol
    private var calls = 0

    /// A client of a node. Connects to nothing yet.
    public init(_ settings: NodeSettings, version: NodeProtocol = .version1) {
        (self.settings, self.version) = (settings, version)
        transport = HTTPPost(bodyBytesMax: Self.answerBytesMax)
    }

    /// How long a question may take whose answer the node has at hand.
    static var quickMilliseconds: Int64 { 5_000 }

    /// The result of a method; `isQuick`: the node has it at hand.
    public func call(
        _ method: String, _ parameters: JSONValue..., isQuick: Bool = true
    ) throws(NodeError) -> JSONValue {
        try result(of: method, try answer(method, parameters, isQuick: isQuick))
    }

    /// The result of a method as `body` reads it from the answer's bytes: for large ones, of which
    /// little is wanted. A refusal is thrown as `call` does.
    func read<Value>(
        _ method: String, _ parameters: JSONValue...,
        reading body: (inout JSONCursor) -> Value?
    ) throws(NodeError) -> Value {
        let bytes = try answer(method, parameters, isQuick: false)
        var cursor = JSONCursor(bytes, valuesMax: Self.valuesMax)
        var value: Value?
        var (id, isRefused, members): (UInt64?, Bool, Set<Int>) = (nil, false, [])
        let isRead = cursor.object { cursor, name in
            if cursor.isNamed(name, "result") {
                guard members.insert(0).inserted else { return false }
                if cursor.isNull() { return true }
                value = body(&cursor)
                return value != nil
            }
            if cursor.isNamed(name, "error") {
                guard members.insert(1).inserted else { return false }
                if cursor.isNull() { return true }
                isRefused = true
                return cursor.skip()
            }
            guard cursor.isNamed(name, "id") else { return cursor.skip() }
            guard members.insert(2).inserted else { return false }
            id = cursor.whole()
            return id != nil
        }
        if isRefused, bytes.count <= Self.refusalBytesMax { _ = try result(of: method, bytes) }
        guard isRead, cursor.isAtEnd, !isRefused, id == UInt64(calls), let value else {
            throw .malformed(method: method, "cannot be read, or is not to this request")
        }
        return value
    }

    /// Maximum bytes of an answer that is a refusal.
    private static var refusalBytesMax: Int { 1 << 20 }

    /// How many bytes a method's answer has, which is not read: what the node alone takes.
    func size(_ method: String, _ parameters: JSONValue...) throws(NodeError) -> Int {
        try answer(method, parameters, isQuick: false).count
    }

    /// The answer's bytes.
    private func answer(
        _ method: String, _ parameters: [JSONValue], isQuick: Bool
    ) throws(NodeError) -> [UInt8] {
        calls += 1
        let request: JSONValue = [
            "jsonrpc": .string(version.rawValue), "id": .number(calls), "method": .string(method),
            "params": .array(parameters),
        ]
        let response: PostResponse
        do {
            response = try transport.postAndWait(
                settings.endpoint, "/", request.compact,
                authorization: try Self.authorization(settings.loginFile),
                milliseconds: isQuick
                    ? min(Self.quickMilliseconds, settings.answerMilliseconds)
                    : settings.answerMilliseconds)
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
        return response.body
    }

    /// The result that an answer has.
    private func result(of method: String, _ body: [UInt8]) throws(NodeError) -> JSONValue {
        guard let json = JSONValue(parsing: body, valuesMax: Self.valuesMax),
            json["id"]?.whole == Int64(calls),
            version == .version1 || json["jsonrpc"]?.text == version.rawValue
        else { throw .malformed(method: method, "is not JSON, too large, or not to this request") }
        if let error = json["error"], error != .null {
            throw .refused(
                method: method, code: error["code"]?.whole ?? 0,
                message: Self.shown(error["message"]?.text ?? "no reason"))
        }
        guard let result = json["result"] else {
            throw .malformed(method: method, "has no result")
        }
        return result
    }

    /// At most 200 bytes of a node's text, without control characters: for logs and terminals.
    static func shown(_ text: String) -> String {
        let bytes = text.utf8.prefix(200).map { 0x20...0x7E ~= $0 ? $0 : UInt8(ascii: "?") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The header's value for the login in a file; nil: none is asked for.
    static func authorization(_ loginFile: String?) throws(SystemError) -> String? {
        guard let path = loginFile else { return nil }
        let file = try File(path, .read)
        var bytes = try file.read(count: min(try file.size(), Self.loginBytesMax))
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return "Basic " + Base64.text(bytes)
    }

    /// Maximum bytes of a login.
    private static var loginBytesMax: Int { 1_024 }
}
