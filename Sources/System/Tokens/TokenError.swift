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
    /// The PIN is wrong. A token counts: after a few of them it locks itself.
    case wrongPIN
    /// Too many PINs were wrong.
    case locked
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
        case .wrongPIN: "that is not the token's PIN; a token locks itself after a few wrong ones"
        case .locked: "the token is locked after wrong PINs: its security officer unlocks it"
        case .failed(let code): "the token's module failed: CK_RV 0x\(String(code, radix: 16))"
        }
    }
}
