// Goal: an instrument's tick and lot in decimals become whole units or an error that names valid
// ones; a dump shows the records of the log and never a secret.

import JSON
import Presentation
import Terms
import Testing
import Wire

@Suite struct GridTests {
    private func grid(
        _ tick: String, _ lot: String, base: UInt8 = 8, quote: UInt8 = 8
    ) throws -> Grid {
        try Grid(
            tick: #require(DecimalNumber(tick)), lot: #require(DecimalNumber(lot)), baseScale: base,
            quoteScale: quote)
    }

    @Test func `takes a tick and a lot whose product is whole`() throws {
        let btc = try grid("0.01", "0.00001")
        #expect(btc.tickMantissa == 1)
        #expect(btc.tickScale == 2)
        #expect(btc.lotUnits == 1_000)
        #expect(btc.notionalUnit == 10)
        #expect(btc.text(Price(ticks: 6_000_012)) == "60000.12")
        #expect(btc.grouped(Price(ticks: 6_000_000)) == "60,000.00")
        #expect(btc.text(Quantity(lots: 150_000)) == "1.50000")
        let coarse = try grid("2.5", "100", base: 0, quote: 1)
        #expect(coarse.notionalUnit == 2_500)
        #expect(coarse.text(Price(ticks: 3)) == "7.5")
    }

    @Test func `names the nearest tick and lot when the product is not whole`() throws {
        let error = #expect(throws: InputError.self) { try grid("0.01", "0.00001", quote: 6) }
        #expect(error?.repair.contains("--lot 0.0001 ") == true)
        #expect(error?.repair.contains("--tick 0.1 ") == true)
        #expect(try grid("0.01", "0.0001", quote: 6).notionalUnit == 1)
        #expect(try grid("0.1", "0.00001", quote: 6).notionalUnit == 1)
    }

    @Test(arguments: ["0", "-0.01", "0.0000000000000000001", "1000000000000000001"])
    func `refuses a tick out of range`(tick: String) {
        #expect(throws: InputError.self) { try grid(tick, "1") }
    }

    @Test(arguments: ["0", "-1", "0.000000001", "100000000000000000000"])
    func `refuses a lot that is not a whole number of units`(lot: String) {
        #expect(throws: InputError.self) { try grid("1", lot) }
    }

    @Test func `refuses prices and quantities off the grid`() throws {
        let btc = try grid("0.05", "0.001")
        #expect(try btc.price(#require(DecimalNumber("10.15")), option: "--p").ticks == 203)
        #expect(try btc.quantity(#require(DecimalNumber("2")), option: "--q").lots == 2_000)
        #expect(throws: InputError.self) {
            try btc.price(#require(DecimalNumber("10.12")), option: "--p")
        }
        #expect(throws: InputError.self) {
            try btc.quantity(#require(DecimalNumber("0.0005")), option: "--q")
        }
        #expect(throws: InputError.self) {
            try btc.price(#require(DecimalNumber("-1")), option: "--p")
        }
    }

    @Test(
        arguments: [
            ("0.01", "0.00001", 8, 8), ("0.001", "0.000001", 18, 18),
            ("0.000000000000000001", "1", 18, 18), ("1", "9", 18, 0),
        ] as [(String, String, UInt8, UInt8)])
    func `standard maxima stay within the ledger`(
        tick: String, lot: String, base: UInt8, quote: UInt8
    ) throws {
        let grid = try grid(tick, lot, base: base, quote: quote)
        let most = grid.standardMaxima()
        let unit = try Int128(#require(grid.notionalUnit))
        #expect(most.price.ticks >= 1 && most.quantity.lots >= 1)
        #expect(
            Int128(most.price.ticks) * unit <= Limits.amountUnitsMax / Int128(most.quantity.lots))
    }

    @Test func `shows an operator's command with who and why`() throws {
        let audit = Audit(operatorName: try #require(Text40("alice")), reason: "first deposit")
        let command = AdjustBalance(
            account: AccountID(7), asset: AssetID(2), amount: Amount(units: -5),
            reference: try #require(Text64("wire 4711")), audit: audit)
        var header = RecordHeader(
            sequence: 9, timestamp: 1_000, session: SessionID(3), number: 4, kind: .adjustBalance)
        header.length = 48
        let text = RecordText(header: header, command: .adjustBalance(command))
        #expect(
            text.line(voided: false)
                == "9 1970-01-01T00:00:00.000001000Z 3/4 adjustBalance account=7 asset=2 "
                + #"amountUnits=-5 reference="wire 4711" operator=alice reason="first deposit""#)
        #expect(text.json(voided: true).compact.contains(#""voided":true"#))
    }

    @Test func `reads every kind of record back from its bytes and shows no secret`() throws {
        let audit = Audit(operatorName: Text40(), reason: "r")
        let secret = AddAPIKey(
            account: AccountID(1), permissions: [.read, .trade], algorithm: .hmacSHA256,
            keyID: try #require(Text64("K")), sealedSecret: Array(repeating: 0x53, count: 92),
            audit: audit)
        let header = RecordHeader(sequence: 1, timestamp: 0, kind: .addAPIKey)
        let bytes = secret.recordBytes(header)
        let text = try #require(unsafe bytes.withUnsafeBytes { unsafe RecordText($0) })
        #expect(text.command == .addAPIKey(secret))
        let json = text.json(voided: false).compact
        #expect(json.contains(#""permissions":["read","trade"]"#))
        #expect(json.contains(#""sealedSecretBytes":92"#))
        #expect(!json.contains("SSS"))
    }

    @Test func `shows an unreadable record as malformed`() throws {
        let header = RecordHeader(sequence: 1, timestamp: 0, kind: .place)
        var bytes = MassCancel(account: AccountID(1)).recordBytes(header)
        bytes[40] = 40
        let text = try #require(unsafe bytes.withUnsafeBytes { unsafe RecordText($0) })
        #expect(text.command == nil)
        #expect(text.line(voided: false).hasSuffix("place malformed=true"))
        let short = unsafe bytes[..<40].withUnsafeBytes { unsafe RecordText($0) }
        #expect(short == nil)
    }

    @Test func `explains every refusal differently`() {
        let meanings = Refusal.allCases.map(\.meaning)
        #expect(!meanings.contains("refused"))
        #expect(Set(meanings).count == meanings.count)
    }

    @Test func `reads and writes permissions by name`() {
        #expect(Permissions(names: "read,trade") == [.read, .trade])
        #expect(Permissions(names: "read,,trade") == nil)
        #expect(Permissions(names: "admin") == nil)
        #expect(Permissions([.withdraw, .read]).names == ["read", "withdraw"])
    }
}
