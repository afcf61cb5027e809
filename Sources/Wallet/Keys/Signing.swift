// Signatures on secp256k1: ECDSA for witness version 0, Schnorr for Taproot.

internal import CSecp
public import Secrets

/// A private key that signs. Each signature is verified before it is returned, and computed with a
/// blinding of its own.
public struct SigningKey: Sendable {
    private let key: SecretBytes
    /// Its compressed public key, 33 bytes.
    public let publicKey: [UInt8]

    /// The key of 32 bytes; nil where they are zero, above the curve's order, or not 32.
    public init?(_ secret: SecretBytes) {
        guard secret.count == 32 else { return nil }
        var public33 = [UInt8](repeating: 0, count: 33)
        let isKey = unsafe secret.withBytes { secret in
            unsafe public33.withUnsafeMutableBufferPointer { out in
                unsafe bourse_secp_public(
                    secret.assumingMemoryBound(to: UInt8.self).baseAddress!, out.baseAddress!) == 1
            }
        }
        guard isKey else { return nil }
        self.init(secret, publicKey: public33)
    }

    init(_ secret: SecretBytes, publicKey: [UInt8]) {
        (key, self.publicKey) = (secret, publicKey)
    }

    /// Signs a hash of 32 bytes by ECDSA: DER with a low S, the nonce by RFC 6979, so the same
    /// hash always has the same signature. 8 to 71 bytes.
    public func ecdsa(_ hash: [UInt8]) throws(KeyError) -> [UInt8] {
        guard hash.count == 32 else { throw .hashLength(hash.count) }
        var (der, count) = ([UInt8](repeating: 0, count: 72), 0)
        let isSigned = unsafe key.withBytes { key in
            unsafe der.withUnsafeMutableBufferPointer { der in
                unsafe hash.withUnsafeBufferPointer { hash in
                    unsafe bourse_secp_sign_ecdsa(
                        key.assumingMemoryBound(to: UInt8.self).baseAddress!, hash.baseAddress!,
                        der.baseAddress!, &count) == 1
                }
            }
        }
        guard isSigned else { throw .notSigned }
        return Array(der.prefix(count))
    }

    /// Signs a hash of 32 bytes by BIP340, with 32 random bytes beside it; 64 bytes. The
    /// signature is by the x of `publicKey`.
    public func schnorr(_ hash: [UInt8], random: [UInt8]) throws(KeyError) -> [UInt8] {
        try schnorr(hash, random: random, tweak: nil)
    }

    /// Signs as the owner of a Taproot output (BIP341, key path): by this key with the tweak of
    /// itself and of `merkleRoot`, which is empty where the output has no scripts.
    public func taproot(
        _ hash: [UInt8], random: [UInt8], merkleRoot: [UInt8] = []
    ) throws(KeyError) -> [UInt8] {
        let tweak = TaggedHash.digest("TapTweak", Array(publicKey.dropFirst()) + merkleRoot)
        return try schnorr(hash, random: random, tweak: tweak)
    }

    private func schnorr(
        _ hash: [UInt8], random: [UInt8], tweak: [UInt8]?
    ) throws(KeyError) -> [UInt8] {
        guard hash.count == 32 else { throw .hashLength(hash.count) }
        guard random.count == 32 else { throw .hashLength(random.count) }
        var signature = [UInt8](repeating: 0, count: 64)
        let beside = tweak ?? []
        let isSigned = unsafe key.withBytes { key in
            unsafe signature.withUnsafeMutableBufferPointer { signature in
                unsafe hash.withUnsafeBufferPointer { hash in
                    unsafe random.withUnsafeBufferPointer { random in
                        unsafe beside.withUnsafeBufferPointer { beside in
                            unsafe bourse_secp_sign_schnorr(
                                key.assumingMemoryBound(to: UInt8.self).baseAddress!,
                                tweak == nil ? nil : beside.baseAddress!, hash.baseAddress!,
                                random.baseAddress!, signature.baseAddress!) == 1
                        }
                    }
                }
            }
        }
        guard isSigned else { throw .notSigned }
        return signature
    }
}

extension ExtendedPrivateKey {
    /// The key that signs.
    public var signingKey: SigningKey { SigningKey(key, publicKey: publicKey.key) }
}

/// Verifies what `SigningKey` signs, from public keys alone.
public enum CurveSignature {
    /// Whether `signature` (DER, low S) is of `hash` (32 bytes) by the owner of `publicKey` (33 or
    /// 65 bytes). False for other lengths.
    public static func isECDSA(
        _ signature: [UInt8], of hash: [UInt8], by publicKey: [UInt8]
    ) -> Bool {
        guard hash.count == 32, 8...72 ~= signature.count,
            publicKey.count == 33 || publicKey.count == 65
        else { return false }
        return unsafe signature.withUnsafeBufferPointer { signature in
            unsafe hash.withUnsafeBufferPointer { hash in
                unsafe publicKey.withUnsafeBufferPointer { key in
                    unsafe bourse_secp_verify_ecdsa(
                        key.baseAddress!, key.count, hash.baseAddress!, signature.baseAddress!,
                        signature.count) == 1
                }
            }
        }
    }

    /// Whether `signature` (64 bytes, BIP340) is of `hash` (32 bytes) by the owner of the public
    /// key whose x is `key` (32 bytes). False for other lengths.
    public static func isSchnorr(
        _ signature: [UInt8], of hash: [UInt8], by key: [UInt8]
    ) -> Bool {
        guard hash.count == 32, signature.count == 64, key.count == 32 else { return false }
        return unsafe signature.withUnsafeBufferPointer { signature in
            unsafe hash.withUnsafeBufferPointer { hash in
                unsafe key.withUnsafeBufferPointer { key in
                    unsafe bourse_secp_verify_schnorr(
                        key.baseAddress!, hash.baseAddress!, signature.baseAddress!) == 1
                }
            }
        }
    }
}
