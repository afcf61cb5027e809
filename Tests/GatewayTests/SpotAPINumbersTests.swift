// Goal: no number is changed on its way in or out, and what is none gets its own error.

import Engine
import SpotAPI
import Terms
import Testing

private func makeUnits(
    tick: (Int64, UInt8) = (1, 2), lot: Int64 = 1_000, base: UInt8 = 8, quote: UInt8 = 8
) -> InstrumentUnits {
    let venue = TestVenue { _, _ in }
    guard var view = venue.engine.instrument(TestVenue.btc),
        var baseView = venue.engine.asset(AssetID(1)),
        var quoteView = venue.engine.asset(AssetID(3))
    else { preconditionFailure("the test venue has BTCUSDT") }
    (view.tickMantissa, view.tickScale, view.lotUnits) = (tick.0, tick.1, lot)
    (baseView.scale, quoteView.scale) = (base, quote)
    return InstrumentUnits(view: view, base: baseView, quote: quoteView)
}

private func decimal(_ text: String) throws -> DecimalText {
    try #require(DecimalText(text))
}

private let read: [(String, Int128, Int)] = [
    ("0", 0, 0), ("00012", 12, 0), ("1.50", 15, 1), ("0.00000001", 1, 8), ("1.000", 1, 0),
    ("12345678901234567890.5", 123_456_789_012_345_678_905, 1),
    ("0.00000000000000000001", 1, 20),
]

@Test(arguments: read)
func `a decimal is read exactly`(text: String, digits: Int128, scale: Int) throws {
    let value = try decimal(text)
    #expect(value.digits == digits)
    #expect(value.scale == scale)
}

@Test(arguments: [
    "", ".", "1.", ".5", "-1", "+1", "1e5", "1E5", "NaN", "nan", "inf", "Infinity", "0x10", " 1",
    "1 ", "1,5", "1.2.3", "١", "123456789012345678901", "1.123456789012345678901",
    "12345678901234567890.12345678901234567891", "--", "1_000",
])
func `an invalid decimal is refused`(text: String) {
    #expect(DecimalText(text) == nil)
}

private let written: [(Int128, Int, Int, String)] = [
    (0, 8, 8, "0.00000000"), (1, 8, 8, "0.00000001"), (123_456_789, 8, 8, "1.23456789"),
    (100, 2, 8, "1.00000000"), (-5, 2, 8, "-0.05000000"), (1, 18, 8, "0.000000000000000001"),
    (1_500_000_000_000_000_000, 18, 8, "1.50000000"), (7, 0, 0, "7"), (12_345, 3, 3, "12.345"),
    (Int128.max, 0, 0, "170141183460469231731687303715884105727"),
    (Int128.min, 0, 0, "-170141183460469231731687303715884105728"),
    (1, 0, 8, "1.00000000"), (1_234_567_891, 9, 8, "1.234567891"),
]

@Test(arguments: written)
func `a decimal is written to its last digit`(
    units: Int128, scale: Int, places: Int, text: String
) {
    var json = JSONWriter()
    json.decimal(units, scale: scale, places: places)
    #expect(json.text == "\"\(text)\"")
}

@Test func `prices become ticks or the error of their filter`() throws {
    let units = makeUnits(tick: (5, 1))
    #expect(try units.price(decimal("100.5"), name: "price") == Price(ticks: 201))
    #expect(throws: APIError.filter("PRICE_FILTER")) {
        try units.price(decimal("100.4"), name: "price")
    }
    #expect(throws: APIError.filter("PRICE_FILTER")) {
        try units.price(decimal("100.55"), name: "price")
    }
    #expect(throws: APIError.precision("price")) {
        try units.price(decimal("1.123456789"), name: "price")
    }
    #expect(throws: APIError.priceZero) { try units.price(decimal("0.00"), name: "price") }
    #expect(throws: APIError.filter("PRICE_FILTER")) {
        try units.price(decimal("99999999999999999999"), name: "price")
    }
}

@Test func `quantities become lots or the error of their filter`() throws {
    let units = makeUnits()
    #expect(try units.quantity(decimal("0.00123"), name: "quantity") == Quantity(lots: 123))
    #expect(throws: APIError.filter("LOT_SIZE")) {
        try units.quantity(decimal("0.000001"), name: "quantity")
    }
    #expect(throws: APIError.filter("MARKET_LOT_SIZE")) {
        try units.quantity(decimal("0.000001"), name: "quantity", filter: "MARKET_LOT_SIZE")
    }
    #expect(throws: APIError.precision("quantity")) {
        try units.quantity(decimal("0.000000001"), name: "quantity")
    }
    #expect(throws: APIError.quantityZero) { try units.quantity(decimal("0"), name: "quantity") }
    #expect(throws: APIError.filter("LOT_SIZE")) {
        try units.quantity(decimal("99999999999999999999"), name: "quantity")
    }
}

@Test func `an 18-decimal asset keeps every digit`() throws {
    let units = makeUnits(lot: 100_000_000_000_000, base: 18, quote: 18)
    let quantity = try units.quantity(decimal("1.2345"), name: "quantity")
    #expect(quantity == Quantity(lots: 12_345))
    let amount = try units.quoteAmount(decimal("0.000000000000000001"), name: "quoteOrderQty")
    #expect(amount == Amount(units: 1))
    var json = JSONWriter()
    json.quoteAmount(amount, units)
    #expect(json.text == "\"0.000000000000000001\"")
}

@Test func `a quote amount has no more decimals than its asset`() throws {
    let units = makeUnits(quote: 6)
    #expect(throws: APIError.precision("quoteOrderQty")) {
        try units.quoteAmount(decimal("1.1234567"), name: "quoteOrderQty")
    }
    #expect(throws: APIError.quantityZero) {
        try units.quoteAmount(decimal("0"), name: "quoteOrderQty")
    }
    // 10^20 with 18 decimals is 10^38, beyond the ledger's 2^120.
    let wide = makeUnits(quote: 18)
    #expect(throws: APIError.filter("NOTIONAL")) {
        try wide.quoteAmount(decimal("99999999999999999999"), name: "quoteOrderQty")
    }
}

private let numbers: [(Parameter, String, Int64?, Int?)] = [
    (.limit, "1", 1, nil), (.limit, "0", nil, -1130), (.limit, "-1", nil, -1100),
    (.limit, "9223372036854775807", .max, nil), (.limit, "9223372036854775808", nil, -1100),
    (.limit, "18446744073709551616", nil, -1100), (.limit, "1e3", nil, -1100),
    (.limit, "1.0", nil, -1100), (.limit, "+1", nil, -1100), (.limit, "١", nil, -1100),
    (.limit, "000000000000000000001", nil, -1100), (.fromId, "0", 0, nil),
    (.orderId, "9223372036854775807", .max, nil), (.orderId, "-0", nil, -1100),
    (.startTime, "9999999999999999", 9_999_999_999_999_999, nil),
    (.startTime, "10000000000000000", nil, -1130), (.startTime, "1e12", nil, -1100),
]

@Test(arguments: numbers)
func `a whole number is within its range or an error`(
    number: Parameter, text: String, value: Int64?, code: Int?
) throws {
    let parameters = try Parameters(query: "\(number.name)=\(text)")
    do throws(APIError) {
        let read = try parameters.integer(number)
        #expect(read == value && code == nil)
    } catch {
        #expect(error.code == code)
    }
}

@Test(
    arguments: [
        ("1700000000000", 1_700_000_000_000_000_000),
        ("1700000000000001", 1_700_000_000_000_001_000),
        ("0", 0), ("9000000000000", Parameter.latestTime),
        ("9000000000001", Parameter.latestTime),
        ("9999999999999", Parameter.latestTime),
        ("9999999999999999", Parameter.latestTime), ("10000000000000", nil),
        ("999999999999999", nil), ("1700000000000000000", nil),
    ] as [(String, Int64?)])
func `a time is in milliseconds or microseconds`(text: String, nanoseconds: Int64?) throws {
    let parameters = try Parameters(query: "startTime=\(text)")
    #expect((try? parameters.time(.startTime)) == nanoseconds)
    #expect(Parameter.latestTime < Int64.max - 6 * 365 * 86_400_000_000_000)
}

@Test func `a symbol appears in a list once`() throws {
    let parameters = try Parameters(query: #"symbols=["BTCUSDT","ETHUSDT","BTCUSDT"]"#)
    do throws(APIError) {
        _ = try parameters.symbols()
        Issue.record("taken")
    } catch {
        #expect(error.code == -1151)
    }
}

@Test func `strings are escaped as JSON asks`() {
    var json = JSONWriter()
    json.beginObject()
    json.field("a", "q\"b\\n\n\u{1}é")
    json.field("b", true)
    json.key("c")
    json.null()
    json.field("d", list: ["x", "y"])
    json.field("e", -7)
    json.endObject()
    #expect(
        json.text
            == #"{"a":"q\"b\\n\u000a\u0001é","b":true,"c":null,"d":["x","y"],"e":-7}"#
    )
}
