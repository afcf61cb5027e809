// The wallet's commands.

public import Terms

/// Credits an account with an output of a transaction on a chain: once per output, however often it
/// is submitted.
///
///      0  u32  account
///      4  u16  asset
///      6  2    reserved
///      8  u32  output         its index in the transaction; a token's log index
///     12  4    reserved
///     16  32   transaction    its id, as the chain's node writes it
///     48  i128 amount
@frozen public struct CreditDeposit: CommandPayload, BitwiseCopyable {
    public static var kind: CommandKind { .creditDeposit }
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The output's index.
    public var output: UInt32
    /// The transaction's id, bytes 0–15 and 16–31.
    public var transactionHigh: UInt128
    /// The transaction's id, second half.
    public var transactionLow: UInt128
    /// In the asset's smallest units; above zero.
    public var amount: Amount

    /// A credit of one output.
    @inlinable public init(
        account: AccountID, asset: AssetID, transactionHigh: UInt128, transactionLow: UInt128,
        output: UInt32, amount: Amount
    ) {
        (self.account, self.asset, self.transactionHigh) = (account, asset, transactionHigh)
        (self.transactionLow, self.output, self.amount) = (transactionLow, output, amount)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.reserved(2)
        w.integer(output)
        w.reserved(4)
        w.integer(transactionHigh)
        w.integer(transactionLow)
        w.integer(amount.units)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        r.reserved(2)
        output = r.integer()
        r.reserved(4)
        transactionHigh = r.integer()
        transactionLow = r.integer()
        amount = Amount(units: r.integer())
    }
}
