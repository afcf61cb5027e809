// Goal: whoever alters a signed request on its way changes nothing of what it says. Every place at
// which it can be cut in two, and escapes of every character, are tried on requests that were
// signed as they were sent, and on such that were signed before they were encoded.

import Gateway
import SpotAPI
import Terms
import Testing

/// What an endpoint reads of a request with the text `signed`; nil where it refuses it.
private func read(
    query: String, body: String, signed: String, _ endpoint: Endpoint
) -> [String: String]? {
    guard let payload = try? SignedPayload(query: query, body: body),
        payload.candidates.contains(Array(signed.utf8)),
        let parameters = try? Parameters(query: query, body: body),
        (try? parameters.check(needs: endpoint.needs, takes: endpoint.takes)) != nil
    else { return nil }
    return Dictionary(
        uniqueKeysWithValues: parameters.all.filter { $0.name != "signature" }.map {
            ($0.name, $0.value)
        })
}

private func escaped(_ byte: UInt8) -> String {
    "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
}

private let texts: [(place: String, text: String)] = [
    (
        "POST /api/v3/order",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=10&price=100&icebergQty=1"
            + "&newClientOrderId=a/b:c&timestamp=1700000000000"
    ),
    (
        "POST /api/v3/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1&newClientOrderId=xtype&timestamp=1"
    ),
    ("DELETE /api/v3/order", "symbol=BTCUSDT&origClientOrderId=symbol&timestamp=17"),
    (
        "POST /sapi/v1/capital/withdraw/apply",
        "coin=BTC&network=BTC&address=bc1qxyz&amount=1.5&name=Tom%20%26%20Ann&timestamp=1&"
            + "recvWindow=500"
    ),
    (
        "POST /sapi/v1/capital/withdraw/apply",
        "coin=BTC&address=bc1qxyzamount&amount=100&name=a b%41+c&timestamp=1"
    ),
]

@Test(arguments: texts)
func `a request that is cut or escaped otherwise says the same, or is refused`(
    _ row: (place: String, text: String)
) throws {
    let (place, text) = row
    let endpoint = try #require(
        Endpoint.all.first { "\($0.method.rawValue) \($0.path)" == place })
    let bytes = Array(text.utf8)
    func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    let asSent = try #require(
        read(query: text + "&signature=0", body: "", signed: text, endpoint))
    var taken = 0
    func tried(_ requests: [(String, String)]) {
        for (query, body) in requests {
            guard let found = read(query: query, body: body, signed: text, endpoint) else {
                continue
            }
            taken += 1
            #expect(found == asSent, "\(query) | \(body)")
        }
    }
    for cut in 0...bytes.count {
        let (query, body) = (part(0..<cut), part(cut..<bytes.count))
        tried([
            (query + "&signature=0", body), (query, body + "&signature=0"),
            ("signature=0&" + query, body), (query, "signature=0&" + body),
        ])
        // With a character escaped the decoded form is the text that was signed.
        for at in 0..<bytes.count {
            let head = part(0..<at) + escaped(bytes[at])
            let whole = Array((head + part(at + 1..<bytes.count)).utf8)
            guard cut <= whole.count else { continue }
            tried([
                (
                    String(decoding: whole[..<cut], as: UTF8.self) + "&signature=0",
                    String(decoding: whole[cut...], as: UTF8.self)
                )
            ])
        }
    }
    #expect(taken > 4, "some are taken, or the test shows nothing")
}

@Test func `escapes that hide a parameter do not count as what was signed`() throws {
    let signed = "symbol=BTCUSDT&newClientOrderId=a&icebergQty=1&timestamp=1"
    for hidden in [
        "symbol=BTCUSDT&newClientOrderId=a%26icebergQty%3D1&timestamp=1",
        "symbol=BTCUSDT&newClientOrderId=a%26icebergQty=1&timestamp=1",
        "symbol=BTCUSDT&newClientOrderId=a&icebergQty=1%26timestamp=1",
    ] {
        let payload = try SignedPayload(query: hidden + "&signature=00", body: "")
        #expect(!payload.candidates.contains(Array(signed.utf8)))
    }
    // What is signed before it is encoded is good where it reads the same.
    let encoded = "symbol=BTCUSDT&newClientOrderId=%61&icebergQty=%31&timestamp=1"
    let payload = try SignedPayload(query: encoded + "&signature=00", body: "")
    #expect(payload.candidates.contains(Array(signed.utf8)))
}

// MARK: Once

private let key = "key"

@Test func `a signed request is taken once while its window is open`() throws {
    var requests = TakenRequests(countMax: 100, start: 1_000_000)
    func take(
        _ text: String, _ keyID: String = key, at time: Int64, now: Int64? = nil,
        changes: Bool = true
    ) -> Int? {
        do throws(APIError) {
            try requests.take(
                Array(text.utf8), of: TestVenue.text(keyID), signedAt: time, now: now ?? time,
                changes: changes)
            return nil
        } catch { return error.code }
    }
    #expect(take("a", at: 1_000_000) == nil)
    #expect(take("a", at: 1_000_000) == -1007)
    #expect(take("a", "other", at: 1_000_000) == nil, "another key's")
    #expect(take("b", at: 1_000_000) == nil)
    // To the end of the longest window, over a change of the table.
    for now in stride(from: Int64(1_000_000), through: 1_061_000, by: 500) {
        #expect(take("a", at: 1_000_000, now: now) == -1007, "\(now)")
        _ = take("other \(now)", at: now)
    }
    // What was signed before this process began may have been taken by the one before it.
    #expect(take("early", at: 999_999, now: 1_000_500) == -1007)
    // What only reads may come again, and nothing that changes comes of it.
    let late: Int64 = 1_061_500
    for _ in 0..<2 { #expect(take("read", at: late, changes: false) == nil) }
    #expect(take("read", at: late) == -1007)
    #expect(take("a change", at: late) == nil)
    #expect(take("a change", at: late, changes: false) == nil)
}

@Test func `signed requests that are remembered are bounded`() throws {
    var requests = TakenRequests(countMax: 20, start: 0)
    func take(_ number: Int, _ keyID: String = key, at now: Int64) -> Int? {
        do throws(APIError) {
            try requests.take(
                Array("\(number)".utf8), of: TestVenue.text(keyID), signedAt: now, now: now,
                changes: true)
            return nil
        } catch { return error.code }
    }
    for number in 0..<10 { #expect(take(number, at: 1) == nil) }
    #expect(take(10, at: 2) == -1008)
    #expect(take(0, at: 2) == -1007, "what is known is known")
    #expect(take(10, "other", at: 2) == nil, "one key fills no other's part")
    #expect(take(11, at: 61_001) == nil, "a minute later there is room")
    // A clock that was set back by hours does not keep it full.
    for number in 20..<29 { #expect(take(number, at: 61_002) == nil) }
    #expect(take(30, at: 61_003) == -1008)
    #expect(take(30, at: 0) == nil)
    // All keys together.
    var all = TakenRequests(countMax: 16, start: 0)
    for number in 0..<20 {
        let keyID: Text64 = TestVenue.text("key\(number)")
        do throws(APIError) {
            try all.take([1], of: keyID, signedAt: 1, now: 1, changes: true)
            #expect(number < 16)
        } catch { #expect(error.code == -1008 && number >= 16) }
    }
}
