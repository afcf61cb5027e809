// What a transaction moves, where it moves coins and does nothing else.

public import Addresses

/// A coin, whom it goes to, and how much of it.
public struct EVMMovement: Hashable, Sendable {
    /// Native coin, or a token by its contract.
    public let coin: EVMCoin
    /// Who receives it.
    public let receiver: EVMAddress
    /// How much, in the coin's smallest unit; above zero.
    public let units: EVMWord

    /// So much of a coin that goes to somebody.
    public init(coin: EVMCoin, receiver: EVMAddress, units: EVMWord) {
        (self.coin, self.receiver, self.units) = (coin, receiver, units)
    }
}

extension EVMTransaction {
    /// What it moves; nil: nothing, or it does something else as well.
    public var movement: EVMMovement? {
        if data.isEmpty {
            return value > .zero
                ? EVMMovement(coin: .native, receiver: destination, units: value) : nil
        }
        guard value == .zero, let call = try? TokenTransfer(decoding: data), call.amount > .zero
        else { return nil }
        return EVMMovement(
            coin: .token(destination), receiver: call.receiver, units: call.amount)
    }
}
