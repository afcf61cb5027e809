// Stream names, and clients' commands on a WebSocket. Source: Binance Spot API documentation,
// "WebSocket Streams".

public import JSON
public import MarketData
public import Terms

/// What a stream carries.
public enum StreamKind: Hashable, Sendable {
    /// `@depth`, `@depth@100ms`: changes of the book.
    case depth(DepthCadence)
    /// `@depth5`, `@depth10@100ms`, …: the best levels.
    case partialDepth(levels: Int, DepthCadence)
    /// `@trade`
    case trade
    /// `@aggTrade`
    case aggregateTrade
    /// `@bookTicker`
    case bookTicker
    /// `@kline_1m`, …
    case kline(CandleInterval)
    /// `@ticker`, and `!ticker@arr`
    case ticker
    /// `@miniTicker`, and `!miniTicker@arr`
    case miniTicker
}

/// A stream: of one symbol, or of all where `symbol` is empty.
public struct StreamName: Hashable, Sendable {
    /// The symbol in capitals; empty for a stream of all.
    public var symbol: Text16
    /// What it carries.
    public var kind: StreamKind

    /// A stream.
    public init(symbol: Text16, kind: StreamKind) { (self.symbol, self.kind) = (symbol, kind) }

    /// Reads a name, as `btcusdt@depth@100ms`; nil when it is unknown. Symbols are in lower case.
    public init?(_ name: some StringProtocol) {
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        if parts[0].first == "!" {
            guard let kind = Self.kindOfAll(String(name)) else { return nil }
            self.init(symbol: Text16(), kind: kind)
            return
        }
        guard !parts[0].isEmpty, parts[0].utf8.allSatisfy({ !(0x41...0x5A).contains($0) }),
            let symbol = Text16(parts[0].uppercased()), let kind = Self.kind(String(parts[1]))
        else { return nil }
        self.init(symbol: symbol, kind: kind)
    }

    private static func kindOfAll(_ name: String) -> StreamKind? {
        switch name {
        case "!miniTicker@arr", "!miniTicker@arr@1000ms": .miniTicker
        case "!ticker@arr", "!ticker@arr@1000ms": .ticker
        default: nil
        }
    }

    private static func kind(_ text: String) -> StreamKind? {
        switch text {
        case "trade": return .trade
        case "aggTrade": return .aggregateTrade
        case "bookTicker": return .bookTicker
        case "ticker": return .ticker
        case "miniTicker": return .miniTicker
        default: break
        }
        if text.hasPrefix("kline_") {
            return CandleInterval(rawValue: String(text.dropFirst(6))).map(StreamKind.kline)
        }
        guard text.hasPrefix("depth") else { return nil }
        let parts = text.dropFirst(5).split(separator: "@", omittingEmptySubsequences: false)
        let cadence: DepthCadence
        switch parts.count {
        case 1: cadence = .slow
        case 2 where parts[1] == "100ms": cadence = .fast
        case 2 where parts[1] == "1000ms": cadence = .slow
        default: return nil
        }
        switch parts[0] {
        case "": return .depth(cadence)
        case "5": return .partialDepth(levels: 5, cadence)
        case "10": return .partialDepth(levels: 10, cadence)
        case "20": return .partialDepth(levels: 20, cadence)
        default: return nil
        }
    }
}

/// How a WebSocket was opened: its path and the names in it.
public struct StreamPath: Hashable, Sendable {
    /// Whether each message is wrapped in `{"stream":…,"data":…}`.
    public var isCombined: Bool
    /// The initial streams.
    public var names: [String]
    /// The unit of the messages' times: that of `timeUnit` in the URL.
    public var timeUnit = TimeUnit.milliseconds

    /// Reads `/ws`, `/ws/name/name…`, `/stream` and `/stream?streams=name/name…`, each with
    /// `timeUnit` too; nil for any other path and for another unit.
    public init?(uri: String) {
        let split = uri.firstIndex(of: "?") ?? uri.endIndex
        let path = uri[..<split]
        // python-binance adds ?timeUnit behind ?streams; no name has one in it.
        let query = split == uri.endIndex ? "" : String(uri[uri.index(after: split)...])
        let parameters = try? Parameters(
            query: query.split(separator: "?", omittingEmptySubsequences: false).joined(
                separator: "&"))
        if let word = parameters?[.timeUnit] {
            guard let unit = TimeUnit(word) else { return nil }
            timeUnit = unit
        }
        if path == "/ws" || path.hasPrefix("/ws/") {
            isCombined = false
            guard let decoded = PercentEncoding.decode(path.dropFirst(3), isForm: true) else {
                return nil
            }
            names = Self.names(decoded)
        } else if path == "/stream" || path == "/stream/" {
            isCombined = true
            guard let parameters else { return nil }
            names = Self.names(parameters[.streams] ?? "")
        } else {
            return nil
        }
    }

    private static func names(_ text: String) -> [String] {
        text.split(separator: "/").map(String.init)
    }
}

/// A client's command on a WebSocket of streams.
public struct StreamCommand: Hashable, Sendable {
    /// What to do.
    public enum Method: Hashable, Sendable {
        /// Subscribe to streams.
        case subscribe([String])
        /// Unsubscribe from streams.
        case unsubscribe([String])
        /// List the streams.
        case list
        /// Set `combined`.
        case setCombined(Bool)
        /// Report whether `combined` is set.
        case getCombined
    }

    /// What to do.
    public var method: Method
    /// The client's id for it: an integer, a string or null.
    public var id: JSONValue

    /// Reads a message.
    public init(parsing bytes: some Collection<UInt8>) throws(StreamCommandError) {
        guard let value = JSONValue(parsing: bytes), case .object(let members) = value else {
            throw StreamCommandError(code: 3, message: "Invalid JSON: expected an object")
        }
        let id = value["id"] ?? .null
        switch id {
        case .null, .string: break
        case .numeral(let text) where Int64(text) != nil: break
        default:
            throw StreamCommandError(
                code: 2, message: "Invalid request: request ID must be an unsigned integer")
        }
        for name in members.map(\.name) where name != "id" && name != "method" && name != "params" {
            throw StreamCommandError(code: 0, message: "Unknown property", id: id)
        }
        guard case .string(let method) = value["method"] else {
            throw StreamCommandError(
                code: 2, message: "Invalid request: missing field `method`", id: id)
        }
        self.id = id
        self.method = try Self.method(method, value["params"], id)
    }

    private static func method(
        _ name: String, _ params: JSONValue?, _ id: JSONValue
    ) throws(StreamCommandError) -> Method {
        switch name {
        case "SUBSCRIBE": return .subscribe(try names(params, id))
        case "UNSUBSCRIBE": return .unsubscribe(try names(params, id))
        case "LIST_SUBSCRIPTIONS": return .list
        case "SET_PROPERTY":
            guard case .array(let items) = params, items.count == 2,
                items[0] == .string("combined"), case .bool(let flag) = items[1]
            else { throw StreamCommandError(code: 0, message: "Unknown property", id: id) }
            return .setCombined(flag)
        case "GET_PROPERTY":
            guard case .array(let items) = params, items == [.string("combined")] else {
                throw StreamCommandError(code: 0, message: "Unknown property", id: id)
            }
            return .getCombined
        default:
            throw StreamCommandError(
                code: 2,
                message: "Invalid request: unknown variant, expected one of `SUBSCRIBE`, "
                    + "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`", id: id)
        }
    }

    private static func names(
        _ params: JSONValue?, _ id: JSONValue
    ) throws(StreamCommandError) -> [String] {
        guard case .array(let items) = params, !items.isEmpty else {
            throw StreamCommandError(
                code: 2, message: "Invalid request: missing field `params`", id: id)
        }
        var names: [String] = []
        for item in items {
            guard case .string(let name) = item else {
                throw StreamCommandError(
                    code: 2, message: "Invalid request: invalid type, expected a string", id: id)
            }
            names.append(name)
        }
        return names
    }

    static func write(id: JSONValue, to json: inout JSONWriter) {
        json.key("id")
        switch id {
        case .string(let text): json.string(text)
        case .numeral(let text): json.raw(text.utf8)
        case .null, .bool, .array, .object: json.null()
        }
    }

    /// The answer to a command without a result: `{"result":null,"id":…}`.
    public func writeDone(to json: inout JSONWriter) {
        json.beginObject()
        json.key("result")
        json.null()
        Self.write(id: id, to: &json)
        json.endObject()
    }

    /// The answer to `LIST_SUBSCRIPTIONS`.
    public func write(list: [String], to json: inout JSONWriter) {
        json.beginObject()
        json.field("result", list: list)
        Self.write(id: id, to: &json)
        json.endObject()
    }

    /// The answer to `GET_PROPERTY`.
    public func write(flag: Bool, to json: inout JSONWriter) {
        json.beginObject()
        json.field("result", flag)
        Self.write(id: id, to: &json)
        json.endObject()
    }
}

/// An error on a WebSocket of streams.
public struct StreamCommandError: Error, Hashable, Sendable {
    /// Binance's code: 0 … 3.
    public var code: Int
    /// What is wrong.
    public var message: String
    /// The id of the request, where it could be read.
    public var id: JSONValue?

    /// What is wrong with the request of an id.
    public init(code: Int, message: String, id: JSONValue? = nil) {
        (self.code, self.message, self.id) = (code, message, id)
    }

    /// The answer.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.field("code", code)
        json.field("msg", message)
        json.endObject()
        if let id { StreamCommand.write(id: id, to: &json) }
        json.endObject()
    }
}
