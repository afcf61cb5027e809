// Worst cases of waiting work in many instruments, and of one command that combines everything.

internal import Terms
internal import Wire

extension WorstCase {
    /// An order in flight in every instrument, in half of them with one step left.
    static func flights(_ scale: WorstScale) -> WorstVenue {
        let instruments = Int(scale.limits.instruments)
        var v = WorstVenue(scale, instruments: instruments)
        let steps = Int(scale.limits.turnSteps)
        var bids: [OrderID] = []
        for number in 1...instruments {
            let instrument = InstrumentID(UInt16(number))
            let most = steps + (number <= instruments / 2 ? 1 : 100)
            for _ in 0..<min(scale.orders() / instruments - 1, most) {
                v.accept(.place(v.order(1, .sell, 1, at: start, instrument: instrument)))
            }
            v.accept(.place(v.order(3, .buy, 1, at: 1, instrument: instrument)))
            bids.append(OrderID(v.lastOrder))
        }
        for number in 1...instruments {
            v.measure(
                "takes off beside others",
                .place(
                    v.order(2, .buy, 1 << 30, at: start, instrument: InstrumentID(UInt16(number)))),
                ticks: false)
        }
        for (place, bid) in bids.enumerated() {
            v.measure(
                "cancel beside flights",
                .cancel(
                    Cancel(
                        account: AccountID(3), instrument: InstrumentID(UInt16(place + 1)),
                        order: bid)), ticks: false)
        }
        v.measure("all instruments pause beside flights", state(.pause), ticks: false)
        v.goOn("flights")
        return v
    }

    private static func state(
        _ state: InstrumentState, _ instrument: InstrumentID = InstrumentID(0)
    ) -> Command {
        .setInstrumentState(
            SetInstrumentState(instrument: instrument, state: state, audit: WorstVenue.audit))
    }

    /// Elected stops that wait in halted instruments.
    static func halted(_ scale: WorstScale) -> WorstVenue {
        let instruments = Int(scale.limits.instruments)
        var v = WorstVenue(scale, instruments: instruments)
        let stops = min(scale.orders() / instruments - 2, Int(scale.limits.turnSteps) + 8)
        for number in 1..<UInt16(instruments) {
            let instrument = InstrumentID(number)
            for _ in 0..<stops {
                v.accept(
                    .place(
                        v.order(
                            1, .buy, 1, at: 1, type: .stopLossLimit, stop: start,
                            instrument: instrument)))
            }
            v.accept(.place(v.order(2, .sell, 1, at: start, instrument: instrument)))
            v.measure(
                "elects", .place(v.order(3, .buy, 1, at: start, instrument: instrument)),
                ticks: false)
            v.measure("halts", state(.halt, instrument), ticks: false)
        }
        let last = InstrumentID(UInt16(instruments))
        for _ in 0..<1_000 {
            v.measure(
                "place beside halted stops", .place(v.order(4, .sell, 1, at: 9, instrument: last)))
        }
        v.measure("all instruments trade again", state(.trading))
        return v
    }

    /// A cancel-replace that looks at the book twice, uses all of a turn's steps, and elects a stop
    /// that looks at it again.
    static func replace(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let steps = Int(scale.limits.turnSteps)
        for i in 0..<min(scale.orders() / 2, 8 * steps) {
            let account: UInt32 = i > steps && i % 16 == 0 && i < 12 * steps ? 8 : 1
            v.accept(.place(v.order(account, .sell, 1, at: start + Int64(i) * 4_096)))
        }
        v.accept(
            .place(
                v.order(8, .buy, 1 << 20, type: .stopLoss, mode: .expireMaker, stop: start + 4_096))
        )
        v.accept(.place(v.order(8, .buy, 1, at: 1)))
        let old = OrderID(v.lastOrder)
        v.measure(
            "cancel-replace that does all",
            .cancelReplace(
                CancelReplace(
                    stopOnFailure: true,
                    cancel: Cancel(
                        account: AccountID(8), instrument: WorstVenue.instrument, order: old),
                    place: v.order(8, .buy, Int64(steps) - 2, type: .market, mode: .expireMaker))))
        return v
    }
}
