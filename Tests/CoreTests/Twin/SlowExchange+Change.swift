// Amends, cancels, the clock.

import Engine
import Terms
import Wire

extension SlowExchange {
    func amend(_ c: Amend) -> Outcome {
        if c.clOrdID.count > Limits.clOrdIDBytesMax { return .refused(.malformed) }
        if let refusal = refusalToTrade(c.account, c.instrument) { return .refused(refusal) }
        if flaw == .amendIsNotCounted { accounts[Int(c.account.number) - 1].messages -= 1 }
        let i = instrument(c.instrument)
        if i.state == .auction || i.state == .halt || i.state == .closed {
            return .refused(.instrumentState)
        }
        guard let order = find(c.account, c.instrument, c.order, c.clOrdID) else {
            return .refused(.orderUnknown)
        }
        if order.place == .waiting || c.price.ticks < 0 || c.quantity.lots < 0 {
            return .refused(.amendInvalid)
        }
        let price = c.price == .none ? order.view.price : c.price
        let total = c.quantity == .zero ? order.view.quantity : c.quantity
        if let refusal = refusal(of: order, price, total, i) { return .refused(refusal) }

        let oldPrice = order.view.price
        let keepsPlace =
            price == oldPrice
            && (total < order.view.quantity || flaw == .amendUpKeepsPriority)
        let wanted = holdWanted(order, price, total, i)
        post(
            order.view.account, holdAsset(order.view.side, i),
            available: order.hold - wanted, held: wanted - order.hold)
        order.hold = wanted
        order.view.price = price
        order.view.quantity = total
        order.view.leavesQty.lots = total.lots - order.view.cumQty.lots
        order.view.updatedTime = timestamp
        events.append(.orderAmended(order.view, oldPrice: oldPrice))
        if keepsPlace {
            order.displayed = min(order.displayed, order.leaves)
            return Outcome(status: order.view.status, id: order.view.order.number)
        }
        return meetBook(order)
    }

    private func refusal(
        of order: SlowOrder, _ price: Price, _ total: Quantity, _ i: InstrumentView
    ) -> Refusal? {
        let v = order.view
        if price == v.price, total == v.quantity { return .amendInvalid }
        if total <= v.cumQty { return .amendInvalid }
        if price < i.priceMin || price > i.priceMax { return .priceInvalid }
        if total < i.quantityMin || total > i.quantityMax { return .quantityInvalid }
        let display = v.displayQuantity
        if display != .zero,
            total < display || parts(total.lots, display.lots) > Limits.icebergPartsMax
        {
            return .displayQuantityInvalid
        }
        let notional = product(
            Int128(price.ticks), Int128(total.lots), Int128(i.notionalUnit))
        if let refusal = refusalOfNotional(notional, i) { return refusal }
        if price != v.price, isOutsideBand(price, i) { return .priceBand }
        if isAbove(limits(of: account(v.account)!), total.lots, notional) {
            return .orderSizeLimit
        }
        let isPostOnly = v.type == .limitMaker || i.state == .preOpen || i.state == .pause
        if isPostOnly, crosses(price, v.side, i) { return .wouldTake }
        let available = balance(v.account, holdAsset(v.side, i)).available.units
        if holdWanted(order, price, total, i) - order.hold > available {
            return .insufficientFunds
        }
        return nil
    }

    private func holdWanted(
        _ order: SlowOrder, _ price: Price, _ total: Quantity, _ i: InstrumentView
    ) -> Int128 {
        let leaves = Int128(total.lots - order.view.cumQty.lots)
        return order.view.side == .buy
            ? product(Int128(price.ticks), leaves, Int128(i.notionalUnit))
            : leaves * Int128(i.lotUnits)
    }

    func cancel(_ c: Cancel, reason: EndReason) -> Outcome {
        if c.clOrdID.count > Limits.clOrdIDBytesMax { return .refused(.malformed) }
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if instrumentOrNil(c.instrument) == nil { return .refused(.instrumentUnknown) }
        guard let order = find(c.account, c.instrument, c.order, c.clOrdID) else {
            return .refused(.orderUnknown)
        }
        end(order, .canceled, reason)
        return Outcome(status: .canceled, id: order.view.order.number)
    }

    func cancelReplace(_ c: CancelReplace) -> Outcome {
        if c.cancel.account != c.place.account || c.cancel.instrument != c.place.instrument {
            return .refused(.malformed)
        }
        let outcome = cancel(c.cancel, reason: .replaced)
        if outcome.refusal != .none, c.stopOnFailure { return .refused(.cancelFailed) }
        return place(c.place)
    }

    func massCancel(_ c: MassCancel) -> Outcome {
        if c.account.number != 0, account(c.account) == nil { return .refused(.accountUnknown) }
        if c.instrument.number != 0, instrumentOrNil(c.instrument) == nil {
            return .refused(.instrumentUnknown)
        }
        let covered = open.filter {
            (c.account.number == 0 || $0.view.account == c.account)
                && (c.instrument.number == 0 || $0.view.instrument == c.instrument)
                && (c.side == nil || $0.view.side == c.side)
        }
        for order in covered { end(order, .canceled, .massCancel) }
        return Outcome(status: .canceled, id: UInt64(covered.count))
    }

    func tick() -> Outcome {
        let now = flaw == .expiresOneTickLate ? timestamp - 1 : timestamp
        let due = open.filter { $0.view.timeInForce == .gtd && $0.view.expireTime <= now }
        for order in due.sorted(by: {
            ($0.view.expireTime, $0.view.order) < ($1.view.expireTime, $1.view.order)
        }) {
            end(order, .expired, .expireTime)
        }
        for instrument in postponed { triggerStops(instrument) }
        return Outcome()
    }

    /// When the next GTD order is due.
    var nextTimer: Int64? {
        if postponed.contains(where: { instrument($0).state == .trading }) { return timestamp }
        return open.filter { $0.view.timeInForce == .gtd }.map(\.view.expireTime).min()
    }
}
