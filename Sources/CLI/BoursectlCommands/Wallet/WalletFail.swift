// wallet fail

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletFailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fail", abstract: "Takes a payment of an EVM chain as failed.",
        discussion: """
            For a payment of an EVM chain that is final and moved nothing, as `boursectl wallet \
            status` says: it was reverted, or the token did not move. See the same elsewhere, at \
            a second node or an explorer, before: the wallet's node alone may be wrong, and a \
            payment that did pay would be made once more.

            Its withdrawals are approved again. Unless they are refused now, with `boursectl \
            wallet refuse` or by --refuse, they are paid again, once the log has it that the \
            first payment used its nonce. It asks for confirmation; --yes confirms beforehand. \
            What bourse-walletd does not report as failed needs --force.

            Where operators have keys each step is proposed by itself, with --operator-key: once \
            the payment is dropped, `boursectl wallet refuse` proposes the refusal.

            JSON: {"sequence", "transaction", "withdrawals", "refused"}

            EXAMPLE
              boursectl wallet fail 5c504ed4… --refuse --reason "its contract takes no coins"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The payment's transaction, 64 digits.") var transaction: String
    @Flag(help: "Refuses its withdrawals: their money is available again.") var refuse = false
    @Flag(help: "Takes it as failed without confirmation.") var yes = false
    @Flag(help: "Takes it as failed although bourse-walletd does not say that it did.")
    var force = false

    func run() throws {
        let audit = try signature.audit()
        guard
            let id = TransactionID(hex: transaction.dropFirst(transaction.hasPrefix("0x") ? 2 : 0))
        else {
            throw CommandError(
                "\(transaction) is no transaction", repair: "give all 64 digits of it",
                code: .usage)
        }
        let session = try common.exchange().walletSession(signature.who)
        guard let payment = session.replica.engine.payment(id) else {
            throw CommandError(
                "no open payment is \(id.hex)",
                repair: "see `boursectl wallet withdrawals` and `boursectl wallet status`")
        }
        guard let chain = session.replica.engine.chain(payment.network),
            case .evm = ChainKind.named("\(chain.chain)")
        else {
            throw CommandError(
                "it is no payment of an EVM chain: until another one that spends its coins is "
                    + "final, it may pay at any time")
        }
        guard session.replica.engine.rules >= 3 else {
            throw CommandError(
                "the log follows rules \(session.replica.engine.rules), which do not say that a "
                    + "failed payment used its nonce",
                repair: "see `boursectl upgrade`")
        }
        let seen = SeenChains(try common.exchange().settings.walletd.status)
        let known = seen.warning == nil ? seen.chains?[payment.network]?.json : nil
        let failed = (known?["payouts"]?["lost"]).flatMap { $0.rows { $0 } } ?? []
        guard force || failed.contains(where: { $0["transaction"]?.text == id.hex }) else {
            throw CommandError(
                seen.warning
                    ?? "bourse-walletd does not say that \(id.hex) is final and failed: it "
                    + "may pay at any time, and its withdrawals would be paid twice",
                repair: "wait, or look at it in two nodes, then add --force")
        }
        // All that pay the same: one of them alone would leave the others in its place.
        // A transfer pays nobody, and is alone.
        let all = session.replica.payments.filter {
            !payment.withdrawals.isEmpty && $0.withdrawals == payment.withdrawals
        }
        let table = WithdrawalTable(session.replica)
        let views = payment.withdrawals.compactMap { session.replica.engine.withdrawal($0) }
        try Confirmation.agree(
            to: views.map(table.sentence) + [
                "If \(id.hex) did pay after all, or still can, \(refuse ? "the exchange" : "it")"
                    + (refuse ? " loses what it paid." : " is paid twice.")
            ], "Take it as failed? Type yes: ", isGiven: yes)
        for other in all where other.id != id && refuse {
            try session.submit(DropTransaction(transaction: other.id))
        }
        let receipt = try session.submit(DropTransaction(transaction: id))
        var refused: [UInt64] = []
        for id in payment.withdrawals where refuse {
            _ = try session.submit(
                DecideWithdrawal(withdrawal: id, approves: false, audit: audit),
                meanings: [
                    .stateInvalid: "withdrawal \(id.number) is paid by another transaction by now"
                ])
            refused.append(id.number)
        }
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "transaction": .string(id.hex),
                "withdrawals": .array(payment.withdrawals.map { .number($0.number) }),
                "refused": .array(refused.map { .number($0) }),
            ],
            text: [
                "The payment is dropped. \(receipt.text)",
                refuse
                    ? "Its withdrawals are refused." : "Its withdrawals are to be paid once more.",
            ])
    }
}
