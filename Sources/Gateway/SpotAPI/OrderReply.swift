// Orders as JSON. Source: Binance Spot API documentation, "Trading endpoints".

public import Engine
public import Terms

extension JSONWriter {
    /// The answer to a new order, as detailed as `response` requires.
    public mutating func newOrder(
        _ result: OrderResult, _ units: InstrumentUnits, response: OrderResponse, time: Int64
    ) {
        let view = result.view
        beginObject()
        field("symbol", units.view.symbol)
        field("orderId", view.order.number)
        field("orderListId", -1)
        field("clientOrderId", view.clOrdID)
        field("transactTime", time: time)
        if response != .ack {
            orderState(view, units)
            workingTime(view)
            orderTail(view, units)
        }
        if response == .full {
            key("fills")
            beginArray()
            for trade in result.fills { fill(trade, of: view.order, units) }
            endArray()
        }
        endObject()
    }

    private mutating func fill(_ trade: Trade, of order: OrderID, _ units: InstrumentUnits) {
        let side = trade.taker.order == order ? trade.taker : trade.maker
        let asset = side.feeAsset == units.base.id ? units.base : units.quote
        beginObject()
        field("price", trade.price, units)
        field("qty", trade.quantity, units)
        field("commission", side.fee, of: asset)
        field("commissionAsset", asset.code)
        field("tradeId", trade.id.number)
        endObject()
    }

    /// The answer to a successful cancel. `clOrdID` names the cancel itself.
    public mutating func canceledOrder(
        _ view: OrderView, _ units: InstrumentUnits, clOrdID: Text40
    ) {
        beginObject()
        field("symbol", units.view.symbol)
        field("origClientOrderId", view.clOrdID)
        field("orderId", view.order.number)
        field("orderListId", -1)
        field("clientOrderId", clOrdID)
        field("transactTime", time: view.updatedTime)
        orderState(view, units)
        orderTail(view, units)
        endObject()
    }

    /// The answer to a successful amend: the order had the client's id `from` before, and
    /// `execution` is unique.
    public mutating func amendedOrder(
        _ view: OrderView, _ units: InstrumentUnits, from: Text40, execution: UInt64
    ) {
        beginObject()
        field("transactTime", time: view.updatedTime)
        field("executionId", execution)
        key("amendedOrder")
        beginObject()
        field("symbol", units.view.symbol)
        field("orderId", view.order.number)
        field("orderListId", -1)
        field("origClientOrderId", from)
        field("clientOrderId", view.clOrdID)
        field("price", view.price, units)
        field("qty", view.quantity, units)
        field("executedQty", view.cumQty, units)
        field("preventedQty", view.preventedQuantity, units)
        field("quoteOrderQty", view.quoteQuantity, units)
        field("cumulativeQuoteQty", view.cumQuote, units)
        field("status", view.status.word)
        field("timeInForce", view.timeInForce.word)
        field("type", view.type.word)
        field("side", view.side.word)
        if view.displayQuantity != .zero { field("icebergQty", view.displayQuantity, units) }
        workingTime(view)
        orderTail(view, units)
        endObject()
        endObject()
    }

    /// An order in `order`, `openOrders` and `allOrders`.
    public mutating func order(_ view: OrderView, _ units: InstrumentUnits) {
        beginObject()
        field("symbol", units.view.symbol)
        field("orderId", view.order.number)
        field("orderListId", -1)
        field("clientOrderId", view.clOrdID)
        orderTerms(view, units)
        field("stopPrice", view.stopPrice, units)
        field("icebergQty", view.displayQuantity, units)
        field("time", time: view.createdTime)
        field("updateTime", time: view.updatedTime)
        field("isWorking", view.isWorking)
        workingTime(view)
        orderTail(view, units)
        endObject()
    }

    private mutating func orderTerms(_ view: OrderView, _ units: InstrumentUnits) {
        field("price", view.price, units)
        field("origQty", view.quantity, units)
        field("executedQty", view.cumQty, units)
        field("origQuoteOrderQty", view.quoteQuantity, units)
        field("cummulativeQuoteQty", view.cumQuote, units)
        field("status", view.status.word)
        field("timeInForce", view.timeInForce.word)
        field("type", view.type.word)
        field("side", view.side.word)
    }

    /// The members that new and canceled orders share.
    private mutating func orderState(_ view: OrderView, _ units: InstrumentUnits) {
        orderTerms(view, units)
        if view.type.isTriggered { field("stopPrice", view.stopPrice, units) }
        if view.displayQuantity != .zero { field("icebergQty", view.displayQuantity, units) }
    }

    /// The prevention mode, and the members of orders that have one only.
    private mutating func orderTail(_ view: OrderView, _ units: InstrumentUnits) {
        field("selfTradePreventionMode", view.selfTradePrevention.word)
        let prevented = view.quantityPrevented
        if prevented > .zero { field("preventedQuantity", prevented, units) }
        if view.strategyID != 0 { field("strategyId", view.strategyID) }
        if view.strategyType != 0 { field("strategyType", view.strategyType) }
    }

    /// Since when the order works; -1 while it waits for its trigger.
    private mutating func workingTime(_ view: OrderView) {
        key("workingTime")
        if view.workingTime == 0 { integer(-1) } else { time(view.workingTime) }
    }
}

extension OrderView {
    /// The quantity that self-trade prevention took from the order: its remainder, where that ended
    /// the order.
    fileprivate var quantityPrevented: Quantity {
        status == .expiredInMatch ? Quantity(lots: quantity.lots - cumQty.lots) : preventedQuantity
    }
}

/// The answer to `order/cancelReplace`: what became of each half.
public struct CancelReplaceReply: Sendable {
    /// The canceled order's JSON, or why it was not.
    public var cancel: Result<[UInt8], APIError>
    /// The new order's JSON, or why it was not; nil when it was not tried.
    public var newOrder: Result<[UInt8], APIError>?

    /// Both halves.
    public init(cancel: Result<[UInt8], APIError>, newOrder: Result<[UInt8], APIError>?) {
        (self.cancel, self.newOrder) = (cancel, newOrder)
    }

    /// 200 when both were done, 409 when one was, 400 when none was.
    public var status: Int {
        switch (cancel, newOrder) {
        case (.success, .success): 200
        case (.failure, .failure), (.failure, nil): 400
        default: 409
        }
    }

    /// The reply's body.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        switch status {
        case 200: members(to: &json)
        case 400: error(-2022, "Order cancel-replace failed.", to: &json)
        default: error(-2021, "Order cancel-replace partially failed.", to: &json)
        }
        json.endObject()
    }

    private func error(_ code: Int, _ message: String, to json: inout JSONWriter) {
        json.field("code", code)
        json.field("msg", message)
        json.key("data")
        json.beginObject()
        members(to: &json)
        json.endObject()
    }

    private func members(to json: inout JSONWriter) {
        json.field("cancelResult", Self.word(cancel))
        json.field("newOrderResult", newOrder.map(Self.word) ?? "NOT_ATTEMPTED")
        json.key("cancelResponse")
        Self.response(cancel, to: &json)
        json.key("newOrderResponse")
        if let newOrder { Self.response(newOrder, to: &json) } else { json.null() }
    }

    private static func word(_ half: Result<[UInt8], APIError>) -> String {
        if case .success = half { "SUCCESS" } else { "FAILURE" }
    }

    private static func response(_ half: Result<[UInt8], APIError>, to json: inout JSONWriter) {
        switch half {
        case .success(let bytes): json.raw(bytes)
        case .failure(let error): error.write(to: &json)
        }
    }
}
