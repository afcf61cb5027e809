// The ends of orders, their rest in the book, and triggers.

import Engine
import Terms

extension SlowExchange {
    // MARK: Ends

    /// What becomes of an order that matched all it could.
    func finish(_ taker: SlowOrder) {
        if taker.isByQuote { return endByQuote(taker, couldNotPay: false) }
        if !taker.view.type.hasPrice { return end(taker, .expired, .liquidity) }
        if taker.view.timeInForce == .ioc { return end(taker, .expired, .immediateOrCancel) }
        rest(taker)
    }

    func endByQuote(_ taker: SlowOrder, couldNotPay: Bool) {
        let hasTraded = taker.view.cumQty.lots > 0
        let isFilled = hasTraded && (taker.rest == 0 || couldNotPay)
        end(taker, isFilled ? .filled : .expired, .liquidity)
    }

    /// Puts an order at the end of its level.
    func rest(_ order: SlowOrder) {
        order.place = .resting
        let slice = order.view.displayQuantity.lots
        order.displayed = slice > 0 ? min(slice, order.leaves) : order.leaves
        queueLast(order)
    }

    func queueLast(_ order: SlowOrder) {
        arrivals += 1
        order.arrival = arrivals
    }

    /// Ends an order that is not filled (or by quote).
    func end(_ order: SlowOrder, _ status: OrderStatus, _ reason: EndReason) {
        order.view.status = status
        order.view.leavesQty = .zero
        order.view.updatedTime = timestamp
        if order.isByQuote { order.view.quantity = order.view.cumQty }
        leave(order)
        events.append(.orderEnded(order.view, reason))
    }

    /// Takes an order out, with what is left of its hold.
    func leave(_ order: SlowOrder) {
        if !(flaw == .holdKeptAfterCancel && order.view.status == .canceled) {
            release(order, order.hold)
        }
        open.removeAll { $0 === order }
    }

    // MARK: Triggers

    /// Whether a triggered order waits for the price to rise.
    func triggersUp(_ side: Side, _ type: OrderType) -> Bool {
        let isStop = type == .stopLoss || type == .stopLossLimit
        return isStop == (side == .buy)
    }

    /// Triggers the instrument's stops, one by one, until none is due.
    func triggerStops(_ id: InstrumentID) {
        guard instrument(id).state == .trading else { return }
        postponed.removeAll { $0 == id }
        while let order = dueStop(id) {
            if steps >= Self.stepsMax { return postponed.append(id) }
            steps += 1
            order.view.isWorking = true
            order.view.updatedTime = timestamp
            order.place = .matching
            events.append(.orderTriggered(order.view))
            if !order.view.type.hasPrice, order.view.side == .buy {
                let i = instrument(id)
                let missing = sweepCost(order.leaves, i) - order.hold
                let grown = min(balance(order.view.account, i.quote).available.units, missing)
                if grown > 0 {
                    order.hold += grown
                    post(order.view.account, i.quote, available: -grown, held: grown)
                }
            }
            match(order)
        }
    }

    private func dueStop(_ id: InstrumentID) -> SlowOrder? {
        let last = instrument(id).lastPrice
        if last == .none { return nil }
        let waiting = open.filter { $0.place == .waiting && $0.view.instrument == id }
        let up = waiting.filter {
            triggersUp($0.view.side, $0.view.type) && $0.view.stopPrice <= last
        }
        let down = waiting.filter {
            !triggersUp($0.view.side, $0.view.type) && $0.view.stopPrice >= last
        }
        if flaw == .stopsInOrderOfID { return up.first ?? down.first }
        // `open` is in the order of acceptance, and min and max by price alone would not keep it.
        return up.min { ($0.view.stopPrice, $0.view.order) < ($1.view.stopPrice, $1.view.order) }
            ?? down.min { ($1.view.stopPrice, $0.view.order) < ($0.view.stopPrice, $1.view.order) }
    }
}
