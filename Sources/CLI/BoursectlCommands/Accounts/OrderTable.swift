// Open orders as a table and as JSON, for `orders` and `account show`.

import Engine
import JSON
import Presentation
import Terms

/// A table of open orders.
enum OrderTable {
    /// One order.
    static func json(_ order: OrderView, _ replica: ExchangeReplica) -> JSONValue {
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
            "working": .bool(order.isWorking), "created": .string(Readable.time(order.createdTime)),
        ]
    }

    /// All of them.
    static func lines(_ orders: [OrderView], _ replica: ExchangeReplica, _ ink: Ink) -> [String] {
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

extension ExchangeReplica {
    /// The grid of an instrument that exists.
    func grid(of id: InstrumentID) -> Grid {
        engine.instrument(id).map { grid($0) }
            ?? Grid(tickMantissa: 1, tickScale: 0, lotUnits: 1, baseScale: 0, quoteScale: 0)
    }
}
