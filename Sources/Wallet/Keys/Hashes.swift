// The hashes of Bitcoin's keys and scripts.

internal import Secrets

/// RIPEMD-160 of SHA-256: what an address has of a public key.
public enum Hash160 {
    /// 20 bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        RIPEMD160.digest(SHA256.digest(bytes))
    }
}

/// SHA-256 with a tag in front, so that no hash for one purpose is one for another (BIP340).
public enum TaggedHash {
    /// 32 bytes.
    public static func digest(_ tag: String, _ bytes: [UInt8]) -> [UInt8] {
        let prefix = SHA256.digest(Array(tag.utf8))
        return SHA256.digest(prefix + prefix + bytes)
    }
}
