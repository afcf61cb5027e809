// Goal: each refusal of an operator's command has a row, in the order of RULES.md.

import Engine
import Terms
import Testing
import Wire

@Suite struct AdministrationRefusalTests {
    private let audit = Venue.audit

    /// Tries terms that differ from the venue's own in one way, as a new instrument.
    private func terms(_ change: (inout SetInstrument) -> Void) -> Refusal {
        let venue = Venue()
        var terms = venue.terms
        terms.symbol = Text16("NEW")!
        change(&terms)
        return venue.apply(.setInstrument(terms)).refusal
    }

    @Test func `an asset is refused for its name, scale, then room`() {
        var limits = EngineLimits.small
        limits.assets = 3
        let venue = Venue(limits: limits)
        func set(_ code: String, _ scale: UInt8) -> Refusal {
            venue.apply(
                .setAsset(SetAsset(code: Text16(code)!, scale: scale, audit: audit))
            ).refusal
        }
        #expect(set("", 19) == .nameInvalid)
        #expect(set("GLD", 19) == .termsInvalid)
        #expect(set("GLD", 3) == .nameInvalid)
        #expect(set("GLD", 2) == .none)
        #expect(venue.events.isEmpty, "nothing was changed")
        #expect(set("SLV", 18) == .none)
        #expect(set("BRT", 0) == .tableFull)
        #expect(set("SLV", 18) == .none, "known names need no room")
    }

    @Test func `an instrument is refused for its name, assets, terms, state, then room`() {
        #expect(
            terms {
                $0.symbol = Text16()
                $0.base = AssetID(9)
            } == .nameInvalid)
        #expect(
            terms {
                $0.base = AssetID(9)
                $0.lotUnits = 0
            } == .assetUnknown)
        #expect(terms { $0.quote = AssetID(0) } == .assetUnknown)
        #expect(
            terms {
                $0.lotUnits = 0
                $0.state = .auction
            } == .termsInvalid)
        #expect(terms { $0.state = .auction } == .stateInvalid)
        #expect(
            terms {
                $0.symbol = Text16("GLDUSD")!
                $0.tickMantissa = 2
                $0.state = .auction
            } == .nameInvalid)
        #expect(terms { $0.symbol = Text16("GLDUSD")! } == .none)
        #expect(terms { _ in } == .none)
        var limits = EngineLimits.small
        limits.instruments = 1
        let venue = Venue(limits: limits)
        var second = venue.terms
        second.symbol = Text16("SECOND")!
        #expect(venue.apply(.setInstrument(second)).refusal == .tableFull)
    }

    @Test func `an instrument's terms have ranges`() {
        let wrong: [(inout SetInstrument) -> Void] = [
            { $0.base = $0.quote }, { $0.tickMantissa = 0 },
            { $0.tickMantissa = 1_000_000_000_000_000_001 }, { $0.tickScale = 19 },
            { $0.lotUnits = 0 }, { $0.lotUnits = -1 },
            // 1 tick of 0.00001 × 1.00 is less than a cent.
            { $0.tickScale = 5 },
            // 10^18 × 100 × 100 ÷ 100 is above 2^62.
            { $0.tickMantissa = 1_000_000_000_000_000_000 },
            { $0.priceMin.ticks = 0 }, { $0.priceMin.ticks = 10_001 },
            { $0.priceMax.ticks = 1 << 48 + 1 }, { $0.quantityMin.lots = 0 },
            { $0.quantityMin.lots = 1_001 }, { $0.quantityMax.lots = 1 << 60 + 1 },
            { $0.quantityMax.lots = 1 << 51 }, { $0.notionalMin.units = -1 },
            { $0.notionalMax.units = -1 }, { $0.referencePrice.ticks = -1 },
            { $0.referencePrice.ticks = 10_001 }, { $0.bandUp = -1 },
            { $0.bandUp = 1_000_000_001 }, { $0.bandDown = -1 }, { $0.bandDown = 1_000_000 },
            {
                // 2^48 × 2^50 × 2^60 is above 2^120.
                $0.priceMax.ticks = 1 << 48
                $0.quantityMax.lots = 1 << 50
                $0.tickMantissa = 1 << 53
            },
        ]
        for (row, change) in wrong.enumerated() {
            #expect(terms(change) == .termsInvalid, "row \(row)")
        }
        let right: [(inout SetInstrument) -> Void] = [
            { $0.priceMax.ticks = 1 << 48 }, { $0.quantityMax.lots = 1 << 50 },
            { $0.bandUp = 1_000_000_000 }, { $0.bandDown = 999_999 }, { $0.tickScale = 2 },
        ]
        for (row, change) in right.enumerated() {
            #expect(terms(change) == .none, "row \(row)")
        }
    }

    @Test func `a state is refused for its instrument, then itself`() {
        let venue = Venue()
        func set(_ instrument: UInt16, _ state: InstrumentState) -> Refusal {
            venue.apply(
                .setInstrumentState(
                    SetInstrumentState(
                        instrument: InstrumentID(instrument), state: state, audit: audit))
            ).refusal
        }
        #expect(set(2, .auction) == .instrumentUnknown)
        #expect(set(1, .auction) == .stateInvalid)
        #expect(set(0, .closed) == .none)
        #expect(set(1, .trading) == .none)
    }

    @Test func `fees are refused for their terms, then their instrument`() {
        let venue = Venue()
        func set(_ tier: UInt16, _ instrument: UInt16, _ maker: Int32, _ taker: Int32) -> Refusal {
            venue.apply(
                .setFees(
                    SetFees(
                        tier: tier, instrument: InstrumentID(instrument),
                        maker: FeeRate(e8: maker), taker: FeeRate(e8: taker), audit: audit))
            ).refusal
        }
        let most = Limits.feeRateMax
        #expect(set(8, 9, 0, 0) == .termsInvalid)
        #expect(set(0, 9, most + 1, 0) == .termsInvalid)
        #expect(set(0, 9, .min, .max) == .termsInvalid)
        #expect(set(0, 9, 0, -most - 1) == .termsInvalid)
        #expect(set(0, 9, -2, 1) == .termsInvalid)
        #expect(set(0, 9, 0, 0) == .instrumentUnknown)
        #expect(set(7, 1, -most, most) == .none)
    }

    @Test func `accounts are refused for their name or number, then their terms`() {
        var limits = EngineLimits.small
        limits.accounts = 3
        let venue = Venue(limits: limits)
        func open(_ name: String) -> Outcome {
            venue.apply(.openAccount(OpenAccount(name: Text40(name)!, audit: audit)))
        }
        #expect(open("") == .refused(.nameInvalid))
        #expect(open("dan") == .refused(.tableFull))
        #expect(open("ben") == Outcome(id: 2))
        func limit(_ account: UInt32, _ lots: Int64, _ units: Int128) -> Refusal {
            venue.apply(
                .setAccountLimits(
                    SetAccountLimits(
                        account: AccountID(account), orderQuantityMax: Quantity(lots: lots),
                        orderNotionalMax: Amount(units: units), audit: audit))
            ).refusal
        }
        #expect(limit(4, -1, 0) == .accountUnknown)
        #expect(limit(3, -1, 0) == .termsInvalid)
        #expect(limit(0, 0, -1) == .termsInvalid)
        #expect(limit(0, 0, 0) == .none)
        func tier(_ account: UInt32, _ tier: UInt16) -> Refusal {
            venue.apply(
                .setAccountTier(
                    SetAccountTier(account: AccountID(account), tier: tier, audit: audit))
            ).refusal
        }
        #expect(tier(4, 8) == .accountUnknown)
        #expect(tier(0, 0) == .accountUnknown)
        #expect(tier(3, 8) == .termsInvalid)
        #expect(tier(3, 7) == .none)
        let kill = SetKillSwitch(account: AccountID(4), isOn: true, audit: audit)
        #expect(venue.apply(.setKillSwitch(kill)) == .refused(.accountUnknown))
    }

    @Test func `a balance is refused for its account, asset, amount, then funds`() {
        let venue = Venue()
        func adjust(_ account: UInt32, _ asset: UInt16, _ units: Int128) -> Refusal {
            venue.apply(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(account), asset: AssetID(asset),
                        amount: Amount(units: units), audit: audit))
            ).refusal
        }
        let most = Limits.amountUnitsMax
        #expect(adjust(0, 9, 0) == .accountUnknown)
        #expect(adjust(1, 9, 0) == .assetUnknown)
        for units in [0, most + 1, -most - 1, Int128.min, .max] {
            #expect(adjust(1, 1, units) == .amountInvalid)
        }
        // Three million units are inside already.
        #expect(adjust(1, 1, most - 3_000_000 + 1) == .amountInvalid)
        #expect(adjust(1, 1, most - 3_000_000) == .none)
        #expect(adjust(2, 1, -1_000_001) == .insufficientFunds)
        #expect(adjust(2, 1, -1_000_000) == .none)
        #expect(adjust(2, 1, -most) == .insufficientFunds)
    }

    @Test func `an API key is refused for its account, name, then room`() {
        var limits = EngineLimits.small
        limits.apiKeys = 2
        let venue = Venue(limits: limits)
        func add(_ account: UInt32, _ name: String) -> Refusal {
            venue.apply(
                .addAPIKey(
                    AddAPIKey(
                        account: AccountID(account), permissions: .read,
                        algorithm: .hmacSHA256, keyID: Text64(name)!, sealedSecret: [1],
                        audit: audit))
            ).refusal
        }
        func revoke(_ name: String) -> Refusal {
            venue.apply(.revokeAPIKey(RevokeAPIKey(keyID: Text64(name)!, audit: audit))).refusal
        }
        #expect(add(9, "") == .accountUnknown)
        #expect(add(1, "") == .nameInvalid)
        #expect(add(1, "a") == .none)
        #expect(revoke("b") == .apiKeyUnknown)
        #expect(revoke("a") == .none)
        #expect(revoke("a") == .apiKeyUnknown)
        #expect(add(1, "a") == .nameInvalid, "a revoked name is not given again")
        #expect(add(1, "b") == .none)
        #expect(add(1, "c") == .tableFull)
    }

    @Test func `sessions have names and room, and marks are compared`() {
        var limits = EngineLimits.small
        limits.sessions = 1
        let venue = Venue(limits: limits)
        func open(_ name: String) -> Refusal {
            venue.apply(.openSession(OpenSession(name: Text40(name)!))).refusal
        }
        #expect(open("") == .nameInvalid)
        #expect(open("a") == .none)
        #expect(open("b") == .tableFull)
        #expect(open("a") == .none)
        let other = Genesis(limits: .small, journalHigh: 0, journalLow: 0)
        #expect(venue.apply(.genesis(other)) == .refused(.termsInvalid))
        #expect(!venue.hasDiverged)
        let hash = venue.eventHash
        venue.apply(.hashMark(HashMark(eventHash: hash)))
        #expect(!venue.hasDiverged)
        venue.apply(.hashMark(HashMark(eventHash: hash)))
        #expect(venue.hasDiverged, "the mark itself has moved the hash on")
    }
}
