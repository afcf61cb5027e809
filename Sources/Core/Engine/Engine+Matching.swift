// Matching: an incoming order against the opposite ladder.

internal import Slabs
internal import Terms

/// An order on its way into the book, before it rests or ends.
struct Incoming {
    /// The bound of its matching.
    enum Kind: UInt8 {
        /// Up to its price, paid from a hold at its price.
        case limit = 0
        /// Up to the band; a buy is paid from `funds`.
        case market = 1
        /// Until `funds` of the quote asset are traded.
        case quote = 2
    }

    var hot: HotOrder
    var cold: ColdOrder
    /// Its slot, if it has one: an order that moved, was triggered or was in flight.
    var slot: UInt32 = none
    var kind: Kind
    /// The worst price it may take.
    var bound: Int64
    /// Market buy: the quote units still held. By quote: the quote units still to trade.
    var funds: Int128 = 0
    /// Sell by quote: lots still held.
    var lotsHeld: Int64 = 0
    var quoteQuantity: Int128 = 0
    var cumQty: Int64 = 0
    /// The reason if matching ended it before its own terms did.
    var reason: EndReason?
    /// By quote: the rest could not pay one lot of a crossing order.
    var couldNotPay = false
}

extension Engine {
    /// Matches crossing orders while there are steps; leaves the rest in `t`. False when the steps
    /// ran out.
    mutating func match(_ t: inout Incoming) -> Bool {
        if t.reason != nil { return true }
        let side = t.hot.side
        let opposite = LadderKind(side.opposite)
        let ladder = Ladders.index(t.hot.instrument, opposite)
        while t.kind == .quote ? t.funds > 0 : t.hot.leaves > 0 {
            let level = ladders.best(ladder)
            if level == none { return true }
            let price = ladders.price(level)
            if side == .buy ? price > t.bound : price < t.bound { return true }
            if steps >= Int(limits.turnSteps) { return false }
            steps += 1
            let maker = ladders.first(level)
            orders.prefetchMaker(orders.hot[maker].link.next)
            if t.hot.selfTradePrevention != .none,
                orders.hot[maker].account == t.hot.account
            {
                if preventSelfTrade(&t, maker, price) { continue } else { return true }
            }
            let lots = tradable(t, shown: orders.shown(maker), price)
            if lots == 0 {
                t.reason = .liquidity
                // A sell by quote may also have used up its held lots.
                t.couldNotPay = affordable(t.funds, price, t.hot.instrument) == 0
                return true
            }
            trade(&t, maker, level, lots, price)
        }
        return true
    }

    /// Number of lots of `shown` that the incoming order can take at this price.
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
        let lotPrice = Int128(price) * Int128(instruments[Int(instrument)].notionalUnit)
        return Int64(clamping: funds / lotPrice)
    }

    /// One trade at the resting order's price.
    @inline(__always)
    private mutating func trade(
        _ t: inout Incoming, _ maker: UInt32, _ level: UInt32, _ lots: Int64, _ price: Int64
    ) {
        let i = Int(t.hot.instrument)
        instruments[i].lastPrice = Price(ticks: price)
        instruments[i].rebasedPrice = .none
        instruments[i].lastTrade.number += 1
        let quoteUnits = notional(price, lots, instruments[i].notionalUnit)
        var makerFee: Int128 = 0
        var takerFee: Int128 = 0
        settle(&t, maker, lots, price, quoteUnits, &makerFee, &takerFee)
        if t.kind != .quote { t.hot.leaves -= lots }
        t.cumQty += lots
        t.cold.cumQuote += quoteUnits
        orders.hot[maker].leaves -= lots
        orders.hot[maker].updatedTime = timestamp
        if orders.hot[maker].isIceberg { orders.cold[maker].shown -= lots }
        orders.cold[maker].cumQuote += quoteUnits
        ladders.levels[level].shown -= lots
        ladders.levels[level].open -= lots
        electStops(t.hot.instrument, price)
        let leaves = orders.hot[maker].leaves
        events.mix(
            trade: instruments[i].lastTrade.number, price: price, lots: lots,
            maker: orders.hot[maker].id, taker: t.hot.id, makerFee: makerFee,
            takerFee: takerFee, makerLeaves: leaves, takerLeaves: t.hot.leaves)
        keepTrade(t, maker, lots, price, quoteUnits, makerFee, takerFee)
        if leaves == 0 {
            detach(maker)
            release(maker)
        } else if orders.shown(maker) == 0 {
            replenish(maker)
        }
    }

    /// Records a trade.
    @inline(__always)
    private mutating func keepTrade(
        _ t: Incoming, _ maker: UInt32, _ lots: Int64, _ price: Int64, _ quoteUnits: Int128,
        _ makerFee: Int128, _ takerFee: Int128
    ) {
        let i = Int(t.hot.instrument)
        let leaves = orders.hot[maker].leaves
        let prevented = orders.cold[maker].preventedQuantity
        let isTakerFilled = t.kind != .quote && t.hot.leaves == 0
        events.keep(
            .trade(
                Trade(
                    id: instruments[i].lastTrade, instrument: InstrumentID(t.hot.instrument),
                    takerSide: t.hot.side, price: Price(ticks: price),
                    quantity: Quantity(lots: lots), quoteAmount: Amount(units: quoteUnits),
                    maker: Fill(
                        order: OrderID(orders.hot[maker].id),
                        account: AccountID(orders.hot[maker].account), fee: Amount(units: makerFee),
                        feeAsset: AssetID(heldAsset(t.hot.side, t.hot.instrument)),
                        cumQty: Quantity(lots: orders.hot[maker].quantity - leaves - prevented),
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

    /// Settles one trade: both pay from their holds and get the other asset less the fee.
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
            takerFee = ledger.receive(
                takerAccount, base, baseUnits, rate: takerRate, &t.cold.feeOverpaid)
            makerFee = ledger.receive(
                makerAccount, quote, quoteUnits, rate: makerRate, &orders.cold[maker].feeOverpaid)
        } else {
            ledger.pay(takerAccount, base, baseUnits)
            if t.kind == .quote {
                t.funds -= quoteUnits
                t.lotsHeld -= lots
            }
            ledger.pay(makerAccount, quote, quoteUnits)
            takerFee = ledger.receive(
                takerAccount, quote, quoteUnits, rate: takerRate, &t.cold.feeOverpaid)
            makerFee = ledger.receive(
                makerAccount, base, baseUnits, rate: makerRate, &orders.cold[maker].feeOverpaid)
        }
    }

    /// After matching: rests the order or ends it, and returns the excess of its hold.
    mutating func conclude(_ t: inout Incoming) -> OrderStatus {
        t.hot.updatedTime = timestamp
        if t.kind == .quote { return concludeByQuote(&t) }
        if t.hot.leaves == 0, t.reason == nil {
            if t.kind == .market, t.hot.side == .buy { returnFunds(t) }
            if t.slot != none { release(t.slot) }
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
            if t.hot.isIceberg { t.cold.shown = t.cold.slice(of: t.hot.leaves) }
            settleDown(t)
            return t.cumQty == 0 ? .new : .partiallyFilled
        }
        returnFunds(t)
        return leave(t, reason == .selfTrade ? .expiredInMatch : .expired, reason)
    }

    /// Rests the remainder of an incoming order that has a slot.
    private mutating func settleDown(_ t: Incoming) {
        if t.slot == none {
            rest(t.hot, t.cold)
            return
        }
        putBack(t)
        attach(t.slot, at: t.hot.price)
    }

    /// Writes an incoming order's state to its slot.
    mutating func putBack(_ t: Incoming) {
        orders.hot[t.slot] = t.hot
        orders.cold[t.slot] = t.cold
    }

    private mutating func concludeByQuote(_ t: inout Incoming) -> OrderStatus {
        returnFunds(t)
        t.hot.quantity = t.cumQty
        if t.reason == .selfTrade { return leave(t, .expiredInMatch, .selfTrade) }
        let isFilled = t.cumQty > 0 && (t.funds == 0 || t.couldNotPay)
        return leave(t, isFilled ? .filled : .expired, .liquidity)
    }

    /// Reports the end of an incoming order that has a slot, and frees the slot.
    private mutating func leave(
        _ t: Incoming, _ status: OrderStatus, _ reason: EndReason
    ) -> OrderStatus {
        report(.ended(reason), t.hot, stopPrice: t.cold.stopPrice, status, leaves: 0)
        if events.kept == .all {
            events.keep(
                .orderEnded(
                    view(t.hot, t.cold, status, leaves: 0, quoteQuantity: t.quoteQuantity), reason))
        }
        if t.slot != none { release(t.slot) }
        return status
    }

    /// Returns the rest of an ended incoming order's hold.
    private mutating func returnFunds(_ t: Incoming) {
        let i = Int(t.hot.instrument)
        let unused: Int128
        switch (t.kind, t.hot.side) {
        case (.limit, .buy):
            unused = notional(t.hot.price, t.hot.leaves, instruments[i].notionalUnit)
        case (.market, .buy), (.quote, .buy): unused = t.funds
        case (.limit, .sell), (.market, .sell):
            unused = Int128(t.hot.leaves) * Int128(instruments[i].lotUnits)
        case (.quote, .sell): unused = Int128(t.lotsHeld) * Int128(instruments[i].lotUnits)
        }
        ledger.hold(t.hot.account, heldAsset(t.hot.side, t.hot.instrument), -unused)
    }
}
