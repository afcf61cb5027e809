// Amends, cancels, the clock.

import Engine
import Terms
import Wire

extension SlowExchange {
    // MARK: Amend

    func amend(_ c: Amend) -> Outcome {
        if c.clOrdID.count > Limits.clOrdIDBytesMax || c.newClOrdID.count > Limits.clOrdIDBytesMax {
            return .refused(.malformed)
        }
        if isPast(c.deadline) { return .refused(.deadlinePassed) }
        if let refusal = refusalToTrade(c.account, c.instrument, isCounted: false) {
            return .refused(refusal)
        }
        if flaw == .amendIsNotCounted { accounts[Int(c.account.number) - 1].messages -= 1 }
        let i = instrument(c.instrument)
        if i.state == .auction || i.state == .halt || i.state == .closed {
            return .refused(.instrumentState)
        }
        if isBusy(c.instrument) { return .refused(.instrumentBusy) }
        guard let order = find(c.account, c.instrument, c.order, c.clOrdID) else {
            return .refused(.orderUnknown)
        }
        if order.place == .waiting || c.price.ticks < 0 || c.quantity.lots < 0 {
            return .refused(.amendInvalid)
        }
        let price = c.price == .none ? order.view.price : c.price
        let total = c.quantity == .zero ? order.view.quantity : c.quantity
        if let refusal = refusal(
            of: order, price, total, c.newClOrdID, i,
            keepsPriority: c.keepsPriority && flaw != .priorityNotKept)
        {
            return .refused(refusal)
        }

        let oldPrice = order.view.price
        let keepsPlace =
            price == oldPrice
            && (total <= order.view.quantity || flaw == .amendUpKeepsPriority)
        let wanted = holdWanted(order, price, total, i)
        post(
            order.view.account, holdAsset(order.view.side, i),
            available: order.hold - wanted, held: wanted - order.hold)
        order.hold = wanted
        order.view.price = price
        order.view.quantity = total
        order.view.leavesQty.lots = leaves(order, total)
        order.view.updatedTime = timestamp
        if !c.newClOrdID.isEmpty { order.view.clOrdID = c.newClOrdID }
        events.append(.orderAmended(order.view, oldPrice: oldPrice))
        if keepsPlace {
            order.displayed = min(order.displayed, order.leaves)
            return Outcome(status: order.view.status, id: order.view.order.number)
        }
        return meetBook(order, nil)
    }

    private func refusal(
        of order: SlowOrder, _ price: Price, _ total: Quantity, _ newClOrdID: Text40,
        _ i: InstrumentView, keepsPriority: Bool
    ) -> Refusal? {
        let v = order.view
        let isSameID = newClOrdID.isEmpty || newClOrdID == v.clOrdID
        if price == v.price, total == v.quantity, isSameID { return .amendInvalid }
        if leaves(order, total) <= 0 { return .amendInvalid }
        if keepsPriority {
            if total == v.quantity { return .amendInvalid }
            if total > v.quantity || price != v.price { return .priorityLost }
        }
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
        if isAbove(v.account, v.instrument, Int128(total.lots), notional) {
            return .orderSizeLimit
        }
        let isTaken = open.contains {
            $0 !== order && $0.view.account == v.account && $0.view.clOrdID == newClOrdID
        }
        if !newClOrdID.isEmpty, isTaken { return .clOrdIDDuplicate }
        let isPostOnly = v.type == .limitMaker || i.state == .preOpen || i.state == .pause
        if isPostOnly, crosses(price, v.side, i) { return .wouldTake }
        let available = balance(v.account, holdAsset(v.side, i)).available.units
        if holdWanted(order, price, total, i) - order.hold > available {
            return .insufficientFunds
        }
        return nil
    }

    /// What would be open of `order` if `total` were its quantity.
    private func leaves(_ order: SlowOrder, _ total: Quantity) -> Int64 {
        total.lots - order.view.cumQty.lots - order.view.preventedQuantity.lots
    }

    private func holdWanted(
        _ order: SlowOrder, _ price: Price, _ total: Quantity, _ i: InstrumentView
    ) -> Int128 {
        let leaves = Int128(leaves(order, total))
        return order.view.side == .buy
            ? product(Int128(price.ticks), leaves, Int128(i.notionalUnit))
            : leaves * Int128(i.lotUnits)
    }

    // MARK: Cancel

    func cancel(_ c: Cancel) -> Outcome {
        if let refusal = refusal(of: c) { return .refused(refusal) }
        let order = find(c.account, c.instrument, c.order, c.clOrdID)!
        end(order, .canceled, .request)
        return Outcome(status: .canceled, id: order.view.order.number)
    }

    private func hasLongText(_ c: Cancel) -> Bool {
        c.clOrdID.count > Limits.clOrdIDBytesMax || c.cancelID.count > Limits.clOrdIDBytesMax
    }

    private func refusal(of c: Cancel) -> Refusal? {
        if hasLongText(c) { return .malformed }
        if isPast(c.deadline) { return .deadlinePassed }
        if account(c.account) == nil { return .accountUnknown }
        if instrumentOrNil(c.instrument) == nil { return .instrumentUnknown }
        if hasFlight(c.instrument), flaw != .cancelOvertakesFlight { return .instrumentBusy }
        guard let order = find(c.account, c.instrument, c.order, c.clOrdID) else {
            return .orderUnknown
        }
        let hasTraded = order.view.cumQty != .zero
        switch c.restriction {
        case .none: return nil
        case .onlyNew: return hasTraded && flaw != .restrictionIgnored ? .cancelRestricted : nil
        case .onlyPartiallyFilled: return hasTraded ? nil : .cancelRestricted
        }
    }

    func cancelReplace(_ c: CancelReplace) -> Outcome {
        if c.cancel.account != c.place.account || c.cancel.instrument != c.place.instrument
            || c.cancel.deadline != 0 || hasLongText(c.cancel)
        {
            return .refused(.malformed)
        }
        let p = resolved(c.place)
        let isDone = refusal(of: c.cancel) == nil
        let order =
            isDone
            ? find(c.cancel.account, c.cancel.instrument, c.cancel.order, c.cancel.clOrdID) : nil
        if let refusal = check(p, isCounted: false, gone: order).refusal {
            return refuse(p, refusal)
        }
        if let order {
            end(order, .canceled, .replaced)
        } else if c.stopOnFailure {
            return .refused(.cancelFailed)
        }
        return place(p, isCounted: true)
    }

    func massCancel(_ c: MassCancel) -> Outcome {
        if isPast(c.deadline) { return .refused(.deadlinePassed) }
        if c.account.number != 0, account(c.account) == nil { return .refused(.accountUnknown) }
        if c.instrument.number != 0, instrumentOrNil(c.instrument) == nil {
            return .refused(.instrumentUnknown)
        }
        if massCancels.count >= 64 { return .refused(.instrumentBusy) }
        let ended = start(
            SlowMassCancel(
                account: c.account, instrument: c.instrument, side: c.side, reason: .massCancel,
                lastOrder: lastOrder))
        return Outcome(status: .canceled, id: UInt64(ended))
    }

    /// Does what a turn may do of a mass cancel, nothing where a flight or an earlier one waits;
    /// gives how many orders ended.
    private func start(_ work: SlowMassCancel) -> Int {
        guard let first = accountsWithOrders(of: work).first else { return 0 }
        var work = work
        work.at = first
        let before = open.count
        let mustWait = !flights.isEmpty || !kills.isEmpty || !massCancels.isEmpty
        let isDone = mustWait && flaw != .massCancelOvertakes ? false : goOn(&work)
        if !isDone { massCancels.append(work) }
        return before - open.count
    }

    /// Does what a turn may do of a kill switch; one of the same account that waits starts anew and
    /// covers what came since.
    func kill(_ account: AccountID) {
        var work = SlowMassCancel(
            account: account, instrument: InstrumentID(0), side: nil, reason: .killSwitch,
            lastOrder: lastOrder)
        guard let first = accountsWithOrders(of: work).first else { return }
        work.at = first
        if let known = kills.firstIndex(where: { $0.account == account }) {
            if flaw != .killIsNotRaised { kills[known] = work }
        } else {
            kills.append(work)
        }
        if flights.isEmpty, kills.count == 1 { goOnWithKills() }
    }

    private func goOnWithKills() {
        while !kills.isEmpty {
            var work = kills[0]
            let isDone = goOn(&work)
            if !isDone {
                kills[0] = work
                return
            }
            kills.removeFirst()
        }
    }

    /// Whether a kill switch is still to end an order.
    func isKilled(_ order: SlowOrder) -> Bool {
        kills.contains {
            ($0.account.number == 0 || $0.account == order.view.account)
                && order.view.order.number <= $0.lastOrder
        }
    }

    /// Whose orders a mass cancel is about, of those who have any.
    private func accountsWithOrders(of work: SlowMassCancel) -> [UInt32] {
        let all = Set(open.map(\.view.account.number)).sorted()
        return work.account.number == 0 ? all : all.filter { $0 == work.account.number }
    }

    /// True when it is done.
    private func goOn(_ work: inout SlowMassCancel) -> Bool {
        while true {
            lookAtOrders(&work)
            // To be through with an account is a step of its own.
            if isTurnOver { return false }
            if flaw != .massCancelPassesAccounts { steps += 1 }
            guard let next = accountsWithOrders(of: work).first(where: { $0 > work.at }) else {
                return true
            }
            (work.at, work.looked) = (next, 0)
        }
    }

    /// Looks at the orders of one account.
    private func lookAtOrders(_ work: inout SlowMassCancel) {
        for order in open where order.view.account.number == work.at {
            let id = order.view.order.number
            if id <= work.looked { continue }
            if id > work.lastOrder, flaw != .massCancelTouchesLater { continue }
            if isTurnOver { return }
            steps += 1
            work.looked = id
            if work.instrument.number != 0, order.view.instrument != work.instrument { continue }
            if let side = work.side, order.view.side != side { continue }
            if flaw == .killSparesStops, work.reason == .killSwitch, order.place == .waiting {
                continue
            }
            end(order, .canceled, work.reason)
        }
    }

    // MARK: Clock

    func tick() -> Outcome {
        for order in flights where !isTurnOver { goOn(order) }
        if flights.isEmpty { goOnWithKills() }
        while !isTurnOver, kills.isEmpty, !massCancels.isEmpty {
            var work = massCancels.removeFirst()
            if !goOn(&work) { massCancels.insert(work, at: 0) }
        }
        for id in electing where !isTurnOver && instrument(id).state == .trading {
            runElected(id)
            if hasElected(id) {
                electing.removeAll { $0 == id }
                electing.append(id)
            }
        }
        let now = flaw == .expiresOneTickLate ? timestamp - 1 : timestamp
        let due = open.filter { $0.view.timeInForce == .gtd && $0.view.expireTime <= now }
        for order in due.sorted(by: {
            ($0.view.expireTime, $0.view.order) < ($1.view.expireTime, $1.view.order)
        }) where !isTurnOver {
            steps += 1
            end(order, .expired, .expireTime)
        }
        expireProposals()
        return Outcome()
    }

    /// Whether something goes on by ticks.
    var isWorkLeft: Bool {
        !flights.isEmpty || !kills.isEmpty || !massCancels.isEmpty
            || electing.contains { instrument($0).state == .trading }
    }

    /// When the next tick is due.
    var nextTimer: Int64? {
        if isWorkLeft { return timestamp }
        let orders = open.filter { $0.view.timeInForce == .gtd }.map(\.view.expireTime)
        return (orders + proposals.map { $0.proposal.deadline + 1 }).min()
    }
}
