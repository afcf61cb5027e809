// The input of a replay, and its trades.

internal import Slabs
public import Terms

/// One order event of a replay file: 40 bytes, little-endian.
///
///      0  u8   kind        `Kind`
///      1  u8   side        0 buy, 1 sell
///      2  u16  symbol      from 1
///      4  u32  account
///      8  u64  orderID
///     16  i64  price       ticks; 0 for market and cancel
///     24  i64  quantity    lots; 0 for cancel
///     32  u64  reserved
@frozen public struct ReplayEvent: BitwiseCopyable, Sendable {
    /// The kind of an event.
    @frozen public enum Kind: UInt8, BitwiseCopyable, Sendable, CaseIterable {
        /// A limit order that rests.
        case limit = 0
        /// A limit order whose rest is dropped.
        case immediateOrCancel = 1
        /// A market order whose rest is dropped.
        case market = 2
        /// A cancel.
        case cancel = 3
        /// A move to a new price with the same open quantity: loses priority, may take.
        case replace = 4
    }

    /// Raw `Kind`.
    public var kind: UInt8
    /// Raw `Side`.
    public var side: UInt8
    /// The instrument, from 1.
    public var symbol: UInt16
    /// The account.
    public var account: UInt32
    /// The order.
    public var orderID: UInt64
    /// In ticks.
    public var price: Int64
    /// In lots.
    public var quantity: Int64
    /// Zero.
    public var reserved: UInt64 = 0

    /// An event.
    @inlinable public init(
        kind: Kind, side: Side, symbol: UInt16, account: UInt32, orderID: UInt64, price: Int64,
        quantity: Int64
    ) {
        self.kind = kind.rawValue
        self.side = side.rawValue
        (self.symbol, self.account, self.orderID) = (symbol, account, orderID)
        (self.price, self.quantity) = (price, quantity)
    }
}

extension ReplayEvent {
    /// Whether it is valid: a known symbol, a price and a quantity within the limits.
    @inline(__always) func isWellFormed(symbols: UInt16, quantityMax: Int64) -> Bool {
        symbol != 0 && symbol <= symbols && orderID != 0 && side < 2
            && price >= 0 && price <= Limits.priceTicksMax
            && quantity >= 0 && quantity <= quantityMax
            && (price > 0 || kind == Kind.market.rawValue || kind == Kind.cancel.rawValue)
            && (quantity > 0 || kind >= Kind.cancel.rawValue)
    }
}

/// A trade of a replay.
@frozen public struct ReplayTrade: BitwiseCopyable, Sendable {
    /// The resting order.
    public var maker: UInt64
    /// The incoming order.
    public var taker: UInt64
    /// In ticks.
    public var price: Int64
    /// In lots.
    public var quantity: Int64
}

/// The result of the second prefetch step: the slot and the level of a coming event.
@frozen public struct ReplayAhead: BitwiseCopyable, Sendable {
    @usableFromInline var slot: UInt32 = .max
    @usableFromInline var level: UInt32 = .max

    /// Nothing.
    public init() {}

    /// Prefetches the event's order and its level, once the lines that name them are loaded.
    @inline(__always) init(
        _ event: ReplayEvent, symbols: UInt16, _ orders: borrowing Orders,
        _ ladders: borrowing Ladders
    ) {
        let isCancel = event.kind == ReplayEvent.Kind.cancel.rawValue
        if !isCancel, event.price >= 0, event.symbol <= symbols {
            let kind = LadderKind(event.side == 0 ? Side.buy : .sell)
            let ladder = Ladders.index(event.symbol, kind)
            if let level = ladders.guess(ladder, event.price) {
                self.level = level
                ladders.prefetch(level: level)
            }
        }
        if event.kind >= ReplayEvent.Kind.cancel.rawValue, let slot = orders.guess(event.orderID) {
            self.slot = slot
            orders.prefetch(slot)
        }
    }

    /// Prefetches the old and new neighbours of the event's order.
    @inline(__always) func prefetch(_ orders: borrowing Orders, _ ladders: borrowing Ladders) {
        if level != none { ladders.prefetchLast(level, orders.hot) }
        if slot != none { ladders.prefetchNeighbours(slot, orders.hot) }
    }
}
