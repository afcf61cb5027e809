// What of the book an order reaches, looked at before anything changes.

import Engine
import Terms

/// What an order wants of the opposite side.
struct SlowNeed {
    var account: AccountID
    var instrument: InstrumentID
    var side: Side
    var mode: SelfTradePrevention
    var isFillOrKill: Bool
    /// The worst price that it takes; nil is any.
    var bound: Price?
    /// Lots, or for an order by quote an amount.
    var lots: Int128
    var quote: Int128?
    /// More lots than this end the walk.
    var lotsMax: Int128 = .max
}

/// What it reaches.
struct SlowReach {
    var lots: Int128 = 0
    var cost: Int128 = 0
    /// Lots that are wanted and not reached.
    var missing: Int128 = 0
    var looks = 0
    /// Whether the turn's looks did not suffice.
    var isCut = false
    var lastPrice: Price?
}

extension SlowExchange {
    func reach(_ need: SlowNeed) -> SlowReach {
        var walk = SlowWalk(
            need: need, looksMax: 4 * Int(limits.turnSteps),
            unit: Int128(instrument(need.instrument).notionalUnit))
        let makers = resting(need.instrument, need.side.opposite)
        let isCareful =
            need.mode != .none && !(flaw == .fillOrKillSeesOwnOrders && need.isFillOrKill)
            && !(flaw == .sweepSeesOwnOrders && !need.isFillOrKill)
        let isLong = openOrders(of: need.account) > Int(limits.turnSteps)
        if isCareful, !isLong || flaw == .longListIsWalked {
            // In any instrument.
            for order in open where order.view.account == need.account {
                if !walk.look() { return walk.result }
            }
        }
        for price in prices(need.instrument, need.side.opposite)
        where isWithin(price, need.side, need.bound) {
            if walk.isOver || !walk.look() { break }
            walk.reach.lastPrice = price
            let here = makers.filter { $0.view.price == price }.sorted { $0.arrival < $1.arrival }
            let hasOwn = here.contains { $0.view.account == need.account }
            if isCareful, hasOwn || isLong {
                // By quote, the queue is walked on where the amount came out even.
                for order in here where !walk.hasStopped {
                    if walk.look() { take(order, &walk, price) }
                }
                let isShownAlone =
                    need.mode != .expireMaker && (need.mode != .decrement || need.isFillOrKill)
                if isShownAlone, !hasOwn, !walk.hasStopped {
                    walk.take(here.reduce(0) { $0 + Int128($1.leaves - $1.displayed) }, at: price)
                }
            } else {
                walk.take(here.reduce(0) { $0 + Int128($1.leaves) }, at: price)
            }
        }
        return walk.result
    }

    /// One order of a price where own ones stand.
    private func take(_ order: SlowOrder, _ walk: inout SlowWalk, _ price: Price) {
        let isOwn = order.view.account == walk.need.account
        let decrements = walk.need.mode == .decrement && !walk.need.isFillOrKill
        let isSellByQuote = walk.need.quote != nil && walk.need.side == .sell
        if walk.need.mode == .expireMaker {
            if !isOwn { walk.take(Int128(order.leaves), at: price) }
        } else if decrements {
            walk.take(Int128(order.leaves), at: price, gives: !isOwn || isSellByQuote)
            if walk.isOver { walk.hasStopped = true }
        } else if isOwn {
            walk.hasStopped = true
        } else {
            walk.take(Int128(order.displayed), at: price)
        }
    }

    /// Whether an order of `side` takes `price`.
    func isWithin(_ price: Price, _ side: Side, _ bound: Price?) -> Bool {
        guard let bound else { return true }
        return side == .buy ? price <= bound : price >= bound
    }

    /// The worst price that an order takes now; nil is any.
    func bound(_ type: OrderType, _ side: Side, _ price: Price, _ i: InstrumentView) -> Price? {
        if type.hasPrice { return price }
        guard let ref = reference(i) else { return nil }
        let million: Int128 = 1_000_000
        switch side {
        case .buy:
            if i.bandUp == 0 { return nil }
            var most = Int128(ref.ticks) * (million + Int128(i.bandUp))
            if flaw == .bandIsExclusive { most -= 1 }
            return Price(ticks: Int64(most / million))
        case .sell:
            if i.bandDown == 0 { return nil }
            let least = Int128(ref.ticks) * (million - Int128(i.bandDown))
            return Price(ticks: Int64((least + million - 1) / million))
        }
    }
}

/// A walk over prices that counts its looks.
struct SlowWalk {
    let need: SlowNeed
    let looksMax: Int
    let unit: Int128
    var reach = SlowReach()
    private var lots: Int128
    private var rest: Int128
    /// Whether nothing more is looked at.
    var hasStopped = false
    /// Whether no further price is looked at.
    var isOver: Bool { hasStopped || (need.quote != nil && rest == 0) }

    init(need: SlowNeed, looksMax: Int, unit: Int128) {
        self.need = need
        self.looksMax = looksMax
        self.unit = unit
        lots = need.lots
        rest = need.quote ?? 0
    }

    /// Takes a look, where there is one left.
    mutating func look() -> Bool {
        if reach.looks == looksMax {
            reach.isCut = true
            hasStopped = true
            return false
        }
        reach.looks += 1
        return true
    }

    /// Takes what is needed of `there` lots; own ones shrink the need and give nothing.
    mutating func take(_ there: Int128, at price: Price, gives: Bool = true) {
        let perLot = product(Int128(price.ticks), unit, 1)
        let taken = min(there, need.quote == nil ? lots : rest / perLot)
        if need.quote == nil {
            lots -= taken
            if lots == 0 { hasStopped = true }
        } else {
            rest -= taken * perLot
            if taken < there { hasStopped = true }
        }
        guard gives else { return }
        reach.lots += taken
        reach.cost = sum(reach.cost, product(taken, perLot, 1))
        if reach.lots > need.lotsMax { hasStopped = true }
    }

    var result: SlowReach {
        var reach = reach
        reach.missing = lots
        return reach
    }
}
