// Goal: a command may take the engine several turns, and is answered when it is done; what
// restricts a command is decided where it is sequenced, not before.

import Gateway
import Glibc
import JSON
import SpotAPI
import Synchronization
import Terms
import Testing
import Wire

private typealias Exchange = GatewayExchange

/// An exchange that serves. A turn of it has `turnSteps` steps.
private func running(_ commands: [Command] = [], turnSteps: UInt32 = 512) throws -> Exchange {
    var limits = EngineLimits.small
    limits.turnSteps = turnSteps
    let exchange = try Exchange(commands, limits: limits)
    try exchange.startMatching()
    try exchange.startGateway()
    return exchange
}

/// Clients of both accounts.
private struct Traders {
    let exchange: Exchange
    let client: TestClient

    init(_ exchange: Exchange) throws {
        self.exchange = exchange
        client = try exchange.client()
    }

    func alice(_ method: String, _ path: String, _ query: String) throws -> TestReply {
        try client.signed(method, "/api/v3/" + path, Exchange.aliceKey, "symbol=BTCUSDT&" + query)
    }

    func bob(_ method: String, _ path: String, _ query: String) throws -> TestReply {
        try client.signed(method, "/api/v3/" + path, Exchange.bobKey, "symbol=BTCUSDT&" + query)
    }

    func status(_ order: Int) throws -> String? {
        text(try alice("GET", "order", "orderId=\(order)"), "status")
    }
}

private func text(_ reply: TestReply, _ names: String...) -> String? {
    let value = names.reduce(reply.json) { $0[$1] ?? .null }
    return switch value {
    case .string(let text): text
    case .numeral(let text): text
    case .bool(let flag): "\(flag)"
    default: nil
    }
}

private func items(_ value: JSONValue?) -> [JSONValue] {
    if case .array(let items) = value { items } else { [] }
}

private let limit = "type=LIMIT&timeInForce=GTC"

@Suite struct GatewayRulesTests {
    // MARK: Continued work

    /// Ten asks of bob's, 0.1 each, and turns of four steps.
    private func tenAsks() throws -> Traders {
        let desk = try Traders(try running(turnSteps: 4))
        for index in 0..<10 {
            let placed = try desk.bob(
                "POST", "order", "side=SELL&\(limit)&quantity=0.1&price=\(60_000 + index)")
            #expect(placed.status == 200)
        }
        return desk
    }

    @Test func `an answer with fills waits for all turns of its order`() throws {
        let desk = try tenAsks()
        let bought = try desk.alice(
            "POST", "order", "side=BUY&type=MARKET&quantity=1&newOrderRespType=FULL")
        #expect(text(bought, "status") == "FILLED", "\(bought.body)")
        #expect(text(bought, "executedQty") == "1.00000000")
        let fills = items(bought.json["fills"])
        #expect(fills.count == 10)
        #expect(fills.first?["price"] == .string("60000.00000000"))
        #expect(fills.last?["price"] == .string("60009.00000000"))
        let tape = try desk.client.call("GET", "/api/v3/trades?symbol=BTCUSDT")
        #expect(items(tape.json).count == 10)
        let mine = try desk.alice("GET", "myTrades", "orderId=11")
        #expect(items(mine.json).count == 10)
    }

    @Test func `an answer without fills reports what the order's own command did`() throws {
        let desk = try tenAsks()
        let bought = try desk.alice(
            "POST", "order",
            "side=BUY&\(limit)&quantity=1.5&price=60020&newOrderRespType=RESULT")
        #expect(text(bought, "status") == "PARTIALLY_FILLED")
        #expect(text(bought, "executedQty") == "0.40000000")
        // What comes behind it waits, so it sees the order at rest.
        let next = try desk.bob("POST", "order", "side=SELL&\(limit)&quantity=0.1&price=70000")
        #expect(next.status == 200)
        let found = try desk.alice("GET", "order", "orderId=11")
        #expect(text(found, "executedQty") == "1.00000000")
        let depth = try desk.client.call("GET", "/api/v3/depth?symbol=BTCUSDT")
        #expect(depth.body.contains(#""bids":[["60020.00000000","0.50000000"]]"#), "\(depth.body)")
    }

    @Test func `a cancel of all lists what it ended in all its turns`() throws {
        let desk = try tenAsks()
        let canceled = try desk.bob("DELETE", "openOrders", "")
        #expect(canceled.status == 200, "\(canceled.body)")
        let rows = items(canceled.json)
        #expect(rows.map { $0["orderId"] ?? .null } == (1...10).map { .number($0) })
        #expect(rows.allSatisfy { $0["status"] == .string("CANCELED") })
        let none = try desk.bob("DELETE", "openOrders", "")
        #expect(none.code == -2011)
        let depth = try desk.client.call("GET", "/api/v3/depth?symbol=BTCUSDT")
        #expect(depth.body.contains(#""bids":[],"asks":[]"#))
    }

    @Test func `a market order that would look at too much is refused`() throws {
        let exchange = try running(turnSteps: 1)
        let desk = try Traders(exchange)
        for index in 0..<6 {
            _ = try desk.bob(
                "POST", "order", "side=SELL&\(limit)&quantity=0.1&price=\(60_000 + index)")
        }
        let bought = try desk.alice("POST", "order", "side=BUY&type=MARKET&quantity=0.6")
        #expect(bought.status == 400 && bought.code == -2010)
        #expect(text(bought, "msg") == "Order reaches too deep into the order book.")
    }

    // MARK: Cancels

    @Test func `a cancel ends only what it is restricted to`() throws {
        let desk = try Traders(try running())
        let words = "Order was not canceled due to cancel restrictions."
        for _ in 0..<2 {
            _ = try desk.alice("POST", "order", "side=BUY&\(limit)&quantity=0.5&price=60000")
        }
        _ = try desk.bob("POST", "order", "side=SELL&type=MARKET&quantity=0.2")
        // Order 1 has traded, order 2 has not.
        func cancel(_ order: Int, _ restriction: String) throws -> TestReply {
            try desk.alice(
                "DELETE", "order", "orderId=\(order)&cancelRestrictions=\(restriction)")
        }
        for (order, restriction) in [(1, "ONLY_NEW"), (2, "ONLY_PARTIALLY_FILLED")] {
            let refused = try cancel(order, restriction)
            #expect(refused.status == 400 && refused.code == -2011)
            #expect(text(refused, "msg") == words)
        }
        #expect(try cancel(1, "ONLY_OLD").code == -1145)
        let replace =
            "side=BUY&\(limit)&quantity=0.1&price=50000&cancelOrderId=1"
            + "&cancelRestrictions=ONLY_NEW&cancelReplaceMode="
        let stopped = try desk.alice("POST", "order/cancelReplace", replace + "STOP_ON_FAILURE")
        #expect(stopped.status == 400 && stopped.code == -2022)
        #expect(text(stopped, "data", "cancelResponse", "msg") == words)
        #expect(text(stopped, "data", "newOrderResult") == "NOT_ATTEMPTED")
        let both = try desk.alice("POST", "order/cancelReplace", replace + "ALLOW_FAILURE")
        #expect(both.status == 409 && both.code == -2021)
        #expect(text(both, "data", "cancelResponse", "msg") == words)
        #expect(text(both, "data", "newOrderResponse", "status") == "NEW")
        #expect(try cancel(1, "ONLY_PARTIALLY_FILLED").status == 200)
        #expect(try cancel(2, "ONLY_NEW").status == 200)
    }

    @Test func `two names must be of one order`() throws {
        let desk = try Traders(try running())
        for name in ["one", "two"] {
            _ = try desk.alice(
                "POST", "order",
                "side=BUY&\(limit)&quantity=0.5&price=60000&newClientOrderId=\(name)")
        }
        let both = "orderId=1&origClientOrderId="
        #expect(try desk.alice("DELETE", "order", both + "two").code == -2011)
        #expect(try desk.alice("GET", "order", both + "two").code == -2013)
        #expect(text(try desk.alice("GET", "order", both + "one"), "orderId") == "1")
        let done = try desk.alice("DELETE", "order", both + "one&newClientOrderId=end")
        #expect(text(done, "origClientOrderId") == "one" && text(done, "clientOrderId") == "end")
        // Ended orders are looked up in the history.
        #expect(try desk.alice("GET", "order", both + "two").code == -2013)
        #expect(text(try desk.alice("GET", "order", both + "one"), "status") == "CANCELED")
    }

    @Test func `a cancel-replace whose new order is refused keeps the old order`() throws {
        let desk = try Traders(try running())
        _ = try desk.alice("POST", "order", "side=BUY&\(limit)&quantity=0.5&price=60000")
        let base = "side=BUY&\(limit)&cancelOrderId=1&cancelReplaceMode="
        for mode in ["STOP_ON_FAILURE", "ALLOW_FAILURE"] {
            let small = try desk.alice(
                "POST", "order/cancelReplace", base + mode + "&quantity=0.00001&price=1")
            #expect(small.status == 400 && small.code == -1013, "\(small.body)")
            #expect(text(small, "msg") == "Filter failure: NOTIONAL")
            let poor = try desk.alice(
                "POST", "order/cancelReplace", base + mode + "&quantity=9000&price=60000")
            #expect(poor.status == 400 && poor.code == -2022, "\(poor.body)")
            #expect(text(poor, "data", "cancelResult") == "FAILURE")
            #expect(text(poor, "data", "newOrderResult") == "FAILURE")
            #expect(text(poor, "data", "newOrderResponse", "code") == "-2010")
            #expect(try desk.status(1) == "NEW")
        }
        // What the old order holds counts for the new one.
        let whole = try desk.alice(
            "POST", "order/cancelReplace", base + "STOP_ON_FAILURE&quantity=16&price=60000")
        #expect(whole.status == 200, "\(whole.body)")
        let gone = try desk.alice(
            "POST", "order/cancelReplace", base + "ALLOW_FAILURE&quantity=9000&price=60000")
        #expect(gone.status == 400 && gone.code == -2022)
        #expect(text(gone, "data", "cancelResponse", "msg") == "Unknown order sent.")
    }

    // MARK: Amends

    @Test func `an amend lowers the quantity, keeps priority and renames`() throws {
        let desk = try Traders(try running())
        for name in ["one", "two"] {
            _ = try desk.alice(
                "POST", "order",
                "side=BUY&\(limit)&quantity=0.5&price=60000&newClientOrderId=\(name)")
        }
        let path = "order/amend/keepPriority"
        let amended = try desk.alice(
            "PUT", path, "orderId=1&newQty=0.3&newClientOrderId=three")
        #expect(amended.status == 200, "\(amended.body)")
        #expect(text(amended, "amendedOrder", "qty") == "0.30000000")
        #expect(text(amended, "amendedOrder", "origClientOrderId") == "one")
        #expect(text(amended, "amendedOrder", "clientOrderId") == "three")
        #expect(text(amended, "amendedOrder", "preventedQty") == "0.00000000")
        #expect(text(amended, "executionId") != nil && text(amended, "transactTime") != nil)
        for (query, code, words) in [
            ("orderId=1&newQty=0.4", -2038, "Order amend (quantity increase) is not supported."),
            (
                "orderId=1&newQty=0.3", -2038,
                "The requested action would change no state; rejecting."
            ),
            ("orderId=9&newQty=0.1", -2038, "Unknown order sent."),
            ("orderId=1&newQty=0.2&newClientOrderId=two", -2038, "Duplicate order sent."),
            ("orderId=1&newQty=0.00001", -1013, "Filter failure: NOTIONAL"),
        ] {
            let refused = try desk.alice("PUT", path, query)
            #expect(refused.code == code && text(refused, "msg") == words, "\(refused.body)")
        }
        _ = try desk.bob("POST", "order", "side=SELL&type=MARKET&quantity=0.3")
        #expect(try desk.status(1) == "FILLED" && (try desk.status(2)) == "NEW")
        let named = try desk.alice("GET", "order", "origClientOrderId=three")
        #expect(text(named, "orderId") == "1")
    }

    // MARK: What orders carry

    @Test func `every reply has the strategy, before and after the order's end`() throws {
        let desk = try Traders(try running())
        let placed = try desk.alice(
            "POST", "order",
            "side=BUY&\(limit)&quantity=0.5&price=60000&strategyId=77&strategyType=1000001"
                + "&newOrderRespType=RESULT")
        let open = try desk.alice("GET", "order", "orderId=1")
        let canceled = try desk.alice("DELETE", "order", "orderId=1")
        let ended = try desk.alice("GET", "order", "orderId=1")
        for reply in [placed, open, canceled, ended] {
            #expect(text(reply, "strategyId") == "77", "\(reply.body)")
            #expect(text(reply, "strategyType") == "1000001")
        }
        #expect(text(open, "workingTime") == text(ended, "workingTime"))
        #expect(text(open, "workingTime") == text(placed, "workingTime"))
    }

    @Test func `a stop works from its trigger on`() throws {
        let desk = try Traders(try running())
        _ = try desk.bob("POST", "order", "side=SELL&\(limit)&quantity=0.1&price=60000")
        _ = try desk.alice("POST", "order", "side=BUY&type=MARKET&quantity=0.1")
        _ = try desk.alice(
            "POST", "order",
            "side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.1&price=60000"
                + "&stopPrice=61000")
        let waiting = try desk.alice("GET", "order", "orderId=3")
        #expect(text(waiting, "workingTime") == "-1" && text(waiting, "isWorking") == "false")
        // Times are in milliseconds: the next one must differ.
        usleep(2_000)
        _ = try desk.bob("POST", "order", "side=SELL&\(limit)&quantity=0.1&price=61000")
        _ = try desk.alice("POST", "order", "side=BUY&type=MARKET&quantity=0.1")
        let working = try desk.alice("GET", "order", "orderId=3")
        #expect(text(working, "isWorking") == "true", "\(working.body)")
        #expect(text(working, "workingTime") == text(working, "updateTime"))
        #expect(text(working, "workingTime") != text(waiting, "time"))
    }

    @Test func `prevented quantity is reported, and the symbol's mode applies`() throws {
        var market = Exchange.market("STPUSDT")
        market.selfTradePrevention = .decrement
        let exchange = try running([.setInstrument(market)])
        let client = try exchange.client()
        let info = try client.call("GET", "/api/v3/exchangeInfo").json
        let symbols = items(info["symbols"])
        #expect(
            symbols.map { $0["defaultSelfTradePreventionMode"] ?? .null }
                == [.string("EXPIRE_MAKER"), .string("DECREMENT")])
        #expect(
            items(symbols[0]["allowedSelfTradePreventionModes"]).compactMap {
                if case .string(let word) = $0 { word } else { nil }
            }.sorted() == ["DECREMENT", "EXPIRE_BOTH", "EXPIRE_MAKER", "EXPIRE_TAKER", "NONE"])
        func order(_ method: String, _ query: String) throws -> TestReply {
            try client.signed(method, "/api/v3/order", Exchange.aliceKey, "symbol=STPUSDT&" + query)
        }
        _ = try order("POST", "side=SELL&\(limit)&quantity=0.5&price=60000")
        let taker = try order("POST", "side=BUY&\(limit)&quantity=0.2&price=60000")
        #expect(text(taker, "status") == "EXPIRED_IN_MATCH", "\(taker.body)")
        #expect(text(taker, "preventedQuantity") == "0.20000000")
        #expect(text(taker, "selfTradePreventionMode") == "DECREMENT")
        let maker = try order("GET", "orderId=1")
        #expect(text(maker, "origQty") == "0.50000000", "the order's quantity stays")
        #expect(text(maker, "preventedQuantity") == "0.20000000")
        let ended = try order("GET", "orderId=2")
        #expect(text(ended, "preventedQuantity") == "0.20000000", "from the history")
        // A mode that ends the resting order prevents all that was left of it.
        _ = try order(
            "POST",
            "side=BUY&\(limit)&quantity=0.1&price=60000&selfTradePreventionMode=EXPIRE_MAKER")
        let gone = try order("GET", "orderId=1")
        #expect(text(gone, "status") == "EXPIRED_IN_MATCH")
        #expect(text(gone, "preventedQuantity") == "0.50000000")
    }

    @Test func `an account sees the limits that are its own`() throws {
        let exchange = try running([
            .setAccountLimits(
                SetAccountLimits(account: AccountID(1), openOrdersMax: 5, audit: Exchange.audit)),
            .setOrderLimits(
                SetOrderLimits(
                    account: AccountID(1), instrument: InstrumentID(1),
                    orderQuantityMax: Quantity(lots: 200_000),
                    orderNotionalMax: Amount(units: 1_000_000_000_000), audit: Exchange.audit)),
        ])
        let desk = try Traders(exchange)
        let mine = try desk.alice("GET", "myFilters", "")
        #expect(
            mine.body == """
                {"exchangeFilters":[{"filterType":"EXCHANGE_MAX_NUM_ORDERS","maxNumOrders":5}],\
                "symbolFilters":[{"filterType":"MAX_NUM_ORDERS","maxNumOrders":5}],\
                "assetFilters":[{"filterType":"MAX_ASSET","asset":"BTC","limit":"2.00000000"},\
                {"filterType":"MAX_ASSET","asset":"USDT","limit":"10000.00000000"}]}
                """)
        let theirs = try desk.bob("GET", "myFilters", "")
        #expect(theirs.body.contains(#""assetFilters":[]"#))
        let order = "side=BUY&\(limit)&quantity=1&price=20000"
        let large = try desk.alice("POST", "order", order)
        #expect(large.code == -1013 && text(large, "msg") == "Filter failure: MAX_ASSET")
        #expect(try desk.bob("POST", "order", order).status == 200)
    }

    // MARK: Time

    @Test func `an order with a short window gets a time-out when its window ends`() throws {
        let exchange = try Exchange()
        try exchange.startMatching()
        try exchange.startGateway { $0.answerMilliseconds = 50_000 }
        let desk = try Traders(exchange)
        exchange.log.isStalled.store(true, ordering: .releasing)
        let clock = ContinuousClock()
        let began = clock.now
        let late = try desk.client.signed(
            "POST", "/api/v3/order", Exchange.aliceKey,
            "symbol=BTCUSDT&side=BUY&\(limit)&quantity=0.5&price=60000", recvWindow: 3_000)
        #expect(late.status == 503 && late.code == -1007)
        // Without the window it would be 50 s.
        #expect((.seconds(1)...(.seconds(45))).contains(clock.now - began))
        exchange.log.isStalled.store(false, ordering: .releasing)
    }
}
