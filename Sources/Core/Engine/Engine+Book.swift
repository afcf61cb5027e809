// Orders in and out of their levels.

internal import Slabs
internal import Terms

extension Engine {
    /// Price × quantity in quote units; the largest `Int128` where it would be more.
    @inline(__always)
    func notional(_ price: Int64, _ lots: Int64, _ unit: Int64) -> Int128 {
        // 2^48 × 2^60 fits 128 bits; only the last factor can leave them, and mostly two factors
        // fit 64 bits, where the whole is two multiplications.
        let product = Int128(price) &* Int128(lots)
        if product >> 63 == 0 {
            return Int128(Int64(truncatingIfNeeded: product)) &* Int128(unit)
        }
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
        ladders.append(slot, level, orders.hot[slot].shown)
    }

    /// Takes an order out of its level, and the level out of its ladder when it was the last.
    @inline(__always)
    mutating func detach(_ slot: UInt32) {
        let (level, kind) = (orders.hot[slot].level, orders.hot[slot].ladder)
        let ladder = Ladders.index(orders.hot[slot].instrument, kind)
        let link = ladders.unlink(slot, level, orders.hot[slot].shown)
        ladders.giveBack(ladder, kind, level, after: link)
    }

    /// Shows the next slice of an iceberg order at the end of its level.
    mutating func replenish(_ slot: UInt32) {
        let level = orders.hot[slot].level
        ladders.unlink(slot, level, orders.hot[slot].shown)
        orders.hot[slot].shown = orders.hot[slot].slice(of: orders.hot[slot].leaves)
        ladders.append(slot, level, orders.hot[slot].shown)
        let order = orders.hot[slot]
        events.append(
            .orderReplenished(
                OrderReplenished(
                    order: OrderID(order.id), instrument: InstrumentID(order.instrument),
                    side: order.side, price: Price(ticks: order.price),
                    displayed: Quantity(lots: order.shown))))
    }

    /// What an open order holds: never stored, always the same function of its terms.
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

    /// The asset that an order on this side holds.
    @inline(__always)
    func heldAsset(_ side: Side, _ instrument: UInt16) -> UInt16 {
        // Both are read, for the side can't be foreseen.
        let quote = instruments[Int(instrument)].quote.number
        let base = instruments[Int(instrument)].base.number
        return side == .buy ? quote : base
    }

    /// Puts an order into a slot and its level, and counts it for its account.
    mutating func rest(_ hot: HotOrder, _ cold: ColdOrder) -> UInt32 {
        let slot = orders.insert(hot, cold)
        if !isBare { accounts.slots[hot.account].openOrders += 1 }
        attach(slot, at: hot.isWorking ? hot.price : cold.stopPrice)
        return slot
    }

    /// Frees an order's slot after it left its level.
    @inline(__always)
    mutating func release(_ slot: UInt32) {
        if !isBare { accounts.slots[orders.hot[slot].account].openOrders -= 1 }
        orders.remove(slot)
    }

    /// Ends a resting order: its hold goes back, and it is gone.
    mutating func end(_ slot: UInt32, _ status: OrderStatus, _ reason: EndReason) {
        let order = orders.hot[slot]
        if !isBare {
            ledger.hold(order.account, heldAsset(order.side, order.instrument), -held(slot))
            orders.cold[slot].updatedTime = timestamp
            tell(5 | UInt64(reason.rawValue) << 8, order, orders.cold[slot], status, leaves: 0) {
                .orderEnded($0, reason)
            }
        }
        detach(slot)
        release(slot)
    }
}
