// Addresses of servers that are asked by HTTP.

/// A server's address.
public struct HTTPEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is TLS.
    public let isSecure: Bool
    /// Name or address.
    public let host: String
    /// Port, from 1.
    public let port: Int

    /// The endpoint of `https://HOST:PORT` or `http://HOST:PORT`, IPv6 addresses in brackets; nil
    /// for any other text.
    public init?(_ url: String) {
        isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else { return nil }
        let address = url.dropFirst(isSecure ? 8 : 7)
        guard let colon = address.lastIndex(of: ":"),
            let port = UInt16(address[address.index(after: colon)...]), port > 0
        else { return nil }
        var host = address[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        let isHost = host.utf8.allSatisfy { byte in
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":")].contains(byte)
        }
        guard !host.isEmpty, host.utf8.count <= 253, isHost else { return nil }
        (self.host, self.port) = (String(host), Int(port))
    }

    /// The URL.
    public var description: String { "\(isSecure ? "https" : "http")://\(authority)" }

    /// Host and port, as an HTTP request names them.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
