// Prices, quantities and amounts. All are integers; none can be mistaken for another.

/// A price as a whole number of an instrument's ticks (FIX tag 44 Price, 969 MinPriceIncrement).
///
/// Range: 1 … `Limits.priceTicksMax` in orders; 0 means "no price".
@frozen public struct Price: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number of ticks.
    public var ticks: Int64

    /// A price of `ticks` ticks.
    @inlinable public init(ticks: Int64) { self.ticks = ticks }

    /// No price, as in a market order.
    @inlinable public static var none: Price { Price(ticks: 0) }

    /// Orders prices by their ticks.
    @inlinable public static func < (a: Price, b: Price) -> Bool { a.ticks < b.ticks }
}

/// A quantity as a whole number of an instrument's lots (FIX tag 38 OrderQty, 561 RoundLot).
///
/// Range: 0 … `Limits.quantityLotsMax`.
@frozen public struct Quantity: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number of lots.
    public var lots: Int64

    /// A quantity of `lots` lots.
    @inlinable public init(lots: Int64) { self.lots = lots }

    /// Nothing.
    @inlinable public static var zero: Quantity { Quantity(lots: 0) }

    /// Orders quantities by their lots.
    @inlinable public static func < (a: Quantity, b: Quantity) -> Bool { a.lots < b.lots }
}

/// A count of an asset's smallest unit, in 128 bits, so that an 18-decimal token needs no special
/// case. Balances are never negative except those of house accounts.
///
/// No amount in the ledger leaves ±`Limits.amountUnitsMax`, so sums of two amounts cannot overflow.
@frozen public struct Amount: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number of smallest units.
    public var units: Int128

    /// An amount of `units` smallest units.
    @inlinable public init(units: Int128) { self.units = units }

    /// Nothing.
    @inlinable public static var zero: Amount { Amount(units: 0) }

    /// Orders amounts by their units.
    @inlinable public static func < (a: Amount, b: Amount) -> Bool { a.units < b.units }

    /// The sum. Both sides are within the ledger's range, so it cannot overflow.
    @inlinable public static func + (a: Amount, b: Amount) -> Amount {
        Amount(units: a.units + b.units)
    }

    /// The difference. Both sides are within the ledger's range, so it cannot overflow.
    @inlinable public static func - (a: Amount, b: Amount) -> Amount {
        Amount(units: a.units - b.units)
    }

    /// Adds in place.
    @inlinable public static func += (a: inout Amount, b: Amount) { a.units += b.units }

    /// Subtracts in place.
    @inlinable public static func -= (a: inout Amount, b: Amount) { a.units -= b.units }
}

/// A fee rate in units of 10⁻⁸ of the amount received; negative is a rebate.
///
/// Range: −`Limits.feeRateMax` … `Limits.feeRateMax`.
@frozen public struct FeeRate: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Hundred-millionths.
    public var e8: Int32

    /// A rate of `e8` hundred-millionths.
    @inlinable public init(e8: Int32) { self.e8 = e8 }

    /// Orders rates by size.
    @inlinable public static func < (a: FeeRate, b: FeeRate) -> Bool { a.e8 < b.e8 }
}
