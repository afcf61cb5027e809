// key, and what its verbs share.

import ArgumentParser
import Configuration
import Secrets
import Terms

struct KeyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of accounts.",
        subcommands: [KeyAddCommand.self, KeyListCommand.self, KeyRevokeCommand.self])
}

/// An API key with its secret in clear text.
struct APIKey {
    /// Its identifier.
    let keyID: String
    /// Its identifier as the log holds it.
    let text: Text64
    /// Its secret.
    let secret: String

    /// A key of this identifier and secret.
    init(keyID: String, secret: String) throws(CommandError) {
        (self.keyID, self.text, self.secret) = (keyID, try Self.identifier(keyID), secret)
    }

    /// An identifier that both the log and the API accept.
    static func identifier(_ keyID: String) throws(CommandError) -> Text64 {
        let isPlain = keyID.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
            default: false
            }
        }
        guard isPlain, !keyID.isEmpty, let text = Text64(keyID) else {
            throw CommandError(
                "\(keyID) is not a valid key identifier",
                repair: "use up to 64 letters, digits, - and _", code: .usage)
        }
        return text
    }

    /// A new random identifier and secret.
    static func random() -> (keyID: String, secret: String) {
        let made = APIKeyMaterial.random()
        let secret = unsafe made.secret.withBytes { unsafe String(decoding: $0, as: UTF8.self) }
        return (made.keyID, secret)
    }

    /// The secret, sealed under the exchange's key with the identifier bound to it.
    func sealed(_ settings: Settings) throws(CommandError) -> [UInt8] {
        try SealKeyFile(settings).load()
            .seal(SecretBytes(Array(secret.utf8)), context: Array(keyID.utf8))
    }
}
