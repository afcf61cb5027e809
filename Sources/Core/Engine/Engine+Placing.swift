// New orders: the checks in their order of precedence, the hold, acceptance.

internal import Slabs
public import Terms
public import Wire

extension Engine {
    /// Why `order` would be refused if it were the next command, at `time` (ns since 1970; the
    /// engine's own time where that is later), or `.none`. The same checks as those of placing, and
    /// nothing changes: the order is not counted as a message.
    public borrowing func refusal(of order: Place, at time: Int64) -> Refusal {
        let time = max(time, timestamp)
        let gate = checkGate(
            order.account, order.instrument, clOrdID: order.clOrdID, second: time / 1_000_000_000)
        if gate != .none { return gate }
        var hold: Int128 = 0
        return check(order, at: time, &hold)
    }

    /// A new order.
    mutating func place(_ c: Place) -> Outcome {
        var hold: Int128 = 0
        var refusal = passGate(c.account, c.instrument, clOrdID: c.clOrdID)
        if refusal == .none { refusal = check(c, at: timestamp, &hold) }
        if refusal != .none {
            events.append(
                .orderRefused(
                    OrderRefused(
                        account: c.account, instrument: c.instrument, clOrdID: c.clOrdID,
                        refusal: refusal)))
            return .refused(refusal)
        }
        ledger.hold(c.account.number, heldAsset(c.side, c.instrument.number), hold)
        lastOrder += 1
        var (hot, cold) = slots(c, id: lastOrder)
        tell(
            1, hot, cold, .new, leaves: hot.leaves, quoteQuantity: c.quoteQuantity.units
        ) { .orderAccepted($0) }
        if c.type.isTriggered {
            _ = rest(hot, cold)
            return Outcome(status: .new, id: lastOrder)
        }
        let id = lastOrder
        if rests(c), !crosses(c.instrument.number, c.side, c.price.ticks) {
            hot.shown = hot.slice(of: hot.leaves)
            _ = rest(hot, cold)
            runTriggers(c.instrument.number)
            return Outcome(status: .new, id: id)
        }
        var incoming = incoming(hot, cold, hold: hold, quoteQuantity: c.quoteQuantity.units)
        match(&incoming)
        let status = conclude(&incoming)
        runTriggers(c.instrument.number)
        return Outcome(status: status, id: id)
    }

    /// Whether what is left of an order stays in the book.
    @inline(__always) private func rests(_ c: Place) -> Bool {
        let isLimit = c.type == .limit || c.type == .limitMaker
        return isLimit && (c.timeInForce == .gtc || c.timeInForce == .gtd)
    }

    private func slots(_ c: Place, id: UInt64) -> (HotOrder, ColdOrder) {
        let hot = HotOrder(
            id: id, price: c.price.ticks, leaves: c.quantity.lots, shown: c.quantity.lots,
            display: c.displayQuantity.lots, quantity: c.quantity.lots, account: c.account.number,
            instrument: c.instrument.number, side: c.side, type: c.type,
            timeInForce: c.timeInForce, selfTradePrevention: c.selfTradePrevention,
            isWorking: !c.type.isTriggered)
        let cold = ColdOrder(
            stopPrice: c.stopPrice.ticks, expireTime: c.expireTime,
            createdTime: timestamp, updatedTime: timestamp, clOrdID: c.clOrdID,
            account: c.account.number)
        return (hot, cold)
    }

    /// An order ready to match: how far it may go and what it may spend.
    func incoming(
        _ hot: HotOrder, _ cold: ColdOrder, hold: Int128, quoteQuantity: Int128 = 0
    ) -> Incoming {
        if hot.type.hasPrice {
            return Incoming(
                hot: hot, cold: cold, kind: .limit, bound: hot.price,
                cumQty: hot.quantity - hot.leaves)
        }
        let bound = marketBound(hot.instrument, hot.side)
        if quoteQuantity == 0 {
            return Incoming(
                hot: hot, cold: cold, kind: .market, bound: bound, funds: hold,
                cumQty: hot.quantity - hot.leaves)
        }
        let lotUnits = Int128(instruments[Int(hot.instrument)].lotUnits)
        let lots = hot.side == .sell ? Int64(hold / lotUnits) : 0
        return Incoming(
            hot: hot, cold: cold, kind: .quote, bound: bound, funds: quoteQuantity,
            lotsHeld: lots, quoteQuantity: quoteQuantity)
    }

    /// What prices are measured from: the last trade's, else the reference; 0 is none.
    @inline(__always) func reference(_ instrument: Int) -> Int64 {
        let last = instruments[instrument].lastPrice.ticks
        return last != 0 ? last : instruments[instrument].referencePrice.ticks
    }

    /// The worst price that a market order may take: the band's edge, inside it.
    func marketBound(_ instrument: UInt16, _ side: Side) -> Int64 {
        let i = Int(instrument)
        let reference = Int128(reference(i))
        if side == .buy {
            let up = instruments[i].bandUp
            if reference == 0 || up == 0 { return .max }
            return Int64(clamping: reference * Int128(1_000_000 + up) / 1_000_000)
        }
        let down = instruments[i].bandDown
        if reference == 0 || down == 0 { return 0 }
        return Int64(clamping: (reference * Int128(1_000_000 - down) + 999_999) / 1_000_000)
    }

    /// Whether a price is outside the static band.
    @inline(__always) func isOutsideBand(_ i: Int, _ price: Int64) -> Bool {
        let (up, down) = (instruments[i].bandUp, instruments[i].bandDown)
        if up == 0 && down == 0 { return false }
        let reference = Int128(reference(i))
        if reference == 0 { return false }
        let scaled = Int128(price) * 1_000_000
        return up > 0 && scaled > reference * Int128(1_000_000 + up)
            || down > 0 && scaled < reference * Int128(1_000_000 - down)
    }

    /// The refusals behind the gate in their order, and the hold where there is none.
    @inline(__always)
    private func check(_ c: Place, at time: Int64, _ hold: inout Int128) -> Refusal {
        let i = Int(c.instrument.number)
        if !takes(c, instruments[i].state) { return .instrumentState }
        let terms = checkTerms(c, i, at: time)
        if terms != .none { return terms }
        var notional: Int128 = -1
        let size = checkNotional(c, i, &notional)
        if size != .none { return size }
        if c.type.hasPrice, isOutsideBand(i, c.price.ticks) { return .priceBand }
        let account = checkAccount(c, notional)
        if account != .none { return account }
        return checkBook(c, i, notional, &hold)
    }

    /// Kill switches, names and the message rate, and counts the message that comes through: the
    /// same for new orders and changes.
    @inline(__always)
    mutating func passGate(
        _ account: AccountID, _ instrument: InstrumentID, clOrdID: Text40
    ) -> Refusal {
        let refusal = checkNames(account, instrument, clOrdID: clOrdID)
        if refusal != .none { return refusal }
        let most = accounts.slots[accounts.limits(account.number)].messagesPerSecondMax
        return accounts.slots[account.number].countMessage(at: second, most: most)
            ? .none : .messageRate
    }

    /// What `passGate` would say in that second, without counting.
    private func checkGate(
        _ account: AccountID, _ instrument: InstrumentID, clOrdID: Text40, second: Int64
    ) -> Refusal {
        let refusal = checkNames(account, instrument, clOrdID: clOrdID)
        if refusal != .none { return refusal }
        let most = accounts.slots[accounts.limits(account.number)].messagesPerSecondMax
        var slot = accounts.slots[account.number]
        return slot.countMessage(at: second, most: most) ? .none : .messageRate
    }

    /// Kill switches and names.
    @inline(__always)
    private func checkNames(
        _ account: AccountID, _ instrument: InstrumentID, clOrdID: Text40
    ) -> Refusal {
        // Up to 36 of the text's 40 bytes.
        if clOrdID.w4 >> 32 != 0 { return .malformed }
        if isKilled { return .venueKilled }
        if !hasAccount(account) { return .accountUnknown }
        if accounts.slots[account.number].isKilled { return .accountKilled }
        if instrument.number == 0 || instrument.number > instrumentsUsed {
            return .instrumentUnknown
        }
        return .none
    }

    /// Whether a state takes such an order.
    private func takes(_ c: Place, _ state: InstrumentState) -> Bool {
        switch state {
        case .trading: true
        case .preOpen, .pause:
            switch c.type {
            case .limit: c.timeInForce == .gtc || c.timeInForce == .gtd
            case .market: false
            case .limitMaker, .stopLoss, .stopLossLimit, .takeProfit, .takeProfitLimit: true
            }
        case .auction, .halt, .closed: false
        }
    }

    private func isTypeInvalid(_ c: Place) -> Bool {
        let tif = c.timeInForce
        if !c.type.hasPrice, c.price.ticks != 0 { return true }
        if !c.type.isTriggered, c.stopPrice.ticks != 0 { return true }
        if c.expireTime != 0, tif != .gtd { return true }
        switch c.type {
        case .market:
            let isByQuote = c.quoteQuantity.units != 0
            return isByQuote == (c.quantity.lots != 0) || tif == .fok || tif == .gtd
        case .limitMaker: return c.quoteQuantity.units != 0 || tif == .ioc || tif == .fok
        case .stopLoss, .takeProfit: return c.quoteQuantity.units != 0 || tif != .gtc
        case .limit, .stopLossLimit, .takeProfitLimit: return c.quoteQuantity.units != 0
        }
    }

    @inline(__always)
    private func checkTerms(_ c: Place, _ i: Int, at time: Int64) -> Refusal {
        if isTypeInvalid(c) { return .orderTypeInvalid }
        let (low, high) = (instruments[i].priceMin, instruments[i].priceMax)
        if c.type.hasPrice, c.price < low || c.price > high { return .priceInvalid }
        if c.quoteQuantity.units != 0 {
            if c.quoteQuantity.units < 1 || c.quoteQuantity.units > Limits.amountUnitsMax {
                return .quantityInvalid
            }
        } else if c.quantity < instruments[i].quantityMin
            || c.quantity > instruments[i].quantityMax
        {
            return .quantityInvalid
        }
        if c.displayQuantity.lots != 0, isDisplayInvalid(c) { return .displayQuantityInvalid }
        if c.type.isTriggered, c.stopPrice < low || c.stopPrice > high {
            return .stopPriceInvalid
        }
        if c.timeInForce == .gtd, c.expireTime <= time { return .expireTimeInvalid }
        return .none
    }

    private func isDisplayInvalid(_ c: Place) -> Bool {
        let isResting = c.timeInForce == .gtc || c.timeInForce == .gtd
        if !c.type.hasPrice || !isResting { return true }
        return !Self.isDisplay(c.displayQuantity.lots, of: c.quantity.lots)
    }

    /// Whether an iceberg of this size may show slices of this size.
    static func isDisplay(_ display: Int64, of quantity: Int64) -> Bool {
        if display < 0 || display > quantity { return false }
        return (quantity - 1) / display + 1 <= Limits.icebergPartsMax
    }

    /// The order's value for the limits, −1 where there is nothing to value it by.
    @inline(__always)
    private func checkNotional(_ c: Place, _ i: Int, _ value: inout Int128) -> Refusal {
        if c.quoteQuantity.units != 0 {
            value = c.quoteQuantity.units
        } else {
            let price =
                c.type.hasPrice
                ? c.price.ticks : c.type.isTriggered ? c.stopPrice.ticks : reference(i)
            if price == 0 { return .none }
            value = notional(price, c.quantity.lots, instruments[i].notionalUnit)
        }
        return checkNotional(value, i)
    }

    @inline(__always) func checkNotional(_ value: Int128, _ i: Int) -> Refusal {
        if value < instruments[i].notionalMin.units { return .notionalBelowMinimum }
        let most = instruments[i].notionalMax.units
        return most > 0 && value > most ? .notionalAboveMaximum : .none
    }

    @inline(__always)
    private func checkAccount(_ c: Place, _ value: Int128) -> Refusal {
        let account = c.account.number
        if isAboveSize(account, c.quantity.lots, value) { return .orderSizeLimit }
        let ends =
            c.type == .market
            || c.type == .limit && (c.timeInForce == .ioc || c.timeInForce == .fok)
        if !ends {
            let most = accounts.slots[accounts.limits(account)].openOrdersMax
            if most > 0, accounts.slots[account].openOrders >= most { return .openOrdersLimit }
        }
        if orders.count >= orders.capacity { return .capacity }
        if c.clOrdID.w0 != 0, orders.find(account: account, clOrdID: c.clOrdID) != none {
            return .clOrdIDDuplicate
        }
        return .none
    }

    /// Whether an order is above its account's limits of size.
    @inline(__always) func isAboveSize(_ account: UInt32, _ lots: Int64, _ value: Int128) -> Bool {
        let slot = accounts.limits(account)
        let (quantity, notional) = (
            accounts.slots[slot].orderQuantityMax, accounts.slots[slot].orderNotionalMax
        )
        return quantity > 0 && lots > quantity || notional > 0 && value > notional
    }

    @inline(__always)
    private func checkBook(
        _ c: Place, _ i: Int, _ value: Int128, _ hold: inout Int128
    ) -> Refusal {
        if c.type.isTriggered {
            let last = instruments[i].lastPrice
            if last.ticks != 0 {
                let isUp = HotOrder.triggersUp(c.side, c.type)
                if isUp ? last >= c.stopPrice : last <= c.stopPrice {
                    return .triggersImmediately
                }
            }
        } else if c.type == .limitMaker || c.type == .limit && instruments[i].state != .trading {
            if crosses(c.instrument.number, c.side, c.price.ticks) { return .wouldTake }
        }
        hold = holdNeeded(c, i, value)
        let asset = heldAsset(c.side, c.instrument.number)
        return hold > ledger.available(c.account.number, asset) ? .insufficientFunds : .none
    }

    /// Whether an order at this price would trade.
    @inline(__always)
    func crosses(_ instrument: UInt16, _ side: Side, _ price: Int64) -> Bool {
        let kind = LadderKind(side.opposite)
        return ladders.crosses(Ladders.index(instrument, kind), kind, price)
    }

    @inline(__always)
    private func holdNeeded(_ c: Place, _ i: Int, _ value: Int128) -> Int128 {
        if c.quoteQuantity.units != 0 {
            if c.side == .buy { return c.quoteQuantity.units }
            let lots = sweepLots(c.instrument.number, c.quoteQuantity.units)
            return lots == nil ? .max : lots! * Int128(instruments[i].lotUnits)
        }
        if c.side == .sell { return Int128(c.quantity.lots) * Int128(instruments[i].lotUnits) }
        if c.type == .market { return sweepCost(c.instrument.number, c.quantity.lots) }
        return value
    }

    /// The open quantity of a level, hidden included, as far as `most`.
    private func openQuantity(_ level: UInt32, most: Int128) -> Int128 {
        var sum: Int128 = 0
        var slot = ladders.first(level)
        while slot != none, sum < most {
            sum += Int128(orders.hot[slot].leaves)
            slot = ladders.next(slot)
        }
        return sum
    }

    /// What a market buy of `lots` costs in quote units, as far as the book within the band goes.
    func sweepCost(_ instrument: UInt16, _ lots: Int64) -> Int128 {
        if isBare { return 0 }
        let bound = marketBound(instrument, .buy)
        let ladder = Ladders.index(instrument, .asks)
        let unit = instruments[Int(instrument)].notionalUnit
        var rest = Int128(lots)
        var cost: Int128 = 0
        var level = ladders.best(ladder)
        while level != none, rest > 0 {
            let price = ladders.price(level)
            if price > bound { break }
            let here = min(rest, openQuantity(level, most: rest))
            let value = notional(price, Int64(here), unit)
            // More than there can be of any asset: no need to count on, and no overflow. Orders of
            // earlier terms can be worth that much together.
            if value > Limits.amountUnitsMax - cost { return .max }
            cost += value
            rest -= here
            level = ladders.after(ladder, .asks, price)
        }
        return cost
    }

    /// How many lots a market sell for `amount` quote units needs, within the band; nil when more
    /// than there can be.
    private func sweepLots(_ instrument: UInt16, _ amount: Int128) -> Int128? {
        let bound = marketBound(instrument, .sell)
        let ladder = Ladders.index(instrument, .bids)
        let unit = Int128(instruments[Int(instrument)].notionalUnit)
        var rest = amount
        var lots: Int128 = 0
        var level = ladders.best(ladder)
        while level != none {
            let price = ladders.price(level)
            if price < bound { break }
            let wanted = rest / (Int128(price) * unit)
            // One more than wanted tells a level that is just used up from one that is not.
            let open = openQuantity(level, most: wanted + 1)
            let here = min(wanted, open)
            lots += here
            if lots > Int128(Int64.max) { return nil }
            rest -= here * Int128(price) * unit
            if open > wanted { break }
            level = ladders.after(ladder, .bids, price)
        }
        return lots
    }
}
