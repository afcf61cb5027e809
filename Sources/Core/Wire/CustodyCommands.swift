// Custody by operators and traders: networks, addresses, withdrawals up to their signing.

public import Terms

/// Creates an asset's network or changes its terms: the chain on which the asset comes in and goes
/// out.
///
///      0  u16  asset
///      2  u16  network
///      4  u8   deposits open   5  u8 withdrawals open
///      6  u8   approvals       7  1 reserved
///      8  u32  confirmations  12  4 reserved
///     16  i128 minimum
///     32  i128 fee
///     48  i128 approvals above
///     64  text16 name, then `Audit`
public struct SetNetwork: CommandPayload {
    public static var kind: CommandKind { .setNetwork }
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Whether customers are to send some: for gateways and the wallet, the engine credits any.
    public var takesDeposits: Bool
    /// Whether withdrawals are accepted and signed.
    public var takesWithdrawals: Bool
    /// Operators who must approve a withdrawal above `approvalsAbove`; up to `Limits.approvalsMax`.
    public var approvals: UInt8
    /// Confirmations after which a deposit is credited and a withdrawal is settled.
    public var confirmations: UInt32
    /// The smallest withdrawal, in the asset's smallest units; above zero.
    public var minimum: Amount
    /// The exchange's charge for a withdrawal, beside its amount.
    public var fee: Amount
    /// A withdrawal of more needs the approvals.
    public var approvalsAbove: Amount
    /// The chain's name, as `LTC`.
    public var name: Text16
    /// The operator and the reason.
    public var audit: Audit

    /// A network of these terms.
    public init(
        asset: AssetID, network: NetworkID, takesDeposits: Bool = true,
        takesWithdrawals: Bool = true, approvals: UInt8 = 0, confirmations: UInt32,
        minimum: Amount, fee: Amount, approvalsAbove: Amount = .zero, name: Text16, audit: Audit
    ) {
        (self.asset, self.network, self.takesDeposits) = (asset, network, takesDeposits)
        (self.takesWithdrawals, self.approvals) = (takesWithdrawals, approvals)
        (self.confirmations, self.minimum, self.fee) = (confirmations, minimum, fee)
        (self.approvalsAbove, self.name, self.audit) = (approvalsAbove, name, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(asset.number)
        w.integer(network.number)
        w.flag(takesDeposits)
        w.flag(takesWithdrawals)
        w.integer(approvals)
        w.reserved(1)
        w.integer(confirmations)
        w.reserved(4)
        w.integer(minimum.units)
        w.integer(fee.units)
        w.integer(approvalsAbove.units)
        w.text(name)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        takesDeposits = r.flag()
        takesWithdrawals = r.flag()
        approvals = r.integer()
        r.reserved(1)
        confirmations = r.integer()
        r.reserved(4)
        minimum = Amount(units: r.integer())
        fee = Amount(units: r.integer())
        approvalsAbove = Amount(units: r.integer())
        name = r.text()
        audit = Audit(from: &r)
    }
}

/// An operator's approval or refusal of a withdrawal.
///
///      0  u64  withdrawal
///      8  u8   approves, then 7 reserved, then `Audit`
public struct DecideWithdrawal: CommandPayload {
    public static var kind: CommandKind { .decideWithdrawal }
    /// The withdrawal.
    public var withdrawal: WithdrawalID
    /// Whether it is approved; else it is refused, and its money released.
    public var approves: Bool
    /// The operator and the reason.
    public var audit: Audit

    /// An approval or a refusal.
    public init(withdrawal: WithdrawalID, approves: Bool, audit: Audit) {
        (self.withdrawal, self.approves, self.audit) = (withdrawal, approves, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(withdrawal.number)
        w.flag(approves)
        w.reserved(7)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        withdrawal = WithdrawalID(r.integer())
        approves = r.flag()
        r.reserved(7)
        audit = Audit(from: &r)
    }
}

/// Ends a stop of an asset's withdrawals, see `StopWithdrawals`.
///
///      0  u16  asset, then 6 reserved, then `Audit`
public struct ResumeWithdrawals: CommandPayload {
    public static var kind: CommandKind { .resumeWithdrawals }
    /// The asset.
    public var asset: AssetID
    /// The operator and the reason.
    public var audit: Audit

    /// An end of the stop.
    public init(asset: AssetID, audit: Audit) { (self.asset, self.audit) = (asset, audit) }

    public func encode(into w: inout WireWriter) {
        w.integer(asset.number)
        w.reserved(6)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        asset = AssetID(r.integer())
        r.reserved(6)
        audit = Audit(from: &r)
    }
}

/// Asks for a withdrawal. The outcome has its id.
///
///      0  u32  account
///      4  u16  asset
///      6  u16  network
///      8  i64  deadline
///     16  i128 amount
///     32  i128 most fee
///     48  text64 address
///    112  text40 tag
///    152  text40 client's id
///    192  text40 requester
///    232  text64 key, or nothing
public struct RequestWithdrawal: CommandPayload {
    public static var kind: CommandKind { .requestWithdrawal }
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The last moment of the log's clock at which it is accepted; 0: none.
    public var deadline: Int64
    /// What arrives, in the asset's smallest units. The fee of the network, or the
    /// account's own, is held beside it.
    public var amount: Amount
    /// The highest fee that was agreed to: the one that counts may be another by now.
    public var feeMost: Amount
    /// Where it goes.
    public var address: Text64
    /// The destination's tag or memo, or empty.
    public var tag: Text40
    /// The customer's own id, or empty: a second one of the account is refused.
    public var clientID: Text40
    /// The operator who asks on the customer's behalf; empty: the customer.
    public var requester: Text40
    /// The customer's API key that the gateway names, from rules 3 on; empty: an operator asks.
    public var keyID: Text64

    /// A request.
    public init(
        account: AccountID, asset: AssetID, network: NetworkID, amount: Amount,
        feeMost: Amount = Amount(units: Limits.amountUnitsMax), address: Text64,
        tag: Text40 = Text40(), clientID: Text40 = Text40(), requester: Text40 = Text40(),
        keyID: Text64 = Text64(), deadline: Int64 = 0
    ) {
        (self.account, self.asset, self.network) = (account, asset, network)
        (self.amount, self.feeMost, self.address, self.tag) = (amount, feeMost, address, tag)
        (self.clientID, self.requester, self.keyID) = (clientID, requester, keyID)
        self.deadline = deadline
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(network.number)
        w.integer(deadline)
        w.integer(amount.units)
        w.integer(feeMost.units)
        w.text(address)
        w.text(tag)
        w.text(clientID)
        w.text(requester)
        // Before rules 3 there was no place for it.
        if !keyID.isEmpty { w.text(keyID) }
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        deadline = r.integer()
        amount = Amount(units: r.integer())
        feeMost = Amount(units: r.integer())
        address = r.text()
        tag = r.text()
        clientID = r.text()
        requester = r.text()
        guard r.remaining > 0 else {
            keyID = Text64()
            return
        }
        keyID = r.text()
        if keyID.isEmpty { r.invalidate() }
    }
}

/// Cancels a withdrawal that is not signed.
///
///      0  u32  account
///      4  4    reserved
///      8  u64  withdrawal
public struct CancelWithdrawal: CommandPayload {
    public static var kind: CommandKind { .cancelWithdrawal }
    /// Its account.
    public var account: AccountID
    /// The withdrawal.
    public var withdrawal: WithdrawalID

    /// A cancellation.
    public init(account: AccountID, withdrawal: WithdrawalID) {
        (self.account, self.withdrawal) = (account, withdrawal)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.reserved(4)
        w.integer(withdrawal.number)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        r.reserved(4)
        withdrawal = WithdrawalID(r.integer())
    }
}

/// Assigns an account its deposit address on a chain, by an index from which the wallet's public
/// key derives it. The outcome has the index; repeating it gives the same one.
///
///      0  u32  account
///      4  u16  network
///      6  2    reserved
public struct AssignAddress: CommandPayload {
    public static var kind: CommandKind { .assignAddress }
    /// The account.
    public var account: AccountID
    /// The chain.
    public var network: NetworkID

    /// A request for an address.
    public init(account: AccountID, network: NetworkID) {
        (self.account, self.network) = (account, network)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(account.number)
        w.integer(network.number)
        w.reserved(2)
    }

    public init(from r: inout WireReader) {
        account = AccountID(r.integer())
        network = NetworkID(r.integer())
        r.reserved(2)
    }
}
