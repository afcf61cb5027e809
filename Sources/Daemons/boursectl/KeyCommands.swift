// key add, list, revoke

import ArgumentParser
import Configuration
import Control
import Engine
import JSON
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
        commandName: "add", abstract: "Adds an API key (HMAC-SHA256) and prints its secret, once.",
        discussion: """
            The secret is sealed with the exchange's own key, secrets/seal.key in the state \
            directory, before it goes into the journal: it cannot be shown again. A key of a \
            customer's own choosing is taken with --key-id and --secret-file; a secret is never an \
            argument, for arguments can be read by every user of the host.

            JSON: {"sequence", "account", "keyID", "secret", "permissions"}; secret is null where \
            it came from a file.

            EXAMPLE
              boursectl key add alice --permissions read,trade
              boursectl key add alice --key-id k1 --secret-file ./k1.secret
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Option(help: "What it may do: read, trade, withdraw, with commas between.")
    var permissions = "read,trade"
    @Option(help: "The key's identifier: up to 64 letters, digits, - and _.") var keyID: String?
    @Option(help: "File with its secret: one line of 16 to 256 characters; - is standard input.")
    var secretFile: String?

    func validate() throws {
        guard Permissions(names: permissions) != nil else {
            throw ValidationError(
                "\(permissions) are no permissions: name read, trade, withdraw, commas between.")
        }
        guard (keyID == nil) == (secretFile == nil) else {
            throw ValidationError(
                "Give --key-id and --secret-file together, or neither to have both made.")
        }
    }

    func run() throws {
        let settings = try common.settings()
        let given = try secretFile.map { try SecretFile.read($0) }
        let made = APIKey.random()
        let key = try APIKey(keyID: keyID ?? made.keyID, secret: given ?? made.secret)
        let sealed = try key.sealed(settings)
        let desk = try Exchange(settings: settings).desk(signature.who)
        let view = try desk.replica.account(account)
        let receipt = try desk.submit(
            AddAPIKey(
                account: view.id, permissions: Permissions(names: permissions) ?? [],
                algorithm: .hmacSHA256, keyID: key.text, sealedSecret: sealed,
                audit: signature.audit()),
            meanings: [.nameInvalid: "there is, or was, a key \(key.keyID): choose another"])
        show(receipt, view, key, isSecretShown: given == nil)
    }

    private func show(
        _ receipt: Receipt, _ account: AccountView, _ key: APIKey, isSecretShown: Bool
    ) {
        var facts = Facts()
        facts.add("account", "\(account.name)")
        facts.add("permissions", permissions)
        facts.add("API key", key.keyID)
        if isSecretShown { facts.add("secret", key.secret) }
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(account.name)"),
                "keyID": .string(key.keyID),
                "secret": isSecretShown ? .string(key.secret) : .null,
                "permissions": .string(permissions),
            ],
            text: facts.lines(common.out.ink) + [
                isSecretShown
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
        (self.keyID, self.text, self.secret) = (keyID, text, secret)
    }

    /// A new random identifier and secret.
    static func random() -> (keyID: String, secret: String) {
        let made = APIKeyMaterial.random()
        let secret = unsafe made.secret.withBytes { unsafe String(decoding: $0, as: UTF8.self) }
        return (made.keyID, secret)
    }

    /// The secret, sealed under the exchange's key with the identifier bound to it.
    func sealed(_ settings: Settings) throws(Failure) -> [UInt8] {
        do {
            return try SealKey.load(settings.sealKeyFile)
                .seal(SecretBytes(Array(secret.utf8)), context: Array(keyID.utf8))
        } catch {
            throw Failure("\(error)", repair: "`boursectl --state DIR init` makes one")
        }
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
