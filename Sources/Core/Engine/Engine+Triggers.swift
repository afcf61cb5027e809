// Stops: each trade elects those that its price reaches; they run in the order of election.

internal import Slabs
internal import Terms

/// The prices at which a trade in an instrument elects more stops than are elected.
struct TriggerPrices: BitwiseCopyable {
    /// The lowest up-stop that is not elected; the largest there is when there is none.
    var up: Int64 = .max
    /// The highest down-stop that is not elected; the smallest there is when there is none.
    var down: Int64 = .min
}

/// The elected stops of an instrument that wait to run.
struct Election {
    /// All stops of one direction up to a price, from the best on.
    struct Range {
        var isUp: Bool
        var bound: Int64
    }

    var instrument: UInt16
    /// In the order of election, those that are over before `head` included. Two of one direction
    /// do not follow each other: they are one.
    var ranges: [Range]
    var head = 0
}

extension Engine {
    /// Looks whether a trade elects stops, and remembers which.
    @inline(__always) mutating func electStops(_ instrument: UInt16, _ price: Int64) {
        let prices = triggers[Int(instrument)]
        if price < prices.up, price > prices.down { return }
        elect(instrument, price)
    }

    @inline(never) private mutating func elect(_ instrument: UInt16, _ price: Int64) {
        if price >= triggers[Int(instrument)].up {
            append(Election.Range(isUp: true, bound: price), instrument)
            triggers[Int(instrument)].up = nextTrigger(instrument, .stopsUp, beyond: price)
        }
        if price <= triggers[Int(instrument)].down {
            append(Election.Range(isUp: false, bound: price), instrument)
            triggers[Int(instrument)].down = nextTrigger(instrument, .stopsDown, beyond: price)
        }
    }

    private mutating func append(_ range: Election.Range, _ instrument: UInt16) {
        guard let place = elections.firstIndex(where: { $0.instrument == instrument }) else {
            elections.append(Election(instrument: instrument, ranges: [range]))
            return
        }
        let last = elections[place].ranges.count - 1
        if last >= elections[place].head, elections[place].ranges[last].isUp == range.isUp {
            elections[place].ranges[last].bound = range.bound
        } else {
            elections[place].ranges.append(range)
        }
    }

    /// The first stop price beyond one; beyond nil, the first.
    private func nextTrigger(
        _ instrument: UInt16, _ kind: LadderKind, beyond price: Int64?
    ) -> Int64 {
        let ladder = Ladders.index(instrument, kind)
        let level = price.map { ladders.after(ladder, kind, $0) } ?? ladders.best(ladder)
        if level == none { return kind == .stopsUp ? .max : .min }
        return ladders.price(level)
    }

    /// Finds the trigger prices anew, after stops came or went.
    mutating func updateTriggers(_ instrument: UInt16) {
        var up: Int64?
        var down: Int64?
        if let election = elections.first(where: { $0.instrument == instrument }) {
            // Directions alternate, and each range goes further than those before it of its own.
            for range in election.ranges[max(election.head, election.ranges.count - 2)...] {
                if range.isUp { up = range.bound } else { down = range.bound }
            }
        }
        triggers[Int(instrument)] = TriggerPrices(
            up: nextTrigger(instrument, .stopsUp, beyond: up),
            down: nextTrigger(instrument, .stopsDown, beyond: down))
    }

    /// Runs what the command at hand has elected, while there are steps and the instrument trades.
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

    /// The elected stop that runs next. Where there is none, the election is over and forgotten.
    private mutating func nextElected(_ instrument: UInt16) -> UInt32? {
        guard let place = elections.firstIndex(where: { $0.instrument == instrument }) else {
            return nil
        }
        while elections[place].head < elections[place].ranges.count {
            let range = elections[place].ranges[elections[place].head]
            let kind: LadderKind = range.isUp ? .stopsUp : .stopsDown
            let best = ladders.best(Ladders.index(instrument, kind))
            if best != none {
                let price = ladders.price(best)
                if range.isUp ? price <= range.bound : price >= range.bound {
                    return ladders.first(best)
                }
            }
            elections[place].head += 1
        }
        elections.remove(at: place)
        updateTriggers(instrument)
        return nil
    }

    /// Forgets elections of which no stop is left, after one went.
    @inline(__always) mutating func pruneElections(_ instrument: UInt16) {
        if !elections.isEmpty { _ = nextElected(instrument) }
    }

    mutating func moveToEnd(_ instrument: UInt16) {
        guard let place = elections.firstIndex(where: { $0.instrument == instrument }) else {
            return
        }
        elections.append(elections.remove(at: place))
    }

    /// Runs one stop, or ends it where a kill switch is still to do so; false when it went into
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
        orders.cold[slot].updatedTime = timestamp
        orders.cold[slot].workingTime = timestamp
        orders.hot[slot].shown = orders.hot[slot].leaves
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

    /// What a market buy that fires costs, as far as the looks of a turn go.
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
