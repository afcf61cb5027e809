// Goal: streams carry what happened, each update once and without a gap; a WebSocket has bounds.

import Gateway
import Glibc
import JSON
import SpotAPI
import Terms
import Testing

private typealias Exchange = GatewayExchange

private func running(_ change: (inout GatewayOptions) -> Void = { _ in }) throws -> Exchange {
    let exchange = try Exchange()
    try exchange.startMatching()
    try exchange.startGateway(change)
    return exchange
}

private func place(_ client: TestClient, _ key: String, _ terms: String) throws {
    let reply = try client.signed("POST", "/api/v3/order", key, "symbol=BTCUSDT&" + terms)
    #expect(reply.status == 200, "\(reply.body)")
}

private func number(_ value: JSONValue?) -> Int64? {
    guard case .numeral(let text) = value else { return nil }
    return Int64(text)
}

@Test func `depth updates follow the snapshot without a gap`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws/btcusdt@depth@100ms") == 101)
    try place(client, Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=100")
    let snapshot = try client.call("GET", "/api/v3/depth?symbol=BTCUSDT").json
    let last = try #require(number(snapshot["lastUpdateId"]))
    var next: Int64?
    for price in 101...105 {
        try place(client, Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=\(price)")
        usleep(120_000)
    }
    var seen: Set<String> = []
    while !seen.contains("105.00000000") {
        let text = try #require(stream.readText())
        let update = try #require(JSONValue(parsing: Array(text.utf8)))
        let first = try #require(number(update["U"]))
        let final = try #require(number(update["u"]))
        #expect(first <= final)
        if let next {
            #expect(first == next)
        } else if final > last {
            #expect(first <= last + 1 && last + 1 <= final)
        }
        if final > last { next = final + 1 }
        guard case .array(let bids) = update["b"] else { continue }
        for case .array(let level) in bids {
            if case .string(let price) = level[0] { seen.insert(price) }
        }
    }
    #expect(seen.isSuperset(of: (101...105).map { "\($0).00000000" }))
}

@Test func `a combined stream wraps trades and best prices`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let stream = try exchange.client()
    #expect(
        stream.upgrade("/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker/odd@x")
            == 101)
    try place(client, Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=100")
    try place(client, Exchange.bobKey, "side=SELL&type=MARKET&quantity=0.5")
    var names: [String] = []
    for _ in 0..<4 {
        let text = try #require(stream.readText())
        let message = try #require(JSONValue(parsing: Array(text.utf8)))
        if case .string(let name) = message["stream"] { names.append(name) }
        if names.last == "btcusdt@trade" {
            #expect(text.contains(#""p":"100.00000000","q":"0.50000000""#))
            #expect(message["data"]?["m"] == .bool(true))
        }
    }
    #expect(
        names.sorted() == [
            "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@bookTicker", "btcusdt@trade",
        ])
}

@Test func `streams are begun, named and ended on an open socket`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws") == 101)
    stream.sendText(#"{"method":"SUBSCRIBE","params":["btcusdt@trade","who@knows"],"id":1}"#)
    #expect(stream.readText() == #"{"result":null,"id":1}"#)
    stream.sendText(#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#)
    #expect(stream.readText() == #"{"result":["btcusdt@trade","who@knows"],"id":2}"#)
    stream.sendText("{oops")
    #expect(stream.readText()?.contains(#""code":3"#) == true)
    stream.sendText(#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":"x"}"#)
    #expect(stream.readText() == #"{"result":null,"id":"x"}"#)
    try place(client, Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=100")
    try place(client, Exchange.bobKey, "side=SELL&type=MARKET&quantity=0.5")
    usleep(1_100_000)
    stream.sendText(#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#)
    #expect(
        stream.readText() == #"{"result":["who@knows"],"id":3}"#, "no trade came in between")
}

@Test func `every second there are tickers and candles`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let stream = try exchange.client()
    #expect(
        stream.upgrade(
            "/stream?streams=btcusdt@ticker/!miniTicker@arr/btcusdt@kline_1m/btcusdt@depth5")
            == 101)
    try place(client, Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=100")
    try place(client, Exchange.bobKey, "side=SELL&type=MARKET&quantity=0.5")
    var missing: Set<String> = [
        "btcusdt@ticker", "!miniTicker@arr", "btcusdt@kline_1m", "btcusdt@depth5",
    ]
    for _ in 0..<40 where !missing.isEmpty {
        let text = try #require(stream.readText())
        let message = try #require(JSONValue(parsing: Array(text.utf8)))
        if case .string(let name) = message["stream"] { missing.remove(name) }
    }
    #expect(missing.isEmpty)
}

@Test func `a socket that asks too often is closed`() throws {
    let exchange = try running()
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws") == 101)
    for id in 0..<40 { stream.sendText(#"{"method":"LIST_SUBSCRIPTIONS","id":\#(id)}"#) }
    var answers = 0
    while stream.readText() != nil { answers += 1 }
    #expect(answers <= 10)
}

@Test func `a socket has no more streams than its bound`() throws {
    let exchange = try running { $0.streamsMax = 2 }
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws") == 101)
    stream.sendText(#"{"method":"SUBSCRIBE","params":["a@trade","b@trade","c@trade"],"id":1}"#)
    #expect(stream.readText()?.contains(#""code":2"#) == true)
    stream.sendText(#"{"method":"SUBSCRIBE","params":["a@trade","b@trade"],"id":2}"#)
    #expect(stream.readText() == #"{"result":null,"id":2}"#)
}

@Test func `frames against the protocol end the socket and nothing else`() throws {
    let exchange = try running()
    for bytes in [
        [0x83, 0x80, 0, 0, 0, 0], [0xC1, 0x81, 1, 2, 3, 4, 5], [0x81, 0x01, 0x61],
        [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0],
        [0x88, 0x80, 0, 0, 0, 0],
    ] as [[UInt8]] {
        let stream = try exchange.client()
        #expect(stream.upgrade("/ws/btcusdt@trade") == 101)
        stream.send(bytes)
        #expect(stream.isClosed())
    }
    #expect(try exchange.client().upgrade("/ws/btcusdt@trade") == 101)
}

@Test func `only paths of streams become WebSockets`() throws {
    let exchange = try running()
    for (path, status) in [("/api/v3/ping", 200), ("/elsewhere", 404)] {
        let client = try exchange.client()
        #expect(client.upgrade(path) == status)
        #expect(client.isClosed())
    }
    let odd = try exchange.client()
    odd.send(
        Array(
            "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".utf8)
    )
    #expect(odd.readReply()?.status == 400)
}

@Test func `a connection that served requests becomes a WebSocket`() throws {
    let exchange = try running()
    let client = try exchange.client()
    for _ in 0..<3 { #expect(try client.call("GET", "/api/v3/ping").status == 200) }
    #expect(client.upgrade("/stream?streams=btcusdt@trade") == 101)
    client.sendText(#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#)
    #expect(client.readText() == #"{"result":["btcusdt@trade"],"id":1}"#)
    try place(
        exchange.client(), Exchange.aliceKey, "side=BUY&type=LIMIT_MAKER&quantity=1&price=100")
    try place(exchange.client(), Exchange.bobKey, "side=SELL&type=MARKET&quantity=0.5")
    #expect(client.readText()?.contains(#""e":"trade""#) == true)
}

@Test func `a stop closes streams`() throws {
    let exchange = try running()
    let stream = try exchange.client()
    #expect(stream.upgrade("/ws/btcusdt@trade") == 101)
    try exchange.stopGateway()
    #expect(stream.readText() == nil)
}
