// Files with the keys that customers provide.

import Secrets

/// Secrets that customers provide.
enum SecretFile {
    /// The secret in a file, or on standard input for `-`: one line.
    static func read(_ path: String) throws(CommandError) -> String {
        let text = path == "-" ? try TextFile.readStandardInput() : try TextFile.read(path)
        guard let text else { throw CommandError("there is no file \(path)", code: .usage) }
        let secret = text.hasSuffix("\n") ? String(text.dropLast()) : text
        guard (16...256).contains(secret.utf8.count),
            secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw CommandError(
                "\(path) does not hold a usable secret",
                repair: "a secret is one line of 16 to 256 ASCII characters without spaces",
                code: .usage)
        }
        return secret
    }
}

/// Public keys that customers provide.
enum PublicKeyFile {
    /// The Ed25519 public key in a PEM file.
    static func read(_ path: String) throws(CommandError) -> [UInt8] {
        guard let text = try TextFile.read(path) else {
            throw CommandError("there is no file \(path)", code: .usage)
        }
        guard let key = Ed25519.publicKey(pem: Array(text.utf8)) else {
            throw CommandError(
                "\(path) is not an Ed25519 public key in PEM",
                repair:
                    "`openssl pkey -in PRIVATE -pubout` writes the public half of a key made with "
                    + "`openssl genpkey -algorithm ed25519`", code: .usage)
        }
        return key
    }
}
