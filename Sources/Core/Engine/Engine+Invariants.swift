// What must hold after every command, looked at from outside the hot path.

internal import Slabs
internal import Terms

extension Engine {
    /// The first invariant that does not hold, in words, or nil. O(accounts × assets + orders).
    public borrowing func checkInvariants() -> String? {
        checkLedger() ?? checkBooks() ?? checkIndices()
    }

    /// Per asset, all accounts sum to zero, and what is held is just what open orders hold.
    private func checkLedger() -> String? {
        for asset in 1...max(1, assetsUsed) where assetsUsed > 0 {
            let house = ledger.house[Int(asset)]
            var sum = house.external.units + house.fees.units + house.rounding.units
            for account in 0...accounts.count {
                let balance = ledger.balance(account, asset)
                if balance.available.units < 0 || balance.held.units < 0 {
                    return "account \(account) has less than nothing of asset \(asset)"
                }
                sum += balance.available.units + balance.held.units
            }
            if sum != 0 { return "asset \(asset) does not sum to zero: \(sum)" }
        }
        struct Key: Hashable {
            var account: UInt32
            var asset: UInt16
        }
        var holds: [Key: Int128] = [:]
        var openOrders: [UInt32: UInt32] = [:]
        for slot in 0..<orders.used where orders.hot[slot].account != 0 {
            let order = orders.hot[slot]
            let asset = heldAsset(order.side, order.instrument)
            holds[Key(account: order.account, asset: asset), default: 0] += held(slot)
            openOrders[order.account, default: 0] += 1
        }
        for account in 0...accounts.count {
            if accounts.slots[account].openOrders != openOrders[account] ?? 0 {
                return "account \(account) miscounts its open orders"
            }
            for asset in 0...assetsUsed {
                let expected = holds[Key(account: account, asset: asset)] ?? 0
                if ledger.balance(account, asset).held.units != expected {
                    return "account \(account) holds other than its orders of asset \(asset)"
                }
            }
        }
        return nil
    }

    private func checkBooks() -> String? {
        var seen = 0
        for instrument in 1...max(1, instrumentsUsed) where instrumentsUsed > 0 {
            for kind in [LadderKind.bids, .asks, .stopsUp, .stopsDown] {
                if let fault = check(instrument, kind, &seen) { return fault }
            }
            let bid = ladders.best(Ladders.index(instrument, .bids))
            let ask = ladders.best(Ladders.index(instrument, .asks))
            if bid != none, ask != none, ladders.price(bid) >= ladders.price(ask) {
                return "the book of instrument \(instrument) is crossed"
            }
        }
        return seen == orders.count ? nil : "an open order stands in no ladder"
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
        var shown: Int64 = 0
        var count: UInt32 = 0
        while slot != none {
            let order = orders.hot[slot]
            let at = order.isWorking ? order.price : orders.cold[slot].stopPrice
            if ladders.previous(slot) != previous || order.level != level
                || order.ladder != kind || order.instrument != instrument
                || at != ladders.price(level)
            {
                return "order \(order.id) is linked wrongly"
            }
            if order.leaves <= 0 || order.shown <= 0 || order.shown > order.leaves
                || order.leaves > order.quantity
            {
                return "order \(order.id) has quantities that do not fit"
            }
            shown += order.shown
            count += 1
            previous = slot
            slot = ladders.next(slot)
        }
        seen += Int(count)
        return ladders.shown[level] == shown && ladders.last(level) == previous && count > 0
            ? nil : "a level of instrument \(instrument) miscounts its orders"
    }

    private func checkIndices() -> String? {
        var count = 0
        for slot in 0..<orders.used where orders.hot[slot].account != 0 {
            count += 1
            let (order, cold) = (orders.hot[slot], orders.cold[slot])
            if orders.find(order.id) != slot { return "order \(order.id) is not in the index" }
            if cold.account != order.account { return "order \(order.id) has two accounts" }
            if !cold.clOrdID.isEmpty,
                orders.find(account: order.account, clOrdID: cold.clOrdID) != slot
            {
                return "order \(order.id) is not found by its client order id"
            }
            if (order.timeInForce == .gtd) != (cold.timer != none) {
                return "order \(order.id) has a timer that does not fit"
            }
        }
        return count == orders.count ? nil : "the number of open orders is wrong"
    }
}
