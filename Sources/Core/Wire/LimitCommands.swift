// Commands that set limits: of accounts, of orders, of the engine.

public import Terms

/// Sets an account's limits of open orders and messages per second. Account 0 sets the default, for
/// all accounts without their own limits.
///
///      0  u32  account
///      4  u32  openOrdersMax         0 is none
///      8  u32  messagesPerSecondMax  0 is none
///     12  4    reserved, then `Audit`
public struct SetAccountLimits: CommandPayload {
    public static var kind: CommandKind { .setAccountLimits }
    /// The account, or 0 for the default.
    public var account: AccountID
    /// Maximum open orders over all instruments, or 0.
    public var openOrdersMax: UInt32
    /// Maximum new orders and changes per second, or 0.
    public var messagesPerSecondMax: UInt32
    /// The operator and the reason.
    public var audit: Audit

    /// These limits.
    public init(
        account: AccountID, openOrdersMax: UInt32 = 0, messagesPerSecondMax: UInt32 = 0,
        audit: Audit
    ) {
        (self.account, self.openOrdersMax) = (account, openOrdersMax)
        (self.messagesPerSecondMax, self.audit) = (messagesPerSecondMax, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(openOrdersMax)
        w.integer(messagesPerSecondMax)
        w.reserved(4)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        openOrdersMax = r.integer()
        messagesPerSecondMax = r.integer()
        r.reserved(4)
        audit = Audit(from: &r)
    }
}

/// Sets the maximum size of an account's order in an instrument. Account 0 sets the default there,
/// for all accounts without their own row. Both zero removes the row.
///
///      0  u32  account
///      4  u16  instrument
///      6  2    reserved
///      8  i64  orderQuantityMax   lots; 0 is none
///     16  i128 orderNotionalMax   the instrument's quote units; 0 is none; then `Audit`
public struct SetOrderLimits: CommandPayload {
    public static var kind: CommandKind { .setOrderLimits }
    /// The account, or 0 for the default.
    public var account: AccountID
    /// The instrument.
    public var instrument: InstrumentID
    /// Maximum lots of one order, or zero.
    public var orderQuantityMax: Quantity
    /// Maximum notional of one order in quote units, or zero.
    public var orderNotionalMax: Amount
    /// The operator and the reason.
    public var audit: Audit

    /// These limits.
    public init(
        account: AccountID, instrument: InstrumentID, orderQuantityMax: Quantity = .zero,
        orderNotionalMax: Amount = .zero, audit: Audit
    ) {
        (self.account, self.instrument) = (account, instrument)
        self.orderQuantityMax = orderQuantityMax
        (self.orderNotionalMax, self.audit) = (orderNotionalMax, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(instrument.number)
        w.reserved(2)
        w.integer(orderQuantityMax.lots)
        w.integer(orderNotionalMax.units)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        instrument = InstrumentID(r.integer())
        r.reserved(2)
        orderQuantityMax = Quantity(lots: r.integer())
        orderNotionalMax = Amount(units: r.integer())
        audit = Audit(from: &r)
    }
}

/// Raises the engine limits of every replica, from this record on; none may fall.
///
///      0  u32 × 10  `EngineLimits`, then `Audit`
public struct RaiseLimits: CommandPayload {
    public static var kind: CommandKind { .raiseLimits }
    /// The new limits, all of them.
    public var limits: EngineLimits
    /// The operator and the reason.
    public var audit: Audit

    /// New limits.
    public init(limits: EngineLimits, audit: Audit) { (self.limits, self.audit) = (limits, audit) }

    public func encode(into w: inout WireWriter) {
        limits.encode(into: &w)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        limits = EngineLimits(from: &r)
        audit = Audit(from: &r)
    }
}
