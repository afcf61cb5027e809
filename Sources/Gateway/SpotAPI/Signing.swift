// Signatures and timestamps of requests. Time is an argument.

/// The signature of a request, and what it signs.
public struct SignedPayload: Sendable {
    /// The signature as it was sent, percent escapes resolved.
    public let signature: String
    /// The texts that it may sign, the likeliest first: the request as sent, then its decoded form,
    /// which some clients sign before they encode.
    public let candidates: [[UInt8]]

    /// Takes the signature out of a request. Throws -1102 when there is none.
    ///
    /// The signed text is the raw query followed by the raw body, nothing between them, less the
    /// parameter `signature` and the `&` beside it.
    public init(query: String, body: String) throws(APIError) {
        var signature: String?
        let rawQuery = Self.strip(query, signature: &signature)
        let rawBody = Self.strip(body, signature: &signature)
        guard let signature, !signature.isEmpty else { throw .mandatory("signature") }
        self.signature = signature
        let raw = Array((rawQuery + rawBody).utf8)
        var candidates = [raw]
        if let a = percentDecoded(rawQuery), let b = percentDecoded(rawBody) {
            let decoded = Array((a + b).utf8)
            if decoded != raw { candidates.append(decoded) }
        }
        self.candidates = candidates
    }

    /// `form` without its signature, which goes to `signature` unless one is there already.
    private static func strip(_ form: String, signature: inout String?) -> String {
        var parts = form.split(separator: "&", omittingEmptySubsequences: false)
        guard let i = parts.firstIndex(where: { $0.hasPrefix("signature=") }) else { return form }
        let value = parts[i].dropFirst("signature=".count)
        if signature == nil { signature = percentDecoded(value) }
        parts.remove(at: i)
        return parts.joined(separator: "&")
    }
}

/// The validity of a signed request in time.
public enum RequestTime {
    /// Maximum recvWindow, milliseconds.
    public static var recvWindowMax: Int64 { 60_000 }
    /// recvWindow when none is sent, milliseconds.
    public static var recvWindowDefault: Int64 { 5_000 }

    /// Checks `timestamp` and `recvWindow` against `now` (milliseconds since 1970). Returns the end
    /// of the window, nanoseconds since 1970: after it the request must have no effect.
    ///
    /// Throws -1102, -1100 and -1130 for their form, -1131 for too long a window, -1021 for a
    /// timestamp a second ahead or older than the window. A timestamp of 16 digits is in
    /// microseconds.
    public static func deadline(_ parameters: Parameters, now: Int64) throws(APIError) -> Int64 {
        _ = try parameters.required("timestamp")
        guard let time = try parameters.time(.timestamp) else { throw .mandatory("timestamp") }
        let timestamp = milliseconds(time)
        let window = try recvWindow(parameters)
        guard timestamp < now + 1_000 else { throw .timestampAhead }
        guard now - timestamp <= window / 1_000 else { throw .timestampOutside }
        return time + window * 1_000
    }

    /// The window in microseconds.
    private static func recvWindow(_ parameters: Parameters) throws(APIError) -> Int64 {
        guard let window = try parameters.decimal("recvWindow") else {
            return recvWindowDefault * 1_000
        }
        guard window.scale <= 3 else { throw .precision("recvWindow") }
        guard case .whole(let micros) = window.steps(of: 1, scale: 3),
            micros <= Int128(recvWindowMax) * 1_000
        else { throw .recvWindowTooLong }
        return Int64(micros)
    }
}

/// Whether `text` can be an API key's identifier: 1 … 64 letters, digits, `-` and `_`.
public func isAPIKeyFormat(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        }
}

/// The bytes of a hexadecimal text, or nil.
public func hexBytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for i in stride(from: 0, to: digits.count, by: 2) {
        guard let high = hexDigit(digits[i]), let low = hexDigit(digits[i + 1]) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

/// The bytes of a base64 text (RFC 4648 section 4, padded), or nil.
public func base64Bytes(_ text: String) -> [UInt8]? {
    var symbols = Array(text.utf8)
    guard symbols.count.isMultiple(of: 4) else { return nil }
    while let last = symbols.last, last == UInt8(ascii: "=") { symbols.removeLast() }
    guard text.utf8.count - symbols.count <= 2 else { return nil }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for symbol in symbols {
        guard let value = base64Value(symbol) else { return nil }
        bits = (bits << 6 | value) & 0xFFFF
        held += 6
        if held >= 8 {
            held -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
        }
    }
    return bytes
}

private func base64Value(_ symbol: UInt8) -> UInt32? {
    switch symbol {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(symbol - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(symbol - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(symbol - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
}
