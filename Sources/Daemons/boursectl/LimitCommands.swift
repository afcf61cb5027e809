// limits set, show

import ArgumentParser
import Control
import Engine
import JSON
import Terms
import Wire

struct LimitsGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "How much an account may do.",
        discussion: """
            `default` in place of an account means all accounts that have no limits of their own.
            """,
        subcommands: [LimitsSet.self, LimitsShow.self])
}

extension AccountView {
    /// The limits as objects; null is no limit.
    var limits: JSONValue {
        func limit(_ value: some BinaryInteger) -> JSONValue { value == 0 ? .null : .number(value) }
        return [
            "openOrders": limit(openOrdersMax), "messagesPerSecond": limit(messagesPerSecondMax),
            "orderLots": limit(orderQuantityMax.lots),
            "orderNotionalUnits": orderNotionalMax == .zero
                ? .null : .string("\(orderNotionalMax.units)"),
        ]
    }

    /// The limits in words.
    var limitTexts: [(name: String, text: String)] {
        func limit(_ value: some BinaryInteger) -> String {
            value == 0 ? "no limit" : "at most " + Readable.count(value)
        }
        return [
            ("open orders", limit(openOrdersMax)),
            ("messages a second", limit(messagesPerSecondMax)),
            ("lots in an order", limit(orderQuantityMax.lots)),
            ("units of an order's notional", limit(orderNotionalMax.units)),
        ]
    }
}

struct LimitsSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets limits of an account, or of all that have none.",
        discussion: """
            What is not given stays; 0 is no limit. An order's quantity is counted in lots, its \
            notional in smallest units of the quote asset, whatever the market.

            JSON: {"sequence", "account", "limits"}; limits is {"openOrders", "messagesPerSecond", \
            "orderLots", "orderNotionalUnits"}, null for none.

            EXAMPLE
              boursectl limits set default --open-orders 200 --messages-per-second 50
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The account's name, id:NUMBER, or default.") var account: String
    @Option(help: "Most open orders.") var openOrders: UInt32?
    @Option(help: "Most orders and changes in a second.") var messagesPerSecond: UInt32?
    @Option(help: "Most lots in an order.") var orderLots: Int64?
    @Option(help: "Most price × quantity of an order, in smallest units of the quote asset.")
    var orderNotionalUnits: DecimalNumber?

    func validate() throws {
        guard
            openOrders != nil || messagesPerSecond != nil || orderLots != nil
                || orderNotionalUnits != nil
        else { throw ValidationError("Name a limit to set, as --open-orders 200.") }
        guard (orderLots ?? 0) >= 0, (orderNotionalUnits?.digits ?? 0) >= 0 else {
            throw ValidationError("A limit is not negative; 0 is no limit.")
        }
    }

    func run() throws {
        let desk = try common.exchange().desk(signature.who)
        let isDefault = account == "default"
        let view =
            isDefault ? desk.replica.engine.defaultLimits : try desk.replica.account(account)
        var after = view
        after.openOrdersMax = openOrders ?? view.openOrdersMax
        after.messagesPerSecondMax = messagesPerSecond ?? view.messagesPerSecondMax
        after.orderQuantityMax = orderLots.map { Quantity(lots: $0) } ?? view.orderQuantityMax
        if let number = orderNotionalUnits {
            guard let units = number.units(scale: 0) else {
                throw Failure("--order-notional-units takes a whole number", code: .usage)
            }
            after.orderNotionalMax = Amount(units: units)
        }
        let receipt = try desk.submit(
            SetAccountLimits(
                account: isDefault ? AccountID(0) : view.id, openOrdersMax: after.openOrdersMax,
                messagesPerSecondMax: after.messagesPerSecondMax,
                orderQuantityMax: after.orderQuantityMax,
                orderNotionalMax: after.orderNotionalMax, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string(account),
                "limits": after.limits,
            ],
            text: ["Limits of \(account): \(receipt.text)"]
                + after.limitTexts.map { "  \($0.name): \($0.text)" })
    }
}

struct LimitsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the limits that stand for an account.",
        discussion: """
            JSON: {"account", "limits"}, as in `boursectl limits set`. Without an account it shows \
            the default ones.
            """)

    @OptionGroup var common: Common
    @Argument(help: "The account's name, id:NUMBER, or default.") var account = "default"

    func run() throws {
        let replica = try common.exchange().replica()
        let view =
            account == "default" ? replica.engine.defaultLimits : try replica.account(account)
        var facts = Facts()
        facts.add("account", account)
        for limit in view.limitTexts { facts.add(limit.name, limit.text) }
        common.out.give(
            ["account": .string(account), "limits": view.limits],
            text: facts.lines(common.out.ink))
    }
}
