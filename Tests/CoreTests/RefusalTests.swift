// Goal: each refusal that the engine can give to traders has a row, and of two that both apply the
// one that RULES.md names first is given.

import Engine
import Terms
import Testing
import Wire

/// What makes one refusal apply: orders that stand before, changes by operators, a field of the
/// command. Orders of all rows come first, then all changes, so that rows combine.
private struct Row<Payload>: Sendable {
    var refusal: Refusal
    var orders: @Sendable (Venue) -> Void = { _ in }
    var changes: @Sendable (Venue, inout SetAccountLimits) -> Void = { _, _ in }
    var spoil: @Sendable (inout Payload) -> Void = { _ in }
}

private let longText = Text40("this-text-is-thirty-seven-bytes-long!")!

/// Rows that stand before new orders and amends alike.
private let limitsOfAnn = SetAccountLimits(account: Venue.ann, audit: Venue.audit)

private func notionalRows<P>() -> [Row<P>] {
    [
        Row(
            refusal: .notionalBelowMinimum,
            changes: { venue, _ in venue.change { $0.notionalMin.units = 1 << 90 } }),
        Row(
            refusal: .notionalAboveMaximum,
            changes: { venue, _ in venue.change { $0.notionalMax.units = 1 } }),
        Row(
            refusal: .priceBand,
            changes: { venue, _ in
                venue.change {
                    $0.referencePrice.ticks = 50
                    $0.bandUp = 1
                }
            }),
        Row(
            refusal: .orderSizeLimit,
            changes: { venue, _ in venue.orderLimits(Venue.ann, quantity: 1) }),
    ]
}

private let noFunds: @Sendable (Venue, inout SetAccountLimits) -> Void = { venue, _ in
    let have = venue.engine.balance(Venue.ann, Venue.dollar).available.units
    venue.adjust(Venue.ann, Venue.dollar, -have)
}

/// A place of ann's that is taken: buy 10 at 100.
private let goodPlace = Place(
    account: Venue.ann, instrument: Venue.goldDollar, side: .buy, type: .limit,
    price: Price(ticks: 100), quantity: Quantity(lots: 10))

private let placeRows: [Row<Place>] =
    [
        Row(refusal: .malformed, spoil: { $0.clOrdID = longText }),
        Row(refusal: .deadlinePassed, spoil: { $0.deadline = 999_999_999_999 }),
        Row(refusal: .venueKilled, changes: { venue, _ in venue.kill(AccountID(0)) }),
        Row(refusal: .accountUnknown, spoil: { $0.account = AccountID(99) }),
        Row(refusal: .accountKilled, changes: { venue, _ in venue.kill(Venue.ann) }),
        Row(refusal: .instrumentUnknown, spoil: { $0.instrument = InstrumentID(99) }),
        Row(refusal: .messageRate, changes: { $1.messagesPerSecondMax = 1 }),
        Row(refusal: .instrumentState, changes: { venue, _ in venue.state(.halt) }),
        Row(refusal: .orderTypeInvalid, spoil: { $0.quoteQuantity.units = 5 }),
        Row(refusal: .priceInvalid, spoil: { $0.price.ticks = 10_001 }),
        Row(refusal: .quantityInvalid, spoil: { $0.quantity.lots = 1_001 }),
        Row(refusal: .displayQuantityInvalid, spoil: { $0.displayQuantity.lots = -1 }),
        Row(
            refusal: .stopPriceInvalid,
            spoil: {
                $0.type = .stopLossLimit
                $0.stopPrice.ticks = 0
            }),
        Row(
            refusal: .expireTimeInvalid,
            spoil: {
                $0.timeInForce = .gtd
                $0.expireTime = 1
            }),
    ] + notionalRows() + [
        Row(refusal: .openOrdersLimit, changes: { $1.openOrdersMax = 1 }),
        Row(
            refusal: .capacity,
            orders: { venue in
                while venue.engine.openOrderCount < 4 { venue.limit(Venue.cat, .buy, 1, at: 1) }
            }),
        Row(refusal: .clOrdIDDuplicate, spoil: { $0.clOrdID = Text40("same")! }),
        Row(
            refusal: .triggersImmediately,
            orders: { venue in
                venue.limit(Venue.ben, .sell, 1, at: 50)
                venue.limit(Venue.cat, .buy, 1, at: 50)
            },
            spoil: {
                $0.type = .stopLossLimit
                $0.stopPrice.ticks = 40
            }),
        Row(
            refusal: .wouldTake, orders: { $0.limit(Venue.ben, .sell, 1, at: 60) },
            spoil: { $0.type = .limitMaker }),
        Row(refusal: .insufficientFunds, changes: noFunds),
    ]

/// An amend of ann's order that is taken: buy 10 at 100, shown in slices of 2, moves to 101.
private let goodAmend = Amend(
    account: Venue.ann, instrument: Venue.goldDollar, order: OrderID(1), price: Price(ticks: 101))

private let amendRows: [Row<Amend>] =
    [
        Row(refusal: .malformed, spoil: { $0.clOrdID = longText }),
        Row(refusal: .deadlinePassed, spoil: { $0.deadline = 999_999_999_999 }),
        Row(refusal: .venueKilled, changes: { venue, _ in venue.kill(AccountID(0)) }),
        Row(refusal: .accountUnknown, spoil: { $0.account = AccountID(99) }),
        Row(refusal: .accountKilled, changes: { venue, _ in venue.kill(Venue.ann) }),
        Row(refusal: .instrumentUnknown, spoil: { $0.instrument = InstrumentID(99) }),
        Row(refusal: .messageRate, changes: { $1.messagesPerSecondMax = 1 }),
        Row(refusal: .instrumentState, changes: { venue, _ in venue.state(.closed) }),
        Row(refusal: .orderUnknown, spoil: { $0.order = OrderID(77) }),
        Row(refusal: .amendInvalid, spoil: { $0.quantity.lots = -1 }),
        Row(
            refusal: .priorityLost,
            spoil: {
                $0.keepsPriority = true; $0.quantity.lots = 9
            }),
        Row(refusal: .priceInvalid, spoil: { $0.price.ticks = 10_001 }),
        Row(refusal: .quantityInvalid, spoil: { $0.quantity.lots = 1_001 }),
        Row(refusal: .displayQuantityInvalid, spoil: { $0.quantity.lots = 201 }),
    ] + notionalRows() + [
        Row(
            refusal: .clOrdIDDuplicate,
            orders: { $0.limit(Venue.ann, .buy, 1, at: 1, clOrdID: "same") },
            spoil: { $0.newClOrdID = Text40("same")! }),
        Row(refusal: .wouldTake, orders: { $0.limit(Venue.ben, .sell, 1, at: 101) }),
        Row(refusal: .insufficientFunds, changes: noFunds),
    ]

private let cancelRows: [Row<Cancel>] = [
    Row(refusal: .malformed, spoil: { $0.cancelID = longText }),
    Row(refusal: .deadlinePassed, spoil: { $0.deadline = -1 }),
    Row(refusal: .accountUnknown, spoil: { $0.account = AccountID(99) }),
    Row(refusal: .instrumentUnknown, spoil: { $0.instrument = InstrumentID(99) }),
    Row(refusal: .orderUnknown, spoil: { $0.order = OrderID(77) }),
    Row(refusal: .cancelRestricted, spoil: { $0.restriction = .onlyPartiallyFilled }),
]

@Suite struct RefusalTests {
    /// A venue with what the rows ask for, and the command that they spoil.
    private func outcome<P>(
        of rows: [Row<P>], _ good: P, before: (Venue) -> Void, wrap: (P) -> Command
    ) -> Outcome {
        var limits = EngineLimits.small
        limits.openOrders = 4
        let venue = Venue(limits: limits)
        before(venue)
        // Backwards, so that filling the tables comes last.
        for row in rows.reversed() { row.orders(venue) }
        var own = limitsOfAnn
        for row in rows { row.changes(venue, &own) }
        if own != limitsOfAnn { venue.apply(.setAccountLimits(own)) }
        var payload = good
        // Backwards, so that of two rows with one field the first one's value stays.
        for row in rows.reversed() { row.spoil(&payload) }
        let command = wrap(payload)
        guard case .place(let order) = command else { return venue.apply(command) }
        let foreseen = venue.engine.refusal(of: order, at: venue.now)
        let outcome = venue.apply(command)
        #expect(outcome.refusal == foreseen, "an order's refusal is known before it is placed")
        return outcome
    }

    /// Each row by itself, and each two rows together.
    private func check<P>(
        _ rows: [Row<P>], _ good: P, before: (Venue) -> Void, wrap: (P) -> Command
    ) {
        let done = outcome(of: [], good, before: before, wrap: wrap)
        #expect(done.refusal == .none, "the command is taken when nothing is wrong with it")
        for (i, row) in rows.enumerated() {
            let alone = outcome(of: [row], good, before: before, wrap: wrap)
            #expect(alone == .refused(row.refusal))
            for later in rows[(i + 1)...] {
                let both = outcome(of: [row, later], good, before: before, wrap: wrap)
                #expect(
                    both == .refused(row.refusal),
                    "\(row.refusal) comes before \(later.refusal)")
            }
        }
    }

    @Test func `a new order is refused for the first reason in the order of the rules`() {
        check(
            placeRows, goodPlace,
            before: { $0.limit(Venue.ann, .buy, 1, at: 1, clOrdID: "same") },
            wrap: { .place($0) })
    }

    @Test func `asking what an order would be refused for counts nothing`() {
        let venue = Venue()
        var limits = limitsOfAnn
        limits.messagesPerSecondMax = 1
        venue.apply(.setAccountLimits(limits))
        let second: Int64 = 1_000_000_000
        for _ in 0..<3 {
            #expect(venue.engine.refusal(of: goodPlace, at: venue.now) == .none)
        }
        #expect(venue.apply(.place(goodPlace)).refusal == .none)
        #expect(venue.engine.refusal(of: goodPlace, at: 0) == .messageRate)
        #expect(venue.engine.refusal(of: goodPlace, at: venue.now + second) == .none)
    }

    @Test func `an amend is refused for the first reason in the order of the rules`() {
        var order = goodPlace
        order.displayQuantity.lots = 2
        order.type = .limitMaker
        check(amendRows, goodAmend, before: { $0.apply(.place(order)) }, wrap: { .amend($0) })
    }

    @Test func `a cancel is refused for the first reason in the order of the rules`() {
        var good = Cancel(
            account: Venue.ann, instrument: Venue.goldDollar, order: OrderID(1))
        check(cancelRows, good, before: { $0.apply(.place(goodPlace)) }, wrap: { .cancel($0) })
        // By the client's id as well.
        good = Cancel(
            account: Venue.ann, instrument: Venue.goldDollar, clOrdID: Text40("mine")!)
        var order = goodPlace
        order.clOrdID = Text40("mine")!
        check(cancelRows, good, before: { $0.apply(.place(order)) }, wrap: { .cancel($0) })
    }

    @Test func `a cancel-replace is refused for its form, its order, then its cancel`() {
        let venue = Venue()
        venue.limit(Venue.ann, .buy, 1, at: 1)
        let good = CancelReplace(
            stopOnFailure: true,
            cancel: Cancel(
                account: Venue.ann, instrument: Venue.goldDollar, order: OrderID(7)),
            place: goodPlace)
        let wrong: [(inout CancelReplace) -> Void] = [
            { $0.place.account = Venue.ben }, { $0.place.instrument = InstrumentID(2) },
            { $0.cancel.deadline = .max }, { $0.cancel.clOrdID = longText },
            { $0.cancel.cancelID = longText },
        ]
        for change in wrong {
            var c = good
            c.place.price.ticks = 0
            change(&c)
            #expect(venue.apply(.cancelReplace(c)) == .refused(.malformed))
            #expect(venue.events.isEmpty)
        }
        var c = good
        c.place.price.ticks = 0
        #expect(venue.apply(.cancelReplace(c)) == .refused(.priceInvalid))
        #expect(venue.events.count == 1)
        c.cancel.order = OrderID(1)
        #expect(venue.apply(.cancelReplace(c)) == .refused(.priceInvalid))
        #expect(venue.twin.open.count == 1, "the old order stands")
        c = good
        #expect(venue.apply(.cancelReplace(c)) == .refused(.cancelFailed))
        #expect(venue.events.isEmpty)
        c.stopOnFailure = false
        #expect(venue.apply(.cancelReplace(c)) == Outcome(id: 2))
        c.cancel.order = OrderID(1)
        c.cancel.restriction = .onlyPartiallyFilled
        c.stopOnFailure = true
        #expect(venue.apply(.cancelReplace(c)) == .refused(.cancelFailed))
        c.cancel.restriction = .onlyNew
        #expect(venue.apply(.cancelReplace(c)) == Outcome(id: 3))
        #expect(venue.twin.open.map(\.view.order.number) == [2, 3])
    }

    @Test func `a cancel-replace may use what the old order leaves`() {
        var limits = EngineLimits.small
        limits.openOrders = 1
        let venue = Venue(limits: limits)
        var own = limitsOfAnn
        own.openOrdersMax = 1
        own.messagesPerSecondMax = 2
        venue.apply(.setAccountLimits(own))
        var order = goodPlace
        order.price.ticks = 1_000
        order.clOrdID = Text40("mine")!
        #expect(venue.apply(.place(order)).refusal == .none)
        // All of ann's dollars, the only place and the only name.
        let c = CancelReplace(
            stopOnFailure: true,
            cancel: Cancel(
                account: Venue.ann, instrument: Venue.goldDollar, clOrdID: Text40("mine")!),
            place: order)
        #expect(venue.apply(.cancelReplace(c)) == Outcome(id: 2))
        // It counted as one message, so that the next is the third.
        #expect(venue.apply(.cancelReplace(c)) == .refused(.messageRate))
        #expect(venue.twin.open.count == 1)
    }

    @Test func `nothing overtakes stops that wait to run`() {
        var limits = EngineLimits.small
        limits.turnSteps = 1
        let venue = Venue(limits: limits)
        venue.limit(Venue.ann, .buy, 10, at: 20)
        venue.stop(Venue.cat, .buy, 1, from: 51, at: 51)
        venue.limit(Venue.ben, .sell, 1, at: 52)
        venue.limit(Venue.cat, .buy, 1, at: 52)
        #expect(venue.twin.hasElected(Venue.goldDollar))
        var place = goodPlace
        place.quoteQuantity.units = 5
        #expect(venue.apply(.place(place)) == .refused(.instrumentBusy))
        let amend = Amend(
            account: Venue.ann, instrument: Venue.goldDollar, order: OrderID(77))
        #expect(venue.apply(.amend(amend)) == .refused(.instrumentBusy))
        // A pause lets in what does not match, but no further stops.
        venue.state(.pause)
        #expect(venue.engine.nextTimer == nil)
        #expect(venue.apply(.place(place)) == .refused(.orderTypeInvalid))
        place = goodPlace
        place.type = .stopLossLimit
        #expect(venue.apply(.place(place)) == .refused(.instrumentBusy))
        venue.state(.halt)
        #expect(venue.apply(.place(place)) == .refused(.instrumentState))
        // A cancel needs no order of events among stops.
        let cancel = Cancel(
            account: Venue.cat, instrument: Venue.goldDollar, order: OrderID(2))
        #expect(venue.apply(.cancel(cancel)).refusal == .none)
        venue.state(.trading)
        #expect(venue.engine.nextTimer == nil, "no stop is left")
        #expect(venue.apply(.place(goodPlace)).refusal == .none)
    }

    @Test func `nothing overtakes an order in flight`() {
        var limits = EngineLimits.small
        limits.turnSteps = 1
        let venue = Venue(limits: limits)
        for _ in 0..<3 { venue.limit(Venue.ben, .sell, 1, at: 52) }
        let outcome = venue.apply(
            .place(
                Place(
                    account: Venue.cat, instrument: Venue.goldDollar, side: .buy, type: .limit,
                    price: Price(ticks: 52), quantity: Quantity(lots: 3))))
        #expect(outcome == Outcome(status: .partiallyFilled, id: 4))
        #expect(venue.engine.nextTimer == venue.now)
        let cancel = Cancel(
            account: Venue.cat, instrument: Venue.goldDollar, order: OrderID(77))
        #expect(venue.apply(.cancel(cancel)) == .refused(.instrumentBusy))
        #expect(venue.apply(.place(goodPlace)) == .refused(.instrumentBusy))
        let halt = SetInstrumentState(
            instrument: Venue.goldDollar, state: .halt, audit: Venue.audit)
        #expect(venue.apply(.setInstrumentState(halt)) == .refused(.instrumentBusy))
        let (instrument, audit) = (Venue.goldDollar, Venue.audit)
        let fees = FeeRate(e8: 5)
        let tier = SetAccountTier(account: Venue.cat, tier: 1, audit: audit)
        for command: Command in [
            .setInstrument(venue.terms), .setAccountTier(tier),
            .setReferencePrice(
                SetReferencePrice(instrument: instrument, price: Price(ticks: 50), audit: audit)),
            .setFees(SetFees(tier: 1, maker: fees, taker: fees, audit: audit)),
            .setFees(
                SetFees(tier: 1, instrument: instrument, maker: fees, taker: fees, audit: audit)),
        ] {
            let isBusy = unsafe command.payload.payloadBytes().withUnsafeBytes {
                unsafe venue.engine.isBusy(command.kind, payload: $0)
            }
            #expect(isBusy && venue.apply(command) == .refused(.instrumentBusy))
        }
        // Of the makers' accounts none is in flight.
        var other = tier
        other.account = Venue.ben
        #expect(venue.apply(.setAccountTier(other)).refusal == .none)
        var all = halt
        all.instrument = InstrumentID(0)
        #expect(venue.apply(.setInstrumentState(all)).refusal == .none)
        // A mass cancel of the makers waits for the flight.
        let outcomeOfAll = venue.apply(.massCancel(MassCancel(account: Venue.ben)))
        #expect(outcomeOfAll == Outcome(status: .canceled, id: 0))
        for _ in 0..<2 {
            #expect(venue.engine.instrument(Venue.goldDollar)?.state == .trading)
            venue.apply(.tick(Tick()))
        }
        #expect(venue.engine.instrument(Venue.goldDollar)?.state == .halt)
        #expect(venue.twin.open.isEmpty, "it was filled")
    }

    @Test func `a sweep of more prices than a turn may look at is refused, after the terms`() {
        var limits = EngineLimits.small
        limits.turnSteps = 1
        let venue = Venue(limits: limits)
        for price in 1...5 { venue.limit(Venue.ben, .sell, 1, at: 50 + Int64(price)) }
        func buy(_ lots: Int64, _ change: (inout Place) -> Void = { _ in }) -> Refusal {
            var place = Place(
                account: Venue.ann, instrument: Venue.goldDollar, side: .buy, type: .market,
                quantity: Quantity(lots: lots))
            change(&place)
            return venue.apply(.place(place)).refusal
        }
        #expect(buy(5) == .sweepLimit)
        #expect(buy(5) { $0.displayQuantity.lots = 1 } == .displayQuantityInvalid)
        // With prevention each own order is a look, and ann has none.
        #expect(buy(5) { $0.selfTradePrevention = .expireMaker } == .sweepLimit)
        #expect(
            buy(5) {
                $0.type = .limit
                $0.timeInForce = .fok
                $0.price.ticks = 60
            } == .sweepLimit)
        venue.change { $0.notionalMax.units = 1 }
        #expect(buy(5) == .sweepLimit)
        #expect(buy(4) == .notionalAboveMaximum)
        venue.change {
            $0.notionalMax.units = 0
            $0.quantityMax.lots = 3
        }
        #expect(
            buy(0) { $0.quoteQuantity.units = 100_000 } == .quantityInvalid,
            "four lots are known to be too many before the fifth look")
    }

    @Test func `a mass cancel is refused for its deadline, the account, then the instrument`() {
        let venue = Venue()
        var c = MassCancel(
            account: AccountID(99), instrument: InstrumentID(99), deadline: venue.now - 1)
        #expect(venue.apply(.massCancel(c)) == .refused(.deadlinePassed))
        c.deadline = venue.now
        #expect(venue.apply(.massCancel(c)) == .refused(.accountUnknown))
        c.account = AccountID(0)
        #expect(venue.apply(.massCancel(c)) == .refused(.instrumentUnknown))
        c.instrument = InstrumentID(0)
        #expect(venue.apply(.massCancel(c)).refusal == .none)
    }

    @Test func `two names of a cancel must be of one order`() {
        let venue = Venue()
        venue.limit(Venue.ann, .buy, 1, at: 1, clOrdID: "one")
        venue.limit(Venue.ann, .buy, 1, at: 1, clOrdID: "two")
        func cancel(_ order: UInt64, _ clOrdID: String) -> Refusal {
            venue.apply(
                .cancel(
                    Cancel(
                        account: Venue.ann, instrument: Venue.goldDollar, order: OrderID(order),
                        clOrdID: Text40(clOrdID)!))
            ).refusal
        }
        #expect(cancel(0, "") == .orderUnknown)
        #expect(cancel(1, "two") == .orderUnknown)
        #expect(cancel(2, "one") == .orderUnknown)
        #expect(cancel(2, "two") == .none)
        #expect(cancel(0, "one") == .none)
    }

    @Test func `sessions come before everything else`() {
        let venue = Venue()
        let opened = venue.apply(.openSession(OpenSession(name: Text40("gateway/1")!)))
        #expect(opened.id == 1)
        let tick = Command.tick(Tick())
        #expect(venue.apply(tick, session: 2, number: 1) == .refused(.sessionUnknown))
        #expect(venue.apply(nil, session: 2, number: 1) == .refused(.sessionUnknown))
        #expect(venue.apply(tick, session: 1, number: 2) == .refused(.sessionGap))
        #expect(venue.apply(nil, session: 1, number: 2) == .refused(.sessionGap))
        #expect(venue.apply(nil, session: 1, number: 1) == .refused(.malformed))
        // A refused command has used its number.
        #expect(venue.apply(nil, session: 1, number: 1) == .refused(.duplicateCommand))
        #expect(venue.apply(tick, session: 1, number: 0) == .refused(.duplicateCommand))
        #expect(venue.skip(Tick(), session: 1, number: 1) == .refused(.duplicateCommand))
        #expect(venue.skip(Tick(), session: 1, number: 2) == .refused(.voided))
        #expect(venue.apply(tick, session: 1, number: 3) == Outcome())
        // Its writer comes back: the old session is closed.
        #expect(venue.apply(.openSession(OpenSession(name: Text40("gateway/1")!))).id == 2)
        #expect(venue.apply(tick, session: 1, number: 4) == .refused(.sessionUnknown))
        #expect(venue.apply(tick, session: 2, number: 1) == Outcome())
    }
}
