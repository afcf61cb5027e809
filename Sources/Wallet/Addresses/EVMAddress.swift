// Addresses of Ethereum and its kin, with the checksum of EIP-55 in their case.

internal import Terms

/// An account or contract of an EVM chain.
public struct EVMAddress: Hashable, Sendable, CustomStringConvertible {
    /// 20 bytes.
    public let bytes: [UInt8]

    /// The address of these bytes; nil unless they are 20.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 20 else { return nil }
        self.bytes = bytes
    }

    /// Reads `0x` and 40 digits; nil where their case is a wrong checksum. All in one case have
    /// none, and are taken.
    public init?(_ text: String) {
        guard text.hasPrefix("0x"), text.utf8.count == 42 else { return nil }
        let digits = Array(text.utf8.dropFirst(2))
        let values = digits.compactMap { hexDigit($0) }
        guard values.count == digits.count else { return nil }
        bytes = (0..<20).map { values[2 * $0] << 4 | values[2 * $0 + 1] }
        let hasUpper = digits.contains { 0x41...0x46 ~= $0 }
        let hasLower = digits.contains { 0x61...0x66 ~= $0 }
        if hasUpper, hasLower, description != text { return nil }
    }

    /// Reads the address that a payment goes to.
    public init(destination text: String) throws(AddressError) {
        guard let address = EVMAddress(text) else { throw .malformed }
        guard address.isPayable else { throw .nobody }
        self = address
    }

    /// Whether somebody may have its key: not of the zero address, and not of those up to `0xffff`,
    /// where chains have their built-in contracts.
    public var isPayable: Bool { bytes.dropLast(2).contains { $0 != 0 } }

    /// With the checksum of EIP-55.
    public var description: String {
        let digits = Array(bytes.map(\.hexText).joined().utf8)
        let hash = Keccak256.digest(digits)
        let cased = digits.enumerated().map { index, digit in
            let nibble = index % 2 == 0 ? hash[index / 2] >> 4 : hash[index / 2] & 15
            return digit >= 0x61 && nibble >= 8 ? digit - 0x20 : digit
        }
        return "0x" + String(decoding: cased, as: UTF8.self)
    }
}
