// Goal: a request is what its endpoint's row says, or it is refused in the API's own words; and a
// signed one counts once.

import Gateway
import JSON
import Platform
import Testing

private typealias Exchange = GatewayExchange

private let bid = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000"

@Test func `a request outside the API is refused, and the connection stays open`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    #expect(try client.call("GET", "/nowhere").status == 404)
    #expect(try client.call("POST", "/api/v3/ping").status == 405)
    #expect(try client.call("PATCH", "/api/v3/ping").status == 405)
    #expect(try client.call("POST", "/health/live").status == 404)
    #expect(try client.call("GET", "/api/v3/depth?symbol=%zz").code == -1100)
    #expect(try client.call("GET", "/api/v3/depth?symbol=btcusdt").code == -1100)
    #expect(try client.call("GET", "/api/v3/depth?symbol=BTCUSDT&limit=0").code == -1130)
    #expect(try client.call("GET", "/api/v3/depth?symbol=BTCUSDT&symbol=X").code == -1101)
    #expect(try client.call("GET", "/api/v3/klines?symbol=BTCUSDT&interval=7m").code == -1120)
    #expect(try client.call("GET", "/api/v3/ticker/price?symbols=%5B1%5D").code == -1130)
    #expect(try client.call("GET", "/api/v3/ticker/24hr?type=XX").code == -1139)
    #expect(try client.call("GET", "/api/v3/depth").code == -1102)
    #expect(try client.call("GET", "/api/v3/depth?symbol=").code == -1105)
    let unread = try client.call("GET", "/api/v3/depth?symbol=BTCUSDT&Limit=5")
    #expect(unread.code == -1104)
    #expect(
        unread.json["msg"]
            == .string(
                "Not all sent parameters were read; read '1' parameter(s) but was sent '2'."))
    #expect(try client.call("GET", "/api/v3/ping").status == 200)
}

@Test func `requests about several symbols may ask for a state`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    func symbols(_ query: String) throws -> Int? {
        try client.call("GET", "/api/v3/exchangeInfo?" + query).json["symbols"]?.itemCount
    }
    let all = try #require(try symbols(""))
    #expect(all > 0)
    #expect(try symbols("symbolStatus=TRADING") == all)
    #expect(try symbols("symbolStatus=HALT") == 0)
    #expect(try symbols("permissions=SPOT") == all)
    #expect(try symbols("permissions=MARGIN") == 0)
    #expect(try symbols("permissions=%5B%22MARGIN%22%2C%22SPOT%22%5D") == all)
    let info = "/api/v3/exchangeInfo?symbol=BTCUSDT&"
    #expect(try client.call("GET", info + "symbolStatus=TRADING").code == -1128)
    #expect(try client.call("GET", info + "permissions=SPOT").code == -1128)
    #expect(try client.call("GET", "/api/v3/exchangeInfo?symbolStatus=X").code == -1130)
    for path in ["ticker/price", "ticker/bookTicker", "ticker/24hr"] {
        let ticker = "/api/v3/\(path)?symbolStatus="
        #expect(try client.call("GET", ticker + "TRADING").count == all)
        #expect(try client.call("GET", ticker + "HALT").count == 0)
        #expect(try client.call("GET", ticker + "HALT&symbol=BTCUSDT").code == -1220)
    }
    let depth = "/api/v3/depth?symbol=BTCUSDT&symbolStatus="
    #expect(try client.call("GET", depth + "TRADING").status == 200)
    #expect(try client.call("GET", depth + "BREAK").code == -1220)
    let klines = "/api/v3/klines?symbol=BTCUSDT&interval=1d&timeZone="
    #expect(try client.call("GET", klines + "0").status == 200)
    #expect(try client.call("GET", klines + "8").code == -1130)
}

@Test func `a signed order is taken once`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    let text = TestClient.sign(bid, GatewayExchange.secret, 60_000)
    func send() throws -> TestReply {
        try client.call("POST", "/api/v3/order", key: Exchange.aliceKey, body: text)
    }
    #expect(try send().status == 200)
    let again = try send()
    #expect(again.status == 503 && again.code == -1007)
    let other = try exchange.client()
    let elsewhere = try other.call("POST", "/api/v3/order?" + text, key: Exchange.aliceKey)
    #expect(elsewhere.code == -1007, "over another connection, and in the query")
    #expect(try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey).count == 1)
    // What changes nothing may be asked again.
    let read = TestClient.sign("", GatewayExchange.secret, 60_000)
    for _ in 0..<2 {
        let reply = try client.call("GET", "/api/v3/account?" + read, key: Exchange.aliceKey)
        #expect(reply.status == 200)
    }
    // And becomes no change at another endpoint.
    let list = TestClient.sign("symbol=BTCUSDT", GatewayExchange.secret, 60_000)
    let target = "/api/v3/openOrders?" + list
    #expect(try client.call("GET", target, key: Exchange.aliceKey).count == 1)
    #expect(try client.call("DELETE", target, key: Exchange.aliceKey).code == -1007)
    #expect(try client.signed("GET", "/api/v3/openOrders", Exchange.aliceKey).count == 1)
}

@Test func `load balancers learn whether an order would be taken`() throws {
    let exchange = try Exchange.running()
    let client = try exchange.client()
    #expect(try client.call("GET", "/health/live").status == 200)
    #expect(try client.call("GET", "/health/ready").status == 200)
    exchange.stopMatching()
    var ready = try client.call("GET", "/health/ready")
    for _ in 0..<1_000 where ready.status == 200 {
        Clock.sleep(nanos: 10_000_000)
        ready = try client.call("GET", "/health/ready")
    }
    #expect(ready.status == 503 && ready.code == -1001)
    #expect(try client.call("GET", "/health/live").status == 200)
    try exchange.startMatching()
    try exchange.waitUntilServing()
    #expect(try client.call("GET", "/health/ready").status == 200)
}
