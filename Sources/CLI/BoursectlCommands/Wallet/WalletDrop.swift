// wallet drop

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletDropCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Gives up a payment that can never be final.",
        discussion: """
            The withdrawals that no other transaction pays are approved again, and are paid by \
            another transaction. So the one that is dropped must never get into a block: another \
            transaction, which is final on the chain, has to have spent one of its coins. \
            bourse-walletd looks for that, at its node, and says it in `boursectl wallet status`; \
            without it, --force asks for the transaction to be typed again (--confirm TRANSACTION \
            confirms beforehand).

            The signer gives what it has signed again, and binds every other payment of these \
            withdrawals to a coin of this one, whatever the log says; so does another host's, once \
            the log had it. Where its coins are spent \
            elsewhere: on the host that signs, stop bourse-signerd first, then drop the payment \
            here, then `bourse-signerd --forget TRANSACTION` there, then start it.

            Where operators have keys it is proposed: give --operator-key.

            JSON: {"sequence", "transaction", "withdrawals", "released"}; withdrawals are those \
            that it pays, released those that nothing pays any more.

            EXAMPLE
              boursectl wallet drop 4be1…9c --force
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Argument(help: "The transaction, 64 digits.") var transaction: String
    @Flag(help: "Drop it although the node does not say that it can never be final.")
    var force = false
    @Option(help: ArgumentHelp("The transaction, which confirms.", valueName: "transaction"))
    var confirm: String?

    func run() throws {
        guard let id = TransactionID(hex: transaction) else {
            throw CommandError("\(transaction) is no transaction: 64 digits", code: .usage)
        }
        let exchange = try common.exchange()
        let session = try exchange.walletSession(who)
        let replica = session.replica
        guard let payment = replica.payments.first(where: { $0.id == id }) else {
            throw CommandError(
                "the log has no open payment \(id.hex)",
                repair: "see the payments of `boursectl --json wallet withdrawals`")
        }
        let others = replica.payments.filter {
            !payment.isTransfer && $0.id != id && $0.withdrawals == payment.withdrawals
        }
        let released = others.isEmpty ? payment.withdrawals : []
        try check(payment, released, SeenChains(exchange.settings.walletd.status))
        let receipt = try session.submit(DropTransaction(transaction: id))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "transaction": .string(id.hex),
                "withdrawals": .array(payment.withdrawals.map { .number($0.number) }),
                "released": .array(released.map { .number($0.number) }),
            ],
            text: [
                "The payment \(id.hex) is dropped. \(receipt.text)",
                payment.isTransfer
                    ? "It paid nobody: what it spends is free again."
                    : released.isEmpty
                        ? "\(others.count) other transactions still pay its withdrawals."
                        : "Withdrawals \(Self.text(released)) are approved again. The signer gives "
                            + "the same payment again, unless it has forgotten it: bourse-signerd "
                            + "--forget, on the host that signs, while bourse-signerd is stopped.",
            ])
    }

    private static func text(_ ids: [WithdrawalID]) -> String {
        ids.map { "\($0.number)" }.joined(separator: ", ")
    }

    /// Whether the payment can never be final, as the wallet's node says or as the operator does.
    private func check(
        _ payment: PaymentView, _ released: [WithdrawalID], _ seen: SeenChains
    ) throws(CommandError) {
        let known = seen.warning == nil ? seen.chains?[payment.network]?.json : nil
        let lost = (known?["payouts"]?["lost"]).flatMap { $0.rows { $0 } } ?? []
        let own = lost.first { $0["transaction"]?.text == payment.id.hex }
        if own?["isFinal"]?.flag == true, !force { return }
        let coin = own?["coin"]?.text ?? "?"
        let why =
            own != nil
            ? "another transaction has spent its coin \(coin), and is not final yet"
            : seen.warning ?? "the wallet's node does not say that a coin of it is spent elsewhere"
        guard force else {
            throw CommandError(
                "\(payment.id.hex) may still be final: \(why)",
                repair: "wait, or look at its coins in two nodes, then add --force")
        }
        Terminal.warn(why)
        Terminal.warn(
            payment.isTransfer
                ? "It is a transfer of the wallet's own: if it gets into a block all the same, its "
                    + "coins vanish from the books until the log has it again."
                : released.isEmpty
                    ? "It pays withdrawals \(Self.text(payment.withdrawals)), and so do others "
                        + "that stay."
                    : "Withdrawals \(Self.text(released)) are paid again by another transaction: "
                        + "if this one gets into a block as well, and the signer has forgotten it, "
                        + "they are paid twice.")
        try Confirmation.ask(
            "Type the transaction again if it can never be final: ", payment.id.hex, confirm)
    }
}
