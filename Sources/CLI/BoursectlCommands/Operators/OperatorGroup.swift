// operator, and its verbs.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct OperatorGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator", abstract: "Operators with keys, and how many decide together.",
        discussion: """
            Until the first operator has a key, the names in the journal are what the callers say. \
            From then on terms of custody and of markets, fees, bookings, customers' API keys, \
            limits and operators themselves are changed by proposals that administrators sign, \
            and withdrawals are approved by signatures. Approvals by name count no more then. \
            No operator places orders, and what one alone does drops no payment.

            EXAMPLE
              boursectl operator keygen olga.key --name olga
              boursectl operator add olga --public-key HEX --approves --administers
              boursectl operator add otto --public-key HEX --approves --administers \\
                --operator-key olga.key
              boursectl operator policy --endorsements 1 --operator-key olga.key
            """,
        subcommands: [
            OperatorKeygenCommand.self, OperatorKeyCommand.self, OperatorListCommand.self,
            OperatorAddCommand.self,
            OperatorRemoveCommand.self, OperatorPolicyCommand.self,
        ])
}

struct OperatorKeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Makes an operator's key, in a file with a passphrase.",
        discussion: """
            Run it on the operator's own machine. The passphrase is asked for on the terminal. The \
            file is worth nothing without it, and nobody can find it again: keep a copy of both. \
            Give an administrator the public key.

            JSON: {"name", "publicKey", "file"}
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The new file.") var file: String
    @Option(help: "The operator's name in the log: up to 31 ASCII characters.") var name: String

    func run() throws {
        guard let text = Text40(name), !text.isEmpty, text.count <= 31 else {
            throw CommandError(
                "\(name) is not a valid operator name", repair: "give up to 31 ASCII characters",
                code: .usage)
        }
        guard let key = OperatorKeyFile(new: text, passphrase: try PassphraseTerminal.askNew())
        else { throw CommandError("there is no memory for it: 128 MiB are needed") }
        try key.create(file)
        common.out.give(
            [
                "name": .string(name), "publicKey": .string(key.key.hex), "file": .string(file),
            ],
            text: [
                "The key of \(name) is in \(file). Its public key:", key.key.hex,
                "An administrator adds it: boursectl operator add \(name) --public-key "
                    + key.key.hex,
            ])
    }
}

struct OperatorListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists operators with keys.",
        discussion: """
            JSON: {"endorsements", "audit": {"count", "head"}, "operators": [{"name", \
            "publicKey", "approves", "administers"}]}
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let engine = try common.exchange().replica()
        let (all, head) = (engine.engine.operatorViews, engine.engine.auditHead)
        var table = Table([
            .words("NAME"), .words("APPROVES"), .words("ADMINISTERS"), .words("PUBLIC KEY"),
        ])
        for one in all {
            table.add([
                "\(one.name)", one.approves ? "yes" : "no", one.administers ? "yes" : "no",
                one.key.hex,
            ])
        }
        let endorsements = engine.engine.endorsements
        common.out.give(
            [
                "endorsements": .number(endorsements), "audit": head.json,
                "operators": .array(
                    all.map {
                        [
                            "name": .string("\($0.name)"), "publicKey": .string($0.key.hex),
                            "approves": .bool($0.approves), "administers": .bool($0.administers),
                        ]
                    }),
            ],
            text: all.isEmpty
                ? ["No operator has a key: names alone count."]
                : table.lines(common.out.ink) + [
                    "\(endorsements) endorse a proposal beside its proposer.",
                    "The audit chain: \(head.text)",
                ])
    }
}

struct OperatorAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Gives an operator a key and roles, or other roles.",
        discussion: """
            The first one has to administer. A name keeps its key for ever: a new key is a new \
            name, as olga2, and the old one is removed.

            JSON: {"sequence", "name"}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The operator's name.") var name: String
    @Option(help: ArgumentHelp("The public key, as keygen shows it.", valueName: "hex"))
    var publicKey: String
    @Flag(help: "It approves withdrawals.") var approves = false
    @Flag(help: "It proposes and endorses.") var administers = false

    func run() throws {
        guard let text = Text40(name), !text.isEmpty, text.count <= 31,
            let key = OperatorKey(hex: publicKey), !key.isWeak
        else {
            throw CommandError(
                "that is no name of up to 31 ASCII characters with a key of 64 hexadecimal digits",
                repair: "copy the public key from `boursectl operator keygen`", code: .usage)
        }
        guard approves || administers else {
            throw CommandError(
                "\(name) would have no role", repair: "give --approves, --administers or both",
                code: .usage)
        }
        try OperatorChange.submit(
            common, signature,
            SetOperator(
                name: text, key: key, approves: approves, administers: administers,
                audit: signature.audit()), "\(name) has this key and these roles.")
    }
}

struct OperatorRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Takes an operator's roles away.",
        discussion: """
            Its proposals end, and its endorsements and its approvals of withdrawals that still \
            need others count no more. Withdrawals that are approved already stay so: look at \
            them, and refuse what is wrong.

            JSON: {"sequence", "name"}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The operator's name.") var name: String

    func run() throws {
        let replica = try common.exchange().replica()
        guard let known = replica.engine.operatorViews.first(where: { "\($0.name)" == name }) else {
            throw CommandError(
                "there is no operator \(name) with a key", repair: "see `boursectl operator list`")
        }
        try OperatorChange.submit(
            common, signature,
            SetOperator(
                name: known.name, key: known.key, approves: false, administers: false,
                audit: signature.audit()), "\(name) is no operator any more.")
    }
}

struct OperatorPolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Sets how many administrators endorse a proposal.",
        discussion: """
            Beside its proposer. There have to be two more administrators than that, so that one \
            key may be lost. 0: each alone, by a signature.

            JSON: {"sequence", "name"}; name is "policy"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Option(help: "How many, 0 to 8.") var endorsements: UInt8

    func run() throws {
        try OperatorChange.submit(
            common, signature,
            SetCustodyPolicy(endorsements: endorsements, audit: signature.audit()),
            "\(endorsements) endorse each proposal beside its proposer.", name: "policy")
    }
}

/// What the verbs that change operators share.
private enum OperatorChange {
    static func submit(
        _ common: CommonOptions, _ signature: SignatureOptions, _ command: some CommandPayload,
        _ sentence: String, name: String? = nil
    ) throws {
        let session = try common.exchange().operatorsSession(signature.who)
        let receipt = try session.submit(
            command,
            meanings: [
                .stateInvalid: "too few would be left: where N endorse, N + 2 have to administer, "
                    + "so that one key may be lost, and one more has to approve than a network's "
                    + "withdrawals need; add another operator first",
                .nameInvalid: "that name has another key, and keeps it for ever: take a new name",
                .referenceDuplicate: "another operator has that key",
            ])
        let shown = name ?? (command as? SetOperator).map { "\($0.name)" } ?? ""
        common.out.give(
            ["sequence": .number(receipt.sequence), "name": .string(shown)],
            text: [sentence + " " + receipt.text])
    }
}

extension AuditHead {
    var json: JSONValue { ["count": .number(count), "head": .string(digest.hex)] }
    /// `4:ab12…`, as `audit verify --expect` takes it.
    var text: String { "\(count):\(digest.hex)" }
}
