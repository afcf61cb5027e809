// Small files that operators own: configuration, secrets of customers, demo keys.

import Glibc
import Platform
import Presentation
import Secrets

/// Small text files.
enum TextFile {
    /// The most bytes of such a file.
    static let bytesMax = 1 << 20

    /// The text of a file; nil when there is none.
    static func read(_ path: String) throws(Failure) -> String? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File(path, .read).read(count: bytesMax + 1)
        } catch {
            if error.isMissing { return nil }
            throw Failure(error)
        }
        return try text(bytes, path)
    }

    /// All that standard input gives.
    static func readStandardInput() throws(Failure) -> String {
        let name = "standard input"
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.readToEnd(STDIN_FILENO, path: name, bytesMax: bytesMax)
        } catch {
            throw Failure(error)
        }
        return try text(bytes, name)
    }

    private static func text(_ bytes: [UInt8], _ name: String) throws(Failure) -> String {
        guard bytes.count <= bytesMax else { throw Failure("\(name) is too large") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("\(name) is no UTF-8 text")
        }
        return text
    }

    /// Replaces a file, whole or not at all, and on disk when this returns.
    static func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws(Failure) {
        do throws(SystemError) {
            // Two operators may write one file at a time.
            let aside = "\(path).new.\(getpid())"
            try File.replace(path, with: Array(text.utf8), mode: mode, aside: aside)
        } catch {
            throw Failure(error)
        }
    }
}

extension Failure {
    /// A failed system call.
    init(_ error: SystemError) {
        self.init("\(error)")
    }
}

/// Secrets that customers bring along.
enum SecretFile {
    /// The secret in a file, or on standard input for `-`: one line.
    static func read(_ path: String) throws(Failure) -> String {
        let text = path == "-" ? try TextFile.readStandardInput() : try TextFile.read(path)
        guard let text else { throw Failure("there is no file \(path)", code: .usage) }
        let secret = text.hasSuffix("\n") ? String(text.dropLast()) : text
        guard (16...256).contains(secret.utf8.count),
            secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw Failure(
                "\(path) holds no secret that can be used",
                repair: "it is one line of 16 to 256 plain characters without spaces", code: .usage)
        }
        return secret
    }
}

/// Public keys that customers bring along.
enum PublicKeyFile {
    /// The Ed25519 public key in a PEM file.
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        guard let text = try TextFile.read(path) else {
            throw Failure("there is no file \(path)", code: .usage)
        }
        guard let key = Ed25519.publicKey(pem: Array(text.utf8)) else {
            throw Failure(
                "\(path) is no Ed25519 public key in PEM",
                repair: "`openssl pkey -in PRIVATE -pubout` writes that of a private key made with "
                    + "`openssl genpkey -algorithm ed25519`", code: .usage)
        }
        return key
    }
}
