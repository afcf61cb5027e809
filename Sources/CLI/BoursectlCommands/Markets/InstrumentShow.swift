// instrument show

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct InstrumentShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows all terms of a market.",
        discussion: """
            JSON: {"id", "symbol", "base", "quote", "state", "tick", "lot", "priceMin", \
            "priceMax", "quantityMin", "quantityMax", "notionalMin", "notionalMax", "reference", \
            "bandUp", "bandDown", "last", "trades", "openOrders", "rebased", \
            "selfTradePrevention"}; unset terms are null.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Its symbol.") var symbol: String

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.instrument(symbol)
        let orders = replica.orders { $0.instrument == view.id }.count
        common.out.give(json(view, replica, orders), text: text(view, replica, orders))
    }

    private func json(_ view: InstrumentView, _ replica: ExchangeReplica, _ orders: Int)
        -> JSONValue
    {
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

    private func text(_ view: InstrumentView, _ replica: ExchangeReplica, _ orders: Int) -> [String]
    {
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
            facts.add("band reference", grid.grouped(view.rebasedPrice))
        }
        facts.add("self-trade prevention", "\(view.selfTradePrevention)")
        facts.add("last", grid.grouped(view.lastPrice))
        facts.add("trades", Readable.count(view.lastTrade.number))
        facts.add("open orders", Readable.count(orders))
        return facts.lines(common.out.ink)
    }
}
