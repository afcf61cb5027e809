// Where an operator's key is.

import Secrets
import Terms
import Tokens

/// Where an operator's key is: a file with a passphrase, or a PKCS#11 token that it never leaves.
enum OperatorKeyPlace {
    case file(OperatorKeyFile)
    case token(TokenKey, name: Text40)

    /// The key in a file, or that a URI of RFC 7512 names. On a token the operator's name is the
    /// label of the key.
    static func find(_ place: String) throws(CommandError) -> OperatorKeyPlace {
        guard place.hasPrefix(TokenKey.scheme) else {
            return .file(try OperatorKeyFile.load(place))
        }
        let token = try CommandError.wrapping { () throws(TokenError) in try TokenKey(place) }
        guard let label = token.label, let name = Text40(label), 1...31 ~= name.count else {
            throw CommandError(
                "the URI does not say whose key it is",
                repair: "the key's label is the operator's name: give object=NAME", code: .usage)
        }
        return .token(token, name: name)
    }

    /// The operator's name in the log.
    var name: Text40 {
        switch self {
        case .file(let file): file.name
        case .token(_, let name): name
        }
    }

    /// The public key.
    func publicKey() throws(CommandError) -> OperatorKey {
        switch self {
        case .file(let file): return file.key
        case .token(let token, _):
            let bytes = try CommandError.wrapping { () throws(TokenError) in
                try token.publicKey()
            }
            guard let key = OperatorKey(bytes: bytes), !key.isWeak else {
                throw CommandError("the token's public key is weak or malformed: make another one")
            }
            return key
        }
    }
}

extension OperatorKeyPlace {
    /// Signs a message; asks for the passphrase or the PIN on the terminal.
    func signature(of message: [UInt8]) throws(CommandError) -> [UInt8]? {
        switch self {
        case .file(let file):
            let passphrase = try PassphraseTerminal.ask("Passphrase of \(name)'s key: ")
            guard let secret = file.open(passphrase) else {
                throw CommandError(
                    "that is not the passphrase; nothing was signed",
                    repair: "it takes 128 MiB of memory as well")
            }
            return Ed25519.signature(of: message, by: secret)
        case .token(let token, let name):
            if !token.isLoggedIn {
                let pin = try PassphraseTerminal.ask("PIN of \(name)'s token: ")
                try CommandError.wrapping { () throws(TokenError) in try token.logIn(pin) }
            }
            let signed = try CommandError.wrapping { () throws(TokenError) in
                try token.signature(of: message)
            }
            // Some tokens sign with what is no key of their public object.
            let key = try publicKey()
            return Ed25519.isValid(signed, publicKey: key.bytes, message) ? signed : nil
        }
    }
}
