// Reads the subset of TOML 1.0 (https://toml.io/en/v1.0.0) that configuration files need: tables,
// bare and dotted keys, strings on one line, integers, booleans, comments. Everything else is
// refused by name, so every accepted file means the same to any TOML reader.
//
// TOMLKit would bring Foundation with its ICU tables into the matching daemon (55 MB of address
// space, 10 MB resident), does not report the line of a value, and stops at the first error.

/// A value in a configuration file.
public enum TOMLValue: Hashable, Sendable {
    /// A string.
    case string(String)
    /// An integer.
    case integer(Int64)
    /// `true` or `false`.
    case boolean(Bool)

    /// It as text, a string without quotes.
    public var text: String {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .boolean(let isOn): String(isOn)
        }
    }

    /// Its kind, for messages.
    var kindName: String {
        switch self {
        case .string: "a string"
        case .integer: "a number"
        case .boolean: "true or false"
        }
    }
}

/// The entries of a configuration file, in order, and its syntax errors.
struct TOMLDocument {
    /// One `key = value`.
    struct Entry: Hashable, Sendable {
        /// The line, from 1.
        var line: Int
        /// The key with its tables, joined by dots.
        var key: String
        /// The value.
        var value: TOMLValue
    }

    /// Well-formed entries, in the order of the file.
    private(set) var entries: [Entry] = []
    /// The errors, in the order of the file.
    var problems: [SettingsError.Problem] = []

    private var table = ""
    private var tables: Set<String> = []
    private var keys: Set<String> = []

    /// Reads a whole file.
    init(parsing bytes: [UInt8]) {
        var bytes = bytes[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        var line = 0
        for var piece in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            line += 1
            if piece.last == 0x0D { piece.removeLast() }
            guard let text = String(validating: piece, as: UTF8.self) else {
                refuse(line, "not UTF-8 text")
                continue
            }
            read(Line(text: Array(text.unicodeScalars)), number: line)
        }
    }

    private mutating func refuse(_ line: Int, _ text: String, key: String = "") {
        problems.append(SettingsError.Problem(line: line, key: key, text: text))
    }

    private mutating func read(_ line: Line, number: Int) {
        var line = line
        line.skipBlanks()
        do throws(LineError) {
            if line.isAtEnd {
                try line.end()
            } else if line.take("[") {
                try readTable(&line, number: number)
            } else {
                try readEntry(&line, number: number)
            }
        } catch { refuse(number, error.text, key: error.key) }
    }

    private mutating func readTable(_ line: inout Line, number: Int) throws(LineError) {
        if line.take("[") { throw LineError("arrays of tables are not used here") }
        line.skipBlanks()
        let name = try line.key()
        line.skipBlanks()
        guard line.take("]") else { throw LineError("expected ] after the table's name") }
        try line.end()
        table = name
        guard tables.insert(name).inserted else {
            throw LineError("table [\(name)] appears twice: put its keys together")
        }
    }

    private mutating func readEntry(_ line: inout Line, number: Int) throws(LineError) {
        let name = try line.key()
        let key = table.isEmpty ? name : "\(table).\(name)"
        line.skipBlanks()
        guard line.take("=") else { throw LineError("expected = after the key", key: key) }
        line.skipBlanks()
        let value: TOMLValue
        do throws(LineError) {
            value = try line.value()
            try line.end()
        } catch {
            throw LineError(error.text, key: key)
        }
        guard keys.insert(key).inserted else {
            throw LineError("the key appears twice", key: key)
        }
        entries.append(Entry(line: number, key: key, value: value))
    }
}

/// The error of a line.
private struct LineError: Error {
    var text: String
    var key: String
    init(_ text: String, key: String = "") { (self.text, self.key) = (text, key) }
}

/// A cursor over one line.
private struct Line {
    let text: [Unicode.Scalar]
    var offset = 0

    init(text: [Unicode.Scalar]) { self.text = text }

    var next: Unicode.Scalar? { offset < text.count ? text[offset] : nil }

    /// Whether only a comment is left.
    var isAtEnd: Bool { next == nil || next == "#" }

    mutating func skipBlanks() { while next == " " || next == "\t" { offset += 1 } }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        offset += 1
        return true
    }

    /// Checks the end of a line, with its comment.
    mutating func end() throws(LineError) {
        skipBlanks()
        guard isAtEnd else { throw LineError("expected the end of the line after it") }
        for scalar in text[offset...] where scalar.value < 0x20 && scalar != "\t" {
            throw LineError("control character in a comment")
        }
    }

    /// A bare key, or several joined by dots.
    mutating func key() throws(LineError) -> String {
        var name = ""
        while true {
            let start = offset
            while let scalar = next, Self.isBare(scalar) { offset += 1 }
            guard offset > start else {
                throw LineError(
                    next == "\"" || next == "'"
                        ? "quoted keys are not used here: write it without quotes"
                        : "expected a key (letters, digits, _ and -), a [table] or a # comment")
            }
            name.unicodeScalars.append(contentsOf: text[start..<offset])
            skipBlanks()
            guard take(".") else { return name }
            skipBlanks()
            name += "."
        }
    }

    mutating func value() throws(LineError) -> TOMLValue {
        switch next {
        case "\"": return .string(try string(in: "\""))
        case "'": return .string(try string(in: "'"))
        case "[", "{": throw LineError("arrays and inline tables are not used here")
        case nil, "#": throw LineError("expected a value after =")
        default: return try word()
        }
    }

    /// A number or a boolean.
    private mutating func word() throws(LineError) -> TOMLValue {
        let start = offset
        while let scalar = next, Self.isBare(scalar) || "+.:".unicodeScalars.contains(scalar) {
            offset += 1
        }
        let word = String(String.UnicodeScalarView(text[start..<offset]))
        if word == "true" { return .boolean(true) }
        if word == "false" { return .boolean(false) }
        if let number = Self.integer(word) { return .integer(number) }
        throw LineError("expected a whole number, true, false or a string in quotes")
    }

    /// A TOML integer: sign, underscores between digits, 0x, 0o and 0b; nil if it is not one.
    private static func integer(_ word: String) -> Int64? {
        var digits = Substring(word)
        var radix = 10
        if let prefix = ["0x": 16, "0o": 8, "0b": 2][String(digits.prefix(2))] {
            radix = prefix
            digits = digits.dropFirst(2)
            if digits.first == "+" || digits.first == "-" { return nil }
        } else {
            let magnitude = digits.drop { $0 == "+" || $0 == "-" }
            guard digits.count - magnitude.count <= 1 else { return nil }
            if magnitude.count > 1, magnitude.first == "0" { return nil }
        }
        let last = digits.last
        guard let last, last != "_", !digits.contains("__"), digits.first != "_",
            !digits.hasPrefix("+_"), !digits.hasPrefix("-_")
        else { return nil }
        return Int64(digits.filter { $0 != "_" }, radix: radix)
    }

    /// A string in `quote`; only one in double quotes has escapes.
    private mutating func string(in quote: Unicode.Scalar) throws(LineError) -> String {
        offset += 1
        if next == quote, offset + 1 < text.count, text[offset + 1] == quote {
            throw LineError("strings over several lines are not used here")
        }
        var value = String.UnicodeScalarView()
        while let scalar = next {
            offset += 1
            if scalar == quote { return String(value) }
            try Self.checkPlain(scalar)
            value.append(scalar == "\\" && quote == "\"" ? try escape() : scalar)
        }
        throw LineError("the string has no closing \(quote)")
    }

    private mutating func escape() throws(LineError) -> Unicode.Scalar {
        let letter = next
        offset += 1
        switch letter {
        case "b": return "\u{8}"
        case "t": return "\t"
        case "n": return "\n"
        case "f": return "\u{c}"
        case "r": return "\r"
        case "\"": return "\""
        case "\\": return "\\"
        case "u": return try codePoint(digits: 4)
        case "U": return try codePoint(digits: 8)
        default: throw LineError("unknown escape in the string: write \\\\ for a backslash")
        }
    }

    private mutating func codePoint(digits: Int) throws(LineError) -> Unicode.Scalar {
        let part = text[min(offset, text.count)..<min(offset + digits, text.count)]
        let hex = String(String.UnicodeScalarView(part))
        offset += digits
        guard part.count == digits, hex.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
            let value = UInt32(hex, radix: 16), let scalar = Unicode.Scalar(value)
        else { throw LineError("expected \(digits) hexadecimal digits of a character") }
        return scalar
    }

    private static func checkPlain(_ scalar: Unicode.Scalar) throws(LineError) {
        if scalar.value < 0x20 && scalar != "\t" || scalar.value == 0x7F {
            throw LineError("control character in the string")
        }
    }

    private static func isBare(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }
}
