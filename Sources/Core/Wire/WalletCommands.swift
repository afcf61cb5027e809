// The wallet's commands.

public import Terms

/// Credits an account with an output of a transaction on a chain: once per output, however often it
/// is submitted.
///
///      0  u32  account
///      4  u16  asset
///      6  u16  network        0: not said
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
    /// The chain, from rules 2 on; 0: not said, as before them.
    public var network: NetworkID
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
        account: AccountID, asset: AssetID, network: NetworkID = NetworkID(0),
        transactionHigh: UInt128, transactionLow: UInt128, output: UInt32, amount: Amount
    ) {
        (self.account, self.asset, self.network) = (account, asset, network)
        (self.transactionHigh, self.transactionLow) = (transactionHigh, transactionLow)
        (self.output, self.amount) = (output, amount)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(network.number)
        w.integer(output)
        w.reserved(4)
        w.integer(transactionHigh)
        w.integer(transactionLow)
        w.integer(amount.units)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        output = r.integer()
        r.reserved(4)
        transactionHigh = r.integer()
        transactionLow = r.integer()
        amount = Amount(units: r.integer())
    }
}

/// States what the wallet sees of a deposit that is not credited yet. It changes nothing: followers
/// show it.
///
///      0  u32  account
///      4  u16  asset
///      6  u16  network
///      8  u32  output
///     12  u32  confirmations
///     16  32   transaction
///     48  i128 amount
///     64  u8   status, then 7 reserved
public struct NoteDeposit: CommandPayload {
    public static var kind: CommandKind { .noteDeposit }
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The output's index in the transaction; a token's log index.
    public var output: UInt32
    /// How many it has; 0: it is in no block.
    public var confirmations: UInt32
    /// The transaction.
    public var transaction: TransactionID
    /// In the asset's smallest units; above zero.
    public var amount: Amount
    /// Whether it is still there.
    public var status: DepositStatus

    /// What is seen.
    public init(
        account: AccountID, asset: AssetID, network: NetworkID, transaction: TransactionID,
        output: UInt32, amount: Amount, confirmations: UInt32, status: DepositStatus
    ) {
        (self.account, self.asset, self.network) = (account, asset, network)
        (self.transaction, self.output, self.amount) = (transaction, output, amount)
        (self.confirmations, self.status) = (confirmations, status)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(network.number)
        w.integer(output)
        w.integer(confirmations)
        w.transaction(transaction)
        w.integer(amount.units)
        w.choice(status)
        w.reserved(7)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        output = r.integer()
        confirmations = r.integer()
        transaction = r.transaction()
        amount = Amount(units: r.integer())
        status = r.choice(.pending)
        r.reserved(7)
    }
}

/// A signed transaction that pays approved withdrawals. From here on it may be broadcast, by
/// anybody and for ever, and nothing else may pay them but a transaction that replaces it.
///
/// From rules 3 on it may pay none: a *transfer* of the wallet's own, as a sweep of deposits, gas
/// for one, a consolidation of coins, or to cold storage. The log has its bytes for the same
/// reason.
///
///      0  u16  asset
///      2  u16  network
///      4  u16  withdrawals
///      6  2    reserved
///      8  32   transaction
///     40  32   transaction that it replaces, or zero
///     72  u64  each withdrawal, ascending; then u32 bytes, the signed transaction
public struct SignWithdrawals: CommandPayload {
    public static var kind: CommandKind { .signWithdrawals }
    /// Room for a transaction of many inputs.
    public static var recordBytesMax: Int { Limits.recordBytesMax }
    /// The asset of the withdrawals, or the one that is moved.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The transaction.
    public var transaction: TransactionID
    /// A transaction of the same withdrawals with which it conflicts on the chain, or none. A
    /// transfer's is another transfer of the chain, of any asset.
    public var replaces: TransactionID
    /// What it pays, ascending; up to `Limits.payeesMax`. None: a transfer, from rules 3 on.
    public var withdrawals: [WithdrawalID]
    /// The signed transaction as nodes take it; up to `Limits.transactionBytesMax`.
    public var bytes: [UInt8]

    /// A signed transaction.
    public init(
        asset: AssetID, network: NetworkID, transaction: TransactionID,
        replaces: TransactionID = .none, withdrawals: [WithdrawalID], bytes: [UInt8]
    ) {
        (self.asset, self.network, self.transaction) = (asset, network, transaction)
        (self.replaces, self.withdrawals, self.bytes) = (replaces, withdrawals, bytes)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(asset.number)
        w.integer(network.number)
        w.integer(UInt16(withdrawals.count))
        w.reserved(2)
        w.transaction(transaction)
        w.transaction(replaces)
        for withdrawal in withdrawals { w.integer(withdrawal.number) }
        w.integer(UInt32(bytes.count))
        for byte in bytes { w.integer(byte) }
    }

    public init(from r: inout WireReader) {
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        let count = Int(r.integer(UInt16.self))
        r.reserved(2)
        transaction = r.transaction()
        replaces = r.transaction()
        withdrawals = []
        bytes = []
        guard count <= Limits.payeesMax, r.remaining >= 8 * count else {
            r.invalidate()
            return
        }
        for _ in 0..<count { withdrawals.append(WithdrawalID(r.integer())) }
        bytes = r.bytes(count: Int(r.integer(UInt32.self)), most: Limits.transactionBytesMax)
    }
}

/// A signed transaction is final on its chain.
///
///      0  32   transaction
///     32  u16  asset of the cost
///     34  6    reserved
///     40  u64  block
///     48  i128 cost
public struct SettleTransaction: CommandPayload {
    public static var kind: CommandKind { .settleTransaction }
    /// The transaction.
    public var transaction: TransactionID
    /// The asset in which the chain was paid.
    public var costAsset: AssetID
    /// The height of its block.
    public var block: UInt64
    /// What the chain took, in the asset's smallest units.
    public var cost: Amount

    /// An end by settlement.
    public init(transaction: TransactionID, costAsset: AssetID, cost: Amount, block: UInt64) {
        (self.transaction, self.costAsset) = (transaction, costAsset)
        (self.cost, self.block) = (cost, block)
    }

    public func encode(into w: inout WireWriter) {
        w.transaction(transaction)
        w.integer(costAsset.number)
        w.reserved(6)
        w.integer(block)
        w.integer(cost.units)
    }

    public init(from r: inout WireReader) {
        transaction = r.transaction()
        costAsset = AssetID(r.integer())
        r.reserved(6)
        block = r.integer()
        cost = Amount(units: r.integer())
    }
}

/// A signed transaction can never be final, as its chain has another one in its place: what nothing
/// else pays may be signed anew.
///
///      0  32   transaction
public struct DropTransaction: CommandPayload {
    public static var kind: CommandKind { .dropTransaction }
    /// The transaction.
    public var transaction: TransactionID

    /// An end without payment.
    public init(transaction: TransactionID) { self.transaction = transaction }

    public func encode(into w: inout WireWriter) { w.transaction(transaction) }

    public init(from r: inout WireReader) { transaction = r.transaction() }
}

/// Stops an asset's withdrawals: none is accepted and none is signed until an operator resumes
/// them.
///
///      0  u16  asset, then the reason: u16 bytes, UTF-8
public struct StopWithdrawals: CommandPayload {
    public static var kind: CommandKind { .stopWithdrawals }
    /// The asset.
    public var asset: AssetID
    /// What is wrong, up to `Limits.reasonBytesMax` bytes.
    public var reason: String

    /// A stop.
    public init(asset: AssetID, reason: String) { (self.asset, self.reason) = (asset, reason) }

    public func encode(into w: inout WireWriter) {
        w.integer(asset.number)
        w.string(reason)
    }

    public init(from r: inout WireReader) {
        asset = AssetID(r.integer())
        reason = r.string(most: Limits.reasonBytesMax)
    }
}

extension WireWriter {
    /// Writes a transaction's id.
    public mutating func transaction(_ id: TransactionID) {
        integer(id.high)
        integer(id.low)
    }
}

extension WireReader {
    /// The next transaction's id.
    public mutating func transaction() -> TransactionID {
        TransactionID(high: integer(), low: integer())
    }
}
