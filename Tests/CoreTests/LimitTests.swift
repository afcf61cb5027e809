// Goal: the ends of every range are reached without a trap: what is too much is refused or waits.

import Engine
import Terms
import Testing
import Wire

@Suite struct LimitTests {
    /// Sends commands to an engine alone, for what the slow twin is too slow for.
    private struct Desk: ~Copyable {
        var engine: Engine

        init(openOrders: UInt32, assetScale: UInt8 = 2) {
            var limits = EngineLimits.small
            limits.openOrders = openOrders
            engine = Engine(limits: limits)
            let audit = Venue.audit
            apply(.setAsset(SetAsset(code: Text16("GLD")!, scale: 0, audit: audit)))
            apply(.setAsset(SetAsset(code: Text16("USD")!, scale: assetScale, audit: audit)))
            for name in ["ann", "ben"] {
                apply(.openAccount(OpenAccount(name: Text40(name)!, audit: audit)))
            }
            for (account, asset) in [(1, 1), (2, 2)] {
                apply(
                    .adjustBalance(
                        AdjustBalance(
                            account: AccountID(UInt32(account)), asset: AssetID(UInt16(asset)),
                            amount: Amount(units: Limits.amountUnitsMax), audit: audit)))
            }
        }

        mutating func terms(priceMax: Int64, quantityMax: Int64) {
            let outcome = apply(
                .setInstrument(
                    SetInstrument(
                        symbol: Text16("GLDUSD")!, base: AssetID(1), quote: AssetID(2),
                        tickMantissa: 1, tickScale: 0, lotUnits: 1,
                        priceMax: Price(ticks: priceMax),
                        quantityMax: Quantity(lots: quantityMax), audit: Venue.audit)))
            #expect(outcome.refusal == .none)
        }

        @discardableResult
        mutating func apply(_ command: Command) -> Outcome {
            engine.apply(
                RecordHeader(
                    sequence: engine.sequence + 1, timestamp: 1_000, kind: command.kind),
                command)
        }

        @discardableResult
        mutating func place(
            _ account: UInt32, _ side: Side, _ type: OrderType, _ lots: Int64, at ticks: Int64 = 0,
            stop: Int64 = 0
        ) -> Outcome {
            apply(
                .place(
                    Place(
                        account: AccountID(account), instrument: InstrumentID(1), side: side,
                        type: type, price: Price(ticks: ticks), quantity: Quantity(lots: lots),
                        stopPrice: Price(ticks: stop))))
        }

        /// Goes on with what a snapshot gives.
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

        func fault() -> String? { engine.checkInvariants() ?? conservationBreach(engine) }
    }

    @Test func `one command takes no more than its steps, and its triggers wait`() {
        // 70,000 asks of one lot; a buy of all of them ends after 65,536 of them, and the stop that
        // its first trade set off waits for the next tick.
        var desk = Desk(openOrders: 70_010)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<70_000 { desk.place(1, .sell, .limit, 1, at: 100) }
        desk.place(2, .buy, .stopLossLimit, 5, at: 90, stop: 100)
        let outcome = desk.place(2, .buy, .market, 70_000)
        #expect(outcome.status == .expired)
        var (open, due) = (desk.engine.openOrderCount, desk.engine.nextTimer)
        #expect(open == 70_000 - 65_536 + 1)
        #expect(due == 1_000)
        #expect(desk.fault() == nil)

        // In a pause it waits on, without asking for ticks; a snapshot keeps that it waits.
        let instrument = InstrumentID(1)
        desk.apply(
            .setInstrumentState(
                SetInstrumentState(instrument: instrument, state: .pause, audit: Venue.audit)))
        desk.apply(.tick(Tick()))
        due = desk.engine.nextTimer
        #expect(due == nil)
        desk.restore()
        desk.apply(
            .setInstrumentState(
                SetInstrumentState(instrument: instrument, state: .trading, audit: Venue.audit)))
        due = desk.engine.nextTimer
        #expect(due == 1_000)
        desk.apply(.tick(Tick()))
        (open, due) = (desk.engine.openOrderCount, desk.engine.nextTimer)
        let isWorking = desk.engine.order(OrderID(70_001))?.isWorking
        #expect(isWorking == true)
        #expect(due == nil)
        #expect(desk.fault() == nil)
    }

    @Test func `a book worth more than there can be of its quote asset is no trap`() {
        // Orders of earlier terms: 300 asks, each worth 2^120, then terms of long quantities.
        var desk = Desk(openOrders: 4_096, assetScale: 18)
        desk.terms(priceMax: 1 << 30, quantityMax: 1 << 30)
        desk.place(1, .sell, .limit, 1, at: 1)
        for _ in 0..<300 { desk.place(1, .sell, .limit, 1 << 30, at: 1 << 30) }
        desk.terms(priceMax: 1 << 12, quantityMax: 1 << 48)
        let market = desk.place(2, .buy, .market, 1 << 48)
        #expect(market == .refused(.insufficientFunds))
        // A stop that holds less than the sweep costs takes all that is available.
        desk.place(2, .buy, .stopLoss, 1 << 38, stop: 2)
        desk.place(2, .buy, .limit, 1, at: 1)
        desk.place(1, .sell, .limit, 1, at: 2)
        desk.place(2, .buy, .limit, 1, at: 2)
        let open = desk.engine.openOrderCount
        #expect(open <= 301, "the stop was set off and ended")
        #expect(desk.fault() == nil)
    }

    @Test func `a price may use all of its bits`() {
        var desk = Desk(openOrders: 64)
        desk.terms(priceMax: 1 << 48, quantityMax: 8)
        for bit in 0...48 { desk.place(1, .sell, .limit, 1, at: 1 << Int64(bit)) }
        var prices: [Int64] = []
        desk.engine.forEachLevel(InstrumentID(1), .sell) {
            prices.append($0.price.ticks)
            return true
        }
        #expect(prices == (0...48).map { 1 << Int64($0) })
        for bit in 0...48 {
            desk.place(2, .buy, .limit, 1, at: 1 << Int64(bit))
            let best = desk.engine.best(InstrumentID(1), .sell)?.ticks
            #expect(best == (bit < 48 ? 1 << Int64(bit + 1) : nil))
        }
        #expect(desk.fault() == nil)
    }

    @Test func `rebates end before the ledger's range does`() {
        var desk = Desk(openOrders: 64, assetScale: 18)
        desk.terms(priceMax: 1 << 30, quantityMax: 1 << 30)
        desk.apply(
            .setFees(
                SetFees(
                    tier: 0, maker: FeeRate(e8: -Limits.feeRateMax),
                    taker: FeeRate(e8: Limits.feeRateMax), audit: Venue.audit)))
        // ann and ben trade to and fro for nearly all the dollars that there can be; the maker's
        // rebate adds a tenth each time.
        for (account, units) in [(1, -Limits.amountUnitsMax / 2), (2, Limits.amountUnitsMax / 4)] {
            desk.apply(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(UInt32(account)), asset: AssetID(1),
                        amount: Amount(units: units), audit: Venue.audit)))
        }
        var fees: [Int128] = []
        for _ in 0..<40 {
            for (seller, buyer) in [(UInt32(1), UInt32(2)), (2, 1)] {
                desk.place(seller, .sell, .limit, 1 << 30, at: 1 << 30)
                let bought = desk.place(buyer, .buy, .limit, 1 << 30, at: 1 << 30)
                #expect(bought.status == .filled)
                fees.append(desk.engine.house(AssetID(2)).fees.units)
            }
        }
        #expect(fees.allSatisfy { $0 >= -Limits.amountUnitsMax })
        #expect(fees[8] < fees[7], "the house pays")
        #expect(fees[79] == fees[60], "the house has paid all")
        #expect(desk.fault() == nil)
        // Customers now have up to twice what came from outside.
        desk.restore()
        #expect(desk.fault() == nil)
    }
}
