// Goal: nothing that comes over the wire stops the gateway: parsers of queries, decimals and JSON
// take any bytes and give a value or an error.

import Engine
import Glibc
import JSON
import Slabs
import SpotAPI
import Terms
import Testing
import Wire

private func setting(_ name: String) -> UInt64? {
    guard let value = unsafe getenv(name) else { return nil }
    return UInt64(unsafe String(cString: value))
}

private let iterations = Int(setting("BOURSE_FUZZ_ITERATIONS") ?? 20_000)
private let seed = setting("BOURSE_SEED") ?? 0x5107_A911

private func replay(_ round: Int) -> Comment {
    "round \(round); again with BOURSE_SEED=\(seed) BOURSE_FUZZ_ITERATIONS=\(iterations)"
}

private let pieces: [String] = [
    "symbol", "side", "BUY", "type", "LIMIT", "MARKET", "timeInForce", "GTC", "quantity", "price",
    "stopPrice", "icebergQty", "quoteOrderQty", "timestamp", "recvWindow", "signature", "=", "&",
    "%", "%4", "%41", "%ff", "+", "0", "1", "9999999999999999999", ".", "-", "e", "NaN", "\u{0}",
    "é", "[", "]", "\"", "{", "}", ":", ",", "\\u", "\\", "d83d", "null", "true", "method",
    "SUBSCRIBE", "params", "id", "@depth", "btcusdt", "/", "?", "streams", " ", "\n", "0.00000001",
    "fromId", "limit", "newClientOrderId", "BTCUSDT",
]

private func text(_ random: inout SplitMix64) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0...24, using: &random) {
        text += pieces.randomElement(using: &random) ?? ""
    }
    return text
}

@Test func `any query gives an order or an error`() throws {
    var random = SplitMix64(seed: seed)
    let venue = TestVenue { _, _ in }
    let found = venue.engine.instrument(TestVenue.btc)
    let view = try #require(found)
    let units = InstrumentUnits(view, in: venue.engine)
    var orders = 0
    for round in 0..<iterations {
        let query = text(&random)
        let body = text(&random)
        do throws(APIError) {
            _ = try? SignedPayload(query: query, body: body)
            let parameters = try Parameters(query: query, body: body)
            _ = try? RequestTime.deadline(parameters, now: 1_700_000_000_000)
            _ = try? parameters.symbols()
            _ = try? OrderReference(parameters)
            let order = try OrderRequest(
                parameters, account: AccountID(1), units: units, clOrdID: Text40())
            orders += 1
            #expect(order.place.quantity.lots >= 0, replay(round))
        } catch {
            #expect((400...503).contains(error.status), replay(round))
        }
    }
    #expect(orders <= iterations)
}

@Test func `a mutated good order is an order or an error, and never one of a wrong sign`() throws {
    var random = SplitMix64(seed: seed &+ 1)
    let good = Array(
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000.01&icebergQty=0.1".utf8)
    let venue = TestVenue { _, _ in }
    let found = venue.engine.instrument(TestVenue.btc)
    let view = try #require(found)
    let units = InstrumentUnits(view, in: venue.engine)
    var taken = 0
    for round in 0..<iterations {
        var bytes = good
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            bytes[at] = UInt8.random(in: 0x20..<0x7F, using: &random)
        }
        guard let parameters = try? Parameters(query: String(decoding: bytes, as: UTF8.self)),
            let order = try? OrderRequest(
                parameters, account: AccountID(1), units: units, clOrdID: Text40())
        else { continue }
        taken += 1
        #expect(order.place.price.ticks > 0, replay(round))
        #expect(order.place.quantity.lots > 0, replay(round))
        #expect(order.place.displayQuantity <= order.place.quantity, replay(round))
    }
    #expect(taken > iterations / 10, "some mutants must live, or the fuzzer tests nothing")
}

@Test func `any bytes are JSON or not, and what is written is read back`() {
    var random = SplitMix64(seed: seed &+ 2)
    var read = 0
    for round in 0..<iterations {
        let text = text(&random)
        let bytes = Array(text.utf8)
        if JSONValue(parsing: bytes) != nil { read += 1 }
        _ = try? StreamCommand(parsing: bytes)
        _ = StreamName(text)
        _ = StreamPath(uri: text)
        _ = hexBytes(text)
        _ = Base64.bytes(text)
        var json = JSONWriter()
        json.string(text)
        #expect(JSONValue(parsing: json.bytes) == .string(text), replay(round))
    }
    #expect(read > 0, "some texts must be JSON, or the fuzzer tests nothing")
}

@Test func `a decimal that is written is read back the same`() throws {
    var random = SplitMix64(seed: seed &+ 3)
    for round in 0..<iterations {
        let scale = Int.random(in: 0...18, using: &random)
        let bits = Int.random(in: 1...100, using: &random)
        let value = Int128(
            truncatingIfNeeded: UInt128(random.next()) << 64 | UInt128(random.next()))
        let units = value & ((1 << Int128(bits)) - 1)
        var json = JSONWriter()
        json.decimal(units, scale: scale)
        let text = String(json.text.dropFirst().dropLast())
        guard text.split(separator: ".")[0].count <= 20 else { continue }
        let parsed = try #require(DecimalText(text), replay(round))
        #expect(parsed.steps(of: 1, scale: scale) == .whole(units), replay(round))
    }
}
