// An account's own data as JSON. Source: Binance Spot API documentation, "Account endpoints".

public import Engine
public import Terms

/// The content of `account`, read from the engine.
public struct AccountReply: Sendable {
    /// The account.
    public var account: AccountView
    /// What the caller's key allows.
    public var permissions: Permissions
    /// The rates of the account's tier; an instrument may have others.
    public var fees: (maker: FeeRate, taker: FeeRate)
    /// Its balances, by asset.
    public var balances: [(asset: AssetView, balance: Balance)]
    /// When it was last changed, ns since 1970.
    public var updatedTime: Int64

    /// An account's data.
    public init(
        account: AccountView, permissions: Permissions, fees: (maker: FeeRate, taker: FeeRate),
        balances: [(asset: AssetView, balance: Balance)], updatedTime: Int64
    ) {
        (self.account, self.permissions, self.fees) = (account, permissions, fees)
        (self.balances, self.updatedTime) = (balances, updatedTime)
    }

    /// The reply's body.
    public func write(to json: inout JSONWriter, omitZeroBalances: Bool) {
        json.beginObject()
        json.field("makerCommission", Int(fees.maker.e8) / 10_000)
        json.field("takerCommission", Int(fees.taker.e8) / 10_000)
        json.field("buyerCommission", 0)
        json.field("sellerCommission", 0)
        json.key("commissionRates")
        json.beginObject()
        json.field("maker", fees.maker)
        json.field("taker", fees.taker)
        json.field("buyer", FeeRate(e8: 0))
        json.field("seller", FeeRate(e8: 0))
        json.endObject()
        json.field("canTrade", permissions.contains(.trade) && !account.isKilled)
        json.field("canWithdraw", permissions.contains(.withdraw) && !account.isKilled)
        json.field("canDeposit", true)
        json.field("brokered", false)
        json.field("requireSelfTradePrevention", false)
        json.field("preventSor", false)
        json.field("updateTime", time: updatedTime)
        json.field("accountType", "SPOT")
        json.key("balances")
        json.beginArray()
        for (asset, balance) in balances where !(omitZeroBalances && balance == Balance()) {
            json.beginObject()
            json.field("asset", asset.code)
            json.field("free", balance.available, of: asset)
            json.field("locked", balance.held, of: asset)
            json.endObject()
        }
        json.endArray()
        json.field("permissions", list: ["SPOT"])
        json.field("uid", account.id.number)
        json.endObject()
    }
}

/// One side of a trade as its owner sees it.
public struct OwnTrade: Sendable {
    /// The trade's id.
    public var id: TradeID
    /// The owner's order.
    public var order: OrderID
    /// The price.
    public var price: Price
    /// The quantity.
    public var quantity: Quantity
    /// Price × quantity.
    public var quoteAmount: Amount
    /// The fee; negative is a rebate.
    public var fee: Amount
    /// The asset of the fee.
    public var feeAsset: AssetID
    /// When, ns since 1970.
    public var time: Int64
    /// Whether the owner bought.
    public var isBuyer: Bool
    /// Whether the owner's order rested.
    public var isMaker: Bool

    /// A side of a trade.
    public init(
        id: TradeID, order: OrderID, price: Price, quantity: Quantity, quoteAmount: Amount,
        fee: Amount, feeAsset: AssetID, time: Int64, isBuyer: Bool, isMaker: Bool
    ) {
        (self.id, self.order, self.price, self.quantity) = (id, order, price, quantity)
        (self.quoteAmount, self.fee, self.feeAsset) = (quoteAmount, fee, feeAsset)
        (self.time, self.isBuyer, self.isMaker) = (time, isBuyer, isMaker)
    }

    /// An element of `myTrades`.
    public func write(to json: inout JSONWriter, _ units: InstrumentUnits) {
        let asset = feeAsset == units.base.id ? units.base : units.quote
        json.beginObject()
        json.field("symbol", units.view.symbol)
        json.field("id", id.number)
        json.field("orderId", order.number)
        json.field("orderListId", -1)
        json.field("price", price, units)
        json.field("qty", quantity, units)
        json.field("quoteQty", quoteAmount, units)
        json.field("commission", fee, of: asset)
        json.field("commissionAsset", asset.code)
        json.field("time", time: time)
        json.field("isBuyer", isBuyer)
        json.field("isMaker", isMaker)
        json.field("isBestMatch", true)
        json.endObject()
    }
}
