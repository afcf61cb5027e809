// limits set

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct LimitsSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets the limits of an account, or the default ones.",
        discussion: """
            Limits that are not given stay unchanged; 0 means no limit. Open orders and messages \
            are counted over all markets. The size of one order is limited in one market, given by \
            --symbol: its quantity in the base asset, and its value in the quote asset.

            JSON: {"sequence", "account", "limits", "orderLimits"}; limits is {"openOrders", \
            "messagesPerSecond"}; orderLimits is null without --symbol, else {"symbol", \
            "orderQty", "orderNotional", "default"}. Null means no limit.

            EXAMPLE
              boursectl limits set default --open-orders 200 --messages-per-second 50
              boursectl limits set alice --symbol BTCUSDT --order-qty 5 --order-notional 250000
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The account's name, id:NUMBER, or default.") var account: String
    @Option(help: "Maximum number of open orders.") var openOrders: UInt32?
    @Option(help: "Maximum number of orders and changes per second.") var messagesPerSecond: UInt32?
    @Option(help: "The market that --order-qty and --order-notional apply to.") var symbol: String?
    @Option(help: "Maximum quantity of an order, in the base asset.") var orderQty: DecimalNumber?
    @Option(help: "Maximum price × quantity of an order, in the quote asset.")
    var orderNotional: DecimalNumber?

    func validate() throws {
        let isAccount = openOrders != nil || messagesPerSecond != nil
        let isOrder = orderQty != nil || orderNotional != nil
        guard isAccount || isOrder else {
            throw ValidationError("Give a limit to set, as --open-orders 200.")
        }
        guard isOrder == (symbol != nil) else {
            throw ValidationError(
                "The size of an order is limited in one market: give --symbol with --order-qty or "
                    + "--order-notional.")
        }
        guard !isAccount || !isOrder else {
            throw ValidationError("Set the limits of orders in a market with a separate command.")
        }
        guard (orderQty?.digits ?? 0) >= 0, (orderNotional?.digits ?? 0) >= 0 else {
            throw ValidationError("A limit cannot be negative; 0 means no limit.")
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
        // The account's own row begins with the limits that apply to it now.
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
                "Order size of \(account) in \(symbol): \(after.text(replica)). \(receipt.text)"
            ])
    }
}
