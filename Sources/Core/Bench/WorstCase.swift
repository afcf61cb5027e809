// The worst known cases of each kind of command, at full limits.

internal import Engine
internal import Slabs
internal import Terms
internal import Wire

/// A state of the engine, and its slowest commands.
public enum WorstCase: String, CaseIterable, Sendable {
    case filling, sparse, deepQueue, oneAccount, icebergs, ownIcebergs, ownAsks, stops, zigzag
    case expiry, killSwitch, massCancels, crafted, flights, halted, replace, tables, references,
        raise

    /// How prices are spread: adjacent, or so that each needs nodes of its own.
    static let start: Int64 = 1 << 20
    private static func spread(_ i: Int, of count: Int) -> Int64 {
        let step = max(1, (Limits.priceTicksMax - 2 * start) / Int64(max(count, 1)))
        return start + Int64(i) * step
    }

    /// Builds it and applies the worst commands; returns the venue with its measured turns.
    public func run(_ scale: WorstScale) -> WorstVenue {
        switch self {
        case .filling: Self.filling(scale)
        case .sparse: Self.sparse(scale)
        case .deepQueue: Self.deepQueue(scale)
        case .oneAccount: Self.oneAccount(scale)
        case .icebergs: Self.icebergs(scale)
        case .ownIcebergs: Self.ownIcebergs(scale)
        case .ownAsks: Self.ownAsks(scale)
        case .stops: Self.stops(scale)
        case .zigzag: Self.zigzag(scale)
        case .expiry: Self.expiry(scale)
        case .killSwitch: Self.killSwitch(scale)
        case .massCancels: Self.massCancels(scale)
        case .crafted: Self.crafted(scale)
        case .flights: Self.flights(scale)
        case .halted: Self.halted(scale)
        case .replace: Self.replace(scale)
        case .tables: Self.tables(scale)
        case .references: Self.references(scale)
        case .raise: Self.raise(scale)
        }
    }

    /// Every order from the first to the last: tables grow, memory is touched first.
    private static func filling(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = scale.orders()
        for i in 0..<count {
            let name = Text40("o\(i)") ?? Text40()
            let account = UInt32(i % 7) + 1
            v.measure(
                "place, filling all",
                .place(v.order(account, .sell, 1, at: spread(i, of: count), clOrdID: name)))
        }
        // In an order unrelated to memory.
        for i in 0..<min(count, 200_000) {
            let id = UInt64((i * 7_919) % count) + 1
            let account = UInt32((id - 1) % 7) + 1
            v.measure(
                "cancel, full",
                .cancel(
                    Cancel(
                        account: AccountID(account), instrument: WorstVenue.instrument,
                        order: OrderID(id))))
        }
        return v
    }

    /// Each ask at a price of its own, far from the others.
    private static func sparse(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = scale.orders()
        for i in 0..<count {
            v.accept(.place(v.order(UInt32(i % 4) + 1, .sell, 2, at: spread(i, of: count))))
        }
        v.accept(.openAccount(OpenAccount(name: Text40("poor")!, audit: WorstVenue.audit)))
        let poor: UInt32 = 9
        let all = Int64(count)
        for mode in [SelfTradePrevention.none, .expireMaker, .decrement] {
            v.measure(
                "market buy without funds",
                .place(v.order(poor, .buy, all, type: .market, mode: mode)))
            v.measure(
                "market buy by quote without funds",
                .place(v.order(poor, .buy, 0, type: .market, mode: mode, amount: 1 << 90)))
            v.measure(
                "FOK, killed", .place(v.order(poor, .buy, 2 * all, at: 1 << 48, .fok, mode: mode)))
            v.measure(
                "market buy beyond its looks",
                .place(v.order(8, .buy, all, type: .market, mode: mode)))
        }
        for i in 0..<min(count, 1_000) {
            v.measure("place, far off", .place(v.order(8, .buy, 1, at: 1 + Int64(i) * 997)))
        }
        for _ in 0..<4 {
            v.measure(
                "market buy, full sweep", .place(v.order(8, .buy, min(all, 3_900), type: .market)))
            v.measure("FOK, filled", .place(v.order(8, .buy, min(all, 3_900), at: 1 << 48, .fok)))
        }
        if let ask = v.bestAskID() {
            v.measure(
                "cancel of the best",
                .cancel(
                    Cancel(
                        account: ask.account, instrument: WorstVenue.instrument, order: ask.order)))
        }
        v.accept(.place(v.order(8, .buy, 2 * all, at: 1)))
        let bid = v.lastOrder
        v.measure(
            "amend that takes all",
            .amend(
                Amend(
                    account: AccountID(8), instrument: WorstVenue.instrument, order: OrderID(bid),
                    price: Price(ticks: 1 << 48))))
        return v
    }

    /// All asks at one price.
    private static func deepQueue(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = scale.orders()
        for i in 0..<count { v.accept(.place(v.order(UInt32(i % 4) + 1, .sell, 1, at: start))) }
        let part = Int64(count / 3)
        v.measure("FOK over one price", .place(v.order(8, .buy, part, at: start, .fok)))
        v.measure("market over one price", .place(v.order(8, .buy, part, type: .market)))
        // An own order at the end of a long queue.
        v.accept(.place(v.order(8, .sell, 1, at: start)))
        for mode in [SelfTradePrevention.expireMaker, .expireTaker, .decrement] {
            v.measure(
                "FOK towards an own ask",
                .place(v.order(8, .buy, Int64(count), at: start, .fok, mode: mode)))
        }
        v.measure("limit over one price", .place(v.order(8, .buy, part, at: start)))
        return v
    }

    /// All orders of one account, with client ids.
    private static func oneAccount(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = scale.orders()
        for i in 0..<count {
            let name = Text40("o\(i)") ?? Text40()
            v.accept(
                .place(v.order(1, .sell, 1, at: start + Int64(i % 1_000), .gtc, clOrdID: name)))
        }
        v.measure("mass cancel without orders", .massCancel(MassCancel(account: AccountID(2))))
        for i in 0..<min(count, 1_000) {
            v.measure(
                "cancel-replace by client id",
                .cancelReplace(
                    CancelReplace(
                        stopOnFailure: true,
                        cancel: Cancel(
                            account: AccountID(1), instrument: WorstVenue.instrument,
                            clOrdID: Text40("o\(count - 1 - i)") ?? Text40()),
                        place: v.order(1, .sell, 1, at: start + 5, mode: .expireMaker))))
        }
        v.measure(
            "cancel-replace into own orders",
            .cancelReplace(
                CancelReplace(
                    stopOnFailure: false,
                    cancel: Cancel(
                        account: AccountID(1), instrument: WorstVenue.instrument,
                        order: OrderID(1)),
                    place: v.order(1, .buy, 600, at: 1 << 40, .ioc, mode: .expireMaker))))
        v.measure(
            "mass cancel of all but none fits",
            .massCancel(
                MassCancel(account: AccountID(1), instrument: WorstVenue.instrument, side: .buy)))
        v.measure("mass cancel of all", .massCancel(MassCancel(account: AccountID(1))))
        return v
    }

    /// Icebergs with the maximum number of slices: each trade shows a new one.
    private static func icebergs(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = min(scale.orders(), 20_000)
        for i in 0..<count {
            v.accept(.place(v.order(UInt32(i % 4) + 1, .sell, 100, at: start, display: 1)))
        }
        let lots = Int64(count) * 100
        v.measure("FOK over icebergs", .place(v.order(8, .buy, lots / 2, at: start, .fok)))
        v.measure("market over icebergs", .place(v.order(8, .buy, lots / 4, type: .market)))
        return v
    }

    /// Decrement against own icebergs, and behind others' orders.
    private static func ownIcebergs(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = min(scale.orders(), 1_900)
        for i in 0..<count {
            v.accept(
                .place(
                    v.order(i % 2 == 0 ? 8 : 1, .sell, 100, at: start + Int64(i / 64), display: 1)))
        }
        v.measure(
            "market, decrement own icebergs",
            .place(v.order(8, .buy, Int64(count) * 30, type: .market, mode: .decrement)))
        v.measure(
            "limit, decrement own icebergs",
            .place(v.order(8, .buy, Int64(count) * 100, at: 1 << 40, mode: .decrement)))
        return v
    }

    /// One trade fires stops that meet only own asks.
    private static func ownAsks(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let stops = min(scale.orders(percent: 40), 30_000)
        let asks = min(scale.orders(percent: 50), 40_000)
        for i in 0..<asks { v.accept(.place(v.order(1, .sell, 1, at: start + 10 + Int64(i)))) }
        for i in 0..<stops {
            v.accept(
                .place(
                    v.order(
                        1, .buy, 1, type: .stopLoss, mode: i % 2 == 0 ? .expireMaker : .decrement,
                        stop: start)))
        }
        v.accept(.place(v.order(2, .sell, 1, at: start)))
        v.measure("stops over own asks", .place(v.order(3, .buy, 1, at: start)))
        return v
    }

    /// One trade fires half of all orders, which trade with the other half, at spread stop prices.
    private static func stops(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let half = scale.orders(percent: 48)
        for i in 0..<half { v.accept(.place(v.order(1, .sell, 1, at: start + 10 + Int64(i)))) }
        for i in 0..<half {
            let type: OrderType = i % 3 == 0 ? .stopLossLimit : .stopLoss
            let price: Int64 = type == .stopLossLimit ? 1 << 40 : 0
            v.accept(
                .place(
                    v.order(
                        UInt32(i % 4) + 2, .buy, 1, at: price, type: type,
                        i % 6 == 0 ? .fok : .gtc, stop: start + Int64(i))))
        }
        v.accept(.place(v.order(2, .sell, 1, at: start)))
        v.measure("stop cascade", .place(v.order(3, .buy, 1, at: start)), ticks: false)
        // Others cancel meanwhile.
        for i in 0..<min(half / 2, 200) {
            let id = UInt64(2 * half - i)
            v.measure(
                "cancel of an elected stop",
                .cancel(
                    Cancel(
                        account: AccountID(UInt32((Int(id) - 1 - half) % 4) + 2),
                        instrument: WorstVenue.instrument, order: OrderID(id))), ticks: false)
        }
        v.goOn("stop cascade")
        return v
    }

    /// Stops that fire in turns up and down, each electing one more in the other direction.
    private static func zigzag(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = min(scale.orders(percent: 12), 40_000)
        for i in 0..<count {
            v.accept(.place(v.order(1, .sell, 1, at: start + 1 + Int64(i))))
            v.accept(.place(v.order(1, .buy, 1, at: start - 1 - Int64(i))))
        }
        // All of these wait for the same price; each buys or sells one, further and further out.
        for i in 0..<count {
            v.accept(
                .place(
                    v.order(
                        2, i % 2 == 0 ? .buy : .sell, 1, type: i % 2 == 0 ? .stopLoss : .takeProfit,
                        stop: start + 1)))
        }
        for i in 0..<count / 2 {
            // And one waits behind each price that they reach.
            v.accept(.place(v.order(3, .buy, 1, type: .stopLoss, stop: start + 2 + Int64(i))))
            v.accept(.place(v.order(3, .sell, 1, type: .stopLoss, stop: start - 1 - Int64(i))))
        }
        v.measure("stops up and down", .place(v.order(4, .buy, 1, at: start + 1)))
        return v
    }

    /// All orders expire in the same nanosecond.
    private static func expiry(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = scale.orders()
        let time = v.now + 1_000_000_000_000
        for i in 0..<count {
            v.accept(
                .place(
                    v.order(
                        UInt32(i % 7) + 1, .sell, 1, at: spread((i * 7_919) % count, of: count),
                        .gtd, expires: time, clOrdID: Text40("o\(i)") ?? Text40())))
        }
        v.now = time
        v.goOn("expiry of all")
        return v
    }

    /// The venue's kill switch over all accounts.
    private static func killSwitch(_ scale: WorstScale) -> WorstVenue {
        let accounts = Int(scale.limits.accounts)
        let instruments = Int(scale.limits.instruments)
        var v = WorstVenue(scale, accounts: accounts, instruments: instruments)
        let count = scale.orders(percent: 80)
        for i in 0..<count {
            let instrument = InstrumentID(UInt16(i % instruments) + 1)
            v.accept(
                .place(
                    v.order(
                        UInt32((i * 7_919) % accounts) + 1, .sell, 1,
                        at: spread((i * 104_729) % count, of: count), instrument: instrument)))
        }
        v.measure(
            "all instruments halt",
            .setInstrumentState(
                SetInstrumentState(
                    instrument: InstrumentID(0), state: .halt, audit: WorstVenue.audit)))
        v.measure(
            "venue killed",
            .setKillSwitch(
                SetKillSwitch(account: AccountID(0), isOn: true, audit: WorstVenue.audit)))
        return v
    }

    /// Mass cancels that pile up behind a long one, and one that skips later accounts.
    private static func massCancels(_ scale: WorstScale) -> WorstVenue {
        let accounts = Int(scale.limits.accounts)
        var v = WorstVenue(scale, accounts: accounts)
        let count = scale.orders(percent: 80)
        for i in 0..<count {
            v.accept(.place(v.order(UInt32(i % 7) + 1, .sell, 1, at: start + Int64(i % 64))))
        }
        for i in 0..<20_000 {
            v.measure(
                "mass cancel behind another",
                .massCancel(MassCancel(account: AccountID(UInt32(i % 7) + 1))), ticks: false)
        }
        for i in 0..<min(count / 2, 1_000) {
            let id = UInt64(count - i)
            v.measure(
                "cancel under mass cancels",
                .cancel(
                    Cancel(
                        account: AccountID(UInt32((id - 1) % 7) + 1),
                        instrument: WorstVenue.instrument, order: OrderID(id))), ticks: false)
        }
        v.goOn("mass cancel behind another")
        for _ in 0..<Int(scale.limits.turnSteps) + 1 {
            v.accept(.place(v.order(1, .sell, 1, at: start)))
        }
        v.measure(
            "mass cancel past newer orders", .massCancel(MassCancel(account: AccountID(0))),
            ticks: false)
        for number in 2...UInt32(accounts) {
            v.measure(
                "place under a mass cancel", .place(v.order(number, .sell, 1, at: start)),
                ticks: false)
        }
        v.goOn("mass cancel past newer orders")
        // Each account's own kill switch after that of one with many orders.
        for _ in 0..<Int(scale.limits.turnSteps) + 1 {
            v.accept(.place(v.order(1, .sell, 1, at: start)))
        }
        for number in 1...UInt32(accounts) {
            v.measure(
                "account killed behind another",
                .setKillSwitch(
                    SetKillSwitch(account: AccountID(number), isOn: true, audit: WorstVenue.audit)),
                ticks: false)
        }
        v.goOn("account killed behind another")
        return v
    }

    /// Client ids that collide under a zero key, and order ids far apart.
    private static func crafted(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        let count = min(scale.orders(), 12_000)
        let known = CraftedTexts(count: count)
        for text in known.texts {
            v.accept(.place(v.order(1, .sell, 1, at: start, clOrdID: text)))
            // Others' orders come and go between: only every sixteenth id stays.
            for _ in 0..<15 { v.accept(.place(v.order(2, .buy, 1, at: 1, .ioc))) }
        }
        for text in known.texts {
            v.measure(
                "cancel by crafted client id",
                .cancel(
                    Cancel(
                        account: AccountID(1), instrument: WorstVenue.instrument, clOrdID: text)))
        }
        return v
    }

    /// The tables of administration, filled and at their limits.
    private static func tables(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale, accounts: 1)
        let limits = scale.limits
        for number in 2..<Int(limits.accounts) + 2 {
            v.measure(
                "open account",
                .openAccount(
                    OpenAccount(name: Text40("account \(number)")!, audit: WorstVenue.audit)))
        }
        let secret = [UInt8](repeating: 7, count: Limits.sealedSecretBytesMax)
        for number in 0..<Int(limits.apiKeys) + 1 {
            v.measure(
                "add API key",
                .addAPIKey(
                    AddAPIKey(
                        account: AccountID(1), permissions: .trade, algorithm: .hmacSHA256,
                        keyID: Text64("key \(number)")!,
                        sealedSecret: number % 16 == 0 ? secret : Array(secret.prefix(48)),
                        audit: WorstVenue.audit)))
        }
        for number in 0..<min(Int(limits.apiKeys), 10_000) {
            v.measure(
                "revoke API key",
                .revokeAPIKey(
                    RevokeAPIKey(keyID: Text64("key \(number)")!, audit: WorstVenue.audit)))
        }
        for number in 0..<Int(limits.sessions) + 8 {
            v.measure("open session", .openSession(OpenSession(name: Text40("gateway/\(number)")!)))
        }
        for number in 0..<Int(limits.sessions) {
            v.measure(
                "open session anew", .openSession(OpenSession(name: Text40("gateway/\(number)")!)))
        }
        // The maximum number, all of operators, the oldest one last.
        var more = limits
        more.sessions = 65_536
        v.accept(.raiseLimits(RaiseLimits(limits: more, audit: WorstVenue.audit)))
        for number in Int(limits.sessions)..<Int(more.sessions) {
            v.accept(.openSession(OpenSession(name: Text40("operator/\(number)")!)))
        }
        v.now += Limits.sessionIdleNanos
        for number in 0..<100 {
            v.measure(
                "open session in an idle one's place",
                .openSession(OpenSession(name: Text40("operator/new \(number)")!)))
        }
        for number in 0..<Int(limits.orderLimits) + 1 {
            v.measure(
                "set order limits",
                .setOrderLimits(
                    SetOrderLimits(
                        account: AccountID(UInt32(number % Int(limits.accounts)) + 1),
                        instrument: WorstVenue.instrument,
                        orderQuantityMax: Quantity(lots: 5), audit: WorstVenue.audit)))
        }
        for number in 0..<Int(limits.instruments) + 1 {
            v.measure(
                "set instrument",
                .setInstrument(
                    SetInstrument(
                        symbol: Text16("T\(number)")!, base: WorstVenue.base,
                        quote: WorstVenue.quote, tickMantissa: 1, tickScale: 0, lotUnits: 1,
                        priceMax: Price(ticks: Limits.priceTicksMax),
                        quantityMax: Quantity(lots: 1 << 32), audit: WorstVenue.audit)))
        }
        return v
    }

    /// Bookings until the references are full.
    private static func references(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale)
        for _ in 0..<Int(scale.limits.references) {
            let command = v.booking(AccountID(1), WorstVenue.base, 1)
            v.measure("book", command)
        }
        for i in 0..<1_000 {
            v.measure(
                "credit deposit",
                .creditDeposit(
                    CreditDeposit(
                        account: AccountID(1), asset: WorstVenue.base, transactionHigh: UInt128(i),
                        transactionLow: 5, output: 0, amount: Amount(units: 1))))
        }
        return v
    }

    /// Limits raised while all tables are full: the one command that may take long.
    private static func raise(_ scale: WorstScale) -> WorstVenue {
        var v = WorstVenue(scale, accounts: Int(scale.limits.accounts))
        let count = scale.orders()
        for i in 0..<count {
            v.accept(
                .place(
                    v.order(
                        UInt32(i % Int(scale.limits.accounts)) + 1, .sell, 1,
                        at: spread(i, of: count))))
        }
        var more = scale.limits
        more.openOrders += more.openOrders / 4
        more.accounts += more.accounts / 4
        more.apiKeys += more.apiKeys / 4
        more.references += more.references / 4
        v.measure(
            "raise limits", .raiseLimits(RaiseLimits(limits: more, audit: WorstVenue.audit)),
            isApart: true)
        for i in 0..<min(count, 10_000) {
            v.measure(
                "place after raising", .place(v.order(1, .sell, 1, at: spread(i, of: count) + 1)))
        }
        return v
    }
}

/// Texts whose hashes collide under a zero key.
struct CraftedTexts {
    private(set) var texts: [Text40] = []

    init(count: Int) {
        let key = KeyedHash(high: 0, low: 0)
        var i: UInt64 = 0
        while texts.count < count {
            i += 1
            guard let text = Text40(String(i, radix: 36)) else { continue }
            let hash = key.hash(text.w0, text.w1, text.w2, text.w3, text.w4, owner: 1)
            if hash & 1_023 == 0 { texts.append(text) }
        }
    }
}

extension WorstVenue {
    /// The first order of the lowest ask.
    func bestAskID() -> (account: AccountID, order: OrderID)? {
        var id: UInt64 = 0
        // In a sparse book orders stand in the order of their ids.
        while id < lastOrder {
            id += 1
            if let order = engine.order(OrderID(id)), order.side == .sell {
                return (order.account, order.order)
            }
        }
        return nil
    }
}
