// instrument, and what its verbs share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct InstrumentGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instrument", abstract: "Markets and their terms.",
        subcommands: [
            InstrumentAddCommand.self, InstrumentSetCommand.self, InstrumentReferenceCommand.self,
            InstrumentListCommand.self, InstrumentShowCommand.self,
        ])
}

/// The terms that may change while an instrument exists.
struct InstrumentTermsOptions: ParsableArguments {
    @Option(help: "Minimum price.") var priceMin: DecimalNumber?
    @Option(help: "Maximum price.") var priceMax: DecimalNumber?
    @Option(help: "Minimum quantity of an order.") var qtyMin: DecimalNumber?
    @Option(help: "Maximum quantity of an order.") var qtyMax: DecimalNumber?
    @Option(help: "Minimum price × quantity of an order, in the quote asset; 0: none.")
    var notionalMin: DecimalNumber?
    @Option(help: "Maximum price × quantity of an order, in the quote asset; 0: none.")
    var notionalMax: DecimalNumber?
    @Option(help: "Reference of the price band before the first trade.")
    var reference: DecimalNumber?
    @Option(help: "How far above the last price an order may be, as 10%; 0%: no limit.")
    var bandUp: String?
    @Option(help: "How far below the last price an order may be, as 10%; 0%: no limit.")
    var bandDown: String?
    @Option(
        help: ArgumentHelp(
            "Self-trade prevention of orders that do not choose a mode: "
                + "none, expire-maker, expire-taker, expire-both or decrement.", valueName: "mode"))
    var selfTradePrevention: PreventionMode?

    /// Applies the given options to `terms`.
    func apply(to terms: inout SetInstrument, grid: Grid, quote: AssetView) throws {
        if let priceMin { terms.priceMin = try grid.price(priceMin, option: "--price-min") }
        if let priceMax { terms.priceMax = try grid.price(priceMax, option: "--price-max") }
        if let qtyMin { terms.quantityMin = try grid.quantity(qtyMin, option: "--qty-min") }
        if let qtyMax { terms.quantityMax = try grid.quantity(qtyMax, option: "--qty-max") }
        if let notionalMin { terms.notionalMin = try quote.amount(notionalMin) }
        if let notionalMax { terms.notionalMax = try quote.amount(notionalMax) }
        if let reference { terms.referencePrice = try grid.price(reference, option: "--reference") }
        if let bandUp { terms.bandUp = try Self.band(bandUp, most: 1_000_000_000) }
        if let bandDown { terms.bandDown = try Self.band(bandDown, most: 999_999) }
        if let selfTradePrevention { terms.selfTradePrevention = selfTradePrevention.mode }
        try grid.checkRanges(of: terms)
    }

    private static func band(_ text: String, most: Int128) throws -> Int32 {
        guard let rate = DecimalNumber.rate(text, scale: 6), (0...most).contains(rate) else {
            throw InputError(
                "\(text) is not a valid band",
                repair: "give a percentage from 0% to \(DecimalNumber.percent(most, scale: 6)) "
                    + "with at most 4 decimals")
        }
        return Int32(rate)
    }
}

/// Modes of self-trade prevention that a market can have as its own.
enum PreventionMode: String, ExpressibleByArgument, CaseIterable {
    case none, decrement
    case expireMaker = "expire-maker"
    case expireTaker = "expire-taker"
    case expireBoth = "expire-both"

    var mode: SelfTradePrevention {
        switch self {
        case .none: .none
        case .decrement: .decrement
        case .expireMaker: .expireMaker
        case .expireTaker: .expireTaker
        case .expireBoth: .expireBoth
        }
    }
}

extension Grid {
    /// A price, or null for none.
    func json(_ price: Price) -> JSONValue { price == .none ? .null : .string(text(price)) }
}
