// Goal: the ends of every range are reached without a trap: what is too much is refused or waits.

import Engine
import Terms
import Testing
import Wire

@Suite struct LimitTests {
    /// Sends commands to an engine alone, for what the slow twin is too slow for.
    private struct Desk: ~Copyable {
        var engine: Engine

        init(
            openOrders: UInt32, assetScale: UInt8 = 2, turnSteps: UInt32 = 512,
            credit units: Int128 = Limits.amountUnitsMax
        ) {
            var limits = EngineLimits.small
            limits.openOrders = openOrders
            limits.turnSteps = turnSteps
            engine = Engine(limits: limits)
            let audit = Venue.audit
            apply(.setAsset(SetAsset(code: Text16("GLD")!, scale: 0, audit: audit)))
            apply(.setAsset(SetAsset(code: Text16("USD")!, scale: assetScale, audit: audit)))
            for name in ["ann", "ben"] {
                apply(.openAccount(OpenAccount(name: Text40(name)!, audit: audit)))
            }
            credit(1, 1, units)
            credit(2, 2, units)
        }

        mutating func credit(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
            let outcome = apply(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(account), asset: AssetID(asset),
                        amount: Amount(units: units),
                        reference: Text64("wire \(engine.sequence)")!, audit: Venue.audit)))
            #expect(outcome.refusal == .none)
        }

        /// Sends ticks while one is due now; gives how many.
        mutating func ticks() -> Int {
            var count = 0
            while let due = engine.nextTimer, due <= engine.timestamp {
                apply(.tick(Tick()))
                count += 1
            }
            return count
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
            stop: Int64 = 0, show: Int64 = 0, for timeInForce: TimeInForce = .gtc
        ) -> Outcome {
            apply(
                .place(
                    Place(
                        account: AccountID(account), instrument: InstrumentID(1), side: side,
                        type: type, timeInForce: timeInForce, price: Price(ticks: ticks),
                        quantity: Quantity(lots: lots), stopPrice: Price(ticks: stop),
                        displayQuantity: Quantity(lots: show))))
        }

        /// The size of its state.
        func stateBytes() -> Int {
            var count = 0
            unsafe engine.writeSnapshot { count += $0.count }
            return count
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

    @Test func `fill or kill fills 70,000 asks of one lot, or none`() {
        var desk = Desk(openOrders: 70_010)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<70_000 { desk.place(1, .sell, .limit, 1, at: 100) }
        let killed = desk.place(2, .buy, .limit, 70_001, at: 100, for: .fok)
        #expect(killed == Outcome(status: .expired, id: 70_001))
        var open = desk.engine.openOrderCount
        #expect(open == 70_000)
        // One waits for a trigger, which the trade of the first of the other sets off.
        desk.place(2, .buy, .stopLossLimit, 69_000, at: 100, stop: 100, for: .fok)
        let taken = desk.place(2, .buy, .limit, 1_000, at: 100, for: .fok)
        #expect(taken == Outcome(status: .partiallyFilled, id: 70_003), "it is in flight")
        let ticks = desk.ticks()
        #expect(ticks == (1_000 + 1 + 1 + 69_000) / 512)
        open = desk.engine.openOrderCount
        let trades = desk.engine.instrument(InstrumentID(1))?.lastTrade.number
        #expect(open == 0 && trades == 70_000)
        #expect(desk.fault() == nil)
    }

    @Test func `fill or kill fills 660 icebergs in 100 slices, or none`() {
        var desk = Desk(openOrders: 1_000)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<660 { desk.place(1, .sell, .limit, 100, at: 100, show: 1) }
        let killed = desk.place(2, .buy, .limit, 66_001, at: 100, for: .fok)
        #expect(killed.status == .expired)
        let taken = desk.place(2, .buy, .limit, 66_000, at: 100, for: .fok)
        #expect(taken.status == .partiallyFilled)
        let ticks = desk.ticks()
        #expect(ticks == (66_000 - 1) / 512)
        let open = desk.engine.openOrderCount
        let trades = desk.engine.instrument(InstrumentID(1))?.lastTrade.number
        #expect(open == 0 && trades == 66_000)
        #expect(desk.fault() == nil)
    }

    @Test func `a long fill rests with its remainder, and a mass cancel continues`() {
        var desk = Desk(openOrders: 70_010)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<2_000 { desk.place(1, .sell, .limit, 1, at: 100) }
        let bought = desk.place(2, .buy, .limit, 2_005, at: 100)
        desk.restore()
        let ticks = desk.ticks()
        let rested = desk.engine.order(OrderID(bought.id))
        #expect(ticks == 3)
        #expect(rested?.leavesQty.lots == 5 && rested?.status == .partiallyFilled)
        for _ in 0..<2_000 { desk.place(1, .sell, .limit, 1, at: 101) }
        let canceled = desk.apply(.massCancel(MassCancel(account: AccountID(0))))
        #expect(canceled == Outcome(status: .canceled, id: 512))
        // What comes after it stays.
        let later = desk.place(1, .sell, .limit, 1, at: 102)
        desk.restore()
        let rounds = desk.ticks()
        #expect(rounds == 3)
        let open = desk.engine.openOrderCount
        #expect(open == 1)
        let stays = desk.engine.order(OrderID(later.id)) != nil
        #expect(stays)
        #expect(desk.fault() == nil)
    }

    @Test func `a mass cancel of all counts the accounts that it only passes`() {
        var desk = Desk(openOrders: 4_096, turnSteps: 8, credit: 1_000_000)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<12 { desk.place(1, .sell, .limit, 1, at: 100) }
        let canceled = desk.apply(.massCancel(MassCancel(account: AccountID(0))))
        #expect(canceled == Outcome(status: .canceled, id: 8))
        // Forty accounts come while it waits: none of their orders is touched.
        for number in UInt32(3)...42 {
            desk.apply(
                .openAccount(OpenAccount(name: Text40("a\(number)")!, audit: Venue.audit)))
            desk.credit(number, 2, 5_000)
            #expect(desk.place(number, .buy, .limit, 1, at: 50).refusal == .none)
        }
        desk.restore()
        let ticks = desk.ticks()
        // Four orders, the end of their account, and forty accounts.
        #expect(ticks == (4 + 1 + 40 + 7) / 8)
        let open = desk.engine.openOrderCount
        #expect(open == 40)
        #expect(desk.fault() == nil)
    }

    @Test func `an account with more orders than a turn has looks sends market orders`() {
        var desk = Desk(openOrders: 4_096, turnSteps: 8, credit: 1_000_000)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        desk.credit(1, 2, 1_000_000)
        for i in 0..<40 { desk.place(1, .buy, .limit, 1, at: 1 + Int64(i % 5)) }
        desk.credit(2, 1, 100)
        desk.place(2, .sell, .limit, 3, at: 50, show: 1)
        desk.place(2, .sell, .limit, 1, at: 51)
        for mode in [SelfTradePrevention.expireMaker, .expireTaker, .decrement] {
            let bought = desk.apply(
                .place(
                    Place(
                        account: AccountID(1), instrument: InstrumentID(1), side: .buy,
                        type: .market, selfTradePrevention: mode, quantity: Quantity(lots: 1))))
            #expect(bought.status == .filled, "\(mode): \(bought)")
        }
        #expect(desk.fault() == nil)
    }

    @Test func `so many mass cancels wait and no more, but a kill switch always may`() {
        var desk = Desk(openOrders: 4_096)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<1_100 { desk.place(1, .sell, .limit, 1, at: 100) }
        // The first has more orders than a turn has steps; 64 wait with it.
        for _ in 0..<64 {
            let outcome = desk.apply(.massCancel(MassCancel(account: AccountID(1))))
            #expect(outcome.refusal == .none)
        }
        let refused = desk.apply(.massCancel(MassCancel(account: AccountID(1))))
        #expect(refused.refusal == .instrumentBusy)
        let busy = unsafe MassCancel(account: AccountID(1)).payloadBytes().withUnsafeBytes {
            unsafe desk.engine.isBusy(.massCancel, payload: $0)
        }
        #expect(busy)
        let audit = Audit(operatorName: Text40(), reason: "")
        let killed = desk.apply(
            .setKillSwitch(SetKillSwitch(account: AccountID(1), isOn: true, audit: audit)))
        #expect(killed.refusal == .none)
        // Set again, it is still one.
        let before = desk.stateBytes()
        for _ in 0..<1_000 {
            desk.apply(
                .setKillSwitch(SetKillSwitch(account: AccountID(1), isOn: true, audit: audit)))
        }
        let after = desk.stateBytes()
        #expect(after <= before)
        desk.restore()
        _ = desk.ticks()
        let open = desk.engine.openOrderCount
        #expect(open == 0)
        let again = desk.apply(.massCancel(MassCancel(account: AccountID(1))))
        #expect(again.refusal == .none)
        #expect(desk.fault() == nil)
    }

    @Test func `stops that one trade elects run by ticks, and wait while nothing trades`() {
        var desk = Desk(openOrders: 4_096)
        desk.terms(priceMax: 1_000, quantityMax: 100_000)
        for _ in 0..<600 { desk.place(2, .buy, .stopLossLimit, 1, at: 90, stop: 100) }
        desk.place(1, .sell, .limit, 1, at: 100)
        desk.place(2, .buy, .limit, 1, at: 100)
        func waiting(_ engine: borrowing Engine) -> Int {
            var count = 0
            engine.forEachOrder { if !$0.isWorking { count += 1 } }
            return count
        }
        var (left, due) = (waiting(desk.engine), desk.engine.nextTimer)
        #expect(left == 600 - 511)
        #expect(due == 1_000)

        // In a pause they wait on, without asking for ticks; a snapshot keeps that they do.
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
        (left, due) = (waiting(desk.engine), desk.engine.nextTimer)
        #expect(left == 0)
        #expect(due == nil)
        #expect(desk.fault() == nil)
    }

    @Test func `stops that waited for their instrument to trade go on behind the others`() {
        var desk = Desk(openOrders: 64, turnSteps: 4, credit: 1_000_000)
        desk.terms(priceMax: 1_000, quantityMax: 100)
        desk.apply(
            .setInstrument(
                SetInstrument(
                    symbol: Text16("GLDUS2")!, base: AssetID(1), quote: AssetID(2),
                    tickMantissa: 1, tickScale: 0, lotUnits: 1, priceMax: Price(ticks: 1_000),
                    quantityMax: Quantity(lots: 100), audit: Venue.audit)))
        func order(
            _ instrument: UInt16, _ account: UInt32, _ side: Side, at ticks: Int64, stop: Int64 = 0
        ) -> Command {
            .place(
                Place(
                    account: AccountID(account), instrument: InstrumentID(instrument), side: side,
                    type: stop == 0 ? .limit : .stopLossLimit, price: Price(ticks: ticks),
                    quantity: Quantity(lots: 1), stopPrice: Price(ticks: stop)))
        }
        func waiting(_ engine: borrowing Engine) -> [UInt16: Int] {
            var count: [UInt16: Int] = [:]
            engine.forEachOrder {
                if !$0.isWorking { count[$0.instrument.number, default: 0] += 1 }
            }
            return count
        }
        for number in UInt16(1)...2 {
            for _ in 0..<6 { desk.apply(order(number, 2, .buy, at: 90, stop: 100)) }
            desk.apply(order(number, 1, .sell, at: 100))
            desk.apply(order(number, 2, .buy, at: 100))
        }
        var left = waiting(desk.engine)
        #expect(left == [1: 3, 2: 3])
        for state in [InstrumentState.pause, .trading] {
            desk.apply(
                .setInstrumentState(
                    SetInstrumentState(
                        instrument: InstrumentID(1), state: state, audit: Venue.audit)))
            desk.restore()
        }
        desk.apply(.tick(Tick()))
        left = waiting(desk.engine)
        #expect(left == [1: 2])
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

    @Test func `rebates are paid from funded fees alone, to the last unit`() {
        var desk = Desk(openOrders: 64, assetScale: 0)
        desk.terms(priceMax: 1 << 30, quantityMax: 1 << 30)
        let most = Limits.feeRateMax
        desk.apply(
            .setFees(
                SetFees(
                    tier: 0, maker: FeeRate(e8: -most), taker: FeeRate(e8: most),
                    audit: Venue.audit)))
        // A trade is worth 2^60 dollars, its rebate a tenth; the fees hold a quarter.
        let worth: Int128 = 1 << 60
        desk.apply(
            .transferFees(
                TransferFees(
                    account: AccountID(2), asset: AssetID(2), amount: Amount(units: -worth / 4),
                    reference: Text64("rebates")!, audit: Venue.audit)))
        var fees: [Int128] = []
        for _ in 0..<5 {
            desk.place(1, .sell, .limit, 1 << 30, at: 1 << 30)
            let bought = desk.place(2, .buy, .limit, 1 << 30, at: 1 << 30)
            #expect(bought.status == .filled)
            fees.append(desk.engine.house(AssetID(2)).fees.units)
        }
        // ⌊2^60 ÷ 10⌋ is paid, rounded against the maker; `fees` pays one more, which rounding
        // keeps.
        let rebate = worth / 10 + 1
        let funded = worth / 4
        #expect(fees == [funded - rebate] + [Int128](repeating: funded - 2 * rebate, count: 4))
        let rounding = desk.engine.house(AssetID(2)).rounding.units
        #expect(rounding == 2)
        #expect(desk.fault() == nil)
        desk.restore()
        #expect(desk.fault() == nil)
    }
}
