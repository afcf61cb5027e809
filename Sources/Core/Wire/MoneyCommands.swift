// Operators' commands for money: bookings from and to the outside, and the house's fees.

public import Terms

/// Credits (positive) or debits (negative) an account against the external account.
///
///      0  u32  account
///      4  u16  asset
///      6  2    reserved
///      8  i128 amount
///     24  text64 reference, then `Audit`
public struct AdjustBalance: CommandPayload {
    public static var kind: CommandKind { .adjustBalance }
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// In the asset's smallest units; negative takes out.
    public var amount: Amount
    /// The payment outside, as `wire 4711`: a second booking of it is refused.
    public var reference: Text64
    /// The operator and the reason.
    public var audit: Audit

    /// A credit or debit.
    public init(
        account: AccountID, asset: AssetID, amount: Amount, reference: Text64, audit: Audit
    ) {
        (self.account, self.asset, self.amount) = (account, asset, amount)
        (self.reference, self.audit) = (reference, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.reserved(2)
        w.integer(amount.units)
        w.text(reference)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        r.reserved(2)
        amount = Amount(units: r.integer())
        reference = r.text()
        audit = Audit(from: &r)
    }
}

/// Moves money from the house's fees to an account (positive: collected, or refunded to a
/// customer), or from an account to the fees (negative: to fund rebates).
///
///      0  u32  account
///      4  u16  asset
///      6  2    reserved
///      8  i128 amount
///     24  text64 reference, then `Audit`
public struct TransferFees: CommandPayload {
    public static var kind: CommandKind { .transferFees }
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// In the asset's smallest units; negative goes to the fees.
    public var amount: Amount
    /// Its reference, in one set with those of `AdjustBalance`: a second one is refused.
    public var reference: Text64
    /// The operator and the reason.
    public var audit: Audit

    /// A transfer.
    public init(
        account: AccountID, asset: AssetID, amount: Amount, reference: Text64, audit: Audit
    ) {
        (self.account, self.asset, self.amount) = (account, asset, amount)
        (self.reference, self.audit) = (reference, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.reserved(2)
        w.integer(amount.units)
        w.text(reference)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        r.reserved(2)
        amount = Amount(units: r.integer())
        reference = r.text()
        audit = Audit(from: &r)
    }
}
