// Between a token's smallest unit on its chain and the asset's on the exchange.

public import Terms

/// Why an amount cannot be written in other units.
public enum EVMAmountError: Error, Hashable, Sendable, CustomStringConvertible {
    /// More than the exchange's ledger holds of an asset, or than 256 bits.
    case tooLarge
    /// Below zero.
    case negative
    /// The chain's decimals cannot express it.
    case notWhole(decimals: UInt8)

    /// The reason.
    public var description: String {
        switch self {
        case .tooLarge: "the amount is too large"
        case .negative: "the amount is below zero"
        case .notWhole(let decimals):
            "the amount has more than the \(decimals) decimals that the token has on its chain"
        }
    }
}

extension EVMWord {
    /// What it is on the exchange: of a token with `decimals` on its chain, in units of an asset
    /// with `scale` decimals, rounded down. `remainder` is what that leaves out, in the chain's
    /// units; it is zero where the amount is exact.
    public func amount(
        decimals: UInt8, scale: UInt8
    ) throws(EVMAmountError) -> (amount: Amount, remainder: EVMWord) {
        guard decimals > scale else {
            let shifted = shifted(up: scale - decimals)
            return (try Self.amount(shifted), .zero)
        }
        let units = shifted(down: decimals - scale)
        guard let taken = units.shifted(up: decimals - scale),
            let remainder = subtracting(taken)
        else { throw .tooLarge }
        return (try Self.amount(units), remainder)
    }

    /// What an amount of an asset with `scale` decimals is on a chain where it has `decimals`;
    /// exact or an error.
    public init(_ amount: Amount, scale: UInt8, decimals: UInt8) throws(EVMAmountError) {
        guard let units = UInt128(exactly: amount.units) else { throw .negative }
        let word = EVMWord(units)
        guard scale > decimals else {
            guard let shifted = word.shifted(up: decimals - scale) else { throw .tooLarge }
            self = shifted
            return
        }
        self = word.shifted(down: scale - decimals)
        guard shifted(up: scale - decimals) == word else { throw .notWhole(decimals: decimals) }
    }

    private static func amount(_ word: EVMWord?) throws(EVMAmountError) -> Amount {
        guard let word, let units = word.uint128.flatMap({ Int128(exactly: $0) }),
            units <= Limits.amountUnitsMax
        else { throw .tooLarge }
        return Amount(units: units)
    }

    /// Times a power of ten.
    private func shifted(up digits: UInt8) -> EVMWord? {
        var word = self
        for _ in 0..<digits where word != .zero {
            guard let next = word.multiplied(by: 10) else { return nil }
            word = next
        }
        return word
    }

    /// Divided by a power of ten, rounded down.
    private func shifted(down digits: UInt8) -> EVMWord {
        var word = self
        for _ in 0..<digits where word != .zero { word = word.divided(by: 10).quotient }
        return word
    }
}
