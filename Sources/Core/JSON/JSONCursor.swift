// Reading JSON without keeping it: for texts of megabytes of which a little is wanted.

internal import Terms

/// A place in a JSON text. Strict and bounded as `JSONValue(parsing:)`, but that names of members
/// that are passed over may come twice. Each call reads one value and moves behind it; false or nil
/// where there is no such value, and then the text is of no use. O(bytes) over all calls, and
/// nothing is allocated but for what is returned.
public struct JSONCursor: Sendable {
    private let bytes: [UInt8]
    private let valuesMax: Int
    private var offset = 0
    private var depth = 0
    private var count = 0

    /// A place before the value of a text, which has at most `valuesMax` values.
    public init(_ bytes: [UInt8], valuesMax: Int = JSONValue.valuesMax) {
        (self.bytes, self.valuesMax) = (bytes, valuesMax)
    }

    /// Whether nothing but space follows.
    public var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return offset == bytes.count
        }
    }

    /// The name of a member, as it stands in the text.
    public struct Name: Sendable {
        fileprivate let range: Range<Int>
    }

    /// Whether a name is this one. Names with escapes are no other's.
    public func isNamed(_ name: Name, _ text: StaticString) -> Bool {
        let range = name.range
        guard range.count == text.utf8CodeUnitCount else { return false }
        for place in 0..<range.count {
            let wanted = unsafe text.utf8Start[place]
            if bytes[range.lowerBound + place] != wanted { return false }
        }
        return true
    }

    /// Reads an object; `each` reads the value of each member.
    public mutating func object(_ each: (inout JSONCursor, Name) -> Bool) -> Bool {
        guard begin(UInt8(ascii: "{")) else { return false }
        if take(UInt8(ascii: "}")) { return end() }
        while true {
            skipSpace()
            guard let name = stringRange() else { return false }
            skipSpace()
            guard take(UInt8(ascii: ":")), each(&self, Name(range: name)) else { return false }
            skipSpace()
            if take(UInt8(ascii: "}")) { return end() }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    /// Reads an array; `each` reads each of its values.
    public mutating func array(_ each: (inout JSONCursor) -> Bool) -> Bool {
        guard begin(UInt8(ascii: "[")) else { return false }
        if take(UInt8(ascii: "]")) { return end() }
        while true {
            guard each(&self) else { return false }
            skipSpace()
            if take(UInt8(ascii: "]")) { return end() }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    /// Passes over a value of any kind.
    public mutating func skip() -> Bool {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return object { cursor, _ in cursor.skip() }
        case UInt8(ascii: "["): return array { $0.skip() }
        case UInt8(ascii: "\""): return counted() && stringRange() != nil
        case UInt8(ascii: "t"): return counted() && take(word: "true")
        case UInt8(ascii: "f"): return counted() && take(word: "false")
        case UInt8(ascii: "n"): return counted() && take(word: "null")
        default: return numeral() != nil
        }
    }

    /// Whether the value is null, which is then read; any other stays.
    public mutating func isNull() -> Bool {
        skipSpace()
        guard next == UInt8(ascii: "n") else { return false }
        return counted() && take(word: "null")
    }

    /// Reads a truth value.
    public mutating func flag() -> Bool? {
        skipSpace()
        guard counted() else { return nil }
        if next == UInt8(ascii: "t") { return take(word: "true") ? true : nil }
        return take(word: "false") ? false : nil
    }

    /// Reads a string without escapes; its bytes.
    public mutating func plainText() -> ArraySlice<UInt8>? {
        skipSpace()
        guard counted(), next == UInt8(ascii: "\""), let range = stringRange() else { return nil }
        let text = bytes[range]
        return text.contains(UInt8(ascii: "\\")) ? nil : text
    }

    /// Reads a number; its text.
    public mutating func numeral() -> ArraySlice<UInt8>? {
        skipSpace()
        guard counted() else { return nil }
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
        return bytes[start..<offset]
    }

    /// Reads a whole number that is not negative.
    public mutating func whole() -> UInt64? {
        guard let text = numeral(), text.count <= 20 else { return nil }
        var value: UInt64 = 0
        for byte in text {
            guard isDigit(byte) else { return nil }
            let (tenfold, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isFar) = tenfold.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if isOver || isFar { return nil }
            value = sum
        }
        return value
    }

    /// Reads a string of 64 hexadecimal digits; its first and its last 16 bytes as the log has
    /// them, the lowest byte first.
    public mutating func digest() -> (high: UInt128, low: UInt128)? {
        guard let text = plainText(), text.count == 64 else { return nil }
        var (high, low): (UInt128, UInt128) = (0, 0)
        for byte in text.prefix(32) {
            guard let digit = hexDigit(byte) else { return nil }
            high = high << 4 | UInt128(digit)
        }
        for byte in text.suffix(32) {
            guard let digit = hexDigit(byte) else { return nil }
            low = low << 4 | UInt128(digit)
        }
        return (high.byteSwapped, low.byteSwapped)
    }

    /// Reads a string of an even number of hexadecimal digits; the bytes that they stand for.
    public mutating func hexText() -> [UInt8]? {
        skipSpace()
        guard counted(), next == UInt8(ascii: "\""), let range = stringRange(),
            range.count.isMultiple(of: 2)
        else { return nil }
        var wrong: UInt8 = 0
        let found = unsafe [UInt8](unsafeUninitializedCapacity: range.count / 2) { out, count in
            for place in 0..<range.count / 2 {
                let high = Self.digit(bytes[range.lowerBound + 2 * place])
                let low = Self.digit(bytes[range.lowerBound + 2 * place + 1])
                wrong |= high | low
                unsafe out[place] = high << 4 | low & 0x0F
            }
            count = range.count / 2
        }
        return wrong & 0xF0 == 0 ? found : nil
    }

    /// The value of a hexadecimal digit; 0xF0 of any other byte.
    @inline(__always) private static func digit(_ byte: UInt8) -> UInt8 {
        let number = byte &- 0x30
        let letter = (byte | 0x20) &- 0x61
        return number < 10 ? number : letter < 6 ? letter + 10 : 0xF0
    }

    // MARK: Bytes

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            offset += 1
        }
    }

    private mutating func counted() -> Bool {
        count += 1
        return count <= valuesMax
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        for place in 0..<word.utf8CodeUnitCount {
            guard take(unsafe word.utf8Start[place]) else { return false }
        }
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        skipSpace()
        guard counted(), depth < JSONValue.depthMax, take(byte) else { return false }
        depth += 1
        skipSpace()
        return true
    }

    private mutating func end() -> Bool {
        depth -= 1
        return true
    }

    private mutating func digits() -> Bool {
        let start = offset
        while let byte = next, isDigit(byte) { offset += 1 }
        return offset > start
    }

    /// Reads a string; where its text stands.
    private mutating func stringRange() -> Range<Int>? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = offset
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if byte == UInt8(ascii: "\"") { return start..<offset - 1 }
            if byte < 0x20 { return nil }
            if byte == UInt8(ascii: "\\"), !escape() { return nil }
        }
        return nil
    }

    private mutating func escape() -> Bool {
        guard let byte = next else { return false }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        case UInt8(ascii: "u"):
            for _ in 0..<4 {
                guard let digit = next, hexDigit(digit) != nil else { return false }
                offset += 1
            }
            return true
        default: return false
        }
    }
}
