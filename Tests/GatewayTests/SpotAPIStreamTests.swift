// Goal: stream names and commands are read as Binance reads them.

import JSON
import MarketData
import SpotAPI
import Terms
import Testing

@Test(arguments: [
    ("btcusdt@depth", StreamKind.depth(.slow)), ("btcusdt@depth@100ms", .depth(.fast)),
    ("btcusdt@depth@1000ms", .depth(.slow)),
    ("btcusdt@depth5", .partialDepth(levels: 5, .slow)),
    ("btcusdt@depth20@100ms", .partialDepth(levels: 20, .fast)), ("btcusdt@trade", .trade),
    ("btcusdt@aggTrade", .aggregateTrade), ("btcusdt@bookTicker", .bookTicker),
    ("btcusdt@kline_1m", .kline(.minute1)), ("btcusdt@ticker", .ticker),
    ("btcusdt@miniTicker", .miniTicker),
])
func `a stream's name determines its content`(name: String, kind: StreamKind) throws {
    let stream = try #require(StreamName(name))
    #expect(stream.symbol.description == "BTCUSDT")
    #expect(stream.kind == kind)
}

@Test func `streams of all have no symbol`() throws {
    #expect(try #require(StreamName("!miniTicker@arr")).symbol.isEmpty)
    #expect(try #require(StreamName("!miniTicker@arr@1000ms")).kind == .miniTicker)
}

@Test(arguments: [
    "", "btcusdt", "@depth", "BTCUSDT@depth", "btcusdt@depth7", "btcusdt@depth@50ms",
    "btcusdt@kline_7m", "btcusdt@depth@100ms@x", "btcusdt@", "!all@arr", "btc usdt€@trade",
    "averyveryverylongsymbol@trade",
])
func `an unknown name is not a stream`(name: String) {
    #expect(StreamName(name) == nil)
}

@Test func `paths name the first streams`() throws {
    #expect(StreamPath(uri: "/ws")?.names == [])
    #expect(StreamPath(uri: "/ws/a@trade/b@depth")?.names == ["a@trade", "b@depth"])
    #expect(StreamPath(uri: "/ws/a@trade")?.isCombined == false)
    let combined = try #require(StreamPath(uri: "/stream?streams=a@trade/b@depth%40100ms"))
    #expect(combined.isCombined)
    #expect(combined.names == ["a@trade", "b@depth@100ms"])
    let micro = TimeUnit.microseconds
    for uri in [
        "/ws/a@trade?timeUnit=MICROSECOND", "/stream?streams=a@trade&timeUnit=microsecond",
        "/stream?timeUnit=MICROSECOND&streams=a@trade",
        "/stream?streams=a@trade?timeUnit=MICROSECOND",
    ] {
        #expect(
            StreamPath(uri: uri)?.names == ["a@trade"] && StreamPath(uri: uri)?.timeUnit == micro)
    }
    #expect(combined.timeUnit == .milliseconds)
    #expect(StreamPath(uri: "/ws?timeUnit=MILLISECOND")?.timeUnit == .milliseconds)
    #expect(StreamPath(uri: "/ws?timeUnit=SECOND") == nil)
    for uri in ["/", "/wsx", "/api/v3/ping", "/streams", "/stream?streams=%zz"] {
        #expect(StreamPath(uri: uri) == nil)
    }
}

private func command(_ text: String) throws(StreamCommandError) -> StreamCommand {
    try StreamCommand(parsing: Array(text.utf8))
}

@Test func `commands are read with their ids`() throws {
    let subscribe = try command(#"{"method":"SUBSCRIBE","params":["a@trade"],"id":7}"#)
    #expect(subscribe.method == .subscribe(["a@trade"]))
    var json = JSONWriter()
    subscribe.writeDone(to: &json)
    #expect(json.text == #"{"result":null,"id":7}"#)
    var list = JSONWriter()
    try command(#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#).write(list: ["a"], to: &list)
    #expect(list.text == #"{"result":["a"],"id":"x"}"#)
    #expect(
        try command(#"{"method":"SET_PROPERTY","params":["combined",true]}"#).method
            == .setCombined(true))
    #expect(
        try command(#"{"method":"GET_PROPERTY","params":["combined"]}"#).method == .getCombined)
    #expect(
        try command(#"{"method":"UNSUBSCRIBE","params":["a","b"],"id":null}"#).method
            == .unsubscribe(["a", "b"]))
}

@Test(arguments: [
    ("", 3), ("[]", 3), ("{", 3), ("{\"method\":\"SUBSCRIBE\"}x", 3), ("{}", 2),
    (#"{"method":7}"#, 2), (#"{"method":"ODD"}"#, 2), (#"{"method":"SUBSCRIBE"}"#, 2),
    (#"{"method":"SUBSCRIBE","params":[]}"#, 2), (#"{"method":"SUBSCRIBE","params":[1]}"#, 2),
    (#"{"method":"SUBSCRIBE","params":["a"],"id":1.5}"#, 2),
    (#"{"method":"SUBSCRIBE","params":["a"],"id":{}}"#, 2),
    (#"{"method":"LIST_SUBSCRIPTIONS","more":1}"#, 0),
    (#"{"method":"SET_PROPERTY","params":["odd",1]}"#, 0),
])
func `a faulty command gets an error`(text: String, code: Int) {
    do {
        _ = try command(text)
        Issue.record("it was taken")
    } catch {
        #expect(error.code == code)
        var json = JSONWriter()
        error.write(to: &json)
        #expect(JSONValue(parsing: json.bytes) != nil)
    }
}

@Test func `JSON is read strictly and within bounds`() {
    func parse(_ text: String) -> JSONValue? { JSONValue(parsing: Array(text.utf8)) }
    #expect(parse(#" {"a":[1,-2.5e+3,"x\u00e9\ud83d\ude00\n"],"b":null} "#)?["b"] == .null)
    #expect(parse(#""\ud83d\ude00""#) == .string("😀"))
    for text in [
        "01", "1.", ".5", "+1", "nul", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "[1,]",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}", "\"a\nb\"", "[1 2]", "'a'", "NaN", "1e", "", "[", "{\"a\"}",
    ] { #expect(parse(text) == nil, "\(text)") }
    #expect(parse(String(repeating: "[", count: 15) + String(repeating: "]", count: 15)) != nil)
    #expect(parse(String(repeating: "[", count: 17) + String(repeating: "]", count: 17)) == nil)
    #expect(parse(String(repeating: "[", count: 100_000)) == nil)
    #expect(parse("[" + Array(repeating: "1", count: 9_000).joined(separator: ",") + "]") == nil)
}
