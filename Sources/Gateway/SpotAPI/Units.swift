// An instrument's units: between the API's decimals and ticks, lots and smallest units.

public import Engine
public import Terms

/// Powers of ten up to 10^38.
func powerOfTen(_ exponent: Int) -> Int128 { DecimalText.powers[exponent] }

/// The scales of an instrument's numbers, to print and to read them.
public struct InstrumentUnits: Sendable {
    /// The instrument.
    public let view: InstrumentView
    /// The traded asset.
    public let base: AssetView
    /// The asset that pays.
    public let quote: AssetView

    /// The units of an instrument of these assets.
    public init(view: InstrumentView, base: AssetView, quote: AssetView) {
        (self.view, self.base, self.quote) = (view, base, quote)
    }

    /// The units of an instrument that `engine` has.
    public init(_ view: InstrumentView, in engine: borrowing Engine) {
        guard let base = engine.asset(view.base), let quote = engine.asset(view.quote) else {
            preconditionFailure("an instrument has its assets")
        }
        self.init(view: view, base: base, quote: quote)
    }

    /// Decimals that a quantity may have: those of the base, at least 8.
    public var basePrecision: Int { max(8, Int(base.scale)) }
    /// Decimals that a price or a quote amount may have: those of the quote and the tick, at least
    /// 8.
    public var quotePrecision: Int { max(8, Int(quote.scale), Int(view.tickScale)) }

    /// A price in ticks. Throws -1111 and -1013.
    public func price(_ value: DecimalText, name: String) throws(APIError) -> Price {
        guard value.scale <= quotePrecision else { throw .precision(name) }
        switch value.steps(of: Int128(view.tickMantissa), scale: Int(view.tickScale)) {
        case .whole(0): throw .priceZero
        case .whole(let ticks):
            guard ticks <= Int128(Limits.priceTicksMax) else { throw .filter("PRICE_FILTER") }
            return Price(ticks: Int64(ticks))
        case .between, .tooLarge: throw .filter("PRICE_FILTER")
        }
    }

    /// A quantity in lots. Throws -1111 and -1013, which names `filter`.
    public func quantity(
        _ value: DecimalText, name: String, filter: String = "LOT_SIZE"
    ) throws(APIError) -> Quantity {
        guard value.scale <= basePrecision else { throw .precision(name) }
        switch value.steps(of: Int128(view.lotUnits), scale: Int(base.scale)) {
        case .whole(0): throw .quantityZero
        case .whole(let lots):
            guard lots <= Int128(Limits.quantityLotsMax) else { throw .filter(filter) }
            return Quantity(lots: Int64(lots))
        case .between, .tooLarge: throw .filter(filter)
        }
    }

    /// A quote amount. Throws -1111 and -1013.
    public func quoteAmount(_ value: DecimalText, name: String) throws(APIError) -> Amount {
        switch value.steps(of: 1, scale: Int(quote.scale)) {
        case .whole(0): throw .quantityZero
        case .whole(let units):
            guard units <= Limits.amountUnitsMax else { throw .filter("NOTIONAL") }
            return Amount(units: units)
        case .between: throw .precision(name)
        case .tooLarge: throw .filter("NOTIONAL")
        }
    }

    /// Price × quantity in the quote's smallest units. Both are within their ranges, so it is
    /// exact.
    public func notional(_ price: Price, _ quantity: Quantity) -> Amount {
        Amount(units: Int128(price.ticks) * Int128(quantity.lots) * Int128(view.notionalUnit))
    }
}

extension JSONWriter {
    /// A price as a string.
    public mutating func price(_ value: Price, _ units: InstrumentUnits) {
        decimal(
            Int128(value.ticks) * Int128(units.view.tickMantissa), scale: Int(units.view.tickScale))
    }

    /// A quantity as a string.
    public mutating func quantity(_ value: Quantity, _ units: InstrumentUnits) {
        decimal(Int128(value.lots) * Int128(units.view.lotUnits), scale: Int(units.base.scale))
    }

    /// An amount of the quote asset as a string.
    public mutating func quoteAmount(_ value: Amount, _ units: InstrumentUnits) {
        decimal(value.units, scale: Int(units.quote.scale))
    }

    /// A member that is a price.
    public mutating func field(_ name: StaticString, _ value: Price, _ units: InstrumentUnits) {
        key(name)
        price(value, units)
    }

    /// A member that is a quantity.
    public mutating func field(_ name: StaticString, _ value: Quantity, _ units: InstrumentUnits) {
        key(name)
        quantity(value, units)
    }

    /// A member that is a quote amount.
    public mutating func field(_ name: StaticString, _ value: Amount, _ units: InstrumentUnits) {
        key(name)
        quoteAmount(value, units)
    }

    /// A member that is an amount of `asset`.
    public mutating func field(_ name: StaticString, _ value: Amount, of asset: AssetView) {
        key(name)
        decimal(value.units, scale: Int(asset.scale))
    }

    /// A member that is a fee rate, as `0.00100000`.
    public mutating func field(_ name: StaticString, _ value: FeeRate) {
        key(name)
        decimal(Int128(value.e8), scale: 8)
    }
}

/// Nanoseconds on the log's clock as the API's milliseconds.
public func milliseconds(_ nanoseconds: Int64) -> Int64 { nanoseconds / 1_000_000 }

/// The unit of the times in a reply or a stream. Source: Binance Spot API documentation, "General
/// API information".
public enum TimeUnit: Hashable, Sendable, CaseIterable {
    /// Unless the client asks for another one.
    case milliseconds
    /// With the header `X-MBX-TIME-UNIT: MICROSECOND`, or `timeUnit=MICROSECOND` in a stream's URL.
    case microseconds

    /// Its word in capitals or small letters; nil for any other.
    public init?(_ word: some StringProtocol) {
        switch word {
        case "MILLISECOND", "millisecond": self = .milliseconds
        case "MICROSECOND", "microsecond": self = .microseconds
        default: return nil
        }
    }

    /// Its length in ns.
    var nanos: Int64 { self == .milliseconds ? 1_000_000 : 1_000 }
}
