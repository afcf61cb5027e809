// key add

import ArgumentParser
import Engine
import Glibc
import JSON
import Presentation
import Secrets
import Terms
import Wire

struct KeyAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds an API key and prints its secret once.",
        discussion: """
            A key signs with HMAC-SHA256, or with Ed25519 where --public-key gives the public half \
            of a key that the customer made; the private half never reaches the exchange.

            The secret of an HMAC key is sealed with the exchange's own key, secrets/seal.key in \
            the state directory, before it goes into the journal: it cannot be shown again. \
            --key-id and --secret-file add a key that the customer chose; a secret is never an \
            argument, since every user of the host can read arguments.

            Where operators have keys, one that does more than read is proposed, with \
            --operator-key: its secret is shown at once, and works once others have endorsed it.
            Where standard output cannot take the secret, the key is revoked.

            A key that may withdraw does so only to the usable destinations of the account's \
            address book (`boursectl wallet book`), unless --withdraw-anywhere is given; what goes \
            elsewhere needs the network's approvals, whatever its amount.

            JSON: {"sequence", "account", "keyID", "secret", "permissions", "algorithm"}; secret \
            is null where it was not generated here, sequence where it is proposed.

            EXAMPLE
              boursectl key add alice --permissions read,trade
              boursectl key add alice --key-id k1 --secret-file ./k1.secret
              openssl genpkey -algorithm ed25519 -out private.pem
              openssl pkey -in private.pem -pubout -out public.pem
              boursectl key add alice --public-key public.pem
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Option(help: "Its permissions, comma-separated: read, trade, withdraw.")
    var permissions = "read,trade"
    @Flag(help: "Let it withdraw to anywhere, not only to the account's address book.")
    var withdrawAnywhere = false
    @Option(help: "The key's identifier: up to 64 letters, digits, - and _.") var keyID: String?
    @Option(help: "File with its secret: one line of 16 to 256 characters; - is standard input.")
    var secretFile: String?
    @Option(help: "File with the public half of an Ed25519 key, in PEM.") var publicKey: String?

    func validate() throws {
        guard let given = Permissions(names: permissions) else {
            throw ValidationError("--permissions takes read, trade and withdraw, comma-separated.")
        }
        guard given.contains(.withdraw) || !withdrawAnywhere else {
            throw ValidationError(
                "--withdraw-anywhere requires the withdraw permission: give --permissions "
                    + "\(permissions),withdraw.")
        }
        guard publicKey == nil || secretFile == nil else {
            throw ValidationError(
                "Give --secret-file for a key that signs with HMAC, --public-key for Ed25519.")
        }
        guard publicKey != nil || (keyID == nil) == (secretFile == nil) else {
            throw ValidationError(
                "Give --key-id and --secret-file together, or neither to generate both.")
        }
    }

    func run() throws {
        let settings = try common.settings()
        let random = APIKey.random()
        let id = try APIKey.identifier(keyID ?? random.keyID)
        // What is shown, and what the log holds.
        let (secret, kept, algorithm): (String?, [UInt8], KeyAlgorithm)
        if let publicKey {
            (secret, kept, algorithm) = (nil, try PublicKeyFile.read(publicKey), .ed25519)
        } else {
            let given = try secretFile.map { try SecretFile.read($0) }
            let key = try APIKey(keyID: "\(id)", secret: given ?? random.secret)
            secret = given == nil ? key.secret : nil
            (kept, algorithm) = (try key.sealed(settings), .hmacSHA256)
        }
        let session = try Exchange(settings: settings).session(signature.who)
        let view = try session.replica.account(account)
        let receipt: CommandReceipt
        do throws(CommandError) {
            receipt = try session.submit(
                AddAPIKey(
                    account: view.id, permissions: granted,
                    algorithm: algorithm, keyID: id, sealedSecret: kept, audit: signature.audit()),
                meanings: [.nameInvalid: "the key \(id) exists or existed: choose another"])
        } catch {
            // Proposed: the secret is shown now or never.
            if error.code == .proposed, !show(nil, view, id, secret, algorithm) {
                throw CommandError(
                    "\(error.problem), and its secret could not be written to standard output",
                    repair: "withdraw it: boursectl proposal withdraw ID; then add another key")
            }
            throw error
        }
        guard !show(receipt, view, id, secret, algorithm) else { return }
        do throws(CommandError) {
            _ = try session.submit(RevokeAPIKey(keyID: id, audit: signature.audit()))
        } catch {
            throw CommandError(
                "the secret of key \(id) could not be written to standard output, and the key "
                    + "could not be revoked: \(error.problem)",
                repair: "boursectl key revoke \(id)")
        }
        throw CommandError(
            "the secret could not be written to standard output: the key \(id) is revoked",
            repair: "add another one where its secret can be kept")
    }

    private var granted: Permissions {
        var all = Permissions(names: permissions) ?? []
        if withdrawAnywhere { all.insert(.withdrawAnywhere) }
        return all
    }

    /// Shows the key. Returns false where it has a secret that did not get out.
    private func show(
        _ receipt: CommandReceipt?, _ account: AccountView, _ id: Text64, _ secret: String?,
        _ algorithm: KeyAlgorithm
    ) -> Bool {
        // A reader that is gone must not end the process before the key is revoked.
        signal(SIGPIPE, SIG_IGN)
        var facts = Facts()
        facts.add("account", "\(account.name)")
        facts.add("permissions", granted.names.joined(separator: ","))
        facts.add("signs with", "\(algorithm)")
        facts.add("API key", "\(id)")
        if let secret { facts.add("secret", secret) }
        common.out.give(
            [
                "sequence": receipt.map { .number($0.sequence) } ?? .null,
                "account": .string("\(account.name)"),
                "keyID": .string("\(id)"), "secret": secret.map { .string($0) } ?? .null,
                "permissions": .string(granted.names.joined(separator: ",")),
                "algorithm": .string("\(algorithm)"),
            ],
            text: facts.lines(common.out.ink) + [
                (secret != nil ? "Keep the secret now: it cannot be shown again. " : "")
                    + (receipt.map { "The key was added. \($0.text)" } ?? "It is not added yet.")
            ])
        return Terminal.hasShownAll() || secret == nil
    }
}
