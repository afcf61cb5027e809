// What `credit` and `debit` share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// What a booking stands for outside the exchange.
struct BookingReference: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Identifies the payment, as \"wire 4711\"; unique in the whole exchange.",
            valueName: "text"))
    var reference: String

    /// The reference, checked.
    func checked() throws(CommandError) -> Text64 {
        guard let text = Text64(reference), !text.isEmpty else {
            throw CommandError(
                "\(reference.isEmpty ? "an empty text" : reference) is not a valid reference",
                repair: "give --reference with up to 64 ASCII characters", code: .usage)
        }
        return text
    }
}

/// A credit or a debit.
struct BalanceAdjustment {
    let account: String
    let asset: String
    let amount: DecimalNumber
    let sign: Int128
    let reference: Text64

    func run(_ common: CommonOptions, _ signature: ReasonedSignatureOptions) throws {
        guard amount.digits > 0 else {
            throw amount.digits == 0
                ? CommandError("the amount is zero", repair: "give a positive amount", code: .usage)
                : CommandError(negative: "\(amount)")
        }
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let (account, asset) = (
            try session.replica.account(account), try session.replica.asset(asset)
        )
        let units = try asset.amount(amount)
        let receipt = try session.submit(
            AdjustBalance(
                account: account.id, asset: asset.id, amount: Amount(units: sign * units.units),
                reference: reference, audit: audit))
        show(receipt, account, asset, session.replica, common.out)
    }

    private func show(
        _ receipt: CommandReceipt, _ account: AccountView, _ asset: AssetView,
        _ replica: ExchangeReplica,
        _ out: Output
    ) {
        let balance = replica.engine.balance(account.id, asset.id)
        let available = replica.number(balance.available, asset.id)
        let held = replica.number(balance.held, asset.id)
        let verb = sign > 0 ? "Credited" : "Debited"
        out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(account.name)"),
                "asset": .string("\(asset.code)"), "amount": .string("\(amount)"),
                "available": .string("\(available)"), "held": .string("\(held)"),
            ],
            text: [
                "\(verb) \(account.name) \(amount.grouped()) \(asset.code). \(receipt.text)",
                "It has \(available.grouped()) \(asset.code) available and \(held.grouped()) held.",
            ])
    }
}

extension CommandError {
    /// A negative amount where a positive one is required.
    init(negative amount: String) {
        self.init(
            "the amount \(amount) is negative",
            repair: "`credit` adds and `debit` subtracts a positive amount: use the other "
                + "one, with \(amount.drop { $0 == "-" })", code: .usage)
    }
}
