// account show

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct AccountShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows an account's balances, limits and open orders.",
        discussion: """
            JSON: {"id", "name", "tier", "killed", "limits", "balances", "orders"}; a balance is \
            {"asset", "available", "held", "withdrawing", "total"}; orders are as in \
            `boursectl orders`.
            """)

    @OptionGroup var common: CommonOptions
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

    private func json(_ asset: AssetView, _ balance: Balance, _ replica: ExchangeReplica)
        -> JSONValue
    {
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
        _ replica: ExchangeReplica
    ) -> [String] {
        let ink = common.out.ink
        var facts = Facts()
        facts.add("account", "\(view.name), id \(view.id.number)")
        facts.add("fee tier", "\(view.tier)")
        facts.add("kill switch", view.isKilled ? "ON" : "off")
        for limit in view.limitTexts { facts.add(limit.name, limit.text) }
        for size in OrderSize.all(view.id, replica) {
            facts.add("order size in \(size.instrument.symbol)", size.text(replica))
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
        let money = table.rows.isEmpty ? [ink.faint("No balances.")] : table.lines(ink)
        return facts.lines(ink) + [""] + money + [""] + OrderTable.lines(orders, replica, ink)
    }
}
