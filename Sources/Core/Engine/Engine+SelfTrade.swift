// Self-trade prevention: an incoming order meets one of its own account.

internal import Slabs
internal import Terms

extension Engine {
    /// Applies the incoming order's mode to the two; false when the incoming order ended.
    mutating func preventSelfTrade(_ t: inout Incoming, _ maker: UInt32, _ price: Int64) -> Bool {
        switch t.hot.selfTradePrevention {
        case .none, .instrumentDefault: preconditionFailure("no prevention was asked for")
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

    private mutating func decrement(_ t: inout Incoming, _ maker: UInt32, _ price: Int64) -> Bool {
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
        let level = orders.hot[maker].level
        shrinkHold(maker, by: lots)
        orders.cold[maker].preventedQuantity += lots
        orders.hot[maker].updatedTime = timestamp
        takeOff(lots, maker, level)
        if lots == makerLeaves {
            reportEnded(maker, .expiredInMatch, .selfTrade)
            detach(maker)
            release(maker)
        } else {
            reportAmended(maker, oldPrice: price)
        }
        return decrementIncoming(&t, lots, price)
    }

    private mutating func decrementIncoming(
        _ t: inout Incoming, _ lots: Int64, _ price: Int64
    ) -> Bool {
        let unit = instruments[Int(t.hot.instrument)].notionalUnit
        t.hot.updatedTime = timestamp
        if t.kind == .quote {
            let amount = notional(price, lots, unit)
            t.funds -= amount
            // The hold of the prevented lots returns at once.
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
        t.cold.preventedQuantity += lots
        if t.kind == .limit || t.hot.side == .sell {
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
        let status: OrderStatus = t.cumQty == 0 ? .new : .partiallyFilled
        report(
            .amended(oldPrice: price), t.hot, stopPrice: t.cold.stopPrice, status,
            leaves: t.hot.leaves)
        if events.kept == .all {
            events.keep(
                .orderAmended(
                    view(t.hot, t.cold, status, leaves: t.hot.leaves),
                    oldPrice: Price(ticks: price)))
        }
        return true
    }

    /// Returns the hold of some lots of a resting order.
    private mutating func shrinkHold(_ slot: UInt32, by lots: Int64) {
        let order = orders.hot[slot]
        let instrument = instruments[Int(order.instrument)]
        let units =
            order.side == .sell
            ? Int128(lots) * Int128(instrument.lotUnits)
            : notional(order.price, lots, instrument.notionalUnit)
        ledger.hold(order.account, heldAsset(order.side, order.instrument), -units)
    }
}
