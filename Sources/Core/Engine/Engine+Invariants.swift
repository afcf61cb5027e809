// Invariants that hold after every command, checked outside the hot path. RULES.md, "What always
// holds".

internal import Slabs
internal import Terms

extension Engine {
    /// The first invariant that does not hold, in words, or nil: which asset, account or order, and
    /// by how much. O(accounts × assets + orders).
    public borrowing func checkInvariants() -> String? {
        checkConservation() ?? checkHolds() ?? checkBooks() ?? checkFlights() ?? checkElections()
            ?? checkIndices() ?? checkLists() ?? checkMassCancels() ?? checkOfRules()
    }

    private func checkOfRules() -> String? {
        checkCustody() ?? checkOperators() ?? checkWithdrawalRules()
    }

    // MARK: Money

    /// Per asset all accounts sum to zero and no owned amount is negative: customers own no more
    /// than came in.
    func checkConservation() -> String? {
        if assetsUsed == 0 { return nil }
        for asset in 1...assetsUsed {
            let house = ledger.house[Int(asset)]
            let code = assets[Int(asset)].code
            var customers: Int128 = 0
            for account in 0...accounts.count {
                let b = ledger.balance(account, asset)
                for (part, name) in [
                    (b.available, "available"), (b.held, "held"), (b.withdrawing, "withdrawing"),
                ] where part.units < 0 || part.units > Limits.amountUnitsMax {
                    return "account \(account) has \(part.units) units of \(code) \(name)"
                }
                let own = b.available.units + b.held.units + b.withdrawing.units
                customers += own
                if customers > 4 * Limits.amountUnitsMax {
                    return "customers own more of \(code) than there can be"
                }
            }
            for (part, name) in [
                (house.fees, "fees"), (house.rounding, "rounding"), (house.inTransit, "in transit"),
            ] where part.units < 0 {
                return "the house's \(name) of \(code) are \(part.units) units"
            }
            let cameIn = -(house.external.units + house.chain.units)
            if customers > cameIn {
                return "customers own \(customers - cameIn) units of \(code) more than came in"
            }
            let sum =
                customers + house.fees.units + house.rounding.units + house.inTransit.units - cameIn
            if sum != 0 { return "all accounts of \(code) sum to \(sum) units, not to zero" }
        }
        return nil
    }

    /// Open orders' holds, at `asset × (accounts + 1) + account`; `.max` if beyond the possible
    /// range.
    func heldByOrders() -> Slab<Int128> {
        let stride = Int(accounts.count) + 1
        var holds = Slab<Int128>(capacity: (Int(assetsUsed) + 1) * stride)
        func add(_ slot: UInt32, _ units: Int128, _ holds: inout Slab<Int128>) {
            let order = orders.hot[slot]
            let asset = heldAsset(order.side, order.instrument)
            let place = Int(asset) * stride + Int(order.account)
            let (sum, overflow) = holds[place].addingReportingOverflow(units)
            holds[place] = overflow ? .max : sum
        }
        for slot in 0..<orders.used
        where orders.hot[slot].account != 0 && orders.hot[slot].level != none {
            add(slot, held(slot), &holds)
        }
        flights.forEach { instrument in
            let flight = flightTerms[instrument]
            add(flight.slot, held(flight), &holds)
        }
        return holds
    }

    /// The held amount of an asset is the sum of its open orders' holds.
    func checkHolds() -> String? {
        let holds = heldByOrders()
        let stride = Int(accounts.count) + 1
        for asset in 0...assetsUsed {
            for account in 0...accounts.count {
                let expected = holds[Int(asset) * stride + Int(account)]
                let held = ledger.balance(account, asset).held.units
                if held != expected {
                    let code = assets[Int(asset)].code
                    return "account \(account) holds \(held) units of \(code),"
                        + " its open orders \(expected)"
                }
            }
        }
        return nil
    }

    // MARK: Books

    private func checkBooks() -> String? {
        var seen = flights.count
        for instrument in 1...max(1, instrumentsUsed) where instrumentsUsed > 0 {
            for kind in [LadderKind.bids, .asks, .stopsUp, .stopsDown] {
                if let fault = check(instrument, kind, &seen) { return fault }
            }
            if isCrossed(instrument) { return "the book of instrument \(instrument) is crossed" }
        }
        return seen == orders.count ? nil : "an open order is in no ladder"
    }

    /// Whether the best bid would trade with the best ask.
    func isCrossed(_ instrument: UInt16) -> Bool {
        let bid = ladders.best(Ladders.index(instrument, .bids))
        let ask = ladders.best(Ladders.index(instrument, .asks))
        return bid != none && ask != none && ladders.price(bid) >= ladders.price(ask)
    }

    private func check(_ instrument: UInt16, _ kind: LadderKind, _ seen: inout Int) -> String? {
        let ladder = Ladders.index(instrument, kind)
        var level = ladders.best(ladder)
        var last: Int64?
        var levels: UInt32 = 0
        while level != none {
            let price = ladders.price(level)
            if let last, kind.isDescending ? price >= last : price <= last {
                return "the levels of instrument \(instrument) are out of order"
            }
            last = price
            levels += 1
            if let fault = check(level, instrument, kind, &seen) { return fault }
            level = ladders.after(ladder, kind, price)
        }
        return levels == ladders.count(ladder)
            ? nil : "a level of instrument \(instrument) is out of reach"
    }

    private func check(
        _ level: UInt32, _ instrument: UInt16, _ kind: LadderKind, _ seen: inout Int
    ) -> String? {
        var slot = ladders.first(level)
        var previous = none
        var (shown, open): (Int64, Int64) = (0, 0)
        var count: UInt32 = 0
        while slot != none {
            let (order, show) = (orders.hot[slot], orders.shown(slot))
            let at = order.isWorking ? order.price : orders.cold[slot].stopPrice
            if order.link.previousOrder != previous || order.level != level
                || order.ladder != kind || order.instrument != instrument
                || at != ladders.price(level)
            {
                return "order \(order.id) is linked wrongly"
            }
            if order.leaves <= 0 || show <= 0 || show > order.leaves
                || orders.cold[slot].preventedQuantity < 0
                || order.leaves > order.quantity - orders.cold[slot].preventedQuantity
            {
                return "order \(order.id) has inconsistent quantities"
            }
            shown += show
            open += order.leaves
            count += 1
            previous = slot
            slot = order.link.nextOrder
        }
        seen += Int(count)
        let total = ladders.levels[level]
        return total.shown == shown && total.open == open && total.count == count
            && ladders.last(level) == previous && count > 0
            ? nil : "a level of instrument \(instrument) miscounts its orders"
    }

    /// Orders in flight are in no level, one per instrument.
    private func checkFlights() -> String? {
        var isSound = true
        var count: [UInt32: UInt32] = [:]
        flights.forEach { instrument in
            let order = orders.hot[flightTerms[instrument].slot]
            if order.account == 0 || order.level != none || !order.isWorking
                || UInt32(order.instrument) != instrument
            {
                isSound = false
            }
            count[order.account, default: 0] += 1
        }
        if !isSound { return "the flight has no matching order" }
        for account in 0...accounts.count
        where accounts.slots[account].flights != count[account] ?? 0 {
            return "account \(account) miscounts its orders in flight"
        }
        for number in 0...instrumentsUsed where deferredStates[Int(number)] != 0 {
            if !hasFlight(number) {
                return "instrument \(number) waits for a missing flight"
            }
        }
        return nil
    }

    /// Ranges have stops, and continue by ticks only where the instrument trades.
    private func checkElections() -> String? {
        var count = 0
        for number in 0...instrumentsUsed where elections.contains(number) {
            count += 1
            let isTrading = instruments[Int(number)].state == .trading
            if elections.running.contains(UInt32(number)) != isTrading
                || electedRuns(number).isEmpty
            {
                return "the elected stops of instrument \(number) are queued wrongly"
            }
        }
        return count == elections.count ? nil : "an election belongs to no instrument"
    }

    /// Pending kill switches and mass cancels are at open orders.
    private func checkMassCancels() -> String? {
        for account in 0...accounts.count {
            let through = accounts.slots[account].killedThrough
            if kills.contains(account) ? through < 1 || through > lastOrder : through != 0 {
                return "the kill switch of account \(account) goes on up to order \(through)"
            }
        }
        if kills.contains(0) != (killCursor != 0) || killCursor > accounts.count {
            return "the venue's kill switch is at the wrong account \(killCursor)"
        }
        for work in massCancels {
            let order = work.slot == none ? nil : orders.hot[work.slot]
            if work.current == 0 || work.current > accounts.count
                || work.account != 0 && work.account != work.current
                || order.map({ $0.account != work.current }) ?? false
            {
                return "a mass cancel is at no order of account \(work.current)"
            }
        }
        return nil
    }

    // MARK: Indices

    private func checkIndices() -> String? {
        var count = 0
        for slot in 0..<orders.used where orders.hot[slot].account != 0 {
            count += 1
            let (order, cold) = (orders.hot[slot], orders.cold[slot])
            if orders.find(order.id) != slot { return "order \(order.id) is not in the index" }
            if order.isIceberg != (cold.display != 0) {
                return "order \(order.id) has a wrong iceberg flag"
            }
            if order.hasClOrdID == cold.clOrdID.isEmpty {
                return "order \(order.id) has a wrong client order id flag"
            }
            if order.hasClOrdID,
                orders.find(account: order.account, clOrdID: cold.clOrdID) != slot
            {
                return "order \(order.id) is not found by its client order id"
            }
            if (order.timeInForce == .gtd) != orders.hasTimer(slot) {
                return "order \(order.id) has a wrong timer"
            }
            if cold.feeOverpaid >= 100_000_000 {
                return "order \(order.id) was charged a unit too much"
            }
        }
        return count == orders.count ? nil : "the number of open orders is wrong"
    }

    /// Each account's orders are linked in the order of their acceptance, and counted.
    private func checkLists() -> String? {
        var total = 0
        for account in 0...accounts.count {
            var (count, last): (UInt32, UInt64) = (0, 0)
            var slot = accounts.slots[account].firstOrder
            while slot != none {
                let order = orders.hot[slot]
                if order.account != account || order.id <= last {
                    return "order \(order.id) is linked wrongly in the list of account \(account)"
                }
                last = order.id
                count += 1
                slot = orders.links[slot].next
            }
            if accounts.slots[account].openOrders != count {
                return "account \(account) miscounts its open orders"
            }
            if (orders.account(from: account, through: account) != nil) != (count > 0) {
                return "account \(account) has a wrong flag for open orders"
            }
            total += Int(count)
        }
        return total == orders.count ? nil : "an open order is in no account's list"
    }
}
