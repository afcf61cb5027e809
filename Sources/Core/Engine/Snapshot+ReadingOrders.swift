// Reading a snapshot: open orders, and continued work.

internal import Glibc
internal import Slabs
internal import Terms
internal import Wire

extension Engine {
    mutating func readOrders(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: orders.capacity) else { return false }
        for _ in 0..<count {
            guard let (hot, cold) = readOrder(&r), isResting(hot, cold) else { return false }
            rest(hot, cold)
        }
        return true
    }

    /// The next order, checked for what all open orders have in common; nil if it is invalid.
    private mutating func readOrder(_ r: inout WireReader) -> (HotOrder, ColdOrder)? {
        var hot = HotOrder(id: r.integer(), price: r.integer(), leaves: r.integer())
        let (shown, display): (Int64, Int64) = (r.integer(), r.integer())
        hot.quantity = r.integer()
        hot.account = r.integer()
        hot.instrument = r.integer()
        hot.side = r.choice(.buy)
        hot.type = r.choice(.limit)
        hot.timeInForce = r.choice(.gtc)
        hot.selfTradePrevention = r.choice(.none)
        hot.isWorking = r.flag()
        r.reserved(1)
        hot.isIceberg = display != 0
        var cold = ColdOrder(strategyType: r.integer(), display: display)
        cold.shown = shown
        cold.cumQuote = r.owned().units
        cold.preventedQuantity = r.integer()
        cold.stopPrice = r.integer()
        cold.expireTime = r.integer()
        cold.createdTime = r.integer()
        hot.updatedTime = r.integer()
        cold.workingTime = r.integer()
        cold.strategyID = r.integer()
        cold.clOrdID = r.text()
        cold.feeOverpaid = r.integer()
        r.endPart()
        hot.hasClOrdID = !cold.clOrdID.isEmpty
        let prices = 0...Limits.priceTicksMax
        let lots = 0...Limits.quantityLotsMax
        guard r.isValid, hot.id >= 1, hot.id <= lastOrder, orders.find(hot.id) == none,
            orders.count < orders.capacity, hasAccount(AccountID(hot.account)),
            hot.instrument >= 1, hot.instrument <= instrumentsUsed, prices.contains(hot.price),
            prices.contains(cold.stopPrice), lots.contains(hot.quantity),
            lots.contains(hot.leaves), lots.contains(shown), lots.contains(display),
            lots.contains(cold.preventedQuantity),
            Int128(hot.quantity) * Int128(limits.openOrders) <= 1 << 62,
            cold.feeOverpaid < 100_000_000, hot.selfTradePrevention != .instrumentDefault,
            cold.clOrdID.count <= Limits.clOrdIDBytesMax,
            !hot.hasClOrdID || orders.find(account: hot.account, clOrdID: cold.clOrdID) == none,
            areTimesSound(hot, cold), areTermsSound(hot, cold)
        else { return nil }
        return (hot, cold)
    }

    /// Whether an order's times are within this log and in order.
    private func areTimesSound(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        let works =
            hot.isWorking
            ? cold.workingTime >= cold.createdTime && cold.workingTime <= hot.updatedTime
            : cold.workingTime == 0
        return works && cold.createdTime >= 0 && hot.updatedTime >= cold.createdTime
            && hot.updatedTime <= timestamp && cold.expireTime >= 0
            && (cold.expireTime > 0) == (hot.timeInForce == .gtd)
    }

    /// Whether an order has exactly the terms of its type.
    private func areTermsSound(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        let rests = hot.timeInForce == .gtc || hot.timeInForce == .gtd
        if hot.type.hasPrice != (hot.price > 0) || hot.type.isTriggered != (cold.stopPrice > 0) {
            return false
        }
        if cold.display > 0 {
            if !hot.type.hasPrice || !rests || !Self.isDisplay(cold.display, of: hot.quantity) {
                return false
            }
        }
        switch hot.type {
        case .limitMaker: if !rests { return false }
        case .stopLoss, .takeProfit: if hot.timeInForce != .gtc { return false }
        case .market: if hot.timeInForce != .gtc && hot.timeInForce != .ioc { return false }
        case .limit, .stopLossLimit, .takeProfitLimit: break
        }
        return true
    }

    /// Whether an order can be in a ladder.
    private func isResting(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        let stays = hot.timeInForce == .gtc || hot.timeInForce == .gtd
        let stands =
            hot.isWorking
            ? hot.type.hasPrice && hot.price >= 1 && stays
            : hot.type.isTriggered && cold.stopPrice >= 1
        let hasTraded = hot.leaves < hot.quantity - cold.preventedQuantity
        let untouched = cold.preventedQuantity == 0 && hot.leaves == hot.quantity
        return stands && hot.leaves >= 1 && isShownRight(hot, cold)
            && hasTraded == (cold.cumQuote > 0) && (hasTraded || cold.feeOverpaid == 0)
            && (hot.isWorking || untouched) && cold.preventedQuantity <= hot.quantity - hot.leaves
            && hot.leaves <= hot.quantity
            && isHoldSound(hot, at: hot.type.hasPrice ? hot.price : cold.stopPrice)
    }

    /// Whether an iceberg shows at most a slice, and other or waiting orders all.
    private func isShownRight(_ hot: HotOrder, _ cold: ColdOrder) -> Bool {
        if !hot.isIceberg || !hot.isWorking { return cold.shown == hot.leaves }
        return cold.shown >= 1 && cold.shown <= min(cold.display, hot.leaves)
    }

    /// Whether an order's hold, for these lots at this price, is within the ledger's range.
    private func isHoldSound(_ hot: HotOrder, at price: Int64) -> Bool {
        let instrument = instruments[Int(hot.instrument)]
        let hold =
            hot.side == .sell
            ? Int128(hot.leaves) * Int128(instrument.lotUnits)
            : notional(price, hot.leaves, instrument.notionalUnit)
        return hold <= Limits.amountUnitsMax
    }

    mutating func readFlights(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(instrumentsUsed)) else { return false }
        for _ in 0..<count {
            guard let (terms, cold) = readOrder(&r) else { return false }
            var hot = terms
            let (funds, quoteQuantity) = (r.owned().units, r.owned().units)
            let (bound, lotsHeld, cumQty): (Int64, Int64, Int64) = (
                r.integer(), r.integer(), r.integer()
            )
            let code: UInt8 = r.integer()
            r.endPart()
            guard r.isValid, hot.isWorking, !hasFlight(hot.instrument),
                let kind = Incoming.Kind(rawValue: code),
                isFlying(hot, cold, kind, quoteQuantity: quoteQuantity, cumQty: cumQty),
                lotsHeld >= 0,
                Int128(lotsHeld) * Int128(instruments[Int(hot.instrument)].lotUnits)
                    <= Limits.amountUnitsMax,
                isFlightSound(hot, cold, kind, bound: bound, funds: funds, lotsHeld: lotsHeld),
                funds <= quoteQuantity || kind != .quote
            else { return false }
            hot.level = none
            let slot = enter(hot, cold)
            keepFlight(
                Flight(
                    slot: slot, kind: kind, bound: bound, funds: funds, lotsHeld: lotsHeld,
                    quoteQuantity: quoteQuantity, cumQty: cumQty))
        }
        linkAccounts()
        return true
    }

    /// Relinks each account's orders in the order of acceptance; they were read in that of the
    /// books. O(n log n).
    private mutating func linkAccounts() {
        for account in 0...accounts.count {
            accounts.slots[account].firstOrder = none
            accounts.slots[account].lastOrder = none
            accounts.slots[account].openOrders = 0
        }
        for slot in orders.accepted() { join(slot, orders.hot[slot].account) }
    }

    /// Whether a flight has only the fields of its kind.
    private func isFlightSound(
        _ hot: HotOrder, _ cold: ColdOrder, _ kind: Incoming.Kind, bound: Int64, funds: Int128,
        lotsHeld: Int64
    ) -> Bool {
        guard cold.shown == 0, instruments[Int(hot.instrument)].state == .trading, bound >= 0 else {
            return false
        }
        switch (kind, hot.side) {
        case (.limit, _): return funds == 0 && lotsHeld == 0 && bound == hot.price
        case (.market, .buy): return lotsHeld == 0
        case (.market, .sell): return funds == 0 && lotsHeld == 0
        case (.quote, .buy): return funds >= 1 && lotsHeld == 0 && cold.preventedQuantity == 0
        case (.quote, .sell): return funds >= 1 && cold.preventedQuantity == 0
        }
    }

    /// Whether an order can be in flight as this kind.
    private func isFlying(
        _ hot: HotOrder, _ cold: ColdOrder, _ kind: Incoming.Kind, quoteQuantity: Int128,
        cumQty: Int64
    ) -> Bool {
        if kind == .quote {
            return hot.type == .market && quoteQuantity >= 1 && hot.leaves == 0
                && hot.quantity == cumQty
        }
        return quoteQuantity == 0 && hot.type.hasPrice == (kind == .limit)
            && (kind == .market || hot.price >= 1) && hot.leaves >= 1
            && cumQty == hot.quantity - cold.preventedQuantity - hot.leaves && cumQty >= 0
            && isHoldSound(hot, at: hot.price)
    }

    // MARK: Continued work

    mutating func readElections(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Int(instrumentsUsed)) else { return false }
        for _ in 0..<count {
            let instrument: UInt32 = r.integer()
            let rangeCount: UInt32 = r.integer()
            guard r.isValid, instrument >= 1, instrument <= UInt32(instrumentsUsed),
                !elections.contains(UInt16(instrument)),
                rangeCount >= 1, Int(rangeCount) <= r.remaining / 16
            else { return false }
            let number = UInt16(instrument)
            let isTrading = instruments[Int(number)].state == .trading
            var wasUp: Bool?
            for _ in 0..<rangeCount {
                let bound: Int64 = r.integer()
                let isUp = r.flag()
                r.endPart()
                guard r.isValid, bound >= 1, bound <= Limits.priceTicksMax,
                    wasUp != isUp
                else { return false }
                elections.append(number, isUp: isUp, bound: bound, isTrading: isTrading)
                wasUp = isUp
            }
        }
        if instrumentsUsed > 0 { for number in 1...instrumentsUsed { updateTriggers(number) } }
        return true
    }

    mutating func readKills(_ r: inout WireReader) -> Bool {
        let count: UInt32 = r.integer()
        killCursor = r.integer()
        guard r.isValid, count <= accounts.count + 1, killCursor <= accounts.count else {
            return false
        }
        for _ in 0..<count {
            let account: UInt64 = r.integer()
            let through: UInt64 = r.integer()
            guard r.isValid, account <= UInt64(accounts.count),
                !kills.contains(UInt32(account)), through >= 1, through <= lastOrder
            else { return false }
            kills.append(UInt32(account))
            accounts.slots[UInt32(account)].killedThrough = through
        }
        return kills.contains(0) == (killCursor != 0)
    }

    mutating func readMassCancels(_ r: inout WireReader) -> Bool {
        guard let count = r.count(most: Limits.massCancelsMax) else { return false }
        for _ in 0..<count {
            let account: UInt32 = r.integer()
            let instrument: UInt16 = r.integer()
            let rawSide: UInt8 = r.integer()
            r.reserved(1)
            let last: UInt64 = r.integer()
            let current: UInt64 = r.integer()
            let order: UInt64 = r.integer()
            guard r.isValid, account <= accounts.count, instrument <= instrumentsUsed,
                rawSide == 255 || Side(rawValue: rawSide) != nil, last <= lastOrder, current >= 1,
                current <= UInt64(accounts.count), account == 0 || current == UInt64(account)
            else { return false }
            let slot = order == 0 ? none : orders.find(order)
            if order != 0 {
                guard slot != none, UInt64(orders.hot[slot].account) == current else {
                    return false
                }
            }
            massCancels.append(
                MassCancelWork(
                    account: account, instrument: instrument, side: Side(rawValue: rawSide),
                    lastOrder: last, current: UInt32(current), slot: slot))
        }
        return true
    }
}
