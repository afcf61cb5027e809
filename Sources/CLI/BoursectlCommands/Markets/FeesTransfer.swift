// fees collect, fees refund, fees fund

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// The arguments of a transfer between the house's fees and an account.
struct FeeTransferOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The amount, as 20.5.") var amount: DecimalNumber
    @OptionGroup var reference: BookingReference

    /// Moves the amount to the account (`sign` 1), or from it (−1).
    func run(sign: Int128, _ effect: String) throws {
        guard amount.digits > 0 else {
            throw CommandError(
                "the amount \(amount) is not positive", repair: "give a positive amount",
                code: .usage)
        }
        let audit = try signature.audit()
        let text = try reference.checked()
        let session = try common.exchange().session(signature.who)
        let (account, asset) = (
            try session.replica.account(account), try session.replica.asset(asset)
        )
        let units = try asset.amount(amount)
        let receipt = try session.submit(
            TransferFees(
                account: account.id, asset: asset.id, amount: Amount(units: sign * units.units),
                reference: text, audit: audit))
        let fees = session.replica.number(session.replica.engine.house(asset.id).fees, asset.id)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(account.name)"),
                "asset": .string("\(asset.code)"), "amount": .string("\(amount)"),
                "fees": .string("\(fees)"),
            ],
            text: [
                "\(effect) \(amount.grouped()) \(asset.code) \(sign > 0 ? "to" : "from") "
                    + "\(account.name). \(receipt.text)",
                "The fees are now \(fees.grouped()) \(asset.code).",
            ])
    }

    static let json =
        #"JSON: {"sequence", "account", "asset", "amount", "fees"}; fees is what remains of them."#
}

struct FeesCollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Moves fees to an account of the house's owner.",
        discussion: """
            Rebates are paid out of the fees of an asset: what is collected is no longer available \
            for them.

            \(FeeTransferOptions.json)

            EXAMPLE
              boursectl fees collect owner USDT 1200 --reference "fees 2026-11" --reason month
            """)
    @OptionGroup var transfer: FeeTransferOptions
    func run() throws { try transfer.run(sign: 1, "Collected") }
}

struct FeesRefundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refund", abstract: "Refunds fees to a customer.",
        discussion: """
            \(FeeTransferOptions.json)

            EXAMPLE
              boursectl fees refund alice USDT 12.5 --reference "ticket 88" --reason "wrong tier"
            """)
    @OptionGroup var transfer: FeeTransferOptions
    func run() throws { try transfer.run(sign: 1, "Refunded") }
}

struct FeesFundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fund", abstract: "Moves money from an account to the fees, for rebates.",
        discussion: """
            A rebate that the fees of its asset do not cover is not paid.

            \(FeeTransferOptions.json)

            EXAMPLE
              boursectl fees fund owner BTC 2 --reference "rebates 2026-12" --reason rebates
            """)
    @OptionGroup var transfer: FeeTransferOptions
    func run() throws { try transfer.run(sign: -1, "Funded the fees with") }
}
