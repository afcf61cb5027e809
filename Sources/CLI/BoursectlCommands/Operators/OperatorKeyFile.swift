// An operator's key in a file, sealed with a passphrase.

import Engine
import Platform
package import Secrets
package import Terms
import Wire

/// What a key file holds: text of five lines, as no secret can be read in it.
///
///     bourse-operator-key 1
///     name olga
///     public 64 hexadecimal digits
///     salt 32 hexadecimal digits
///     sealed the 32-byte Ed25519 secret, AES-256-GCM under the passphrase's scrypt (RFC 7914,
///            N 2^17, r 8, p 1)
package struct OperatorKeyFile: Equatable {
    /// The operator's name in the log.
    package let name: Text40
    /// The public key.
    package let key: OperatorKey
    private let salt: [UInt8]
    private let sealed: [UInt8]

    private static let head = "bourse-operator-key 1"
    /// 128 MiB and about half a second for each guess at a passphrase.
    private static let cost: UInt64 = 1 << 17
    private static let saltBytes = 16
    /// Maximum bytes of a file.
    private static let bytesMax = 1_024

    /// A new key for a name. Takes the time of a guess. Nil without the memory for it.
    package init?(new name: Text40, passphrase: SecretBytes) {
        let secret = SecretBytes.random(count: 32)
        let salt = SystemRandom.bytes(Self.saltBytes)
        guard let key = Ed25519.publicKey(of: secret).flatMap(OperatorKey.init(bytes:)),
            let seal = Self.seal(passphrase, salt)
        else { return nil }
        (self.name, self.key, self.salt) = (name, key, salt)
        sealed = seal.seal(secret, context: Self.context(name, key))
    }

    /// What a file's text says; nil: it is no key file.
    package init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        func value(_ place: Int, _ word: String) -> Substring? {
            lines[place].hasPrefix(word + " ") ? lines[place].dropFirst(word.count + 1) : nil
        }
        guard lines.count == 6, lines[0] == Self.head, lines[5].isEmpty,
            let name = value(1, "name").flatMap({ Text40(String($0)) }), !name.isEmpty,
            let key = value(2, "public").flatMap({ OperatorKey(hex: $0) }),
            let salt = value(3, "salt").flatMap({ hexBytes($0) }), salt.count == Self.saltBytes,
            let sealed = value(4, "sealed").flatMap({ hexBytes($0) }),
            sealed.count == 32 + SealKey.overhead
        else { return nil }
        (self.name, self.key, self.salt, self.sealed) = (name, key, salt, sealed)
    }

    /// The file's text.
    package var text: String {
        """
        \(Self.head)
        name \(name)
        public \(key.hex)
        salt \(salt.hexText)
        sealed \(sealed.hexText)

        """
    }

    /// The secret; nil: another passphrase, the file was changed, or there is no memory for it.
    package func open(_ passphrase: SecretBytes) -> SecretBytes? {
        let secret = Self.seal(passphrase, salt)?.open(sealed, context: Self.context(name, key))
        return secret.flatMap { Ed25519.publicKey(of: $0) == key.bytes ? $0 : nil }
    }

    private static func context(_ name: Text40, _ key: OperatorKey) -> [UInt8] {
        Array("\(name)".utf8) + [0] + key.bytes
    }

    private static func seal(_ passphrase: SecretBytes, _ salt: [UInt8]) -> SealKey? {
        Scrypt.key(password: passphrase, salt: salt, n: cost).map { SealKey($0) }
    }

    // MARK: Files

    /// Reads a file.
    static func load(_ path: String) throws(CommandError) -> OperatorKeyFile {
        let bytes = try CommandError.wrapping { () throws(SystemError) in
            try File(path, .read).read(count: bytesMax)
        }
        guard let text = String(validating: bytes, as: UTF8.self), let file = Self(text: text)
        else {
            throw CommandError(
                "\(path) is no operator's key file",
                repair: "make one with `boursectl operator keygen FILE`, or take its backup")
        }
        return file
    }

    /// Writes a new file, mode 0600. One that exists is never replaced.
    func create(_ path: String) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            let file = try File(path, .createNew)
            try file.setPermissions(0o600)
            try file.set(Array(text.utf8))
            try file.sync()
        }
    }
}
