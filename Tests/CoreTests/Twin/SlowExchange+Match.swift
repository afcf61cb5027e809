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

    /// Open quantity by price, the best first, with what is hidden.
    func levels(_ instrument: InstrumentID, _ side: Side) -> [(price: Price, lots: Int128)] {
        var sums: [Price: Int128] = [:]
        for order in resting(instrument, side) {
            sums[order.view.price, default: 0] += Int128(order.leaves)
        }
        let prices = sums.keys.sorted { side == .buy ? $0 > $1 : $0 < $1 }
        return prices.map { ($0, sums[$0]!) }
    }

    // MARK: Matching

    /// Lets an order that may match do so, then the triggers that its trades have reached. The
    /// outcome tells of the order after its own matching.
    func meetBook(_ order: SlowOrder) -> Outcome {
        if instrument(order.view.instrument).state == .trading { match(order) } else { rest(order) }
        let outcome = Outcome(status: order.view.status, id: order.view.order.number)
        triggerStops(order.view.instrument)
        return outcome
    }

    /// How an order meets the book.
    private struct Reach {
        /// Market, or a triggered stop market.
        var isMarket: Bool
        /// The instrument when matching started: its last price is what the band is measured from.
        var start: InstrumentView
    }

    /// Matches `taker` to its end, or until it rests.
    func match(_ taker: SlowOrder) {
        let v = taker.view
        let terms = Reach(isMarket: !v.type.hasPrice, start: instrument(v.instrument))
        taker.place = .matching
        if v.timeInForce == .fok, v.type.hasPrice, fillable(taker, terms) < Int128(taker.leaves) {
            return end(taker, .expired, .fillOrKill)
        }
        while taker.isByQuote ? taker.rest > 0 : taker.leaves > 0 {
            guard let maker = front(v.instrument, v.side.opposite),
                reaches(taker, maker.view.price, terms)
            else { break }
            if steps >= Self.stepsMax { return end(taker, .expired, .liquidity) }
            steps += 1
            if v.selfTradePrevention != .none, maker.view.account == v.account {
                preventSelfTrade(taker, maker)
            } else {
                trade(taker, maker)
            }
            if !taker.view.status.isOpen { return }
        }
        finish(taker)
    }

    private func reaches(_ taker: SlowOrder, _ price: Price, _ terms: Reach) -> Bool {
        switch (taker.view.side, terms.isMarket) {
        case (.buy, false): price <= taker.view.price
        case (.sell, false): price >= taker.view.price
        case (.buy, true): !isAboveBand(price, terms.start)
        case (.sell, true): !isBelowBand(price, terms.start)
        }
    }

    /// The open quantity that a fill-or-kill order may count on.
    private func fillable(_ taker: SlowOrder, _ terms: Reach) -> Int128 {
        let opposite = taker.view.side.opposite
        let mode = flaw == .fillOrKillSeesOwnOrders ? .none : taker.view.selfTradePrevention
        var lots: Int128 = 0
        let all = resting(taker.view.instrument, opposite)
        for level in levels(taker.view.instrument, opposite) {
            if !reaches(taker, level.price, terms) { break }
            if mode == .none {
                lots += level.lots
                continue
            }
            let here = all.filter { $0.view.price == level.price }
            let others = here.filter { $0.view.account != taker.view.account }
            if others.count < here.count, mode != .expireMaker { break }
            lots += others.reduce(0) { $0 + Int128($1.leaves) }
        }
        return lots
    }

    private func preventSelfTrade(_ taker: SlowOrder, _ maker: SlowOrder) {
        switch taker.view.selfTradePrevention {
        case .none: break
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
            return release(
                taker, taker.view.side == .buy ? worth : Int128(n) * Int128(i.lotUnits))
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
        order.view.quantity.lots -= n
        order.view.leavesQty.lots -= n
        order.view.updatedTime = timestamp
        if flaw == .decrementForgetsHold || !order.view.type.hasPrice { return }
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
            if taker.view.side == .sell, flaw != .quoteSellIgnoresHold {
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

    private func settle(_ taker: SlowOrder, _ maker: SlowOrder, lots n: Int64, _ i: InstrumentView)
    {
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
        if maker.view.status == .filled { leave(maker) } else { replenish(maker) }
        if taker.view.status == .filled { leave(taker) }
    }

    /// Takes the fee on `amount` that `order` receives into the house; gives what is charged.
    private func charge(
        _ order: SlowOrder, isMaker: Bool, _ amount: Int128, _ asset: AssetID
    ) -> Int128 {
        let pair = feesOf(order.view.account, order.view.instrument)
        let rate = Int128((isMaker ? pair.maker : pair.taker).e8)
        // amount × rate may be wider than 128 bits, so the hundred-millions go by themselves.
        let scale: Int128 = 100_000_000
        let whole = amount / scale * rate
        let part = amount % scale * rate
        let down = whole + (part >= 0 ? part / scale : -((-part + scale - 1) / scale))
        let up = whole + (part >= 0 ? (part + scale - 1) / scale : -(-part / scale))
        var charged = up
        if flaw == .feeRoundedDown, rate > 0 { charged = down }
        if flaw == .rebateRoundedUp, rate < 0 { charged = down }
        if houses[Int(asset.number) - 1].fees.units + down < -Limits.amountUnitsMax { return 0 }
        houses[Int(asset.number) - 1].fees.units += down
        houses[Int(asset.number) - 1].rounding.units += charged - down
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
