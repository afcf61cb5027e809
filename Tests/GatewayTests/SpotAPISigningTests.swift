// Goal: a request counts only with its owner's signature and in its time. Vectors are those of the
// Binance Spot API documentation, "SIGNED Endpoint Examples for POST /api/v3/order".

import Secrets
import SpotAPI
import Terms
import Testing

private let secret = SecretBytes(
    Array("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".utf8))
private let head = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
private let whole = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
private let tail = "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"

private func isSigned(query: String, body: String) throws -> Bool {
    let payload = try SignedPayload(query: query, body: body)
    guard let code = hexBytes(payload.signature) else { return false }
    return payload.candidates.contains { HMACSHA256.isValid(code, key: secret, $0) }
}

@Test(arguments: [
    (
        "",
        "\(head)&\(tail)&signature=" + whole
    ),
    (
        "\(head)&\(tail)&signature=" + whole,
        ""
    ),
    (head, "\(tail)&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"),
])
func `the documented signatures are good wherever the parameters stand`(
    query: String, body: String
) throws {
    #expect(try isSigned(query: query, body: body))
    #expect(try !isSigned(query: query + "x", body: body))
    let changed = body.replacing("price=0.1", with: "price=0.2")
    let changedQuery = query.replacing("price=0.1", with: "price=0.2")
    #expect(try !isSigned(query: changedQuery, body: changed))
}

@Test func `a signature over the decoded form is good too`() throws {
    let decoded = "newClientOrderId=a/b:c&timestamp=1"
    let code = HMACSHA256.code(key: secret, Array(decoded.utf8))
    let hex = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(
        try isSigned(
            query: "newClientOrderId=a%2Fb%3Ac&timestamp=1&signature=\(hex)", body: ""))
}

@Test func `a missing signature and a malformed one are different errors`() {
    #expect(throws: APIError.mandatory("signature")) {
        try SignedPayload(query: "timestamp=1", body: "")
    }
    #expect(throws: APIError.mandatory("signature")) {
        try SignedPayload(query: "signature=", body: "")
    }
    #expect(hexBytes("abc") == nil)
    #expect(hexBytes("zz") == nil)
    #expect(hexBytes("0aFF") == [10, 255])
}

@Test func `base64 is read strictly`() {
    #expect(Base64.bytes("") == [])
    #expect(Base64.bytes("Zg==") == [0x66])
    #expect(Base64.bytes("Zm9vYmE=") == Array("fooba".utf8))
    #expect(Base64.bytes("Zm9vYmFy") == Array("foobar".utf8))
    for text in ["Z", "Zg=", "Z===", "Zm9*", "====", "=Zg="] { #expect(Base64.bytes(text) == nil) }
}

private let times: [(String, APIError?)] = [
    ("timestamp=1000000", nil),
    ("timestamp=1000999", nil),
    ("timestamp=1001000", .timestampAhead),
    ("timestamp=995000", nil),
    ("timestamp=994999", .timestampOutside),
    ("timestamp=940000&recvWindow=60000", nil),
    ("timestamp=939999&recvWindow=60000", .timestampOutside),
    ("timestamp=1000000&recvWindow=60001", .recvWindowTooLong),
    ("timestamp=1000000&recvWindow=5000.125", nil),
    ("timestamp=1000000&recvWindow=5000.1255", .precision("recvWindow")),
    ("timestamp=1000000&recvWindow=-1", .illegal("recvWindow", range: DecimalText.legalRange)),
    ("timestamp=abc", .illegal("timestamp", range: "^[0-9]{1,20}$")),
    ("timestamp=99999999999999999999", .illegal("timestamp", range: "^[0-9]{1,20}$")),
    ("timestamp=", .mandatory("timestamp")),
    ("", .mandatory("timestamp")),
]

@Test(arguments: times)
func `a request is good within its window`(query: String, error: APIError?) throws {
    let parameters = try Parameters(query: query)
    if let error {
        #expect(throws: error) { try RequestTime.deadline(parameters, now: 1_000_000) }
    } else {
        #expect(try RequestTime.deadline(parameters, now: 1_000_000) > 990_000_000_000)
    }
}

@Test func `a timestamp in microseconds is understood`() throws {
    let parameters = try Parameters(query: "timestamp=1700000000000123")
    #expect(
        try RequestTime.deadline(parameters, now: 1_700_000_000_000)
            == 1_700_000_005_000_123_000)
    #expect(throws: APIError.timestampOutside) {
        try RequestTime.deadline(parameters, now: 1_700_000_006_000)
    }
}

@Test func `a request ends with its window, to the microsecond`() throws {
    let parameters = try Parameters(query: "timestamp=1700000000000&recvWindow=250.125")
    #expect(
        try RequestTime.deadline(parameters, now: 1_700_000_000_100)
            == 1_700_000_000_250_125_000)
}

@Test func `the form of an API key is checked`() {
    #expect(isAPIKeyFormat("abcXYZ019"))
    #expect(isAPIKeyFormat("k_1-a"), "as `boursectl key add --key-id` takes it")
    for text in ["", "a b", "ключ", "a+b", String(repeating: "a", count: 65)] {
        #expect(!isAPIKeyFormat(text))
    }
}
