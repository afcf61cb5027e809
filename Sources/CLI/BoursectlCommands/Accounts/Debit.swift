// debit

import ArgumentParser
import Presentation

struct DebitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "debit", abstract: "Debits an account for money paid out.",
        discussion: """
            Only available money can be debited, not what open orders hold. --reference is as in \
            `boursectl credit`.

            JSON: as `boursectl credit`; the amount is positive.

            EXAMPLE
              boursectl debit alice USDT 20 --reference "wire 4711 fee" --reason "bank's fee"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The amount, as 20.") var amount: DecimalNumber
    @OptionGroup var reference: BookingReference

    func run() throws {
        let adjustment = BalanceAdjustment(
            account: account, asset: asset, amount: amount, sign: -1,
            reference: try reference.checked())
        try adjustment.run(common, signature)
    }
}
