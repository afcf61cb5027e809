// Moving orders into and out of their levels.

internal import Slabs
internal import Terms

extension Engine {
    /// Price × quantity in quote units, clamped to the largest `Int128`.
    @inline(__always)
    func notional(_ price: Int64, _ lots: Int64, _ unit: Int64) -> Int128 {
        // 2^48 × 2^60 fits 128 bits; only the last factor can overflow. Mostly two factors fit 64
        // bits: then two multiplications suffice.
        let product = Int128(price) &* Int128(lots)
        if product >> 63 == 0 { return Int128(Int64(truncatingIfNeeded: product)) &* Int128(unit) }
        let (whole, overflow) = product.multipliedReportingOverflow(by: Int128(unit))
        return overflow ? .max : whole
    }

    /// Appends an order to the level at `price` of its ladder.
    @inline(__always)
    mutating func attach(_ slot: UInt32, at price: Int64) {
        let kind = orders.hot[slot].ladder
        let ladder = Ladders.index(orders.hot[slot].instrument, kind)
        let level = ladders.take(ladder, kind, price)
        orders.hot[slot].level = level
        ladders.append(
            slot, level, &orders.hot, shown: orders.shown(slot), open: orders.hot[slot].leaves)
        if !orders.hot[slot].isWorking { updateTriggers(orders.hot[slot].instrument) }
    }

    /// Removes an order from its level, and an empty level from its ladder.
    @inline(__always)
    mutating func detach(_ slot: UInt32) {
        let (level, kind) = (orders.hot[slot].level, orders.hot[slot].ladder)
        let ladder = Ladders.index(orders.hot[slot].instrument, kind)
        let link = ladders.unlink(
            slot, level, &orders.hot, shown: orders.shown(slot), open: orders.hot[slot].leaves)
        ladders.giveBack(ladder, kind, level, after: link)
        if !orders.hot[slot].isWorking {
            let price = orders.cold[slot].stopPrice
            let prices = triggers[Int(orders.hot[slot].instrument)]
            if price == prices.up || price == prices.down {
                updateTriggers(orders.hot[slot].instrument)
            }
            leaveElection(orders.hot[slot].instrument, kind, price)
        }
    }

    /// Shows the next slice of an iceberg order at the end of its level.
    mutating func replenish(_ slot: UInt32) {
        let level = orders.hot[slot].level
        let open = orders.hot[slot].leaves
        ladders.unlink(slot, level, &orders.hot, shown: orders.shown(slot), open: open)
        orders.slice(slot)
        ladders.append(slot, level, &orders.hot, shown: orders.shown(slot), open: open)
        let order = orders.hot[slot]
        events.append(
            .orderReplenished(
                OrderReplenished(
                    order: OrderID(order.id), instrument: InstrumentID(order.instrument),
                    side: order.side, price: Price(ticks: order.price),
                    displayed: Quantity(lots: orders.shown(slot)))))
    }

    /// Reduces an order in a level, hidden lots first.
    @inline(__always)
    mutating func takeOff(_ lots: Int64, _ slot: UInt32, _ level: UInt32) {
        let shown = orders.shown(slot)
        orders.take(lots, from: slot)
        ladders.levels[level].shown -= shown - orders.shown(slot)
        ladders.levels[level].open -= lots
    }

    /// The hold of an open order: not stored, a function of its terms.
    @inline(__always)
    func held(_ slot: UInt32) -> Int128 {
        let order = orders.hot[slot]
        let instrument = Int(order.instrument)
        if order.side == .sell {
            return Int128(order.leaves) * Int128(instruments[instrument].lotUnits)
        }
        let price = order.type.hasPrice ? order.price : orders.cold[slot].stopPrice
        return notional(price, order.leaves, instruments[instrument].notionalUnit)
    }

    /// An open order's stop price, or 0: its line is read only if there is one.
    @inline(__always) func stopPrice(_ slot: UInt32) -> Int64 {
        orders.hot[slot].type.isTriggered ? orders.cold[slot].stopPrice : 0
    }

    /// Lots that an open order has traded.
    @inline(__always) func cumQty(_ slot: UInt32) -> Int64 {
        let (quantity, leaves) = (orders.hot[slot].quantity, orders.hot[slot].leaves)
        // Mostly nothing was traded or prevented, and nothing else has to be read.
        return quantity == leaves ? 0 : quantity - leaves - orders.cold[slot].preventedQuantity
    }

    /// The status of an open order.
    @inline(__always) func status(_ slot: UInt32) -> OrderStatus {
        cumQty(slot) == 0 ? .new : .partiallyFilled
    }

    /// The asset that an order on this side holds.
    @inline(__always)
    func heldAsset(_ side: Side, _ instrument: UInt16) -> UInt16 {
        // Both are read: the branch predictor can't foresee the side.
        let quote = instruments[Int(instrument)].quote.number
        let base = instruments[Int(instrument)].base.number
        return side == .buy ? quote : base
    }

    /// Stores an order in a slot, and counts it for its account.
    @inline(__always)
    mutating func enter(_ hot: HotOrder, _ cold: ColdOrder) -> UInt32 {
        let slot = orders.insert(hot, cold)
        join(slot, hot.account)
        return slot
    }

    /// Appends a slot's order to its account's list.
    @inline(__always)
    mutating func join(_ slot: UInt32, _ account: UInt32) {
        let last = accounts.slots[account].lastOrder
        orders.links[slot] = Link(next: none, previous: last)
        accounts.slots[account].lastOrder = slot
        accounts.slots[account].openOrders += 1
        if last != none {
            orders.links[last].next = slot
        } else {
            accounts.slots[account].firstOrder = slot
            orders.mark(account: account, hasOrders: true)
        }
    }

    /// Removes a slot's order from its account's list.
    @inline(__always)
    private mutating func leave(_ slot: UInt32, _ account: UInt32) {
        let link = orders.links[slot]
        accounts.slots[account].openOrders -= 1
        if link.next != none {
            orders.links[link.next].previous = link.previous
        } else {
            accounts.slots[account].lastOrder = link.previous
        }
        if link.previous != none {
            orders.links[link.previous].next = link.next
        } else {
            accounts.slots[account].firstOrder = link.next
            if link.next == none { orders.mark(account: account, hasOrders: false) }
        }
    }

    /// Stores an order in a slot and its level.
    @inline(__always)
    mutating func rest(_ hot: HotOrder, _ cold: ColdOrder) {
        attach(enter(hot, cold), at: hot.isWorking ? hot.price : cold.stopPrice)
    }

    /// Frees an order's slot after it left its level.
    @inline(__always)
    mutating func release(_ slot: UInt32) {
        leaveMassCancels(slot)
        leave(slot, orders.hot[slot].account)
        orders.remove(slot)
    }

    /// Ends a resting order: returns its hold and frees its slot.
    mutating func end(_ slot: UInt32, _ status: OrderStatus, _ reason: EndReason) {
        let order = orders.hot[slot]
        ledger.hold(order.account, heldAsset(order.side, order.instrument), -held(slot))
        reportEnded(slot, status, reason)
        detach(slot)
        release(slot)
    }

    /// Reports the end of an order in a slot.
    @inline(__always)
    mutating func reportEnded(_ slot: UInt32, _ status: OrderStatus, _ reason: EndReason) {
        report(.ended(reason), orders.hot[slot], stopPrice: stopPrice(slot), status, leaves: 0)
        if events.kept == .all {
            orders.hot[slot].updatedTime = timestamp
            events.keep(
                .orderEnded(view(orders.hot[slot], orders.cold[slot], status, leaves: 0), reason))
        }
    }
}
