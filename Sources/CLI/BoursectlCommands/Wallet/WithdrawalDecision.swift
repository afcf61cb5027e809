// wallet approve, wallet refuse

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WithdrawalApproveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approves a withdrawal.",
        discussion: """
            Look at it first, with `boursectl wallet withdrawals`. An operator approves a \
            withdrawal once, and none that the same operator asked for. With its last approval it \
            is paid.

            JSON: {"sequence", "withdrawal"}; withdrawal is as in `boursectl wallet withdrawals`, \
            null where it has ended already.

            EXAMPLE
              boursectl wallet approve 12 --reason "customer called back"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The withdrawal's id.") var id: UInt64

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let view = try session.replica.withdrawal(id)
        let who = "\(audit.operatorName)"
        let meanings: [Refusal: String] = [
            .approvalInvalid: "\(who) "
                + (view.requester == audit.operatorName ? "asked for" : "has approved")
                + " withdrawal \(id): another operator has to approve it",
            .stateInvalid: "withdrawal \(id) is \(view.status): it needs no more approvals",
            .termsInvalid: "withdrawal \(id) is another one in the log than the one signed for",
            .operatorUnknown: "\(who) has no key in the log with the role to approve",
        ]
        let receipt =
            if session.replica.engine.operatorViews.isEmpty {
                try session.submit(
                    DecideWithdrawal(withdrawal: view.id, approves: true, audit: audit),
                    meanings: meanings)
            } else {
                try session.submit(decision(view, session), meanings: meanings)
            }
        let after = session.replica.engine.withdrawal(view.id)
        let table = WithdrawalTable(session.replica)
        common.out.give(
            [
                "sequence": .number(receipt.sequence),
                "withdrawal": after.map { table.json($0) } ?? .null,
            ],
            text: [
                "\(table.sentence(view)): approved by \(who). \(receipt.text)",
                after?.next ?? "It has ended already.",
            ])
    }

    /// What the operator's key signs: all that is shown of the withdrawal, and its approval.
    private func decision(
        _ view: WithdrawalView, _ session: OperatorSession
    ) throws(CommandError) -> SignDecision {
        guard signature.who.keyFile != nil else {
            throw CommandError(
                "operators have keys, so an approval has to be signed",
                repair: "repeat it with --operator-key FILE")
        }
        let replica = session.replica
        let signer = try session.signer(signature.who)
        return try signer.sign(for: replica) {
            SignDecision(
                withdrawal: view.id, deadline: OperatorSigner.deadline(replica), approves: true,
                account: view.account, asset: view.asset, network: view.network,
                amount: view.amount, fee: view.fee, address: view.address, tag: view.tag,
                reason: signature.reason, seal: $0)
        }
    }
}

struct WithdrawalRefuseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refuse", abstract: "Refuses a withdrawal: its money is available again.",
        discussion: """
            One that is requested or approved. One that is signed cannot be refused, as anybody \
            may broadcast its transaction. Where operators have keys, one whose payment was \
            dropped is refused by two: the refusal is proposed, as that payment may be final all \
            the same.

            JSON: {"sequence", "id", "account", "asset", "released"}; released is its amount and \
            its fee.

            EXAMPLE
              boursectl wallet refuse 12 --reason "the customer did not ask for it"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The withdrawal's id.") var id: UInt64

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        let view = try replica.withdrawal(id)
        let receipt = try session.submit(
            DecideWithdrawal(withdrawal: view.id, approves: false, audit: audit),
            meanings: [
                .stateInvalid: "withdrawal \(id) is signed: its transaction cannot be taken back"
            ])
        let (account, code) = (replica.name(view.account), replica.code(view.asset))
        let released = replica.number(view.total, view.asset)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(id),
                "account": .string(account), "asset": .string(code),
                "released": .string("\(released)"),
            ],
            text: [
                "\(WithdrawalTable(replica).sentence(view)): refused. \(receipt.text)",
                "\(account) has \(released.grouped()) \(code) available again.",
            ])
    }
}
