// The part of the book that an order reaches, determined before any change. RULES.md, "Reach".

internal import Slabs
internal import Terms

/// The order whose reach is wanted: its account, bound and need.
struct Reach {
    var instrument: UInt16
    var side: Side
    var account: UInt32
    var mode: SelfTradePrevention
    /// Its worst price.
    var bound: Int64
    /// Lots still needed; not used by quote.
    var lotsWanted: Int64 = 0
    /// Quote units still needed, of an order by quote.
    var amountWanted: Int128 = 0
    var isByQuote = false
    var isFillOrKill = false

    /// Lots that it would get; of a sell by quote also those that prevention would take.
    var lots: Int64 = 0
    /// Their value in quote units; `.max` if beyond the possible range.
    var cost: Int128 = 0
    /// The last price looked at, or 0.
    var lastPrice: Int64 = 0
    /// Looks taken.
    var looks = 0
    /// True when a turn's looks did not suffice.
    var isShort = false
    /// True when the walk has ended.
    var isDone = false
}

extension Engine {
    /// Determines the order's reach.
    func look(_ r: inout Reach) {
        // Queues in place of a long list: a price's own orders are in its queue as well.
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

    /// Counts a look; false when none is left.
    private func take(_ r: inout Reach) -> Bool {
        r.looks += 1
        if r.looks > looksMax { r.isShort = true }
        return !r.isShort
    }

    /// The prices of the account's own opposite orders from the best on; empty if irrelevant.
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

    /// Walks the queue of a price that has, or may have, own orders.
    private func lookAtQueue(_ r: inout Reach, _ level: UInt32, _ price: Int64) {
        let skips = r.mode == .expireMaker
        let blocks = !skips && (r.mode != .decrement || r.isFillOrKill)
        let most = wanted(r, price)
        var sum: Int64 = 0
        var slot = ladders.first(level)
        while slot != none {
            // The orders looked at still count.
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
        // To the queue's end: it has no own order, and hidden lots count.
        let isWhole = blocks && !isBlocked && slot == none
        if isWhole { sum = ladders.levels[level].open }
        if skips || blocks { give(&r, sum, price, isCounted: true) }
        r.isDone = r.isDone || isBlocked
    }

    /// Lots that the order could use at this price.
    private func wanted(_ r: Reach, _ price: Int64) -> Int64 {
        r.isByQuote ? affordable(r.amountWanted, price, r.instrument) : r.lotsWanted
    }

    /// Takes the usable part of `open` lots at this price. Uncounted lots are the account's own:
    /// they reduce the need only, except that a sell by quote holds them too.
    private func give(_ r: inout Reach, _ open: Int64, _ price: Int64, isCounted: Bool) {
        let wanted = wanted(r, price)
        let here = min(wanted, open)
        let value = notional(price, here, instruments[Int(r.instrument)].notionalUnit)
        if isCounted || r.isByQuote && r.side == .sell {
            let (sum, overflow) = r.lots.addingReportingOverflow(here)
            r.lots = overflow ? .max : sum
        }
        if isCounted {
            // Beyond the range of any asset: stop before an overflow.
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
