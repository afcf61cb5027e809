// orders

import ArgumentParser
import Engine
import JSON
import Presentation

struct OrdersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders", abstract: "Lists an account's open orders.",
        discussion: """
            JSON: [{"id", "clOrdID", "account", "symbol", "side", "type", "timeInForce", "price", \
            "stopPrice", "quantity", "cumQty", "preventedQty", "leavesQty", "status", "working", \
            "created"}]
            """)

    @OptionGroup var common: CommonOptions
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
