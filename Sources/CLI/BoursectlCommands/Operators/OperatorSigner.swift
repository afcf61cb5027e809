// An operator's key, in a file or on a token, and its signatures.

import Engine
import Secrets
import Terms
import Tokens
import Wire

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

/// An operator whose key is open.
struct OperatorSigner {
    let name: Text40
    let key: OperatorKey
    private let open: OpenKey

    private enum OpenKey {
        case secret(SecretBytes)
        case token(TokenKey)
    }

    /// Opens a key; asks for its passphrase or PIN on the terminal.
    init(_ place: OperatorKeyPlace) throws(CommandError) {
        (name, key) = (place.name, try place.publicKey())
        switch place {
        case .file(let file):
            let passphrase = try PassphraseTerminal.ask("Passphrase of \(file.name)'s key: ")
            guard let secret = file.open(passphrase) else {
                throw CommandError(
                    "that is not the passphrase; nothing was signed",
                    repair: "it takes 128 MiB of memory as well")
            }
            open = .secret(secret)
        case .token(let token, let name):
            let pin = try PassphraseTerminal.ask("PIN of \(name)'s token: ")
            try CommandError.wrapping { () throws(TokenError) in try token.logIn(pin) }
            open = .token(token)
        }
    }

    /// Signs what `make` gives for a seal, for the exchange of `replica` as it is now.
    func sign<Signed: SignedCommand>(
        for replica: ExchangeReplica, _ make: (OperatorSeal) -> Signed
    ) throws(CommandError) -> Signed {
        var command = make(OperatorSeal(name: name, key: key, seen: replica.engine.auditHead))
        let message = command.message(
            journalHigh: replica.journal.high, journalLow: replica.journal.low)
        let bytes: [UInt8]?
        switch open {
        case .secret(let secret): bytes = Ed25519.signature(of: message, by: secret)
        case .token(let token):
            let signed = try CommandError.wrapping { () throws(TokenError) in
                try token.signature(of: message)
            }
            // Some tokens sign with what is no key of their public object.
            bytes = Ed25519.isValid(signed, publicKey: key.bytes, message) ? signed : nil
        }
        guard let signature = bytes.flatMap(OperatorSignature.init(bytes:)) else {
            throw CommandError("the key does not sign, or not for its public key")
        }
        command.seal.signature = signature
        return command
    }
}
