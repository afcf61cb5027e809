// Goal: what a command decides before it asks the exchange: ranges of a market, fees that would be
// far from their rates, limits to raise, keys of the configuration to set, units to start.

import BoursectlCommands
import Presentation
import Terms
import Testing
import Wire

@Suite struct MarketTermsTests {
    private let grid = Grid(
        tickMantissa: 1, tickScale: 2, lotUnits: 1_000, baseScale: 8, quoteScale: 8)

    private func terms(
        price: ClosedRange<Int64> = 1...1_000, quantity: ClosedRange<Int64> = 1...1_000,
        notionalMin: Int128 = 0
    ) throws -> SetInstrument {
        SetInstrument(
            symbol: try #require(Text16("BTCUSDT")), base: AssetID(1), quote: AssetID(2),
            tickMantissa: 1, tickScale: 2, lotUnits: 1_000,
            priceMin: Price(ticks: price.lowerBound), priceMax: Price(ticks: price.upperBound),
            quantityMin: Quantity(lots: quantity.lowerBound),
            quantityMax: Quantity(lots: quantity.upperBound),
            notionalMin: Amount(units: notionalMin),
            audit: Audit(operatorName: Text40(), reason: ""))
    }

    @Test func `takes ranges that the ledger holds`() throws {
        try grid.checkRanges(of: terms())
    }

    @Test func `names the option at fault`() throws {
        func repair(_ terms: SetInstrument) -> String? {
            #expect(throws: InputError.self) { try grid.checkRanges(of: terms) }?.repair
        }
        #expect(try repair(terms(price: 0...1))?.contains("--price-min") == true)
        #expect(try repair(terms(quantity: 0...1))?.contains("--qty-min") == true)
        var large = try terms(quantity: 1...Limits.quantityLotsMax)
        large.lotUnits = .max
        #expect(repair(large) == "lower --price-max or --qty-max")
    }

    @Test func `sees where a fee of one unit is much of the smallest order`() throws {
        func found(_ lots: Int64, _ notional: Int128) throws -> [FeeRounding] {
            var terms = try terms(quantity: lots...1_000, notionalMin: notional)
            terms.lotUnits = 1
            return FeeRounding.noticeable(in: terms, base: "B", quote: "Q")
        }
        #expect(try found(1_000, 0).isEmpty)
        let base = try found(999, 1_000)
        #expect(base.map(\.asset) == ["B"] && base[0].isFine)
        let quote = try found(1_000, 99)
        #expect(quote.map(\.asset) == ["Q"] && !quote[0].isFine)
        #expect(quote[0].text.contains("99 smallest units of Q"))
        #expect(try found(1, 1).count == 2)
    }
}

@Suite struct RequestedLimitsTests {
    private func raised(_ accounts: UInt32?, _ openOrders: UInt32?) throws -> EngineLimits {
        try RequestedLimits([
            .init("accounts", \.accounts, accounts), .init("open-orders", \.openOrders, openOrders),
        ]).raised(EngineLimits.standard)
    }

    @Test func `raises what is given and keeps the rest`() throws {
        let before = EngineLimits.standard
        let after = try raised(before.accounts + 1, nil)
        #expect(after.accounts == before.accounts + 1 && after.openOrders == before.openOrders)
        #expect(RequestedLimits([.init("assets", \.assets, nil)]).isEmpty)
    }

    @Test func `refuses what lowers a limit, changes nothing or is too high`() {
        let before = EngineLimits.standard
        let lower = #expect(throws: InputError.self) { try raised(before.accounts - 1, nil) }
        #expect(lower?.problem.hasPrefix("--accounts") == true)
        #expect(throws: InputError.self) { try raised(before.accounts, nil) }
        #expect(throws: InputError.self) { try raised(nil, .max) }
    }
}

@Suite struct ConfigurationOverrideTests {
    @Test func `reads an address, a CPU and assignments`() throws {
        let all = try ConfigurationOverride.parse(
            listen: "0.0.0.0:80", cpu: -1, assignments: ["matchd.idle=\"a=b\""])
        #expect(
            all == [
                .init(key: "gatewayd.listen", value: "\"0.0.0.0:80\""),
                .init(key: "matchd.cpu", value: "-1"), .init(key: "matchd.idle", value: "\"a=b\""),
            ])
    }

    @Test(arguments: ["matchd.cpu", "cpu=2", "=", ""])
    func `refuses what assigns nothing to a table's key`(text: String) {
        #expect(throws: InputError.self) {
            try ConfigurationOverride.parse(listen: nil, cpu: nil, assignments: [text])
        }
    }

    @Test func `refuses an address without a port`() {
        #expect(throws: InputError.self) {
            try ConfigurationOverride.parse(listen: "localhost", cpu: nil, assignments: [])
        }
    }
}

@Suite struct UpgradedUnitsTests {
    private func started(_ state: String, _ enablement: String?) -> [String] {
        UpgradedUnits.all.filter { UpgradedUnits.isStarted($0, state) { enablement } }
    }

    @Test func `what runs starts anew, and a poller that an upgrade brought starts`() {
        #expect(started("active", nil) == UpgradedUnits.all)
        #expect(started("inactive", "enabled") == ["bourse-poller.service"])
    }

    @Test func `what was stopped, switched off or failed stays as it is`() {
        for enablement in ["disabled", "masked", "static", nil] {
            #expect(started("inactive", enablement) == [], "\(enablement ?? "-")")
        }
        for state in ["failed", "activating", "deactivating"] {
            #expect(started(state, "enabled") == [], "\(state)")
        }
    }
}
