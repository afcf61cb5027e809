// How far fees are from their rates in a market's smallest orders.

import Presentation
import Terms
package import Wire

/// What the smallest order of a market brings of an asset. Its fee is rounded up to a whole unit.
package struct FeeRounding: Hashable {
    /// The asset's code.
    package let asset: String
    /// Smallest units of it, above zero.
    package let units: Int128

    /// Whether a unit is at most a hundredth of the order.
    package var isFine: Bool { units >= 100 }

    /// What that means, for operators.
    package var text: String {
        let share = DecimalNumber.percent(Int128(1_000_000) / units, scale: 6)
        return "an order of the smallest size brings \(units) smallest units of \(asset), so a fee "
            + "that is rounded up to one unit is \(share) of it"
    }

    /// The assets of a market in which a unit is more than a thousandth of the smallest order.
    package static func noticeable(
        in terms: SetInstrument, base: String, quote: String
    ) -> [FeeRounding] {
        let smallest = [
            FeeRounding(
                asset: base, units: Int128(terms.quantityMin.lots) * Int128(terms.lotUnits)),
            FeeRounding(asset: quote, units: terms.notionalMin.units),
        ]
        return smallest.filter { (1..<1_000).contains($0.units) }
    }
}
