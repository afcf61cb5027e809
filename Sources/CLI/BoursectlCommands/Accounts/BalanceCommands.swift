// credit, debit

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct Credit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Credits an account from outside.",
        discussion: """
            For money that came in by another way than a chain deposit. The operator's name and \
            the reason stand in the journal. --reference names what is booked outside, as a wire's \
            number: a second booking under the same reference is refused, whoever gives it.

            JSON: {"sequence", "account", "asset", "amount", "available", "held"}; the last two \
            are the balance after it.

            EXAMPLE
              boursectl credit alice USDT 1000.50 --reference "wire 4711" --reason deposit
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "How much, as 1000.50.") var amount: DecimalNumber
    @OptionGroup var reference: Reference

    func run() throws {
        let adjustment = Adjustment(
            account: account, asset: asset, amount: amount, sign: 1,
            reference: try reference.checked())
        try adjustment.run(common, signature)
    }
}

struct Debit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Debits an account to the outside.",
        discussion: """
            Only what is available can be debited, not what open orders hold. --reference as in \
            `boursectl credit`.

            JSON: as `boursectl credit`; the amount is positive.

            EXAMPLE
              boursectl debit alice USDT 20 --reference "wire 4711 fee" --reason "bank's fee"
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "How much, as 20.") var amount: DecimalNumber
    @OptionGroup var reference: Reference

    func run() throws {
        let adjustment = Adjustment(
            account: account, asset: asset, amount: amount, sign: -1,
            reference: try reference.checked())
        try adjustment.run(common, signature)
    }
}

/// What a booking stands for outside.
struct Reference: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What is booked, as \"wire 4711\"; each reference once for the whole exchange.",
            valueName: "text"))
    var reference: String

    /// The reference, where it fits.
    func checked() throws(Failure) -> Text64 {
        guard let text = Text64(reference), !text.isEmpty else {
            throw Failure(
                "\(reference.isEmpty ? "an empty text" : reference) is no reference",
                repair: "give --reference with up to 64 characters of plain ASCII", code: .usage)
        }
        return text
    }
}

/// A credit or a debit.
private struct Adjustment {
    let account: String
    let asset: String
    let amount: DecimalNumber
    let sign: Int128
    let reference: Text64

    func run(_ common: Common, _ signature: ReasonedSignature) throws {
        guard amount.digits > 0 else {
            throw amount.digits == 0
                ? Failure("the amount is zero", repair: "give how much", code: .usage)
                : Failure(negative: "\(amount)")
        }
        let audit = try signature.audit()
        let desk = try common.exchange().desk(signature.who)
        let (account, asset) = (try desk.replica.account(account), try desk.replica.asset(asset))
        let units = try asset.amount(amount)
        let receipt = try desk.submit(
            AdjustBalance(
                account: account.id, asset: asset.id, amount: Amount(units: sign * units.units),
                reference: reference, audit: audit))
        show(receipt, account, asset, desk.replica, common.out)
    }

    private func show(
        _ receipt: Receipt, _ account: AccountView, _ asset: AssetView, _ replica: Replica,
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

extension Failure {
    /// A negative amount where a positive one is meant.
    init(negative amount: String) {
        self.init(
            "the amount \(amount) is negative",
            repair: "`credit` adds and `debit` takes away, both a positive amount: use the other "
                + "one, with \(amount.drop { $0 == "-" })", code: .usage)
    }
}
