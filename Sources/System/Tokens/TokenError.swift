// Why a token does not help.

/// Why a key on a PKCS#11 token cannot be used. It says nothing of PINs and secrets.
public enum TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No URI of RFC 7512, or it leaves open which key of which token is meant.
    case badPlace
    /// The module cannot be loaded.
    case noModule
    /// No token that fits is there.
    case absent
    /// Several tokens fit.
    case severalTokens
    /// The token has no key of this kind that fits.
    case noKey(String)
    /// Several keys fit.
    case severalKeys
    /// What was given is no PIN: 1 to 255 bytes without control characters.
    case noPIN
    /// The PIN is wrong. A token counts: after a few of them it locks itself.
    case wrongPIN
    /// Too many PINs were wrong, or one more would be.
    case locked
    /// The PIN has to be changed before it is used.
    case expiredPIN
    /// The RSA key can leave the token, or is too short.
    case weakKey
    /// What the public key encrypts the private key does not decrypt.
    case otherPair
    /// The module's function failed with this CK_RV (PKCS#11 2.40, section 5.1).
    case failed(UInt)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .badPlace:
            "that names no key on a token: give pkcs11:token=NAME;object=LABEL?module-path=FILE "
                + "(RFC 7512), without a PIN"
        case .noModule: "its PKCS#11 module cannot be loaded: check module-path"
        case .absent:
            "no such token is there: is it plugged in? `pkcs11-tool --module FILE -L` lists what is"
        case .severalTokens: "several tokens have that name: give serial=… as well"
        case .noKey(let kind):
            "the token has no \(kind) of that label or id: `pkcs11-tool --module FILE -O` lists "
                + "what it has"
        case .severalKeys: "several keys have that label: give id=… as well"
        case .noPIN: "that is no PIN: 1 to 255 bytes without control characters; it was not tried"
        case .wrongPIN: "that is not the token's PIN; a token locks itself after a few wrong ones"
        case .locked:
            "the token is locked after wrong PINs, or one more would lock it: log in with its own "
                + "tools, or have its security officer unlock it"
        case .expiredPIN: "the token's PIN has expired: change it with the token's own tools"
        case .weakKey:
            "the RSA key can leave its token, or has fewer than 2,048 bits: make one on the token, "
                + "with `pkcs11-tool --keypairgen --key-type rsa:3072 --sensitive`"
        case .otherPair:
            "the token's public and private key of that name are not a pair: make a pair with a "
                + "label of its own"
        case .failed(0x70): "the token does not know the algorithm: Ed25519, or RSA with OAEP"
        case .failed(0x101):
            "the token wants a log-in for each use of the key: make one without that"
        case .failed(0xE0), .failed(0xE1): "the token was taken away"
        case .failed(let code): "the token's module failed: CK_RV 0x\(String(code, radix: 16))"
        }
    }
}
