// Signatures and timestamps of requests. Time is an argument.

import Terms

/// The signature of a request, and what it signs.
public struct SignedPayload: Sendable {
    /// The signature as it was sent, percent escapes resolved.
    public let signature: String
    /// The texts that it may sign, the likeliest first: the request as sent, then its decoded form,
    /// which some clients sign before they encode. That one only where it reads the same: escapes
    /// could hide an `&` of the text that was signed, and with it a parameter.
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
        if let a = PercentEncoding.decode(rawQuery, isForm: true),
            let b = PercentEncoding.decode(rawBody, isForm: true)
        {
            let decoded = Array((a + b).utf8)
            if decoded != raw, Self.reads(rawQuery, rawBody, as: (a, b)) {
                candidates.append(decoded)
            }
        }
        self.candidates = candidates
    }

    /// Whether a request and its decoded form have the same parameters.
    private static func reads(
        _ query: String, _ body: String, as decoded: (query: String, body: String)
    ) -> Bool {
        guard let sent = try? Parameters(query: query, body: body),
            let read = try? Parameters(query: decoded.query, body: decoded.body)
        else { return false }
        return sent.all.elementsEqual(read.all, by: ==)
    }

    /// `form` without its signature, which goes to `signature` unless one is there already.
    private static func strip(_ form: String, signature: inout String?) -> String {
        var parts = form.split(separator: "&", omittingEmptySubsequences: false)
        guard let i = parts.firstIndex(where: { $0.hasPrefix("signature=") }) else { return form }
        let value = parts[i].dropFirst("signature=".count)
        if signature == nil { signature = PercentEncoding.decode(value, isForm: true) }
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
        _ = try parameters.required(.timestamp)
        guard let time = try parameters.time(.timestamp) else { throw .mandatory("timestamp") }
        let timestamp = milliseconds(time)
        let window = try recvWindow(parameters)
        guard timestamp < now + 1_000 else { throw .timestampAhead }
        guard now - timestamp <= window / 1_000 else { throw .timestampOutside }
        return time + window * 1_000
    }

    /// The window in microseconds.
    private static func recvWindow(_ parameters: Parameters) throws(APIError) -> Int64 {
        guard let window = try parameters.decimal(.recvWindow) else {
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
