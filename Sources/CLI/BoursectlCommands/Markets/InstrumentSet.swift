// instrument set

import ArgumentParser
import Engine
import JSON
import Presentation
import Wire

struct InstrumentSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes a market's ranges, bands and reference price.",
        discussion: """
            Terms that are not given stay unchanged. Open orders stay as they are, even outside a \
            new range.

            JSON: {"sequence", "id", "symbol"}

            EXAMPLE
              boursectl instrument set BTCUSDT --band-up 5% --reason "quiet hours"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "Its symbol.") var symbol: String
    @OptionGroup var terms: InstrumentTermsOptions

    func run() throws {
        let session = try common.exchange().session(signature.who)
        let replica = session.replica
        let view = try replica.instrument(symbol)
        guard let quote = replica.engine.asset(view.quote) else {
            throw CommandError("\(symbol) has no quote asset: its log is damaged")
        }
        var command = SetInstrument(view, audit: try signature.audit())
        let before = command
        try terms.apply(to: &command, grid: replica.grid(view), quote: quote)
        guard command != before else {
            throw CommandError(
                "nothing would change", repair: "give a new value, as --price-max 100000",
                code: .usage)
        }
        let receipt = try session.submit(command)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "symbol": .string(symbol),
            ], text: ["\(symbol) was changed. \(receipt.text)"])
    }
}

extension SetInstrument {
    /// The present terms of an instrument.
    init(_ view: InstrumentView, audit: Audit) {
        self.init(
            symbol: view.symbol, base: view.base, quote: view.quote,
            tickMantissa: view.tickMantissa, tickScale: view.tickScale, lotUnits: view.lotUnits,
            state: view.state, priceMin: view.priceMin, priceMax: view.priceMax,
            quantityMin: view.quantityMin, quantityMax: view.quantityMax,
            notionalMin: view.notionalMin, notionalMax: view.notionalMax,
            referencePrice: view.referencePrice, bandUp: view.bandUp, bandDown: view.bandDown,
            selfTradePrevention: view.selfTradePrevention, audit: audit)
    }
}
