// Operators' commands. Each has its operator and reason, for the audit trail.

public import Terms

/// The operator of a command, and the reason.
///
///      …  text40 operator, then the reason: u16 bytes, UTF-8
public struct Audit: Hashable, Sendable {
    /// The operator's name.
    public var operatorName: Text40
    /// The reason, up to `Limits.reasonBytesMax` bytes.
    public var reason: String

    /// A name and a reason.
    public init(operatorName: Text40, reason: String) {
        (self.operatorName, self.reason) = (operatorName, reason)
    }

    func encode(into w: inout WireWriter) {
        w.text(operatorName)
        w.string(reason)
    }

    init(from r: inout WireReader) {
        operatorName = r.text()
        reason = r.string(most: Limits.reasonBytesMax)
    }
}

/// Creates an asset. The outcome has its id. Repeating it with the same terms has no effect.
///
///      0  text16 code     8 is the place of scale: u8, then 7 reserved, then `Audit`
public struct SetAsset: CommandPayload {
    public static var kind: CommandKind { .setAsset }
    /// The asset's code, as `BTC`.
    public var code: Text16
    /// Decimals of its smallest unit, 0 … 18.
    public var scale: UInt8
    /// The operator and the reason.
    public var audit: Audit

    /// An asset of these terms.
    public init(code: Text16, scale: UInt8, audit: Audit) {
        (self.code, self.scale, self.audit) = (code, scale, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.text(code)
        w.integer(scale)
        w.reserved(7)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        code = r.text()
        scale = r.integer()
        r.reserved(7)
        audit = Audit(from: &r)
    }
}

/// An instrument's terms. Tick and lot of an existing instrument can't change.
///
/// A price of one tick is `tickMantissa × 10^-tickScale` of the quote asset for one of the base; a
/// lot is `lotUnits` smallest units of the base. One tick times one lot must be a whole number of
/// the quote's smallest units, so that trades never round.
///
///      0  text16 symbol           64  i64  quantityMin, lots
///     16  u16  base               72  i64  quantityMax, lots
///     18  u16  quote              80  i128 notionalMin, quote units
///     20  u8   tickScale          96  i128 notionalMax, quote units; 0 is none
///     21  u8   state             112  i64  referencePrice, ticks; 0 is none
///     22  u8   selfTradePrevention, the default; 23 reserved
///                                120  i32  bandUp, 10⁻⁶; 0 is none
///     24  i64  tickMantissa      124  i32  bandDown, 10⁻⁶; 0 is none
///     32  i64  lotUnits          128  `Audit`
///     40  i64  priceMin, ticks
///     48  i64  priceMax, ticks
///     56  8    reserved
public struct SetInstrument: CommandPayload {
    public static var kind: CommandKind { .setInstrument }
    /// The symbol, as `BTCUSDT`.
    public var symbol: Text16
    /// The traded asset.
    public var base: AssetID
    /// The asset of its prices.
    public var quote: AssetID
    /// Decimals of the tick.
    public var tickScale: UInt8
    /// State at creation; ignored for an existing instrument.
    public var state: InstrumentState
    /// The mode of orders without their own; not `.instrumentDefault`.
    public var selfTradePrevention: SelfTradePrevention
    /// The tick's digits.
    public var tickMantissa: Int64
    /// Smallest units of the base in one lot.
    public var lotUnits: Int64
    /// Lowest price.
    public var priceMin: Price
    /// Highest price.
    public var priceMax: Price
    /// Lowest quantity of an order.
    public var quantityMin: Quantity
    /// Highest quantity of an order.
    public var quantityMax: Quantity
    /// Lowest price × quantity.
    public var notionalMin: Amount
    /// Highest price × quantity, or zero for none.
    public var notionalMax: Amount
    /// The band's reference before the first trade.
    public var referencePrice: Price
    /// How far above the last or reference price an order may be, 10⁻⁶; 0 is no band.
    public var bandUp: Int32
    /// How far below, 10⁻⁶; 0 is no band.
    public var bandDown: Int32
    /// The operator and the reason.
    public var audit: Audit

    /// An instrument of these terms.
    public init(
        symbol: Text16, base: AssetID, quote: AssetID, tickMantissa: Int64, tickScale: UInt8,
        lotUnits: Int64, state: InstrumentState = .trading, priceMin: Price = Price(ticks: 1),
        priceMax: Price, quantityMin: Quantity = Quantity(lots: 1), quantityMax: Quantity,
        notionalMin: Amount = .zero, notionalMax: Amount = .zero, referencePrice: Price = .none,
        bandUp: Int32 = 0, bandDown: Int32 = 0,
        selfTradePrevention: SelfTradePrevention = .expireMaker, audit: Audit
    ) {
        (self.symbol, self.base, self.quote, self.tickScale) = (symbol, base, quote, tickScale)
        (self.state, self.selfTradePrevention) = (state, selfTradePrevention)
        (self.tickMantissa, self.lotUnits, self.priceMin) = (tickMantissa, lotUnits, priceMin)
        (self.priceMax, self.quantityMin) = (priceMax, quantityMin)
        (self.quantityMax, self.notionalMin) = (quantityMax, notionalMin)
        (self.notionalMax, self.referencePrice) = (notionalMax, referencePrice)
        (self.bandUp, self.bandDown, self.audit) = (bandUp, bandDown, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.text(symbol)
        w.integer(base.number)
        w.integer(quote.number)
        w.integer(tickScale)
        w.choice(state)
        w.choice(selfTradePrevention)
        w.reserved(1)
        w.integer(tickMantissa)
        w.integer(lotUnits)
        w.integer(priceMin.ticks)
        w.integer(priceMax.ticks)
        w.reserved(8)
        w.integer(quantityMin.lots)
        w.integer(quantityMax.lots)
        w.integer(notionalMin.units)
        w.integer(notionalMax.units)
        w.integer(referencePrice.ticks)
        w.integer(bandUp)
        w.integer(bandDown)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        symbol = r.text()
        base = AssetID(r.integer())
        quote = AssetID(r.integer())
        tickScale = r.integer()
        state = r.choice(.closed)
        selfTradePrevention = r.choice(.none)
        r.reserved(1)
        tickMantissa = r.integer()
        lotUnits = r.integer()
        priceMin = Price(ticks: r.integer())
        priceMax = Price(ticks: r.integer())
        r.reserved(8)
        quantityMin = Quantity(lots: r.integer())
        quantityMax = Quantity(lots: r.integer())
        notionalMin = Amount(units: r.integer())
        notionalMax = Amount(units: r.integer())
        referencePrice = Price(ticks: r.integer())
        bandUp = r.integer()
        bandDown = r.integer()
        audit = Audit(from: &r)
    }
}

/// Changes an instrument's state.
///
///      0  u16  instrument         0: all
///      2  u8   state, then 5 reserved, then `Audit`
public struct SetInstrumentState: CommandPayload {
    public static var kind: CommandKind { .setInstrumentState }
    /// The instrument, or 0 for all.
    public var instrument: InstrumentID
    /// The new state.
    public var state: InstrumentState
    /// The operator and the reason.
    public var audit: Audit

    /// A change of state.
    public init(instrument: InstrumentID, state: InstrumentState, audit: Audit) {
        (self.instrument, self.state, self.audit) = (instrument, state, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(instrument.number)
        w.choice(state)
        w.reserved(5)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        instrument = InstrumentID(r.integer())
        state = r.choice(.closed)
        r.reserved(5)
        audit = Audit(from: &r)
    }
}

/// Sets a tier's fees, for one instrument or for all without their own.
///
///      0  u16  tier               from 0
///      2  u16  instrument         0: the tier's own
///      4  i32  maker              10⁻⁸ of what the maker receives; negative is a rebate
///      8  i32  taker
///     12  4    reserved, then `Audit`
public struct SetFees: CommandPayload {
    public static var kind: CommandKind { .setFees }
    /// The tier, from 0, the initial tier of accounts.
    public var tier: UInt16
    /// The instrument, or 0.
    public var instrument: InstrumentID
    /// The maker's rate.
    public var maker: FeeRate
    /// The taker's rate; the sum with the maker's must not be negative.
    public var taker: FeeRate
    /// The operator and the reason.
    public var audit: Audit

    /// Fees of a tier.
    public init(
        tier: UInt16, instrument: InstrumentID = InstrumentID(0), maker: FeeRate, taker: FeeRate,
        audit: Audit
    ) {
        (self.tier, self.instrument) = (tier, instrument)
        (self.maker, self.taker, self.audit) = (maker, taker, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(tier)
        w.integer(instrument.number)
        w.integer(maker.e8)
        w.integer(taker.e8)
        w.reserved(4)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        tier = r.integer()
        instrument = InstrumentID(r.integer())
        maker = FeeRate(e8: r.integer())
        taker = FeeRate(e8: r.integer())
        r.reserved(4)
        audit = Audit(from: &r)
    }
}

/// Opens a customer's account. The outcome has its id; for an existing name, that account's.
///
///      0  text40 name, then `Audit`
public struct OpenAccount: CommandPayload {
    public static var kind: CommandKind { .openAccount }
    /// The owner's name for it, unique.
    public var name: Text40
    /// The operator and the reason.
    public var audit: Audit

    /// An account of that name.
    public init(name: Text40, audit: Audit) { (self.name, self.audit) = (name, audit) }

    public func encode(into w: inout WireWriter) {
        w.text(name)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        name = r.text()
        audit = Audit(from: &r)
    }
}

/// Sets an account's fee tier.
///
///      0  u32  account
///      4  u16  tier, then 2 reserved, then `Audit`
public struct SetAccountTier: CommandPayload {
    public static var kind: CommandKind { .setAccountTier }
    /// The account.
    public var account: AccountID
    /// The tier.
    public var tier: UInt16
    /// The operator and the reason.
    public var audit: Audit

    /// A tier for an account.
    public init(account: AccountID, tier: UInt16, audit: Audit) {
        (self.account, self.tier, self.audit) = (account, tier, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(tier)
        w.reserved(2)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        tier = r.integer()
        r.reserved(2)
        audit = Audit(from: &r)
    }
}

/// Sets or clears a latched kill switch. Setting it cancels the open orders it covers.
///
///      0  u32  account            0: the venue
///      4  u8   isOn, then 3 reserved, then `Audit`
public struct SetKillSwitch: CommandPayload {
    public static var kind: CommandKind { .setKillSwitch }
    /// The account, or 0 for the venue.
    public var account: AccountID
    /// On or off.
    public var isOn: Bool
    /// The operator and the reason.
    public var audit: Audit

    /// A kill switch.
    public init(account: AccountID, isOn: Bool, audit: Audit) {
        (self.account, self.isOn, self.audit) = (account, isOn, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(UInt8(isOn ? 1 : 0))
        w.reserved(3)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        let flag: UInt8 = r.integer()
        if flag > 1 { r.invalidate() }
        isOn = flag == 1
        r.reserved(3)
        audit = Audit(from: &r)
    }
}

/// Adds an API key to an account.
///
///      0  u32  account
///      4  u32  permissions
///      8  u8   algorithm, then 7 reserved
///     16  text64 keyID
///     80  u16 bytes, then the sealed secret, then `Audit`
public struct AddAPIKey: CommandPayload {
    public static var kind: CommandKind { .addAPIKey }
    /// The account.
    public var account: AccountID
    /// Its permissions.
    public var permissions: Permissions
    /// Its signature algorithm.
    public var algorithm: KeyAlgorithm
    /// The identifier that clients send (`X-MBX-APIKEY`).
    public var keyID: Text64
    /// The secret, sealed under the exchange's key, or a plain public key.
    public var sealedSecret: [UInt8]
    /// The operator and the reason.
    public var audit: Audit

    /// A key.
    public init(
        account: AccountID, permissions: Permissions, algorithm: KeyAlgorithm, keyID: Text64,
        sealedSecret: [UInt8], audit: Audit
    ) {
        (self.account, self.permissions, self.algorithm) = (account, permissions, algorithm)
        (self.keyID, self.sealedSecret, self.audit) = (keyID, sealedSecret, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(permissions.rawValue)
        w.choice(algorithm)
        w.reserved(7)
        w.text(keyID)
        w.blob(sealedSecret)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        permissions = Permissions(rawValue: r.integer())
        algorithm = r.choice(.hmacSHA256)
        r.reserved(7)
        keyID = r.text()
        sealedSecret = r.blob(most: Limits.sealedSecretBytesMax)
        audit = Audit(from: &r)
    }
}

/// Revokes an API key.
///
///      0  text64 keyID, then `Audit`
public struct RevokeAPIKey: CommandPayload {
    public static var kind: CommandKind { .revokeAPIKey }
    /// Which.
    public var keyID: Text64
    /// The operator and the reason.
    public var audit: Audit

    /// A revocation.
    public init(keyID: Text64, audit: Audit) { (self.keyID, self.audit) = (keyID, audit) }

    public func encode(into w: inout WireWriter) {
        w.text(keyID)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        keyID = r.text()
        audit = Audit(from: &r)
    }
}

/// Voids the command at a sequence: every replica skips it. Replicas look ahead for this record,
/// which follows the one it voids.
///
///      0  u64  sequence, then `Audit`
public struct VoidSequence: CommandPayload {
    public static var kind: CommandKind { .voidSequence }
    /// Which.
    public var sequence: UInt64
    /// The operator and the reason.
    public var audit: Audit

    /// A voiding.
    public init(sequence: UInt64, audit: Audit) { (self.sequence, self.audit) = (sequence, audit) }

    public func encode(into w: inout WireWriter) {
        w.integer(sequence)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        sequence = r.integer()
        audit = Audit(from: &r)
    }
}

/// Sets the reference of an instrument's price band, and of market orders without a book, until its
/// next trade: for a market whose last price is stale.
///
///      0  u16  instrument
///      2  6    reserved
///      8  i64  price, ticks; then `Audit`
public struct SetReferencePrice: CommandPayload {
    public static var kind: CommandKind { .setReferencePrice }
    /// The instrument.
    public var instrument: InstrumentID
    /// The price.
    public var price: Price
    /// The operator and the reason.
    public var audit: Audit

    /// A reference price.
    public init(instrument: InstrumentID, price: Price, audit: Audit) {
        (self.instrument, self.price, self.audit) = (instrument, price, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(instrument.number)
        w.reserved(6)
        w.integer(price.ticks)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        instrument = InstrumentID(r.integer())
        r.reserved(6)
        price = Price(ticks: r.integer())
        audit = Audit(from: &r)
    }
}
