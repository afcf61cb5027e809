// credit

import ArgumentParser
import Presentation

struct CreditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credit", abstract: "Credits an account from outside.",
        discussion: """
            For money that came in by another way than a chain deposit. The operator's name and \
            the reason stand in the journal. --reference names what is booked outside, as a wire's \
            number: a second booking under the same reference is refused, whoever gives it.

            JSON: {"sequence", "account", "asset", "amount", "available", "held"}; the last two \
            are the balance after it.

            EXAMPLE
              boursectl credit alice USDT 1000.50 --reference "wire 4711" --reason deposit
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "How much, as 1000.50.") var amount: DecimalNumber
    @OptionGroup var reference: BookingReference

    func run() throws {
        let adjustment = BalanceAdjustment(
            account: account, asset: asset, amount: amount, sign: 1,
            reference: try reference.checked())
        try adjustment.run(common, signature)
    }
}
