// An instrument's tick and lot as decimals, and the prices and quantities that fit them.

package import Terms
package import Wire

/// The grid of an instrument's prices and quantities.
package struct Grid: Hashable, Sendable {
    /// The tick's digits.
    package let tickMantissa: Int64
    /// The tick's decimals.
    package let tickScale: UInt8
    /// Smallest units of the base in a lot.
    package let lotUnits: Int64
    /// Decimals of the base asset.
    package let baseScale: UInt8
    /// Decimals of the quote asset.
    package let quoteScale: UInt8

    /// The grid of terms that exist.
    package init(
        tickMantissa: Int64, tickScale: UInt8, lotUnits: Int64, baseScale: UInt8, quoteScale: UInt8
    ) {
        (self.tickMantissa, self.tickScale) = (tickMantissa, tickScale)
        (self.lotUnits, self.baseScale, self.quoteScale) = (lotUnits, baseScale, quoteScale)
    }

    /// The grid of a tick and a lot in decimals.
    ///
    /// - Throws: where one of them is out of its range, or a tick times a lot is not a whole number
    ///   of the quote's smallest units; the error names the nearest ones that are.
    package init(
        tick: DecimalNumber, lot: DecimalNumber, baseScale: UInt8, quoteScale: UInt8
    ) throws(InputError) {
        guard tick.digits > 0, tick.digits <= 1_000_000_000_000_000_000, tick.scale <= 18 else {
            throw InputError(
                "the tick \(tick) is out of range",
                repair: "give a positive --tick with at most 18 digits and 18 decimals, as 0.01")
        }
        guard lot.digits > 0, let units = lot.units(scale: Int(baseScale)),
            let lotUnits = Int64(exactly: units)
        else {
            let least = DecimalNumber(units: 1, scale: Int(baseScale))
            throw InputError(
                "the lot \(lot) is not a whole number of the base asset's smallest unit, \(least)",
                repair: "give a --lot that is a multiple of \(least)")
        }
        self.init(
            tickMantissa: Int64(tick.digits), tickScale: UInt8(tick.scale), lotUnits: lotUnits,
            baseScale: baseScale, quoteScale: quoteScale)
        try checkWhole()
    }

    private func checkWhole() throws(InputError) {
        let least = Int128(1)
        let product = Self.power(Int(tickScale) + Int(baseScale))
        let money = Self.power(Int(quoteScale))
        let lotStep = Self.cofactor(of: product, without: Int128(tickMantissa), money)
        let tickStep = Self.cofactor(of: product, without: Int128(lotUnits), money)
        guard Int128(lotUnits) % lotStep == 0 else {
            let lot = Self.roundUp(Int128(lotUnits), lotStep)
            let tick = Self.roundUp(Int128(tickMantissa), tickStep)
            throw InputError(
                "one tick × one lot is not a whole number of the quote asset's smallest unit, "
                    + "\(DecimalNumber(units: least, scale: Int(quoteScale))), so a trade could "
                    + "not be settled exactly",
                repair: "use --lot \(DecimalNumber(units: lot, scale: Int(baseScale))) with this "
                    + "tick, or --tick \(DecimalNumber(units: tick, scale: Int(tickScale))) with "
                    + "this lot, or a quote asset with more decimals")
        }
        guard notionalUnit != nil else {
            throw InputError(
                "one tick × one lot is more than 2^62 of the quote asset's smallest units",
                repair: "use a smaller --tick or a smaller --lot")
        }
    }

    /// Smallest units of the quote in one tick × one lot; nil where not whole or above 2^62.
    package var notionalUnit: Int64? {
        var divisor = Self.power(Int(tickScale) + Int(baseScale))
        var product: Int128 = 1
        for factor in [Int128(tickMantissa), Int128(lotUnits), Self.power(Int(quoteScale))] {
            let common = Self.gcd(factor, divisor)
            divisor /= common
            let (next, overflow) = product.multipliedReportingOverflow(by: factor / common)
            guard !overflow else { return nil }
            product = next
        }
        return divisor == 1 && product <= 1 << 62 ? Int64(product) : nil
    }

    private static func power(_ exponent: Int) -> Int128 { DecimalNumber.power(of10: exponent) }

    /// `value` divided by the factors that it shares with the others.
    private static func cofactor(of value: Int128, without factors: Int128...) -> Int128 {
        factors.reduce(value) { $0 / gcd($0, $1) }
    }

    private static func roundUp(_ value: Int128, _ step: Int128) -> Int128 {
        (value + step - 1) / step * step
    }

    private static func gcd(_ a: Int128, _ b: Int128) -> Int128 {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}

extension Grid {
    /// The price of a decimal.
    package func price(_ value: DecimalNumber, option: String) throws(InputError) -> Price {
        let tick = text(Price(ticks: 1))
        guard let units = value.units(scale: Int(tickScale)), units % Int128(tickMantissa) == 0,
            let ticks = Int64(exactly: units / Int128(tickMantissa)),
            (0...Limits.priceTicksMax).contains(ticks)
        else {
            let most = text(Price(ticks: Limits.priceTicksMax))
            throw InputError(
                "\(option) \(value) is not a valid price here",
                repair: "give a multiple of the tick \(tick), from 0 to \(most)")
        }
        return Price(ticks: ticks)
    }

    /// The quantity of a decimal.
    package func quantity(_ value: DecimalNumber, option: String) throws(InputError) -> Quantity {
        guard let units = value.units(scale: Int(baseScale)), units % Int128(lotUnits) == 0,
            let lots = Int64(exactly: units / Int128(lotUnits)),
            (0...Limits.quantityLotsMax).contains(lots)
        else {
            let most = text(Quantity(lots: Limits.quantityLotsMax))
            throw InputError(
                "\(option) \(value) is not a valid quantity here",
                repair: "give a multiple of the lot \(text(Quantity(lots: 1))), from 0 to \(most)")
        }
        return Quantity(lots: lots)
    }

    /// A price as a number.
    package func number(_ price: Price) -> DecimalNumber {
        DecimalNumber(units: Int128(price.ticks) * Int128(tickMantissa), scale: Int(tickScale))
    }

    /// A quantity as a number.
    package func number(_ quantity: Quantity) -> DecimalNumber {
        DecimalNumber(units: Int128(quantity.lots) * Int128(lotUnits), scale: Int(baseScale))
    }

    /// Decimals that every price has.
    package var priceDecimals: Int { number(Price(ticks: 1)).scale }
    /// Decimals that every quantity has.
    package var quantityDecimals: Int { number(Quantity(lots: 1)).scale }

    /// A price for programs: `60000.00`.
    package func text(_ price: Price) -> String { number(price).text(decimals: priceDecimals) }
    /// A quantity for programs.
    package func text(_ quantity: Quantity) -> String {
        number(quantity).text(decimals: quantityDecimals)
    }
    /// A price for people: `60,000.00`; `-` for none.
    package func grouped(_ price: Price) -> String {
        price == .none ? "-" : number(price).grouped(decimals: priceDecimals)
    }
    /// A quantity for people.
    package func grouped(_ quantity: Quantity) -> String {
        number(quantity).grouped(decimals: quantityDecimals)
    }
}

extension Grid {
    /// Default ranges of an instrument: up to 10⁹ ticks and 10⁹ lots, less where the ledger's range
    /// ends earlier.
    package func standardMaxima() -> (price: Price, quantity: Quantity) {
        let unit = Int128(notionalUnit ?? 1)
        var (ticks, lots) = (Int64(1_000_000_000), Int64(1_000_000_000))
        while lots > 1,
            Int128(lots) > Limits.amountUnitsMax / (Int128(ticks) * unit)
                || Int128(lots) > Limits.amountUnitsMax / Int128(lotUnits)
        {
            lots /= 10
            ticks = max(1, ticks / 10)
        }
        return (Price(ticks: ticks), Quantity(lots: lots))
    }
}

extension Grid {
    /// Checks an instrument's ranges by the engine's rules, so that the error names the option at
    /// fault.
    package func checkRanges(of terms: SetInstrument) throws(InputError) {
        guard terms.priceMin.ticks >= 1, terms.priceMin <= terms.priceMax else {
            throw InputError(
                "there is no price from \(text(terms.priceMin)) to \(text(terms.priceMax))",
                repair: "give --price-min of a tick or more, and --price-max above it")
        }
        guard terms.quantityMin.lots >= 1, terms.quantityMin <= terms.quantityMax else {
            throw InputError(
                "there is no quantity from \(text(terms.quantityMin)) to "
                    + "\(text(terms.quantityMax))",
                repair: "give --qty-min of a lot or more, and --qty-max above it")
        }
        let lots = Int128(terms.quantityMax.lots)
        guard
            lots <= Limits.amountUnitsMax
                / (Int128(terms.priceMax.ticks) * Int128(notionalUnit ?? 1)),
            lots <= Limits.amountUnitsMax / Int128(terms.lotUnits)
        else {
            throw InputError(
                "the highest price times the highest quantity exceeds the ledger's range",
                repair: "lower --price-max or --qty-max")
        }
    }
}
