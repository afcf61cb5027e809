// The seal key on disk.

import Configuration
import Platform
import Secrets
import Terms

/// The exchange's seal key, wherever it is kept.
struct SealKeyFile {
    /// Its name among the credentials of the gateway's unit.
    static let credential = "seal.key"
    private static let count = 32

    private let secret: HostSecret

    /// The key of this exchange.
    init(_ settings: Settings) {
        secret = HostSecret(path: settings.sealKeyFile, credential: Self.credential)
    }

    /// The plain key.
    var path: String { secret.path }

    /// The credential, encrypted for this host.
    var encrypted: String { secret.encrypted }

    /// Whether there is one.
    var exists: Bool { secret.found != nil }

    /// Reads it.
    func load() throws(CommandError) -> SealKey {
        if secret.found == encrypted {
            var bytes = try bytes()
            defer { cleanse(&bytes) }
            return SealKey(SecretBytes(bytes))
        }
        do {
            return try SealKey.load(path)
        } catch { throw CommandError("\(error)", repair: "`boursectl init` makes a new one") }
    }

    /// Makes a new plain key.
    func create() throws(CommandError) {
        do {
            _ = try SealKey.create(path)
        } catch { throw CommandError("\(error)") }
    }

    /// The key's 32 bytes, for another host of the exchange.
    func bytes() throws(CommandError) -> [UInt8] {
        guard let bytes = try secret.bytes(max: Self.count) else {
            throw CommandError("\(path) does not exist", repair: "`boursectl init` makes it")
        }
        guard bytes.count == Self.count else {
            throw CommandError("\(secret.found ?? path) does not hold a key of 32 bytes")
        }
        return bytes
    }

    /// Makes a new key that only this host can decrypt.
    func createEncrypted() throws(CommandError) {
        try createEncrypted(SystemRandom.bytes(Self.count))
    }

    /// Keeps a key of 32 bytes so that only this host can decrypt it.
    func createEncrypted(_ bytes: [UInt8]) throws(CommandError) {
        var key = bytes
        defer { cleanse(&key) }
        try secret.createEncrypted(key)
    }
}
