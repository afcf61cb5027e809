// The engine driven by bare order events, without a log around it: for measuring the book by itself
// and with its ledger.

internal import Slabs
public import Terms
internal import Wire

/// One order event of a replay file: 40 bytes, little-endian.
///
///      0  u8   kind        `Kind`
///      1  u8   side        0 buy, 1 sell
///      2  u16  symbol      from 1
///      4  u32  account
///      8  u64  orderID
///     16  i64  price       ticks; 0 for market and cancel
///     24  i64  quantity    lots; 0 for cancel
///     32  u64  reserved
@frozen public struct ReplayEvent: BitwiseCopyable, Sendable {
    /// What an event does.
    @frozen public enum Kind: UInt8, BitwiseCopyable, Sendable, CaseIterable {
        /// A limit order that stays.
        case limit = 0
        /// A limit order whose rest is dropped.
        case immediateOrCancel = 1
        /// A market order whose rest is dropped.
        case market = 2
        /// A cancel.
        case cancel = 3
        /// A move to a new price with the same open quantity: loses priority, may take.
        case replace = 4
    }

    /// Raw `Kind`.
    public var kind: UInt8
    /// Raw `Side`.
    public var side: UInt8
    /// The instrument, from 1.
    public var symbol: UInt16
    /// Whose.
    public var account: UInt32
    /// The order.
    public var orderID: UInt64
    /// In ticks.
    public var price: Int64
    /// In lots.
    public var quantity: Int64
    /// Zero.
    public var reserved: UInt64 = 0

    /// An event.
    @inlinable public init(
        kind: Kind, side: Side, symbol: UInt16, account: UInt32, orderID: UInt64, price: Int64,
        quantity: Int64
    ) {
        self.kind = kind.rawValue
        self.side = side.rawValue
        self.symbol = symbol
        self.account = account
        self.orderID = orderID
        self.price = price
        self.quantity = quantity
    }
}

extension Engine {
    /// An engine with `symbols` instruments that trade and `accounts` accounts with more funds than
    /// any replay spends. Without the ledger it is the bare book: levels, priority and trades.
    public static func forReplay(
        symbols: Int, accounts: Int, openOrders: Int, ledger: Bool
    ) -> Engine {
        let limits = EngineLimits(
            assets: UInt32(symbols + 1), instruments: UInt32(symbols),
            accounts: UInt32(max(accounts, 1)), openOrders: UInt32(openOrders), apiKeys: 1,
            sessions: 1, feeTiers: 1, orderLimits: 1, references: 1, turnSteps: 65_536)
        var engine = Engine(limits: limits, keepsEvents: false, isBare: !ledger)
        engine.setUpReplay(symbols: symbols, accounts: accounts, ledger: ledger)
        return engine
    }

    private mutating func setUpReplay(symbols: Int, accounts: Int, ledger: Bool) {
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
                    quantityMax: Self.replayQuantityMax(openOrders: orders.capacity),
                    audit: audit))
        }
        precondition(Int(instrumentsUsed) == symbols, "every symbol has an instrument")
        // A tenth of a percent, as exchanges take at first.
        let rate = FeeRate(e8: 100_000)
        _ = setFees(SetFees(tier: 0, maker: rate, taker: rate, audit: audit))
        guard ledger else { return }
        for number in 0..<accounts {
            let account = self.accounts.open(Self.longName(number))
            for asset in 1...UInt16(symbols + 1) {
                self.ledger.adjust(account, asset, 1 << 100)
            }
        }
    }

    /// The highest quantity of one order, in lots, with so many open orders.
    public static func replayQuantityMax(openOrders: Int) -> Quantity {
        Quantity(lots: min(Limits.quantityLotsMax, (1 << 62) / Int64(openOrders)))
    }

    private static func name(_ number: Int) -> Text16 {
        Text16("A\(number)") ?? Text16()
    }

    private static func longName(_ number: Int) -> Text40 {
        Text40("account \(number)") ?? Text40()
    }

    /// Applies one event; true when it traded. What names an order that is not open does nothing,
    /// and so does what is not well formed: a price or quantity outside the limits, no such symbol.
    public mutating func replay(_ event: ReplayEvent) -> Bool {
        events.clear()
        steps = 0
        // The orders behind the ledger are checked as all orders are.
        if event.orderID == 0 || event.side > 1 { return false }
        if isBare {
            if isWellFormed(event) { replayBare(event) }
        } else {
            let outcome = replayWhole(event)
            events.fold(outcome)
        }
        return events.count > 0
    }

    /// The checks of form that the bare book has not: what could not be of a real order does
    /// nothing.
    @inline(__always) private func isWellFormed(_ event: ReplayEvent) -> Bool {
        event.symbol != 0 && event.symbol <= instrumentsUsed
            && event.price >= 0 && event.price <= Limits.priceTicksMax
            && event.quantity >= 0
            && event.quantity <= instruments[Int(event.symbol)].quantityMax.lots
            && (event.price > 0 || event.kind == ReplayEvent.Kind.market.rawValue
                || event.kind == ReplayEvent.Kind.cancel.rawValue)
            && (event.quantity > 0 || event.kind >= ReplayEvent.Kind.cancel.rawValue)
    }

    /// Asks for memory that `replay` of this event will read: called some events ahead, the three
    /// of them in turn with some events between, each when what the one before asked for has come.
    @inline(__always) public func prefetchFirst(_ event: ReplayEvent) {
        orders.prefetchIndex(event.orderID)
        if isBare { return }
        accounts.prefetch(event.account)
        // Instrument n trades asset n + 1 for asset 1.
        ledger.prefetch(event.account, event.side == 0 ? 1 : event.symbol &+ 1)
    }

    /// What `prefetchSecond` found out.
    @frozen public struct Ahead: BitwiseCopyable {
        @usableFromInline var slot: UInt32 = .max
        @usableFromInline var level: UInt32 = .max

        /// Nothing.
        @inlinable public init() {}
    }

    /// The second step of looking ahead: the order's line, and the level that it goes to.
    @inline(__always) public func prefetchSecond(_ event: ReplayEvent) -> Ahead {
        var ahead = Ahead()
        if let level = target(event) {
            ahead.level = level
            ladders.prefetch(level: level)
        }
        if event.kind >= ReplayEvent.Kind.cancel.rawValue, let slot = orders.guess(event.orderID) {
            ahead.slot = slot
            orders.prefetch(slot)
        }
        return ahead
    }

    /// The third step: the neighbours that it leaves and finds.
    @inline(__always) public func prefetchThird(_ ahead: Ahead) {
        if ahead.level != none { ladders.prefetchLast(ahead.level, orders.hot) }
        if ahead.slot != none { ladders.prefetchNeighbours(ahead.slot, orders.hot) }
    }

    /// The level that an event puts its order at, when it is not far off.
    @inline(__always) private func target(_ event: ReplayEvent) -> UInt32? {
        if event.kind == ReplayEvent.Kind.cancel.rawValue || event.price < 0
            || event.symbol > instrumentsUsed
        {
            return nil
        }
        let kind = LadderKind(event.side == 0 ? Side.buy : .sell)
        return ladders.guess(Ladders.index(event.symbol, kind), event.price)
    }

    /// The trades of the last event.
    @inline(__always) public func forEachTrade(_ body: (Trade) -> Void) {
        unsafe events.withEvents { list in
            for i in 0..<list.count {
                if case .trade(let trade) = unsafe list[i] { body(trade) }
            }
        }
    }

    // MARK: The bare book

    private mutating func replayBare(_ event: ReplayEvent) {
        switch ReplayEvent.Kind(rawValue: event.kind) {
        case .replace:
            let slot = orders.find(event.orderID)
            if slot == none { return }
            let (leaves, old) = (orders.hot[slot].leaves, orders.hot[slot].price)
            _ = relocate(slot, event.price, leaves, old)
        case .cancel:
            let slot = orders.find(event.orderID)
            if slot == none { return }
            detach(slot)
            release(slot)
        case .limit, .immediateOrCancel, .market: takeBare(event)
        case nil: return
        }
    }

    private mutating func takeBare(_ event: ReplayEvent) {
        let side: Side = event.side == 0 ? .buy : .sell
        let isMarket = event.kind == ReplayEvent.Kind.market.rawValue
        let hot = HotOrder(
            id: event.orderID, price: event.price, leaves: event.quantity, quantity: event.quantity,
            account: event.account == 0 ? 1 : event.account,
            instrument: event.symbol, side: side,
            type: isMarket ? .market : .limit,
            timeInForce: event.kind == 0 ? .gtc : .ioc)
        let cold = ColdOrder()
        if event.kind == 0, !crosses(event.symbol, side, event.price) {
            rest(hot, cold)
            return
        }
        let bound = !isMarket ? event.price : side == .buy ? .max : 0
        var incoming = Incoming(
            hot: hot, cold: cold, kind: isMarket ? .market : .limit, bound: bound)
        if match(&incoming) { _ = conclude(&incoming) } else { takeOff(&incoming) }
    }

    // MARK: With the ledger

    private mutating func replayWhole(_ event: ReplayEvent) -> Outcome {
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
            return cancel(
                Cancel(account: account, instrument: instrument, order: order), .request)
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

    /// A replay's move to the price that the order has already: it loses its priority.
    private mutating func requeue(_ event: ReplayEvent) -> Outcome {
        let slot = orders.find(event.orderID)
        if slot == none || orders.hot[slot].price != event.price {
            return .refused(.amendInvalid)
        }
        let leaves = orders.hot[slot].leaves
        return Outcome(status: relocate(slot, event.price, leaves, event.price))
    }
}
