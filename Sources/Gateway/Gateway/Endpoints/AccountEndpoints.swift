// An account's own state: balances, trades, permissions.

import Engine
import Follower
import History
import SpotAPI
import Terms

extension Endpoint {
    static let accountEndpoints: [Endpoint] = [
        Endpoint(.get, "/api/v3/account", .userData, 20, takes: [.omitZeroBalances], account),
        Endpoint(
            .get, "/api/v3/myTrades", .userData, 20, needs: [.symbol],
            takes: [.orderId, .startTime, .endTime, .fromId, .limit], myTrades),
        Endpoint(
            .get, "/api/v3/account/commission", .userData, 20, needs: [.symbol], commission),
        Endpoint(.get, "/api/v3/myFilters", .userData, 40, needs: [.symbol], ownFilters),
        Endpoint(.get, "/api/v3/rateLimit/order", .userData, 40, orderCounts),
        Endpoint(.get, "/sapi/v1/account/status", .userData, 1) { _, call in
            call.reply { json in
                json.beginObject()
                json.field("data", "Normal")
                json.endObject()
            }
        }, Endpoint(.get, "/sapi/v1/account/apiRestrictions", .userData, 1, apiRestrictions),
    ]

    /// Has the rates of the account's tier; those for one instrument are in `account/commission`.
    @Sendable private static func account(_ context: EndpointContext, _ call: Call) throws(APIError)
    {
        let replica = try context.readyReplica()
        guard let view = replica.engine.account(call.account) else { throw .keyInvalid }
        let omitZero = try call.parameters.flag(.omitZeroBalances)
        let reply = AccountReply(
            account: view, permissions: call.caller?.permissions ?? [],
            fees: replica.engine.fees(account: call.account, instrument: InstrumentID(0)),
            balances: replica.balances(call.account), updatedTime: replica.engine.timestamp)
        call.reply(capacity: 1_024) { reply.write(to: &$0, omitZeroBalances: omitZero) }
    }

    @Sendable private static func myTrades(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (replica, units) = try context.market(call)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        let range = try historyRange(call, limit: limit)
        let order = try call.parameters.id(.orderId).map { OrderID($0) }
        let account = call.account
        call.read(replica) {
            try $0.trades(account, units.view.id, order: order, range)
        } done: { trades in
            call.reply(trades, bytes: 320) { OwnTrade($1).write(to: &$0, units) }
        }
    }

    @Sendable private static func commission(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (replica, units) = try context.market(call)
        let fees = replica.engine.fees(account: call.account, instrument: units.view.id)
        call.reply { json in
            json.beginObject()
            json.field("symbol", units.view.symbol)
            for (key, isOurs): (StaticString, Bool) in [
                ("standardCommission", true), ("specialCommission", false),
                ("taxCommission", false),
            ] {
                json.key(key)
                json.beginObject()
                json.field("maker", isOurs ? fees.maker : FeeRate(e8: 0))
                json.field("taker", isOurs ? fees.taker : FeeRate(e8: 0))
                json.field("buyer", FeeRate(e8: 0))
                json.field("seller", FeeRate(e8: 0))
                json.endObject()
            }
            json.noDiscount(units.quote.code)
            json.endObject()
        }
    }

    @Sendable private static func ownFilters(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (replica, units) = try context.market(call)
        guard let view = replica.engine.account(call.account) else { throw .keyInvalid }
        let most = view.openOrdersMax == 0 ? replica.engine.limits.openOrders : view.openOrdersMax
        let orders = replica.engine.orderLimits(call.account, units.view.id)
        call.reply { json in
            ExchangeInfo.writeOwnFilters(
                to: &json, units: units, openOrdersMax: most, orders: orders)
        }
    }

    @Sendable private static func orderCounts(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let counts = context.limiter.orders(call.account)
        let limits = context.limiter.limits
        call.reply { json in
            json.beginArray()
            for (interval, number, limit, count) in [
                ("SECOND", 10, limits.ordersPer10Seconds, counts.ten),
                ("DAY", 1, limits.ordersPerDay, counts.day),
            ] {
                json.beginObject()
                json.field("rateLimitType", "ORDERS")
                json.field("interval", interval)
                json.field("intervalNum", number)
                json.field("limit", limit)
                json.field("count", count)
                json.endObject()
            }
            json.endArray()
        }
    }

    @Sendable private static func apiRestrictions(_ context: EndpointContext, _ call: Call) {
        let permissions = call.caller?.permissions ?? []
        call.reply { json in
            json.beginObject()
            json.field("ipRestrict", false)
            json.field("createTime", 0)
            json.field("enableReading", permissions.contains(.read))
            json.field("enableWithdrawals", permissions.contains(.withdraw))
            json.field("enableInternalTransfer", false)
            json.field("enableMargin", false)
            json.field("enableFutures", false)
            json.field("permitsUniversalTransfer", false)
            json.field("enableVanillaOptions", false)
            json.field("enableFixApiTrade", false)
            json.field("enableFixReadOnly", false)
            json.field("enableSpotAndMarginTrading", permissions.contains(.trade))
            json.field("enablePortfolioMarginTrading", false)
            json.endObject()
        }
    }
}

extension JSONWriter {
    /// The discount of those who pay fees in an asset of the exchange's own: there is none.
    mutating func noDiscount(_ asset: Text16) {
        key("discount")
        beginObject()
        field("enabledForAccount", false)
        field("enabledForSymbol", false)
        field("discountAsset", asset)
        field("discount", FeeRate(e8: 0))
        endObject()
    }
}

extension OwnTrade {
    init(_ trade: AccountTrade) {
        self.init(
            id: trade.id, order: trade.order, price: trade.price, quantity: trade.quantity,
            quoteAmount: trade.quoteAmount, fee: trade.fee, feeAsset: trade.feeAsset,
            time: trade.time, isBuyer: trade.side == .buy, isMaker: trade.isMaker)
    }
}
