// key add, list, revoke

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Secrets
import Terms
import Wire

struct KeyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of accounts.",
        subcommands: [KeyAdd.self, KeyList.self, KeyRevoke.self])
}

struct KeyAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds an API key and prints its secret, once.",
        discussion: """
            A key signs with HMAC-SHA256, or with Ed25519 where --public-key gives the public half \
            of a key that the customer made; its private half never comes here.

            The secret of an HMAC key is sealed with the exchange's own key, secrets/seal.key in \
            the state directory, before it goes into the journal: it cannot be shown again. A key \
            of a customer's own choosing is taken with --key-id and --secret-file; a secret is \
            never an argument, for arguments can be read by every user of the host.

            JSON: {"sequence", "account", "keyID", "secret", "permissions", "algorithm"}; secret \
            is null where it was not made here.

            EXAMPLE
              boursectl key add alice --permissions read,trade
              boursectl key add alice --key-id k1 --secret-file ./k1.secret
              openssl genpkey -algorithm ed25519 -out private.pem
              openssl pkey -in private.pem -pubout -out public.pem
              boursectl key add alice --public-key public.pem
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Option(help: "What it may do: read, trade, withdraw, with commas between.")
    var permissions = "read,trade"
    @Option(help: "The key's identifier: up to 64 letters, digits, - and _.") var keyID: String?
    @Option(help: "File with its secret: one line of 16 to 256 characters; - is standard input.")
    var secretFile: String?
    @Option(help: "File with the public half of an Ed25519 key, in PEM.") var publicKey: String?

    func validate() throws {
        guard Permissions(names: permissions) != nil else {
            throw ValidationError(
                "\(permissions) are no permissions: name read, trade, withdraw, commas between.")
        }
        guard publicKey == nil || secretFile == nil else {
            throw ValidationError(
                "Give --secret-file for a key that signs with HMAC, --public-key for Ed25519.")
        }
        guard publicKey != nil || (keyID == nil) == (secretFile == nil) else {
            throw ValidationError(
                "Give --key-id and --secret-file together, or neither to have both made.")
        }
    }

    func run() throws {
        let settings = try common.settings()
        let random = APIKey.random()
        let id = try APIKey.identifier(keyID ?? random.keyID)
        // What is shown of it, and what stands in the log.
        let (secret, kept, algorithm): (String?, [UInt8], KeyAlgorithm)
        if let publicKey {
            (secret, kept, algorithm) = (nil, try PublicKeyFile.read(publicKey), .ed25519)
        } else {
            let given = try secretFile.map { try SecretFile.read($0) }
            let key = try APIKey(keyID: "\(id)", secret: given ?? random.secret)
            secret = given == nil ? key.secret : nil
            (kept, algorithm) = (try key.sealed(settings), .hmacSHA256)
        }
        let desk = try Exchange(settings: settings).desk(signature.who)
        let view = try desk.replica.account(account)
        let receipt = try desk.submit(
            AddAPIKey(
                account: view.id, permissions: Permissions(names: permissions) ?? [],
                algorithm: algorithm, keyID: id, sealedSecret: kept, audit: signature.audit()),
            meanings: [.nameInvalid: "there is, or was, a key \(id): choose another"])
        show(receipt, view, id, secret, algorithm)
    }

    private func show(
        _ receipt: Receipt, _ account: AccountView, _ id: Text64, _ secret: String?,
        _ algorithm: KeyAlgorithm
    ) {
        var facts = Facts()
        facts.add("account", "\(account.name)")
        facts.add("permissions", permissions)
        facts.add("signs with", "\(algorithm)")
        facts.add("API key", "\(id)")
        if let secret { facts.add("secret", secret) }
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(account.name)"),
                "keyID": .string("\(id)"), "secret": secret.map { .string($0) } ?? .null,
                "permissions": .string(permissions), "algorithm": .string("\(algorithm)"),
            ],
            text: facts.lines(common.out.ink) + [
                secret != nil
                    ? "Keep the secret now: it cannot be shown again. \(receipt.text)"
                    : "The key is added. \(receipt.text)"
            ])
    }
}

/// An API key with its secret in the open.
struct APIKey {
    /// Its identifier.
    let keyID: String
    /// Its identifier, as the log has it.
    let text: Text64
    /// Its secret.
    let secret: String

    /// A key of this identifier and secret.
    init(keyID: String, secret: String) throws(Failure) {
        (self.keyID, self.text, self.secret) = (keyID, try Self.identifier(keyID), secret)
    }

    /// An identifier that both the log and the API take.
    static func identifier(_ keyID: String) throws(Failure) -> Text64 {
        let isPlain = keyID.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
            default: false
            }
        }
        guard isPlain, !keyID.isEmpty, let text = Text64(keyID) else {
            throw Failure(
                "\(keyID) is no key's identifier",
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
    func sealed(_ settings: Settings) throws(Failure) -> [UInt8] {
        try SealKeyFile(settings).load()
            .seal(SecretBytes(Array(secret.utf8)), context: Array(keyID.utf8))
    }
}

struct KeyList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the API keys that are not revoked.",
        discussion: #"JSON: [{"keyID", "account", "permissions", "algorithm"}]"#)

    @OptionGroup var common: Common
    @Option(help: "Only this account's.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let only = try account.map { try replica.account($0).id }
        var table = Table([
            .words("KEY"), .words("ACCOUNT"), .words("PERMISSIONS"), .words("ALGORITHM"),
        ])
        var rows: [JSONValue] = []
        replica.engine.forEachAPIKey { key in
            guard only == nil || key.account == only else { return }
            let account = replica.name(key.account)
            let permissions = key.permissions.names
            table.add([
                "\(key.keyID)", account, permissions.joined(separator: ","), "\(key.algorithm)",
            ])
            rows.append([
                "keyID": .string("\(key.keyID)"), "account": .string(account),
                "permissions": .array(permissions.map { .string($0) }),
                "algorithm": .string("\(key.algorithm)"),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There is no key. Add one: boursectl key add ACCOUNT")
    }
}

struct KeyRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes an API key, for good.",
        discussion: #"JSON: {"sequence", "keyID"}"#)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The key's identifier.") var keyID: String

    func run() throws {
        guard let text = Text64(keyID), !text.isEmpty else {
            throw Failure("\(keyID) is no key's identifier", code: .usage)
        }
        let receipt = try common.exchange().desk(signature.who).submit(
            RevokeAPIKey(keyID: text, audit: signature.audit()))
        common.out.give(
            ["sequence": .number(receipt.sequence), "keyID": .string(keyID)],
            text: ["\(keyID) is revoked. \(receipt.text)"])
    }
}
