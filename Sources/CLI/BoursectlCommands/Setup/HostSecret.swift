// A secret on disk: a file of its own, or on an installed host a credential that only this host's
// systemd can decrypt.

import Glibc
import Platform
import Secrets
import Terms

/// A secret of this host, wherever it is kept.
struct HostSecret {
    /// The plain secret.
    let path: String
    /// Its name among the credentials of its daemon's unit.
    let credential: String

    private static let systemdCreds = "/usr/bin/systemd-creds"

    /// The credential, encrypted for this host: systemd-creds(1).
    var encrypted: String { path + ".cred" }

    /// The file it is in, the plain one first; nil where there is none.
    var found: String? { [path, encrypted].first(where: Directory.exists) }

    /// Its bytes, one more than `bytesMax` where they are too many; nil where there are none.
    func bytes(max bytesMax: Int) throws(CommandError) -> [UInt8]? {
        switch found {
        case nil: nil
        case encrypted: try decrypted()
        default: try Self.read(path, max: bytesMax)
        }
    }

    /// The bytes of a file that its owner alone may access: this user, or root. One more than
    /// `bytesMax` where they are too many.
    static func read(_ path: String, max bytesMax: Int) throws(CommandError) -> [UInt8] {
        let file: File
        let found: (isRegular: Bool, mode: UInt32, owner: UInt32)
        do throws(SystemError) {
            file = try File(path, .read)
            found = (try file.isRegular(), try file.permissions(), try file.owner())
        } catch { throw CommandError(error) }
        guard found.isRegular else { throw CommandError("\(path) is no ordinary file") }
        guard found.mode & 0o077 == 0 else {
            throw CommandError(
                "others may read or write \(path): its mode is \(String(found.mode, radix: 8))",
                repair: "find out who has read it; then chmod 600 \(path)")
        }
        guard geteuid() == 0 || found.owner == geteuid() else {
            throw CommandError("\(path) belongs to user \(found.owner)")
        }
        return try CommandError.wrapping { () throws(SystemError) in
            try file.read(count: bytesMax + 1)
        }
    }

    /// Keeps a new secret as a plain file, mode 0600. Nothing is ever replaced.
    func create(_ bytes: [UInt8]) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            try File.create(path, with: bytes)
        }
    }

    /// Keeps a new secret so that only this host can decrypt it. Nothing is ever replaced.
    func createEncrypted(_ bytes: [UInt8]) throws(CommandError) {
        // systemd-creds writes the file itself: only its name is put in place here.
        let aside = "\(encrypted).new.\(getpid())"
        defer { _ = unsafe unlink(aside) }
        _ = try Self.run(["encrypt", "--name=\(credential)", "-", aside], input: bytes)
        try CommandError.wrapping { () throws(SystemError) in
            let file = try File(aside, .write)
            try file.setPermissions(0o600)
            try file.sync()
            try Directory.place(aside, at: encrypted)
        }
    }

    private func decrypted() throws(CommandError) -> [UInt8] {
        let text = try Self.run(
            ["decrypt", "--name=\(credential)", "--transcode=hex", encrypted, "-"])
        guard let bytes = hexBytes(text.filter { $0 != "\n" }) else {
            throw CommandError("systemd-creds gave no hexadecimal text for \(encrypted)")
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
                repair: "only root on the host that made the credential can decrypt it; on another "
                    + "host restore what it holds from its copy")
        }
        return done.output
    }
}
