// JSON as programs read it: the keys in the order in which they are given, numbers exact.

/// A JSON value (RFC 8259) to be written.
package indirect enum JSONValue: Hashable, Sendable {
    /// Members in the order in which they are written.
    case object([Member])
    /// Values in order.
    case array([JSONValue])
    /// A text.
    case string(String)
    /// A whole number.
    case integer(Int128)
    /// True or false.
    case bool(Bool)
    /// Nothing.
    case null

    /// A name and its value.
    package struct Member: Hashable, Sendable {
        /// The name.
        package let name: String
        /// The value.
        package let value: JSONValue
        /// A name with its value.
        package init(_ name: String, _ value: JSONValue) { (self.name, self.value) = (name, value) }
    }

    /// A whole number.
    package static func number(_ value: some BinaryInteger) -> JSONValue { .integer(Int128(value)) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(members.map { Member($0.0, $0.1) })
    }
}

extension JSONValue {
    /// The value in one line.
    package var compact: String {
        var text = ""
        write(into: &text, indent: nil)
        return text
    }

    /// The value over several lines, two spaces a level.
    package var pretty: String {
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
        case .integer(let value): text += String(value)
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
        let hex = Array("0123456789abcdef")
        text += "\""
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
        text += "\""
    }
}
