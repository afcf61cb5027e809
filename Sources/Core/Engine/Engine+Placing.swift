// New orders: the checks in their order of precedence, the hold, acceptance.

internal import Slabs
public import Terms
public import Wire

/// Results of a new order's checks, used by its acceptance.
struct CheckedPlace {
    /// Its prevention mode, the instrument's default resolved.
    var mode: SelfTradePrevention = .none
    /// Its hold.
    var hold: Int128 = 0
    /// Its notional for the limits, −1 if it cannot be valued.
    var value: Int128 = -1
    /// Lots for the limits of size.
    var lots: Int64 = 0
    /// Fill-or-kill: whether its reach covers its quantity.
    var reachesAll = true
    /// The slot of an order that the same command cancels first, or `none`.
    var replaced: UInt32 = none
}

extension Engine {
    /// Why `order` would be refused as the next command, at `time` (ns since 1970; the engine's own
    /// time if that is later), or `.none`. The same checks as placing, without any change: the
    /// order is not counted as a message.
    public borrowing func refusal(of order: Place, at time: Int64) -> Refusal {
        let time = max(time, timestamp)
        let names = checkNames(
            order.account, order.instrument, isTooLong: Self.isTooLong(order.clOrdID),
            deadline: order.deadline, at: time)
        if names != .none { return names }
        let most = accounts.slots[accounts.limits(order.account.number)].messagesPerSecondMax
        var slot = accounts.slots[order.account.number]
        if !slot.countMessage(at: time / 1_000_000_000, most: most) { return .messageRate }
        var checked = CheckedPlace()
        return check(order, at: time, &checked)
    }

    /// A new order.
    mutating func place(_ c: Place) -> Outcome {
        prefetchMaker(c)
        var checked = CheckedPlace()
        var refusal = passAdmission(
            c.account, c.instrument, isTooLong: Self.isTooLong(c.clOrdID), deadline: c.deadline)
        if refusal == .none { refusal = check(c, at: timestamp, &checked) }
        return refusal == .none ? accept(c, checked) : refuse(c, refusal)
    }

    /// Prefetches the first order that a new one would trade with, during its checks.
    @inline(__always) private func prefetchMaker(_ c: Place) {
        if c.instrument.number > instrumentsUsed { return }
        let kind = LadderKind(c.side.opposite)
        let ladder = Ladders.index(c.instrument.number, kind)
        if c.type != .market, !ladders.crosses(ladder, kind, c.price.ticks) { return }
        let level = ladders.best(ladder)
        if level != none { orders.prefetchMaker(ladders.first(level)) }
    }

    /// Reports a refused new order.
    @inline(never)
    mutating func refuse(_ c: Place, _ refusal: Refusal) -> Outcome {
        events.mix(refusal)
        if events.kept == .all {
            var mode = c.selfTradePrevention
            if mode == .instrumentDefault, let instrument = instrument(c.instrument) {
                mode = instrument.selfTradePrevention
            }
            var (hot, cold) = slots(c, id: 0, mode: mode)
            hot.isWorking = false
            cold.workingTime = 0
            var order = view(hot, cold, .rejected, leaves: 0, quoteQuantity: c.quoteQuantity.units)
            order.cumQty = .zero
            events.keep(.orderRefused(OrderRefused(order: order, refusal: refusal)))
        }
        return .refused(refusal)
    }

    /// Accepts an order that passed the checks.
    @inline(__always)
    mutating func accept(_ c: Place, _ checked: CheckedPlace) -> Outcome {
        ledger.hold(c.account.number, heldAsset(c.side, c.instrument.number), checked.hold)
        lastOrder += 1
        let id = lastOrder
        var (hot, cold) = slots(c, id: id, mode: checked.mode)
        report(.accepted, hot, stopPrice: c.stopPrice.ticks, .new, leaves: hot.leaves)
        if events.kept == .all {
            events.keep(
                .orderAccepted(
                    view(
                        hot, cold, .new, leaves: hot.leaves,
                        quoteQuantity: c.quoteQuantity.units)))
        }
        if c.type.isTriggered {
            rest(hot, cold)
            return Outcome(status: .new, id: id)
        }
        if rests(c), !crosses(c.instrument.number, c.side, c.price.ticks) {
            if hot.isIceberg { cold.shown = cold.slice(of: hot.leaves) }
            rest(hot, cold)
            return Outcome(status: .new, id: id)
        }
        var t = incoming(hot, cold, hold: checked.hold, quoteQuantity: c.quoteQuantity.units)
        if !checked.reachesAll { t.reason = .fillOrKill }
        if !match(&t) {
            takeOff(&t)
            return Outcome(status: t.cumQty == 0 ? .new : .partiallyFilled, id: id)
        }
        let status = conclude(&t)
        runTriggers(c.instrument.number)
        return Outcome(status: status, id: id)
    }

    /// Whether the rest of an order stays in the book.
    @inline(__always) private func rests(_ c: Place) -> Bool {
        let isLimit = c.type == .limit || c.type == .limitMaker
        return isLimit && (c.timeInForce == .gtc || c.timeInForce == .gtd)
    }

    @inline(__always)
    private func slots(
        _ c: Place, id: UInt64, mode: SelfTradePrevention
    ) -> (HotOrder, ColdOrder) {
        let hot = HotOrder(
            id: id, price: c.price.ticks, leaves: c.quantity.lots, quantity: c.quantity.lots,
            updatedTime: timestamp, account: c.account.number,
            instrument: c.instrument.number, side: c.side, type: c.type,
            timeInForce: c.timeInForce, selfTradePrevention: mode,
            isWorking: !c.type.isTriggered, hasClOrdID: c.clOrdID.w0 != 0,
            isIceberg: c.displayQuantity.lots != 0)
        var cold = ColdOrder(
            stopPrice: c.stopPrice.ticks, expireTime: c.expireTime, createdTime: timestamp,
            workingTime: c.type.isTriggered ? 0 : timestamp, clOrdID: c.clOrdID,
            strategyID: c.strategyID, strategyType: c.strategyType,
            display: c.displayQuantity.lots)
        // A stop's level shows its whole quantity.
        if hot.isIceberg { cold.shown = hot.leaves }
        return (hot, cold)
    }

    /// An order ready to match: its bound and its funds.
    func incoming(
        _ hot: HotOrder, _ cold: ColdOrder, hold: Int128, quoteQuantity: Int128 = 0
    ) -> Incoming {
        let cumQty = hot.quantity - hot.leaves - cold.preventedQuantity
        if hot.type.hasPrice {
            return Incoming(hot: hot, cold: cold, kind: .limit, bound: hot.price, cumQty: cumQty)
        }
        let bound = marketBound(hot.instrument, hot.side)
        if quoteQuantity == 0 {
            return Incoming(
                hot: hot, cold: cold, kind: .market, bound: bound,
                funds: hot.side == .buy ? hold : 0, cumQty: cumQty)
        }
        let lotUnits = Int128(instruments[Int(hot.instrument)].lotUnits)
        let lots = hot.side == .sell ? Int64(hold / lotUnits) : 0
        return Incoming(
            hot: hot, cold: cold, kind: .quote, bound: bound, funds: quoteQuantity,
            lotsHeld: lots, quoteQuantity: quoteQuantity)
    }

    /// The reference of the price band: the price that an operator set since the last trade, else
    /// that trade's, else the instrument's own reference; 0 is none.
    @inline(__always) func reference(_ instrument: Int) -> Int64 {
        let rebased = instruments[instrument].rebasedPrice.ticks
        if rebased != 0 { return rebased }
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

    /// The later refusals in their order, else the results that acceptance uses.
    @inline(__always)
    func check(_ c: Place, at time: Int64, _ checked: inout CheckedPlace) -> Refusal {
        let i = Int(c.instrument.number)
        if !takes(c, instruments[i].state) { return .instrumentState }
        if isBusy(c.instrument.number, isTriggered: c.type.isTriggered) { return .instrumentBusy }
        let mode = c.selfTradePrevention
        checked.mode = mode == .instrumentDefault ? instruments[i].selfTradePrevention : mode
        checked.lots = c.quantity.lots
        let terms = checkTerms(c, i, at: time, &checked)
        if terms != .none { return terms }
        if checked.value >= 0 {
            let size = checkNotional(checked.value, i)
            if size != .none { return size }
        }
        if c.type.hasPrice, isOutsideBand(i, c.price.ticks) { return .priceBand }
        let account = checkAccount(c, checked)
        return account == .none ? checkBook(c, i, checked) : account
    }

    /// Checks form, kill switches, names and the message rate, and counts the message if it passes:
    /// the same for new orders and changes.
    @inline(__always)
    mutating func passAdmission(
        _ account: AccountID, _ instrument: InstrumentID, isTooLong: Bool, deadline: Int64
    ) -> Refusal {
        let refusal = checkNames(
            account, instrument, isTooLong: isTooLong, deadline: deadline, at: timestamp)
        if refusal != .none { return refusal }
        return countMessage(account)
    }

    /// Counts a message of an account, within its rate.
    @inline(__always) mutating func countMessage(_ account: AccountID) -> Refusal {
        let most = accounts.slots[accounts.limits(account.number)].messagesPerSecondMax
        return accounts.slots[account.number].countMessage(at: second, most: most)
            ? .none : .messageRate
    }

    /// Checks form, deadline, kill switches and names.
    @inline(__always)
    private func checkNames(
        _ account: AccountID, _ instrument: InstrumentID, isTooLong: Bool, deadline: Int64,
        at time: Int64
    ) -> Refusal {
        if isTooLong { return .malformed }
        if deadline != 0, time > deadline { return .deadlinePassed }
        if isKilled { return .venueKilled }
        if !hasAccount(account) { return .accountUnknown }
        if accounts.slots[account.number].isKilled { return .accountKilled }
        if instrument.number == 0 || instrument.number > instrumentsUsed {
            return .instrumentUnknown
        }
        return .none
    }

    /// Whether a client order id takes more than 36 of the text's 40 bytes.
    @inline(__always) static func isTooLong(_ clOrdID: Text40) -> Bool { clOrdID.w4 >> 32 != 0 }

    /// Whether an instrument's state accepts such an order.
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
    private func checkTerms(
        _ c: Place, _ i: Int, at time: Int64, _ checked: inout CheckedPlace
    ) -> Refusal {
        if isTypeInvalid(c) { return .orderTypeInvalid }
        let (low, high) = (instruments[i].priceMin, instruments[i].priceMax)
        if c.type.hasPrice, c.price < low || c.price > high { return .priceInvalid }
        let most = instruments[i].quantityMax
        var isShort = false
        if c.quoteQuantity.units != 0 {
            let amount = c.quoteQuantity.units
            if amount < 1 || amount > Limits.amountUnitsMax { return .quantityInvalid }
            isShort = sweep(c, i, &checked)
            if checked.lots > most.lots { return .quantityInvalid }
        } else if c.quantity < instruments[i].quantityMin || c.quantity > most {
            return .quantityInvalid
        }
        if c.displayQuantity.lots != 0, isDisplayInvalid(c) { return .displayQuantityInvalid }
        if c.type.isTriggered, c.stopPrice < low || c.stopPrice > high { return .stopPriceInvalid }
        if c.timeInForce == .gtd, c.expireTime <= time { return .expireTimeInvalid }
        let isFillOrKill = c.type == .limit && c.timeInForce == .fok
        if isFillOrKill || c.type == .market && c.quoteQuantity.units == 0 {
            isShort = sweep(c, i, &checked)
        }
        if isShort { return .sweepLimit }
        if c.type != .market { value(c, i, &checked) }
        return .none
    }

    /// The notional and hold of an order with a price or a stop price.
    @inline(__always)
    private func value(_ c: Place, _ i: Int, _ checked: inout CheckedPlace) {
        let price = c.type.hasPrice ? c.price.ticks : c.stopPrice.ticks
        checked.value = notional(price, c.quantity.lots, instruments[i].notionalUnit)
        checked.hold =
            c.side == .buy
            ? checked.value : Int128(c.quantity.lots) * Int128(instruments[i].lotUnits)
    }

    /// Determines the reach of a market or fill-or-kill order: its hold, its notional, whether it
    /// fills. True when a turn's looks did not suffice.
    @inline(never)
    private func sweep(_ c: Place, _ i: Int, _ checked: inout CheckedPlace) -> Bool {
        let isMarket = c.type == .market
        var r = Reach(
            instrument: c.instrument.number, side: c.side, account: c.account.number,
            mode: checked.mode,
            bound: isMarket ? marketBound(c.instrument.number, c.side) : c.price.ticks,
            lotsWanted: c.quantity.lots, amountWanted: c.quoteQuantity.units,
            isByQuote: c.quoteQuantity.units != 0, isFillOrKill: !isMarket)
        look(&r)
        if !isMarket {
            checked.reachesAll = r.lots >= c.quantity.lots
            return r.isShort
        }
        let lotUnits = Int128(instruments[i].lotUnits)
        if r.isByQuote {
            checked.lots = r.lots
            checked.value = c.quoteQuantity.units
            checked.hold = c.side == .buy ? c.quoteQuantity.units : Int128(r.lots) * lotUnits
            return r.isShort
        }
        checked.hold = c.side == .buy ? r.cost : Int128(c.quantity.lots) * lotUnits
        let price = r.lastPrice != 0 ? r.lastPrice : reference(i)
        if price != 0 {
            let beyond = notional(price, r.lotsWanted, instruments[i].notionalUnit)
            let (sum, overflow) = r.cost.addingReportingOverflow(beyond)
            checked.value = overflow ? .max : sum
        }
        return r.isShort
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

    @inline(__always) func checkNotional(_ value: Int128, _ i: Int) -> Refusal {
        if value < instruments[i].notionalMin.units { return .notionalBelowMinimum }
        let most = instruments[i].notionalMax.units
        return most > 0 && value > most ? .notionalAboveMaximum : .none
    }

    @inline(__always)
    private func checkAccount(_ c: Place, _ checked: CheckedPlace) -> Refusal {
        let account = c.account.number
        if isAboveSize(account, c.instrument.number, checked.lots, checked.value) {
            return .orderSizeLimit
        }
        let gone: UInt32 = checked.replaced == none ? 0 : 1
        let ends =
            c.type == .market
            || c.type == .limit && (c.timeInForce == .ioc || c.timeInForce == .fok)
        if !ends {
            let most = accounts.slots[accounts.limits(account)].openOrdersMax
            if most > 0, accounts.slots[account].openOrders - gone >= most {
                return .openOrdersLimit
            }
        }
        if orders.count - Int(gone) >= orders.capacity { return .capacity }
        if c.clOrdID.w0 != 0 {
            let known = orders.find(account: account, clOrdID: c.clOrdID)
            if known != none, known != checked.replaced { return .clOrdIDDuplicate }
        }
        return .none
    }

    /// Whether an order is above its account's limits of size.
    @inline(__always)
    func isAboveSize(
        _ account: UInt32, _ instrument: UInt16, _ lots: Int64, _ value: Int128
    ) -> Bool {
        let most = accounts.orderLimits(account, instrument)
        return most.quantityMax > 0 && lots > most.quantityMax
            || most.notionalMax > 0 && value > most.notionalMax
    }

    @inline(__always)
    private func checkBook(_ c: Place, _ i: Int, _ checked: CheckedPlace) -> Refusal {
        if c.type.isTriggered {
            let last = instruments[i].lastPrice
            if last.ticks != 0 {
                let isUp = HotOrder.triggersUp(c.side, c.type)
                if isUp ? last >= c.stopPrice : last <= c.stopPrice { return .triggersImmediately }
            }
        } else if c.type == .limitMaker || c.type == .limit && instruments[i].state != .trading {
            if crosses(c.instrument.number, c.side, c.price.ticks) { return .wouldTake }
        }
        let asset = heldAsset(c.side, c.instrument.number)
        var available = ledger.available(c.account.number, asset)
        if checked.replaced != none {
            let side = orders.hot[checked.replaced].side
            if heldAsset(side, c.instrument.number) == asset { available += held(checked.replaced) }
        }
        return checked.hold > available ? .insufficientFunds : .none
    }

    /// Whether an order at this price would trade.
    @inline(__always)
    func crosses(_ instrument: UInt16, _ side: Side, _ price: Int64) -> Bool {
        let kind = LadderKind(side.opposite)
        return ladders.crosses(Ladders.index(instrument, kind), kind, price)
    }
}
