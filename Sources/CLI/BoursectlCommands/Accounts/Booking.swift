// What `credit`, `debit` and the transfers of fees share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// An amount that is booked for an account, under a reference.
struct BookingOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The amount, as 1000.50.") var amount: DecimalNumber
    @Option(
        help: ArgumentHelp(
            "Identifies the payment, as \"wire 4711\"; unique in the whole exchange.",
            valueName: "text"))
    var reference: String

    /// Submits the command that `command` makes of the amount times `sign`.
    func book<Payload: CommandPayload>(
        sign: Int128, _ command: (AccountID, AssetID, Amount, Text64, Audit) -> Payload
    ) throws -> Booking {
        guard let text = Text64(reference), !text.isEmpty else {
            throw CommandError(
                "\(reference.isEmpty ? "an empty text" : reference) is not a valid reference",
                repair: "give --reference with up to 64 ASCII characters", code: .usage)
        }
        guard amount.digits > 0 else {
            throw amount.digits == 0
                ? CommandError("the amount is zero", repair: "give a positive amount", code: .usage)
                : CommandError(negative: "\(amount)")
        }
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let account = try session.replica.account(account)
        let asset = try session.replica.asset(asset)
        let units = Amount(units: sign * (try asset.amount(amount)).units)
        let receipt = try session.submit(command(account.id, asset.id, units, text, audit))
        return Booking(account: account, asset: asset, receipt: receipt, replica: session.replica)
    }

    /// Credits the account (`sign` 1) or debits it (−1).
    func adjust(sign: Int128) throws {
        let done = try book(sign: sign) {
            AdjustBalance(account: $0, asset: $1, amount: $2, reference: $3, audit: $4)
        }
        let (asset, name) = (done.asset, "\(done.account.name)")
        let balance = done.replica.engine.balance(done.account.id, asset.id)
        let available = done.replica.number(balance.available, asset.id)
        let held = done.replica.number(balance.held, asset.id)
        let verb = sign > 0 ? "Credited" : "Debited"
        common.out.give(
            done.json(amount, ["available": "\(available)", "held": "\(held)"]),
            text: [
                "\(verb) \(name) \(amount.grouped()) \(asset.code). \(done.receipt.text)",
                "It has \(available.grouped()) \(asset.code) available and \(held.grouped()) held.",
            ])
    }
}

/// A booking that was made.
struct Booking {
    let account: AccountView
    let asset: AssetView
    let receipt: CommandReceipt
    let replica: ExchangeReplica

    /// As JSON, with the balances behind it.
    func json(_ amount: DecimalNumber, _ balances: KeyValuePairs<String, String>) -> JSONValue {
        .object(
            [
                .init("sequence", .number(receipt.sequence)),
                .init("account", .string("\(account.name)")),
                .init("asset", .string("\(asset.code)")), .init("amount", .string("\(amount)")),
            ] + balances.map { .init($0.key, .string($0.value)) })
    }
}

extension CommandError {
    /// A negative amount where a positive one is required.
    init(negative amount: String) {
        self.init(
            "the amount \(amount) is negative",
            repair: "`credit` and `fees fund` add, `debit` and `fees collect` subtract a positive "
                + "amount: use the other one, with \(amount.drop { $0 == "-" })", code: .usage)
    }
}
