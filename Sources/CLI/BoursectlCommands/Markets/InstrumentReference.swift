// instrument reference

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct InstrumentReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Sets the reference of a market's price band.",
        discussion: """
            For a market whose last price is stale, so that orders at today's prices are outside \
            its band. The reference applies until the next trade; for the one before the first \
            trade, see `instrument set --reference`.

            JSON: {"sequence", "id", "symbol", "reference"}

            EXAMPLE
              boursectl instrument reference BTCUSDT 61000 --reason "no trade since Friday"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "Its symbol.") var symbol: String
    @Argument(help: "The price.") var price: DecimalNumber

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let view = try session.replica.instrument(symbol)
        let grid = session.replica.grid(view)
        let ticks = try grid.price(price, option: "the price")
        let receipt = try session.submit(
            SetReferencePrice(instrument: view.id, price: ticks, audit: audit))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(view.id.number),
                "symbol": .string(symbol), "reference": .string(grid.text(ticks)),
            ],
            text: [
                "The price band of \(symbol) is around \(grid.grouped(ticks)) until its next "
                    + "trade. \(receipt.text)"
            ])
    }
}
