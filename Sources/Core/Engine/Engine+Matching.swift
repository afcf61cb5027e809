// Matching: an incoming order against the opposite ladder.

internal import Slabs
internal import Terms

/// An order on its way into the book, before it rests or ends.
struct Incoming {
    /// How far it may go.
    enum Kind {
        /// To its price, paid from a hold of its own price.
        case limit
        /// To the band; a buy is paid from `funds`.
        case market
        /// Until `funds` of the quote asset are traded.
        case quote
    }

    var hot: HotOrder
    var cold: ColdOrder
    var kind: Kind
    /// The worst price it may take.
    var bound: Int64
    /// Market buy: the quote units still held. By quote: the quote units still to trade.
    var funds: Int128 = 0
    /// Sell by quote: lots still held.
    var lotsHeld: Int64 = 0
    var quoteQuantity: Int128 = 0
    var cumQty: Int64 = 0
    /// Set when matching ended it before its own terms did.
    var reason: EndReason?
    /// By quote: something crossed that the rest could not pay.
    var couldNotPay = false
}

extension Engine {
    /// Matches what crosses; leaves the rest of the order in `t`.
    mutating func match(_ t: inout Incoming) {
        let side = t.hot.side
        let opposite = LadderKind(side.opposite)
        let ladder = Ladders.index(t.hot.instrument, opposite)
        if t.hot.timeInForce == .fok, t.kind == .limit, !canFill(t, ladder, opposite) {
            t.reason = .fillOrKill
            return
        }
        while t.kind == .quote ? t.funds > 0 : t.hot.leaves > 0 {
            let level = ladders.best(ladder)
            if level == none { return }
            let price = ladders.price(level)
            if side == .buy ? price > t.bound : price < t.bound { return }
            if steps >= Self.stepsMax {
                t.reason = .liquidity
                return
            }
            steps += 1
            let maker = ladders.first(level)
            if t.hot.selfTradePrevention != .none,
                orders.hot[maker].account == t.hot.account
            {
                if preventSelfTrade(&t, maker, price) { continue } else { return }
            }
            let lots = tradable(t, shown: orders.hot[maker].shown, price)
            if lots == 0 {
                t.reason = .liquidity
                // A sell by quote may also be out of lots that it holds.
                t.couldNotPay = affordable(t.funds, price, t.hot.instrument) == 0
                return
            }
            trade(&t, maker, level, lots, price)
        }
    }

    /// How many lots the incoming order can take of `shown` at this price.
    @inline(__always)
    private func tradable(_ t: Incoming, shown: Int64, _ price: Int64) -> Int64 {
        if t.kind == .limit || t.kind == .market && t.hot.side == .sell {
            return min(t.hot.leaves, shown)
        }
        let affordable = self.affordable(t.funds, price, t.hot.instrument)
        if t.kind == .market { return min(t.hot.leaves, shown, affordable) }
        return min(shown, affordable, t.hot.side == .sell ? t.lotsHeld : .max)
    }

    /// Whole lots that `funds` quote units pay at this price.
    func affordable(_ funds: Int128, _ price: Int64, _ instrument: UInt16) -> Int64 {
        if isBare { return .max }
        let lotPrice = Int128(price) * Int128(instruments[Int(instrument)].notionalUnit)
        return Int64(clamping: funds / lotPrice)
    }

    /// Whether a fill-or-kill order meets enough.
    private func canFill(_ t: Incoming, _ ladder: Int, _ kind: LadderKind) -> Bool {
        let mode = t.hot.selfTradePrevention
        // These end or shrink the order where it meets its own: that level and all behind it count
        // nothing.
        let blocks = mode != .none && mode != .expireMaker
        var found: Int64 = 0
        var level = ladders.best(ladder)
        while level != none {
            let price = ladders.price(level)
            if t.hot.side == .buy ? price > t.bound : price < t.bound { return false }
            if blocks, holdsOwn(t, level) { return false }
            var slot = ladders.first(level)
            while slot != none, found < t.hot.leaves {
                let isOwn = orders.hot[slot].account == t.hot.account
                if mode == .none || !isOwn { found += orders.hot[slot].leaves }
                slot = ladders.next(slot)
            }
            if found >= t.hot.leaves { return true }
            level = ladders.after(ladder, kind, price)
        }
        return false
    }

    private func holdsOwn(_ t: Incoming, _ level: UInt32) -> Bool {
        var slot = ladders.first(level)
        while slot != none {
            if orders.hot[slot].account == t.hot.account { return true }
            slot = ladders.next(slot)
        }
        return false
    }

    /// Applies the incoming order's mode to the two; false when the incoming order ended.
    private mutating func preventSelfTrade(
        _ t: inout Incoming, _ maker: UInt32, _ price: Int64
    ) -> Bool {
        switch t.hot.selfTradePrevention {
        case .none: preconditionFailure("no prevention was asked for")
        case .expireTaker:
            t.reason = .selfTrade
            return false
        case .expireMaker:
            end(maker, .expiredInMatch, .selfTrade)
            return true
        case .expireBoth:
            end(maker, .expiredInMatch, .selfTrade)
            t.reason = .selfTrade
            return false
        case .decrement: return decrement(&t, maker, price)
        }
    }

    private mutating func decrement(
        _ t: inout Incoming, _ maker: UInt32, _ price: Int64
    ) -> Bool {
        let makerLeaves = orders.hot[maker].leaves
        var lots = min(makerLeaves, t.hot.leaves)
        if t.kind == .quote {
            lots = min(makerLeaves, affordable(t.funds, price, t.hot.instrument))
            if lots == 0 {
                t.reason = .liquidity
                t.couldNotPay = true
                return false
            }
        }
        if lots == makerLeaves {
            orders.hot[maker].quantity -= lots
            shrinkHold(maker, by: lots)
            orders.hot[maker].leaves = 0
            endEmpty(maker)
        } else {
            shrinkHold(maker, by: lots)
            orders.hot[maker].leaves -= lots
            orders.hot[maker].quantity -= lots
            orders.cold[maker].updatedTime = timestamp
            let shown = min(orders.hot[maker].shown, orders.hot[maker].leaves)
            ladders.shown[orders.hot[maker].level] -= orders.hot[maker].shown - shown
            orders.hot[maker].shown = shown
            tellAmended(maker, oldPrice: price)
        }
        return decrementIncoming(&t, lots, price)
    }

    private mutating func decrementIncoming(
        _ t: inout Incoming, _ lots: Int64, _ price: Int64
    ) -> Bool {
        let unit = instruments[Int(t.hot.instrument)].notionalUnit
        if t.kind == .quote {
            let amount = notional(price, lots, unit)
            t.funds -= amount
            // What is prevented is no longer needed: it goes back at once.
            if t.hot.side == .buy {
                ledger.hold(t.hot.account, heldAsset(.buy, t.hot.instrument), -amount)
            } else {
                let back = min(lots, t.lotsHeld)
                t.lotsHeld -= back
                ledger.hold(
                    t.hot.account, heldAsset(.sell, t.hot.instrument),
                    -Int128(back) * Int128(instruments[Int(t.hot.instrument)].lotUnits))
            }
            return true
        }
        t.hot.leaves -= lots
        t.hot.quantity -= lots
        if !isBare, t.kind == .limit || t.hot.side == .sell {
            let back: Int128 =
                t.hot.side == .sell
                ? Int128(lots) * Int128(instruments[Int(t.hot.instrument)].lotUnits)
                : notional(t.hot.price, lots, unit)
            ledger.hold(t.hot.account, heldAsset(t.hot.side, t.hot.instrument), -back)
        }
        if t.hot.leaves == 0 {
            t.reason = .selfTrade
            return false
        }
        let price = t.hot.price
        tell(
            6 | UInt64(bitPattern: price) << 8, t.hot, t.cold,
            t.cumQty == 0 ? .new : .partiallyFilled, leaves: t.hot.leaves
        ) { .orderAmended($0, oldPrice: Price(ticks: price)) }
        return true
    }

    /// Returns the hold of some lots of a resting order.
    private mutating func shrinkHold(_ slot: UInt32, by lots: Int64) {
        if isBare { return }
        let order = orders.hot[slot]
        let instrument = instruments[Int(order.instrument)]
        let units =
            order.side == .sell
            ? Int128(lots) * Int128(instrument.lotUnits)
            : notional(order.price, lots, instrument.notionalUnit)
        ledger.hold(order.account, heldAsset(order.side, order.instrument), -units)
    }

    /// Ends a resting order of which prevention left nothing.
    private mutating func endEmpty(_ slot: UInt32) {
        if !isBare {
            orders.cold[slot].updatedTime = timestamp
            let tag = 5 | UInt64(EndReason.selfTrade.rawValue) << 8
            tell(tag, orders.hot[slot], orders.cold[slot], .expiredInMatch, leaves: 0) {
                .orderEnded($0, .selfTrade)
            }
        }
        detach(slot)
        release(slot)
    }

    /// One trade at the resting order's price.
    @inline(__always)
    private mutating func trade(
        _ t: inout Incoming, _ maker: UInt32, _ level: UInt32, _ lots: Int64, _ price: Int64
    ) {
        let i = Int(t.hot.instrument)
        instruments[i].lastPrice = Price(ticks: price)
        instruments[i].lastTrade.number += 1
        let quoteUnits = notional(price, lots, instruments[i].notionalUnit)
        var makerFee: Int128 = 0
        var takerFee: Int128 = 0
        if !isBare { settle(&t, maker, lots, price, quoteUnits, &makerFee, &takerFee) }
        if t.kind != .quote { t.hot.leaves -= lots }
        t.cumQty += lots
        t.cold.cumQuote += quoteUnits
        orders.hot[maker].leaves -= lots
        orders.hot[maker].shown -= lots
        orders.cold[maker].cumQuote += quoteUnits
        orders.cold[maker].updatedTime = timestamp
        ladders.shown[level] -= lots
        let leaves = orders.hot[maker].leaves
        if !isBare {
            events.mix(
                trade: instruments[i].lastTrade.number, price: price, lots: lots,
                maker: orders.hot[maker].id, taker: t.hot.id, makerFee: makerFee,
                takerFee: takerFee, makerLeaves: leaves, takerLeaves: t.hot.leaves)
        }
        keepTrade(t, maker, lots, price, quoteUnits, makerFee, takerFee)
        if leaves == 0 {
            detach(maker)
            release(maker)
        } else if orders.hot[maker].shown == 0 {
            replenish(maker)
        }
    }

    /// Writes a trade down.
    @inline(__always)
    private mutating func keepTrade(
        _ t: Incoming, _ maker: UInt32, _ lots: Int64, _ price: Int64, _ quoteUnits: Int128,
        _ makerFee: Int128, _ takerFee: Int128
    ) {
        let i = Int(t.hot.instrument)
        let leaves = orders.hot[maker].leaves
        let isTakerFilled = t.kind != .quote && t.hot.leaves == 0
        events.keep(
            .trade(
                Trade(
                    id: instruments[i].lastTrade, instrument: InstrumentID(t.hot.instrument),
                    takerSide: t.hot.side, price: Price(ticks: price),
                    quantity: Quantity(lots: lots), quoteAmount: Amount(units: quoteUnits),
                    maker: Fill(
                        order: OrderID(orders.hot[maker].id),
                        account: AccountID(orders.hot[maker].account),
                        fee: Amount(units: makerFee),
                        feeAsset: AssetID(heldAsset(t.hot.side, t.hot.instrument)),
                        cumQty: Quantity(lots: orders.hot[maker].quantity - leaves),
                        leavesQty: Quantity(lots: leaves),
                        cumQuote: Amount(units: orders.cold[maker].cumQuote),
                        status: leaves == 0 ? .filled : .partiallyFilled),
                    taker: Fill(
                        order: OrderID(t.hot.id), account: AccountID(t.hot.account),
                        fee: Amount(units: takerFee),
                        feeAsset: AssetID(heldAsset(t.hot.side.opposite, t.hot.instrument)),
                        cumQty: Quantity(lots: t.cumQty),
                        leavesQty: Quantity(lots: t.kind == .quote ? 0 : t.hot.leaves),
                        cumQuote: Amount(units: t.cold.cumQuote),
                        status: isTakerFilled ? .filled : .partiallyFilled))))
    }

    /// Moves the money of one trade: both pay from what they hold and get the other asset less fee.
    @inline(__always)
    private mutating func settle(
        _ t: inout Incoming, _ maker: UInt32, _ lots: Int64, _ price: Int64,
        _ quoteUnits: Int128, _ makerFee: inout Int128, _ takerFee: inout Int128
    ) {
        let i = Int(t.hot.instrument)
        let (base, quote) = (instruments[i].base.number, instruments[i].quote.number)
        let baseUnits = Int128(lots) * Int128(instruments[i].lotUnits)
        let makerAccount = orders.hot[maker].account
        let takerAccount = t.hot.account
        let makerRate = accounts.rates(makerAccount, t.hot.instrument).maker
        let takerRate = accounts.rates(takerAccount, t.hot.instrument).taker
        if t.hot.side == .buy {
            ledger.pay(takerAccount, quote, quoteUnits)
            if t.kind != .limit {
                t.funds -= quoteUnits
            } else if t.hot.price != price {
                let unit = instruments[i].notionalUnit
                let improvement = notional(t.hot.price - price, lots, unit)
                ledger.hold(takerAccount, quote, -improvement)
            }
            ledger.pay(makerAccount, base, baseUnits)
            takerFee = ledger.receive(takerAccount, base, baseUnits, rate: takerRate)
            makerFee = ledger.receive(makerAccount, quote, quoteUnits, rate: makerRate)
        } else {
            ledger.pay(takerAccount, base, baseUnits)
            if t.kind == .quote {
                t.funds -= quoteUnits
                t.lotsHeld -= lots
            }
            ledger.pay(makerAccount, quote, quoteUnits)
            takerFee = ledger.receive(takerAccount, quote, quoteUnits, rate: takerRate)
            makerFee = ledger.receive(makerAccount, base, baseUnits, rate: makerRate)
        }
    }

    /// After matching: rests the order or ends it, and gives back what it does not hold any more.
    mutating func conclude(_ t: inout Incoming) -> OrderStatus {
        t.cold.updatedTime = timestamp
        if t.kind == .quote { return concludeByQuote(&t) }
        if t.hot.leaves == 0, t.reason == nil {
            if t.kind == .market, t.hot.side == .buy { returnFunds(t) }
            return .filled
        }
        if t.reason == nil {
            if t.kind == .market {
                t.reason = .liquidity
            } else if t.hot.timeInForce == .ioc || t.hot.timeInForce == .fok {
                t.reason = .immediateOrCancel
            }
        }
        guard let reason = t.reason else {
            t.hot.shown = t.hot.slice(of: t.hot.leaves)
            _ = rest(t.hot, t.cold)
            return t.cumQty == 0 && t.hot.quantity == t.hot.leaves ? .new : .partiallyFilled
        }
        returnFunds(t)
        return conclude(t, reason == .selfTrade ? .expiredInMatch : .expired, reason)
    }

    private mutating func concludeByQuote(_ t: inout Incoming) -> OrderStatus {
        returnFunds(t)
        t.hot.quantity = t.cumQty
        if t.reason == .selfTrade { return conclude(t, .expiredInMatch, .selfTrade) }
        let isFilled = t.cumQty > 0 && (t.funds == 0 || t.couldNotPay)
        return conclude(t, isFilled ? .filled : .expired, .liquidity)
    }

    private mutating func conclude(
        _ t: Incoming, _ status: OrderStatus, _ reason: EndReason
    ) -> OrderStatus {
        tell(
            5 | UInt64(reason.rawValue) << 8, t.hot, t.cold, status, leaves: 0,
            quoteQuantity: t.quoteQuantity
        ) { .orderEnded($0, reason) }
        return status
    }

    /// Gives back the rest of an ended incoming order's hold.
    private mutating func returnFunds(_ t: Incoming) {
        if isBare { return }
        let i = Int(t.hot.instrument)
        let rest: Int128
        switch (t.kind, t.hot.side) {
        case (.limit, .buy):
            rest = notional(t.hot.price, t.hot.leaves, instruments[i].notionalUnit)
        case (.market, .buy), (.quote, .buy): rest = t.funds
        case (.limit, .sell), (.market, .sell):
            rest = Int128(t.hot.leaves) * Int128(instruments[i].lotUnits)
        case (.quote, .sell): rest = Int128(t.lotsHeld) * Int128(instruments[i].lotUnits)
        }
        ledger.hold(t.hot.account, heldAsset(t.hot.side, t.hot.instrument), -rest)
    }
}
