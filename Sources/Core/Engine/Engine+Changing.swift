// Cancels and changes of open orders.

internal import Slabs
public import Terms
public import Wire

extension Engine {
    /// The open order of an account in an instrument that a command names by its id, by the
    /// client's, or by both; `none` if there is none.
    private func named(
        _ order: OrderID, _ clOrdID: Text40, _ account: AccountID, _ instrument: InstrumentID
    ) -> UInt32 {
        if order.number == 0 {
            if clOrdID.w0 == 0 { return none }
            let slot = orders.find(account: account.number, clOrdID: clOrdID)
            if slot == none || orders.hot[slot].instrument != instrument.number { return none }
            return slot
        }
        let slot = named(order, account, instrument)
        if slot != none, clOrdID.w0 != 0, orders.cold[slot].clOrdID != clOrdID { return none }
        return slot
    }

    /// The same for a command that names its order by id only, as most do.
    @inline(__always)
    private func named(
        _ order: OrderID, _ account: AccountID, _ instrument: InstrumentID
    ) -> UInt32 {
        let slot = orders.find(order.number)
        if slot == none || orders.hot[slot].account != account.number
            || orders.hot[slot].instrument != instrument.number
        {
            return none
        }
        return slot
    }

    // A separate function, so that a command with an order id is read in place.
    @inline(never) private func named(_ c: Cancel) -> UInt32 {
        named(c.order, c.clOrdID, c.account, c.instrument)
    }
    @inline(never) private func named(_ c: Amend) -> UInt32 {
        named(c.order, c.clOrdID, c.account, c.instrument)
    }

    /// Why a cancel would be refused, else its order's slot.
    @inline(__always)
    private func checkCancel(_ c: Cancel, _ slot: inout UInt32) -> Refusal {
        if Self.isTooLong(c.clOrdID) || Self.isTooLong(c.cancelID) { return .malformed }
        if c.deadline != 0, timestamp > c.deadline { return .deadlinePassed }
        if !hasAccount(c.account) { return .accountUnknown }
        if c.instrument.number == 0 || c.instrument.number > instrumentsUsed {
            return .instrumentUnknown
        }
        if hasFlight(c.instrument.number) { return .instrumentBusy }
        slot = c.clOrdID.w0 == 0 ? named(c.order, c.account, c.instrument) : named(c)
        if slot == none { return .orderUnknown }
        if c.restriction != .none {
            let hasTraded = cumQty(slot) > 0
            if hasTraded != (c.restriction == .onlyPartiallyFilled) {
                slot = none
                return .cancelRestricted
            }
        }
        return .none
    }

    /// Cancels one order.
    mutating func cancel(_ c: Cancel, _ reason: EndReason) -> Outcome {
        var slot = none
        let refusal = checkCancel(c, &slot)
        if refusal != .none { return .refused(refusal) }
        let id = orders.hot[slot].id
        end(slot, .canceled, reason)
        return Outcome(status: .canceled, id: id)
    }

    /// Why a cancel would be refused as the next command: when the disk is nearly full, one that
    /// ends nothing gets no place in the log.
    public borrowing func refusal(of cancel: Cancel) -> Refusal {
        var slot = none
        return checkCancel(cancel, &slot)
    }

    /// Cancels one order and places another; everything possible is checked before any change.
    mutating func cancelReplace(_ c: CancelReplace) -> Outcome {
        let isMismatch =
            c.cancel.account != c.place.account || c.cancel.instrument != c.place.instrument
            || c.cancel.deadline != 0 || Self.isTooLong(c.cancel.clOrdID)
            || Self.isTooLong(c.cancel.cancelID)
        if isMismatch { return .refused(.malformed) }
        var checked = CheckedPlace()
        var refusal = passAdmission(
            c.place.account, c.place.instrument, isTooLong: Self.isTooLong(c.place.clOrdID),
            deadline: c.place.deadline)
        var cancelRefusal = Refusal.none
        if refusal == .none {
            cancelRefusal = checkCancel(c.cancel, &checked.replaced)
            refusal = check(c.place, at: timestamp, &checked)
        }
        if refusal != .none { return refuse(c.place, refusal) }
        if cancelRefusal != .none {
            return c.stopOnFailure ? .refused(.cancelFailed) : accept(c.place, checked)
        }
        end(checked.replaced, .canceled, .replaced)
        // The cancel may have changed the order's reach.
        checked = CheckedPlace()
        refusal = check(c.place, at: timestamp, &checked)
        return refusal == .none ? accept(c.place, checked) : refuse(c.place, refusal)
    }

    // MARK: Amend

    /// Changes one order's price, quantity or client id.
    mutating func amend(_ c: Amend) -> Outcome {
        let refused = passAdmission(
            c.account, c.instrument,
            isTooLong: Self.isTooLong(c.clOrdID) || Self.isTooLong(c.newClOrdID),
            deadline: c.deadline)
        if refused != .none { return .refused(refused) }
        let i = Int(c.instrument.number)
        // Prefetches the balances of both sides during the lookup.
        ledger.prefetch(c.account.number, instruments[i].quote.number)
        ledger.prefetch(c.account.number, instruments[i].base.number)
        switch instruments[i].state {
        case .auction, .halt, .closed: return .refused(.instrumentState)
        case .preOpen, .trading, .pause: break
        }
        if isBusy(c.instrument.number, isTriggered: false) { return .refused(.instrumentBusy) }
        let slot = c.clOrdID.w0 == 0 ? named(c.order, c.account, c.instrument) : named(c)
        if slot == none { return .refused(.orderUnknown) }
        // Field by field: a copy of the whole line would be written and reread.
        let (id, oldPrice) = (orders.hot[slot].id, orders.hot[slot].price)
        let (oldQuantity, oldLeaves) = (orders.hot[slot].quantity, orders.hot[slot].leaves)
        let price = c.price.ticks == 0 ? oldPrice : c.price.ticks
        let quantity = c.quantity.lots == 0 ? oldQuantity : c.quantity.lots
        // Negative values first: no sum may overflow.
        if !orders.hot[slot].isWorking || price < 0 || quantity < 0 {
            return .refused(.amendInvalid)
        }
        let leaves = quantity - (oldQuantity - oldLeaves)
        let renames = c.newClOrdID.w0 != 0 && isNew(c, slot)
        if leaves <= 0 || price == oldPrice && quantity == oldQuantity && !renames {
            return .refused(.amendInvalid)
        }
        if c.keepsPriority, price != oldPrice || quantity >= oldQuantity {
            return .refused(quantity == oldQuantity ? .amendInvalid : .priorityLost)
        }
        var refusal = checkAmended(slot, i, price, quantity)
        if refusal == .none, renames, isKnown(c) { refusal = .clOrdIDDuplicate }
        if refusal == .none, mayNotCross(slot, i, price) { refusal = .wouldTake }
        if refusal != .none { return .refused(refusal) }
        let side = orders.hot[slot].side
        let more = holdGrowth(side, i, (price, leaves), (oldPrice, oldLeaves))
        let asset = heldAsset(side, c.instrument.number)
        if !ledger.holdIfAvailable(c.account.number, asset, more) {
            return .refused(.insufficientFunds)
        }
        if renames { rename(slot, c) }
        orders.hot[slot].quantity = quantity
        orders.hot[slot].updatedTime = timestamp
        if price == oldPrice, quantity <= oldQuantity {
            shrink(slot, to: leaves)
            return Outcome(status: status(slot), id: id)
        }
        let now = relocate(slot, price, leaves, oldPrice)
        runTriggers(c.instrument.number)
        return Outcome(status: now, id: id)
    }

    /// A working order's hold at its new price and lots minus its present hold.
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
        if quantity < instruments[i].quantityMin.lots || quantity > most { return .quantityInvalid }
        if orders.hot[slot].isIceberg, !Self.isDisplay(orders.cold[slot].display, of: quantity) {
            return .displayQuantityInvalid
        }
        let value = notional(price, quantity, instruments[i].notionalUnit)
        let size = checkNotional(value, i)
        if size != .none { return size }
        if price != orders.hot[slot].price, isOutsideBand(i, price) { return .priceBand }
        let (account, instrument) = (orders.hot[slot].account, orders.hot[slot].instrument)
        if isAboveSize(account, instrument, quantity, value) { return .orderSizeLimit }
        return .none
    }

    /// Whether an order would trade at its new price and may not.
    @inline(__always)
    private func mayNotCross(_ slot: UInt32, _ i: Int, _ price: Int64) -> Bool {
        let mayTake = orders.hot[slot].type != .limitMaker && instruments[i].state == .trading
        return !mayTake && crosses(orders.hot[slot].instrument, orders.hot[slot].side, price)
    }

    // A separate function, as above.
    @inline(never) private mutating func rename(_ slot: UInt32, _ c: Amend) {
        orders.rename(slot, c.newClOrdID)
    }
    @inline(never) private func isNew(_ c: Amend, _ slot: UInt32) -> Bool {
        c.newClOrdID != orders.cold[slot].clOrdID
    }
    @inline(never) private func isKnown(_ c: Amend) -> Bool {
        orders.find(account: c.account.number, clOrdID: c.newClOrdID) != none
    }

    /// A lower quantity at the same price: the order keeps its place.
    private mutating func shrink(_ slot: UInt32, to leaves: Int64) {
        takeOff(orders.hot[slot].leaves - leaves, slot, orders.hot[slot].level)
        reportAmended(slot, oldPrice: orders.hot[slot].price)
    }

    /// Matches an order at its new price, and rests it at the end of that level.
    @inline(__always)
    mutating func relocate(
        _ slot: UInt32, _ price: Int64, _ leaves: Int64, _ oldPrice: Int64
    ) -> OrderStatus {
        detach(slot)
        orders.hot[slot].price = price
        orders.hot[slot].leaves = leaves
        orders.slice(slot)
        reportAmended(slot, oldPrice: oldPrice)
        if crosses(orders.hot[slot].instrument, orders.hot[slot].side, price) {
            return rematch(slot)
        }
        attach(slot, at: price)
        return status(slot)
    }

    /// Matches a detached order as incoming.
    @inline(never)
    private mutating func rematch(_ slot: UInt32) -> OrderStatus {
        var t = incoming(orders.hot[slot], orders.cold[slot], hold: 0)
        t.slot = slot
        if match(&t) { return conclude(&t) }
        takeOff(&t)
        return t.cumQty == 0 ? .new : .partiallyFilled
    }
}
