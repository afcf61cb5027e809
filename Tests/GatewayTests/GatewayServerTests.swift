// Goal: a client trades through the gateway, and a refused, lost or late request is reported in the
// API's own words, with nothing half done.

import Gateway
import Glibc
import JSON
import Pipeline
import Platform
import SpotAPI
import Synchronization
import Terms
import Testing
import Wire

private typealias Exchange = GatewayExchange

private let bid = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000"

@Test func `an order rests, trades and is found again`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let placed = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    #expect(placed.status == 200)
    #expect(placed.text("status") == "NEW")
    #expect(placed.headers["x-mbx-order-count-10s"] == "1")

    let depth = try client.call("GET", "/api/v3/depth?symbol=BTCUSDT")
    #expect(depth.body.contains(#""bids":[["60000.00000000","0.50000000"]],"asks":[]"#))
    let open = try client.signed("GET", "/api/v3/openOrders", Exchange.readerKey, "symbol=BTCUSDT")
    #expect(open.count == 1)

    let sold = try client.signed(
        "POST", "/api/v3/order", Exchange.bobKey,
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.2&newClientOrderId=sale")
    #expect(sold.text("status") == "FILLED")
    #expect(sold.text("cummulativeQuoteQty") == "12000.00000000")
    // The ended order is in the history at once.
    let found = try client.signed(
        "GET", "/api/v3/order", Exchange.bobKey, "symbol=BTCUSDT&origClientOrderId=sale")
    #expect(found.text("status") == "FILLED")
    let trades = try client.signed("GET", "/api/v3/myTrades", Exchange.bobKey, "symbol=BTCUSDT")
    #expect(trades.count == 1)
    #expect(trades.body.contains(#""isBuyer":false,"isMaker":false"#))
    let account = try client.signed("GET", "/api/v3/account", Exchange.aliceKey)
    #expect(
        account.body.contains(
            #"{"asset":"USDT","free":"970000.00000000","locked":"18000.00000000"}"#))

    let canceled = try client.signed(
        "DELETE", "/api/v3/order", Exchange.aliceKey, "symbol=BTCUSDT&orderId=1")
    #expect(canceled.text("status") == "CANCELED")
    let again = try client.signed(
        "DELETE", "/api/v3/order", Exchange.aliceKey, "symbol=BTCUSDT&orderId=1")
    #expect(again.status == 400 && again.code == -2011)
    let all = try client.signed("GET", "/api/v3/allOrders", Exchange.aliceKey, "symbol=BTCUSDT")
    #expect(all.count == 1)
}

@Test func `cancel-replace and cancel-all act on the account's own orders`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let key = Exchange.aliceKey
    _ = try client.signed("POST", "/api/v3/order", key, bid)
    let replaced = try client.signed(
        "POST", "/api/v3/order/cancelReplace", key,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000"
            + "&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=1")
    #expect(replaced.status == 200, "\(replaced.body)")
    let failed = try client.signed(
        "POST", "/api/v3/order/cancelReplace", key,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000"
            + "&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=1")
    #expect(failed.status == 400 && failed.code == -2022)
    #expect(failed.body.contains("NOT_ATTEMPTED"))
    // Another account's order is none of ours.
    let foreign = try client.signed(
        "DELETE", "/api/v3/order", Exchange.bobKey, "symbol=BTCUSDT&orderId=2")
    #expect(foreign.code == -2011)
    let unseen = try client.signed(
        "GET", "/api/v3/order", Exchange.bobKey, "symbol=BTCUSDT&orderId=2")
    #expect(unseen.code == -2013)
    let all = try client.signed("DELETE", "/api/v3/openOrders", key, "symbol=BTCUSDT")
    #expect(all.count == 1)
    let none = try client.signed("DELETE", "/api/v3/openOrders", key, "symbol=BTCUSDT")
    #expect(none.code == -2011)
}

@Test func `a refused order gets its error`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let rows: [(String, Int, String)] = [
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=9000&price=60000", -2010,
            "Account has insufficient balance for requested action."
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=1", -1013,
            "Filter failure: NOTIONAL"
        ),
        ("symbol=ODD&side=BUY&type=MARKET&quantity=1", -1121, "Invalid symbol."),
        (
            "side=BUY&type=MARKET&quantity=1", -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        ),
    ]
    for (query, code, text) in rows {
        let reply = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, query)
        #expect(reply.status == 400 && reply.code == code && reply.text("msg") == text)
    }
    let test = try client.signed("POST", "/api/v3/order/test", Exchange.aliceKey, bid)
    #expect(test.body == "{}")
    let open = try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey)
    #expect(open.count == 0)
}

/// A halted market, a narrow one, limits on alice, and bob locked out.
private func strict() -> [Command] {
    var banded = Exchange.market("BANDED")
    banded.referencePrice = Price(ticks: 6_000_000)
    banded.bandUp = 100_000
    return [
        .setInstrument(Exchange.market("HALTED")),
        .setInstrumentState(
            SetInstrumentState(instrument: InstrumentID(2), state: .halt, audit: Exchange.audit)),
        .setInstrument(banded),
        .setAccountLimits(
            SetAccountLimits(account: AccountID(1), openOrdersMax: 2, audit: Exchange.audit)),
        .setOrderLimits(
            SetOrderLimits(
                account: AccountID(1), instrument: InstrumentID(1),
                orderQuantityMax: Quantity(lots: 1_000_000), audit: Exchange.audit)),
        .setKillSwitch(SetKillSwitch(account: AccountID(2), isOn: true, audit: Exchange.audit)),
    ]
}

@Test func `a test of an order is refused for what the order would be, and does nothing`() throws {
    let exchange = try Exchange.running(strict())
    let client = try exchange.client()
    func place(_ query: String, _ key: String = Exchange.aliceKey) throws -> TestReply {
        try client.signed("POST", "/api/v3/order", key, query)
    }
    func both(_ query: String, _ text: String, _ key: String = Exchange.aliceKey) throws {
        let test = try client.signed("POST", "/api/v3/order/test", key, query)
        let order = try place(query, key)
        #expect(test.status == order.status && test.body == order.body, "\(query): \(test.body)")
        #expect(order.text("msg") == text)
    }
    let sell = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=60000"
    #expect(try place(sell + "&newClientOrderId=first").status == 200)
    let own = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&selfTradePreventionMode=NONE"
    #expect(try place(own).status == 200)
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC&quantity="
    for (query, text) in [
        ("symbol=HALTED&\(limit)1&price=50000", "Market is closed."),
        ("symbol=BTCUSDT&\(limit)1&price=2000000", "Filter failure: PRICE_FILTER"),
        ("symbol=BTCUSDT&\(limit)20000000&price=1", "Filter failure: LOT_SIZE"),
        ("symbol=BTCUSDT&\(limit)0.00001&price=1", "Filter failure: NOTIONAL"),
        ("symbol=BANDED&\(limit)1&price=70000", "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ("symbol=BTCUSDT&\(limit)11&price=50000", "Filter failure: MAX_ASSET"),
        (
            "symbol=BTCUSDT&\(limit)1&price=50000&newClientOrderId=first",
            "Duplicate order sent."
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=1"
                + "&price=59000&stopPrice=60001", "Order would trigger immediately."
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=60000",
            "Order would immediately match and take."
        ),
        (
            "symbol=BTCUSDT&\(limit)9&price=200000",
            "Account has insufficient balance for requested action."
        ),
    ] { try both(query, text) }
    try both(bid, "This action is disabled on this account.", Exchange.bobKey)
    let reader = try client.signed("POST", "/api/v3/order/test", Exchange.readerKey, bid)
    #expect(reader.status == 401 && reader.code == -2015)

    let low = "symbol=BTCUSDT&\(limit)1&price=50000"
    let good = try client.signed("POST", "/api/v3/order/test", Exchange.aliceKey, low)
    #expect(good.status == 200 && good.body == "{}")
    #expect(try place(low).status == 200)
    try both(low, "Filter failure: MAX_NUM_ORDERS")
    let open = try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey)
    #expect(open.count == 2, "tests place nothing")
}

@Test func `a test of an order keeps the limits on orders, and counts as none`() throws {
    let exchange = try Exchange.running {
        $0.rateLimits = RateLimits(
            weightPerMinute: 3_000, ordersPer10Seconds: 100, ordersPerDay: 1)
    }
    let client = try exchange.client()
    func post(_ path: String) throws -> TestReply {
        try client.signed("POST", path, Exchange.aliceKey, bid)
    }
    for _ in 0..<3 { #expect(try post("/api/v3/order/test").status == 200) }
    #expect(try post("/api/v3/order").status == 200)
    let test = try post("/api/v3/order/test")
    #expect(test.status == 429 && test.code == -1015)
    exchange.stopMatching()
    wait("the connection is lost") { exchange.gateway?.status().isConnected == false }
    let away = try client.signed("POST", "/api/v3/order/test", Exchange.bobKey, bid)
    #expect(away.status == 503 && away.code == -1001)
}

@Test func `an account's rates are its tier's own, and an instrument's its instrument's`() throws {
    func fees(_ instrument: UInt16, _ maker: Int32, _ taker: Int32) -> Command {
        .setFees(
            SetFees(
                tier: 0, instrument: InstrumentID(instrument), maker: FeeRate(e8: maker),
                taker: FeeRate(e8: taker), audit: Exchange.audit))
    }
    let exchange = try Exchange.running([fees(0, 20_000, 40_000), fees(1, 0, 1_000_000)])
    let client = try exchange.client()
    let account = try client.signed("GET", "/api/v3/account", Exchange.aliceKey)
    #expect(account.body.contains(#""makerCommission":2,"takerCommission":4,"#))
    #expect(
        account.body.contains(
            #""commissionRates":{"maker":"0.00020000","taker":"0.00040000","#))
    let commission = try client.signed(
        "GET", "/api/v3/account/commission", Exchange.aliceKey, "symbol=BTCUSDT")
    #expect(
        commission.body.contains(
            #""standardCommission":{"maker":"0.00000000","taker":"0.01000000","#))
}

@Test func `exchangeInfo has the limit of an account's open orders`() throws {
    let limit = SetAccountLimits(
        account: AccountID(0), openOrdersMax: 7, audit: Exchange.audit)
    for (commands, most) in [([], EngineLimits.small.openOrders), ([.setAccountLimits(limit)], 7)]
        as [([Command], UInt32)]
    {
        let exchange = try Exchange.running(commands)
        let info = try exchange.client().call("GET", "/api/v3/exchangeInfo").body
        #expect(info.contains(#"{"filterType":"MAX_NUM_ORDERS","maxNumOrders":\#(most)}"#))
    }
}

@Test func `only the owner of a key gets in, in time, and for what the key allows`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let path = "/api/v3/account"
    let none = try client.call("GET", path + "?timestamp=1&signature=00")
    #expect(none.status == 401 && none.code == -2014)
    let odd = try client.call("GET", path + "?timestamp=1&signature=00", key: "a b")
    #expect(odd.status == 401 && odd.code == -2014)
    let unknown = try client.signed("GET", path, "Unknown1")
    #expect(unknown.status == 401 && unknown.code == -2015)
    let wrong = try client.signed("GET", path, Exchange.aliceKey, secret: "other")
    #expect(wrong.status == 400 && wrong.code == -1022)
    let old = try client.call(
        "GET", path + "?timestamp=1000&signature=00", key: Exchange.aliceKey)
    #expect(old.code == -1021)
    let unsigned = try client.call("GET", path + "?timestamp=1000", key: Exchange.aliceKey)
    #expect(unsigned.code == -1102)
    let reader = try client.signed("POST", "/api/v3/order", Exchange.readerKey, bid)
    #expect(reader.status == 401 && reader.code == -2015)
    let open = try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey)
    #expect(open.count == 0, "nothing was done")
}

@Test func `what clients request at start is there`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    for path in [
        "/api/v3/ping", "/api/v3/time", "/api/v3/exchangeInfo",
        "/api/v3/exchangeInfo?symbol=BTCUSDT",
        "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D", "/api/v3/ticker/price",
        "/api/v3/ticker/bookTicker?symbol=BTCUSDT", "/api/v3/ticker/24hr",
        "/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI", "/api/v3/trades?symbol=BTCUSDT",
        "/api/v3/aggTrades?symbol=BTCUSDT&startTime=1", "/api/v3/klines?symbol=BTCUSDT&interval=1m",
        "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo", "/sapi/v1/margin/allPairs",
        "/sapi/v1/margin/isolated/allPairs", "/sapi/v1/system/status",
    ] {
        let reply = try client.call("GET", path)
        #expect(reply.status == 200 && reply.json != .null, "\(path): \(reply.body)")
        #expect(reply.headers["x-mbx-used-weight-1m"] != nil)
    }
    for path in [
        "/sapi/v1/capital/config/getall", "/sapi/v1/asset/tradeFee", "/sapi/v1/asset/transfer",
        "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/withdraw/history",
        "/api/v3/account/commission?symbol=BTCUSDT", "/api/v3/rateLimit/order",
        "/sapi/v1/account/status", "/sapi/v1/account/apiRestrictions",
    ] {
        let parts = path.split(separator: "?")
        let reply = try client.signed(
            "GET", String(parts[0]), Exchange.readerKey,
            parts.count > 1 ? String(parts[1]) : "")
        #expect(reply.status == 200 && reply.json != .null, "\(path): \(reply.body)")
    }
}

@Test func `bodies and headers have a bound, and garbage is no request`() throws {
    let exchange = try Exchange.running()
    let large = try exchange.client()
    let reply = try large.call(
        "POST", "/api/v3/order", body: String(repeating: "a", count: 100_000))
    #expect(reply.status == 413)
    #expect(large.isClosed())
    for bytes in [
        "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 60_000) + "\r\n\r\n",
    ] {
        let client = try exchange.client()
        client.send(Array(bytes.utf8))
        if let answer = client.readReply() { #expect((400..<500).contains(answer.status)) }
        #expect(client.isClosed())
    }
    #expect(try exchange.client().call("GET", "/api/v3/ping").status == 200)
}

@Test func `requests in one packet are answered in order`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let one = "GET /api/v3/ping HTTP/1.1\r\nHost: t\r\n\r\n"
    let two = "GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n"
    client.send(Array((one + two + one).utf8))
    #expect(client.readReply()?.status == 200)
    #expect(client.readReply()?.status == 404)
    #expect(client.readReply()?.status == 200)
}

@Test func `times and ids at the ends of their ranges are answered`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    // Without a trade there is no candle, and nothing is calculated.
    _ = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    let sale = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.2"
    _ = try client.signed("POST", "/api/v3/order", Exchange.bobKey, sale)
    let now = Clock.realtimeNanos()
    let times = [
        "0", "1", "\(now / 1_000_000)", "\(now / 1_000)", "9223372036854", "9223372036855",
        "9999999999999", "9999999999999999",
    ]
    for time in times {
        for interval in ["1m", "3d", "1w"] {
            for name in ["startTime", "endTime"] {
                let reply = try client.call(
                    "GET",
                    "/api/v3/klines?symbol=BTCUSDT&interval=\(interval)&\(name)=\(time)")
                #expect(reply.status == 200, "\(name)=\(time): \(reply.body)")
            }
        }
        let trades = try client.call("GET", "/api/v3/aggTrades?symbol=BTCUSDT&startTime=\(time)")
        #expect(trades.status == 200)
    }
    for id in ["0", "9223372036854775807"] {
        let trades = try client.call("GET", "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=\(id)")
        #expect(trades.status == 200)
    }
    let nanoseconds = try client.call(
        "GET", "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=\(now)")
    #expect(nanoseconds.code == -1130)
}

@Test func `garbage after a request is refused after its reply`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    client.send(Array("GET /api/v3/ping HTTP/1.1\r\nHost: t\r\n\r\n\u{1}\u{2}\r\n\r\n".utf8))
    #expect(client.readReply()?.status == 200)
    let last = client.readReply()
    #expect(last?.status == 400 && last?.code == -1100)
    #expect(client.isClosed())
}

@Test func `when clients keep too much waiting, requests are refused`() throws {
    let exchange = try Exchange.running { $0.clientBytesMax = -1 }
    let client = try exchange.client()
    let reply = try client.call("GET", "/api/v3/ping")
    #expect(reply.status == 503 && reply.code == -1008)
    #expect(reply.headers["retry-after"] != nil)
    // Orders are placed and canceled all the same.
    let placed = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    #expect(placed.status == 200)
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws/btcusdt@trade") == 503)
}

@Test func `without matchd there is a clear answer, and trading begins when it comes`() throws {
    let exchange = try Exchange()
    try exchange.startGateway(waits: false)
    let client = try exchange.client()
    #expect(try client.call("GET", "/api/v3/ping").status == 200)
    let early = try client.call("GET", "/api/v3/exchangeInfo")
    #expect(early.status == 503 && early.headers["retry-after"] != nil)
    try exchange.startMatching()
    try exchange.waitUntilServing()
    let placed = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    #expect(placed.status == 200)
    exchange.stopMatching()
    var lost = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    for _ in 0..<6_000 where lost.status != 503 {
        usleep(10_000)
        lost = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    }
    #expect(lost.status == 503)
    // Reads go on from the replica.
    #expect(
        try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey).status == 200)
    try exchange.startMatching()
    try exchange.waitUntilServing()
    let back = try client.signed("POST", "/api/v3/order", Exchange.bobKey, bid)
    #expect(back.status == 200)
}

@Test func `a late answer is a time-out, and the order is there once`() throws {
    let exchange = try Exchange.running { $0.answerMilliseconds = 300 }
    let client = try exchange.client()
    exchange.log.isStalled.store(true, ordering: .releasing)
    let late = try client.signed(
        "POST", "/api/v3/order", Exchange.aliceKey, bid + "&newClientOrderId=late")
    #expect(late.status == 503 && late.code == -1007)
    let before = try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey)
    #expect(before.count == 0, "nothing shows before it is durable")
    exchange.log.isStalled.store(false, ordering: .releasing)
    var open = before
    for _ in 0..<6_000 where open.count == 0 {
        usleep(10_000)
        open = try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey)
    }
    #expect(open.count == 1)
    #expect(open.body.contains(#""clientOrderId":"late""#))
}

@Test func `commands in flight have a bound`() throws {
    let exchange = try Exchange.running {
        $0.inFlightMax = 1
        $0.answerMilliseconds = 500
    }
    let first = try exchange.client()
    let second = try exchange.client()
    exchange.log.isStalled.store(true, ordering: .releasing)
    _ = try first.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    let full = try second.signed("POST", "/api/v3/order", Exchange.bobKey, bid)
    #expect(full.status == 503 && full.code == -1008)
    exchange.log.isStalled.store(false, ordering: .releasing)
}

@Test func `below the disk reserve only cancels are taken`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    _ = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    exchange.log.isFull.store(true, ordering: .releasing)
    wait("matchd sees it") { exchange.pipeline?.isBelowReserve == true }
    let full = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    #expect(full.status == 503 && full.code == -1008)
    let canceled = try client.signed(
        "DELETE", "/api/v3/order", Exchange.aliceKey, "symbol=BTCUSDT&orderId=1")
    #expect(canceled.status == 200)
}

@Test func `a restarted gateway has all it had`() throws {
    let exchange = try Exchange.running()
    _ = try exchange.client().signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    _ = try exchange.client().signed(
        "POST", "/api/v3/order", Exchange.bobKey,
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.2")
    let asked = "/api/v3/klines?symbol=BTCUSDT&interval=1w"
    let before = try exchange.client().call("GET", asked).body
    try exchange.stopGateway()
    try exchange.startGateway()
    let client = try exchange.client()
    #expect(try client.call("GET", asked).body == before)
    #expect(try client.call("GET", "/api/v3/trades?symbol=BTCUSDT").count == 1)
    #expect(
        try client.signed("GET", "/api/v3/myTrades", Exchange.aliceKey, "symbol=BTCUSDT").count
            == 1)
    #expect(try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey).count == 1)
}

@Test func `a second gateway of the same name ends the first`() throws {
    let exchange = try Exchange.running()
    let first = try #require(exchange.gateway)
    // The second one has a history of its own, as another host would.
    let other = try Exchange()
    try other.startGateway(waits: false) { $0.linkSocket = exchange.socket }
    wait("the first one is ended") { !exchange.faults.all.isEmpty }
    #expect(exchange.faults.all.first?.contains("[gatewayd] name") == true)
    #expect(first.status().isCaughtUp)
}

@Test func `more weight than the limit gets 429 and then 418`() throws {
    let exchange = try Exchange.running {
        $0.rateLimits = RateLimits(
            weightPerMinute: 3_000, ordersPer10Seconds: 2, ordersPerDay: 100)
    }
    let client = try exchange.client()
    for _ in 0..<2 {
        #expect(
            try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid).status == 200)
    }
    let third = try client.signed("POST", "/api/v3/order", Exchange.aliceKey, bid)
    // The window may have turned between them.
    #expect(third.status == 200 || (third.status == 429 && third.code == -1015))
    var statuses: [Int] = []
    // A slow machine takes more than one window for it.
    for _ in 0..<1_000 where !statuses.contains(418) {
        let reply = try client.call("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        statuses.append(reply.status)
        if reply.status != 200 {
            #expect(reply.code == -1003 && reply.headers["retry-after"] != nil)
        }
    }
    #expect(statuses.contains(429))
    #expect(statuses.contains(418))
}

@Test func `connections have a bound`() throws {
    let exchange = try Exchange.running { $0.connectionsMax = 3 }
    // The connections of the start-up are closed here; the gateway sees that a moment later.
    var clients: [TestClient] = []
    wait("three connections are served") {
        clients = []
        clients = (0..<3).compactMap { _ in try? exchange.client() }
        return clients.allSatisfy {
            $0.send(Array("GET /api/v3/ping HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
            return $0.readReply()?.status == 200
        }
    }
    let extra = try exchange.client()
    #expect(extra.isClosed())
    #expect(try clients[0].call("GET", "/api/v3/ping").status == 200)
}
