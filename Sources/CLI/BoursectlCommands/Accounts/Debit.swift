// debit

import ArgumentParser

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

    @OptionGroup var booking: BookingOptions

    func run() throws { try booking.adjust(sign: -1) }
}
