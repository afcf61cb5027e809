// JSON as programs write and read it: members in order, numbers exact.

/// A JSON value (RFC 8259). Numbers are kept as their text, so that no digit is lost.
public indirect enum JSONValue: Hashable, Sendable {
    /// Members in order; names are unique.
    case object([Member])
    /// Values in order.
    case array([JSONValue])
    /// A text.
    case string(String)
    /// A number's text, well formed.
    case numeral(String)
    /// True or false.
    case bool(Bool)
    /// Nothing.
    case null

    /// A name and its value.
    public struct Member: Hashable, Sendable {
        /// The name.
        public let name: String
        /// The value.
        public let value: JSONValue
        /// A name with its value.
        public init(_ name: String, _ value: JSONValue) { (self.name, self.value) = (name, value) }
    }

    /// A member of an object, or nil. O(members).
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// A whole number.
    public static func number(_ value: some BinaryInteger) -> JSONValue { .numeral(String(value)) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An object of these members.
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(members.map { Member($0.0, $0.1) })
    }
}

extension JSONValue {
    /// The value in one line.
    public var compact: String {
        var text = ""
        write(into: &text, indent: nil)
        return text
    }

    /// The value over several lines, two spaces a level.
    public var pretty: String {
        var text = ""
        write(into: &text, indent: 0)
        return text
    }

    private func write(into text: inout String, indent: Int?) {
        switch self {
        case .object(let members):
            let parts = members.map { member in
                { (text: inout String, inner: Int?) in
                    Self.quote(member.name, into: &text)
                    text += inner == nil ? ":" : ": "
                    member.value.write(into: &text, indent: inner)
                }
            }
            Self.list(parts, "{", "}", into: &text, indent: indent)
        case .array(let values):
            let parts = values.map { value in
                { (text: inout String, inner: Int?) in value.write(into: &text, indent: inner) }
            }
            Self.list(parts, "[", "]", into: &text, indent: indent)
        case .string(let value): Self.quote(value, into: &text)
        case .numeral(let value): text += value
        case .bool(let value): text += value ? "true" : "false"
        case .null: text += "null"
        }
    }

    private static func list(
        _ parts: [(inout String, Int?) -> Void], _ open: String, _ close: String,
        into text: inout String, indent: Int?
    ) {
        text += open
        let inner = indent.map { $0 + 1 }
        for (index, part) in parts.enumerated() {
            if index > 0 { text += "," }
            if let inner { text += "\n" + String(repeating: "  ", count: inner) }
            part(&text, inner)
        }
        if let indent, !parts.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }

    private static func quote(_ value: String, into text: inout String) {
        text += "\""
        defer { text += "\"" }
        guard value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x22 || $0 == 0x5C })
        else {
            text += value
            return
        }
        let hex = Array("0123456789abcdef")
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                text += "\\u00"
                text.append(hex[Int(scalar.value >> 4)])
                text.append(hex[Int(scalar.value & 15)])
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
