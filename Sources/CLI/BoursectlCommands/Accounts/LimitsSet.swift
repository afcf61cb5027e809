// limits set

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct LimitsSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets limits of an account, or of all that have none.",
        discussion: """
            What is not given stays; 0 is no limit. Open orders and messages are counted over all \
            markets. The size of one order is limited in one market, named by --symbol: its \
            quantity in the base asset, and what it is worth in the quote asset.

            JSON: {"sequence", "account", "limits", "orderLimits"}; limits is {"openOrders", \
            "messagesPerSecond"}; orderLimits is null without --symbol, else {"symbol", \
            "orderQty", "orderNotional", "default"}. Null is no limit.

            EXAMPLE
              boursectl limits set default --open-orders 200 --messages-per-second 50
              boursectl limits set alice --symbol BTCUSDT --order-qty 5 --order-notional 250000
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The account's name, id:NUMBER, or default.") var account: String
    @Option(help: "Most open orders.") var openOrders: UInt32?
    @Option(help: "Most orders and changes in a second.") var messagesPerSecond: UInt32?
    @Option(help: "The market that --order-qty and --order-notional are for.") var symbol: String?
    @Option(help: "Highest quantity of an order, in the base asset.") var orderQty: DecimalNumber?
    @Option(help: "Highest price × quantity of an order, in the quote asset.")
    var orderNotional: DecimalNumber?

    func validate() throws {
        let isAccount = openOrders != nil || messagesPerSecond != nil
        let isOrder = orderQty != nil || orderNotional != nil
        guard isAccount || isOrder else {
            throw ValidationError("Name a limit to set, as --open-orders 200.")
        }
        guard isOrder == (symbol != nil) else {
            throw ValidationError(
                "The size of an order is limited in one market: give --symbol with --order-qty or "
                    + "--order-notional.")
        }
        guard !isAccount || !isOrder else {
            throw ValidationError("Set the limits of orders in a market by a command of their own.")
        }
        guard (orderQty?.digits ?? 0) >= 0, (orderNotional?.digits ?? 0) >= 0 else {
            throw ValidationError("A limit is not negative; 0 is no limit.")
        }
    }

    func run() throws {
        let session = try common.exchange().session(signature.who)
        let isDefault = account == "default"
        let view =
            isDefault ? session.replica.engine.defaultLimits : try session.replica.account(account)
        let id = isDefault ? AccountID(0) : view.id
        if let symbol {
            try setOrderLimits(of: id, symbol, view, session)
        } else {
            try setAccountLimits(of: id, view, session)
        }
    }

    private func setAccountLimits(
        of id: AccountID, _ view: AccountView, _ session: OperatorSession
    ) throws {
        var after = view
        after.openOrdersMax = openOrders ?? view.openOrdersMax
        after.messagesPerSecondMax = messagesPerSecond ?? view.messagesPerSecondMax
        let receipt = try session.submit(
            SetAccountLimits(
                account: id, openOrdersMax: after.openOrdersMax,
                messagesPerSecondMax: after.messagesPerSecondMax, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string(account),
                "limits": after.limits, "orderLimits": .null,
            ],
            text: ["Limits of \(account): \(receipt.text)"]
                + after.limitTexts.map { "  \($0.name): \($0.text)" })
    }

    private func setOrderLimits(
        of id: AccountID, _ symbol: String, _ view: AccountView, _ session: OperatorSession
    ) throws {
        let replica = session.replica
        let instrument = try replica.instrument(symbol)
        // A row of the account's own begins with what stands for it now.
        let size = OrderSize(id, instrument, replica)
        var (quantity, notional) = (size.quantity, size.notional)
        if let orderQty {
            quantity = try replica.grid(instrument).quantity(orderQty, option: "--order-qty")
        }
        if let orderNotional, let quote = replica.engine.asset(instrument.quote) {
            notional = try quote.amount(orderNotional)
        }
        let receipt = try session.submit(
            SetOrderLimits(
                account: id, instrument: instrument.id, orderQuantityMax: quantity,
                orderNotionalMax: notional, audit: signature.audit()))
        let after = OrderSize(id, instrument, replica)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string(account),
                "limits": view.limits, "orderLimits": after.json(replica),
            ],
            text: [
                "One order of \(account) in \(symbol): \(after.text(replica)). \(receipt.text)"
            ])
    }
}
