// Stops: each trade elects those its price reaches; they run in the order of election.

internal import Slabs
internal import Terms

/// The prices at which a trade in an instrument elects further stops.
struct TriggerPrices: BitwiseCopyable {
    /// The lowest up-stop that is not elected; the largest value if there is none.
    var up: Int64 = .max
    /// The highest down-stop that is not elected; the smallest value if there is none.
    var down: Int64 = .min
}

extension Engine {
    /// Elects the stops that a trade reaches.
    @inline(__always) mutating func electStops(_ instrument: UInt16, _ price: Int64) {
        let prices = triggers[Int(instrument)]
        if price < prices.up, price > prices.down { return }
        elect(instrument, price)
    }

    @inline(never) private mutating func elect(_ instrument: UInt16, _ price: Int64) {
        if price >= triggers[Int(instrument)].up {
            elections.append(instrument, isUp: true, bound: price, isTrading: true)
            triggers[Int(instrument)].up = nextTrigger(instrument, .stopsUp, beyond: price)
        }
        if price <= triggers[Int(instrument)].down {
            elections.append(instrument, isUp: false, bound: price, isTrading: true)
            triggers[Int(instrument)].down = nextTrigger(instrument, .stopsDown, beyond: price)
        }
    }

    /// The first stop price beyond a price; beyond nil, the first of all.
    private func nextTrigger(
        _ instrument: UInt16, _ kind: LadderKind, beyond price: Int64?
    ) -> Int64 {
        let ladder = Ladders.index(instrument, kind)
        let level = price.map { ladders.after(ladder, kind, $0) } ?? ladders.best(ladder)
        if level == none { return kind == .stopsUp ? .max : .min }
        return ladders.price(level)
    }

    /// Updates the trigger prices after stops were added or removed.
    mutating func updateTriggers(_ instrument: UInt16) {
        let up = elections.isEmpty ? nil : elections[instrument].bound(isUp: true)
        let down = elections.isEmpty ? nil : elections[instrument].bound(isUp: false)
        triggers[Int(instrument)] = TriggerPrices(
            up: nextTrigger(instrument, .stopsUp, beyond: up),
            down: nextTrigger(instrument, .stopsDown, beyond: down))
    }

    /// Runs the stops elected by this command, while there are steps and the instrument trades.
    @inline(__always) mutating func runTriggers(_ instrument: UInt16) {
        if elections.isEmpty || hasFlight(instrument) { return }
        if instruments[Int(instrument)].state == .trading { _ = runElection(instrument) }
    }

    /// Runs an instrument's elected stops in order; false when the steps ran out.
    @inline(never) mutating func runElection(_ instrument: UInt16) -> Bool {
        while let slot = nextElected(instrument) {
            if steps >= Int(limits.turnSteps) { return false }
            steps += 1
            if !fire(slot) { return false }
        }
        return true
    }

    /// The elected stop that runs next, or nil.
    private func nextElected(_ instrument: UInt16) -> UInt32? {
        if !elections.contains(instrument) { return nil }
        let election = elections[instrument]
        let kind: LadderKind = election.ranges[election.first].isUp ? .stopsUp : .stopsDown
        return ladders.first(ladders.best(Ladders.index(instrument, kind)))
    }

    /// Checks whether a stop that left its ladder was the last of its range.
    @inline(__always)
    mutating func leaveElection(_ instrument: UInt16, _ kind: LadderKind, _ price: Int64) {
        if !elections.isEmpty { leaveRange(instrument, kind, price) }
    }

    @inline(never)
    private mutating func leaveRange(_ instrument: UInt16, _ kind: LadderKind, _ price: Int64) {
        guard elections.contains(instrument),
            let place = elections[instrument].place(isUp: kind == .stopsUp, price)
        else { return }
        // Value by value: holding the ranges would force a copy when they change.
        let range = elections[instrument].ranges[place]
        let before = place < 2 ? nil : elections[instrument].ranges[place - 2].bound
        let ladder = Ladders.index(instrument, kind)
        let level = before.map { ladders.after(ladder, kind, $0) } ?? ladders.best(ladder)
        let isLeft = level != none && !isBeyond(ladders.price(level), range)
        if !isLeft { elections.end(instrument, place) }
    }

    private func isBeyond(_ price: Int64, _ range: Election.Range) -> Bool {
        range.isUp ? price > range.bound : price < range.bound
    }

    /// The elected stops as runs of one direction, each with the price of its last stop: identical
    /// on every replica, however the ranges are stored. O(prices elected).
    func electedRuns(_ instrument: UInt16) -> [(isUp: Bool, bound: Int64)] {
        var runs: [(isUp: Bool, bound: Int64)] = []
        let (upLadder, downLadder) = (
            Ladders.index(instrument, .stopsUp), Ladders.index(instrument, .stopsDown)
        )
        var (up, down) = (ladders.best(upLadder), ladders.best(downLadder))
        let ranges = elections[instrument].ranges
        var place = elections[instrument].first
        while place >= 0 {
            let range = ranges[place]
            var level = range.isUp ? up : down
            while level != none, !isBeyond(ladders.price(level), range) {
                let price = ladders.price(level)
                if runs.last?.isUp == range.isUp {
                    runs[runs.count - 1].bound = price
                } else {
                    runs.append((range.isUp, price))
                }
                level =
                    range.isUp
                    ? ladders.after(upLadder, .stopsUp, level: level)
                    : ladders.after(downLadder, .stopsDown, level: level)
            }
            if range.isUp { up = level } else { down = level }
            place = range.next
        }
        return runs
    }

    /// Runs one stop, or ends it if a pending kill switch covers it; false when it went into
    /// flight.
    private mutating func fire(_ slot: UInt32) -> Bool {
        if isKilled(slot) {
            end(slot, .canceled, .killSwitch)
            return true
        }
        var hold = held(slot)
        detach(slot)
        orders.hot[slot].isWorking = true
        orders.hot[slot].level = none
        orders.hot[slot].updatedTime = timestamp
        orders.cold[slot].workingTime = timestamp
        let (hot, cold) = (orders.hot[slot], orders.cold[slot])
        report(.triggered, hot, stopPrice: cold.stopPrice, .new, leaves: hot.leaves)
        if events.kept == .all { events.keep(.orderTriggered(view(slot))) }
        if !hot.type.hasPrice, hot.side == .buy {
            let asset = heldAsset(.buy, hot.instrument)
            let missing = sweepCost(hot) - hold
            let more = min(max(0, missing), ledger.available(hot.account, asset))
            ledger.hold(hot.account, asset, more)
            hold += more
        }
        var t = incoming(hot, cold, hold: hold)
        t.slot = slot
        if hot.timeInForce == .fok, !reachesAll(&t) { t.reason = .fillOrKill }
        if !match(&t) {
            takeOff(&t)
            return false
        }
        _ = conclude(&t)
        return true
    }

    /// The cost of a market buy that fires, as far as a turn's looks reach.
    private mutating func sweepCost(_ hot: HotOrder) -> Int128 {
        var r = Reach(
            instrument: hot.instrument, side: .buy, account: hot.account,
            mode: hot.selfTradePrevention, bound: marketBound(hot.instrument, .buy),
            lotsWanted: hot.leaves)
        look(&r)
        steps += (r.looks + 3) / 4
        return r.cost
    }

    /// Whether a fill-or-kill order that fires can be filled.
    private mutating func reachesAll(_ t: inout Incoming) -> Bool {
        var r = Reach(
            instrument: t.hot.instrument, side: t.hot.side, account: t.hot.account,
            mode: t.hot.selfTradePrevention, bound: t.bound, lotsWanted: t.hot.leaves,
            isFillOrKill: true)
        look(&r)
        steps += (r.looks + 3) / 4
        return !r.isShort && r.lots >= t.hot.leaves
    }
}
