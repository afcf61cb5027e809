// Secrets that are worth nothing without a token.

public import Secrets
internal import Terms

/// A secret, sealed with a key that an RSA key on a token encrypts: text of five lines. Who has
/// the text has the PIN as well, so it is kept as a secret too; but a copy of it, as in a backup,
/// opens nothing without the token.
///
///     bourse-token-seal 1
///     key pkcs11:token=…;object=…?module-path=…
///     pin hexadecimal digits
///     encrypted hexadecimal digits: a key of 32 bytes (RSAES-OAEP)
///     sealed hexadecimal digits: the secret under that key (`SealKey`)
public struct TokenSealed {
    /// Maximum bytes of its text.
    public static let textBytesMax = 8_192
    private static let head = "bourse-token-seal 1"

    /// Whether bytes begin as such a text does.
    public static func isSealed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: head.utf8) }

    /// Seals a secret with the RSA key that `place` names, and shows by opening it again that the
    /// PIN and the private key are right. The caller overwrites the text.
    public static func text(
        of secret: SecretBytes, by place: String, pin: SecretBytes
    ) throws(TokenError) -> [UInt8] {
        let token = try TokenKey(place)
        try token.logIn(pin)
        guard try token.guardsKey() else { throw .weakKey }
        let key = SecretBytes.random(count: 32)
        let encrypted = try token.encrypted(key)
        let sealed = SealKey(key).seal(secret, context: context(place))
        guard try open(token, place, encrypted, sealed) != nil else { throw .otherPair }
        var digits = unsafe pin.withBytes { unsafe hexBytes(of: $0) }
        defer { cleanse(&digits) }
        var text = Array("\(head)\nkey \(place)\npin ".utf8)
        // No copy of the PIN stays behind when it grows.
        text.reserveCapacity(textBytesMax)
        text += digits
        text += "\nencrypted \(encrypted.hexText)\nsealed \(sealed.hexText)\n".utf8
        return text
    }

    /// The secret of a text; nil: it is none, or it was changed.
    public static func open(_ text: [UInt8]) throws(TokenError) -> SecretBytes? {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard text.count <= textBytesMax, lines.count == 6, lines[5].isEmpty,
            lines[0].elementsEqual(head.utf8),
            let place = value(lines[1], "key ").flatMap({ String(validating: $0, as: UTF8.self) }),
            let encrypted = value(lines[3], "encrypted ").flatMap(bytes(ofDigits:)),
            let sealed = value(lines[4], "sealed ").flatMap(bytes(ofDigits:)),
            var pin = value(lines[2], "pin ").flatMap(bytes(ofDigits:))
        else { return nil }
        defer { cleanse(&pin) }
        let token = try TokenKey(place)
        try token.logIn(SecretBytes(pin))
        return try open(token, place, encrypted, sealed)
    }

    private static func open(
        _ token: TokenKey, _ place: String, _ encrypted: [UInt8], _ sealed: [UInt8]
    ) throws(TokenError) -> SecretBytes? {
        let key = try token.decrypted(encrypted)
        return key.count == 32 ? SealKey(key).open(sealed, context: context(place)) : nil
    }

    private static func context(_ place: String) -> [UInt8] { Array(place.utf8) }

    private static func value(_ line: ArraySlice<UInt8>, _ word: String) -> ArraySlice<UInt8>? {
        line.starts(with: word.utf8) ? line.dropFirst(word.utf8.count) : nil
    }

    // Digits of secrets are bytes that can be overwritten, never strings.

    private static func hexBytes(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * bytes.count)
        for place in bytes.indices {
            let byte = unsafe bytes[place]
            for half in [byte >> 4, byte & 15] { digits.append(half + (half < 10 ? 48 : 87)) }
        }
        return digits
    }

    private static func bytes(ofDigits digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case 48...57: value = digit - 48
            case 97...102: value = digit - 87
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
