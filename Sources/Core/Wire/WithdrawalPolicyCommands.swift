// What customers may withdraw, and where to: by operators. Rules 3.

public import Terms

/// Sets how long withdrawals wait after a change that a thief would make. What waits already keeps
/// its time.
///
///      0  u32  address delay
///      4  u32  key freeze, then `Audit`
public struct SetWithdrawalPolicy: CommandPayload {
    public static var kind: CommandKind { .setWithdrawalPolicy }
    /// Seconds after which a new address of a customer's address book is usable; 0: at once, up to
    /// `Limits.withdrawalWaitMax`.
    public var addressDelay: UInt32
    /// Seconds for which an account's own requests are refused once a key of it was added or
    /// revoked; 0: none, up to `Limits.withdrawalWaitMax`.
    public var keyFreeze: UInt32
    /// The operator and the reason.
    public var audit: Audit

    /// A policy.
    public init(addressDelay: UInt32, keyFreeze: UInt32, audit: Audit) {
        (self.addressDelay, self.keyFreeze, self.audit) = (addressDelay, keyFreeze, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(addressDelay)
        w.integer(keyFreeze)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        addressDelay = r.integer()
        keyFreeze = r.integer()
        audit = Audit(from: &r)
    }
}

/// Sets how much of an asset leaves: for an account, else for a tier's accounts, else for all. A
/// limit of 0 is none; without any the row is removed.
///
///      0  u32  account     4  u16 asset    6  u16 1 + tier; 0: none
///      8  u32  count of a day             12  4 reserved
///     16  i128 of one withdrawal
///     32  i128 of a day
///     48  i128 of a month, then `Audit`
public struct SetWithdrawalLimits: CommandPayload {
    public static var kind: CommandKind { .setWithdrawalLimits }
    /// Whose; 0: of each account without a row of its own.
    public var account: AccountID
    /// Of each account of this tier, up to 65,534, without a row of its own; `account` is 0 then.
    public var tier: UInt16?
    /// The asset.
    public var asset: AssetID
    /// Maximum requests of an account within 24 hours.
    public var dayCountMax: UInt32
    /// Maximum amount of one withdrawal, in the asset's smallest units.
    public var amountMax: Amount
    /// Maximum amount of an account within 24 hours.
    public var dayAmountMax: Amount
    /// Maximum amount of an account within 30 days.
    public var monthAmountMax: Amount
    /// The operator and the reason.
    public var audit: Audit

    /// These limits.
    public init(
        account: AccountID, tier: UInt16? = nil, asset: AssetID, dayCountMax: UInt32,
        amountMax: Amount, dayAmountMax: Amount, monthAmountMax: Amount, audit: Audit
    ) {
        (self.account, self.tier, self.asset) = (account, tier, asset)
        self.dayCountMax = dayCountMax
        (self.amountMax, self.dayAmountMax) = (amountMax, dayAmountMax)
        (self.monthAmountMax, self.audit) = (monthAmountMax, audit)
    }

    /// Whether nothing is limited.
    public var isEmpty: Bool {
        dayCountMax == 0 && amountMax == .zero && dayAmountMax == .zero && monthAmountMax == .zero
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(tier.map { UInt16(clamping: Int($0) + 1) } ?? 0)
        w.integer(dayCountMax)
        w.reserved(4)
        w.integer(amountMax.units)
        w.integer(dayAmountMax.units)
        w.integer(monthAmountMax.units)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        let tier: UInt16 = r.integer()
        self.tier = tier > 0 ? tier - 1 : nil
        dayCountMax = r.integer()
        r.reserved(4)
        amountMax = Amount(units: r.integer())
        dayAmountMax = Amount(units: r.integer())
        monthAmountMax = Amount(units: r.integer())
        audit = Audit(from: &r)
    }
}

/// Sets an account's own terms of an asset's withdrawals on a chain, or those of a tier's accounts,
/// in place of the network's. Rules 4.
///
///      0  u32  account     4  u16 asset    6  u16 1 + tier; 0: none
///      8  u16  network    10  6 reserved
///     16  i128 minimum; 0: the row is removed
///     32  i128 fee, then `Audit`
public struct SetWithdrawalTerms: CommandPayload {
    public static var kind: CommandKind { .setWithdrawalTerms }
    /// Whose; 0: of the tier.
    public var account: AccountID
    /// Of each account of this tier, up to 65,534, without a row of its own; `account` is 0 then.
    public var tier: UInt16?
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The smallest withdrawal, in the asset's smallest units. 0: the network's terms count again.
    public var minimum: Amount
    /// The exchange's charge for a withdrawal, beside its amount.
    public var fee: Amount
    /// The operator and the reason.
    public var audit: Audit

    /// These terms.
    public init(
        account: AccountID, tier: UInt16? = nil, asset: AssetID, network: NetworkID,
        minimum: Amount, fee: Amount, audit: Audit
    ) {
        (self.account, self.tier, self.asset) = (account, tier, asset)
        (self.network, self.minimum, self.fee) = (network, minimum, fee)
        self.audit = audit
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(tier.map { UInt16(clamping: Int($0) + 1) } ?? 0)
        w.integer(network.number)
        w.reserved(6)
        w.integer(minimum.units)
        w.integer(fee.units)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        let tier: UInt16 = r.integer()
        self.tier = tier > 0 ? tier - 1 : nil
        network = NetworkID(r.integer())
        r.reserved(6)
        minimum = Amount(units: r.integer())
        fee = Amount(units: r.integer())
        audit = Audit(from: &r)
    }
}

/// Adds a destination to a customer's address book, for all assets of a chain. It is usable after
/// the delay that the policy has then.
///
///      0  u32  account     4  u16 network    6  2 reserved
///      8  text64 address
///     72  text40 tag
///    112  text40 label, then `Audit`
public struct AddWithdrawalAddress: CommandPayload {
    public static var kind: CommandKind { .addWithdrawalAddress }
    /// Whose book.
    public var account: AccountID
    /// The chain.
    public var network: NetworkID
    /// The address, in the one form that the chain's withdrawals have.
    public var address: Text64
    /// The destination's tag or memo, or empty.
    public var tag: Text40
    /// The customer's word for it, or empty.
    public var label: Text40
    /// The operator and the reason.
    public var audit: Audit

    /// A destination.
    public init(
        account: AccountID, network: NetworkID, address: Text64, tag: Text40 = Text40(),
        label: Text40 = Text40(), audit: Audit
    ) {
        (self.account, self.network, self.address) = (account, network, address)
        (self.tag, self.label, self.audit) = (tag, label, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(network.number)
        w.reserved(2)
        w.text(address)
        w.text(tag)
        w.text(label)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        network = NetworkID(r.integer())
        r.reserved(2)
        address = r.text()
        tag = r.text()
        label = r.text()
        audit = Audit(from: &r)
    }
}

/// Removes a destination from a customer's address book. Withdrawals that were requested go on.
///
///      0  u32  account     4  u16 network    6  2 reserved
///      8  text64 address
///     72  text40 tag, then `Audit`
public struct RemoveWithdrawalAddress: CommandPayload {
    public static var kind: CommandKind { .removeWithdrawalAddress }
    /// Whose book.
    public var account: AccountID
    /// The chain.
    public var network: NetworkID
    /// The address.
    public var address: Text64
    /// The destination's tag or memo, or empty.
    public var tag: Text40
    /// The operator and the reason.
    public var audit: Audit

    /// A destination.
    public init(
        account: AccountID, network: NetworkID, address: Text64, tag: Text40 = Text40(),
        audit: Audit
    ) {
        (self.account, self.network, self.address) = (account, network, address)
        (self.tag, self.audit) = (tag, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(network.number)
        w.reserved(2)
        w.text(address)
        w.text(tag)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        network = NetworkID(r.integer())
        r.reserved(2)
        address = r.text()
        tag = r.text()
        audit = Audit(from: &r)
    }
}
