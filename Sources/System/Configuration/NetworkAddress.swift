// Addresses of IP as text, read as the C library reads them.

import Glibc

/// Addresses of IP as text.
enum NetworkAddress {
    /// Whether it is an IPv4 or IPv6 address, and no name.
    static func isAddress(_ text: String) -> Bool { bits(text) != nil }

    /// The bits of an address: 32, 128, or nil where it is none. inet_pton(3).
    static func bits(_ text: String) -> Int? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 { return 32 }
        if unsafe inet_pton(AF_INET6, text, &bytes) == 1 { return 128 }
        return nil
    }
}

/// An address with the length of its network, as `10.0.0.9/24`.
public struct InterfaceAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address, without brackets.
    public let address: String
    /// The bits of its network's part: 1 … 32 or 1 … 128.
    public let length: Int

    /// Whether it is one of IPv6.
    public var isIPv6: Bool { address.utf8.contains(0x3A) }

    /// Reads `ADDRESS/LENGTH`; nil when it is none.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let bits = NetworkAddress.bits(String(parts[0])),
            parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let length = Int(parts[1]),
            1...bits ~= length
        else { return nil }
        (address, self.length) = (String(parts[0]), length)
    }

    /// As `init?` reads it.
    public var description: String { "\(address)/\(length)" }
}
