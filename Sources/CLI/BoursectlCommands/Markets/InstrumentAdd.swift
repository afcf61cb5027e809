// instrument add

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct InstrumentAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a market.",
        discussion: """
            Prices are multiples of --tick, quantities of --lot; neither can change later. One \
            tick times one lot must be a whole number of the quote asset's smallest unit, so that \
            every trade is settled exactly; otherwise the error names the nearest valid ones. \
            Without --price-max and --qty-max the ranges end at 1,000,000,000 ticks and lots.

            An order's fee is rounded up to a whole smallest unit. Where that unit is a hundredth \
            or more of the smallest order, the market is refused, since fees would be far from \
            their rates; --coarse-fees adds it all the same.

            JSON: {"sequence", "id", "symbol"}

            EXAMPLE
              boursectl instrument add BTCUSDT --base BTC --quote USDT \\
                --tick 0.01 --lot 0.00001 --notional-min 5 \\
                --price-max 1000000 --qty-max 9000 --band-up 20% --band-down 20%
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "Its symbol, as BTCUSDT: up to 16 characters.") var symbol: String
    @Option(help: "The asset that is traded.") var base: String
    @Option(help: "The asset that prices are in.") var quote: String
    @Option(help: "Price step, as 0.01.") var tick: DecimalNumber
    @Option(help: "Quantity step, as 0.00001.") var lot: DecimalNumber
    @Option(help: "Initial state: trading, preopen, pause, halt or closed.")
    var begin: FirstState = .trading
    @Flag(help: "Accept a market whose fees round by a hundredth of an order or more.")
    var coarseFees = false
    @OptionGroup var terms: InstrumentTermsOptions

    func run() throws {
        let session = try common.exchange().session(signature.who)
        let command = try self.command(session.replica)
        try checkFees(command)
        if session.replica.engine.instrument(symbol: command.symbol) != nil {
            throw CommandError(
                "\(symbol) exists already",
                repair: "see `boursectl instrument show \(symbol)`; change its terms with "
                    + "`boursectl instrument set \(symbol)`")
        }
        let receipt = try session.submit(command)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "symbol": .string(symbol),
            ], text: ["Added \(symbol) in state \(begin.rawValue). \(receipt.text)"])
    }

    /// Refuses a market whose fees would be far from their rates; warns where they are not near.
    private func checkFees(_ command: SetInstrument) throws {
        for asset in FeeRounding.noticeable(in: command, base: base, quote: quote) {
            guard asset.isFine || coarseFees else {
                throw InputError(
                    asset.text,
                    repair: "give a larger --qty-min, --notional-min or --lot, or an asset with "
                        + "more decimals; or --coarse-fees to add it all the same")
            }
            Terminal.warn("boursectl: \(asset.text)")
        }
    }

    /// The command for the given arguments.
    func command(_ replica: ExchangeReplica) throws -> SetInstrument {
        guard let text = Text16(symbol), !text.isEmpty else {
            throw CommandError(
                "\(symbol) is not a valid symbol: use up to 16 ASCII characters", code: .usage)
        }
        let (baseAsset, quoteAsset) = (try replica.asset(base), try replica.asset(quote))
        guard baseAsset.id != quoteAsset.id else {
            throw CommandError("\(base) cannot be traded against itself", code: .usage)
        }
        let grid = try Grid(
            tick: tick, lot: lot, baseScale: baseAsset.scale, quoteScale: quoteAsset.scale)
        let most = grid.standardMaxima()
        var command = SetInstrument(
            symbol: text, base: baseAsset.id, quote: quoteAsset.id,
            tickMantissa: grid.tickMantissa, tickScale: grid.tickScale, lotUnits: grid.lotUnits,
            state: begin.state, priceMax: most.price, quantityMax: most.quantity,
            audit: try signature.audit())
        try terms.apply(to: &command, grid: grid, quote: quoteAsset)
        return command
    }
}

/// Initial states of an instrument.
enum FirstState: String, ExpressibleByArgument, CaseIterable {
    case trading, pause, halt, closed
    case preOpen = "preopen"

    var state: InstrumentState {
        switch self {
        case .trading: .trading
        case .pause: .pause
        case .halt: .halt
        case .closed: .closed
        case .preOpen: .preOpen
        }
    }
}
