// Cancels, changes, triggers and timers.

internal import Slabs
internal import Terms
internal import Wire

extension Engine {
    /// Whether a slot holds an open order of the account in the instrument.
    @inline(__always)
    private func holds(_ slot: UInt32, _ account: AccountID, _ instrument: InstrumentID) -> Bool {
        slot != none && orders.hot[slot].account == account.number
            && orders.hot[slot].instrument == instrument.number
    }

    // Apart, so that a command that names its order by id is read where it lies.
    @inline(never) private func findByClOrdID(_ c: Cancel) -> UInt32 {
        c.clOrdID.w0 == 0 ? none : orders.find(account: c.account.number, clOrdID: c.clOrdID)
    }

    @inline(never) private func findByClOrdID(_ c: Amend) -> UInt32 {
        c.clOrdID.w0 == 0 ? none : orders.find(account: c.account.number, clOrdID: c.clOrdID)
    }

    /// Cancels one order.
    mutating func cancel(_ c: Cancel, _ reason: EndReason) -> Outcome {
        if c.clOrdID.w4 >> 32 != 0 { return .refused(.malformed) }
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if c.instrument.number == 0 || c.instrument.number > instrumentsUsed {
            return .refused(.instrumentUnknown)
        }
        let slot = c.order.number != 0 ? orders.find(c.order.number) : findByClOrdID(c)
        if !holds(slot, c.account, c.instrument) { return .refused(.orderUnknown) }
        let id = orders.hot[slot].id
        end(slot, .canceled, reason)
        return Outcome(status: .canceled, id: id)
    }

    /// Cancels one order and places another.
    mutating func cancelReplace(_ c: CancelReplace) -> Outcome {
        if c.cancel.account != c.place.account || c.cancel.instrument != c.place.instrument {
            return .refused(.malformed)
        }
        let cancelled = cancel(c.cancel, .replaced)
        if cancelled.refusal != .none, c.stopOnFailure { return .refused(.cancelFailed) }
        return place(c.place)
    }

    /// Cancels all that fit.
    mutating func massCancel(_ c: MassCancel) -> Outcome {
        if c.account.number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        if c.instrument.number > instrumentsUsed { return .refused(.instrumentUnknown) }
        let ended = endAll(
            account: c.account.number, instrument: c.instrument.number, side: c.side, .massCancel)
        return Outcome(status: .canceled, id: UInt64(ended))
    }

    /// Ends all orders that fit in ascending id, the same on every replica however its slots lie.
    /// O(slots ever used + n log n). Gives their number.
    mutating func endAll(
        account: UInt32, instrument: UInt16, side: Side?, _ reason: EndReason
    ) -> Int {
        var found: [(id: UInt64, slot: UInt32)] = []
        for slot in 0..<orders.used where orders.hot[slot].account != 0 {
            let order = orders.hot[slot]
            if account == 0 || order.account == account,
                instrument == 0 || order.instrument == instrument,
                side == nil || order.side == side
            {
                found.append((order.id, slot))
            }
        }
        found.sort { $0.id < $1.id }
        for entry in found { end(entry.slot, .canceled, reason) }
        return found.count
    }

    // MARK: Amend

    /// Changes one order's price or quantity.
    mutating func amend(_ c: Amend) -> Outcome {
        let gate = passGate(c.account, c.instrument, clOrdID: c.clOrdID)
        if gate != .none { return .refused(gate) }
        let i = Int(c.instrument.number)
        switch instruments[i].state {
        case .auction, .halt, .closed: return .refused(.instrumentState)
        case .preOpen, .trading, .pause: break
        }
        let slot = c.order.number != 0 ? orders.find(c.order.number) : findByClOrdID(c)
        if !holds(slot, c.account, c.instrument) { return .refused(.orderUnknown) }
        // Field by field: a copy of the whole line would be written and read again.
        let (id, oldPrice) = (orders.hot[slot].id, orders.hot[slot].price)
        let (oldQuantity, oldLeaves) = (orders.hot[slot].quantity, orders.hot[slot].leaves)
        let price = c.price.ticks == 0 ? oldPrice : c.price.ticks
        let quantity = c.quantity.lots == 0 ? oldQuantity : c.quantity.lots
        // Negative ones first: no sum of them may leave its type.
        if !orders.hot[slot].isWorking || price < 0 || quantity < 0 {
            return .refused(.amendInvalid)
        }
        let leaves = quantity - (oldQuantity - oldLeaves)
        if leaves <= 0 || price == oldPrice && quantity == oldQuantity {
            return .refused(.amendInvalid)
        }
        let refusal = checkAmended(slot, i, price, quantity)
        if refusal != .none { return .refused(refusal) }
        let side = orders.hot[slot].side
        let more = holdGrowth(side, i, (price, leaves), (oldPrice, oldLeaves))
        let asset = heldAsset(side, c.instrument.number)
        if !ledger.holdIfAvailable(c.account.number, asset, more) {
            return .refused(.insufficientFunds)
        }
        orders.hot[slot].quantity = quantity
        orders.cold[slot].updatedTime = timestamp
        if price == oldPrice, quantity < oldQuantity {
            shrink(slot, to: leaves)
            return Outcome(status: view(slot).status, id: id)
        }
        let status = relocate(slot, price, leaves, oldPrice)
        runTriggers(c.instrument.number)
        return Outcome(status: status, id: id)
    }

    /// What a working order holds at its new price and lots, less what it holds at its old ones.
    @inline(__always)
    private func holdGrowth(
        _ side: Side, _ i: Int, _ new: (price: Int64, lots: Int64),
        _ old: (price: Int64, lots: Int64)
    ) -> Int128 {
        let isBuy = side == .buy
        let (now, before) = isBuy ? (new.price, old.price) : (1, 1)
        let unit = isBuy ? instruments[i].notionalUnit : instruments[i].lotUnits
        // Each hold was checked to be at most 2^120.
        let growth = Int128(now) &* Int128(new.lots) &- Int128(before) &* Int128(old.lots)
        return growth &* Int128(unit)
    }

    @inline(__always)
    private func checkAmended(
        _ slot: UInt32, _ i: Int, _ price: Int64, _ quantity: Int64
    ) -> Refusal {
        if price < instruments[i].priceMin.ticks || price > instruments[i].priceMax.ticks {
            return .priceInvalid
        }
        let most = instruments[i].quantityMax.lots
        if quantity < instruments[i].quantityMin.lots || quantity > most {
            return .quantityInvalid
        }
        let display = orders.hot[slot].display
        if display > 0, !Self.isDisplay(display, of: quantity) { return .displayQuantityInvalid }
        let value = notional(price, quantity, instruments[i].notionalUnit)
        let size = checkNotional(value, i)
        if size != .none { return size }
        if price != orders.hot[slot].price, isOutsideBand(i, price) { return .priceBand }
        if isAboveSize(orders.hot[slot].account, quantity, value) { return .orderSizeLimit }
        let mayTake = orders.hot[slot].type != .limitMaker && instruments[i].state == .trading
        if !mayTake, crosses(orders.hot[slot].instrument, orders.hot[slot].side, price) {
            return .wouldTake
        }
        return .none
    }

    /// A lower quantity at the same price keeps its place.
    private mutating func shrink(_ slot: UInt32, to leaves: Int64) {
        let shown = min(orders.hot[slot].shown, leaves)
        ladders.shown[orders.hot[slot].level] -= orders.hot[slot].shown - shown
        orders.hot[slot].shown = shown
        orders.hot[slot].leaves = leaves
        tellAmended(slot, oldPrice: orders.hot[slot].price)
    }

    /// Moves an order to the end of another level, or lets it take what its new price crosses.
    @inline(__always)
    mutating func relocate(
        _ slot: UInt32, _ price: Int64, _ leaves: Int64, _ oldPrice: Int64
    ) -> OrderStatus {
        detach(slot)
        orders.hot[slot].move(to: price, leaves)
        tellAmended(slot, oldPrice: oldPrice)
        if crosses(orders.hot[slot].instrument, orders.hot[slot].side, price) {
            return rematch(slot)
        }
        attach(slot, at: price)
        return orders.hot[slot].quantity == leaves ? .new : .partiallyFilled
    }

    /// Takes a detached order out of its slot and matches it as incoming.
    @inline(never)
    private mutating func rematch(_ slot: UInt32) -> OrderStatus {
        let (hot, cold) = (orders.hot[slot], orders.cold[slot])
        release(slot)
        var incoming = incoming(hot, restarted(cold), hold: 0)
        match(&incoming)
        return conclude(&incoming)
    }

    private func restarted(_ cold: ColdOrder) -> ColdOrder {
        var cold = cold
        cold.timer = none
        return cold
    }

    // MARK: Triggers and timers

    /// Fires the stops that the last price has reached, one after the other, each to its end.
    @inline(__always)
    mutating func runTriggers(_ instrument: UInt16) {
        let up = ladders.best(Ladders.index(instrument, .stopsUp))
        let down = ladders.best(Ladders.index(instrument, .stopsDown))
        if up == none && down == none { return }
        fireTriggers(instrument)
    }

    @inline(never)
    private mutating func fireTriggers(_ instrument: UInt16) {
        // In a pause they wait on.
        if instruments[Int(instrument)].state != .trading { return }
        while true {
            let slot = nextTriggered(instrument)
            if slot == none { break }
            if steps >= Self.stepsMax {
                if !pendingTriggers.contains(instrument) { pendingTriggers.append(instrument) }
                return
            }
            steps += 1
            fire(slot)
        }
        pendingTriggers.removeAll { $0 == instrument }
    }

    private func nextTriggered(_ instrument: UInt16) -> UInt32 {
        let last = instruments[Int(instrument)].lastPrice.ticks
        if last == 0 { return none }
        let up = ladders.best(Ladders.index(instrument, .stopsUp))
        if up != none, ladders.price(up) <= last { return ladders.first(up) }
        let down = ladders.best(Ladders.index(instrument, .stopsDown))
        if down != none, ladders.price(down) >= last { return ladders.first(down) }
        return none
    }

    private mutating func fire(_ slot: UInt32) {
        var hold = held(slot)
        detach(slot)
        orders.hot[slot].isWorking = true
        orders.cold[slot].updatedTime = timestamp
        var (hot, cold) = (orders.hot[slot], orders.cold[slot])
        release(slot)
        cold.timer = none
        hot.shown = hot.leaves
        tell(7, hot, cold, .new, leaves: hot.leaves) { .orderTriggered($0) }
        if !hot.type.hasPrice, hot.side == .buy {
            let asset = heldAsset(.buy, hot.instrument)
            let missing = sweepCost(hot.instrument, hot.leaves) - hold
            let more = min(max(0, missing), ledger.available(hot.account, asset))
            ledger.hold(hot.account, asset, more)
            hold += more
        }
        var incoming = incoming(hot, cold, hold: hold)
        match(&incoming)
        _ = conclude(&incoming)
    }

    /// A tick of the clock: GTD orders whose time has come, then triggers that had to wait.
    mutating func tick() -> Outcome {
        while true {
            let slot = orders.firstTimer
            if slot == none || orders.cold[slot].expireTime > timestamp { break }
            end(slot, .expired, .expireTime)
        }
        let waiting = pendingTriggers
        for instrument in waiting { fireTriggers(instrument) }
        return Outcome()
    }
}
