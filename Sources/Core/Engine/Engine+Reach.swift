// What of the book an order reaches, looked at before anything changes. RULES.md, "Reach".

internal import Slabs
internal import Terms

/// Who looks, how far, and for how much.
struct Reach {
    var instrument: UInt16
    var side: Side
    var account: UInt32
    var mode: SelfTradePrevention
    /// The worst price that it takes.
    var bound: Int64
    /// Lots still wanted; not used by quote.
    var lotsWanted: Int64 = 0
    /// Quote units still wanted, of an order by quote.
    var amountWanted: Int128 = 0
    var isByQuote = false
    var isFillOrKill = false

    /// Lots that it would get, and of a sell by quote those that prevention would take.
    var lots: Int64 = 0
    /// What they are worth in quote units; `.max` where it would be more than there can be.
    var cost: Int128 = 0
    /// The last price that was looked at, or 0.
    var lastPrice: Int64 = 0
    /// Looks that were taken.
    var looks = 0
    /// True when the looks of a turn did not suffice.
    var isShort = false
    /// True when nothing further is to be reached.
    var isDone = false
}

extension Engine {
    /// Looks at what the order reaches.
    func look(_ r: inout Reach) {
        // Rather the queues than a long list: a price's own orders stand in its queue as well.
        let walksQueues =
            r.mode != .none && accounts.slots[r.account].openOrders > limits.turnSteps
        let own = walksQueues ? [] : ownPrices(&r)
        let kind = LadderKind(r.side.opposite)
        let ladder = Ladders.index(r.instrument, kind)
        var ownPlace = 0
        var level = ladders.best(ladder)
        while level != none, !r.isDone, r.isByQuote ? r.amountWanted > 0 : r.lotsWanted > 0 {
            let price = ladders.price(level)
            if r.side == .buy ? price > r.bound : price < r.bound { return }
            if !take(&r) { return }
            r.lastPrice = price
            while ownPlace < own.count, kind.rank(own[ownPlace]) < kind.rank(price) {
                ownPlace += 1
            }
            if walksQueues || ownPlace < own.count && own[ownPlace] == price {
                lookAtQueue(&r, level, price)
            } else {
                give(&r, ladders.levels[level].open, price, isCounted: true)
            }
            if r.isShort { return }
            level = ladders.after(ladder, kind, level: level)
        }
    }

    /// Counts a look; false when there is none left.
    private func take(_ r: inout Reach) -> Bool {
        r.looks += 1
        if r.looks > looksMax { r.isShort = true }
        return !r.isShort
    }

    /// The prices of the account's own opposite orders from the best on; empty where they do not
    /// matter.
    private func ownPrices(_ r: inout Reach) -> [Int64] {
        if r.mode == .none { return [] }
        let kind = LadderKind(r.side.opposite)
        var prices: [Int64] = []
        var slot = accounts.slots[r.account].firstOrder
        while slot != none {
            if !take(&r) {
                r.isDone = true
                return []
            }
            if orders.hot[slot].instrument == r.instrument, orders.hot[slot].level != none,
                orders.hot[slot].ladder == kind
            {
                prices.append(orders.hot[slot].price)
            }
            slot = orders.links[slot].next
        }
        if prices.count > 1 { prices.sort { kind.rank($0) < kind.rank($1) } }
        return prices
    }

    /// Walks the queue of a price where own orders stand, or may.
    private func lookAtQueue(_ r: inout Reach, _ level: UInt32, _ price: Int64) {
        let skips = r.mode == .expireMaker
        let blocks = !skips && (r.mode != .decrement || r.isFillOrKill)
        let most = wanted(r, price)
        var sum: Int64 = 0
        var slot = ladders.first(level)
        while slot != none {
            // What was looked at counts all the same.
            if !take(&r) { break }
            let isOwn = orders.hot[slot].account == r.account
            if isOwn, blocks {
                r.isDone = true
                break
            }
            if !skips, !blocks {
                give(&r, orders.hot[slot].leaves, price, isCounted: !isOwn)
                if r.isDone || (r.isByQuote ? r.amountWanted : Int128(r.lotsWanted)) == 0 { return }
            } else if !isOwn {
                sum += blocks ? orders.shown(slot) : orders.hot[slot].leaves
                if r.isByQuote ? sum > most : sum >= most { break }
            }
            slot = orders.hot[slot].link.nextOrder
        }
        let isBlocked = r.isDone
        // To the end of the queue: none of its own stands there, and hidden lots count.
        let isWhole = blocks && !isBlocked && slot == none
        if isWhole { sum = ladders.levels[level].open }
        if skips || blocks { give(&r, sum, price, isCounted: true) }
        r.isDone = r.isDone || isBlocked
    }

    /// Lots that the order could use at this price.
    private func wanted(_ r: Reach, _ price: Int64) -> Int64 {
        r.isByQuote ? affordable(r.amountWanted, price, r.instrument) : r.lotsWanted
    }

    /// Takes what the order can use of `open` lots at this price. What is not counted is its own:
    /// it shrinks the need alone, but that a sell by quote holds it too.
    private func give(_ r: inout Reach, _ open: Int64, _ price: Int64, isCounted: Bool) {
        let wanted = wanted(r, price)
        let here = min(wanted, open)
        let value = notional(price, here, instruments[Int(r.instrument)].notionalUnit)
        if isCounted || r.isByQuote && r.side == .sell {
            let (sum, overflow) = r.lots.addingReportingOverflow(here)
            r.lots = overflow ? .max : sum
        }
        if isCounted {
            // More than there can be of any asset: no need to count on, and no overflow.
            if value > Limits.amountUnitsMax - r.cost {
                r.cost = .max
                r.isDone = true
                return
            }
            r.cost += value
        }
        if r.isByQuote {
            r.amountWanted -= value
            if open > wanted { r.isDone = true }
        } else {
            r.lotsWanted -= here
        }
    }
}
