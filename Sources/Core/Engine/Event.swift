// Events, which the engine derives from the log. They are never stored as truth: any replica
// derives the same ones from the same commands.

public import Terms
package import Wire

/// One thing that happened while a command was applied, in the order in which it happened.
@frozen public enum Event: BitwiseCopyable, Sendable {
    /// An order was accepted and its funds are held; its trades follow.
    case orderAccepted(OrderView)
    /// A new order was refused.
    case orderRefused(OrderRefused)
    /// Two orders traded.
    case trade(Trade)
    /// A resting iceberg order showed its next slice, at the end of its price's queue.
    case orderReplenished(OrderReplenished)
    /// An order ended before it was filled; the view has its last state.
    case orderEnded(OrderView, EndReason)
    /// Its owner changed an order's price or quantity, or self-trade prevention (decrement) its
    /// quantity.
    case orderAmended(OrderView, oldPrice: Price)
    /// A stop order was triggered; it is an ordinary order from here on.
    case orderTriggered(OrderView)
    /// An operator's credit or debit.
    case balanceAdjusted(account: AccountID, asset: AssetID, amount: Amount)
    /// Money went from the house's fees to an account, or back if negative.
    case feesTransferred(account: AccountID, asset: AssetID, amount: Amount)
    /// A transaction's output was credited.
    case depositCredited(account: AccountID, asset: AssetID, amount: Amount)
    /// What is seen of a deposit that is not credited.
    case depositNoted(DepositNoted)
    /// An account got its deposit address on a chain.
    case addressAssigned(account: AccountID, network: NetworkID, index: UInt32)
    /// A withdrawal was requested, approved, refused or cancelled.
    case withdrawalChanged(WithdrawalID, WithdrawalStatus)
    /// A transaction was signed that pays withdrawals, or is a transfer of the wallet's own.
    case transactionSigned(TransactionID)
    /// A transaction is final: what it pays is settled, and those that it replaced have ended.
    case transactionSettled(TransactionID)
    /// A transaction has ended without payment.
    case transactionDropped(TransactionID)
    /// A network was created or its terms changed.
    case networkChanged(AssetID, NetworkID)
    /// A chain was declared, or is read again.
    case chainChanged(NetworkID)
    /// All deposits of a chain are credited up to a block.
    case blockChecked(NetworkID, CheckStage, height: UInt64, BlockID)
    /// Withdrawals of an asset were stopped or resumed.
    case withdrawalsStopped(AssetID, isStopped: Bool)
    /// An operator got a key, or other roles.
    case operatorChanged(Text40)
    /// Another number of operators endorses proposals.
    case custodyPolicyChanged(endorsements: UInt8)
    /// A proposal was made, endorsed, or has ended.
    case proposalChanged(ProposalID, ProposalStatus)
    /// Withdrawals wait for other times after changes.
    case withdrawalPolicyChanged(addressDelay: UInt32, keyFreeze: UInt32)
    /// An account's limits of an asset's withdrawals, or those of all, changed.
    case withdrawalLimitsChanged(AccountID, AssetID)
    /// An account's own terms of an asset's withdrawals changed; account 0: those of a tier.
    case withdrawalTermsChanged(AccountID, AssetID, NetworkID)
    /// An account's address book has a destination more, or less.
    case addressBookChanged(AccountID, NetworkID, isAdded: Bool)
    /// An asset's coins are kept elsewhere, or not any more.
    case coldStorageChanged(AssetID, NetworkID)
    /// An asset was created.
    case assetChanged(AssetID)
    /// An instrument was created, its limits or state changed.
    case instrumentChanged(InstrumentID)
    /// An account was opened, its limits, tier or kill switch changed.
    case accountChanged(AccountID)
    /// Fees, the venue's kill switch, its default limits or the engine's limits changed.
    case venueChanged
    /// An API key was added or revoked.
    case apiKeyChanged(Text64)
    /// A writer opened a session.
    case sessionOpened(SessionID)
    /// A writer closed its session.
    case sessionClosed(SessionID)
}

/// What is seen of a deposit that is not credited.
@frozen public struct DepositNoted: BitwiseCopyable, Sendable {
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// Whether it is still there.
    public var status: DepositStatus
    /// The output's index in the transaction.
    public var output: UInt32
    /// How many it has.
    public var confirmations: UInt32
    /// The transaction.
    public var transaction: TransactionID
    /// The amount.
    public var amount: Amount

    /// What the command states.
    package init(_ c: NoteDeposit) {
        (account, asset, network, status) = (c.account, c.asset, c.network, c.status)
        (output, confirmations) = (c.output, c.confirmations)
        (transaction, amount) = (c.transaction, c.amount)
    }
}

/// A refused order.
@frozen public struct OrderRefused: BitwiseCopyable, Sendable {
    /// Its terms; it has no id, and the status `rejected`.
    public var order: OrderView
    /// The reason.
    public var refusal: Refusal

    /// All fields, for projections and tests in this package.
    package init(order: OrderView, refusal: Refusal) {
        (self.order, self.refusal) = (order, refusal)
    }
}

/// The next visible slice of an iceberg order.
@frozen public struct OrderReplenished: BitwiseCopyable, Sendable {
    /// The order.
    public var order: OrderID
    /// Its instrument.
    public var instrument: InstrumentID
    /// Its side.
    public var side: Side
    /// Its price.
    public var price: Price
    /// The displayed quantity now.
    public var displayed: Quantity

    /// All fields, for projections and tests in this package.
    package init(
        order: OrderID, instrument: InstrumentID, side: Side, price: Price, displayed: Quantity
    ) {
        (self.order, self.instrument) = (order, instrument)
        (self.side, self.price, self.displayed) = (side, price, displayed)
    }
}

/// One side of a trade, after the trade.
@frozen public struct Fill: BitwiseCopyable, Sendable {
    /// The order (FIX tag 37).
    public var order: OrderID
    /// Its account.
    public var account: AccountID
    /// The fee in `feeAsset`; negative is a rebate.
    public var fee: Amount
    /// The asset that this side received.
    public var feeAsset: AssetID
    /// Traded so far (FIX tag 14 CumQty).
    public var cumQty: Quantity
    /// Still open (FIX tag 151 LeavesQty); zero for an order by quote amount in progress.
    public var leavesQty: Quantity
    /// Quote amount traded so far.
    public var cumQuote: Amount
    /// The order's status (FIX tag 39).
    public var status: OrderStatus

    /// All fields, for projections and tests in this package.
    package init(
        order: OrderID, account: AccountID, fee: Amount, feeAsset: AssetID, cumQty: Quantity,
        leavesQty: Quantity, cumQuote: Amount, status: OrderStatus
    ) {
        (self.order, self.account, self.fee) = (order, account, fee)
        (self.feeAsset, self.cumQty, self.leavesQty) = (feeAsset, cumQty, leavesQty)
        (self.cumQuote, self.status) = (cumQuote, status)
    }
}

/// A trade (FIX tags 31 LastPx, 32 LastQty).
@frozen public struct Trade: BitwiseCopyable, Sendable {
    /// Its id, sequential within the instrument.
    public var id: TradeID
    /// Its instrument.
    public var instrument: InstrumentID
    /// The side of the incoming order.
    public var takerSide: Side
    /// The resting order's price.
    public var price: Price
    /// The quantity.
    public var quantity: Quantity
    /// Price × quantity in the quote asset's smallest units; exact.
    public var quoteAmount: Amount
    /// The resting order.
    public var maker: Fill
    /// The incoming order.
    public var taker: Fill

    /// All fields, for projections and tests in this package.
    package init(
        id: TradeID, instrument: InstrumentID, takerSide: Side, price: Price, quantity: Quantity,
        quoteAmount: Amount, maker: Fill, taker: Fill
    ) {
        (self.id, self.instrument, self.takerSide) = (id, instrument, takerSide)
        (self.price, self.quantity) = (price, quantity)
        (self.quoteAmount, self.maker, self.taker) = (quoteAmount, maker, taker)
    }
}

/// An order as the engine reports it.
@frozen public struct OrderView: BitwiseCopyable, Sendable {
    /// The order's id (FIX tag 37).
    public var order: OrderID
    /// Its account.
    public var account: AccountID
    /// Its instrument.
    public var instrument: InstrumentID
    /// Buy or sell.
    public var side: Side
    /// Its type.
    public var type: OrderType
    /// Its time in force.
    public var timeInForce: TimeInForce
    /// Its self-trade prevention mode.
    public var selfTradePrevention: SelfTradePrevention
    /// Its status.
    public var status: OrderStatus
    /// False while a stop order waits for its trigger.
    public var isWorking: Bool
    /// Limit price.
    public var price: Price
    /// Trigger price.
    public var stopPrice: Price
    /// Total quantity (FIX tag 38): traded, prevented and open lots.
    public var quantity: Quantity
    /// Traded (FIX tag 14).
    public var cumQty: Quantity
    /// Lots that self-trade prevention took by decrement.
    public var preventedQuantity: Quantity
    /// Open (FIX tag 151); zero when the order has ended.
    public var leavesQty: Quantity
    /// Slice size of an iceberg, or zero.
    public var displayQuantity: Quantity
    /// Quote amount of a market order by amount, or zero.
    public var quoteQuantity: Amount
    /// Quote amount traded.
    public var cumQuote: Amount
    /// Expiry of a GTD order, or 0.
    public var expireTime: Int64
    /// Time of acceptance, on the log's clock.
    public var createdTime: Int64
    /// Time of acceptance, or of its last change, trigger or trade.
    public var updatedTime: Int64
    /// When it began to work: at acceptance or trigger; 0 while a stop waits.
    public var workingTime: Int64
    /// The client's id (FIX tag 11).
    public var clOrdID: Text40
    /// The client's number for its strategy, or 0.
    public var strategyID: Int64
    /// The client's number for the kind of strategy, or 0.
    public var strategyType: Int32

    /// All fields, for projections and tests in this package.
    package init(
        order: OrderID, account: AccountID, instrument: InstrumentID, side: Side, type: OrderType,
        timeInForce: TimeInForce, selfTradePrevention: SelfTradePrevention, status: OrderStatus,
        isWorking: Bool, price: Price, stopPrice: Price, quantity: Quantity, cumQty: Quantity,
        preventedQuantity: Quantity = .zero, leavesQty: Quantity, displayQuantity: Quantity,
        quoteQuantity: Amount, cumQuote: Amount, expireTime: Int64, createdTime: Int64,
        updatedTime: Int64, workingTime: Int64, clOrdID: Text40, strategyID: Int64 = 0,
        strategyType: Int32 = 0
    ) {
        (self.order, self.account, self.instrument) = (order, account, instrument)
        (self.side, self.type, self.timeInForce) = (side, type, timeInForce)
        (self.selfTradePrevention, self.status) = (selfTradePrevention, status)
        (self.isWorking, self.price, self.stopPrice) = (isWorking, price, stopPrice)
        (self.quantity, self.cumQty) = (quantity, cumQty)
        (self.preventedQuantity, self.leavesQty) = (preventedQuantity, leavesQty)
        (self.displayQuantity, self.quoteQuantity) = (displayQuantity, quoteQuantity)
        (self.cumQuote, self.expireTime, self.createdTime) = (cumQuote, expireTime, createdTime)
        (self.updatedTime, self.workingTime, self.clOrdID) = (updatedTime, workingTime, clOrdID)
        (self.strategyID, self.strategyType) = (strategyID, strategyType)
    }
}
