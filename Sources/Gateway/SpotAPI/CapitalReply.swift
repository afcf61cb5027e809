// Coins with their networks, deposits and withdrawals as JSON. Source: Binance Wallet API
// documentation, "Capital".

public import Engine
public import Terms

/// An asset's network in `config/getall`.
public struct NetworkReply: Sendable {
    /// The network's terms.
    public var view: NetworkView
    /// Whether it is the one of who names none.
    public var isDefault: Bool
    /// Whether a deposit address can be had.
    public var takesDeposits: Bool
    /// Whether a withdrawal would be taken.
    public var takesWithdrawals: Bool
    /// The account's highest withdrawal, without the fee; nil: there is no limit.
    public var amountMax: Amount?

    /// A network.
    public init(
        view: NetworkView, isDefault: Bool, takesDeposits: Bool, takesWithdrawals: Bool,
        amountMax: Amount? = nil
    ) {
        (self.view, self.isDefault, self.amountMax) = (view, isDefault, amountMax)
        (self.takesDeposits, self.takesWithdrawals) = (takesDeposits, takesWithdrawals)
    }

    /// An element of `networkList`. Binance's amounts of a withdrawal include its fee, so the
    /// minimum does.
    func write(to json: inout JSONWriter, _ asset: AssetView) {
        json.beginObject()
        json.field("network", view.name)
        json.field("coin", asset.code)
        json.field("withdrawIntegerMultiple", Amount(units: 1), of: asset)
        json.field("isDefault", isDefault)
        json.field("depositEnable", takesDeposits)
        json.field("withdrawEnable", takesWithdrawals)
        if !takesDeposits { json.field("depositDesc", "Deposits are closed.") }
        if !takesWithdrawals { json.field("withdrawDesc", "Withdrawals are closed.") }
        json.field("specialTips", "")
        json.field("specialWithdrawTips", "")
        json.field("name", view.name)
        json.field("resetAddressStatus", false)
        json.field("addressRegex", "")
        json.field("addressRule", "")
        json.field("memoRegex", "")
        json.field("withdrawFee", view.fee, of: asset)
        json.field("withdrawMin", view.grossMinimum, of: asset)
        json.field("withdrawMax", highest(asset), of: asset)
        json.field("withdrawInternalMin", view.grossMinimum, of: asset)
        json.field("depositDust", Amount(units: 1), of: asset)
        json.field("minConfirm", view.confirmations)
        json.field("unLockConfirm", view.confirmations)
        json.field("sameAddress", false)
        json.field("withdrawTag", false)
        json.field("estimatedArrivalTime", 0)
        json.field("busy", false)
        json.field("contractAddressUrl", "")
        json.field("contractAddress", "")
        json.endObject()
    }
}

extension NetworkReply {
    /// The highest amount of a withdrawal, its fee included, as Binance's amounts are.
    private func highest(_ asset: AssetView) -> Amount {
        let most = WithdrawalAmount.most(of: asset)
        guard let amountMax else { return most }
        return Amount(units: min(most.units, amountMax.units + view.fee.units))
    }
}

/// An element of `withdraw/address/list`. Source: Binance Wallet API documentation, "Fetch withdraw
/// address list".
public struct BookEntryReply: Sendable {
    /// The destination.
    public var entry: BookEntryView
    /// A coin of its chain.
    public var coin: Text16
    /// The coin's name of the network.
    public var network: Text16
    /// Whether its delay is over.
    public var isUsable: Bool

    /// A destination of a coin.
    public init(entry: BookEntryView, coin: Text16, network: Text16, isUsable: Bool) {
        (self.entry, self.coin, self.network, self.isUsable) = (entry, coin, network, isUsable)
    }

    /// The element.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("address", entry.address.description)
        json.field("addressTag", entry.tag.description)
        json.field("coin", coin)
        json.field("name", entry.label.description)
        json.field("network", network)
        json.field("origin", "")
        json.field("originType", "others")
        json.field("whiteStatus", isUsable)
        json.endObject()
    }
}

/// An element of `config/getall`.
public struct CoinReply: Sendable {
    /// The asset.
    public var asset: AssetView
    /// What the account has of it.
    public var balance: Balance
    /// Its networks, the default first.
    public var networks: [NetworkReply]

    /// An asset with its networks.
    public init(asset: AssetView, balance: Balance, networks: [NetworkReply]) {
        (self.asset, self.balance, self.networks) = (asset, balance, networks)
    }

    /// The element.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("coin", asset.code)
        json.field("depositAllEnable", networks.contains { $0.takesDeposits })
        json.field("free", balance.available, of: asset)
        json.field("freeze", Amount.zero, of: asset)
        json.field("ipoable", Amount.zero, of: asset)
        json.field("ipoing", Amount.zero, of: asset)
        json.field("isLegalMoney", false)
        json.field("locked", balance.held, of: asset)
        json.field("name", asset.code)
        json.key("networkList")
        json.beginArray()
        for network in networks { network.write(to: &json, asset) }
        json.endArray()
        json.field("storage", Amount.zero, of: asset)
        json.field("trading", true)
        json.field("withdrawAllEnable", networks.contains { $0.takesWithdrawals })
        json.field("withdrawing", balance.withdrawing, of: asset)
        json.endObject()
    }
}

/// The reply of `deposit/address`.
public struct DepositAddressReply: Sendable {
    /// The coin.
    public var coin: Text16
    /// Where to send it.
    public var address: String

    /// An address of a coin.
    public init(coin: Text16, address: String) { (self.coin, self.address) = (coin, address) }

    /// The reply's body.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("address", address)
        json.field("coin", coin)
        json.field("tag", "")
        json.field("url", "")
        json.endObject()
    }
}

/// An element of `deposit/hisrec`.
public struct DepositReply: Sendable {
    /// Its number in the gateway's history.
    public var id: UInt64
    /// The asset.
    public var asset: AssetView
    /// The amount.
    public var amount: Amount
    /// The network's name, or empty.
    public var network: String
    /// Binance's code: 0 pending, 1 success, 2 rejected.
    public var status: Int
    /// The account's address there, or empty.
    public var address: String
    /// The transaction.
    public var transaction: TransactionID
    /// What stands before its digits, as `0x` on EVM chains.
    public var transactionPrefix = ""
    /// When it was first seen, ns since 1970.
    public var time: Int64
    /// When it was credited, or nil.
    public var creditedTime: Int64?
    /// The confirmations that were seen.
    public var confirmations: UInt32
    /// How many it needs; 0: not known.
    public var confirmationsNeeded: UInt32

    /// A deposit.
    public init(
        id: UInt64, asset: AssetView, amount: Amount, network: String, status: Int,
        address: String, transaction: TransactionID, time: Int64, creditedTime: Int64?,
        confirmations: UInt32, confirmationsNeeded: UInt32
    ) {
        (self.id, self.asset, self.amount, self.network) = (id, asset, amount, network)
        (self.status, self.address, self.transaction) = (status, address, transaction)
        (self.time, self.creditedTime) = (time, creditedTime)
        (self.confirmations, self.confirmationsNeeded) = (confirmations, confirmationsNeeded)
    }

    /// The element.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("id", String(id))
        json.field("amount", amount, of: asset)
        json.field("coin", asset.code)
        json.field("network", network)
        json.field("status", status)
        json.field("address", address)
        json.field("addressTag", "")
        json.field("txId", transactionPrefix + transaction.hex)
        json.field("insertTime", time: time)
        if let creditedTime { json.field("completeTime", time: creditedTime) }
        json.field("transferType", 0)
        json.field("confirmTimes", "\(confirmations)/\(confirmationsNeeded)")
        json.field("unlockConfirm", confirmationsNeeded)
        json.field("walletType", 0)
        json.endObject()
    }
}

/// An element of `withdraw/history`.
public struct WithdrawalReply: Sendable {
    /// Its id.
    public var id: WithdrawalID
    /// The asset.
    public var asset: AssetView
    /// What arrives.
    public var amount: Amount
    /// The charge beside it.
    public var fee: Amount
    /// The network's name.
    public var network: String
    /// Its status.
    public var status: WithdrawalStatus
    /// Where it goes.
    public var address: String
    /// The destination's tag, or empty.
    public var tag: String
    /// The transaction that pays it, or nil.
    public var transaction: TransactionID?
    /// What stands before its digits, as `0x` on EVM chains.
    public var transactionPrefix = ""
    /// The customer's own id, or empty.
    public var clientID: String
    /// When it was requested, ns since 1970.
    public var createdTime: Int64
    /// When its status last changed.
    public var updatedTime: Int64
    /// The confirmations after which it counts as settled.
    public var confirmationsNeeded: UInt32

    /// A withdrawal.
    public init(
        id: WithdrawalID, asset: AssetView, amount: Amount, fee: Amount, network: String,
        status: WithdrawalStatus, address: String, tag: String, transaction: TransactionID?,
        clientID: String, createdTime: Int64, updatedTime: Int64, confirmationsNeeded: UInt32
    ) {
        (self.id, self.asset, self.amount, self.fee) = (id, asset, amount, fee)
        (self.network, self.status, self.address, self.tag) = (network, status, address, tag)
        (self.transaction, self.clientID) = (transaction, clientID)
        (self.createdTime, self.updatedTime) = (createdTime, updatedTime)
        self.confirmationsNeeded = confirmationsNeeded
    }

    /// The element.
    public func write(to json: inout JSONWriter) {
        let isSettled = status == .settled
        json.beginObject()
        json.field("id", String(id.number))
        json.field("amount", amount, of: asset)
        json.field("transactionFee", fee, of: asset)
        json.field("coin", asset.code)
        json.field("status", status.code)
        json.field("address", address)
        json.field("addressTag", tag)
        json.field("txId", transaction.map { transactionPrefix + $0.hex } ?? "")
        json.field("applyTime", Self.dateText(createdTime))
        json.field("network", network)
        json.field("transferType", 0)
        if !clientID.isEmpty { json.field("withdrawOrderId", clientID) }
        json.field("info", status == .refused ? "The exchange refused it." : "")
        json.field("confirmNo", isSettled ? confirmationsNeeded : 0)
        json.field("walletType", 0)
        json.field("txKey", "")
        if isSettled { json.field("completeTime", Self.dateText(updatedTime)) }
        json.endObject()
    }

    /// `2026-11-22 16:26:13`, UTC.
    private static func dateText(_ nanos: Int64) -> String {
        timeText(nanos: nanos, digits: 0).dropLast().split(separator: "T").joined(separator: " ")
    }
}

extension WithdrawalStatus {
    /// Binance's code of a withdrawal's status. Binance also has 0, a mail is sent, and 5, it
    /// failed: no withdrawal here is either.
    ///
    ///      requested  2  awaiting approval        settled   6  completed
    ///      approved   4  processing               refused   3  rejected
    ///      signed     4  processing               canceled  1  cancelled
    public var code: Int {
        switch self {
        case .requested: 2
        case .approved, .signed: 4
        case .settled: 6
        case .refused: 3
        case .canceled: 1
        }
    }

    /// The statuses of a code; none of 0 and 5. Throws -1130 for what is no code of Binance.
    public static func all(code: Int64) throws(APIError) -> [WithdrawalStatus] {
        guard 0...6 ~= code else { throw .invalid("status") }
        return allCases.filter { $0.code == code }
    }
}
