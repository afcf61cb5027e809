// Random commands: mostly sensible, crowded onto few prices so that they meet, with small funds so
// that they run out, and now and then one with a field that is wrong or at the end of its range.

import Engine
import Slabs
import Terms
import Wire

/// One record of a random log.
struct Step {
    var header: RecordHeader
    /// Nil for bytes that do not decode.
    var command: Command?
    /// The whole record, its CRC left out.
    var bytes: [UInt8]
    /// Passed over by the replicas, as a later `VoidSequence` would ask.
    var isVoided = false
}

/// Makes a log, looking at the slow twin to name what exists.
struct CommandStream {
    var random: SplitMix64
    let twin: SlowExchange
    private var now: Int64 = 1_700_000_000_000_000_000
    private var opening: [Command]
    /// Whether books become deep: more prices and funds, and little that ends many orders.
    let isDeep: Bool
    /// Whether mass cancels and kill switches come often, so that they wait beside trades.
    let hasManyKills: Bool
    /// Whether ticks come as soon as something waits for them, as from the sequencer; else late.
    let isPrompt: Bool
    /// The rules with which the log begins; older ones are raised in its midst.
    let firstRules: UInt32
    /// Whether operators get keys in its midst.
    let hasOperators: Bool
    /// References that were made so far.
    var references: Int64 = 0
    /// What the running hash is, for marks; the harness keeps it.
    var eventHash: UInt64 = 0

    init(seed: UInt64, twin: SlowExchange) {
        random = SplitMix64(seed: seed)
        self.twin = twin
        isDeep = seed % 4 == 2
        hasManyKills = seed % 3 == 0 && !isDeep
        isPrompt = seed / 4 % 2 == 0
        firstRules = [1, 3, 4, 2, 4][Int(seed % 5)]
        hasOperators = seed % 7 == 3 || seed % 10 == 4
        opening = []
        opening = Array(openingCommands().reversed())
    }

    mutating func next() -> Step {
        if let command = opening.popLast() { return step(command, SessionID(0), 0) }
        if twin.isWorkLeft, isPrompt ? !random.once(in: 12) : random.once(in: 6) {
            return step(.tick(Tick()), SessionID(0), 0)
        }
        passTime()
        let (session, number) = sessionAndNumber()
        var step = step(randomCommand(), session, number)
        if random.once(in: 300) { corrupt(&step) }
        if step.command != nil, random.once(in: 400) { step.isVoided = true }
        return step
    }

    private func step(_ command: Command, _ session: SessionID, _ number: UInt64) -> Step {
        let header = RecordHeader(
            sequence: twin.sequence + 1, timestamp: now,
            epoch: command.kind == .epochMark ? twin.epoch + 1 : max(1, twin.epoch),
            session: session, number: number, kind: command.kind)
        return Step(header: header, command: command, bytes: command.payload.recordBytes(header))
    }

    /// Mostly forward, often not at all, seldom back.
    private mutating func passTime() {
        switch random.within(0...10) {
        case 0...3: break
        // Just when the next timer is due, where that is soon.
        case 10: if let next = twin.nextTimer, next < now + 2_000_000_000 { now = max(now, next) }
        case 4...7: now += random.within(1...50_000_000)
        case 8: now += random.within(1...1_500_000_000)
        // Sessions become old.
        case 9 where random.once(in: 12): now += random.within(3_500...3_700) * 1_000_000_000
        // Days pass, and now and then a month.
        case 9 where random.once(in: 30):
            now += random.within(1...(random.once(in: 4) ? 800 : 30)) * 3_600_000_000_000
        default: now -= random.within(0...1_000_000)
        }
    }

    private mutating func sessionAndNumber() -> (SessionID, UInt64) {
        if twin.sessions.isEmpty || random.once(in: 2) { return (SessionID(0), 0) }
        if random.once(in: 60) { return (SessionID(UInt32(random.within(1...40))), 1) }
        let session = random.pick(twin.sessions)
        switch random.within(0...30) {
        case 0: return (session.id, session.lastNumber)
        case 1: return (session.id, session.lastNumber + 2)
        case 2: return (session.id, UInt64(random.within(0...3)))
        default: return (session.id, session.lastNumber + 1)
        }
    }

    /// Makes the record one that must be refused as malformed.
    private mutating func corrupt(_ step: inout Step) {
        switch random.within(0...2) {
        case 0: step.bytes += [0, 0, 0, 0, 0, 0, 0, 0]
        case 1: step.bytes[40] = 0xEE
        default:
            guard step.bytes.count > RecordHeader.size else { return }
            step.bytes.removeLast(8)
        }
        step.header.kind = UInt16(step.bytes[40]) | UInt16(step.bytes[41]) << 8
        step.command = nil
    }

    // MARK: Which command

    private mutating func randomCommand() -> Command {
        if let kill = twin.kills.first {
            if random.once(in: 14) { return killSwitchAgain(kill.account) }
            let stop = twin.open.first { $0.place == .waiting && twin.isKilled($0) }
            if let stop, random.once(in: 2) { return .place(order(towards: stop.view)) }
        }
        // What stops trading does not last, or little else would be seen.
        let isStopped = twin.isKilled || twin.accounts.contains { $0.view.isKilled }
        if isStopped, random.once(in: 10) { return administration(.setKillSwitch) }
        // A state that waits for a flight is rare enough by itself never to be seen.
        if !twin.flights.isEmpty, random.once(in: 50) {
            return administration(.setInstrumentState)
        }
        if twin.instruments.contains(where: { $0.state != .trading }), random.once(in: 20) {
            return administration(.setInstrumentState)
        }
        let kind: CommandKind = random.pick(weighted: [
            (620, .place), (50, .cancel), (100, .amend), (50, .cancelReplace),
            (hasManyKills ? 8 : 2, .massCancel),
            (25, .tick), (6, .hashMark), (3, .epochMark), (3, .voidSequence), (1, .genesis),
            (1, .setRules), (10, .openSession), (2, .closeSession), (2, .setAsset),
            (8, .setInstrument), (10, .setInstrumentState), (6, .setReferencePrice),
            (10, .setFees), (4, .openAccount), (8, .setAccountLimits), (10, .setOrderLimits),
            (6, .setAccountTier), (hasManyKills ? 10 : 2, .setKillSwitch), (60, .adjustBalance),
            (12, .transferFees),
            (10, .creditDeposit), (2, .raiseLimits), (6, .addAPIKey), (3, .revokeAPIKey),
            (3, .setWithdrawalPolicy), (6, .setWithdrawalLimits), (12, .addWithdrawalAddress),
            (4, .removeWithdrawalAddress), (6, .setWithdrawalTerms),
            (3, .setNetwork), (14, .decideWithdrawal), (4, .resumeWithdrawals),
            (5, .assignAddress), (30, .requestWithdrawal), (3, .cancelWithdrawal),
            (3, .noteDeposit), (16, .signWithdrawals), (6, .settleTransaction),
            (3, .dropTransaction), (1, .stopWithdrawals), (2, .setChain), (6, .checkBlock),
            (2, .setColdStorage),
            (hasOperators ? 30 : 0, .setOperator), (hasOperators ? 4 : 0, .setCustodyPolicy),
            (hasOperators ? 6 : 1, .propose), (hasOperators ? 60 : 1, .endorse),
            (hasOperators ? 3 : 1, .withdrawProposal), (hasOperators ? 20 : 1, .signDecision),
        ])
        let isEnding = [
            .massCancel, .setKillSwitch, .setAccountLimits, .setOrderLimits, .cancel,
        ].contains(kind)
        if isDeep, isEnding, !random.once(in: 10) {
            return .place(order())
        }
        switch kind {
        case .place: return .place(order())
        case .cancel: return .cancel(cancel())
        case .amend: return .amend(amend())
        case .cancelReplace: return .cancelReplace(cancelReplace())
        case .massCancel:
            return .massCancel(
                MassCancel(
                    account: random.once(in: 9) ? AccountID(0) : account(),
                    instrument: random.once(in: 2) ? InstrumentID(0) : instrument(),
                    side: random.pick([nil, .buy, .sell]), deadline: deadline()))
        case .tick: return .tick(Tick())
        case .hashMark: return .hashMark(HashMark(eventHash: eventHash))
        case .epochMark:
            return .epochMark(
                EpochMark(
                    priorEpoch: twin.epoch, cause: random.pick(EpochCause.allCases),
                    commitPoint: twin.sequence, eventHash: eventHash))
        case .setRules: return .setRules(SetRules(version: random.pick([0, 1, 2, 3, 4])))
        case .voidSequence:
            let ahead = UInt64(random.within(0...3))
            return .voidSequence(
                VoidSequence(
                    sequence: random.once(in: 2) ? twin.sequence / 2 : twin.sequence + ahead,
                    audit: audit))
        case .genesis:
            let limits = random.once(in: 2) ? twin.limits : EngineLimits.standard
            return .genesis(
                Genesis(
                    limits: limits, journalHigh: 1, journalLow: 2, hashKeyHigh: random.next(),
                    hashKeyLow: random.next()))
        case .setNetwork, .decideWithdrawal, .resumeWithdrawals, .assignAddress,
            .requestWithdrawal, .cancelWithdrawal, .noteDeposit, .signWithdrawals,
            .settleTransaction, .dropTransaction, .stopWithdrawals, .setChain, .checkBlock,
            .setColdStorage:
            return guardedIfSo(custody(kind))
        case .setOperator, .setCustodyPolicy, .propose, .endorse, .withdrawProposal, .signDecision:
            return operators(kind)
        case .setWithdrawalPolicy, .setWithdrawalLimits, .addWithdrawalAddress,
            .removeWithdrawalAddress, .setWithdrawalTerms:
            return guardedIfSo(withdrawalRules(kind))
        default: return guardedIfSo(administration(kind))
        }
    }

    // MARK: Orders

    private mutating func order() -> Place {
        order(account: account(), instrument: instrument())
    }

    private mutating func order(account: AccountID, instrument: InstrumentID) -> Place {
        let type: OrderType = random.pick(weighted: [
            (50, .limit), (14, .market), (8, .limitMaker), (6, .stopLoss), (7, .stopLossLimit),
            (6, .takeProfit), (7, .takeProfitLimit),
        ])
        var p = Place(
            account: account, instrument: instrument, side: random.pick(Side.allCases),
            type: type, timeInForce: timeInForce(type),
            selfTradePrevention: random.pick(weighted: [
                (4, .none), (1, .expireTaker), (1, .expireMaker), (1, .expireBoth),
                (2, .decrement), (1, .instrumentDefault),
            ]),
            quantity: quantity(instrument), clOrdID: clOrdID(), deadline: deadline())
        if random.once(in: 4) {
            p.strategyID = Int64(bitPattern: random.next())
            p.strategyType = Int32(truncatingIfNeeded: random.next())
        }
        if type.hasPrice { p.price = price(instrument) }
        if type.isTriggered { p.stopPrice = price(instrument) }
        if type.hasPrice, instrument.number != 4, !random.once(in: 3) {
            // Most keep to their side, so that a book builds up.
            let away = isDeep ? abs(p.price.ticks - 100) : 4
            p.price.ticks = (isDeep ? 100 : p.price.ticks) + (p.side == .buy ? -away : away)
        }
        if type.isTriggered, !random.once(in: 4), let i = twin.instrumentOrNil(instrument) {
            // Most wait on the right side of the last price.
            let isUp = twin.triggersUp(p.side, type)
            p.stopPrice.ticks = max(1, i.lastPrice.ticks + random.within(1...4) * (isUp ? 1 : -1))
        }
        if type == .market, random.once(in: 2) {
            p.quoteQuantity = quoteQuantity(instrument)
            p.quantity = .zero
        }
        if type.hasPrice, p.timeInForce == .gtc || p.timeInForce == .gtd, random.once(in: 5) {
            p.displayQuantity.lots = random.within(1...max(1, p.quantity.lots))
        }
        if p.timeInForce == .gtd { p.expireTime = now + random.within(-1...8) * 1_000_000_000 }
        if random.once(in: 25) { spoil(&p) }
        return p
    }

    /// One that may trade at a price that a stop waits for.
    private mutating func order(towards stop: OrderView) -> Place {
        let isUp = twin.triggersUp(stop.side, stop.type)
        let price = stop.stopPrice.ticks + (isUp ? 3 : -3)
        return Place(
            account: account(), instrument: stop.instrument, side: isUp ? .buy : .sell,
            type: .limit, timeInForce: random.pick([.gtc, .ioc]), price: Price(ticks: price),
            quantity: Quantity(lots: random.within(1...40)))
    }

    private mutating func timeInForce(_ type: OrderType) -> TimeInForce {
        switch type {
        case .market: random.pick([.gtc, .ioc])
        case .limitMaker: random.pick([.gtc, .gtc, .gtd])
        case .stopLoss, .takeProfit: .gtc
        case .limit, .stopLossLimit, .takeProfitLimit:
            random.pick(weighted: [(8, .gtc), (1, .ioc), (2, .fok), (2, .gtd)])
        }
    }

    /// Sets one field to something wrong or extreme.
    private mutating func spoil(_ p: inout Place) {
        let extreme = random.pick([Int64.min, -1, 0, 1, 1 << 48, 1 << 60, 1 << 61, Int64.max])
        switch random.within(0...8) {
        case 0: p.price.ticks = extreme
        case 1: p.quantity.lots = extreme
        case 2: p.stopPrice.ticks = extreme
        case 3: p.displayQuantity.lots = extreme
        case 4: p.expireTime = extreme
        case 5:
            p.quoteQuantity.units = random.pick([
                .min, -1, 1, 1 << 120, 1 << 120 + 1, Int128.max, Int128(extreme),
            ])
        case 6: p.timeInForce = random.pick(TimeInForce.allCases)
        case 7: p.type = random.pick(OrderType.allCases)
        default: p.clOrdID = Text40("this-text-is-thirty-seven-bytes-long!")!
        }
    }

    private mutating func cancel() -> Cancel {
        guard let v = someOrder() else {
            return Cancel(account: account(), instrument: instrument(), order: OrderID(1))
        }
        var c = Cancel(
            account: v.account, instrument: v.instrument, order: v.order,
            restriction: random.pick(weighted: [
                (6, .none), (1, .onlyNew), (1, .onlyPartiallyFilled),
            ]), cancelID: clOrdID(), deadline: deadline())
        if !v.clOrdID.isEmpty, !random.once(in: 3) {
            c.clOrdID = v.clOrdID
            if random.once(in: 2) { c.order = OrderID(0) }
        }
        switch random.within(0...50) {
        case 0: c.account = account()
        case 1: c.instrument = instrument()
        case 2: c.order = OrderID(UInt64(random.within(0...Int64(twin.lastOrder + 1))))
        case 3: c.clOrdID = clOrdID()
        case 4: c.clOrdID = Text40("this-text-is-thirty-seven-bytes-long!")!
        case 5: c.cancelID = Text40("this-text-is-thirty-seven-bytes-long!")!
        // One order's id and another's text.
        case 6, 7: if let other = someOrder() { c.clOrdID = other.clOrdID }
        case 8:
            c.order = OrderID(0)
            c.clOrdID = Text40()
        default: break
        }
        return c
    }

    private mutating func amend() -> Amend {
        let c = cancel()
        var a = Amend(
            account: c.account, instrument: c.instrument, order: c.order, clOrdID: c.clOrdID,
            newClOrdID: clOrdID(), keepsPriority: random.once(in: 5), deadline: c.deadline)
        if random.once(in: 60) { a.newClOrdID = Text40("this-text-is-thirty-seven-bytes-long!")! }
        if random.once(in: 2) { a.price = price(c.instrument) }
        if let order = twin.find(c.account, c.instrument, c.order, c.clOrdID) {
            let most = max(1, order.view.quantity.lots)
            switch random.within(0...5) {
            case 0, 1, 2: a.quantity.lots = random.within(1...most)
            case 3: a.quantity = quantity(c.instrument)
            case 4: a.quantity.lots = most
            default: break
            }
            if random.once(in: 12) { a.price = order.view.price }
        }
        if random.once(in: 40) { a.quantity.lots = random.pick([-1, .min, .max, 1 << 60]) }
        if random.once(in: 40) { a.price.ticks = random.pick([-1, .min, .max, 1 << 48]) }
        return a
    }

    private mutating func cancelReplace() -> CancelReplace {
        var cancel = cancel()
        if !random.once(in: 40) { cancel.deadline = 0 }
        var place = order(account: cancel.account, instrument: cancel.instrument)
        if random.once(in: 3) { place.clOrdID = cancel.clOrdID }
        if random.once(in: 4),
            let old = twin.open.first(where: { $0.view.order == cancel.order })?.view
        {
            // What only fits once the old one has gone.
            (place.side, place.price, place.quantity) = (old.side, old.price, old.quantity)
        }
        if random.once(in: 50) { place.account = account() }
        return CancelReplace(
            stopOnFailure: random.once(in: 2), cancel: cancel, place: place)
    }

    private mutating func someOrder() -> OrderView? {
        twin.open.isEmpty ? nil : random.pick(twin.open).view
    }

    // MARK: Values

    /// Mostly none; else near the time, often at it.
    private mutating func deadline() -> Int64 {
        guard random.once(in: 12) else { return 0 }
        return random.pick([now, now, now - 1, now + 1, now + 1_000_000_000, 1, -1, .max, .min])
    }

    var audit: Audit { Audit(operatorName: Text40("tester")!, reason: "random") }

    private mutating func clOrdID() -> Text40 {
        random.once(in: 4) ? Text40("c\(random.within(1...9))")! : Text40()
    }

    mutating func account() -> AccountID {
        random.once(in: 120)
            ? AccountID(random.pick([0, 99, .max])) : AccountID(UInt32(random.within(1...5)))
    }

    mutating func instrument() -> InstrumentID {
        random.once(in: 120)
            ? InstrumentID(random.pick([0, 77, .max]))
            : InstrumentID(random.pick(weighted: [(8, 1), (4, 2), (3, 3), (3, 4)]))
    }

    /// A price near the middle of the instrument's few, for the fourth one of a wide range.
    mutating func price(_ instrument: InstrumentID) -> Price {
        guard instrument.number == 4 else {
            let spread = isDeep ? 14 : random.once(in: 20) ? 9 : 1
            return Price(ticks: 100 + random.within(-6...6) * Int64(spread) + random.within(0...1))
        }
        return Price(ticks: random.pick([1, 1, 2, 3, 1 << 12, 1 << 29, 1 << 30, 1 << 30]))
    }

    mutating func quantity(_ instrument: InstrumentID) -> Quantity {
        guard instrument.number == 4 else {
            return Quantity(lots: random.within(1...(random.once(in: 8) ? 300 : 14)))
        }
        return Quantity(lots: random.pick([1, 1, 2, 3, 5, 1 << 15, 1 << 29, 1 << 30, 1 << 48]))
    }

    private mutating func quoteQuantity(_ instrument: InstrumentID) -> Amount {
        guard let i = twin.instrumentOrNil(instrument) else { return Amount(units: 5) }
        if instrument.number == 4, random.once(in: 2) {
            return Amount(units: Limits.amountUnitsMax)
        }
        let lots = Int128(quantity(instrument).lots)
        let exact = product(Int128(price(instrument).ticks), lots, Int128(i.notionalUnit))
        let near = min(Limits.amountUnitsMax, exact) + random.pick([0, 0, -1, 7])
        return Amount(units: max(1, near))
    }
}
