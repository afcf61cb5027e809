// The exchange's rules as JSON. Source: Binance Spot API documentation, "Exchange information" and
// "Filters".

public import Engine
import Terms

/// The gateway's limits on its callers, as exchangeInfo lists them.
public struct RateLimits: Hashable, Sendable {
    /// Request weight an address may use in a minute.
    public var weightPerMinute: Int
    /// New orders an account may send in 10 seconds.
    public var ordersPer10Seconds: Int
    /// New orders an account may send in a day.
    public var ordersPerDay: Int

    /// These limits.
    public init(weightPerMinute: Int, ordersPer10Seconds: Int, ordersPerDay: Int) {
        self.weightPerMinute = weightPerMinute
        (self.ordersPer10Seconds, self.ordersPerDay) = (ordersPer10Seconds, ordersPerDay)
    }

    /// For market makers in the operator's own network: far above a public exchange's.
    public static var standard: RateLimits {
        RateLimits(weightPerMinute: 600_000, ordersPer10Seconds: 100_000, ordersPerDay: 100_000_000)
    }

    func write(to json: inout JSONWriter) {
        json.beginArray()
        for (type, interval, count, limit) in [
            ("REQUEST_WEIGHT", "MINUTE", 1, weightPerMinute),
            ("ORDERS", "SECOND", 10, ordersPer10Seconds), ("ORDERS", "DAY", 1, ordersPerDay),
        ] {
            json.beginObject()
            json.field("rateLimitType", type)
            json.field("interval", interval)
            json.field("intervalNum", count)
            json.field("limit", limit)
            json.endObject()
        }
        json.endArray()
    }
}

/// exchangeInfo.
public enum ExchangeInfo {
    /// The whole reply; `time` in ns since 1970. `openOrdersMax` is an account's limit,
    /// over all instruments. `permissionSets` are empty unless `showsPermissions`.
    public static func write(
        to json: inout JSONWriter, instruments: [InstrumentUnits], limits: RateLimits, time: Int64,
        openOrdersMax: UInt32, showsPermissions: Bool = true
    ) {
        json.beginObject()
        json.field("timezone", "UTC")
        json.field("serverTime", time: time)
        json.key("rateLimits")
        limits.write(to: &json)
        json.field("exchangeFilters", list: [])
        json.key("symbols")
        json.beginArray()
        for units in instruments {
            symbol(
                units, openOrdersMax: openOrdersMax, showsPermissions: showsPermissions, to: &json)
        }
        json.endArray()
        json.endObject()
    }

    private static func symbol(
        _ units: InstrumentUnits, openOrdersMax: UInt32, showsPermissions: Bool,
        to json: inout JSONWriter
    ) {
        json.beginObject()
        json.field("symbol", units.view.symbol)
        json.field("status", units.view.state.word)
        json.field("baseAsset", units.base.code)
        json.field("baseAssetPrecision", units.basePrecision)
        json.field("quoteAsset", units.quote.code)
        json.field("quotePrecision", units.quotePrecision)
        json.field("quoteAssetPrecision", units.quotePrecision)
        json.field("baseCommissionPrecision", units.basePrecision)
        json.field("quoteCommissionPrecision", units.quotePrecision)
        json.field("orderTypes", list: OrderType.allCases.map(\.word))
        json.field("icebergAllowed", true)
        json.field("ocoAllowed", false)
        json.field("otoAllowed", false)
        json.field("opoAllowed", false)
        json.field("quoteOrderQtyMarketAllowed", true)
        json.field("allowTrailingStop", false)
        json.field("cancelReplaceAllowed", true)
        json.field("amendAllowed", true)
        json.field("pegInstructionsAllowed", false)
        json.field("isSpotTradingAllowed", true)
        json.field("isMarginTradingAllowed", false)
        json.key("filters")
        filters(units, openOrdersMax: openOrdersMax, to: &json)
        json.field("permissions", list: [])
        json.key("permissionSets")
        json.beginArray()
        if showsPermissions {
            json.beginArray()
            json.string("SPOT")
            json.endArray()
        }
        json.endArray()
        json.field("defaultSelfTradePreventionMode", units.view.selfTradePrevention.word)
        json.field(
            "allowedSelfTradePreventionModes", list: SelfTradePrevention.ofOrders.map(\.word))
        json.endObject()
    }

    private static func filters(
        _ units: InstrumentUnits, openOrdersMax: UInt32, to json: inout JSONWriter
    ) {
        let view = units.view
        json.beginArray()
        filter("PRICE_FILTER", to: &json) { json in
            json.field("minPrice", view.priceMin, units)
            json.field("maxPrice", view.priceMax, units)
            json.field("tickSize", Price(ticks: 1), units)
        }
        for name in ["LOT_SIZE", "MARKET_LOT_SIZE"] {
            filter(name, to: &json) { json in
                json.field("minQty", view.quantityMin, units)
                json.field("maxQty", view.quantityMax, units)
                json.field("stepSize", Quantity(lots: 1), units)
            }
        }
        filter("ICEBERG_PARTS", to: &json) { $0.field("limit", Limits.icebergPartsMax) }
        filter("NOTIONAL", to: &json) { json in
            json.field("minNotional", view.notionalMin, units)
            json.field("applyMinToMarket", true)
            let most =
                view.notionalMax == .zero
                ? units.notional(view.priceMax, view.quantityMax) : view.notionalMax
            json.field("maxNotional", most, units)
            json.field("applyMaxToMarket", true)
            json.field("avgPriceMins", 0)
        }
        filter("PERCENT_PRICE_BY_SIDE", to: &json) { json in
            for name: (StaticString, StaticString) in [
                ("bidMultiplierUp", "bidMultiplierDown"), ("askMultiplierUp", "askMultiplierDown"),
            ] {
                json.key(name.0)
                json.decimal(view.bandUp > 0 ? 1_000_000 + Int128(view.bandUp) : noBandUp, scale: 6)
                json.key(name.1)
                json.decimal(view.bandDown > 0 ? 1_000_000 - Int128(view.bandDown) : 0, scale: 6)
            }
            json.field("avgPriceMins", 0)
        }
        filter("MAX_NUM_ORDERS", to: &json) { json in
            json.field("maxNumOrders", openOrdersMax)
        }
        json.endArray()
    }

    /// Without an upper band, every price that the instrument accepts is within this multiple.
    private static var noBandUp: Int128 { 1_000_000_000_000 }

    /// `myFilters`: the limits of an account that apply to an instrument.
    public static func writeOwnFilters(
        to json: inout JSONWriter, units: InstrumentUnits, openOrdersMax: UInt32,
        orders: OrderLimitsView?
    ) {
        json.beginObject()
        json.key("exchangeFilters")
        json.beginArray()
        filter("EXCHANGE_MAX_NUM_ORDERS", to: &json) { $0.field("maxNumOrders", openOrdersMax) }
        json.endArray()
        json.key("symbolFilters")
        json.beginArray()
        filter("MAX_NUM_ORDERS", to: &json) { $0.field("maxNumOrders", openOrdersMax) }
        json.endArray()
        json.key("assetFilters")
        json.beginArray()
        if let orders, orders.orderQuantityMax > .zero {
            filter("MAX_ASSET", to: &json) { json in
                json.field("asset", units.base.code)
                json.field("limit", orders.orderQuantityMax, units)
            }
        }
        if let orders, orders.orderNotionalMax > .zero {
            filter("MAX_ASSET", to: &json) { json in
                json.field("asset", units.quote.code)
                json.field("limit", orders.orderNotionalMax, units)
            }
        }
        json.endArray()
        json.endObject()
    }

    private static func filter(
        _ name: String, to json: inout JSONWriter, _ members: (inout JSONWriter) -> Void
    ) {
        json.beginObject()
        json.field("filterType", name)
        members(&json)
        json.endObject()
    }
}
