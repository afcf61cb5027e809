// What the history returns of deposits and withdrawals.

import Engine
public import Terms
import Wire

/// How far a deposit is. Raw values are in the file: append, never renumber.
public enum DepositState: UInt8, Sendable, CaseIterable {
    /// It is in a block, or waits for one.
    case pending = 0
    /// A reorganisation of the chain took it away before it was credited.
    case gone = 1
    /// It is in its account's balance.
    case credited = 2
}

/// A deposit as it was last seen.
public struct DepositRecord: Hashable, Sendable {
    /// Its number in this history, in the order in which deposits were first seen. A history that
    /// is written anew gives the same numbers.
    public var id: UInt64 = 0
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain; 0: not said, as under rules 1.
    public var network: NetworkID
    /// The transaction.
    public var transaction: TransactionID
    /// The output's index in the transaction; a token's log index.
    public var output: UInt32
    /// The amount.
    public var amount: Amount
    /// How far it is.
    public var state: DepositState
    /// The confirmations last seen; 0 of one that was credited before it was seen otherwise.
    public var confirmations: UInt32
    /// When it was first seen, in nanoseconds since 1970 on the log's clock.
    public var time: Int64
    /// When it was credited; nil: it is not.
    public var creditedTime: Int64?
}

/// A withdrawal's last known state, open or ended.
public struct WithdrawalRecord: Hashable, Sendable {
    /// Its id.
    public var id: WithdrawalID
    /// Its account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Its status.
    public var status: WithdrawalStatus
    /// What arrives.
    public var amount: Amount
    /// The exchange's charge beside it.
    public var fee: Amount
    /// Where it goes.
    public var address: String
    /// The destination's tag, or empty.
    public var tag: String
    /// The customer's own id, or empty.
    public var clientID: String
    /// The transaction that paid it or, before it is final, the newest one that may.
    public var transaction: TransactionID?
    /// When it was requested, in nanoseconds since 1970 on the log's clock.
    public var createdTime: Int64
    /// When its status last changed.
    public var updatedTime: Int64
}

/// Which deposits to read: all that every given term fits, the newest first.
public struct DepositFilter: Hashable, Sendable {
    /// The asset, or nil.
    public var asset: AssetID?
    /// How far they are, or nil.
    public var state: DepositState?
    /// The transaction, or nil.
    public var transaction: TransactionID?
    /// The earliest time at which they were first seen.
    public var start: Int64 = 0
    /// The latest.
    public var end: Int64 = .max
    /// How many to pass over.
    public var offset: Int64 = 0
    /// Maximum number of rows, up to `HistoryRange.limitMax`.
    public var limit: Int = HistoryRange.limitMax

    /// All of an account.
    public init() {}
}

/// Which withdrawals to read: all that every given term fits, the newest first.
public struct WithdrawalFilter: Hashable, Sendable {
    /// The asset, or nil.
    public var asset: AssetID?
    /// Their statuses, or nil.
    public var statuses: [WithdrawalStatus]?
    /// The customer's own id, or nil.
    public var clientID: Text40?
    /// Their ids, up to `idsMax`, or nil.
    public var ids: [WithdrawalID]?
    /// The earliest time of their requests.
    public var start: Int64 = 0
    /// The latest.
    public var end: Int64 = .max
    /// How many to pass over.
    public var offset: Int64 = 0
    /// Maximum number of rows, up to `HistoryRange.limitMax`.
    public var limit: Int = HistoryRange.limitMax

    /// Maximum number of ids of one read.
    public static var idsMax: Int { 45 }

    /// All of an account.
    public init() {}
}

extension DepositRecord {
    /// What a command states that credits it.
    init(_ c: CreditDeposit, at time: Int64) {
        self.init(
            account: c.account, asset: c.asset, network: c.network,
            transaction: TransactionID(high: c.transactionHigh, low: c.transactionLow),
            output: c.output, amount: c.amount, state: .credited, confirmations: 0, time: time,
            creditedTime: time)
    }

    /// What is seen of it before.
    init(_ seen: DepositNoted, at time: Int64) {
        self.init(
            account: seen.account, asset: seen.asset, network: seen.network,
            transaction: seen.transaction, output: seen.output, amount: seen.amount,
            state: seen.status == .pending ? .pending : .gone,
            confirmations: seen.confirmations, time: time, creditedTime: nil)
    }
}
