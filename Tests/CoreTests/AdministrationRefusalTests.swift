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
        func limit(_ account: UInt32) -> Refusal {
            venue.apply(
                .setAccountLimits(SetAccountLimits(account: AccountID(account), audit: audit))
            ).refusal
        }
        #expect(limit(4) == .accountUnknown)
        #expect(limit(3) == .none)
        #expect(limit(0) == .none)
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

    @Test func `order limits are refused for account, instrument, terms, then room`() {
        var limits = EngineLimits.small
        limits.orderLimits = 1
        let venue = Venue(limits: limits)
        func set(_ account: UInt32, _ instrument: UInt16, _ lots: Int64, _ units: Int128) -> Refusal
        {
            venue.apply(
                .setOrderLimits(
                    SetOrderLimits(
                        account: AccountID(account), instrument: InstrumentID(instrument),
                        orderQuantityMax: Quantity(lots: lots),
                        orderNotionalMax: Amount(units: units), audit: audit))
            ).refusal
        }
        #expect(set(4, 2, -1, 0) == .accountUnknown)
        #expect(set(3, 2, -1, 0) == .instrumentUnknown)
        #expect(set(3, 0, -1, 0) == .instrumentUnknown)
        #expect(set(3, 1, -1, 0) == .termsInvalid)
        #expect(set(3, 1, 0, -1) == .termsInvalid)
        #expect(set(0, 1, 5, 0) == .none)
        #expect(set(3, 1, 5, 0) == .tableFull)
        #expect(set(0, 1, 0, 7) == .none, "a row that is there needs no room")
        #expect(set(3, 1, 0, 0) == .none, "no row needs none either")
        #expect(set(0, 1, 0, 0) == .none)
        #expect(set(3, 1, 5, 0) == .none)
    }

    @Test func `a reference price is refused for its instrument, then itself`() {
        let venue = Venue()
        func set(_ instrument: UInt16, _ ticks: Int64) -> Refusal {
            venue.apply(
                .setReferencePrice(
                    SetReferencePrice(
                        instrument: InstrumentID(instrument), price: Price(ticks: ticks),
                        audit: audit))
            ).refusal
        }
        #expect(set(0, 0) == .instrumentUnknown)
        #expect(set(2, 0) == .instrumentUnknown)
        #expect(set(1, 0) == .priceInvalid)
        #expect(set(1, 10_001) == .priceInvalid)
        #expect(set(1, 10_000) == .none)
    }

    @Test func `a balance is refused for account, asset, reference, amount, then funds`() {
        var limits = EngineLimits.small
        limits.references = 8
        let venue = Venue(limits: limits)
        func adjust(
            _ account: UInt32, _ asset: UInt16, _ units: Int128, _ reference: String
        ) -> Refusal {
            venue.apply(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(account), asset: AssetID(asset),
                        amount: Amount(units: units), reference: Text64(reference)!,
                        audit: audit))
            ).refusal
        }
        let most = Limits.amountUnitsMax
        #expect(adjust(0, 9, 0, "") == .accountUnknown)
        #expect(adjust(1, 9, 0, "") == .assetUnknown)
        #expect(adjust(1, 1, 0, "") == .nameInvalid)
        // "wire 1" to "wire 6" are what the venue's accounts were opened with.
        for units in [0, most + 1, -most - 1, Int128.min, .max] {
            #expect(adjust(1, 1, units, "wire 1") == .amountInvalid)
        }
        // Three million units are inside already.
        #expect(adjust(1, 1, most - 3_000_000 + 1, "a") == .amountInvalid)
        #expect(adjust(2, 1, -1_000_001, "wire 1") == .referenceDuplicate)
        #expect(adjust(2, 1, -1_000_001, "a") == .insufficientFunds)
        #expect(adjust(1, 1, most - 3_000_000, "a") == .none, "what was refused was not booked")
        #expect(adjust(2, 1, -1_000_000, "b") == .none)
        #expect(adjust(2, 1, -1, "b") == .referenceDuplicate)
        #expect(adjust(2, 1, -1, "c") == .tableFull, "before the funds")
    }

    @Test func `fees are moved once, and no more than there are`() {
        var limits = EngineLimits.small
        limits.references = 8
        let venue = Venue(limits: limits)
        func transfer(
            _ account: UInt32, _ asset: UInt16, _ units: Int128, _ reference: String
        ) -> Refusal {
            venue.apply(
                .transferFees(
                    TransferFees(
                        account: AccountID(account), asset: AssetID(asset),
                        amount: Amount(units: units), reference: Text64(reference)!,
                        audit: audit))
            ).refusal
        }
        #expect(transfer(0, 9, 0, "") == .accountUnknown)
        #expect(transfer(1, 9, 0, "") == .assetUnknown)
        #expect(transfer(1, 1, 0, "") == .nameInvalid)
        for units in [0, Limits.amountUnitsMax + 1, -Limits.amountUnitsMax - 1, .min, .max] {
            #expect(transfer(1, 1, units, "wire 1") == .amountInvalid)
        }
        #expect(transfer(1, 1, 1, "wire 1") == .referenceDuplicate)
        #expect(transfer(1, 1, 1, "a") == .feesInsufficient)
        #expect(transfer(1, 1, -1_000_001, "a") == .insufficientFunds)
        #expect(transfer(1, 1, -600, "a") == .none)
        #expect(venue.house(Venue.gold).fees.units == 600)
        #expect(transfer(2, 1, 601, "b") == .feesInsufficient)
        #expect(transfer(2, 1, 600, "b") == .none)
        #expect(venue.balance(Venue.ben, Venue.gold).available.units == 1_000_600)
        #expect(transfer(2, 1, 601, "c") == .tableFull)
    }

    @Test func `an output of a transaction is credited once`() {
        var limits = EngineLimits.small
        limits.references = 9
        let venue = Venue(limits: limits)
        for asset in [Venue.gold, Venue.dollar] { venue.openNetwork(asset) }
        func credit(
            _ account: UInt32, _ asset: UInt16, _ units: Int128, _ output: UInt32,
            _ transaction: UInt128 = 1
        ) -> Refusal {
            venue.apply(
                .creditDeposit(
                    CreditDeposit(
                        account: AccountID(account), asset: AssetID(asset),
                        network: NetworkID(1), transactionHigh: 7, transactionLow: transaction,
                        output: output,
                        amount: Amount(units: units)))
            ).refusal
        }
        #expect(credit(0, 9, 0, 0) == .accountUnknown)
        #expect(credit(1, 9, 0, 0) == .assetUnknown)
        for units in [0, -1, Limits.amountUnitsMax, .min, .max] {
            #expect(credit(1, 1, units, 0) == .amountInvalid)
        }
        #expect(credit(1, 1, 5, 0) == .none)
        #expect(credit(1, 1, 5, 0) == .referenceDuplicate)
        #expect(credit(2, 1, 6, 0) == .referenceDuplicate, "whoever it is for")
        #expect(credit(1, 2, 5, 0) == .none, "another asset has its own outputs")
        #expect(credit(1, 1, 5, 1) == .none)
        #expect(credit(1, 1, 5, 0, 2) == .tableFull)
        #expect(credit(1, 1, 5, 1) == .referenceDuplicate)
    }

    @Test func `limits rise, and none falls`() {
        let venue = Venue()
        func raise(_ change: (inout EngineLimits) -> Void) -> Refusal {
            var limits = venue.twin.limits
            change(&limits)
            return venue.apply(.raiseLimits(RaiseLimits(limits: limits, audit: audit))).refusal
        }
        let wrong: [(inout EngineLimits) -> Void] = [
            { $0.assets -= 1 }, { $0.instruments -= 1 }, { $0.accounts -= 1 },
            { $0.openOrders -= 1 }, { $0.apiKeys -= 1 }, { $0.sessions -= 1 },
            { $0.feeTiers -= 1 }, { $0.orderLimits -= 1 }, { $0.references -= 1 },
            { $0.turnSteps -= 1 }, { $0.turnSteps += 1 }, { $0.assets = 65_536 },
            { $0.instruments = 65_536 }, { $0.openOrders = 1 << 24 },
        ]
        for (row, change) in wrong.enumerated() {
            #expect(raise(change) == .termsInvalid, "row \(row)")
        }
        #expect(raise { _ in } == .none)
        #expect(
            raise {
                $0.assets += 1
                $0.instruments += 1
                $0.accounts += 1
                $0.openOrders += 1
                $0.apiKeys += 1
                $0.sessions += 1
                $0.feeTiers += 1
                $0.orderLimits += 1
                $0.references += 1
            } == .none)
        // 2^49 × 8,192 is 2^62: more open orders could hold more lots than can be counted.
        #expect(raise { $0.openOrders = 8_192 } == .none)
        venue.change {
            $0.priceMax.ticks = 1_000
            $0.quantityMax.lots = 1 << 49
        }
        #expect(raise { $0.openOrders = 8_193 } == .termsInvalid)
    }

    @Test func `a sequence is voided once, and before its turn never`() {
        let venue = Venue()
        func void(_ sequence: UInt64) -> Refusal {
            venue.apply(.voidSequence(VoidSequence(sequence: sequence, audit: audit))).refusal
        }
        let own = venue.twin.sequence + 1
        #expect(void(own) == .termsInvalid)
        #expect(void(own + 9) == .termsInvalid)
        #expect(void(0) == .termsInvalid)
        #expect(void(1) == .none)
        #expect(void(1) == .termsInvalid)
        while venue.twin.voids.count < Limits.voidsMax {
            venue.apply(.tick(Tick()))
            #expect(void(venue.twin.sequence) == .none)
        }
        #expect(void(2) == .tableFull)
        #expect(void(1) == .termsInvalid)
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
        #expect(add(1, "b") == .none)
        #expect(add(1, "c") == .none, "a revoked key needs no room")
        #expect(add(1, "c") == .nameInvalid)
        #expect(add(1, "d") == .tableFull)
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
        func close(_ session: UInt32) -> Refusal {
            venue.apply(.closeSession(CloseSession(session: SessionID(session)))).refusal
        }
        #expect(close(1) == .sessionUnknown, "its name was opened again")
        #expect(close(2) == .none)
        #expect(close(2) == .sessionUnknown)
        #expect(open("b") == .none, "the place is free")
        let late = Genesis(
            limits: limits, journalHigh: 0, journalLow: 0, hashKeyHigh: 1, hashKeyLow: 1)
        #expect(venue.apply(.genesis(late)) == .refused(.termsInvalid))
        for version in [0, SetRules.current] {
            let rules = venue.apply(.setRules(SetRules(version: version)))
            #expect(rules == .refused(.termsInvalid))
        }
        #expect(!venue.hasDiverged)
        let hash = venue.eventHash
        venue.apply(.hashMark(HashMark(eventHash: hash)))
        #expect(!venue.hasDiverged)
        venue.apply(.hashMark(HashMark(eventHash: hash)))
        #expect(venue.hasDiverged, "the mark itself has moved the hash on")
    }

    @Test func `genesis is the first record, of limits that are the engine's own`() {
        func begin(_ limits: EngineLimits, _ rules: UInt32, _ format: UInt32) -> (Refusal, Bool) {
            var engine = Engine(limits: .small)
            var genesis = Genesis(
                rules: rules, limits: limits, journalHigh: 1, journalLow: 2, hashKeyHigh: 3,
                hashKeyLow: 4)
            genesis.format = format
            let header = RecordHeader(sequence: 1, timestamp: 5, kind: .genesis)
            let outcome = engine.apply(header, .genesis(genesis))
            return (outcome.refusal, engine.hasDiverged)
        }
        #expect(begin(.small, 1, 2) == (.none, false))
        #expect(begin(.standard, 1, 2) == (.termsInvalid, false))
        #expect(begin(.small, SetRules.current, 2) == (.none, false))
        #expect(begin(.small, SetRules.current + 1, 2).1, "rules that this code does not know")
        #expect(begin(.small, 1, 3).1, "a format that this code does not know")
        var engine = Engine(limits: .small)
        let header = RecordHeader(sequence: 1, timestamp: 5, kind: .setRules)
        _ = engine.apply(header, .setRules(SetRules(version: SetRules.current + 1)))
        let hasDiverged = engine.hasDiverged
        #expect(hasDiverged)
    }
}
