// HTTP as far as the agent's socket needs it.

/// A reply of HTTP/1.1 (RFC 9112), read whole.
struct HTTPReply: Hashable, Sendable {
    var status: Int
    var body: ArraySlice<UInt8>

    /// Maximum size of a line of its head.
    static let lineBytesMax = 4_096

    /// Reads a reply up to the end of the connection; nil when it is not complete.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let first = Self.line(&rest), first.starts(with: Array("HTTP/1.".utf8)),
            let status = Int(String(decoding: first.dropFirst(9).prefix(3), as: UTF8.self))
        else { return nil }
        self.status = status
        var length: Int?
        var isChunked = false
        while true {
            guard let header = Self.line(&rest) else { return nil }
            if header.isEmpty { break }
            let parts = String(decoding: header, as: UTF8.self).lowercased()
                .split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let value = parts[1].drop { $0 == " " }
            if parts[0] == "content-length" {
                guard let number = Int(value), number >= 0 else { return nil }
                length = number
            }
            if parts[0] == "transfer-encoding" { isChunked = value == "chunked" }
        }
        if isChunked {
            guard let body = Self.chunks(&rest) else { return nil }
            self.body = body[...]
        } else {
            guard length ?? 0 <= rest.count else { return nil }
            body = rest.prefix(length ?? rest.count)
        }
    }

    /// The bytes up to the end of a line; nil when there is none.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let reach = rest.prefix(lineBytesMax)
        guard let end = reach.indices.first(where: { reach[$0...].starts(with: [13, 10]) })
        else { return nil }
        defer { rest = rest[(end + 2)...] }
        return rest[..<end]
    }

    /// The chunks joined; nil when the last one is missing.
    private static func chunks(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        var body: [UInt8] = []
        while true {
            guard let head = line(&rest),
                let digits = head.split(separator: UInt8(ascii: ";")).first,
                let count = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                count >= 0, count <= rest.count - 2
            else { return nil }
            if count == 0 { return body }
            body += rest.prefix(count)
            rest = rest.dropFirst(count + 2)
        }
    }
}

/// Percent-encoding of a part of a path (RFC 3986, section 2.1).
public enum PercentEncoding {
    /// Encodes all but unreserved characters.
    public static func encode(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { text, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
    }

    /// Decodes `%XX`; nil when a code is incomplete, or the result is not UTF-8.
    public static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
