// The parameters of a request: query and form body, decoded once, read by name.

import JSON
public import Terms

/// Parameters by name, each of them once.
public struct Parameters: Sendable {
    private var entries: [(name: String, value: String)] = []

    /// Maximum number of parameters of one request.
    public static var countMax: Int { 64 }

    /// No parameters.
    public init() {}

    /// Reads `query`, then the form `body`: both `name=value&…`, percent-encoded.
    ///
    /// Throws -1101 for a name twice, also once in each of them, or for too many; -1100 for an
    /// invalid escape, and for a `=` in a value, which only a text cut in another place can have.
    public init(query: String, body: String = "") throws(APIError) {
        try append(form: query)
        try append(form: body)
    }

    private mutating func append(form: String) throws(APIError) {
        // By bytes: a mark that combines with the character before it hides no separator.
        for bytes in form.utf8.split(separator: UInt8(ascii: "&")) {
            let part = Substring(bytes)
            guard entries.count < Self.countMax else { throw .tooManyParameters }
            let split = part.utf8.firstIndex(of: UInt8(ascii: "="))
            guard
                let name = PercentEncoding.decode(
                    part[..<(split ?? part.endIndex)], isForm: true)
            else {
                throw .illegal("query", range: "percent-encoded UTF-8")
            }
            let raw = split.map { Substring(part.utf8[part.utf8.index(after: $0)...]) } ?? ""
            // Base64 ends with it, and not every client escapes it.
            guard !raw.utf8.contains(UInt8(ascii: "=")) || name == Parameter.signature.name else {
                throw .illegal(name, range: "percent-encoded UTF-8")
            }
            guard let value = PercentEncoding.decode(raw, isForm: true) else {
                throw .illegal(name, range: "percent-encoded UTF-8")
            }
            if entries.contains(where: { $0.name == name }) { throw .duplicateParameter }
            entries.append((name, value))
        }
    }

    /// Checks what was sent against what an endpoint `needs` and `takes`. Every request may have
    /// what signs one. Throws -1102 for one that is missing, -1105 for one without a value, and
    /// -1104 where there are others: a request that was altered on its way has them.
    public func check(needs: [Parameter], takes: [Parameter]) throws(APIError) {
        func isKnown(_ name: String) -> Bool {
            needs.contains { $0.name == name } || takes.contains { $0.name == name }
                || Parameter.ofSigning.contains { $0.name == name }
        }
        for parameter in needs where !entries.contains(where: { $0.name == parameter.name }) {
            throw .mandatory(parameter.name)
        }
        let known = entries.count { isKnown($0.name) }
        guard known == entries.count else { throw .unread(entries.count, known: known) }
        if let empty = entries.first(where: \.value.isEmpty) { throw .empty(empty.name) }
    }

    /// How many there are.
    public var count: Int { entries.count }

    /// The names and decoded values in the order in which they came.
    public var all: [(name: String, value: String)] { entries }

    /// A parameter's value, or nil when it was not sent or is empty.
    public subscript(parameter: Parameter) -> String? {
        guard let value = entries.first(where: { $0.name == parameter.name })?.value,
            !value.isEmpty
        else { return nil }
        return value
    }

    /// A parameter's value, which must be there. Throws -1102.
    public func required(_ parameter: Parameter) throws(APIError) -> String {
        guard let value = self[parameter] else { throw .mandatory(parameter.name) }
        return value
    }

    /// A whole number within its range, or nil when it was not sent. Throws -1100, -1130.
    public func integer(_ number: Parameter) throws(APIError) -> Int64? {
        guard let text = self[number] else { return nil }
        guard let value = wholeNumber(text) else {
            throw .illegal(number.name, range: "^[0-9]{1,20}$")
        }
        guard number.range.contains(value) else { throw .invalid(number.name) }
        return value
    }

    /// An id of an order or a trade, or nil when it was not sent. Throws -1100, -1130.
    public func id(_ number: Parameter) throws(APIError) -> UInt64? {
        try integer(number).map { UInt64($0) }
    }

    /// A time in nanoseconds since 1970, or nil when it was not sent: at most
    /// `Parameter.latestTime`, so there is room to add to it. Throws -1100, -1130.
    public func time(_ number: Parameter) throws(APIError) -> Int64? {
        guard let value = try integer(number) else { return nil }
        let isMicroseconds = value > Parameter.millisecondsMax
        let factor: Int64 = isMicroseconds ? 1_000 : 1_000_000
        // 14 and 15 digits are neither milliseconds nor microseconds.
        guard !isMicroseconds || value >= Parameter.microsecondsMin else {
            throw .invalid(number.name)
        }
        return min(value, Parameter.latestTime / factor) * factor
    }

    /// A row count, limited to the maximum, as on Binance. Throws -1100, -1130.
    public func limit(default fallback: Int, most: Int) throws(APIError) -> Int {
        guard let value = try integer(.limit) else { return fallback }
        return Int(min(value, Int64(most)))
    }

    /// A decimal, or nil when it was not sent. Throws -1100.
    public func decimal(_ parameter: Parameter) throws(APIError) -> DecimalText? {
        guard let text = self[parameter] else { return nil }
        guard let value = DecimalText(text) else {
            throw .illegal(parameter.name, range: DecimalText.legalRange)
        }
        return value
    }

    /// A flag, or false when it was not sent. Throws -1130.
    public func flag(_ parameter: Parameter) throws(APIError) -> Bool {
        switch self[parameter]?.lowercased() {
        case nil: return false
        case "true": return true
        case "false": return false
        default: throw .invalid(parameter.name)
        }
    }

    /// A client order id, or nil when it was not sent. Throws -1100.
    public func clOrdID(_ parameter: Parameter) throws(APIError) -> Text40? {
        guard let text = self[parameter] else { return nil }
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
            throw .illegal(parameter.name, range: "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
        }
        return id
    }

    /// A symbol, which must be there. Throws -1102, -1100.
    public func symbol() throws(APIError) -> Text16 { try Self.symbol(try required(.symbol)) }

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
        let list = self[.symbols]
        if let one = self[.symbol] {
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
