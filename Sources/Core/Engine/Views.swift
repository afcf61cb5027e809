// Values read from the engine: copies, never references into its memory.

public import Terms
package import Wire

/// An account's balance of one asset. No part is ever negative.
@frozen public struct Balance: Hashable, BitwiseCopyable, Sendable {
    /// Free for orders and withdrawals.
    public var available: Amount
    /// Held for open orders.
    public var held: Amount
    /// Held for requested withdrawals.
    public var withdrawing: Amount

    /// A balance.
    @inlinable public init(
        available: Amount = .zero, held: Amount = .zero, withdrawing: Amount = .zero
    ) { (self.available, self.held, self.withdrawing) = (available, held, withdrawing) }
}

/// The house's own accounts of one asset. With all customers' balances they sum to zero.
@frozen public struct HouseBalance: Hashable, BitwiseCopyable, Sendable {
    /// The amount that came from outside, negated: all accounts sum to zero.
    public var external: Amount
    /// Fees less rebates and transfers, with each order's fee rounded down to a unit.
    public var fees: Amount
    /// Gains from rounding in the house's favour.
    public var rounding: Amount
    /// Withdrawals that left their accounts but are not settled on their chain.
    public var inTransit: Amount
    /// What chains took for transactions, negative: it is outside, at the house's expense.
    public var chain: Amount

    /// All fields, for projections and tests in this package.
    package init(
        external: Amount, fees: Amount, rounding: Amount, inTransit: Amount = .zero,
        chain: Amount = .zero
    ) {
        (self.external, self.fees, self.rounding) = (external, fees, rounding)
        (self.inTransit, self.chain) = (inTransit, chain)
    }
}

/// An asset's network. See `SetNetwork`.
@frozen public struct NetworkView: Hashable, BitwiseCopyable, Sendable {
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Whether customers are to send some.
    public var takesDeposits: Bool
    /// Whether withdrawals are accepted and signed.
    public var takesWithdrawals: Bool
    /// Approvals that a withdrawal above `approvalsAbove` needs.
    public var approvals: UInt8
    /// Confirmations after which it is final.
    public var confirmations: UInt32
    /// The smallest withdrawal.
    public var minimum: Amount
    /// The charge for one.
    public var fee: Amount
    /// A withdrawal of more needs the approvals.
    public var approvalsAbove: Amount
    /// The chain's name.
    public var name: Text16

    /// The terms of the command.
    package init(_ c: SetNetwork) {
        (asset, network, takesDeposits) = (c.asset, c.network, c.takesDeposits)
        (takesWithdrawals, approvals) = (c.takesWithdrawals, c.approvals)
        (confirmations, minimum, fee) = (c.confirmations, c.minimum, c.fee)
        (approvalsAbove, name) = (c.approvalsAbove, c.name)
    }
}

/// A chain, and how far its deposits are credited.
public struct ChainView: Hashable, Sendable {
    /// The chain.
    public var network: NetworkID
    /// Which one it is, as `litecoin-regtest`.
    public var chain: Text40
    /// The extended public key of which the deposit addresses are children.
    public var key: String
    /// The first block that is read.
    public var firstBlock: UInt64
    /// The record of the log that says so.
    public var record: UInt64
    /// The height of the last block whose deposits are all credited; 0: none.
    public private(set) var checkedHeight: UInt64 = 0
    /// That block, or none.
    public private(set) var checkedBlock = BlockID.none
    /// The height of the last block that is final, from `checkedHeight` on; 0: none.
    public private(set) var finalHeight: UInt64 = 0
    /// That block, or none: what is credited is on a chain with it.
    public private(set) var finalBlock = BlockID.none

    /// As the command says; no block is checked yet.
    package init(_ c: SetChain, record: UInt64) {
        (network, chain, key, firstBlock) = (c.network, c.chain, c.key, c.firstBlock)
        self.record = record
    }

    /// The first block whose deposits are not all credited.
    public var nextBlock: UInt64 { max(firstBlock, checkedHeight + 1) }

    /// Notes that a block is final, and where it says so, that all deposits are credited up to it.
    package mutating func check(_ height: UInt64, _ block: BlockID, _ stage: CheckStage) {
        if stage == .credited { (checkedHeight, checkedBlock) = (height, block) }
        if height >= finalHeight { (finalHeight, finalBlock) = (height, block) }
    }
}

/// Where an asset's coins on a chain are kept that the host does not need.
public struct ColdStorageView: Hashable, Sendable {
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Above this the host's coins are too many.
    public var ceiling: Amount
    /// What the host keeps when they are.
    public var target: Amount
    /// An output descriptor, BIP380, or an address; never empty.
    public var descriptor: String

    /// As the command says.
    package init(_ c: SetColdStorage) {
        (asset, network, ceiling) = (c.asset, c.network, c.ceiling)
        (target, descriptor) = (c.target, c.descriptor)
    }
}

/// An open withdrawal.
public struct WithdrawalView: Hashable, Sendable {
    /// Its id.
    public var id: WithdrawalID
    /// Its account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Its status: requested, approved or signed.
    public var status: WithdrawalStatus
    /// The approvals that it needs.
    public var approvals: UInt8
    /// What arrives.
    public var amount: Amount
    /// The exchange's charge.
    public var fee: Amount
    /// Where it goes.
    public var address: Text64
    /// The destination's tag, or empty.
    public var tag: Text40
    /// The customer's own id, or empty.
    public var clientID: Text40
    /// The operator who asked for it; empty: the customer.
    public var requester: Text40
    /// Who approved it, in the order of the log.
    public var approvers: [Text40]
    /// When it was requested, on the log's clock.
    public var createdTime: Int64
    /// Whether a transaction paid it that was dropped since, and may be final all the same.
    public var wasSigned = false
    /// Whether its customer's limits count it, in the hour of `createdTime`.
    public var isCounted = false

    /// All fields but the last two, for projections and tests in this package.
    package init(
        id: WithdrawalID, _ c: RequestWithdrawal, status: WithdrawalStatus, approvals: UInt8,
        fee: Amount, createdTime: Int64
    ) {
        (self.id, account, asset, network) = (id, c.account, c.asset, c.network)
        (self.status, self.approvals, amount, self.fee) = (status, approvals, c.amount, fee)
        (address, tag, clientID, requester) = (c.address, c.tag, c.clientID, c.requester)
        (approvers, self.createdTime) = ([], createdTime)
    }

    /// What is held for it.
    public var total: Amount { Amount(units: amount.units + fee.units) }
}

/// A signed transaction that is not settled.
public struct PaymentView: Hashable, Sendable {
    /// The transaction.
    public var id: TransactionID
    /// The asset of what it pays, or moves.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The transaction that it replaces, or none.
    public var replaces: TransactionID
    /// The record of the log that has its bytes.
    public var sequence: UInt64
    /// What it pays, ascending; none: a transfer.
    public var withdrawals: [WithdrawalID]
    /// Whether it is the wallet's own, and pays no withdrawal.
    public var isTransfer: Bool { withdrawals.isEmpty }

    /// All fields, for projections and tests in this package.
    package init(
        id: TransactionID, asset: AssetID, network: NetworkID, replaces: TransactionID,
        sequence: UInt64, withdrawals: [WithdrawalID]
    ) {
        (self.id, self.asset, self.network, self.replaces) = (id, asset, network, replaces)
        (self.sequence, self.withdrawals) = (sequence, withdrawals)
    }
}

/// An asset.
@frozen public struct AssetView: Hashable, BitwiseCopyable, Sendable {
    /// Its id.
    public var id: AssetID
    /// Its code, as `BTC`.
    public var code: Text16
    /// Decimals of its smallest unit.
    public var scale: UInt8

    /// All fields, for projections and tests in this package.
    package init(id: AssetID, code: Text16, scale: UInt8) {
        (self.id, self.code, self.scale) = (id, code, scale)
    }
}

/// An instrument's terms and state. See `SetInstrument` for the units.
@frozen public struct InstrumentView: Hashable, BitwiseCopyable, Sendable {
    /// Its id.
    public var id: InstrumentID
    /// Its symbol.
    public var symbol: Text16
    /// The traded asset.
    public var base: AssetID
    /// The asset of its prices.
    public var quote: AssetID
    /// Decimals of the tick.
    public var tickScale: UInt8
    /// The tick's digits.
    public var tickMantissa: Int64
    /// Smallest units of the base in a lot.
    public var lotUnits: Int64
    /// Smallest units of the quote in one tick times one lot.
    public var notionalUnit: Int64
    /// Its state.
    public var state: InstrumentState
    /// The prevention mode of orders without their own.
    public var selfTradePrevention: SelfTradePrevention
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
    /// Highest price × quantity, or zero.
    public var notionalMax: Amount
    /// Reference price of the band before the first trade.
    public var referencePrice: Price
    /// The band's reference that an operator set since the last trade, or `.none`.
    public var rebasedPrice: Price
    /// Band above, 10⁻⁶, or 0.
    public var bandUp: Int32
    /// Band below, 10⁻⁶, or 0.
    public var bandDown: Int32
    /// Price of the last trade, or `.none`.
    public var lastPrice: Price
    /// The last trade's id, or 0.
    public var lastTrade: TradeID

    /// All fields, for projections and tests in this package.
    package init(
        id: InstrumentID, symbol: Text16, base: AssetID, quote: AssetID, tickScale: UInt8,
        tickMantissa: Int64, lotUnits: Int64, notionalUnit: Int64, state: InstrumentState,
        selfTradePrevention: SelfTradePrevention = .none, priceMin: Price, priceMax: Price,
        quantityMin: Quantity, quantityMax: Quantity, notionalMin: Amount, notionalMax: Amount,
        referencePrice: Price, rebasedPrice: Price = .none, bandUp: Int32, bandDown: Int32,
        lastPrice: Price, lastTrade: TradeID
    ) {
        (self.id, self.symbol, self.base, self.quote) = (id, symbol, base, quote)
        (self.tickScale, self.tickMantissa) = (tickScale, tickMantissa)
        (self.lotUnits, self.notionalUnit, self.state) = (lotUnits, notionalUnit, state)
        (self.selfTradePrevention, self.priceMin) = (selfTradePrevention, priceMin)
        (self.priceMax, self.quantityMin) = (priceMax, quantityMin)
        (self.quantityMax, self.notionalMin) = (quantityMax, notionalMin)
        (self.notionalMax, self.referencePrice) = (notionalMax, referencePrice)
        (self.rebasedPrice, self.bandUp, self.bandDown) = (rebasedPrice, bandUp, bandDown)
        (self.lastPrice, self.lastTrade) = (lastPrice, lastTrade)
    }
}

/// An account.
@frozen public struct AccountView: Hashable, BitwiseCopyable, Sendable {
    /// Its id.
    public var id: AccountID
    /// The owner's name for it.
    public var name: Text40
    /// Its fee tier.
    public var tier: UInt16
    /// Whether its kill switch is on.
    public var isKilled: Bool
    /// Open orders now.
    public var openOrders: UInt32
    /// Limit of open orders, or 0.
    public var openOrdersMax: UInt32
    /// Limit of messages a second, or 0.
    public var messagesPerSecondMax: UInt32

    /// All fields, for projections and tests in this package.
    package init(
        id: AccountID, name: Text40, tier: UInt16, isKilled: Bool, openOrders: UInt32,
        openOrdersMax: UInt32, messagesPerSecondMax: UInt32
    ) {
        (self.id, self.name, self.tier, self.isKilled) = (id, name, tier, isKilled)
        (self.openOrders, self.openOrdersMax) = (openOrders, openOrdersMax)
        self.messagesPerSecondMax = messagesPerSecondMax
    }
}

/// The maximum size of an order of an account, or of all without their own row, in an instrument.
@frozen public struct OrderLimitsView: Hashable, BitwiseCopyable, Sendable {
    /// The account, or 0 for the default.
    public var account: AccountID
    /// The instrument.
    public var instrument: InstrumentID
    /// Maximum lots, or zero.
    public var orderQuantityMax: Quantity
    /// Maximum quote units, or zero.
    public var orderNotionalMax: Amount

    /// All fields, for projections and tests in this package.
    package init(
        account: AccountID, instrument: InstrumentID, orderQuantityMax: Quantity,
        orderNotionalMax: Amount
    ) {
        (self.account, self.instrument) = (account, instrument)
        (self.orderQuantityMax, self.orderNotionalMax) = (orderQuantityMax, orderNotionalMax)
    }
}

/// An API key. The secret stays sealed.
public struct APIKeyView: Hashable, Sendable {
    /// Its identifier.
    public var keyID: Text64
    /// The account.
    public var account: AccountID
    /// Its permissions.
    public var permissions: Permissions
    /// Its signature algorithm.
    public var algorithm: KeyAlgorithm
    /// The secret as in the log.
    public var sealedSecret: [UInt8]

    /// All fields, for projections and tests in this package.
    package init(
        keyID: Text64, account: AccountID, permissions: Permissions, algorithm: KeyAlgorithm,
        sealedSecret: [UInt8]
    ) {
        (self.keyID, self.account, self.permissions) = (keyID, account, permissions)
        (self.algorithm, self.sealedSecret) = (algorithm, sealedSecret)
    }
}

/// A writer's session.
@frozen public struct SessionView: Hashable, BitwiseCopyable, Sendable {
    /// The open incarnation.
    public var id: SessionID
    /// The writer's name.
    public var name: Text40
    /// Its last number in the log.
    public var lastNumber: UInt64
    /// The time of that, or of its opening: ns since 1970, by the log's clock.
    public var lastUsed: Int64

    /// All fields, for projections and tests in this package.
    package init(id: SessionID, name: Text40, lastNumber: UInt64, lastUsed: Int64) {
        (self.id, self.name, self.lastNumber, self.lastUsed) = (id, name, lastNumber, lastUsed)
    }
}

/// One price of a book.
@frozen public struct LevelView: Hashable, BitwiseCopyable, Sendable {
    /// The price.
    public var price: Price
    /// The displayed quantity.
    public var quantity: Quantity
    /// Number of orders.
    public var orders: UInt32

    /// All fields, for projections and tests in this package.
    package init(price: Price, quantity: Quantity, orders: UInt32) {
        (self.price, self.quantity, self.orders) = (price, quantity, orders)
    }
}
