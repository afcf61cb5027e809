// Files with the keys that customers provide.

import Secrets

/// Secrets that customers bring along.
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
                "\(path) holds no secret that can be used",
                repair: "it is one line of 16 to 256 plain characters without spaces", code: .usage)
        }
        return secret
    }
}

/// Public keys that customers bring along.
enum PublicKeyFile {
    /// The Ed25519 public key in a PEM file.
    static func read(_ path: String) throws(CommandError) -> [UInt8] {
        guard let text = try TextFile.read(path) else {
            throw CommandError("there is no file \(path)", code: .usage)
        }
        guard let key = Ed25519.publicKey(pem: Array(text.utf8)) else {
            throw CommandError(
                "\(path) is no Ed25519 public key in PEM",
                repair: "`openssl pkey -in PRIVATE -pubout` writes that of a private key made with "
                    + "`openssl genpkey -algorithm ed25519`", code: .usage)
        }
        return key
    }
}
