// fees collect, fees refund, fees fund

import ArgumentParser
import Engine
import Presentation
import Terms
import Wire

extension BookingOptions {
    /// Moves the amount from the fees to the account (`sign` 1), or back (−1).
    fileprivate func transfer(sign: Int128, _ effect: String) throws {
        let done = try book(sign: sign) {
            TransferFees(account: $0, asset: $1, amount: $2, reference: $3, audit: $4)
        }
        let asset = done.asset
        let fees = done.replica.number(done.replica.engine.house(asset.id).fees, asset.id)
        common.out.give(
            done.json(amount, ["fees": "\(fees)"]),
            text: [
                "\(effect) \(amount.grouped()) \(asset.code) \(sign > 0 ? "to" : "from") "
                    + "\(done.account.name). \(done.receipt.text)",
                "The fees are now \(fees.grouped()) \(asset.code).",
            ])
    }

    fileprivate static let json =
        #"JSON: {"sequence", "account", "asset", "amount", "fees"}; fees is what remains of them."#
}

struct FeesCollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Moves fees to an account of the house's owner.",
        discussion: """
            Rebates are paid out of the fees of an asset: what is collected is no longer available \
            for them.

            \(BookingOptions.json)

            EXAMPLE
              boursectl fees collect owner USDT 1200 --reference "fees 2026-11" --reason month
            """)
    @OptionGroup var booking: BookingOptions
    func run() throws { try booking.transfer(sign: 1, "Collected") }
}

struct FeesRefundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refund", abstract: "Refunds fees to a customer.",
        discussion: """
            \(BookingOptions.json)

            EXAMPLE
              boursectl fees refund alice USDT 12.5 --reference "ticket 88" --reason "wrong tier"
            """)
    @OptionGroup var booking: BookingOptions
    func run() throws { try booking.transfer(sign: 1, "Refunded") }
}

struct FeesFundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fund", abstract: "Moves money from an account to the fees, for rebates.",
        discussion: """
            A rebate that the fees of its asset do not cover is not paid.

            \(BookingOptions.json)

            EXAMPLE
              boursectl fees fund owner BTC 2 --reference "rebates 2026-12" --reason rebates
            """)
    @OptionGroup var booking: BookingOptions
    func run() throws { try booking.transfer(sign: -1, "Funded the fees with") }
}
