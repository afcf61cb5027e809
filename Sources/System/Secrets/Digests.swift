// Hashes, message codes and signatures, from libcrypto.

internal import CCrypto

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The 32-byte digest.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        unsafe filled(32) { unsafe bourse_sha256(bytes.baseAddress, bytes.count, $0) }
    }

    /// The 32-byte digest.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe digest($0) }
    }
}

/// HMAC-SHA256 (RFC 2104).
public enum HMACSHA256 {
    /// The 32-byte code of `bytes` under `key`.
    public static func code(key: SecretBytes, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        unsafe key.withBytes { key in
            unsafe filled(32) {
                unsafe bourse_hmac_sha256(
                    key.baseAddress, key.count, bytes.baseAddress, bytes.count, $0)
            }
        }
    }

    /// The 32-byte code of `bytes` under `key`.
    public static func code(key: SecretBytes, _ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe code(key: key, $0) }
    }

    /// Whether `code` is the one of `bytes`, in constant time.
    public static func isValid(_ code: [UInt8], key: SecretBytes, _ bytes: [UInt8]) -> Bool {
        isEqual(Self.code(key: key, bytes), code)
    }
}

/// HMAC-SHA512 (RFC 4231).
public enum HMACSHA512 {
    /// The 64-byte code of `bytes` under `key`.
    public static func code(key: SecretBytes, _ bytes: [UInt8]) -> [UInt8] {
        unsafe key.withBytes { key in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe filled(64) {
                    unsafe bourse_hmac_sha512(
                        key.baseAddress, key.count, bytes.baseAddress, bytes.count, $0)
                }
            }
        }
    }
}

/// PBKDF2 (RFC 8018) with HMAC-SHA512.
public enum PBKDF2SHA512 {
    /// The 64-byte key of a password and a salt after so many rounds, at least one.
    public static func key(
        password: SecretBytes, salt: SecretBytes, rounds: Int32
    ) -> SecretBytes {
        precondition(rounds > 0, "at least one round")
        let key = unsafe password.withBytes { password in
            unsafe salt.withBytes { salt in
                unsafe SecretBytes.made(count: 64) {
                    unsafe bourse_pbkdf2_sha512(
                        password.baseAddress!, password.count, salt.baseAddress!, salt.count,
                        rounds, $0.assumingMemoryBound(to: UInt8.self).baseAddress!) == 1
                }
            }
        }
        guard let key else { preconditionFailure("libcrypto derives a key") }
        return key
    }
}

/// scrypt (RFC 7914).
public enum Scrypt {
    /// The 32-byte key of a password and a salt; nil without the memory for it, 128 × `n` × `r`
    /// bytes, or where `n` is no power of two.
    public static func key(
        password: SecretBytes, salt: [UInt8], n: UInt64, r: UInt64 = 8, p: UInt64 = 1
    ) -> SecretBytes? {
        unsafe password.withBytes { password in
            unsafe SecretBytes.made(count: 32) { key in
                unsafe bourse_scrypt(
                    password.baseAddress, password.count, salt, salt.count, n, r, p,
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!) == 1
            }
        }
    }
}

/// RIPEMD-160, as Bitcoin's addresses have it.
public enum RIPEMD160 {
    /// The 20-byte digest.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe filled(20) { unsafe bourse_ripemd160(bytes.baseAddress, bytes.count, $0) }
        }
    }
}

/// Ed25519 (RFC 8032).
public enum Ed25519 {
    /// The 32 bytes of the public key in a PEM text (RFC 8410: `BEGIN PUBLIC KEY`), or nil if there
    /// is none of this kind.
    public static func publicKey(pem: [UInt8]) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: 32)
        let result = unsafe pem.withUnsafeBytes {
            unsafe bourse_ed25519_public_pem($0.baseAddress, $0.count, &key)
        }
        return result == 1 ? key : nil
    }

    /// The 32-byte public key of a secret of 32 bytes; nil for other lengths.
    public static func publicKey(of secret: SecretBytes) -> [UInt8]? {
        guard secret.count == 32 else { return nil }
        return unsafe secret.withBytes { secret in
            unsafe filled(32) {
                unsafe bourse_ed25519_public(
                    secret.assumingMemoryBound(to: UInt8.self).baseAddress!, $0)
            }
        }
    }

    /// The 64-byte signature of `bytes` by a secret of 32 bytes; nil for other lengths.
    public static func signature(of bytes: [UInt8], by secret: SecretBytes) -> [UInt8]? {
        guard secret.count == 32 else { return nil }
        return unsafe secret.withBytes { secret in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe filled(64) {
                    unsafe bourse_ed25519_sign(
                        secret.assumingMemoryBound(to: UInt8.self).baseAddress!,
                        bytes.baseAddress, bytes.count, $0)
                }
            }
        }
    }

    /// Whether `signature` (64 bytes) is of `bytes` by the owner of `publicKey` (32 bytes). False
    /// for keys and signatures of other lengths.
    public static func isValid(_ signature: [UInt8], publicKey: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard signature.count == 64, publicKey.count == 32 else { return false }
        return unsafe bytes.withUnsafeBytes { bytes in
            unsafe bourse_ed25519_verify(publicKey, bytes.baseAddress, bytes.count, signature) == 1
        }
    }
}

/// Whether two byte strings are equal; the time depends on their lengths only.
public func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    return unsafe bourse_equal(a, b, a.count) == 1
}

/// The bytes that a call of libcrypto writes. It fails only without memory.
private func filled(_ size: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int32) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        let result = unsafe body(buffer.baseAddress!)
        precondition(result == 1, "libcrypto makes a digest")
        count = size
    }
}
