// Ranges of IP addresses, as 10.0.0.0/8.

internal import Glibc

/// An IP address: 4 bytes or 16. An IPv4 address in IPv6's form (RFC 4291, 2.5.5.2) is the IPv4
/// one.
public struct IPAddress: Hashable, Sendable {
    /// Its bytes in the order of the network.
    public let bytes: [UInt8]

    /// Reads an address without brackets, port or zone; nil for anything else. inet_pton(3).
    public init?(_ text: some StringProtocol) {
        var room = [UInt8](repeating: 0, count: 16)
        let text = String(text)
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        if unsafe inet_pton(AF_INET, text, &room) == 1 {
            bytes = Array(room[..<4])
        } else if unsafe inet_pton(AF_INET6, text, &room) == 1 {
            let isMapped = room[..<10].allSatisfy { $0 == 0 } && room[10] == 255 && room[11] == 255
            bytes = isMapped ? Array(room[12...]) : room
        } else {
            return nil
        }
    }

    /// What stands for whoever has the address: an IPv4 address, or the network of an IPv6 one, as
    /// one host has 2^64 of those (RFC 4291, 2.5.1).
    public var holder: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 8, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }
}

/// Addresses that begin with the same bits.
public struct AddressRange: Hashable, Sendable {
    private let first: [UInt8]
    private let length: Int

    /// Reads `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`; nil for anything else, also where bits behind
    /// the length are set.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        first = address.bytes
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].utf8.count <= 3,
                parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let bits = Int(parts[1]),
                bits <= 8 * first.count
            else { return nil }
            length = bits
        } else {
            length = 8 * first.count
        }
        for bit in length..<8 * first.count where first[bit / 8] & 0x80 >> UInt8(bit % 8) != 0 {
            return nil
        }
    }

    /// Whether it has every address of its kind.
    public var isAll: Bool { length == 0 }

    /// Whether it has the address.
    public func contains(_ address: IPAddress) -> Bool {
        guard address.bytes.count == first.count else { return false }
        return (0..<first.count).allSatisfy { place in
            let bits = min(8, max(0, length - 8 * place))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
            return address.bytes[place] & mask == first[place] & mask
        }
    }
}
