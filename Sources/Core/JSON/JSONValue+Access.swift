// Typed access to values: nil where a value is of another kind.

extension JSONValue {
    /// A string's text, or nil.
    public var text: String? { if case .string(let text) = self { text } else { nil } }
    /// A whole number of 64 bits, or nil.
    public var whole: Int64? { if case .numeral(let text) = self { Int64(text) } else { nil } }
    /// A whole number that is not negative, or nil.
    public var count: UInt64? { whole.flatMap(UInt64.init(exactly:)) }
    /// A truth value, or nil.
    public var flag: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The texts of an array of strings, or nil.
    public var texts: [String]? { rows(\.text) }

    /// The values of an array, each read by `read`; nil when it is no array, or when `read`
    /// returns nil for one of them.
    public func rows<Row>(_ read: (JSONValue) -> Row?) -> [Row]? {
        guard case .array(let items) = self else { return nil }
        var rows: [Row] = []
        rows.reserveCapacity(items.count)
        for item in items {
            guard let row = read(item) else { return nil }
            rows.append(row)
        }
        return rows
    }

    /// A string, or null.
    public static func orNull(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    /// A number, or null.
    public static func orNull(_ number: Int64?) -> JSONValue { number.map { .number($0) } ?? .null }
    /// An array of strings.
    public static func strings(_ texts: some Sequence<String>) -> JSONValue {
        .array(texts.map { .string($0) })
    }
}
