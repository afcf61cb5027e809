// YAML going out: what reads JSON and wants fewer braces.

package import JSON

extension JSONValue {
    /// The value as a YAML 1.2 document in block style, a newline at its end. Texts that could be
    /// read as anything else are quoted as in JSON, of which YAML is a superset.
    package var yaml: String {
        var text = ""
        writeYAML(into: &text, indent: 0, isInline: false)
        return text
    }

    private func writeYAML(into text: inout String, indent: Int, isInline: Bool) {
        let blank = String(repeating: "  ", count: indent)
        var isFirst = isInline
        func begin(_ mark: String) {
            text += (isFirst ? "" : blank) + mark
            isFirst = false
        }
        switch self {
        case .object(let members) where !members.isEmpty:
            for member in members {
                begin(JSONValue.string(member.name).scalar + ":")
                if member.value.isBlock {
                    text += "\n"
                    member.value.writeYAML(into: &text, indent: indent + 1, isInline: false)
                } else {
                    text += " \(member.value.scalar)\n"
                }
            }
        case .array(let values) where !values.isEmpty:
            for value in values {
                begin("- ")
                if value.isBlock {
                    value.writeYAML(into: &text, indent: indent + 1, isInline: true)
                } else {
                    text += value.scalar + "\n"
                }
            }
        default: text += "\(scalar)\n"
        }
    }

    /// Whether it stands on lines of its own.
    private var isBlock: Bool {
        switch self {
        case .object(let members): !members.isEmpty
        case .array(let values): !values.isEmpty
        default: false
        }
    }

    /// The value on one line.
    private var scalar: String {
        guard case .string(let text) = self else { return compact }
        return text.isPlainYAML ? text : Self.escaped(compact)
    }

    /// A quoted text with what JSON may hold as it is and YAML may not, or breaks a line at:
    /// YAML 1.2.2, sections 5.1 and 5.4.
    private static func escaped(_ quoted: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in quoted.unicodeScalars {
            switch scalar.value {
            case 0x7F...0x9F, 0x2028...0x2029, 0xFEFF, 0xFFFE...0xFFFF:
                let digits = String(scalar.value, radix: 16)
                let blank = String(repeating: "0", count: 4 - digits.count)
                text.append(contentsOf: "\\u\(blank)\(digits)".unicodeScalars)
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}

extension String {
    /// Whether YAML reads it as this text without quotes: words of letters, digits and few marks,
    /// that begin with a letter or a slash and are no other value's word.
    fileprivate var isPlainYAML: Bool {
        guard let first = utf8.first, first == 0x2F || Self.isLetter(first) else { return false }
        let words: Set = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        return !words.contains(lowercased()) && !hasSuffix(" ")
            && utf8.allSatisfy { byte in
                Self.isLetter(byte) || 0x30...0x39 ~= byte
                    || [0x20, 0x25, 0x28, 0x29, 0x2B, 0x2D, 0x2E, 0x2F, 0x5F].contains(byte)
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        0x41...0x5A ~= byte || 0x61...0x7A ~= byte
    }
}
