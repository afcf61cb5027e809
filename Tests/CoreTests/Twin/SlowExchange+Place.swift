// New orders: what refuses them, what is held for them.

import Engine
import Terms
import Wire

extension SlowExchange {
    func place(_ p: Place) -> Outcome {
        if let refusal = refusal(of: p) {
            events.append(
                .orderRefused(
                    OrderRefused(
                        account: p.account, instrument: p.instrument, clOrdID: p.clOrdID,
                        refusal: refusal)))
            return .refused(refusal)
        }
        let order = accept(p)
        if p.type.isTriggered {
            order.place = .waiting
            return Outcome(status: .new, id: order.view.order.number)
        }
        return meetBook(order)
    }

    private func accept(_ p: Place) -> SlowOrder {
        lastOrder += 1
        let order = SlowOrder(
            OrderView(
                order: OrderID(lastOrder), account: p.account, instrument: p.instrument,
                side: p.side, type: p.type, timeInForce: p.timeInForce,
                selfTradePrevention: p.selfTradePrevention, status: .new,
                isWorking: !p.type.isTriggered, price: p.price, stopPrice: p.stopPrice,
                quantity: p.quantity, cumQty: .zero, leavesQty: p.quantity,
                displayQuantity: p.displayQuantity, quoteQuantity: p.quoteQuantity,
                cumQuote: .zero, expireTime: p.expireTime, createdTime: timestamp,
                updatedTime: timestamp, clOrdID: p.clOrdID))
        order.hold = holdWanted(p)
        open.append(order)
        let asset = holdAsset(p.side, instrument(p.instrument))
        post(p.account, asset, available: -order.hold, held: order.hold)
        events.append(.orderAccepted(order.view))
        return order
    }

    // MARK: Refusals, in order

    private func refusal(of p: Place) -> Refusal? {
        if p.clOrdID.count > Limits.clOrdIDBytesMax { return .malformed }
        if let refusal = refusalToTrade(p.account, p.instrument) { return refusal }
        let i = instrument(p.instrument)
        if !stateTakes(p, i.state) { return .instrumentState }
        return refusalOfTerms(p, i) ?? refusalOfLimits(p, i) ?? refusalOfBook(p, i)
    }

    /// What stands before new orders and amends alike.
    func refusalToTrade(_ account: AccountID, _ instrument: InstrumentID) -> Refusal? {
        if isKilled { return .venueKilled }
        guard let a = self.account(account) else { return .accountUnknown }
        if a.view.isKilled { return .accountKilled }
        if instrumentOrNil(instrument) == nil { return .instrumentUnknown }
        return countMessage(account) ? nil : .messageRate
    }

    private func countMessage(_ id: AccountID) -> Bool {
        let index = Int(id.number) - 1
        let second = timestamp / 1_000_000_000
        if accounts[index].second != second {
            accounts[index].second = second
            accounts[index].messages = 0
        }
        let most = limits(of: accounts[index]).messagesPerSecond
        let isRefused = most > 0 && accounts[index].messages >= most
        if !isRefused { accounts[index].messages += 1 }
        return !isRefused
    }

    private func stateTakes(_ p: Place, _ state: InstrumentState) -> Bool {
        switch state {
        case .trading: true
        case .preOpen, .pause:
            p.type.isTriggered || p.type == .limitMaker
                || (p.type == .limit && (p.timeInForce == .gtc || p.timeInForce == .gtd))
        case .auction, .halt, .closed: false
        }
    }

    private func refusalOfTerms(_ p: Place, _ i: InstrumentView) -> Refusal? {
        if !isTypeValid(p) { return .orderTypeInvalid }
        if p.type.hasPrice, p.price < i.priceMin || p.price > i.priceMax { return .priceInvalid }
        if p.quoteQuantity.units != 0 {
            if p.quoteQuantity.units < 1 || p.quoteQuantity.units > Limits.amountUnitsMax {
                return .quantityInvalid
            }
        } else if p.quantity < i.quantityMin || p.quantity > i.quantityMax {
            return .quantityInvalid
        }
        if p.displayQuantity.lots != 0 {
            let display = p.displayQuantity.lots
            if display < 0 || display > p.quantity.lots || !p.type.hasPrice
                || p.timeInForce == .ioc || p.timeInForce == .fok
                || parts(p.quantity.lots, display) > Limits.icebergPartsMax
            {
                return .displayQuantityInvalid
            }
        }
        if p.type.isTriggered, p.stopPrice < i.priceMin || p.stopPrice > i.priceMax {
            return .stopPriceInvalid
        }
        if p.timeInForce == .gtd, p.expireTime <= timestamp { return .expireTimeInvalid }
        return nil
    }

    private func isTypeValid(_ p: Place) -> Bool {
        if !p.type.hasPrice, p.price.ticks != 0 { return false }
        if !p.type.isTriggered, p.stopPrice.ticks != 0 { return false }
        if p.type != .market, p.quoteQuantity.units != 0 { return false }
        if p.timeInForce != .gtd, p.expireTime != 0 { return false }
        switch p.type {
        case .market:
            if (p.quantity.lots != 0) == (p.quoteQuantity.units != 0) { return false }
            return p.timeInForce == .gtc || p.timeInForce == .ioc
        case .limitMaker: return p.timeInForce != .ioc && p.timeInForce != .fok
        case .stopLoss, .takeProfit: return p.timeInForce == .gtc
        case .limit, .stopLossLimit, .takeProfitLimit: return true
        }
    }

    private func refusalOfLimits(_ p: Place, _ i: InstrumentView) -> Refusal? {
        let notional = notionalLookedAt(p, i)
        if let notional, let refusal = refusalOfNotional(notional, i) { return refusal }
        if p.type.hasPrice, isOutsideBand(p.price, i) { return .priceBand }
        let most = limits(of: account(p.account)!)
        if isAbove(most, p.quantity.lots, notional) { return .orderSizeLimit }
        let mayStay =
            p.type != .market
            && !(p.type == .limit && (p.timeInForce == .ioc || p.timeInForce == .fok))
        if mayStay, most.openOrders > 0, openOrders(of: p.account) >= Int(most.openOrders) {
            return .openOrdersLimit
        }
        if open.count >= Int(limits.openOrders) { return .capacity }
        if !p.clOrdID.isEmpty,
            open.contains(where: {
                $0.view.account == p.account && $0.view.clOrdID == p.clOrdID
            })
        {
            return .clOrdIDDuplicate
        }
        return nil
    }

    private func refusalOfBook(_ p: Place, _ i: InstrumentView) -> Refusal? {
        if p.type.isTriggered, i.lastPrice != .none {
            let isUp = triggersUp(p.side, p.type)
            if isUp ? i.lastPrice >= p.stopPrice : i.lastPrice <= p.stopPrice {
                return .triggersImmediately
            }
        }
        let isPostOnly =
            p.type == .limitMaker
            || (p.type == .limit && (i.state == .preOpen || i.state == .pause))
        if isPostOnly, crosses(p.price, p.side, i) { return .wouldTake }
        let available = balance(p.account, holdAsset(p.side, i)).available.units
        return holdWanted(p) > available ? .insufficientFunds : nil
    }

    // MARK: Parts shared with amends

    /// Number of slices of an iceberg order.
    func parts(_ quantity: Int64, _ display: Int64) -> Int64 {
        quantity / display + (quantity % display == 0 ? 0 : 1)
    }

    func refusalOfNotional(_ notional: Int128, _ i: InstrumentView) -> Refusal? {
        if notional < i.notionalMin.units { return .notionalBelowMinimum }
        if i.notionalMax.units > 0, notional > i.notionalMax.units { return .notionalAboveMaximum }
        return nil
    }

    func isAbove(_ most: SlowLimits, _ quantity: Int64, _ notional: Int128?) -> Bool {
        if most.orderQuantity > 0, quantity > most.orderQuantity { return true }
        if let notional, most.orderNotional > 0, notional > most.orderNotional { return true }
        return false
    }

    /// What the band is measured from.
    func reference(_ i: InstrumentView) -> Price? {
        if i.lastPrice != .none { return i.lastPrice }
        return i.referencePrice != .none ? i.referencePrice : nil
    }

    func isAboveBand(_ price: Price, _ i: InstrumentView) -> Bool {
        guard let ref = reference(i), i.bandUp > 0 else { return false }
        let left = Int128(price.ticks) * 1_000_000
        let right = Int128(ref.ticks) * (1_000_000 + Int128(i.bandUp))
        return flaw == .bandIsExclusive ? left >= right : left > right
    }

    func isBelowBand(_ price: Price, _ i: InstrumentView) -> Bool {
        guard let ref = reference(i), i.bandDown > 0 else { return false }
        let left = Int128(price.ticks) * 1_000_000
        let right = Int128(ref.ticks) * (1_000_000 - Int128(i.bandDown))
        return left < right
    }

    func isOutsideBand(_ price: Price, _ i: InstrumentView) -> Bool {
        isAboveBand(price, i) || isBelowBand(price, i)
    }

    /// Whether a limit price reaches the best resting order of the other side.
    func crosses(_ price: Price, _ side: Side, _ i: InstrumentView) -> Bool {
        guard let best = best(i.id, side.opposite) else { return false }
        return side == .buy ? best <= price : best >= price
    }

    // MARK: Notional and hold

    private func notionalLookedAt(_ p: Place, _ i: InstrumentView) -> Int128? {
        func times(_ price: Price) -> Int128 {
            product(Int128(price.ticks), Int128(p.quantity.lots), Int128(i.notionalUnit))
        }
        if p.type.hasPrice { return times(p.price) }
        if p.type.isTriggered { return times(p.stopPrice) }
        if p.quoteQuantity.units != 0 { return p.quoteQuantity.units }
        return reference(i).map(times)
    }

    private func holdWanted(_ p: Place) -> Int128 {
        let i = instrument(p.instrument)
        let lots = Int128(p.quantity.lots)
        let isByQuote = p.quoteQuantity.units != 0
        switch p.side {
        case .sell:
            let wanted = isByQuote ? lotsForQuote(p.quoteQuantity.units, i) : lots
            return product(wanted, Int128(i.lotUnits), 1)
        case .buy:
            if isByQuote { return p.quoteQuantity.units }
            if p.type.hasPrice {
                return product(Int128(p.price.ticks), lots, Int128(i.notionalUnit))
            }
            if p.type.isTriggered {
                return product(Int128(p.stopPrice.ticks), lots, Int128(i.notionalUnit))
            }
            return sweepCost(p.quantity.lots, i)
        }
    }

    /// What buying `quantity` in the book costs, or as much of it as there is.
    func sweepCost(_ quantity: Int64, _ i: InstrumentView) -> Int128 {
        var lots = Int128(quantity)
        var cost: Int128 = 0
        for level in levels(i.id, .sell) where !isAboveBand(level.price, i) {
            let taken = min(lots, level.lots)
            cost = sum(cost, product(Int128(level.price.ticks), taken, Int128(i.notionalUnit)))
            lots -= taken
        }
        return cost
    }

    /// The lots whose sale in the book gives `amount`, or as near as there is.
    private func lotsForQuote(_ amount: Int128, _ i: InstrumentView) -> Int128 {
        var rest = amount
        var lots: Int128 = 0
        for level in levels(i.id, .buy) where !isBelowBand(level.price, i) {
            let perLot = product(Int128(level.price.ticks), Int128(i.notionalUnit), 1)
            let taken = min(rest / perLot, level.lots)
            lots += taken
            rest -= taken * perLot
            if taken < level.lots { break }
        }
        return lots
    }
}
