// Parsing JSON: small, strict and bounded.

internal import Terms

extension JSONValue {
    /// Maximum nesting.
    public static var depthMax: Int { 16 }
    /// Maximum values in one text, unless the caller says otherwise.
    public static var valuesMax: Int { 8_192 }

    /// Reads one value and nothing behind it; nil when the bytes are not JSON, nest too deeply,
    /// hold more than `valuesMax` values or name a member twice. O(bytes).
    public init?(parsing bytes: some Collection<UInt8>, valuesMax: Int = JSONValue.valuesMax) {
        var reader = JSONReader(bytes: Array(bytes), valuesMax: valuesMax)
        guard let value = reader.value(depth: 0) else { return nil }
        reader.skipSpace()
        guard reader.isAtEnd else { return nil }
        self = value
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    let valuesMax: Int
    var offset = 0
    var count = 0

    var isAtEnd: Bool { offset == bytes.count }

    var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            offset += 1
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    mutating func take(word: StaticString, as value: JSONValue) -> JSONValue? {
        for i in 0..<word.utf8CodeUnitCount {
            guard take(unsafe word.utf8Start[i]) else { return nil }
        }
        return value
    }

    mutating func value(depth: Int) -> JSONValue? {
        count += 1
        guard depth < JSONValue.depthMax, count <= valuesMax else { return nil }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""): return string().map(JSONValue.string)
        case UInt8(ascii: "t"): return take(word: "true", as: .bool(true))
        case UInt8(ascii: "f"): return take(word: "false", as: .bool(false))
        case UInt8(ascii: "n"): return take(word: "null", as: .null)
        default: return number()
        }
    }

    mutating func array(depth: Int) -> JSONValue? {
        offset += 1
        var items: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(items) }
        while true {
            guard let item = value(depth: depth + 1) else { return nil }
            items.append(item)
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(items) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    mutating func object(depth: Int) -> JSONValue? {
        offset += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard let name = string() else { return nil }
            skipSpace()
            guard take(UInt8(ascii: ":")), let item = value(depth: depth + 1),
                names.insert(name).inserted
            else { return nil }
            members.append(JSONValue.Member(name, item))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    mutating func number() -> JSONValue? {
        let start = offset
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
            if let byte = next, isDigit(byte) { return nil }
        } else {
            guard digits() else { return nil }
        }
        if take(UInt8(ascii: ".")), !digits() { return nil }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() else { return nil }
        }
        return .numeral(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    mutating func digits() -> Bool {
        let start = offset
        while let byte = next, isDigit(byte) { offset += 1 }
        return offset > start
    }

    mutating func string() -> String? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\\"): guard escape(into: &text) else { return nil }
            case 0..<0x20: return nil
            default: text.append(byte)
            }
        }
        return nil
    }

    mutating func escape(into text: inout [UInt8]) -> Bool {
        guard let byte = next else { return false }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): return unicode(into: &text)
        default: return false
        }
        return true
    }

    mutating func unicode(into text: inout [UInt8]) -> Bool {
        guard let first = hex4() else { return false }
        var code = UInt32(first)
        if 0xD800..<0xDC00 ~= code {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let second = hex4(),
                0xDC00..<0xE000 ~= second
            else { return false }
            code = 0x10000 + (code - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { return false }
        text.append(contentsOf: String(Character(scalar)).utf8)
        return true
    }

    mutating func hex4() -> UInt16? {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = hexDigit(byte) else { return nil }
            value = value << 4 | UInt16(digit)
            offset += 1
        }
        return value
    }
}
