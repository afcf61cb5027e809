// Traders' commands.

public import Terms

/// A new order (FIX D, NewOrderSingle).
///
///      0  u32  account            56  i128   quoteQuantity
///      4  u16  instrument         72  text40 clOrdID
///      6  u8   side              112  i64    deadline
///      7  u8   type              120  i64    strategyID
///      8  u8   timeInForce
///      9  u8   selfTradePrevention
///     10  2    reserved
///     12  i32  strategyType
///     16  i64  price
///     24  i64  quantity
///     32  i64  stopPrice
///     40  i64  displayQuantity
///     48  i64  expireTime
@frozen public struct Place: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .place }
    /// The account.
    public var account: AccountID
    /// The instrument.
    public var instrument: InstrumentID
    /// Buy or sell.
    public var side: Side
    /// The order's type.
    public var type: OrderType
    /// Its time in force.
    public var timeInForce: TimeInForce
    /// Its self-trade prevention mode.
    public var selfTradePrevention: SelfTradePrevention
    /// Limit price, or `.none` if the type has no price.
    public var price: Price
    /// Quantity; zero in a market order by quote amount.
    public var quantity: Quantity
    /// Trigger price (FIX tag 99), or `.none`.
    public var stopPrice: Price
    /// Displayed quantity of an iceberg (FIX tag 1138); zero shows all.
    public var displayQuantity: Quantity
    /// Nanoseconds since 1970 for GTD (FIX tag 126); else 0.
    public var expireTime: Int64
    /// Quote amount of a market order (FIX tag 152 CashOrderQty); else zero.
    public var quoteQuantity: Amount
    /// The client's id (FIX tag 11), unique among the account's open orders.
    public var clOrdID: Text40
    /// Nanoseconds since 1970 after which the command is refused, or 0.
    public var deadline: Int64
    /// The client's number for the strategy that the order belongs to, or 0.
    public var strategyID: Int64
    /// The client's number for the kind of strategy, or 0.
    public var strategyType: Int32

    /// An order of these terms.
    @inlinable public init(
        account: AccountID, instrument: InstrumentID, side: Side, type: OrderType,
        timeInForce: TimeInForce = .gtc, selfTradePrevention: SelfTradePrevention = .none,
        price: Price = .none, quantity: Quantity = .zero, stopPrice: Price = .none,
        displayQuantity: Quantity = .zero, expireTime: Int64 = 0, quoteQuantity: Amount = .zero,
        clOrdID: Text40 = Text40(), deadline: Int64 = 0, strategyID: Int64 = 0,
        strategyType: Int32 = 0
    ) {
        (self.account, self.instrument, self.side, self.type) = (account, instrument, side, type)
        (self.timeInForce, self.selfTradePrevention) = (timeInForce, selfTradePrevention)
        (self.price, self.quantity, self.stopPrice) = (price, quantity, stopPrice)
        (self.displayQuantity, self.expireTime) = (displayQuantity, expireTime)
        (self.quoteQuantity, self.clOrdID, self.deadline) = (quoteQuantity, clOrdID, deadline)
        (self.strategyID, self.strategyType) = (strategyID, strategyType)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(instrument.number)
        w.choice(side)
        w.choice(type)
        w.choice(timeInForce)
        w.choice(selfTradePrevention)
        w.reserved(2)
        w.integer(strategyType)
        w.integer(price.ticks)
        w.integer(quantity.lots)
        w.integer(stopPrice.ticks)
        w.integer(displayQuantity.lots)
        w.integer(expireTime)
        w.integer(quoteQuantity.units)
        w.text(clOrdID)
        w.integer(deadline)
        w.integer(strategyID)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        instrument = InstrumentID(r.integer())
        side = r.choice(.buy)
        type = r.choice(.limit)
        timeInForce = r.choice(.gtc)
        selfTradePrevention = r.choice(.none)
        r.reserved(2)
        strategyType = r.integer()
        price = Price(ticks: r.integer())
        quantity = Quantity(lots: r.integer())
        stopPrice = Price(ticks: r.integer())
        displayQuantity = Quantity(lots: r.integer())
        expireTime = r.integer()
        quoteQuantity = Amount(units: r.integer())
        clOrdID = r.text()
        deadline = r.integer()
        strategyID = r.integer()
    }
}

/// Cancels one order (FIX F, OrderCancelRequest), named by its id, the client's id, or both,
/// which must then be of one order.
///
///      0  u32  account
///      4  u16  instrument         must be the order's
///      6  u8   restriction
///      7  1    reserved
///      8  u64  order
///     16  text40 clOrdID
///     56  text40 cancelID
///     96  i64  deadline
@frozen public struct Cancel: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .cancel }
    /// The account.
    public var account: AccountID
    /// The instrument.
    public var instrument: InstrumentID
    /// The order's statuses to which it is restricted.
    public var restriction: CancelRestriction
    /// The order, or 0.
    public var order: OrderID
    /// The order by the client's id (FIX tag 41), or empty.
    public var clOrdID: Text40
    /// The client's own id for the cancel itself (FIX tag 11), or empty.
    public var cancelID: Text40
    /// Nanoseconds since 1970 after which the command is refused, or 0.
    public var deadline: Int64

    /// A cancel of one order.
    @inlinable public init(
        account: AccountID, instrument: InstrumentID, order: OrderID = OrderID(0),
        clOrdID: Text40 = Text40(), restriction: CancelRestriction = .none,
        cancelID: Text40 = Text40(), deadline: Int64 = 0
    ) {
        (self.account, self.instrument) = (account, instrument)
        (self.restriction, self.order, self.clOrdID) = (restriction, order, clOrdID)
        (self.cancelID, self.deadline) = (cancelID, deadline)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(instrument.number)
        w.choice(restriction)
        w.reserved(1)
        w.integer(order.number)
        w.text(clOrdID)
        w.text(cancelID)
        w.integer(deadline)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        instrument = InstrumentID(r.integer())
        restriction = r.choice(.none)
        r.reserved(1)
        order = OrderID(r.integer())
        clOrdID = r.text()
        cancelID = r.text()
        deadline = r.integer()
    }
}

/// Changes an open limit order in place (FIX G, OrderCancelReplaceRequest). A lower quantity alone
/// keeps priority; a new price, or a higher quantity, loses it and may trade as taker.
///
///      0  u32  account
///      4  u16  instrument
///      6  u8   keepsPriority      1: refused if the order would lose its place
///      7  1    reserved
///      8  u64  order
///     16  i64  price              the order's own to keep it
///     24  i64  quantity           new total (FIX tag 38), traded lots included
///     32  text40 clOrdID          names the order as in `Cancel`
///     72  text40 newClOrdID       empty keeps the order's
///    112  i64  deadline
@frozen public struct Amend: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .amend }
    /// The account.
    public var account: AccountID
    /// The instrument.
    public var instrument: InstrumentID
    /// The order, or 0.
    public var order: OrderID
    /// The new price; `.none` keeps it.
    public var price: Price
    /// The new total quantity, traded lots included; zero keeps it.
    public var quantity: Quantity
    /// The order by the client's id, or empty.
    public var clOrdID: Text40
    /// The client's new id for the order (FIX tag 11); empty keeps the present one.
    public var newClOrdID: Text40
    /// Whether it is refused unless it lowers the quantity at the present price.
    public var keepsPriority: Bool
    /// Nanoseconds since 1970 after which the command is refused, or 0.
    public var deadline: Int64

    /// A change of one order.
    @inlinable public init(
        account: AccountID, instrument: InstrumentID, order: OrderID = OrderID(0),
        price: Price = .none, quantity: Quantity = .zero, clOrdID: Text40 = Text40(),
        newClOrdID: Text40 = Text40(), keepsPriority: Bool = false, deadline: Int64 = 0
    ) {
        (self.account, self.instrument, self.order) = (account, instrument, order)
        (self.keepsPriority, self.price, self.quantity) = (keepsPriority, price, quantity)
        (self.clOrdID, self.newClOrdID, self.deadline) = (clOrdID, newClOrdID, deadline)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(instrument.number)
        w.integer(UInt8(keepsPriority ? 1 : 0))
        w.reserved(1)
        w.integer(order.number)
        w.integer(price.ticks)
        w.integer(quantity.lots)
        w.text(clOrdID)
        w.text(newClOrdID)
        w.integer(deadline)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        instrument = InstrumentID(r.integer())
        let flag: UInt8 = r.integer()
        if flag > 1 { r.invalidate() }
        keepsPriority = flag == 1
        r.reserved(1)
        order = OrderID(r.integer())
        price = Price(ticks: r.integer())
        quantity = Quantity(lots: r.integer())
        clOrdID = r.text()
        newClOrdID = r.text()
        deadline = r.integer()
    }
}

/// Cancels one order and places another in one step (Binance order/cancelReplace).
///
///      0  u8   stopOnFailure      1: the new order is tried only after a successful cancel
///      1  7    reserved
///      8  104  `Cancel`           its deadline is 0: the new order's applies to both
///    112  128  `Place`            same account and instrument as the cancel
@frozen public struct CancelReplace: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .cancelReplace }
    /// Whether the new order is tried only after a successful cancel.
    public var stopOnFailure: Bool
    /// The order to cancel.
    public var cancel: Cancel
    /// The order to place.
    public var place: Place

    /// A cancel and a new order.
    @inlinable public init(stopOnFailure: Bool, cancel: Cancel, place: Place) {
        (self.stopOnFailure, self.cancel, self.place) = (stopOnFailure, cancel, place)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(UInt8(stopOnFailure ? 1 : 0))
        w.reserved(7)
        cancel.encode(into: &w)
        place.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        let flag: UInt8 = r.integer()
        if flag > 1 { r.invalidate() }
        stopOnFailure = flag == 1
        r.reserved(7)
        cancel = Cancel(from: &r)
        place = Place(from: &r)
    }
}

/// Cancels all matching open orders (FIX q, OrderMassCancelRequest).
///
///      0  u32  account            0: of all accounts
///      4  u16  instrument         0: in all instruments
///      6  u8   side               0 buy, 1 sell, 255 both
///      7  1    reserved
///      8  i64  deadline
@frozen public struct MassCancel: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .massCancel }
    /// The account, or 0 for all.
    public var account: AccountID
    /// The instrument, or 0 for all.
    public var instrument: InstrumentID
    /// The side, or nil for both.
    public var side: Side?
    /// Nanoseconds since 1970 after which the command is refused, or 0.
    public var deadline: Int64

    /// A cancel of all matching orders.
    @inlinable public init(
        account: AccountID, instrument: InstrumentID = InstrumentID(0), side: Side? = nil,
        deadline: Int64 = 0
    ) {
        (self.account, self.instrument) = (account, instrument)
        (self.side, self.deadline) = (side, deadline)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(instrument.number)
        w.integer(side?.rawValue ?? 255)
        w.reserved(1)
        w.integer(deadline)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        instrument = InstrumentID(r.integer())
        let raw: UInt8 = r.integer()
        side = Side(rawValue: raw)
        if side == nil, raw != 255 { r.invalidate() }
        r.reserved(1)
        deadline = r.integer()
    }
}
