// Goal: an order's parameters become the command that they mean, each fault gets the API's own
// error, and every refusal of the engine has its words.

import Engine
import JSON
import SpotAPI
import Terms
import Testing
import Wire

private func request(_ query: String) throws -> OrderRequest {
    let venue = TestVenue { _, _ in }
    let found = venue.engine.instrument(TestVenue.btc)
    let view = try #require(found)
    return try OrderRequest(
        Parameters(query: query), account: TestVenue.alice,
        units: InstrumentUnits(view, in: venue.engine), clOrdID: TestVenue.text("generated"))
}

private let limit = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000.01"

@Test func `a limit order is read to the last digit`() throws {
    let order = try request(limit + "&icebergQty=0.1&selfTradePreventionMode=EXPIRE_MAKER")
    #expect(
        order.place
            == Place(
                account: TestVenue.alice, instrument: TestVenue.btc, side: .buy, type: .limit,
                selfTradePrevention: .expireMaker, price: Price(ticks: 6_000_001),
                quantity: Quantity(lots: 50_000), displayQuantity: Quantity(lots: 10_000),
                clOrdID: TestVenue.text("generated")))
    #expect(order.response == .full)
}

private let types: [(String, OrderType, OrderResponse)] = [
    ("side=SELL&type=MARKET&quantity=1", .market, .full),
    ("side=BUY&type=MARKET&quoteOrderQty=100.5", .market, .full),
    ("side=BUY&type=LIMIT_MAKER&quantity=1&price=5", .limitMaker, .ack),
    ("side=BUY&type=STOP_LOSS&quantity=1&stopPrice=5", .stopLoss, .ack),
    ("side=BUY&type=TAKE_PROFIT&quantity=1&stopPrice=5", .takeProfit, .ack),
    (
        "side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=1&stopPrice=5&price=6",
        .stopLossLimit, .ack
    ),
    (
        "side=BUY&type=TAKE_PROFIT_LIMIT&timeInForce=FOK&quantity=1&stopPrice=5&price=6"
            + "&newOrderRespType=RESULT", .takeProfitLimit, .result
    ),
]

@Test(arguments: types)
func `each order type takes what it needs`(
    query: String, type: OrderType, response: OrderResponse
) throws {
    let order = try request(query)
    #expect(order.place.type == type)
    #expect(order.response == response)
}

private func btcUnits() throws -> InstrumentUnits {
    let venue = TestVenue { _, _ in }
    let found = venue.engine.instrument(TestVenue.btc)
    return InstrumentUnits(try #require(found), in: venue.engine)
}

private let faults: [(String, APIError)] = [
    ("type=LIMIT", .mandatory("side")),
    ("side=BUY", .mandatory("type")),
    ("side=LONG&type=LIMIT", .sideInvalid),
    ("side=BUY&type=ODD", .orderTypeInvalid),
    ("side=BUY&type=LIMIT&quantity=1&price=1", .mandatory("timeInForce")),
    ("side=BUY&type=LIMIT&timeInForce=DAY&quantity=1&price=1", .timeInForceInvalid),
    ("side=BUY&type=LIMIT&timeInForce=GTC&price=1", .mandatory("quantity")),
    ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1", .mandatory("price")),
    ("side=BUY&type=MARKET", .mandatory("quantity", or: "quoteOrderQty")),
    ("side=BUY&type=MARKET&quantity=1&quoteOrderQty=1", .combinationInvalid),
    ("side=BUY&type=MARKET&quantity=1&price=5", .notRequired("price")),
    ("side=BUY&type=MARKET&quantity=1&timeInForce=GTC", .notRequired("timeInForce")),
    ("side=BUY&type=LIMIT_MAKER&quantity=1&price=5&timeInForce=GTC", .notRequired("timeInForce")),
    (limit + "&stopPrice=5", .notRequired("stopPrice")),
    (limit + "&quoteOrderQty=5", .notRequired("quoteOrderQty")),
    (limit + "&icebergQty=1", .icebergExceeds),
    (limit + "&selfTradePreventionMode=MAYBE", .invalid("selfTradePreventionMode")),
    (limit + "&selfTradePreventionMode=TRANSFER", .preventionNotAllowed),
    (limit + "&selfTradePreventionMode=DEFAULT", .invalid("selfTradePreventionMode")),
    (limit + "&strategyType=999999", .strategyTypeInvalid),
    (limit + "&strategyType=2147483648", .invalid("strategyType")),
    (limit + "&strategyId=0", .invalid("strategyId")),
    (limit + "&newOrderRespType=ALL", .invalid("newOrderRespType")),
    (limit + "&trailingDelta=100", .unsupportedCombination),
    ("side=BUY&type=STOP_LOSS&quantity=1", .mandatory("stopPrice")),
    ("side=BUY&type=STOP_LOSS&quantity=1&trailingDelta=5", .unsupportedCombination),
    (
        "side=BUY&type=LIMIT&timeInForce=IOC&quantity=1&price=1&icebergQty=1", .timeInForceInvalid
    ),
    (
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=-1&price=1",
        .illegal("quantity", range: DecimalText.legalRange)
    ),
    (
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=NaN&price=1",
        .illegal("quantity", range: DecimalText.legalRange)
    ),
    (
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=1e3",
        .illegal("price", range: DecimalText.legalRange)
    ),
    ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.001", .filter("PRICE_FILTER")),
    ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0&price=1", .quantityZero),
    ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0", .priceZero),
    (
        limit + "&newClientOrderId=a%20b",
        .illegal("newClientOrderId", range: "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    ),
    (
        limit + "&newClientOrderId=" + String(repeating: "a", count: 37),
        .illegal("newClientOrderId", range: "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    ),
    (limit + "&side=SELL", .duplicateParameter),
    (limit + "&x=%zz", .illegal("x", range: "percent-encoded UTF-8")),
    (limit + "&x=%ff", .illegal("x", range: "percent-encoded UTF-8")),
]

@Test(arguments: faults)
func `a faulty order gets the API's own error`(query: String, error: APIError) {
    #expect(throws: error) { try request(query) }
}

@Test func `a name is there once, in the query or in the body`() throws {
    let parameters = try Parameters(query: "side=BUY&type=", body: "price=3")
    #expect(parameters[.side] == "BUY")
    #expect(parameters[.type] == nil)
    #expect(parameters[.price] == "3")
    for (query, body) in [
        ("price=1&price=1", ""), ("", "price=1&price=2"), ("price=1", "price=2"),
        ("price=1", "%70rice=1"), ("price", "price=1"),
    ] {
        #expect(throws: APIError.duplicateParameter) {
            try Parameters(query: query, body: body)
        }
    }
    #expect(throws: APIError.illegal("side", range: "percent-encoded UTF-8")) {
        try Parameters(query: "side=BUYprice=1")
    }
    #expect(try Parameters(query: "signature=Zg==").count == 1)
    let many = (0...64).map { "p\($0)=1" }.joined(separator: "&")
    #expect(throws: APIError.tooManyParameters) { try Parameters(query: many) }
}

@Test func `a strategy is read, and without a mode of its own an order has the symbol's`() throws {
    let order = try request(limit + "&strategyId=9223372036854775807&strategyType=1000000")
    #expect(order.place.strategyID == .max && order.place.strategyType == 1_000_000)
    #expect(order.place.selfTradePrevention == .instrumentDefault)
}

@Test func `an order is named by the exchange's id, by the client's, or by both`() throws {
    let both = try OrderReference(Parameters(query: "orderId=7&origClientOrderId=x"))
    #expect(both.order.number == 7 && both.clOrdID.description == "x")
    let own = try OrderReference(Parameters(query: "origClientOrderId=x"))
    #expect(own.order.number == 0 && own.clOrdID.description == "x")
    for query in ["", "orderId=0", "orderId="] {
        #expect(throws: APIError.mandatory("origClientOrderId", or: "orderId")) {
            try OrderReference(Parameters(query: query))
        }
    }
}

@Test func `every refusal has an error of the API`() {
    let rows: [(Refusal, Int, String)] = [
        (.malformed, -1001, ""), (.sessionUnknown, -1001, ""), (.sessionGap, -1001, ""),
        (.duplicateCommand, -1001, ""), (.voided, -1001, ""), (.none, -1001, ""),
        (.poisoned, -1000, "refuses it"),
        (.deadlinePassed, -1021, "outside of the recvWindow"), (.instrumentBusy, -1008, ""),
        (.sweepLimit, -2010, "too deep"),
        (.cancelRestricted, -2011, "Order was not canceled due to cancel restrictions."),
        (.referenceDuplicate, -1001, ""), (.feesInsufficient, -1001, ""),
        (.diskReserve, -1008, "disk space"), (.venueKilled, -2010, "disabled"),
        (.accountUnknown, -2015, ""), (.accountKilled, -2010, "disabled"),
        (.instrumentUnknown, -1121, "Invalid symbol."),
        (.messageRate, -1015, "Too many new orders"),
        (.instrumentState, -2010, "Market is closed."),
        (.orderTypeInvalid, -2010, "Unsupported order combination"),
        (.priceInvalid, -1013, "PRICE_FILTER"), (.quantityInvalid, -1013, "LOT_SIZE"),
        (.displayQuantityInvalid, -1013, "ICEBERG_PARTS"),
        (.stopPriceInvalid, -1013, "PRICE_FILTER"),
        (.expireTimeInvalid, -2010, "Unsupported"), (.notionalBelowMinimum, -1013, "NOTIONAL"),
        (.notionalAboveMaximum, -1013, "NOTIONAL"), (.priceBand, -1013, "PERCENT_PRICE_BY_SIDE"),
        (.orderSizeLimit, -1013, "MAX_ASSET"), (.openOrdersLimit, -1013, "MAX_NUM_ORDERS"),
        (.capacity, -1013, "EXCHANGE_MAX_NUM_ORDERS"),
        (.clOrdIDDuplicate, -2010, "Duplicate order sent."),
        (.triggersImmediately, -2010, "Order would trigger immediately."),
        (.wouldTake, -2010, "Order would immediately match and take."),
        (.insufficientFunds, -2010, "Account has insufficient balance for requested action."),
        (.orderUnknown, -2011, "Unknown order sent."), (.amendInvalid, -2038, "change no state"),
        (.priorityLost, -2038, "increase"),
        (.cancelFailed, -2011, "Unknown order sent."), (.nameInvalid, -1001, ""),
        (.assetUnknown, -1001, ""), (.termsInvalid, -1001, ""), (.tableFull, -1001, ""),
        (.amountInvalid, -1001, ""), (.apiKeyUnknown, -1001, ""), (.stateInvalid, -1001, ""),
        (.networkUnknown, -1001, ""), (.withdrawalUnknown, -1001, ""),
        (.transactionUnknown, -1001, ""), (.addressInvalid, -1001, ""),
        (.withdrawalsStopped, -1001, ""), (.approvalInvalid, -1001, ""),
        (.approvalRequired, -1001, ""), (.operatorUnknown, -1001, ""),
        (.proposalUnknown, -1001, ""), (.auditHeadUnknown, -1001, ""),
        (.addressNotListed, -1001, ""), (.addressDelayed, -1001, ""),
        (.withdrawalsFrozen, -1001, ""), (.withdrawalLimit, -1001, ""),
    ]
    #expect(Set(rows.map(\.0)) == Set(Refusal.allCases), "a row for each refusal")
    for (refusal, code, text) in rows {
        let error = APIError(refusal)
        #expect(error.code == code, "\(refusal)")
        #expect(text.isEmpty || error.message.contains(text), "\(refusal): \(error.message)")
    }
    #expect(APIError(.quantityInvalid, isMarket: true).message.hasSuffix("MARKET_LOT_SIZE"))
    #expect(APIError(amend: .orderUnknown).code == -2038)
    #expect(APIError(amend: .notionalBelowMinimum).code == -1013)
}

@Test func `a new order's reply is as detailed as requested`() throws {
    var venue = TestVenue { _, _ in }
    let units = try btcUnits()
    venue.run(TestVenue.limit(TestVenue.bob, .sell, 6_000_000, 100), { _, _ in })
    var events: [Event] = []
    let outcome = venue.run(
        TestVenue.limit(TestVenue.alice, .buy, 6_000_000, 150, clOrdID: "mine")
    ) { _, engine in
        events = unsafe engine.withEvents { unsafe Array($0) }
    }
    let result = try #require(
        OrderResult(
            order: OrderID(outcome.id), events: events, timestamp: 1_700_000_000_000_000_000))
    #expect(result.view.status == .partiallyFilled)
    #expect(result.view.cumQty == Quantity(lots: 100))
    var ack = JSONWriter()
    ack.newOrder(result, units, response: .ack, time: 1_700_000_000_000_000_000)
    #expect(
        ack.text == """
            {"symbol":"BTCUSDT","orderId":2,"orderListId":-1,"clientOrderId":"mine",\
            "transactTime":1700000000000}
            """)
    var full = JSONWriter()
    full.newOrder(result, units, response: .full, time: 1_700_000_000_000_000_000)
    #expect(
        full.text == """
            {"symbol":"BTCUSDT","orderId":2,"orderListId":-1,"clientOrderId":"mine",\
            "transactTime":1700000000000,"price":"60000.00000000","origQty":"0.00150000",\
            "executedQty":"0.00100000","origQuoteOrderQty":"0.00000000",\
            "cummulativeQuoteQty":"60.00000000","status":"PARTIALLY_FILLED","timeInForce":"GTC",\
            "type":"LIMIT","side":"BUY","workingTime":1700000000000,\
            "selfTradePreventionMode":"NONE","fills":[{"price":"60000.00000000",\
            "qty":"0.00100000","commission":"0.00000000","commissionAsset":"BTC","tradeId":1}]}
            """)
}

@Test func `the halves of a cancel-replace have their own results`() {
    let done = Array("{}".utf8)
    let rows: [(CancelReplaceReply, Int, String)] = [
        (CancelReplaceReply(cancel: .success(done), newOrder: .success(done)), 200, "SUCCESS"),
        (
            CancelReplaceReply(cancel: .failure(.cancelUnknown), newOrder: nil), 400,
            "NOT_ATTEMPTED"
        ),
        (
            CancelReplaceReply(
                cancel: .success(done), newOrder: .failure(.filter("LOT_SIZE"))), 409, "-2021"
        ),
        (
            CancelReplaceReply(
                cancel: .failure(.cancelUnknown), newOrder: .failure(.filter("LOT_SIZE"))), 400,
            "-2022"
        ),
    ]
    for (reply, status, text) in rows {
        var json = JSONWriter()
        reply.write(to: &json)
        #expect(reply.status == status)
        #expect(json.text.contains(text))
        #expect(JSONValue(parsing: json.bytes) != nil)
    }
}

@Test func `exchangeInfo has what clients look for`() throws {
    var json = JSONWriter()
    ExchangeInfo.write(
        to: &json, instruments: [try btcUnits()], limits: .standard,
        time: 1_700_000_000_000_000_000,
        openOrdersMax: 200)
    let info = try #require(JSONValue(parsing: json.bytes))
    guard case .array(let symbols) = info["symbols"], let symbol = symbols.first,
        case .array(let filters) = symbol["filters"], case .array(let types) = symbol["orderTypes"]
    else {
        Issue.record("symbols, filters and order types are lists")
        return
    }
    #expect(symbol["status"] == .string("TRADING"))
    #expect(symbol["permissionSets"] == .array([.array([.string("SPOT")])]))
    #expect(types.contains(.string("STOP_LOSS_LIMIT")))
    let names = filters.compactMap { filter -> String? in
        if case .string(let name) = filter["filterType"] { name } else { nil }
    }
    #expect(
        Set(names).isSuperset(of: [
            "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE",
            "MAX_NUM_ORDERS",
        ]))
}
