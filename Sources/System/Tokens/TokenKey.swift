// Keys that never leave a token.

internal import CToken
public import Secrets

/// A key pair on a PKCS#11 token, named by a URI (RFC 7512) as
/// `pkcs11:token=olga;object=olga?module-path=/usr/lib/softhsm/libsofthsm2.so`: module, token (or
/// serial), and object or id. For one thread; the session ends with it.
@safe public final class TokenKey {
    /// What begins the name of a key on a token.
    public static let scheme = "pkcs11:"
    /// Maximum bytes of a URI.
    public static let placeBytesMax = 1_000
    /// Maximum bytes of a PIN.
    public static let pinBytesMax = 255
    private static let edwards = "Ed25519 key"
    private static let rsa = "RSA key"
    /// Of an RSA key of 8,192 bits.
    private static let cipherBytesMax = 1_024

    private let token: OpaquePointer
    /// Whether its user is logged in.
    public private(set) var isLoggedIn = false
    /// The label of the object that the URI names; nil where it names an id alone.
    public let label: String?

    /// Opens a session with the token.
    public init(_ place: String) throws(TokenError) {
        // A PIN in a URI would be in arguments and files. Others are not compared with the token.
        let refused = ["pin-value=", "pin-source=", "slot-", "library-"]
        guard place.utf8.count <= Self.placeBytesMax, place.hasPrefix(Self.scheme),
            place.utf8.allSatisfy({ 0x21...0x7E ~= $0 }),
            !refused.contains(where: { name in
                [":", ";", "?", "&"].contains { place.contains($0 + name) }
            })
        else { throw .badPlace }
        var token: OpaquePointer?
        var code: UInt = 0
        let result = unsafe bourse_token_open(place, &token, &code)
        try Self.check(result, code, "key")
        guard let token = unsafe token else { throw .failed(code) }
        unsafe self.token = token
        label = unsafe bourse_token_label(token).flatMap { unsafe String(validatingCString: $0) }
    }

    deinit { unsafe bourse_token_close(token) }

    /// Logs in as its user. One wrong PIN is one of the few that the token allows.
    public func logIn(_ pin: SecretBytes) throws(TokenError) {
        let isPIN = unsafe pin.withBytes { bytes in
            unsafe 1...Self.pinBytesMax ~= bytes.count && bytes.allSatisfy { $0 >= 0x20 }
        }
        guard isPIN else { throw .noPIN }
        var code: UInt = 0
        let result = unsafe pin.withBytes {
            unsafe bourse_token_login(token, $0.baseAddress, $0.count, &code)
        }
        try Self.check(result, code, "key")
        isLoggedIn = true
    }

    /// Its Ed25519 public key (RFC 8032), 32 bytes. No log-in is needed.
    public func publicKey() throws(TokenError) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: 32)
        var code: UInt = 0
        let result = unsafe bourse_token_public_key(token, &key, &code)
        try Self.check(result, code, Self.edwards)
        return key
    }

    /// Its Ed25519 signature of a message, 64 bytes.
    public func signature(of message: [UInt8]) throws(TokenError) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        var code: UInt = 0
        let result = unsafe bourse_token_sign(token, message, message.count, &signature, &code)
        try Self.check(result, code, Self.edwards)
        return signature
    }

    /// Whether its RSA key stays on the token and has 2,048 bits or more.
    public func guardsKey() throws(TokenError) -> Bool {
        var guards: CInt = 0
        var code: UInt = 0
        let result = unsafe bourse_token_guards(token, &guards, &code)
        try Self.check(result, code, Self.rsa)
        return guards != 0
    }

    /// Encrypts up to 32 bytes for its RSA key: RSAES-OAEP with SHA-1 (RFC 8017), which each token
    /// knows. No log-in is needed.
    public func encrypted(_ secret: SecretBytes) throws(TokenError) -> [UInt8] {
        precondition(secret.count <= 32, "a key, not a text")
        var out = [UInt8](repeating: 0, count: Self.cipherBytesMax)
        var (count, code) = (out.count, UInt(0))
        let result = unsafe secret.withBytes {
            unsafe bourse_token_encrypt(token, $0.baseAddress, $0.count, &out, &count, &code)
        }
        try Self.check(result, code, Self.rsa)
        return Array(out.prefix(count))
    }

    /// Decrypts what `encrypted` gave.
    public func decrypted(_ bytes: [UInt8]) throws(TokenError) -> SecretBytes {
        var out = [UInt8](repeating: 0, count: Self.cipherBytesMax)
        defer { cleanse(&out) }
        var (count, code) = (out.count, UInt(0))
        let result = unsafe bourse_token_decrypt(
            token, bytes, bytes.count, &out, &count, &code)
        try Self.check(result, code, Self.rsa)
        return unsafe out.withUnsafeBytes {
            unsafe SecretBytes(UnsafeRawBufferPointer(rebasing: $0.prefix(count)))
        }
    }

    // CK_RV of PKCS#11 2.40, section 5.1.
    private static let (pinIncorrect, pinInvalid, pinLength): (UInt, UInt, UInt) =
        (0xA0, 0xA1, 0xA2)
    private static let (pinExpired, pinLocked): (UInt, UInt) = (0xA3, 0xA4)

    private static func check(
        _ result: CInt, _ code: UInt, _ kind: String
    ) throws(TokenError) {
        switch Int(result) {
        case BOURSE_TOKEN_DONE: return
        case BOURSE_TOKEN_NO_URI: throw .badPlace
        case BOURSE_TOKEN_NO_MODULE: throw .noModule
        case BOURSE_TOKEN_ABSENT: throw .absent
        case BOURSE_TOKEN_SEVERAL: throw .severalTokens
        case BOURSE_TOKEN_NO_KEY: throw .noKey(kind)
        case BOURSE_TOKEN_SEVERAL_KEYS: throw .severalKeys
        default: break
        }
        switch code {
        case pinIncorrect, pinInvalid, pinLength: throw .wrongPIN
        case pinExpired: throw .expiredPIN
        case pinLocked: throw .locked
        default: throw .failed(code)
        }
    }
}
