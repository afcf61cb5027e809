// Identifiers. The engine gives its own in the order of the log, and never gives one again.

/// An asset: 1 … `EngineLimits.assets`, in the order of creation. 0 is none.
@frozen public struct AssetID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt16
    /// The asset of that number.
    @inlinable public init(_ number: UInt16) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: AssetID, b: AssetID) -> Bool { a.number < b.number }
}

/// An instrument (FIX tag 55 Symbol): 1 … `EngineLimits.instruments`. 0 is none or all.
@frozen public struct InstrumentID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt16
    /// The instrument of that number.
    @inlinable public init(_ number: UInt16) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: InstrumentID, b: InstrumentID) -> Bool {
        a.number < b.number
    }
}

/// A customer account (FIX tag 1 Account): 1 … `EngineLimits.accounts`. 0 is none or the venue.
@frozen public struct AccountID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt32
    /// The account of that number.
    @inlinable public init(_ number: UInt32) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: AccountID, b: AccountID) -> Bool { a.number < b.number }
}

/// An order (FIX tag 37 OrderID), from 1. 0 is none.
@frozen public struct OrderID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt64
    /// The order of that number.
    @inlinable public init(_ number: UInt64) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: OrderID, b: OrderID) -> Bool { a.number < b.number }
}

/// A trade (FIX tag 1003 TradeID), from 1 within each instrument.
@frozen public struct TradeID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt64
    /// The trade of that number.
    @inlinable public init(_ number: UInt64) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: TradeID, b: TradeID) -> Bool { a.number < b.number }
}

/// One incarnation of a writer's session in the log, from 1. 0 is the sequencer itself.
@frozen public struct SessionID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt32
    /// The session of that number.
    @inlinable public init(_ number: UInt32) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: SessionID, b: SessionID) -> Bool { a.number < b.number }
}

/// A withdrawal, from 1. 0 is none.
@frozen public struct WithdrawalID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt64
    /// The withdrawal of that number.
    @inlinable public init(_ number: UInt64) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: WithdrawalID, b: WithdrawalID) -> Bool {
        a.number < b.number
    }
}

/// A chain, as the operators number them, from 1. 0 is none.
@frozen public struct NetworkID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public var number: UInt16
    /// The chain of that number.
    @inlinable public init(_ number: UInt16) { self.number = number }
    /// Orders by number.
    @inlinable public static func < (a: NetworkID, b: NetworkID) -> Bool { a.number < b.number }
}

/// A block of a chain: the 32 bytes of its hash, as its nodes write them. All zero is none.
@frozen public struct BlockID: Hashable, BitwiseCopyable, Sendable {
    /// Bytes 0–15.
    public var high: UInt128
    /// Bytes 16–31.
    public var low: UInt128
    /// The block of these bytes.
    @inlinable public init(high: UInt128, low: UInt128) { (self.high, self.low) = (high, low) }
    /// None.
    @inlinable public static var none: BlockID { BlockID(high: 0, low: 0) }
    /// The block of 64 hexadecimal digits, in the order of its bytes; nil for any other text.
    public init?(hex: some StringProtocol) {
        guard let halves = halves(hex: hex) else { return nil }
        (high, low) = halves
    }
    /// Its 64 hexadecimal digits.
    public var hex: String { hexText(high, low) }
}

/// A transaction on a chain: 32 bytes, as its nodes write them. All zero is none.
@frozen public struct TransactionID: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Bytes 0–15.
    public var high: UInt128
    /// Bytes 16–31.
    public var low: UInt128
    /// The transaction of these bytes.
    @inlinable public init(high: UInt128, low: UInt128) { (self.high, self.low) = (high, low) }
    /// None.
    @inlinable public static var none: TransactionID { TransactionID(high: 0, low: 0) }
    /// The transaction of 64 hexadecimal digits, in the order of its bytes; nil for any other text.
    public init?(hex: some StringProtocol) {
        guard let halves = halves(hex: hex) else { return nil }
        (high, low) = halves
    }
    /// Its 64 hexadecimal digits.
    public var hex: String { hexText(high, low) }
    /// Orders by the halves' values.
    @inlinable public static func < (a: TransactionID, b: TransactionID) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }
}
