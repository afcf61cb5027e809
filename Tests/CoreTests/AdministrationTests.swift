// Goal: what operators and the wallet book counts once; tables are left and can be raised; what is
// raised goes on as if it had been so large from the start.

import Engine
import Terms
import Testing
import Wire

/// An engine alone with one instrument, GLDUSD, and accounts with funds.
struct Desk: ~Copyable {
    static let audit = Audit(operatorName: Text40("operator")!, reason: "test")
    static let credit: Int128 = 123_456_789_012
    var engine: Engine
    private var references = 0

    init(_ limits: EngineLimits = .small, accounts: Int = 3) {
        engine = Engine(limits: limits)
        apply(
            .genesis(
                Genesis(
                    limits: limits, journalHigh: 1, journalLow: 2, hashKeyHigh: 3, hashKeyLow: 4)))
        apply(.setAsset(SetAsset(code: Text16("GLD")!, scale: 2, audit: Self.audit)))
        apply(.setAsset(SetAsset(code: Text16("USD")!, scale: 2, audit: Self.audit)))
        for asset in [1, 2] as [UInt16] {
            let terms = SetNetwork(
                asset: AssetID(asset), network: NetworkID(1), confirmations: 1,
                minimum: Amount(units: 1), fee: .zero, name: Text16("CHAIN")!, audit: Self.audit)
            apply(.setNetwork(terms))
        }
        apply(
            .setInstrument(
                SetInstrument(
                    symbol: Text16("GLDUSD")!, base: AssetID(1), quote: AssetID(2),
                    tickMantissa: 1, tickScale: 0, lotUnits: 100, priceMax: Price(ticks: 1 << 20),
                    quantityMax: Quantity(lots: 1_000), audit: Self.audit)))
        for number in 1..<accounts + 1 {
            apply(.openAccount(OpenAccount(name: Text40("account \(number)")!, audit: Self.audit)))
            for asset in 1...2 {
                adjust(UInt32(number), UInt16(asset), Self.credit)
            }
        }
    }

    @discardableResult
    mutating func apply(_ command: Command) -> Outcome {
        engine.apply(
            RecordHeader(sequence: engine.sequence + 1, timestamp: 1_000, kind: command.kind),
            command)
    }

    /// Books under a reference of its own, or under the one that is given.
    @discardableResult
    mutating func adjust(
        _ account: UInt32, _ asset: UInt16, _ units: Int128, reference: String? = nil
    ) -> Refusal {
        references += 1
        return apply(
            .adjustBalance(
                AdjustBalance(
                    account: AccountID(account), asset: AssetID(asset),
                    amount: Amount(units: units),
                    reference: Text64(reference ?? "desk \(references)")!, audit: Self.audit))
        ).refusal
    }

    mutating func transfer(_ account: UInt32, _ units: Int128, reference: String) -> Refusal {
        apply(
            .transferFees(
                TransferFees(
                    account: AccountID(account), asset: AssetID(2), amount: Amount(units: units),
                    reference: Text64(reference)!, audit: Self.audit))
        ).refusal
    }

    mutating func deposit(_ output: UInt32, transaction: UInt128, asset: UInt16 = 1) -> Refusal {
        apply(
            .creditDeposit(
                CreditDeposit(
                    account: AccountID(1), asset: AssetID(asset), network: NetworkID(1),
                    transactionHigh: 0, transactionLow: transaction, output: output,
                    amount: Amount(units: 10)))
        ).refusal
    }

    @discardableResult
    mutating func place(
        _ account: UInt32, _ side: Side, _ lots: Int64, at ticks: Int64,
        _ type: OrderType = .limit
    ) -> Outcome {
        apply(
            .place(
                Place(
                    account: AccountID(account), instrument: InstrumentID(1), side: side,
                    type: type, price: Price(ticks: ticks), quantity: Quantity(lots: lots))))
    }

    func units(_ account: UInt32, _ asset: UInt16) -> Int128 {
        engine.balance(AccountID(account), AssetID(asset)).available.units
    }

    func fault() -> String? { engine.checkInvariants() }

    /// Goes on with what its snapshot gives.
    mutating func restore() {
        var bytes: [UInt8] = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes { unsafe read = Engine(snapshot: $0) }
        guard let restored = read.take() else {
            Issue.record("the engine does not read its own snapshot")
            return
        }
        engine = restored
    }
}

@Suite struct AdministrationTests {
    @Test func `a wire that is booked twice is refused the second time, for ever`() {
        var desk = Desk()
        #expect(desk.adjust(1, 2, 500, reference: "wire 4711") == .none)
        let before = desk.units(1, 2)
        #expect(desk.adjust(1, 2, 500, reference: "wire 4711") == .referenceDuplicate)
        // Another account or amount does not make it another wire.
        #expect(desk.adjust(2, 1, 7, reference: "wire 4711") == .referenceDuplicate)
        #expect(desk.transfer(1, -5, reference: "wire 4711") == .referenceDuplicate)
        #expect(desk.adjust(1, 2, 500, reference: "") == .nameInvalid)
        desk.restore()
        #expect(desk.adjust(1, 2, 500, reference: "wire 4711") == .referenceDuplicate)
        #expect(desk.units(1, 2) == before)
        // What was refused for another reason may come again.
        #expect(desk.adjust(1, 2, -before - 1, reference: "wire 4712") == .insufficientFunds)
        #expect(desk.adjust(1, 2, -before, reference: "wire 4712") == .none)
        let fault = desk.fault()
        #expect(fault == nil)
    }

    @Test func `an output of a transaction is credited once, each output for itself`() {
        var desk = Desk()
        let before = desk.units(1, 1)
        #expect(desk.deposit(0, transaction: 9) == .none)
        #expect(desk.deposit(0, transaction: 9) == .referenceDuplicate)
        #expect(desk.deposit(1, transaction: 9) == .none)
        #expect(desk.deposit(0, transaction: 10) == .none)
        #expect(desk.deposit(0, transaction: 9, asset: 2) == .none)
        desk.restore()
        #expect(desk.deposit(1, transaction: 9) == .referenceDuplicate)
        #expect(desk.units(1, 1) == before + 30)
    }

    @Test func `references are all remembered, no more than the limit, and more when it is raised`()
    {
        var desk = Desk()
        let most = Int(EngineLimits.small.references)
        var count = desk.engine.referenceCount
        var names: [String] = []
        while count < most {
            names.append("reference \(count)")
            #expect(desk.adjust(1, 1, 1, reference: names.last!) == .none)
            count += 1
        }
        #expect(desk.adjust(1, 1, 1, reference: "one more") == .tableFull)
        var limits = EngineLimits.small
        limits.references = 5_000
        desk.raise(limits)
        for number in most..<5_000 {
            names.append("reference \(number)")
            #expect(desk.adjust(1, 1, 1, reference: names.last!) == .none)
        }
        desk.restore()
        for name in names {
            #expect(desk.adjust(1, 1, 1, reference: name) == .referenceDuplicate, "\(name)")
        }
        #expect(desk.adjust(1, 1, 1, reference: "one more") == .tableFull)
    }

    @Test func `fees are collected only as far as they were taken`() {
        var desk = Desk()
        let rate = FeeRate(e8: 1_000_000)
        desk.apply(.setFees(SetFees(tier: 0, maker: rate, taker: rate, audit: Desk.audit)))
        desk.place(1, .sell, 10, at: 100)
        desk.place(2, .buy, 10, at: 100)
        let fees = desk.engine.house(AssetID(2)).fees.units
        #expect(fees == 1_000)
        let before = desk.units(3, 2)
        #expect(desk.transfer(3, fees + 1, reference: "too much") == .feesInsufficient)
        #expect(desk.transfer(3, fees - 100, reference: "collected") == .none)
        #expect(desk.transfer(3, 101, reference: "too much") == .feesInsufficient)
        #expect(desk.transfer(3, -(before + 901), reference: "funded") == .insufficientFunds)
        #expect(desk.transfer(3, -50, reference: "funded") == .none)
        #expect(desk.engine.house(AssetID(2)).fees.units == 150)
        #expect(desk.units(3, 2) == before + 850)
        let fault = desk.fault()
        #expect(fault == nil)
    }

    @Test func `of full sessions the operator's that is idle longest gives way after an hour`() {
        var limits = EngineLimits.small
        limits.sessions = 4
        let venue = Venue(limits: limits)
        func open(_ name: String) -> Outcome {
            venue.apply(.openSession(OpenSession(name: Text40(name)!)))
        }
        for name in ["gateway/1", "operator/ann", "operator/ben", "operator/cat"] {
            #expect(open(name).refusal == .none)
        }
        let tick = Command.tick(Tick())
        venue.now += 1_000_000_000
        #expect(venue.apply(tick, session: 2, number: 1).refusal == .none)
        venue.now += 3_598_999_999_999
        #expect(open("operator/dan") == .refused(.tableFull), "an hour less a nanosecond")
        venue.now += 1
        // Of ben and cat, who are as old, the one who was first.
        #expect(open("operator/dan") == Outcome(id: 5))
        #expect(same(venue.events, [.sessionClosed(SessionID(3)), .sessionOpened(SessionID(5))]))
        #expect(venue.apply(tick, session: 3, number: 1) == .refused(.sessionUnknown))
        #expect(open("gateway/2") == Outcome(id: 6))
        #expect(venue.apply(tick, session: 4, number: 1) == .refused(.sessionUnknown))
        #expect(open("operator/eve") == .refused(.tableFull), "ann was there a second later")
        venue.now += 1_000_000_000
        #expect(open("operator/eve") == Outcome(id: 7))
        #expect(venue.apply(tick, session: 2, number: 2) == .refused(.sessionUnknown))
        venue.now += 3_600_000_000_000
        // A name that is known takes its own place. Gateways never give way.
        #expect(open("operator/dan") == Outcome(id: 8))
        #expect(open("operator/fay") == Outcome(id: 9))
        #expect(open("operator/gus") == .refused(.tableFull))
        #expect(venue.apply(tick, session: 1, number: 1).refusal == .none)
        #expect(venue.apply(tick, session: 6, number: 1).refusal == .none)
    }

    @Test func `sessions that close leave room for others, and their numbers never come again`() {
        var limits = EngineLimits.small
        limits.sessions = 2
        var desk = Desk(limits)
        func open(_ name: String, _ desk: inout Desk) -> Outcome {
            desk.apply(.openSession(OpenSession(name: Text40(name)!)))
        }
        let (a, b) = (open("a", &desk), open("b", &desk))
        #expect((a.id, b.id) == (1, 2))
        #expect(open("c", &desk).refusal == .tableFull)
        #expect(open("a", &desk).id == 3)
        let close = Command.closeSession(CloseSession(session: SessionID(1)))
        #expect(desk.apply(close).refusal == .sessionUnknown, "its name opened another")
        #expect(desk.apply(.closeSession(CloseSession(session: SessionID(2)))).refusal == .none)
        #expect(open("c", &desk).id == 4)
        desk.restore()
        #expect(open("d", &desk).refusal == .tableFull)
        let closed = desk.engine.session(SessionID(2))
        let open = desk.engine.session(name: Text40("c")!)
        #expect(closed == nil && open?.id == SessionID(4))
        limits.sessions = 3
        desk.raise(limits)
        let last = desk.apply(.openSession(OpenSession(name: Text40("d")!)))
        #expect(last.id == 5)
    }

    @Test func `revoked keys leave, and the others keep their order`() {
        var limits = EngineLimits.small
        limits.apiKeys = 3
        var desk = Desk(limits)
        func add(_ name: String, _ desk: inout Desk) -> Refusal {
            desk.apply(
                .addAPIKey(
                    AddAPIKey(
                        account: AccountID(1), permissions: [.read], algorithm: .ed25519,
                        keyID: Text64(name)!, sealedSecret: [1, 2, 3], audit: Desk.audit))
            ).refusal
        }
        func names(_ desk: borrowing Desk) -> [String] {
            var names: [String] = []
            desk.engine.forEachAPIKey { names.append("\($0.keyID)") }
            return names
        }
        for name in ["a", "b", "c"] { #expect(add(name, &desk) == .none) }
        #expect(add("d", &desk) == .tableFull)
        let revoke = RevokeAPIKey(keyID: Text64("b")!, audit: Desk.audit)
        #expect(desk.apply(.revokeAPIKey(revoke)).refusal == .none)
        #expect(desk.apply(.revokeAPIKey(revoke)).refusal == .apiKeyUnknown)
        #expect(add("d", &desk) == .none)
        #expect(names(desk) == ["a", "c", "d"])
        desk.restore()
        #expect(names(desk) == ["a", "c", "d"])
    }

    @Test func `a row of order limits overrides the default's, and two zeros remove it`() {
        var limits = EngineLimits.small
        limits.orderLimits = 2
        var desk = Desk(limits)
        func set(_ account: UInt32, lots: Int64, units: Int128 = 0, _ desk: inout Desk) -> Refusal {
            desk.apply(
                .setOrderLimits(
                    SetOrderLimits(
                        account: AccountID(account), instrument: InstrumentID(1),
                        orderQuantityMax: Quantity(lots: lots),
                        orderNotionalMax: Amount(units: units), audit: Desk.audit))
            ).refusal
        }
        #expect(set(0, lots: 5, &desk) == .none)
        #expect(set(1, lots: 7, units: 70_000, &desk) == .none)
        #expect(set(2, lots: 9, &desk) == .tableFull)
        #expect(set(1, lots: -1, &desk) == .termsInvalid)
        for _ in 0..<2 {
            #expect(desk.place(2, .sell, 6, at: 100).refusal == .orderSizeLimit)
            #expect(desk.place(1, .sell, 7, at: 100).refusal == .none)
            #expect(desk.place(1, .sell, 7, at: 101).refusal == .orderSizeLimit)
            desk.restore()
        }
        #expect(set(1, lots: 0, &desk) == .none)
        #expect(desk.place(1, .sell, 6, at: 100).refusal == .orderSizeLimit)
        #expect(set(2, lots: 9, &desk) == .none)
        #expect(desk.place(2, .sell, 9, at: 100).refusal == .none)
    }

    @Test func `a stale market is measured from the price that an operator sets, until it trades`()
    {
        var desk = Desk()
        var terms = SetInstrument(
            symbol: Text16("GLDUSD")!, base: AssetID(1), quote: AssetID(2), tickMantissa: 1,
            tickScale: 0, lotUnits: 100, priceMax: Price(ticks: 1 << 20),
            quantityMax: Quantity(lots: 1_000), audit: Desk.audit)
        (terms.bandUp, terms.bandDown) = (100_000, 100_000)
        desk.apply(.setInstrument(terms))
        desk.place(1, .sell, 1, at: 100)
        desk.place(2, .buy, 1, at: 100)
        #expect(desk.place(1, .sell, 1, at: 500).refusal == .priceBand)
        func set(_ ticks: Int64, _ desk: inout Desk) -> Refusal {
            desk.apply(
                .setReferencePrice(
                    SetReferencePrice(
                        instrument: InstrumentID(1), price: Price(ticks: ticks),
                        audit: Desk.audit))
            ).refusal
        }
        #expect(set(0, &desk) == .priceInvalid)
        #expect(set(500, &desk) == .none)
        desk.restore()
        #expect(desk.place(1, .sell, 1, at: 520).refusal == .none)
        #expect(desk.place(1, .sell, 1, at: 100).refusal == .priceBand)
        #expect(desk.place(2, .buy, 1, at: 520).refusal == .none)
        let v = desk.engine.instrument(InstrumentID(1))
        #expect(v?.rebasedPrice == Price.none && v?.lastPrice == Price(ticks: 520))
        #expect(desk.place(1, .sell, 1, at: 480).refusal == .none, "the band is the trade's again")
    }

    @Test func `raised limits hold at once, and nothing that was there is lost`() {
        var small = EngineLimits.small
        (small.openOrders, small.accounts, small.instruments) = (200, 4, 1)
        (small.assets, small.feeTiers) = (2, 1)
        var desk = Desk(small, accounts: 4)
        for i in 0..<200 {
            desk.place(
                UInt32(i % 4 + 1), i % 2 == 0 ? .buy : .sell, 3,
                at: i % 2 == 0 ? 90 - Int64(i % 7) : 110 + Int64(i))
        }
        #expect(desk.place(1, .buy, 1, at: 1).refusal == .capacity)
        let name = Text40("account 5")!
        let fifth = Command.openAccount(OpenAccount(name: name, audit: Desk.audit))
        #expect(desk.apply(fifth).refusal == .tableFull)
        var lower = small
        lower.accounts = 3
        #expect(desk.refusal(raise: lower) == .termsInvalid)
        var quicker = small
        quicker.turnSteps += 1
        #expect(desk.refusal(raise: quicker) == .termsInvalid)
        var absurd = small
        absurd.assets = .max
        #expect(desk.refusal(raise: absurd) == .termsInvalid)
        var orders: [OrderID] = []
        desk.engine.forEachOrder { orders.append($0.order) }
        desk.raise(.standardOfTests)
        var fault = desk.fault()
        #expect(fault == nil)
        #expect(desk.apply(fifth).refusal == .none)
        for order in orders {
            let view = desk.engine.order(order)
            #expect(view?.leavesQty == Quantity(lots: 3))
        }
        for i in 0..<3_000 {
            let placed = desk.place(UInt32(i % 4 + 1), .sell, 1, at: 200 + Int64(i) * 64)
            #expect(placed.refusal == .none)
        }
        fault = desk.fault()
        #expect(fault == nil)
        desk.restore()
        desk.place(1, .buy, 300, at: 1 << 20)
        fault = desk.fault()
        #expect(fault == nil)
        // A second time, with levels that were in use and are not.
        var larger = EngineLimits.standardOfTests
        larger.openOrders *= 4
        larger.accounts = 100_000
        desk.raise(larger)
        desk.place(2, .sell, 300, at: 1)
        fault = desk.fault()
        #expect(fault == nil)
    }

    @Test func `limits of nothing can be raised, or stay`() {
        var limits = EngineLimits.small
        (limits.apiKeys, limits.orderLimits, limits.references) = (0, 0, 0)
        var desk = Desk(limits, accounts: 0)
        limits.accounts += 1
        desk.raise(limits)
        limits.apiKeys = 1
        desk.raise(limits)
        limits.orderLimits = 1
        desk.raise(limits)
        limits.references = 1
        desk.raise(limits)
        desk.restore()
        let fault = desk.engine.checkInvariants()
        #expect(fault == nil)
    }

    @Test func `limits are not raised beyond what one price can show`() {
        var desk = Desk()
        var terms = SetInstrument(
            symbol: Text16("GLDUSD")!, base: AssetID(1), quote: AssetID(2), tickMantissa: 1,
            tickScale: 0, lotUnits: 100, priceMax: Price(ticks: 1 << 20),
            quantityMax: Quantity(lots: 1 << 50), audit: Desk.audit)
        #expect(desk.apply(.setInstrument(terms)).refusal == .none)
        var limits = EngineLimits.small
        limits.openOrders = 4_097
        #expect(desk.refusal(raise: limits) == .termsInvalid)
        terms.quantityMax.lots = 1_000
        desk.apply(.setInstrument(terms))
        #expect(desk.refusal(raise: limits) == .none)
    }

    @Test func `a genesis that is not the first record changes nothing`() {
        var desk = Desk()
        desk.place(1, .sell, 1, at: 100)
        let genesis = Genesis(
            limits: .small, journalHigh: 1, journalLow: 2, hashKeyHigh: 5, hashKeyLow: 6)
        #expect(desk.apply(.genesis(genesis)).refusal == .termsInvalid)
        #expect(desk.adjust(1, 1, 1, reference: "desk 1") == .referenceDuplicate)
    }

    @Test func `voids are remembered, each once and no more than there may be`() {
        var desk = Desk()
        func void(_ sequence: UInt64, _ desk: inout Desk) -> Refusal {
            desk.apply(
                .voidSequence(VoidSequence(sequence: sequence, audit: Desk.audit))
            ).refusal
        }
        let next = desk.engine.sequence + 1
        #expect(void(next + 1, &desk) == .termsInvalid)
        #expect(void(3, &desk) == .none)
        #expect(void(3, &desk) == .termsInvalid)
        desk.restore()
        #expect(void(3, &desk) == .termsInvalid)
        while desk.engine.voids.count < Limits.voidsMax {
            let last = desk.engine.sequence
            #expect(void(last, &desk) == .none)
        }
        #expect(void(4, &desk) == .tableFull)
        let voids = desk.engine.voids
        #expect(voids.first == 3 && voids.count == Limits.voidsMax)
    }
}

extension Desk {
    mutating func refusal(raise limits: EngineLimits) -> Refusal {
        apply(.raiseLimits(RaiseLimits(limits: limits, audit: Self.audit))).refusal
    }

    mutating func raise(_ limits: EngineLimits) {
        #expect(refusal(raise: limits) == .none)
        let now = engine.limits
        #expect(now == limits)
    }
}

extension EngineLimits {
    /// Larger than `small` in all but the steps of a turn.
    fileprivate static var standardOfTests: EngineLimits {
        EngineLimits(
            assets: 20, instruments: 40, accounts: 500, openOrders: 5_000, apiKeys: 500,
            sessions: 50, feeTiers: 20, orderLimits: 500, references: 5_000,
            turnSteps: EngineLimits.small.turnSteps)
    }
}
