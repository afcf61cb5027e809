// The engine driven by bare order events without a log, to measure it alone.

internal import Slabs
public import Terms
internal import Wire

extension Engine {
    /// An engine with `symbols` trading instruments and `accounts` accounts, with more funds than
    /// any replay spends.
    public static func forReplay(symbols: Int, accounts: Int, openOrders: Int) -> Engine {
        let limits = EngineLimits(
            assets: UInt32(symbols + 1), instruments: UInt32(symbols),
            accounts: UInt32(max(accounts, 1)), openOrders: UInt32(openOrders), apiKeys: 1,
            sessions: 1, feeTiers: 1, orderLimits: 1, references: 1, turnSteps: 65_536)
        var engine = Engine(limits: limits, keepsEvents: false)
        engine.setUpReplay(symbols: symbols, accounts: accounts)
        return engine
    }

    private mutating func setUpReplay(symbols: Int, accounts: Int) {
        let audit = Audit(operatorName: Text40(), reason: "")
        for number in 0...symbols {
            _ = setAsset(SetAsset(code: Self.name(number), scale: 0, audit: audit))
        }
        for number in 1...symbols {
            _ = setInstrument(
                SetInstrument(
                    symbol: Self.name(number), base: AssetID(UInt16(number + 1)),
                    quote: AssetID(1), tickMantissa: 1, tickScale: 0, lotUnits: 1,
                    priceMax: Price(ticks: Limits.priceTicksMax),
                    quantityMax: Self.replayQuantityMax(openOrders: orders.capacity), audit: audit))
        }
        precondition(Int(instrumentsUsed) == symbols, "every symbol has an instrument")
        // A tenth of a percent, a usual base rate.
        let rate = FeeRate(e8: 100_000)
        _ = setFees(SetFees(tier: 0, maker: rate, taker: rate, audit: audit))
        for number in 0..<accounts {
            let account = self.accounts.open(Self.longName(number))
            for asset in 1...UInt16(symbols + 1) { self.ledger.adjust(account, asset, 1 << 100) }
        }
    }

    /// The highest quantity of one order, in lots, with this many open orders.
    public static func replayQuantityMax(openOrders: Int) -> Quantity {
        Quantity(lots: min(Limits.quantityLotsMax, (1 << 62) / Int64(openOrders)))
    }

    private static func name(_ number: Int) -> Text16 { Text16("A\(number)") ?? Text16() }

    private static func longName(_ number: Int) -> Text40 {
        Text40("account \(number)") ?? Text40()
    }

    /// Applies one event; true when it traded. No effect if it names an order that is not open or
    /// is malformed: a price or quantity outside the limits, an unknown symbol.
    public mutating func replay(_ event: ReplayEvent) -> Bool {
        events.clear()
        steps = 0
        if event.orderID == 0 || event.side > 1 { return false }
        let outcome = outcome(of: event)
        events.fold(outcome)
        return events.count > 0
    }

    /// Prefetches memory that `replay` of this event will read. Three steps, called some events
    /// ahead and some events apart: each needs the lines that the previous one requested.
    @inline(__always) public func prefetchFirst(_ event: ReplayEvent) {
        orders.prefetchIndex(event.orderID)
        accounts.prefetch(event.account)
        // Instrument n trades asset n + 1 for asset 1.
        ledger.prefetch(event.account, event.side == 0 ? 1 : event.symbol &+ 1)
    }

    /// The second step: the order's line, and its new level.
    @inline(__always) public func prefetchSecond(_ event: ReplayEvent) -> ReplayAhead {
        ReplayAhead(event, symbols: instrumentsUsed, orders, ladders)
    }

    /// The third step: its old and new neighbours.
    @inline(__always) public func prefetchThird(_ ahead: ReplayAhead) {
        ahead.prefetch(orders, ladders)
    }

    /// The trades of the last event.
    @inline(__always) public func forEachTrade(_ body: (ReplayTrade) -> Void) {
        unsafe events.withEvents { list in
            for i in 0..<list.count {
                guard case .trade(let trade) = unsafe list[i] else { continue }
                body(
                    ReplayTrade(
                        maker: trade.maker.order.number, taker: trade.taker.order.number,
                        price: trade.price.ticks, quantity: trade.quantity.lots))
            }
        }
    }

    private mutating func outcome(of event: ReplayEvent) -> Outcome {
        let (account, instrument) = (AccountID(event.account), InstrumentID(event.symbol))
        let order = OrderID(event.orderID)
        switch ReplayEvent.Kind(rawValue: event.kind) {
        case .replace:
            let outcome = amend(
                Amend(
                    account: account, instrument: instrument, order: order,
                    price: Price(ticks: event.price)))
            return outcome.refusal == .amendInvalid ? requeue(event) : outcome
        case .cancel:
            return cancel(Cancel(account: account, instrument: instrument, order: order), .request)
        case .limit, .immediateOrCancel, .market:
            // The file names its orders itself.
            lastOrder = event.orderID - 1
            let isMarket = event.kind == ReplayEvent.Kind.market.rawValue
            return place(
                Place(
                    account: account, instrument: instrument,
                    side: event.side == 0 ? .buy : .sell, type: isMarket ? .market : .limit,
                    timeInForce: event.kind == 0 ? .gtc : .ioc,
                    price: Price(ticks: isMarket ? 0 : event.price),
                    quantity: Quantity(lots: event.quantity)))
        case nil: return .refused(.malformed)
        }
    }

    /// A replay's move to the order's present price: it loses its priority.
    private mutating func requeue(_ event: ReplayEvent) -> Outcome {
        let slot = orders.find(event.orderID)
        if slot == none || orders.hot[slot].price != event.price { return .refused(.amendInvalid) }
        let leaves = orders.hot[slot].leaves
        return Outcome(status: relocate(slot, event.price, leaves, event.price))
    }
}
