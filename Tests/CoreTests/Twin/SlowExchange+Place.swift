// New orders: what refuses them, what is held for them.

import Engine
import Terms
import Wire

/// What the checks of a new order found.
struct SlowCheck {
    var refusal: Refusal?
    /// What a market or fill-or-kill order reaches.
    var reach: SlowReach?
}

extension SlowExchange {
    /// `isCounted`: the message was counted already, by the first look of a cancel-replace.
    func place(_ command: Place, isCounted: Bool) -> Outcome {
        let p = resolved(command)
        let check = check(p, isCounted: isCounted, gone: nil)
        if let refusal = check.refusal { return refuse(p, refusal) }
        let order = accept(p, check.reach)
        if p.type.isTriggered {
            order.place = .waiting
            return Outcome(status: .new, id: order.view.order.number)
        }
        return meetBook(order, check.reach)
    }

    /// With the instrument's own prevention mode where none is named.
    func resolved(_ command: Place) -> Place {
        var p = command
        if p.selfTradePrevention == .instrumentDefault, let i = instrumentOrNil(p.instrument) {
            p.selfTradePrevention = i.selfTradePrevention
        }
        return p
    }

    func refuse(_ p: Place, _ refusal: Refusal) -> Outcome {
        var view = view(p, order: 0, .rejected)
        view.leavesQty = .zero
        view.isWorking = false
        view.workingTime = 0
        events.append(.orderRefused(OrderRefused(order: view, refusal: refusal)))
        return .refused(refusal)
    }

    private func view(_ p: Place, order: UInt64, _ status: OrderStatus) -> OrderView {
        OrderView(
            order: OrderID(order), account: p.account, instrument: p.instrument, side: p.side,
            type: p.type, timeInForce: p.timeInForce, selfTradePrevention: p.selfTradePrevention,
            status: status, isWorking: !p.type.isTriggered, price: p.price,
            stopPrice: p.stopPrice, quantity: p.quantity, cumQty: .zero, leavesQty: p.quantity,
            displayQuantity: p.displayQuantity, quoteQuantity: p.quoteQuantity, cumQuote: .zero,
            expireTime: p.expireTime, createdTime: timestamp, updatedTime: timestamp,
            workingTime: p.type.isTriggered ? 0 : timestamp, clOrdID: p.clOrdID,
            strategyID: p.strategyID, strategyType: p.strategyType)
    }

    private func accept(_ p: Place, _ reach: SlowReach?) -> SlowOrder {
        lastOrder += 1
        let order = SlowOrder(view(p, order: lastOrder, .new))
        order.hold = holdWanted(p, reach)
        open.append(order)
        let asset = holdAsset(p.side, instrument(p.instrument))
        post(p.account, asset, available: -order.hold, held: order.hold)
        events.append(.orderAccepted(order.view))
        return order
    }

    // MARK: Refusals, in order

    /// All that refuses a new order; `gone` is an order that counts as cancelled already.
    func check(_ p: Place, isCounted: Bool, gone: SlowOrder?) -> SlowCheck {
        if p.clOrdID.count > Limits.clOrdIDBytesMax { return SlowCheck(refusal: .malformed) }
        if isPast(p.deadline) { return SlowCheck(refusal: .deadlinePassed) }
        if let refusal = refusalToTrade(p.account, p.instrument, isCounted: isCounted) {
            return SlowCheck(refusal: refusal)
        }
        let i = instrument(p.instrument)
        if !stateTakes(p, i.state) { return SlowCheck(refusal: .instrumentState) }
        if isBusy(p.instrument) || (p.type.isTriggered && hasElected(p.instrument)) {
            return SlowCheck(refusal: .instrumentBusy)
        }
        if !isTypeValid(p) { return SlowCheck(refusal: .orderTypeInvalid) }
        var reach: SlowReach?
        if p.type == .market || (p.type == .limit && p.timeInForce == .fok) {
            reach = self.reach(need(p, i))
        }
        if let refusal = refusalOfTerms(p, i, reach) { return SlowCheck(refusal: refusal) }
        if let reach, reach.isCut { return SlowCheck(refusal: .sweepLimit) }
        let refusal =
            refusalOfLimits(p, i, reach, gone: gone) ?? refusalOfBook(p, i, reach, gone: gone)
        return SlowCheck(refusal: refusal, reach: reach)
    }

    /// A flight, or elections that wait while the instrument trades.
    func isBusy(_ id: InstrumentID) -> Bool {
        hasFlight(id) || (hasElected(id) && instrument(id).state == .trading)
    }

    private func need(_ p: Place, _ i: InstrumentView) -> SlowNeed {
        let isByQuote = p.quoteQuantity.units != 0
        return SlowNeed(
            account: p.account, instrument: p.instrument, side: p.side,
            mode: p.selfTradePrevention, isFillOrKill: p.timeInForce == .fok,
            bound: bound(p.type, p.side, p.price, i), lots: Int128(p.quantity.lots),
            quote: isByQuote ? p.quoteQuantity.units : nil,
            lotsMax: isByQuote ? Int128(i.quantityMax.lots) : .max)
    }

    /// What stands before new orders and amends alike.
    func refusalToTrade(
        _ account: AccountID, _ instrument: InstrumentID, isCounted: Bool
    ) -> Refusal? {
        if isKilled { return .venueKilled }
        guard let a = self.account(account) else { return .accountUnknown }
        if a.view.isKilled { return .accountKilled }
        if instrumentOrNil(instrument) == nil { return .instrumentUnknown }
        if isCounted, flaw != .replaceIsCountedTwice { return nil }
        return countMessage(account) ? nil : .messageRate
    }

    func countMessage(_ id: AccountID) -> Bool {
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

    private func refusalOfTerms(
        _ p: Place, _ i: InstrumentView, _ reach: SlowReach?
    ) -> Refusal? {
        if p.type.hasPrice, p.price < i.priceMin || p.price > i.priceMax { return .priceInvalid }
        if p.quoteQuantity.units != 0 {
            if p.quoteQuantity.units < 1 || p.quoteQuantity.units > Limits.amountUnitsMax {
                return .quantityInvalid
            }
            if let reach, reach.lots > Int128(i.quantityMax.lots) { return .quantityInvalid }
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

    private func refusalOfLimits(
        _ p: Place, _ i: InstrumentView, _ reach: SlowReach?, gone: SlowOrder?
    ) -> Refusal? {
        let notional = notionalLookedAt(p, i, reach)
        if let notional, let refusal = refusalOfNotional(notional, i) { return refusal }
        if p.type.hasPrice, isOutsideBand(p.price, i) { return .priceBand }
        var lots = Int128(p.quantity.lots)
        if p.quoteQuantity.units != 0, flaw != .quoteIgnoresLotLimit { lots = reach?.lots ?? 0 }
        if isAbove(p.account, p.instrument, lots, notional) { return .orderSizeLimit }
        let most = limits(of: account(p.account)!)
        let mayStay =
            p.type != .market
            && !(p.type == .limit && (p.timeInForce == .ioc || p.timeInForce == .fok))
        let others = open.filter { $0 !== gone }
        let own = others.filter { $0.view.account == p.account }
        if mayStay, most.openOrders > 0, own.count >= Int(most.openOrders) {
            return .openOrdersLimit
        }
        if others.count >= Int(limits.openOrders) { return .capacity }
        if !p.clOrdID.isEmpty, own.contains(where: { $0.view.clOrdID == p.clOrdID }) {
            return .clOrdIDDuplicate
        }
        return nil
    }

    private func refusalOfBook(
        _ p: Place, _ i: InstrumentView, _ reach: SlowReach?, gone: SlowOrder?
    ) -> Refusal? {
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
        let asset = holdAsset(p.side, i)
        var available = balance(p.account, asset).available.units
        if let gone, holdAsset(gone.view.side, i) == asset { available += gone.hold }
        return holdWanted(p, reach) > available ? .insufficientFunds : nil
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

    func isAbove(
        _ account: AccountID, _ instrument: InstrumentID, _ lots: Int128, _ notional: Int128?
    ) -> Bool {
        guard let row = orderLimits(account, instrument) else { return false }
        if row.orderQuantityMax != .zero, lots > Int128(row.orderQuantityMax.lots) { return true }
        guard let notional, row.orderNotionalMax != .zero else { return false }
        return notional > row.orderNotionalMax.units
    }

    /// What the band is measured from.
    func reference(_ i: InstrumentView) -> Price? {
        if i.rebasedPrice != .none { return i.rebasedPrice }
        if i.lastPrice != .none { return i.lastPrice }
        return i.referencePrice != .none ? i.referencePrice : nil
    }

    func isOutsideBand(_ price: Price, _ i: InstrumentView) -> Bool {
        guard let ref = reference(i) else { return false }
        let million = Int128(price.ticks) * 1_000_000
        if i.bandUp > 0 {
            let most = Int128(ref.ticks) * (1_000_000 + Int128(i.bandUp))
            if flaw == .bandIsExclusive ? million >= most : million > most { return true }
        }
        return i.bandDown > 0 && million < Int128(ref.ticks) * (1_000_000 - Int128(i.bandDown))
    }

    /// Whether a limit price reaches the best resting order of the other side.
    func crosses(_ price: Price, _ side: Side, _ i: InstrumentView) -> Bool {
        guard let best = best(i.id, side.opposite) else { return false }
        return isWithin(best, side, price)
    }

    // MARK: Notional and hold

    private func notionalLookedAt(
        _ p: Place, _ i: InstrumentView, _ reach: SlowReach?
    ) -> Int128? {
        func times(_ price: Price, _ lots: Int128) -> Int128 {
            product(Int128(price.ticks), lots, Int128(i.notionalUnit))
        }
        let lots = Int128(p.quantity.lots)
        if p.type.hasPrice { return times(p.price, lots) }
        if p.type.isTriggered { return times(p.stopPrice, lots) }
        if p.quoteQuantity.units != 0 { return p.quoteQuantity.units }
        if let reach, let last = reach.lastPrice {
            return sum(reach.cost, times(last, reach.missing))
        }
        return reference(i).map { times($0, lots) }
    }

    private func holdWanted(_ p: Place, _ reach: SlowReach?) -> Int128 {
        let i = instrument(p.instrument)
        let lots = Int128(p.quantity.lots)
        let isByQuote = p.quoteQuantity.units != 0
        switch p.side {
        case .sell: return product(isByQuote ? reach!.lots : lots, Int128(i.lotUnits), 1)
        case .buy:
            if isByQuote { return p.quoteQuantity.units }
            if p.type.hasPrice {
                return product(Int128(p.price.ticks), lots, Int128(i.notionalUnit))
            }
            if p.type.isTriggered {
                return product(Int128(p.stopPrice.ticks), lots, Int128(i.notionalUnit))
            }
            return reach!.cost
        }
    }
}
