// The seal key on disk: a file of its own, or on an installed host a credential that only this
// host's systemd can decrypt.

import Configuration
import Glibc
import Platform
import Secrets
import Terms

/// The exchange's seal key, wherever it is kept.
struct SealKeyFile {
    /// Its name among the credentials of the gateway's unit.
    static let credential = "seal.key"
    private static let systemdCreds = "/usr/bin/systemd-creds"

    /// The plain key.
    let path: String

    /// The key of this exchange.
    init(_ settings: Settings) { path = settings.sealKeyFile }

    /// The credential, encrypted for this host: systemd-creds(1).
    var encrypted: String { path + ".cred" }

    /// Whether there is one.
    var exists: Bool { Directory.exists(path) || Directory.exists(encrypted) }

    /// Reads it.
    func load() throws(CommandError) -> SealKey {
        guard Directory.exists(path) || !Directory.exists(encrypted) else { return try decrypted() }
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
        if Directory.exists(encrypted), !Directory.exists(path) { return try decryptedBytes() }
        let bytes = try CommandError.wrapping { () throws(SystemError) in
            try File(path, .read).read(count: 33)
        }
        guard bytes.count == 32 else { throw CommandError("\(path) is not a key of 32 bytes") }
        return bytes
    }

    /// Makes a new key that only this host can decrypt.
    func createEncrypted() throws(CommandError) { try createEncrypted(SystemRandom.bytes(32)) }

    /// Keeps a key of 32 bytes so that only this host can decrypt it.
    func createEncrypted(_ bytes: [UInt8]) throws(CommandError) {
        var key = bytes
        defer { for index in key.indices { key[index] = 0 } }
        // systemd-creds writes the file itself: only its name is put in place here.
        let aside = encrypted + ".new"
        _ = try Self.run(["encrypt", "--name=\(Self.credential)", "-", aside], input: key)
        try TextFile.replace(encrypted, by: aside)
    }

    private func decrypted() throws(CommandError) -> SealKey {
        SealKey(SecretBytes(try decryptedBytes()))
    }

    private func decryptedBytes() throws(CommandError) -> [UInt8] {
        let text = try Self.run(
            ["decrypt", "--name=\(Self.credential)", "--transcode=hex", encrypted, "-"])
        guard let bytes = hexBytes(text.filter { $0 != "\n" }), bytes.count == 32 else {
            throw CommandError("\(encrypted) does not hold a key of 32 bytes")
        }
        return bytes
    }

    private static func run(
        _ arguments: [String], input: [UInt8] = []
    ) throws(CommandError) -> String {
        let done = try CommandError.wrapping { () throws(SystemError) in
            try Program.run(systemdCreds, arguments, input: input, secondsMax: 30)
        }
        guard done.status == 0 else {
            throw CommandError(
                "systemd-creds failed: \(done.errors.split(separator: "\n").last ?? "")",
                repair: "only root on the host that made the key can decrypt it; on another host "
                    + "restore the plain key as seal.key")
        }
        return done.output
    }
}
