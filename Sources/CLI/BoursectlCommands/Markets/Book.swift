// book

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct BookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "book", abstract: "Shows a market's order book.",
        discussion: """
            JSON: {"symbol", "bids", "asks"}, each a list of {"price", "quantity", "orders"}, the \
            best price first. Hidden iceberg quantities are not included.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The market's symbol.") var symbol: String
    @Option(help: "Price levels per side.") var depth = 10

    func validate() throws {
        guard (1...10_000).contains(depth) else {
            throw ValidationError("--depth takes 1 to 10000.")
        }
    }

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.instrument(symbol)
        let grid = replica.grid(view)
        let (bids, asks) = (levels(replica, view.id, .buy), levels(replica, view.id, .sell))
        func json(_ levels: [LevelView]) -> JSONValue {
            .array(
                levels.map {
                    [
                        "price": .string(grid.text($0.price)),
                        "quantity": .string(grid.text($0.quantity)), "orders": .number($0.orders),
                    ]
                })
        }
        common.out.give(
            ["symbol": .string(symbol), "bids": json(bids), "asks": json(asks)],
            text: text(bids, asks, grid))
    }

    private func levels(_ replica: ExchangeReplica, _ id: InstrumentID, _ side: Side) -> [LevelView]
    {
        var levels: [LevelView] = []
        replica.engine.forEachLevel(id, side) { level in
            levels.append(level)
            return levels.count < depth
        }
        return levels
    }

    private func text(_ bids: [LevelView], _ asks: [LevelView], _ grid: Grid) -> [String] {
        var table = Table([
            .numbers("ORDERS"), .numbers("BID QUANTITY"), .numbers("BID"), .numbers("ASK"),
            .numbers("ASK QUANTITY"), .numbers("ORDERS"),
        ])
        for row in 0..<max(bids.count, asks.count) {
            let bid = row < bids.count ? bids[row] : nil
            let ask = row < asks.count ? asks[row] : nil
            table.add([
                bid.map { Readable.count($0.orders) } ?? "",
                bid.map { grid.grouped($0.quantity) } ?? "",
                bid.map { grid.grouped($0.price) } ?? "", ask.map { grid.grouped($0.price) } ?? "",
                ask.map { grid.grouped($0.quantity) } ?? "",
                ask.map { Readable.count($0.orders) } ?? "",
            ])
        }
        return table.rows.isEmpty ? ["\(symbol) has no orders."] : table.lines(common.out.ink)
    }
}
