// New API keys.

internal import CCrypto
internal import Platform

/// A new API key: both parts 64 letters and digits, as Binance's are.
public struct APIKeyMaterial: Sendable {
    /// The public identifier.
    public let keyID: String
    /// The HMAC secret, shown to its owner once.
    public let secret: SecretBytes

    /// A random key: 64 characters of 62, so 381 bits each.
    public static func random() -> APIKeyMaterial {
        var keyID = alphanumeric(64)
        var secret = alphanumeric(64)
        defer {
            cleanse(&keyID)
            cleanse(&secret)
        }
        return APIKeyMaterial(
            keyID: String(decoding: keyID, as: UTF8.self), secret: SecretBytes(secret))
    }

    private static func alphanumeric(_ count: Int) -> [UInt8] {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(count)
        while text.count < count {
            // Bytes from 248 on would favour the first letters: 248 is the last multiple of 62.
            for byte in SystemRandom.bytes(96) where byte < 248 && text.count < count {
                text.append(letters[Int(byte) % 62])
            }
        }
        return text
    }
}
