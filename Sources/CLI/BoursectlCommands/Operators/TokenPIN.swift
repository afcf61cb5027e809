// The PIN of a token: from the terminal or a file, never from arguments or the environment.

import Platform
import Secrets
import Tokens

/// Asks for tokens' PINs.
enum TokenPIN {
    /// The PIN in the first line of a file that its owner alone may access, or from the terminal.
    static func read(_ path: String?, prompt: String) throws(CommandError) -> SecretBytes {
        guard let path else { return try PassphraseTerminal.ask(prompt) }
        var bytes = try HostSecret.read(path, max: TokenKey.pinBytesMax + 1)
        defer { cleanse(&bytes) }
        var pin = Array(bytes.prefix { ![0x0A, 0x0D].contains($0) })
        defer { cleanse(&pin) }
        guard 1...TokenKey.pinBytesMax ~= pin.count else {
            throw CommandError(
                "\(path) holds no PIN: its first line has \(pin.count) bytes", code: .usage)
        }
        return SecretBytes(pin)
    }
}
