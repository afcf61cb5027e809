// instrument list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct InstrumentListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the markets.",
        discussion: """
            JSON: [{"id", "symbol", "base", "quote", "state", "tick", "lot", "last", "bid", "ask", \
            "trades"}]; last, bid and ask are null where there is none.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .words("SYMBOL"), .words("STATE"), .numbers("LAST"), .numbers("BID"), .numbers("ASK"),
            .numbers("TICK"), .numbers("LOT"), .numbers("TRADES"),
        ])
        var rows: [JSONValue] = []
        for view in replica.instruments {
            let grid = replica.grid(view)
            let bid = replica.engine.best(view.id, .buy) ?? .none
            let ask = replica.engine.best(view.id, .sell) ?? .none
            table.add(
                [
                    "\(view.symbol)", "\(view.state)", grid.grouped(view.lastPrice),
                    grid.grouped(bid), grid.grouped(ask), grid.text(Price(ticks: 1)),
                    grid.text(Quantity(lots: 1)), Readable.count(view.lastTrade.number),
                ])
            rows.append([
                "id": .number(view.id.number), "symbol": .string("\(view.symbol)"),
                "base": .string(replica.code(view.base)),
                "quote": .string(replica.code(view.quote)), "state": .string("\(view.state)"),
                "tick": .string(grid.text(Price(ticks: 1))),
                "lot": .string(grid.text(Quantity(lots: 1))),
                "last": grid.json(view.lastPrice), "bid": grid.json(bid), "ask": grid.json(ask),
                "trades": .number(view.lastTrade.number),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There are no markets yet. See: boursectl instrument add --help")
    }
}
