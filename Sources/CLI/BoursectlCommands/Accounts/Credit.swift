// credit

import ArgumentParser
import Presentation

struct CreditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credit", abstract: "Credits an account with money from outside.",
        discussion: """
            For money that arrived other than by a chain deposit. The journal records the operator \
            and the reason. --reference identifies the payment, for example by the number of a \
            wire transfer: a second booking under the same reference is refused, whoever makes it.

            JSON: {"sequence", "account", "asset", "amount", "available", "held"}; the last two \
            are the new balance.

            EXAMPLE
              boursectl credit alice USDT 1000.50 --reference "wire 4711" --reason deposit
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The amount, as 1000.50.") var amount: DecimalNumber
    @OptionGroup var reference: BookingReference

    func run() throws {
        let adjustment = BalanceAdjustment(
            account: account, asset: asset, amount: amount, sign: 1,
            reference: try reference.checked())
        try adjustment.run(common, signature)
    }
}
