// The ends of orders, their rest in the book, and stops.

import Engine
import Terms

extension SlowExchange {
    // MARK: Ends

    /// What becomes of an order that matched all it could.
    func finish(_ taker: SlowOrder) {
        if taker.isByQuote { return endByQuote(taker, couldNotPay: false) }
        if !taker.view.type.hasPrice { return end(taker, .expired, .liquidity) }
        switch taker.view.timeInForce {
        case .ioc: end(taker, .expired, .immediateOrCancel)
        // Never with anything traded: what it reaches was counted, and nothing overtakes it.
        case .fok: end(taker, .expired, .fillOrKill)
        case .gtc, .gtd: rest(taker)
        }
    }

    func endByQuote(_ taker: SlowOrder, couldNotPay: Bool) {
        let hasTraded = taker.view.cumQty.lots > 0
        let isFilled = hasTraded && (taker.rest == 0 || couldNotPay)
        end(taker, isFilled ? .filled : .expired, .liquidity)
    }

    /// Puts an order at the end of its level.
    func rest(_ order: SlowOrder) {
        order.place = .resting
        order.view.updatedTime = timestamp
        let slice = order.view.displayQuantity.lots
        order.displayed = slice > 0 ? min(slice, order.leaves) : order.leaves
        queueLast(order)
        land(order)
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
        land(order)
    }

    /// Takes an order out, with what is left of its hold.
    func leave(_ order: SlowOrder) {
        if !(flaw == .holdKeptAfterCancel && order.view.status == .canceled) {
            release(order, order.hold)
        }
        open.removeAll { $0 === order }
        unelect(order)
    }

    /// Where `order` was in flight it is so no more, and the instrument takes the state that waited
    /// for that.
    func land(_ order: SlowOrder) {
        guard flights.contains(where: { $0 === order }) else { return }
        flights.removeAll { $0 === order }
        let id = order.view.instrument
        guard let state = statesToCome.removeValue(forKey: id) else { return }
        change(id, to: state)
    }

    // MARK: Stops

    /// Whether a triggered order waits for the price to rise.
    func triggersUp(_ side: Side, _ type: OrderType) -> Bool {
        let isStop = type == .stopLoss || type == .stopLossLimit
        return isStop == (side == .buy)
    }

    /// Elects the stops that a trade at `price` reaches.
    func elect(_ id: InstrumentID, _ price: Price) {
        let before = elected[id] ?? []
        let waiting = open.filter { order in
            order.place == .waiting && order.view.instrument == id
                && !before.contains { $0 === order }
        }
        let up = waiting.filter {
            triggersUp($0.view.side, $0.view.type) && $0.view.stopPrice <= price
        }
        let down = waiting.filter {
            !triggersUp($0.view.side, $0.view.type) && $0.view.stopPrice >= price
        }
        var reached =
            up.sorted { ($0.view.stopPrice, $0.view.order) < ($1.view.stopPrice, $1.view.order) }
            + down.sorted {
                ($1.view.stopPrice, $0.view.order) < ($0.view.stopPrice, $1.view.order)
            }
        if flaw == .stopsInOrderOfID { reached.sort { $0.view.order < $1.view.order } }
        if reached.isEmpty { return }
        elected[id] = before + reached
        if !electing.contains(id) { electing.append(id) }
    }

    private func unelect(_ order: SlowOrder) {
        let id = order.view.instrument
        guard var list = elected[id] else { return }
        list.removeAll { $0 === order }
        elected[id] = list.isEmpty ? nil : list
        if list.isEmpty { electing.removeAll { $0 == id } }
    }

    /// Runs an instrument's elected stops while it trades and there are steps.
    func runElected(_ id: InstrumentID) {
        if flaw == .lastElectsAlone, instrument(id).lastPrice != .none {
            elect(id, instrument(id).lastPrice)
        }
        while instrument(id).state == .trading, !hasFlight(id), !isTurnOver,
            let order = elected[id]?.first
        {
            steps += 1
            unelect(order)
            if isKilled(order), flaw != .killedStopFires {
                end(order, .canceled, .killSwitch)
            } else {
                run(order)
            }
            if flaw == .lastElectsAlone { elect(id, instrument(id).lastPrice) }
        }
    }

    private func run(_ order: SlowOrder) {
        order.view.isWorking = true
        order.view.updatedTime = timestamp
        order.view.workingTime = timestamp
        order.place = .matching
        events.append(.orderTriggered(order.view))
        let v = order.view
        let i = instrument(v.instrument)
        let need = SlowNeed(
            account: v.account, instrument: v.instrument, side: v.side,
            mode: v.selfTradePrevention, isFillOrKill: v.timeInForce == .fok,
            bound: bound(v.type, v.side, v.price, i), lots: Int128(order.leaves))
        var found: SlowReach?
        if v.type.hasPrice, v.timeInForce == .fok {
            found = reach(need)
        } else if !v.type.hasPrice, v.side == .buy {
            found = reach(need)
            grow(order, to: found!.cost, i)
        }
        // Four looks are a step.
        if let found { steps += (found.looks + 3) / 4 }
        match(order, found)
    }

    /// Holds more for a buy, as far as there is more.
    private func grow(_ order: SlowOrder, to cost: Int128, _ i: InstrumentView) {
        let available = balance(order.view.account, i.quote).available.units
        let grown = min(available, cost - order.hold)
        guard grown > 0 else { return }
        order.hold += grown
        post(order.view.account, i.quote, available: -grown, held: grown)
    }
}
