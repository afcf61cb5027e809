// Identifiers given by the engine, in the order of the log, and never used again.

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
