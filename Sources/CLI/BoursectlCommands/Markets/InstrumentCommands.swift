// instrument add, set, list, show

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct InstrumentGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instrument", abstract: "Markets: what is traded against what, and how.",
        subcommands: [
            InstrumentAdd.self, InstrumentSet.self, InstrumentReference.self, InstrumentList.self,
            InstrumentShow.self,
        ])
}

/// The terms that may change while an instrument exists.
struct ChangeableTerms: ParsableArguments {
    @Option(help: "Lowest price.") var priceMin: DecimalNumber?
    @Option(help: "Highest price.") var priceMax: DecimalNumber?
    @Option(help: "Lowest quantity of an order.") var qtyMin: DecimalNumber?
    @Option(help: "Highest quantity of an order.") var qtyMax: DecimalNumber?
    @Option(help: "Lowest price × quantity of an order, in the quote asset; 0: none.")
    var notionalMin: DecimalNumber?
    @Option(help: "Highest price × quantity of an order, in the quote asset; 0: none.")
    var notionalMax: DecimalNumber?
    @Option(help: "What the price band is measured from before the first trade.")
    var reference: DecimalNumber?
    @Option(help: "How far above the last price an order may be, as 10%; 0%: no limit.")
    var bandUp: String?
    @Option(help: "How far below the last price an order may be, as 10%; 0%: no limit.")
    var bandDown: String?
    @Option(
        help: ArgumentHelp(
            "What happens where an order meets its own account, unless it says so itself: "
                + "none, expire-maker, expire-taker, expire-both or decrement.",
            valueName: "mode"))
    var selfTradePrevention: PreventionMode?

    /// Puts what was given into `terms`.
    func apply(
        to terms: inout SetInstrument, grid: Grid, quote: AssetView
    ) throws {
        if let priceMin { terms.priceMin = try grid.price(priceMin, option: "--price-min") }
        if let priceMax { terms.priceMax = try grid.price(priceMax, option: "--price-max") }
        if let qtyMin { terms.quantityMin = try grid.quantity(qtyMin, option: "--qty-min") }
        if let qtyMax { terms.quantityMax = try grid.quantity(qtyMax, option: "--qty-max") }
        if let notionalMin { terms.notionalMin = try quote.amount(notionalMin) }
        if let notionalMax { terms.notionalMax = try quote.amount(notionalMax) }
        if let reference {
            terms.referencePrice = try grid.price(reference, option: "--reference")
        }
        if let bandUp { terms.bandUp = try Self.band(bandUp, most: 1_000_000_000) }
        if let bandDown { terms.bandDown = try Self.band(bandDown, most: 999_999) }
        if let selfTradePrevention { terms.selfTradePrevention = selfTradePrevention.mode }
        try check(terms, grid)
    }

    private static func band(_ text: String, most: Int128) throws -> Int32 {
        guard let rate = DecimalNumber.rate(text, scale: 6), (0...most).contains(rate) else {
            throw InputFault(
                "\(text) is no band",
                repair: "give a percentage from 0% to \(DecimalNumber.percent(most, scale: 6)) "
                    + "with at most 4 decimals")
        }
        return Int32(rate)
    }

    /// The engine's rules for ranges, so that the answer names the option at fault.
    private func check(_ terms: SetInstrument, _ grid: Grid) throws {
        guard terms.priceMin.ticks >= 1, terms.priceMin <= terms.priceMax else {
            throw InputFault(
                "prices from \(grid.text(terms.priceMin)) to \(grid.text(terms.priceMax)) are no "
                    + "range",
                repair: "give --price-min of a tick or more, and --price-max above it")
        }
        guard terms.quantityMin.lots >= 1, terms.quantityMin <= terms.quantityMax else {
            throw InputFault(
                "quantities from \(grid.text(terms.quantityMin)) to "
                    + "\(grid.text(terms.quantityMax)) are no range",
                repair: "give --qty-min of a lot or more, and --qty-max above it")
        }
        let unit = Int128(grid.notionalUnit ?? 1)
        let lots = Int128(terms.quantityMax.lots)
        guard lots <= Limits.amountUnitsMax / (Int128(terms.priceMax.ticks) * unit),
            lots <= Limits.amountUnitsMax / Int128(terms.lotUnits)
        else {
            throw InputFault(
                "the highest price times the highest quantity leaves the ledger's range",
                repair: "lower --price-max or --qty-max")
        }
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

/// States that an instrument can be created in.
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

struct InstrumentAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a market.",
        discussion: """
            A price is a multiple of --tick, a quantity of --lot; both stay as they are for good. \
            One tick times one lot must be a whole number of the quote asset's smallest unit, so \
            that every trade is paid exactly; if it is not, the answer names the nearest ones that \
            are. Without --price-max and --qty-max the ranges end at 1,000,000,000 ticks and lots.

            An order's fee is rounded up to a whole smallest unit. Where that unit is a hundredth \
            or more of the smallest order, the market is refused, for fees would be far from their \
            rates; --coarse-fees takes it all the same.

            JSON: {"sequence", "id", "symbol"}

            EXAMPLE
              boursectl instrument add BTCUSDT --base BTC --quote USDT \\
                --tick 0.01 --lot 0.00001 --notional-min 5 \\
                --price-max 1000000 --qty-max 9000 --band-up 20% --band-down 20%
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "Its symbol, as BTCUSDT: up to 16 characters.") var symbol: String
    @Option(help: "The asset that is traded.") var base: String
    @Option(help: "The asset it is paid in.") var quote: String
    @Option(help: "Step of prices, as 0.01.") var tick: DecimalNumber
    @Option(help: "Step of quantities, as 0.00001.") var lot: DecimalNumber
    @Option(help: "State to begin in: trading, preopen, pause, halt or closed.")
    var begin: FirstState = .trading
    @Flag(help: "Take a market whose fees round by a hundredth of an order or more.")
    var coarseFees = false
    @OptionGroup var terms: ChangeableTerms

    func run() throws {
        let desk = try common.exchange().desk(signature.who)
        let command = try self.command(desk.replica)
        try checkFees(command)
        if desk.replica.engine.instrument(symbol: command.symbol) != nil {
            throw Failure(
                "\(symbol) exists",
                repair: "see it with `boursectl instrument show \(symbol)`, change what can change "
                    + "with `boursectl instrument set \(symbol)`")
        }
        let receipt = try desk.submit(command)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "symbol": .string(symbol),
            ], text: ["\(symbol) is there, in state \(begin.rawValue). \(receipt.text)"])
    }

    /// Refuses a market whose fees are far from their rates; warns where they are not near.
    private func checkFees(_ command: SetInstrument) throws {
        let received: [(of: String, units: Int128)] = [
            (base, Int128(command.quantityMin.lots) * Int128(command.lotUnits)),
            (quote, command.notionalMin.units),
        ]
        for (asset, units) in received where units > 0 && units < 1_000 {
            let share = DecimalNumber.percent(Int128(1_000_000) / units, scale: 6)
            let what =
                "an order of the smallest size brings \(units) smallest units of \(asset), so that "
                + "a fee rounded up to one of them is \(share) of it"
            guard units >= 100 || coarseFees else {
                throw Failure(
                    what,
                    repair:
                        "give a larger --qty-min or --notional-min, a larger --lot, or an asset "
                        + "with more decimals; or --coarse-fees where that is meant", code: .usage)
            }
            Terminal.warn("boursectl: \(what)")
        }
    }

    /// The command for what was typed.
    func command(_ replica: Replica) throws -> SetInstrument {
        guard let text = Text16(symbol), !text.isEmpty else {
            throw Failure("\(symbol) is no symbol: up to 16 plain characters", code: .usage)
        }
        let (baseAsset, quoteAsset) = (try replica.asset(base), try replica.asset(quote))
        guard baseAsset.id != quoteAsset.id else {
            throw Failure("\(base) cannot be traded against itself", code: .usage)
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

struct InstrumentSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes a market's ranges, bands and reference price.",
        discussion: """
            What is not given stays. Open orders stay as they are, also those outside a new range.

            JSON: {"sequence", "id", "symbol"}

            EXAMPLE
              boursectl instrument set BTCUSDT --band-up 5% --reason "quiet hours"
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "Its symbol.") var symbol: String
    @OptionGroup var terms: ChangeableTerms

    func run() throws {
        let desk = try common.exchange().desk(signature.who)
        let replica = desk.replica
        let view = try replica.instrument(symbol)
        guard let quote = replica.engine.asset(view.quote) else {
            throw Failure("\(symbol) has no quote asset: its log is damaged")
        }
        var command = SetInstrument(view, audit: try signature.audit())
        let before = command
        try terms.apply(to: &command, grid: replica.grid(view), quote: quote)
        guard command != before else {
            throw Failure(
                "this changes nothing",
                repair: "name what to change, as --price-max 100000",
                code: .usage)
        }
        let receipt = try desk.submit(command)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "symbol": .string(symbol),
            ], text: ["\(symbol) is changed. \(receipt.text)"])
    }
}

struct InstrumentReference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Sets what a market's price band is measured from.",
        discussion: """
            For a market whose last price is stale, so that orders at today's prices are outside \
            its band. It holds until the next trade. What the band is measured from before the \
            first trade is `instrument set --reference`.

            JSON: {"sequence", "id", "symbol", "reference"}

            EXAMPLE
              boursectl instrument reference BTCUSDT 61000 --reason "no trade since Friday"
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Argument(help: "Its symbol.") var symbol: String
    @Argument(help: "The price.") var price: DecimalNumber

    func run() throws {
        let audit = try signature.audit()
        let desk = try common.exchange().desk(signature.who)
        let view = try desk.replica.instrument(symbol)
        let grid = desk.replica.grid(view)
        let ticks = try grid.price(price, option: "the price")
        let receipt = try desk.submit(
            SetReferencePrice(instrument: view.id, price: ticks, audit: audit))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(view.id.number),
                "symbol": .string(symbol), "reference": .string(grid.text(ticks)),
            ],
            text: [
                "The band of \(symbol) is measured from \(grid.grouped(ticks)) until its next "
                    + "trade. \(receipt.text)"
            ])
    }
}

extension SetInstrument {
    /// The terms of an instrument as they stand.
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
