// account open, list, show; credit, debit; orders

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct AccountGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Customers' accounts.",
        subcommands: [AccountOpen.self, AccountList.self, AccountShow.self])
}

struct AccountOpen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "Opens an account.",
        discussion: """
            A name has one account: repeated, it does nothing and says the same id.

            JSON: {"sequence", "id", "name"}
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The owner's name for it: up to 40 characters.") var name: String

    func run() throws {
        guard let text = Text40(name), !text.isEmpty, !name.hasPrefix("id:") else {
            throw Failure(
                "\(name) is no account's name: up to 40 plain characters, not beginning with id:",
                code: .usage)
        }
        let receipt = try common.exchange().desk(signature.who).submit(
            OpenAccount(name: text, audit: signature.audit()))
        let id = receipt.outcome.id
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(id), "name": .string(name),
            ], text: ["Account \(name) is open, id \(id). \(receipt.text)"])
    }
}

struct AccountList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the accounts.",
        discussion: #"JSON: [{"id", "name", "tier", "killed", "openOrders"}]"#)

    @OptionGroup var common: Common

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .numbers("ID"), .words("NAME"), .numbers("TIER"), .numbers("OPEN ORDERS"),
            .words("KILL SWITCH"),
        ])
        var rows: [JSONValue] = []
        for account in replica.accounts {
            table.add([
                "\(account.id.number)", "\(account.name)", "\(account.tier)",
                Readable.count(account.openOrders), account.isKilled ? "ON" : "off",
            ])
            rows.append([
                "id": .number(account.id.number), "name": .string("\(account.name)"),
                "tier": .number(account.tier), "killed": .bool(account.isKilled),
                "openOrders": .number(account.openOrders),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There is no account yet. Open one: boursectl account open alice")
    }
}

struct AccountShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows an account's balances, limits and open orders.",
        discussion: """
            JSON: {"id", "name", "tier", "killed", "limits", "balances", "orders"}; a balance is \
            {"asset", "available", "held", "withdrawing", "total"}; orders are as in \
            `boursectl orders`.
            """)

    @OptionGroup var common: Common
    @Argument(help: "Its name, or id:NUMBER.") var account: String

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.account(account)
        let orders = replica.orders { $0.account == view.id }
        let balances = replica.assets.map { ($0, replica.engine.balance(view.id, $0.id)) }
            .filter { $0.1 != Balance() }
        common.out.give(
            [
                "id": .number(view.id.number), "name": .string("\(view.name)"),
                "tier": .number(view.tier), "killed": .bool(view.isKilled), "limits": view.limits,
                "balances": .array(balances.map { json($0.0, $0.1, replica) }),
                "orders": .array(orders.map { OrderTable.json($0, replica) }),
            ], text: text(view, balances, orders, replica))
    }

    private func json(_ asset: AssetView, _ balance: Balance, _ replica: Replica) -> JSONValue {
        func number(_ amount: Amount) -> JSONValue {
            .string(replica.number(amount, asset.id).text(decimals: Int(asset.scale)))
        }
        return [
            "asset": .string("\(asset.code)"), "available": number(balance.available),
            "held": number(balance.held), "withdrawing": number(balance.withdrawing),
            "total": number(balance.total),
        ]
    }

    private func text(
        _ view: AccountView, _ balances: [(AssetView, Balance)], _ orders: [OrderView],
        _ replica: Replica
    ) -> [String] {
        let ink = common.out.ink
        var facts = Facts()
        facts.add("account", "\(view.name), id \(view.id.number)")
        facts.add("fee tier", "\(view.tier)")
        facts.add("kill switch", view.isKilled ? "ON" : "off")
        for limit in view.limitTexts { facts.add(limit.name, limit.text) }
        for size in OrderSize.all(view.id, replica) {
            facts.add("an order in \(size.instrument.symbol)", size.text(replica))
        }
        var table = Table([
            .words("ASSET"), .numbers("AVAILABLE"), .numbers("HELD"), .numbers("WITHDRAWING"),
            .numbers("TOTAL"),
        ])
        for (asset, balance) in balances {
            table.add(
                ["\(asset.code)"]
                    + [balance.available, balance.held, balance.withdrawing, balance.total].map {
                        replica.number($0, asset.id).grouped(decimals: min(2, Int(asset.scale)))
                    })
        }
        let money = table.rows.isEmpty ? [ink.faint("It holds nothing.")] : table.lines(ink)
        return facts.lines(ink) + [""] + money + [""] + OrderTable.lines(orders, replica, ink)
    }
}

extension Balance {
    /// All that an account owns.
    var total: Amount { available + held + withdrawing }
}

/// A table of open orders.
enum OrderTable {
    /// One order.
    static func json(_ order: OrderView, _ replica: Replica) -> JSONValue {
        let grid = replica.grid(of: order.instrument)
        return [
            "id": .number(order.order.number), "clOrdID": .string("\(order.clOrdID)"),
            "account": .string(replica.name(order.account)),
            "symbol": .string(replica.symbol(order.instrument)), "side": .string("\(order.side)"),
            "type": .string("\(order.type)"), "timeInForce": .string("\(order.timeInForce)"),
            "price": grid.json(order.price), "stopPrice": grid.json(order.stopPrice),
            "quantity": .string(grid.text(order.quantity)),
            "cumQty": .string(grid.text(order.cumQty)),
            "preventedQty": .string(grid.text(order.preventedQuantity)),
            "leavesQty": .string(grid.text(order.leavesQty)), "status": .string("\(order.status)"),
            "working": .bool(order.isWorking),
            "created": .string(Readable.time(order.createdTime)),
        ]
    }

    /// All of them.
    static func lines(_ orders: [OrderView], _ replica: Replica, _ ink: Ink) -> [String] {
        guard !orders.isEmpty else { return [ink.faint("No open orders.")] }
        var table = Table([
            .numbers("ORDER"), .words("MARKET"), .words("SIDE"), .words("TYPE"), .numbers("PRICE"),
            .numbers("STOP"), .numbers("QUANTITY"), .numbers("TRADED"), .words("SINCE"),
            .words("CLIENT ID"),
        ])
        for order in orders {
            let grid = replica.grid(of: order.instrument)
            table.add([
                "\(order.order.number)", replica.symbol(order.instrument), "\(order.side)",
                "\(order.type)", grid.grouped(order.price), grid.grouped(order.stopPrice),
                grid.grouped(order.quantity), grid.grouped(order.cumQty),
                Readable.time(order.createdTime, digits: 0), "\(order.clOrdID)",
            ])
        }
        return table.lines(ink)
    }
}

extension Replica {
    /// The grid of an instrument that exists.
    func grid(of id: InstrumentID) -> Grid {
        engine.instrument(id).map { grid($0) }
            ?? Grid(tickMantissa: 1, tickScale: 0, lotUnits: 1, baseScale: 0, quoteScale: 0)
    }
}

struct Orders: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders", abstract: "Lists an account's open orders.",
        discussion: """
            JSON: [{"id", "clOrdID", "account", "symbol", "side", "type", "timeInForce", "price", \
            "stopPrice", "quantity", "cumQty", "preventedQty", "leavesQty", "status", "working", \
            "created"}]
            """)

    @OptionGroup var common: Common
    @Argument(help: "The account's name, or id:NUMBER.") var account: String

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.account(account)
        let orders = replica.orders { $0.account == view.id }
        common.out.give(
            .array(orders.map { OrderTable.json($0, replica) }),
            text: OrderTable.lines(orders, replica, common.out.ink))
    }
}
