// The whole state of the engine beside that of its slow twin.

import Engine
import Terms
import Wire

/// The first thing that the two do not agree on, or nil.
func firstDifference(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    func differ<T: Equatable>(_ what: String, _ a: T, _ b: T) -> String? {
        a == b ? nil : "\(what): engine \(a), twin \(b)"
    }
    if let d = differ("sequence", engine.sequence, twin.sequence) { return d }
    if let d = differ("timestamp", engine.timestamp, twin.timestamp) { return d }
    if let d = differ("epoch", engine.epoch, twin.epoch) { return d }
    if let d = differ("venue killed", engine.isKilled, twin.isKilled) { return d }
    if let d = differ("rules", engine.rules, twin.rules) { return d }
    if let d = differ("voids", engine.voids, twin.voids) { return d }
    if let d = differ("limits", engine.limits, twin.limits) { return d }
    if let d = differ("references", engine.referenceCount, twin.references.count) { return d }
    if let d = differ("next timer", engine.nextTimer, twin.nextTimer) { return d }
    return differenceOfAdministration(engine, twin) ?? differenceOfBalances(engine, twin)
        ?? differenceOfCustody(engine, twin) ?? differenceOfOperators(engine, twin)
        ?? differenceOfWithdrawalRules(engine, twin)
        ?? differenceOfOrders(engine, twin) ?? differenceOfBooks(engine, twin)
}

private func differenceOfAdministration(
    _ engine: borrowing Engine, _ twin: SlowExchange
) -> String? {
    if engine.assetCount != twin.assets.count { return "number of assets" }
    for a in twin.assets where engine.asset(a.id) != a || engine.asset(code: a.code) != a {
        return "asset \(a.code): engine \(engine.asset(a.id) as Any), twin \(a)"
    }
    if engine.instrumentCount != twin.instruments.count { return "number of instruments" }
    for i in twin.instruments
    where engine.instrument(i.id) != i || engine.instrument(symbol: i.symbol) != i {
        return "instrument: engine \(engine.instrument(i.id) as Any), twin \(i)"
    }
    if engine.accountCount != twin.accounts.count { return "number of accounts" }
    for account in twin.accounts {
        let view = twin.view(account)
        if engine.account(view.id) != view || engine.account(name: view.name) != view {
            return "account: engine \(engine.account(view.id) as Any), twin \(view)"
        }
        for i in twin.instruments {
            let row = twin.orderLimits(view.id, i.id)
            let found = engine.orderLimits(view.id, i.id)
            if found != row {
                return "order limits of \(view.name): engine \(found as Any), twin \(row as Any)"
            }
            let a = engine.fees(account: view.id, instrument: i.id)
            let b = twin.feesOf(view.id, i.id)
            if a != b { return "fees of \(view.name) in \(i.symbol): engine \(a), twin \(b)" }
        }
    }
    if engine.sessionCount != twin.sessions.count { return "number of sessions" }
    for v in twin.sessions where engine.session(name: v.name) != v || engine.session(v.id) != v {
        return "session: engine \(engine.session(name: v.name) as Any), twin \(v)"
    }
    if engine.apiKeyCount != twin.keys.count { return "number of API keys" }
    for key in twin.keys where engine.apiKey(key.keyID) != key { return "API key \(key.keyID)" }
    var keys: Set<APIKeyView> = []
    engine.forEachAPIKey { keys.insert($0) }
    if keys != Set(twin.keys) { return "API keys" }
    var rows: Set<OrderLimitsView> = []
    engine.forEachOrderLimits { rows.insert($0) }
    if rows != Set(twin.orderLimits) || engine.orderLimitsCount != rows.count {
        return "order limits: engine \(rows), twin \(twin.orderLimits)"
    }
    return nil
}

private func differenceOfBalances(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    for asset in twin.assets {
        for account in twin.accounts {
            let a = engine.balance(account.view.id, asset.id)
            let b = twin.balance(account.view.id, asset.id)
            if a != b {
                return "\(asset.code) of \(account.view.name): engine \(a), twin \(b)"
            }
        }
        let a = engine.house(asset.id)
        let b = twin.houses[Int(asset.id.number) - 1]
        if a != b { return "\(asset.code) of the house: engine \(a), twin \(b)" }
    }
    return nil
}

private func differenceOfOperators(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    if engine.operatorViews != twin.operators {
        return "operators: engine \(engine.operatorViews), twin \(twin.operators)"
    }
    if engine.endorsements != twin.endorsements { return "how many endorse" }
    if engine.proposals != twin.proposals {
        return "proposals: engine \(engine.proposals), twin \(twin.proposals)"
    }
    let head = AuditHead(count: UInt64(twin.heads.count - 1), digest: twin.heads.last!)
    return engine.auditHead == head ? nil : "the audit chain's end"
}

private func differenceOfWithdrawalRules(
    _ engine: borrowing Engine, _ twin: SlowExchange
) -> String? {
    if engine.addressDelay != twin.addressDelay || engine.keyFreeze != twin.keyFreeze {
        return "how long withdrawals wait"
    }
    var rows: [WithdrawalLimitsView] = []
    engine.forEachWithdrawalLimits { rows.append($0) }
    if Set(rows) != Set(twin.withdrawalLimits) || rows.count != twin.withdrawalLimits.count {
        return "limits of withdrawals: engine \(rows), twin \(twin.withdrawalLimits)"
    }
    var terms: [WithdrawalTermsView] = []
    engine.forEachWithdrawalTerms { terms.append($0) }
    if Set(terms) != Set(twin.withdrawalTerms) || terms.count != twin.withdrawalTerms.count {
        return "terms of withdrawals: engine \(terms), twin \(twin.withdrawalTerms)"
    }
    var storages: [ColdStorageView] = []
    engine.forEachColdStorage { storages.append($0) }
    if Set(storages) != Set(twin.coldStorages) || storages.count != twin.coldStorages.count {
        return "cold storage: engine \(storages), twin \(twin.coldStorages)"
    }
    for account in twin.accounts.map(\.view.id) {
        let book = twin.book.filter { $0.account == account }
        if engine.addressBook(account) != book { return "address book of \(account)" }
        if engine.withdrawalThaw(account) != twin.thaw(account) { return "thaw of \(account)" }
        for asset in twin.assets.map(\.id) where !twin.counted.isEmpty {
            let (a, b) = (engine.withdrawalCount(account, asset), twin.counted(account, asset))
            if a != b { return "withdrawals of \(account): engine \(a), twin \(b)" }
        }
    }
    return nil
}

private func differenceOfCustody(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    var networks: [NetworkView] = []
    engine.forEachNetwork { networks.append($0) }
    if Set(networks) != Set(twin.networks) || networks.count != twin.networks.count {
        return "networks: engine \(networks), twin \(twin.networks)"
    }
    for network in networks where engine.network(network.asset, network.network) != network {
        return "network \(network)"
    }
    var chains: [ChainView] = []
    engine.forEachChain { chains.append($0) }
    if chains != twin.chains { return "chains: engine \(chains), twin \(twin.chains)" }
    for chain in chains where engine.chain(chain.network) != chain { return "\(chain)" }
    for asset in twin.assets {
        let isStopped = twin.stopped.contains(asset.id)
        if engine.isWithdrawalStopped(asset.id) != isStopped { return "stop of \(asset.code)" }
    }
    for number in 1...3 as ClosedRange<UInt16> {
        let chain = NetworkID(number)
        let theirs = twin.addresses.filter { $0.network == chain }
        if engine.addressees(chain) != theirs.map(\.account) { return "addresses of \(number)" }
        for one in theirs where engine.addressIndex(one.account, chain) != UInt32(one.index) {
            return "index of \(one)"
        }
    }
    var withdrawals: [WithdrawalView] = []
    engine.forEachWithdrawal { withdrawals.append($0) }
    if withdrawals != twin.withdrawals {
        return "withdrawals: engine \(withdrawals), twin \(twin.withdrawals)"
    }
    for one in withdrawals where engine.withdrawal(one.id) != one { return "\(one) by its id" }
    var payments: [PaymentView] = []
    engine.forEachPayment { payments.append($0) }
    if payments != twin.payments {
        return "payments: engine \(payments), twin \(twin.payments)"
    }
    for one in payments where engine.payment(one.id) != one { return "\(one) by its id" }
    return nil
}

private func differenceOfOrders(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    var orders: [OrderView] = []
    engine.forEachOrder { orders.append($0) }
    orders.sort { $0.order < $1.order }
    if engine.openOrderCount != twin.open.count || orders.count != twin.open.count {
        return "open orders: engine counts \(engine.openOrderCount), gives \(orders.count), "
            + "twin has \(twin.open.count)"
    }
    for (a, slow) in zip(orders, twin.open) {
        let b = slow.view
        if !same(a, b) { return "order: engine \(a), twin \(b)" }
        guard let byID = engine.order(b.order), same(byID, b) else {
            return "order \(b.order.number) by its id"
        }
        if b.clOrdID.isEmpty { continue }
        guard let byName = engine.order(b.account, clOrdID: b.clOrdID), same(byName, b) else {
            return "order \(b.order.number) by \(b.clOrdID)"
        }
    }
    for account in twin.accounts {
        var own: [OrderID] = []
        engine.forEachOrder(of: account.view.id) { own.append($0.order) }
        let slow = twin.open.filter { $0.view.account == account.view.id }.map(\.view.order)
        if own != slow { return "orders of \(account.view.name): engine \(own), twin \(slow)" }
    }
    return nil
}

private func differenceOfBooks(_ engine: borrowing Engine, _ twin: SlowExchange) -> String? {
    for i in twin.instruments {
        for side in Side.allCases {
            let shown = twin.shown(i.id, side)
            if engine.best(i.id, side) != shown.first?.price {
                return "best \(side) of \(i.symbol): engine "
                    + "\(engine.best(i.id, side) as Any), twin \(shown.first?.price as Any)"
            }
            var levels: [LevelView] = []
            engine.forEachLevel(i.id, side) {
                levels.append($0)
                return levels.count <= shown.count
            }
            if levels != shown { return "\(side) levels: engine \(levels), twin \(shown)" }
            for level in shown where engine.level(i.id, side, level.price) != level {
                return "level \(level.price.ticks) of \(side) in \(i.symbol)"
            }
        }
    }
    return nil
}

/// What is wrong with the sum of an asset, or with a part of it; nil when customers and house own
/// what came in, and no part is below zero.
func conservationBreach(_ engine: borrowing Engine) -> String? {
    for number in 1...max(1, engine.assetCount) where number <= engine.assetCount {
        let asset = AssetID(UInt16(number))
        let house = engine.house(asset)
        var parts = [house.fees, house.rounding, house.inTransit]
        for account in 0..<engine.accountCount {
            let balance = engine.balance(AccountID(UInt32(account + 1)), asset)
            parts += [balance.available, balance.held, balance.withdrawing]
        }
        if parts.contains(where: { $0.units < 0 }) { return "less than nothing of asset \(number)" }
        let outside = house.external.units + house.chain.units
        let total = parts.reduce(outside) { $0 + $1.units }
        if total != 0 { return "asset \(number) sums to \(total)" }
    }
    return nil
}
