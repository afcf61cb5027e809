// The parameters of a request: query and form body, decoded once, read by name.

import JSON
public import Terms

/// Parameters by name. Where a name is both in the query and in the body, the query takes
/// precedence.
public struct Parameters: Sendable {
    private var entries: [(name: String, value: String)] = []

    /// Maximum number of parameters of one request.
    public static var countMax: Int { 64 }

    /// No parameters.
    public init() {}

    /// Reads `query`, then the form `body`: both `name=value&…`, percent-encoded.
    ///
    /// Throws -1101 for a name twice in one of them or for too many, -1100 for an invalid escape.
    public init(query: String, body: String = "") throws(APIError) {
        try append(form: query)
        let fromQuery = entries.count
        try append(form: body, shadowed: fromQuery)
    }

    private mutating func append(form: some StringProtocol, shadowed: Int = 0) throws(APIError) {
        let first = entries.count
        for part in form.split(separator: "&") {
            guard entries.count < Self.countMax else { throw .tooManyParameters }
            let split = part.firstIndex(of: "=")
            guard
                let name = PercentEncoding.decode(
                    part[..<(split ?? part.endIndex)], isForm: true)
            else {
                throw .illegal("query", range: "percent-encoded UTF-8")
            }
            let raw = split.map { part[part.index(after: $0)...] } ?? ""
            guard let value = PercentEncoding.decode(raw, isForm: true) else {
                throw .illegal(name, range: "percent-encoded UTF-8")
            }
            if entries[first...].contains(where: { $0.name == name }) { throw .duplicateParameter }
            if entries[..<shadowed].contains(where: { $0.name == name }) { continue }
            entries.append((name, value))
        }
    }

    /// How many there are.
    public var count: Int { entries.count }

    /// The names and decoded values in the order in which they came.
    public var all: [(name: String, value: String)] { entries }

    /// The value of a name, or nil when it was not sent or is empty.
    public subscript(name: String) -> String? {
        guard let value = entries.first(where: { $0.name == name })?.value, !value.isEmpty else {
            return nil
        }
        return value
    }

    /// The value of a name, which must be there. Throws -1102.
    public func required(_ name: String) throws(APIError) -> String {
        guard let value = self[name] else { throw .mandatory(name) }
        return value
    }

    /// A whole number within its range, or nil when it was not sent. Throws -1100, -1130.
    public func integer(_ number: NumberParameter) throws(APIError) -> Int64? {
        guard let text = self[number.name] else { return nil }
        guard let value = wholeNumber(text) else {
            throw .illegal(number.name, range: "^[0-9]{1,20}$")
        }
        guard number.range.contains(value) else { throw .invalid(number.name) }
        return value
    }

    /// An id of an order or a trade, or nil when it was not sent. Throws -1100, -1130.
    public func id(_ number: NumberParameter) throws(APIError) -> UInt64? {
        try integer(number).map { UInt64($0) }
    }

    /// A time in nanoseconds since 1970, or nil when it was not sent: at most
    /// `NumberParameter.latestTime`, so there is room to add to it. Throws -1100, -1130.
    public func time(_ number: NumberParameter) throws(APIError) -> Int64? {
        guard let value = try integer(number) else { return nil }
        let isMicroseconds = value > NumberParameter.millisecondsMax
        let factor: Int64 = isMicroseconds ? 1_000 : 1_000_000
        // 14 and 15 digits are neither milliseconds nor microseconds.
        guard !isMicroseconds || value >= NumberParameter.microsecondsMin else {
            throw .invalid(number.name)
        }
        return min(value, NumberParameter.latestTime / factor) * factor
    }

    /// A row count, limited to the maximum, as on Binance. Throws -1100, -1130.
    public func limit(default fallback: Int, most: Int) throws(APIError) -> Int {
        guard let value = try integer(.limit) else { return fallback }
        return Int(min(value, Int64(most)))
    }

    /// A decimal, or nil when it was not sent. Throws -1100.
    public func decimal(_ name: String) throws(APIError) -> DecimalText? {
        guard let text = self[name] else { return nil }
        guard let value = DecimalText(text) else {
            throw .illegal(name, range: DecimalText.legalRange)
        }
        return value
    }

    /// A flag, or `fallback` when it was not sent. Throws -1130.
    public func flag(_ name: String, default fallback: Bool) throws(APIError) -> Bool {
        switch self[name]?.lowercased() {
        case nil: return fallback
        case "true": return true
        case "false": return false
        default: throw .invalid(name)
        }
    }

    /// A client order id, or nil when it was not sent. Throws -1100.
    public func clOrdID(_ name: String) throws(APIError) -> Text40? {
        guard let text = self[name] else { return nil }
        let legal = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        guard legal, text.utf8.count <= Limits.clOrdIDBytesMax, let id = Text40(text) else {
            throw .illegal(name, range: "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
        }
        return id
    }

    /// A symbol, which must be there. Throws -1102, -1100.
    public func symbol() throws(APIError) -> Text16 { try Self.symbol(try required("symbol")) }

    /// The text of a symbol. Throws -1100, and -1121 when it is longer than any symbol here.
    static func symbol(_ text: String) throws(APIError) -> Text16 {
        let legal = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard legal else { throw .illegal("symbol", range: "^[A-Z0-9-_.]{1,20}$") }
        guard let symbol = Text16(text) else { throw .symbolInvalid }
        return symbol
    }

    /// `symbol` or the JSON list `symbols`; nil when neither was sent. Throws -1100, -1128,
    /// -1130, -1151.
    public func symbols() throws(APIError) -> [Text16]? {
        let list = self["symbols"]
        if let one = self["symbol"] {
            guard list == nil else { throw .combinationInvalid }
            return [try Self.symbol(one)]
        }
        guard let list else { return nil }
        guard case .array(let items) = JSONValue(parsing: Array(list.utf8)), !items.isEmpty else {
            throw .illegal(
                "symbols", range: "^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$"
            )
        }
        var symbols: [Text16] = []
        var seen: Set<Text16> = []
        for item in items {
            guard case .string(let text) = item else { throw .invalid("symbols") }
            let symbol = try Self.symbol(text)
            // Otherwise a short request could produce a reply of any length.
            guard seen.insert(symbol).inserted else { throw .symbolRepeated }
            symbols.append(symbol)
        }
        return symbols
    }
}
