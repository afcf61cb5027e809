// proposal, and its verbs.

import ArgumentParser
import Engine
import JSON
import Journal
import Presentation
import Terms
import Wire

struct ProposalGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proposal", abstract: "What administrators propose to each other.",
        discussion: """
            A guarded command with --operator-key FILE proposes itself. It is done with the last \
            endorsement that the policy asks for. Look at what you endorse: the signature is for \
            exactly what `proposal show` shows.

            EXAMPLE
              boursectl credit alice USDT 1000 --reference "wire 4711" --reason deposit \\
                --operator-key olga.key
              boursectl proposal list
              boursectl proposal approve 5f3a --operator-key otto.key
            """,
        subcommands: [
            ProposalListCommand.self, ProposalShowCommand.self, ProposalApproveCommand.self,
            ProposalWithdrawCommand.self,
        ])
}

struct ProposalListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists open proposals.",
        discussion: "JSON: [proposal]; a proposal is \(ProposalText.members).")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        let open = replica.engine.proposals.map { ProposalText($0, replica) }
        var table = Table([
            .words("ID"), .words("COMMAND"), .words("PROPOSED BY"), .words("ENDORSED BY"),
            .words("UNTIL"),
        ])
        for one in open { table.add(one.row) }
        common.out.give(
            .array(open.map(\.json)), table: table, empty: "No proposals are open.")
    }
}

struct ProposalShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a proposal, and checks its signature.",
        discussion: "JSON: \(ProposalText.members)")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The proposal's id, or its first digits.") var id: String

    func run() throws {
        let replica = try common.exchange().replica()
        let text = try ProposalText.checked(id, replica)
        common.out.give(text.json, text: text.lines(common.out.ink))
    }
}

struct ProposalApproveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Endorses a proposal by a signature.",
        discussion: """
            Not one of your own, and once. With the last endorsement the command is done.

            JSON: {"sequence", "proposal", "isApplied"}; proposal is \(ProposalText.members)
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Argument(help: "The proposal's id, or its first digits.") var id: String

    func run() throws {
        let session = try common.exchange().operatorsSession(who)
        let text = try ProposalText.checked(id, session.replica)
        let signer = try session.signer(who)
        let endorsement = try signer.sign(for: session.replica) {
            Endorse(
                proposal: text.view.id, deadline: OperatorSigner.deadline(session.replica),
                digest: text.view.proposal.digest, seal: $0)
        }
        let receipt = try session.submit(
            endorsement,
            meanings: [
                .approvalInvalid: "\(signer.name) proposed it or has endorsed it: another "
                    + "administrator has to",
                .stateInvalid: "what it changes is in another state by now, or too few operators "
                    + "would be left to administer or to approve",
                .termsInvalid: "a value is out of its range by now, or of a withdrawal the fee "
                    + "has risen above what its request agrees to: propose it anew",
            ])
        let isApplied = !session.replica.engine.proposals.contains { $0.id == text.view.id }
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "proposal": text.json,
                "isApplied": .bool(isApplied),
            ],
            text: [
                isApplied
                    ? "Endorsed and done. \(receipt.text)"
                    : "Endorsed; others have to endorse it too. \(receipt.text)"
            ])
    }
}

struct ProposalWithdrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Takes an own proposal back.",
        discussion: #"JSON: {"sequence", "id"}"#)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Argument(help: "The proposal's id, or its first digits.") var id: String

    func run() throws {
        let session = try common.exchange().operatorsSession(who)
        let view = try ProposalText.find(id, session.replica)
        let signer = try session.signer(who)
        let receipt = try session.submit(
            try signer.sign(for: session.replica) { WithdrawProposal(proposal: view.id, seal: $0) },
            meanings: [.approvalInvalid: "\(view.proposer) proposed it, not \(signer.name)"])
        common.out.give(
            ["sequence": .number(receipt.sequence), "id": .string(view.id.hex)],
            text: ["Proposal \(view.id.hex) is withdrawn. \(receipt.text)"])
    }
}

/// A proposal as it is shown.
struct ProposalText {
    static let members = """
        {"id", "command", "fields", "proposer", "endorsers", "deadline", "record", "digest"}; \
        fields are as in the log, in numbers
        """

    let view: ProposalView
    private let command: Command?
    private let named: SignedText?

    init(_ view: ProposalView, _ replica: ExchangeReplica) {
        (self.view, command) = (view, view.proposal.command)
        named = view.proposal.command.map { SignedText($0, replica.engine) }
    }

    /// The open proposal whose id begins so.
    static func find(
        _ id: String, _ replica: ExchangeReplica
    ) throws(CommandError) -> ProposalView {
        let found = replica.engine.proposals.filter { $0.id.hex.hasPrefix(id.lowercased()) }
        guard found.count == 1, let view = found.first else {
            throw CommandError(
                "\(found.count) open proposals have an id that begins with \(id)",
                repair: "see `boursectl proposal list`")
        }
        return view
    }

    /// The same, once its signature was checked: what is shown was signed by its proposer.
    static func checked(
        _ id: String, _ replica: ExchangeReplica
    ) throws(CommandError) -> ProposalText {
        let view = try find(id, replica)
        let seal = view.proposal.seal
        guard SealCheck.isSound(view.proposal, of: replica.journal)
        else {
            throw CommandError(
                "the signature of proposal \(view.id.hex) is not of \(seal.name)'s key",
                repair: "do not endorse it; somebody has changed it: run `boursectl audit verify`")
        }
        return ProposalText(view, replica)
    }

    private var name: String { command.map { "\($0.kind)" } ?? "unknown" }

    var row: [String] {
        [
            view.id.hex, name, "\(view.proposer)",
            view.endorsers.map { "\($0)" }.joined(separator: ", "),
            Readable.time(view.proposal.deadline),
        ]
    }

    var json: JSONValue {
        [
            "id": .string(view.id.hex), "command": .string(name),
            "fields": .object(command?.fields ?? []), "proposer": .string("\(view.proposer)"),
            "endorsers": .array(view.endorsers.map { .string("\($0)") }),
            "deadline": .string(Readable.time(view.proposal.deadline)),
            "record": .number(view.sequence), "digest": .string(view.proposal.digest.hex),
        ]
    }

    func lines(_ ink: Ink) -> [String] {
        var facts = Facts()
        facts.add("proposal", view.id.hex)
        facts.add("command", name)
        for fact in named?.facts ?? [] { facts.add("  " + fact.name, fact.value) }
        facts.add("proposed by", "\(view.proposer), signed")
        facts.add("endorsed by", view.endorsers.map { "\($0)" }.joined(separator: ", "))
        facts.add("until", Readable.time(view.proposal.deadline))
        return facts.lines(ink)
    }
}
