// Work beyond one turn: ticks continue it, the same on every replica. RULES.md, "Continued work".

internal import Slabs
internal import Terms
public import Wire

/// An incoming order that ran out of steps. Its slot holds its terms; it is in no level.
struct Flight: BitwiseCopyable {
    var slot: UInt32
    var kind: Incoming.Kind
    var bound: Int64
    var funds: Int128
    var lotsHeld: Int64
    var quoteQuantity: Int128
    var cumQty: Int64
}

/// A mass cancel in progress.
struct MassCancelWork {
    /// 0: of all accounts.
    var account: UInt32
    /// 0: in all instruments.
    var instrument: UInt16
    var side: Side?
    /// Orders accepted later are not affected.
    var lastOrder: UInt64
    /// The current account.
    var current: UInt32
    /// Its next order to examine, or `none`: the account is done.
    var slot: UInt32
}

extension Engine {
    /// Whether work for ticks is waiting.
    var hasWork: Bool {
        !flights.isEmpty || !kills.isEmpty || !massCancels.isEmpty || !elections.running.isEmpty
    }

    /// Whether an order is in flight in an instrument, known or not.
    @inline(__always) func hasFlight(_ instrument: UInt16) -> Bool {
        !flights.isEmpty && instrument <= instrumentsUsed && flights.contains(UInt32(instrument))
    }

    /// Whether a new order or change must wait.
    @inline(__always) func isBusy(_ instrument: UInt16, isTriggered: Bool) -> Bool {
        if flights.isEmpty, elections.isEmpty { return false }
        if hasFlight(instrument) { return true }
        return elections.contains(instrument)
            && (isTriggered || elections.running.contains(UInt32(instrument)))
    }

    /// Whether a command would be refused as `instrumentBusy` now. The sequencer holds it back and
    /// sequences ticks first, so that nothing overtakes the work and nobody is refused for it.
    public borrowing func isBusy(_ kind: CommandKind, payload: UnsafeRawBufferPointer) -> Bool {
        if kind == .massCancel { return massCancels.count >= Limits.massCancelsMax }
        if flights.isEmpty, elections.isEmpty { return false }
        var r = unsafe WireReader(payload)
        switch kind {
        case .place:
            let c = Place(from: &r)
            return isBusy(c.instrument.number, isTriggered: c.type.isTriggered)
        case .amend: return isBusy(Amend(from: &r).instrument.number, isTriggered: false)
        case .cancelReplace:
            let c = CancelReplace(from: &r)
            return isBusy(c.place.instrument.number, isTriggered: c.place.type.isTriggered)
        case .cancel: return hasFlight(Cancel(from: &r).instrument.number)
        case .setInstrumentState:
            return hasFlight(SetInstrumentState(from: &r).instrument.number)
        case .setInstrument:
            let known = instrument(symbol: SetInstrument(from: &r).symbol)
            return known.map { hasFlight($0.id.number) } ?? false
        case .setReferencePrice:
            return hasFlight(SetReferencePrice(from: &r).instrument.number)
        case .setFees: return hasFlightUnder(SetFees(from: &r))
        case .setAccountTier:
            let account = SetAccountTier(from: &r).account
            return hasAccount(account) && accounts.slots[account.number].flights > 0
        case .propose: return isBusy(Propose(from: &r))
        case .endorse:
            let open = operators.proposal(Endorse(from: &r).proposal)
            return open.map { isBusy($0.proposal) } ?? false
        default: return false
        }
    }

    /// Whether a proposed command would be; one that proposes is never proposed itself.
    private borrowing func isBusy(_ proposal: Propose) -> Bool {
        guard let command = proposal.command else { return false }
        return unsafe proposal.payload.withUnsafeBytes {
            unsafe isBusy(command.kind, payload: $0)
        }
    }

    // MARK: Flights

    /// Suspends an incoming order whose turn is over.
    mutating func takeOff(_ t: inout Incoming) {
        if t.kind == .quote { t.hot.quantity = t.cumQty }
        t.cold.shown = 0
        if t.slot == none {
            t.hot.level = none
            t.slot = enter(t.hot, t.cold)
        } else {
            t.hot.level = none
            putBack(t)
        }
        keepFlight(
            Flight(
                slot: t.slot, kind: t.kind, bound: t.bound, funds: t.funds, lotsHeld: t.lotsHeld,
                quoteQuantity: t.quoteQuantity, cumQty: t.cumQty))
    }

    /// Marks an order as in flight: behind the others, or in its previous place.
    mutating func keepFlight(_ flight: Flight) {
        let (account, instrument) = (
            orders.hot[flight.slot].account, orders.hot[flight.slot].instrument
        )
        flightTerms[Int(instrument)] = flight
        if flights.contains(UInt32(instrument)) { return }
        flights.append(UInt32(instrument))
        accounts.slots[account].flights += 1
    }

    /// Continues the flight of an instrument; false when it is suspended again.
    private mutating func goOnWithFlight(_ instrument: UInt32) -> Bool {
        let flight = flightTerms[instrument]
        let (hot, cold) = (orders.hot[flight.slot], orders.cold[flight.slot])
        var t = Incoming(
            hot: hot, cold: cold, slot: flight.slot, kind: flight.kind, bound: flight.bound,
            funds: flight.funds, lotsHeld: flight.lotsHeld, quoteQuantity: flight.quoteQuantity,
            cumQty: flight.cumQty)
        let isOver = match(&t)
        if t.cumQty != flight.cumQty { t.hot.updatedTime = timestamp }
        if !isOver {
            takeOff(&t)
            return false
        }
        flights.remove(instrument)
        accounts.slots[hot.account].flights -= 1
        _ = conclude(&t)
        applyDeferredState(hot.instrument)
        return true
    }

    /// The hold of a flight.
    func held(_ flight: Flight) -> Int128 {
        let order = orders.hot[flight.slot]
        let instrument = instruments[Int(order.instrument)]
        switch (flight.kind, order.side) {
        case (.limit, _): return held(flight.slot)
        case (.market, .buy), (.quote, .buy): return flight.funds
        case (.market, .sell): return Int128(order.leaves) * Int128(instrument.lotUnits)
        case (.quote, .sell): return Int128(flight.lotsHeld) * Int128(instrument.lotUnits)
        }
    }

    // MARK: Kill switches

    /// Ends all open orders of an account, or of all for 0; ticks continue beyond this turn's
    /// steps. A kill switch that waits already now covers newer orders as well.
    mutating func startKill(_ account: UInt32) {
        let first = account != 0 ? account : orders.account(from: 1, through: accounts.count)
        guard let first, accounts.slots[first].openOrders > 0 else { return }
        accounts.slots[account].killedThrough = lastOrder
        if account == 0 { killCursor = first }
        if !kills.contains(account) { kills.append(account) }
        // Not ahead of flights and waiting work.
        if flights.isEmpty, kills.count == 1 { _ = goOnWithKills() }
    }

    /// Whether a pending kill switch covers an order.
    @inline(__always) func isKilled(_ slot: UInt32) -> Bool {
        if kills.isEmpty { return false }
        let order = orders.hot[slot]
        return order.id <= accounts.slots[order.account].killedThrough
            || order.id <= accounts.slots[0].killedThrough
    }

    /// Ends orders covered by kill switches while there are steps; true when none is left.
    private mutating func goOnWithKills() -> Bool {
        while let account = kills.first {
            let last = accounts.slots[account].killedThrough
            if account != 0 {
                if !endOrders(of: account, through: last) { return false }
            } else {
                while true {
                    if !endOrders(of: killCursor, through: last) { return false }
                    guard let next = orders.account(from: killCursor + 1, through: accounts.count)
                    else { break }
                    killCursor = next
                }
                killCursor = 0
            }
            accounts.slots[account].killedThrough = 0
            kills.remove(account)
        }
        return true
    }

    /// Ends an account's orders up to an id, plus one step for the account; false when the steps
    /// ran out.
    private mutating func endOrders(of account: UInt32, through last: UInt64) -> Bool {
        while true {
            if steps >= Int(limits.turnSteps) { return false }
            steps += 1
            let slot = accounts.slots[account].firstOrder
            if slot == none || orders.hot[slot].id > last { return true }
            end(slot, .canceled, .killSwitch)
        }
    }

    // MARK: Mass cancels

    /// Cancels all matching open orders; ticks continue beyond this turn's steps. Returns the
    /// number ended in this turn.
    mutating func startMassCancel(
        account: UInt32, instrument: UInt16, side: Side?
    ) -> Int {
        let first = account != 0 ? account : orders.account(from: 1, through: accounts.count)
        guard let first, accounts.slots[first].openOrders > 0 else { return 0 }
        var work = MassCancelWork(
            account: account, instrument: instrument, side: side, lastOrder: lastOrder,
            current: first, slot: accounts.slots[first].firstOrder)
        let before = orders.count
        // Not ahead of flights and waiting work.
        let isDone = flights.isEmpty && kills.isEmpty && massCancels.isEmpty && goOn(&work)
        if !isDone { massCancels.append(work) }
        return before - orders.count
    }

    /// Examines the orders of one mass cancel while there are steps; true when it is done.
    private mutating func goOn(_ work: inout MassCancelWork) -> Bool {
        let most = Int(limits.turnSteps)
        while true {
            while work.slot != none, orders.hot[work.slot].id <= work.lastOrder {
                if steps >= most { return false }
                steps += 1
                let slot = work.slot
                work.slot = orders.links[slot].next
                let order = orders.hot[slot]
                if work.instrument == 0 || order.instrument == work.instrument,
                    work.side == nil || order.side == work.side
                {
                    end(slot, .canceled, .massCancel)
                }
            }
            // Each account is a step too: all of its orders may be newer.
            if steps >= most { return false }
            steps += 1
            guard work.account == 0,
                let next = orders.account(from: work.current + 1, through: accounts.count)
            else { return true }
            work.current = next
            work.slot = accounts.slots[next].firstOrder
        }
    }

    /// Advances mass cancels whose next order is about to be removed.
    @inline(__always) mutating func leaveMassCancels(_ slot: UInt32) {
        if massCancels.isEmpty { return }
        for i in massCancels.indices where massCancels[i].slot == slot {
            massCancels[i].slot = orders.links[slot].next
        }
    }

    // MARK: Ticks

    /// A tick of the clock: continues waiting work, then ends GTD orders and proposals whose time
    /// has come.
    mutating func tick() -> Outcome {
        let most = Int(limits.turnSteps)
        while let instrument = flights.first {
            if steps >= most || !goOnWithFlight(instrument) { return Outcome() }
        }
        if !goOnWithKills() { return Outcome() }
        while !massCancels.isEmpty {
            if steps >= most { return Outcome() }
            var work = massCancels[0]
            let isDone = goOn(&work)
            // `end` above may have advanced the others, never this one: it was a copy.
            if !isDone {
                massCancels[0] = work
                return Outcome()
            }
            massCancels.removeFirst()
        }
        while let instrument = elections.running.first {
            if steps >= most { return Outcome() }
            if !runElection(UInt16(instrument)) {
                elections.run(UInt16(instrument), true)
                return Outcome()
            }
        }
        while steps < most {
            let slot = orders.firstTimer
            if slot == none || orders.cold[slot].expireTime > timestamp { break }
            steps += 1
            end(slot, .expired, .expireTime)
        }
        expireProposals()
        return Outcome()
    }
}
