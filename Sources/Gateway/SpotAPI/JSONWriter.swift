// JSON output: bytes appended in order, with no state but the comma that may be due.

public import Terms

/// Writes JSON (RFC 8259) into a byte array. The caller opens and closes in pairs; commas are
/// added.
public struct JSONWriter: Sendable {
    /// The bytes written.
    public private(set) var bytes: [UInt8] = []
    private var commaIsDue = false
    private let timeUnit: TimeUnit

    /// An empty writer with room for `capacity` bytes, whose times are in this unit.
    public init(capacity: Int = 512, timeUnit: TimeUnit = .milliseconds) {
        self.timeUnit = timeUnit
        bytes.reserveCapacity(capacity)
    }

    /// The output as text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    private mutating func beginValue() {
        if commaIsDue { bytes.append(UInt8(ascii: ",")) }
        commaIsDue = true
    }

    /// `{`
    public mutating func beginObject() {
        beginValue()
        bytes.append(UInt8(ascii: "{"))
        commaIsDue = false
    }

    /// `}`
    public mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        commaIsDue = true
    }

    /// `[`
    public mutating func beginArray() {
        beginValue()
        bytes.append(UInt8(ascii: "["))
        commaIsDue = false
    }

    /// `]`
    public mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        commaIsDue = true
    }

    /// A member's name; its value follows.
    public mutating func key(_ name: StaticString) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        commaIsDue = false
    }

    /// A string, escaped where JSON requires it.
    public mutating func string(_ value: some StringProtocol) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        for byte in value.utf8 { appendEscaped(byte) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A short text as a string.
    public mutating func string(_ value: some FixedText) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        let count = value.count
        unsafe withUnsafeBytes(of: value) { raw in
            for i in 0..<count { appendEscaped(unsafe raw[i]) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case 0..<0x20:
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(Self.hex(byte >> 4))
            bytes.append(Self.hex(byte & 15))
        default: bytes.append(byte)
        }
    }

    private static func hex(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }

    /// A whole number.
    public mutating func integer(_ value: some BinaryInteger) {
        beginValue()
        appendDigits(Int128(value), scale: 0, places: 0)
    }

    /// A time in ns since 1970, rounded down to the writer's unit.
    public mutating func time(_ nanos: Int64) { integer(nanos / timeUnit.nanos) }

    /// The last time before one in ns since 1970, in the writer's unit.
    public mutating func time(before nanos: Int64) { integer(nanos / timeUnit.nanos - 1) }

    /// `true` or `false`.
    public mutating func bool(_ value: Bool) {
        beginValue()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// `null`
    public mutating func null() {
        beginValue()
        bytes.append(contentsOf: "null".utf8)
    }

    /// One value of finished JSON.
    public mutating func raw(_ value: some Collection<UInt8>) {
        beginValue()
        bytes.append(contentsOf: value)
    }

    /// `units × 10^-scale` as a string: at least `places` decimals, more only where they are not
    /// zero.
    ///
    /// Clients take decimals as strings, so that no digit is lost in a binary fraction.
    public mutating func decimal(_ units: Int128, scale: Int, places: Int = 8) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        appendDigits(units, scale: scale, places: places)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendDigits(_ units: Int128, scale: Int, places: Int) {
        if units < 0 { bytes.append(UInt8(ascii: "-")) }
        var digits: InlineArray<40, UInt8> = .init(repeating: UInt8(ascii: "0"))
        var count = 0
        var high = units.magnitude
        while high > UInt128(UInt64.max) {
            let (quotient, digit) = high.quotientAndRemainder(dividingBy: 10)
            digits[count] += UInt8(digit)
            count += 1
            high = quotient
        }
        var rest = UInt64(high)
        while rest > 0 {
            digits[count] += UInt8(rest % 10)
            count += 1
            rest /= 10
        }
        // The last printed digit of the fraction: trailing zeros beyond `places` are not printed.
        var lowest = 0
        while lowest < scale - places, lowest >= count || digits[lowest] == UInt8(ascii: "0") {
            lowest += 1
        }
        if count <= scale { bytes.append(UInt8(ascii: "0")) }
        var i = count
        while i > scale {
            i -= 1
            bytes.append(digits[i])
        }
        guard max(scale, places) > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        i = scale
        while i > lowest {
            i -= 1
            bytes.append(i < count ? digits[i] : UInt8(ascii: "0"))
        }
        if places > scale {
            for _ in scale..<places { bytes.append(UInt8(ascii: "0")) }
        }
    }
}

extension JSONWriter {
    /// A member that is a string.
    public mutating func field(_ name: StaticString, _ value: some StringProtocol) {
        key(name)
        string(value)
    }

    /// A member that is a short text.
    public mutating func field(_ name: StaticString, _ value: some FixedText) {
        key(name)
        string(value)
    }

    /// A member that is a whole number.
    public mutating func field(_ name: StaticString, _ value: some BinaryInteger) {
        key(name)
        integer(value)
    }

    /// A member that is a time in ns since 1970.
    public mutating func field(_ name: StaticString, time nanos: Int64) {
        key(name)
        time(nanos)
    }

    /// A member that is a flag.
    public mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// A member that is a list of strings.
    public mutating func field(_ name: StaticString, list: [String]) {
        key(name)
        beginArray()
        for item in list { string(item) }
        endArray()
    }
}
