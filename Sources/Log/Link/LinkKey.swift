// How a connection over TCP proves that it may come in.

public import Secrets

/// The key that both ends of a Link over TCP have.
///
/// The server sends 32 random bytes; the client answers with their HMAC-SHA256 under the key (RFC
/// 2104). That says who connects; it hides nothing, so the network between is a private one.
public struct LinkKey: Sendable {
    let bytes: SecretBytes

    /// Fewest bytes of a key.
    public static var bytesMin: Int { 16 }

    /// A key of these bytes; nil when there are too few to be one.
    public init?(_ bytes: SecretBytes) {
        guard bytes.count >= Self.bytesMin else { return nil }
        self.bytes = bytes
    }
}

extension LinkKey {
    /// The answer to a challenge.
    func proof(of challenge: [UInt8]) -> [UInt8] { HMACSHA256.code(key: bytes, challenge) }

    /// Whether `proof` answers `challenge`; takes as long whatever it is.
    public func accepts(_ proof: [UInt8], of challenge: [UInt8]) -> Bool {
        HMACSHA256.isValid(proof, key: bytes, challenge)
    }
}
