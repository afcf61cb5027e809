// credit

import ArgumentParser

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

    @OptionGroup var booking: BookingOptions

    func run() throws { try booking.adjust(sign: 1) }
}
