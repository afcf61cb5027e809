// Matching, trades, fees.

import Engine
import Terms
import Wire

extension SlowExchange {
    // MARK: The book, by scanning

    /// The resting orders of one side.
    func resting(_ instrument: InstrumentID, _ side: Side) -> [SlowOrder] {
        open.filter {
            $0.place == .resting && $0.view.instrument == instrument && $0.view.side == side
        }
    }

    /// The resting order that is next to trade.
    func front(_ instrument: InstrumentID, _ side: Side) -> SlowOrder? {
        resting(instrument, side).min { a, b in
            if a.view.price != b.view.price {
                return side == .buy ? a.view.price > b.view.price : a.view.price < b.view.price
            }
            return flaw == .newestFirst ? a.arrival > b.arrival : a.arrival < b.arrival
        }
    }

    func best(_ instrument: InstrumentID, _ side: Side) -> Price? {
        front(instrument, side)?.view.price
    }

    /// The prices of a side, the best first.
    func prices(_ instrument: InstrumentID, _ side: Side) -> [Price] {
        let all = Set(resting(instrument, side).map(\.view.price))
        return all.sorted { side == .buy ? $0 > $1 : $0 < $1 }
    }

    // MARK: Matching

    /// Lets an order that may match do so, then the stops that its trades have elected. The outcome
    /// reports the order after its own matching.
    func meetBook(_ order: SlowOrder, _ reach: SlowReach?) -> Outcome {
        let id = order.view.instrument
        if instrument(id).state == .trading { match(order, reach) } else { rest(order) }
        let outcome = Outcome(status: order.view.status, id: order.view.order.number)
        runElected(id)
        return outcome
    }

    /// Starts to match `taker`; `reach` is what a fill-or-kill order was found to reach.
    func match(_ taker: SlowOrder, _ reach: SlowReach?) {
        let v = taker.view
        taker.place = .matching
        taker.bound = bound(v.type, v.side, v.price, instrument(v.instrument))
        if v.timeInForce == .fok, v.type.hasPrice, let reach,
            reach.isCut || reach.lots < Int128(taker.leaves)
        {
            return end(taker, .expired, .fillOrKill)
        }
        goOn(taker)
    }

    /// Matches `taker` to its end, until it rests, or until it takes off.
    func goOn(_ taker: SlowOrder) {
        let v = taker.view
        while taker.isByQuote ? taker.rest > 0 : taker.leaves > 0 {
            if flaw == .boundMoves {
                taker.bound = bound(v.type, v.side, v.price, instrument(v.instrument))
            }
            guard let maker = front(v.instrument, v.side.opposite),
                isWithin(maker.view.price, v.side, taker.bound)
            else { break }
            if isTurnOver {
                if taker.isByQuote { taker.view.quantity = taker.view.cumQty }
                if !flights.contains(where: { $0 === taker }) { flights.append(taker) }
                return
            }
            let isFlight = flights.contains { $0 === taker }
            if !(flaw == .flightTakesNoStep && isFlight) { steps += 1 }
            if v.selfTradePrevention != .none, maker.view.account == v.account {
                preventSelfTrade(taker, maker)
            } else {
                trade(taker, maker)
            }
            if !taker.view.status.isOpen { return }
        }
        finish(taker)
    }

    private func preventSelfTrade(_ taker: SlowOrder, _ maker: SlowOrder) {
        switch taker.view.selfTradePrevention {
        case .none, .instrumentDefault: preconditionFailure("the mode was resolved")
        case .expireTaker: end(taker, .expiredInMatch, .selfTrade)
        case .expireMaker: end(maker, .expiredInMatch, .selfTrade)
        case .expireBoth:
            end(maker, .expiredInMatch, .selfTrade)
            end(taker, .expiredInMatch, .selfTrade)
        case .decrement: decrement(taker, maker)
        }
    }

    private func decrement(_ taker: SlowOrder, _ maker: SlowOrder) {
        let i = instrument(taker.view.instrument)
        let perLot = product(Int128(maker.view.price.ticks), Int128(i.notionalUnit), 1)
        let n: Int64
        if taker.isByQuote {
            n = Int64(min(Int128(maker.leaves), taker.rest / perLot))
            if n == 0 { return endByQuote(taker, couldNotPay: true) }
        } else {
            n = min(maker.leaves, taker.leaves)
        }
        shrink(maker, n)
        if maker.leaves == 0 {
            end(maker, .expiredInMatch, .selfTrade)
        } else {
            maker.displayed = min(maker.displayed, maker.leaves)
            events.append(.orderAmended(maker.view, oldPrice: maker.view.price))
        }
        if taker.isByQuote {
            // What it may still trade shrinks by what those lots are worth, and its hold with it.
            let worth = Int128(n) * perLot
            taker.rest -= worth
            taker.view.updatedTime = timestamp
            let ofSell = min(Int128(n) * Int128(i.lotUnits), taker.hold)
            return release(taker, taker.view.side == .buy ? worth : ofSell)
        }
        shrink(taker, n)
        if taker.leaves == 0 {
            end(taker, .expiredInMatch, .selfTrade)
        } else {
            events.append(.orderAmended(taker.view, oldPrice: taker.view.price))
        }
    }

    /// Takes `n` lots from an order by quantity, with what is held for them.
    private func shrink(_ order: SlowOrder, _ n: Int64) {
        let i = instrument(order.view.instrument)
        if flaw == .decrementChangesQuantity {
            order.view.quantity.lots -= n
        } else {
            order.view.preventedQuantity.lots += n
        }
        order.view.leavesQty.lots -= n
        order.view.updatedTime = timestamp
        let isMarketBuy = !order.view.type.hasPrice && order.view.side == .buy
        if flaw == .decrementForgetsHold || isMarketBuy { return }
        let perLot =
            order.view.side == .buy
            ? Int128(order.view.price.ticks) * Int128(i.notionalUnit) : Int128(i.lotUnits)
        release(order, Int128(n) * perLot)
    }

    // MARK: Trades

    private func trade(_ taker: SlowOrder, _ maker: SlowOrder) {
        let i = instrument(taker.view.instrument)
        let perLot = Int128(maker.view.price.ticks) * Int128(i.notionalUnit)
        var most = Int128(maker.displayed)
        if taker.isByQuote {
            most = min(most, taker.rest / perLot)
            if taker.view.side == .sell {
                most = min(most, taker.hold / Int128(i.lotUnits))
            }
        } else {
            most = min(most, Int128(taker.leaves))
        }
        if taker.view.side == .buy, !taker.view.type.hasPrice {
            most = min(most, taker.hold / perLot)
        }
        guard most > 0 else {
            if taker.isByQuote { return endByQuote(taker, couldNotPay: taker.rest < perLot) }
            return end(taker, .expired, .liquidity)
        }
        settle(taker, maker, lots: Int64(most), i)
    }

    private func settle(
        _ taker: SlowOrder, _ maker: SlowOrder, lots n: Int64, _ i: InstrumentView
    ) {
        let price = maker.view.price
        let cost = Int128(price.ticks) * Int128(n) * Int128(i.notionalUnit)
        let base = Int128(n) * Int128(i.lotUnits)
        let (buyer, seller) = taker.view.side == .buy ? (taker, maker) : (maker, taker)

        // The buyer pays from its hold; a limit order held at its own price gets the rest back.
        var used = cost
        if buyer.view.type.hasPrice {
            used = Int128(buyer.view.price.ticks) * Int128(n) * Int128(i.notionalUnit)
        }
        if flaw == .improvementKept { used = cost }
        buyer.hold -= used
        post(buyer.view.account, i.quote, available: used - cost, held: -used)
        seller.hold -= base
        post(seller.view.account, i.base, held: -base)

        let buyerFee = charge(buyer, isMaker: buyer === maker, base, i.base)
        let sellerFee = charge(seller, isMaker: seller === maker, cost, i.quote)
        post(buyer.view.account, i.base, available: base - buyerFee)
        post(seller.view.account, i.quote, available: cost - sellerFee)

        for order in [maker, taker] {
            order.view.cumQty.lots += n
            order.view.cumQuote.units += cost
            order.view.updatedTime = timestamp
            if order.isByQuote {
                order.rest -= cost
            } else {
                order.view.leavesQty.lots -= n
            }
            let isFilled = !order.isByQuote && order.leaves == 0
            order.view.status = isFilled ? .filled : .partiallyFilled
        }
        maker.displayed -= n
        let index = Int(i.id.number) - 1
        instruments[index].lastTrade = TradeID(i.lastTrade.number + 1)
        instruments[index].lastPrice = price
        if flaw != .rebaseOutlivesTrade { instruments[index].rebasedPrice = .none }

        func fill(_ order: SlowOrder) -> Fill {
            let isBuyer = order === buyer
            return Fill(
                order: order.view.order, account: order.view.account,
                fee: Amount(units: isBuyer ? buyerFee : sellerFee),
                feeAsset: isBuyer ? i.base : i.quote, cumQty: order.view.cumQty,
                leavesQty: order.view.leavesQty, cumQuote: order.view.cumQuote,
                status: order.view.status)
        }
        events.append(
            .trade(
                Trade(
                    id: instruments[index].lastTrade, instrument: i.id,
                    takerSide: taker.view.side, price: price, quantity: Quantity(lots: n),
                    quoteAmount: Amount(units: cost), maker: fill(maker), taker: fill(taker))))
        if flaw != .lastElectsAlone { elect(i.id, price) }
        if maker.view.status == .filled { leave(maker) } else { replenish(maker) }
        if taker.view.status == .filled {
            leave(taker)
            land(taker)
        }
    }

    /// Takes the fee on `amount` that `order` receives into the house; gives what is charged.
    private func charge(
        _ order: SlowOrder, isMaker: Bool, _ amount: Int128, _ asset: AssetID
    ) -> Int128 {
        let pair = feesOf(order.view.account, order.view.instrument)
        let rate = Int128((isMaker ? pair.maker : pair.taker).e8)
        let before = flaw == .feeOfEachTrade ? SlowFee() : order.fee
        let after = before.plus(amount, rate)
        let toFees = after.down - before.down
        var charged = after.up - before.up
        if flaw == .feeRoundedDown, rate > 0 { charged = toFees }
        let index = Int(asset.number) - 1
        let fees = houses[index].fees.units + toFees
        // A rebate is paid from what there is, or not at all.
        if rate < 0, fees < 0, flaw != .rebateOfNothing { return 0 }
        houses[index].fees.units = fees
        houses[index].rounding.units += charged - toFees
        order.fee = after
        return charged
    }

    private func replenish(_ maker: SlowOrder) {
        guard maker.displayed == 0 else { return }
        maker.displayed = min(maker.view.displayQuantity.lots, maker.leaves)
        if flaw != .icebergKeepsPlace { queueLast(maker) }
        events.append(
            .orderReplenished(
                OrderReplenished(
                    order: maker.view.order, instrument: maker.view.instrument,
                    side: maker.view.side, price: maker.view.price,
                    displayed: Quantity(lots: maker.displayed))))
    }
}
