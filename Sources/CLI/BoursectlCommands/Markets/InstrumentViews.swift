// instrument list, instrument show, book

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct InstrumentList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the markets.",
        discussion: """
            JSON: [{"id", "symbol", "base", "quote", "state", "tick", "lot", "last", "bid", "ask", \
            "trades"}]; last, bid and ask are null where there is none.
            """)

    @OptionGroup var common: Common

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
            empty: "There is no market yet. See: boursectl instrument add --help")
    }
}

extension Grid {
    /// A price, or null for none.
    func json(_ price: Price) -> JSONValue { price == .none ? .null : .string(text(price)) }
}

struct InstrumentShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows all terms of a market.",
        discussion: """
            JSON: {"id", "symbol", "base", "quote", "state", "tick", "lot", "priceMin", \
            "priceMax", "quantityMin", "quantityMax", "notionalMin", "notionalMax", "reference", \
            "bandUp", "bandDown", "last", "trades", "openOrders", "rebased", \
            "selfTradePrevention"}; what is not set is null.
            """)

    @OptionGroup var common: Common
    @Argument(help: "Its symbol.") var symbol: String

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.instrument(symbol)
        let orders = replica.orders { $0.instrument == view.id }.count
        common.out.give(json(view, replica, orders), text: text(view, replica, orders))
    }

    private func json(_ view: InstrumentView, _ replica: Replica, _ orders: Int) -> JSONValue {
        let grid = replica.grid(view)
        func amount(_ amount: Amount) -> JSONValue {
            amount == .zero ? .null : .string("\(replica.number(amount, view.quote))")
        }
        func band(_ band: Int32) -> JSONValue {
            band == 0 ? .null : .string(DecimalNumber.percent(Int128(band), scale: 6))
        }
        return [
            "id": .number(view.id.number), "symbol": .string("\(view.symbol)"),
            "base": .string(replica.code(view.base)), "quote": .string(replica.code(view.quote)),
            "state": .string("\(view.state)"), "tick": .string(grid.text(Price(ticks: 1))),
            "lot": .string(grid.text(Quantity(lots: 1))), "priceMin": grid.json(view.priceMin),
            "priceMax": grid.json(view.priceMax),
            "quantityMin": .string(grid.text(view.quantityMin)),
            "quantityMax": .string(grid.text(view.quantityMax)),
            "notionalMin": amount(view.notionalMin), "notionalMax": amount(view.notionalMax),
            "reference": grid.json(view.referencePrice), "bandUp": band(view.bandUp),
            "bandDown": band(view.bandDown), "last": grid.json(view.lastPrice),
            "trades": .number(view.lastTrade.number), "openOrders": .number(orders),
            "rebased": grid.json(view.rebasedPrice),
            "selfTradePrevention": .string("\(view.selfTradePrevention)"),
        ]
    }

    private func text(_ view: InstrumentView, _ replica: Replica, _ orders: Int) -> [String] {
        let grid = replica.grid(view)
        let (base, quote) = (replica.code(view.base), replica.code(view.quote))
        func amount(_ amount: Amount) -> String {
            amount == .zero ? "none" : replica.number(amount, view.quote).grouped() + " " + quote
        }
        func band(_ band: Int32) -> String {
            band == 0 ? "none" : DecimalNumber.percent(Int128(band), scale: 6)
        }
        var facts = Facts()
        facts.add("symbol", "\(view.symbol)")
        facts.add("state", "\(view.state)")
        facts.add("tick", "\(grid.text(Price(ticks: 1))) \(quote)")
        facts.add("lot", "\(grid.text(Quantity(lots: 1))) \(base)")
        facts.add(
            "price", "\(grid.grouped(view.priceMin)) to \(grid.grouped(view.priceMax)) \(quote)")
        facts.add(
            "quantity",
            "\(grid.grouped(view.quantityMin)) to \(grid.grouped(view.quantityMax)) \(base)")
        facts.add("notional from", amount(view.notionalMin))
        facts.add("notional to", amount(view.notionalMax))
        facts.add("band up", band(view.bandUp))
        facts.add("band down", band(view.bandDown))
        facts.add("reference", grid.grouped(view.referencePrice))
        if view.rebasedPrice != .none {
            facts.add("band measured from", grid.grouped(view.rebasedPrice))
        }
        facts.add("self-trade prevention", "\(view.selfTradePrevention)")
        facts.add("last", grid.grouped(view.lastPrice))
        facts.add("trades", Readable.count(view.lastTrade.number))
        facts.add("open orders", Readable.count(orders))
        return facts.lines(common.out.ink)
    }
}

struct Book: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "book", abstract: "Shows a market's order book.",
        discussion: """
            JSON: {"symbol", "bids", "asks"}, each a list of {"price", "quantity", "orders"} from \
            the best price on. Hidden parts of icebergs are not in it.
            """)

    @OptionGroup var common: Common
    @Argument(help: "The market's symbol.") var symbol: String
    @Option(help: "Prices a side.") var depth = 10

    func validate() throws {
        guard (1...10_000).contains(depth) else {
            throw ValidationError("--depth is from 1 to 10000.")
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

    private func levels(_ replica: Replica, _ id: InstrumentID, _ side: Side) -> [LevelView] {
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
