// Reading the engine's state.

internal import Slabs
public import Terms
public import Wire

extension Engine {
    /// Assets; their ids are 1 … count.
    public var assetCount: Int { Int(assetsUsed) }

    /// An asset, or nil.
    public borrowing func asset(_ id: AssetID) -> AssetView? {
        id.number >= 1 && id.number <= assetsUsed ? assets[Int(id.number)] : nil
    }

    /// The asset of a code, or nil. O(assets).
    public borrowing func asset(code: Text16) -> AssetView? {
        for i in 0..<Int(assetsUsed) where assets[i + 1].code == code { return assets[i + 1] }
        return nil
    }

    /// Instruments; their ids are 1 … count.
    public var instrumentCount: Int { Int(instrumentsUsed) }

    /// An instrument, or nil.
    public borrowing func instrument(_ id: InstrumentID) -> InstrumentView? {
        id.number >= 1 && id.number <= instrumentsUsed ? instruments[Int(id.number)] : nil
    }

    /// The instrument of a symbol, or nil. O(instruments).
    public borrowing func instrument(symbol: Text16) -> InstrumentView? {
        for i in 0..<Int(instrumentsUsed) where instruments[i + 1].symbol == symbol {
            return instruments[i + 1]
        }
        return nil
    }

    /// The fees of an account in an instrument; for instrument 0 its tier's own, which apply in
    /// every instrument without fees of its own in that tier.
    public borrowing func fees(
        account: AccountID, instrument: InstrumentID
    ) -> (maker: FeeRate, taker: FeeRate) {
        guard hasAccount(account), instrument.number <= instrumentsUsed else {
            return (FeeRate(e8: 0), FeeRate(e8: 0))
        }
        let slot = accounts.rates(account.number, instrument.number)
        return (FeeRate(e8: slot.maker), FeeRate(e8: slot.taker))
    }

    /// The fees set for a tier, in general (instrument 0) or for one instrument; nil if none are.
    public borrowing func fees(
        tier: UInt16, instrument: InstrumentID
    ) -> (maker: FeeRate, taker: FeeRate)? {
        guard UInt32(tier) < limits.feeTiers, instrument.number <= instrumentsUsed else {
            return nil
        }
        let slot = accounts.fee(tier, instrument.number)
        return slot.isSet ? (FeeRate(e8: slot.maker), FeeRate(e8: slot.taker)) : nil
    }

    /// Accounts; their ids are 1 … count.
    public var accountCount: Int { Int(accounts.count) }

    @inline(__always) func hasAccount(_ id: AccountID) -> Bool {
        id.number >= 1 && id.number <= accounts.count
    }

    /// An account, or nil. Its limits are the effective ones: the default's if it has none.
    public borrowing func account(_ id: AccountID) -> AccountView? {
        hasAccount(id) ? view(account: id) : nil
    }

    /// The default limits, as an account of which only the limits are valid.
    public var defaultLimits: AccountView { view(account: AccountID(0)) }

    private func view(account id: AccountID) -> AccountView {
        let slot = accounts.slots[id.number]
        let limits = accounts.slots[accounts.limits(id.number)]
        return AccountView(
            id: id, name: accounts.names[id.number], tier: slot.tier, isKilled: slot.isKilled,
            openOrders: slot.openOrders, openOrdersMax: limits.openOrdersMax,
            messagesPerSecondMax: limits.messagesPerSecondMax)
    }

    /// The order limits of an account in an instrument: its own row, else the default's, whose
    /// account is 0. Nil if either is unknown or there is no row.
    public borrowing func orderLimits(
        _ account: AccountID, _ instrument: InstrumentID
    ) -> OrderLimitsView? {
        guard account.number == 0 || hasAccount(account), instrument.number >= 1,
            instrument.number <= instrumentsUsed
        else { return nil }
        let own = accounts.orderLimitRow(account.number, instrument.number)
        let row = own.isEmpty ? accounts.orderLimitRow(0, instrument.number) : own
        if row.isEmpty { return nil }
        return Self.view(own.isEmpty ? 0 : account.number, instrument.number, row)
    }

    /// Rows of order limits: the default's first, then by account and instrument.
    /// O(rows × log rows).
    public borrowing func forEachOrderLimits(_ body: (OrderLimitsView) -> Void) {
        for (account, instrument) in accounts.orderLimitKeys(instruments: instrumentsUsed) {
            body(Self.view(account, instrument, accounts.orderLimitRow(account, instrument)))
        }
    }

    /// Number of rows of order limits.
    public var orderLimitsCount: Int { accounts.orderLimitCount }

    private static func view(
        _ account: UInt32, _ instrument: UInt16, _ row: OrderLimitSlot
    ) -> OrderLimitsView {
        OrderLimitsView(
            account: AccountID(account), instrument: InstrumentID(instrument),
            orderQuantityMax: Quantity(lots: row.quantityMax),
            orderNotionalMax: Amount(units: row.notionalMax))
    }

    /// The account of a name, or nil. O(1) expected.
    public borrowing func account(name: Text40) -> AccountView? {
        accounts.find(name).map { view(account: AccountID($0)) }
    }

    /// An account's balance of an asset; zero if either is unknown.
    public borrowing func balance(_ account: AccountID, _ asset: AssetID) -> Balance {
        guard hasAccount(account), asset.number <= assetsUsed else { return Balance() }
        return ledger.balance(account.number, asset.number)
    }

    /// The house's accounts of an asset.
    public borrowing func house(_ asset: AssetID) -> HouseBalance {
        guard asset.number <= assetsUsed else {
            return HouseBalance(external: .zero, fees: .zero, rounding: .zero)
        }
        return ledger.house[Int(asset.number)]
    }

    /// Number of remembered references of bookings and outputs of deposits.
    public var referenceCount: Int { references.count }

    /// An API key in use, or nil. O(1) expected.
    public borrowing func apiKey(_ keyID: Text64) -> APIKeyView? { keys.find(keyID) }

    /// API keys in use.
    public var apiKeyCount: Int { keys.count }

    /// API keys in use, in the order of their creation.
    public borrowing func forEachAPIKey(_ body: (APIKeyView) -> Void) {
        var place = keys.next(after: 0)
        while place != 0 {
            if let key = keys.key(place) { body(key) }
            place = keys.next(after: place)
        }
    }

    /// The session that a writer has open, or nil. O(1) expected.
    public borrowing func session(name: Text40) -> SessionView? { sessions.session(name) }

    /// The session of an id, if it is open. O(1) expected.
    public borrowing func session(_ id: SessionID) -> SessionView? { sessions.session(id) }

    /// Open sessions.
    public var sessionCount: Int { sessions.count }

    /// Open sessions in the order of their ids. O(sessions × log sessions).
    public borrowing func forEachSession(_ body: (SessionView) -> Void) {
        for session in sessions.sorted() { body(session) }
    }

    /// Whether a mass cancel or a kill switch continues by ticks.
    public var hasMassCancels: Bool { !massCancels.isEmpty || !kills.isEmpty }

    /// Open orders over all instruments.
    public var openOrderCount: Int { orders.count }

    /// An open order, or nil. O(1) expected.
    public borrowing func order(_ id: OrderID) -> OrderView? {
        let slot = orders.find(id.number)
        return slot == none || id.number == 0 ? nil : view(slot)
    }

    /// An account's open order by the client's id, or nil. O(1) expected.
    public borrowing func order(_ account: AccountID, clOrdID: Text40) -> OrderView? {
        if clOrdID.w0 == 0 { return nil }
        let slot = orders.find(account: account.number, clOrdID: clOrdID)
        return slot == none ? nil : view(slot)
    }

    /// Whether an order ran out of steps and continues by ticks: it is open, but in no level.
    public borrowing func isInFlight(_ id: OrderID) -> Bool {
        if flights.isEmpty || id.number == 0 { return false }
        let slot = orders.find(id.number)
        return slot != none && orders.hot[slot].level == none
    }

    /// An account's open orders in the order of their acceptance. O(its orders).
    public borrowing func forEachOrder(of account: AccountID, _ body: (OrderView) -> Void) {
        guard hasAccount(account) else { return }
        var slot = accounts.slots[account.number].firstOrder
        while slot != none {
            body(view(slot))
            slot = orders.links[slot].next
        }
    }

    /// All open orders, those in flight included, in no useful order. O(maximum of open orders so
    /// far).
    public borrowing func forEachOrder(_ body: (OrderView) -> Void) {
        for slot in 0..<orders.used where orders.hot[slot].account != 0 { body(view(slot)) }
    }

    /// The best price of a side, or nil.
    public borrowing func best(_ instrument: InstrumentID, _ side: Side) -> Price? {
        guard instrument.number <= instrumentsUsed else { return nil }
        let level = ladders.best(Ladders.index(instrument.number, LadderKind(side)))
        return level == none ? nil : Price(ticks: ladders.price(level))
    }

    /// The displayed quantity at a price; zero if there is none. O(1) after finding the price.
    public borrowing func level(
        _ instrument: InstrumentID, _ side: Side, _ price: Price
    ) -> LevelView {
        guard instrument.number <= instrumentsUsed, price.ticks > 0 else {
            return LevelView(price: price, quantity: .zero, orders: 0)
        }
        let ladder = Ladders.index(instrument.number, LadderKind(side))
        let level = ladders.find(ladder, price.ticks)
        guard level != none else { return LevelView(price: price, quantity: .zero, orders: 0) }
        return view(level: level)
    }

    private func view(level: UInt32) -> LevelView {
        let total = ladders.levels[level]
        return LevelView(
            price: Price(ticks: ladders.price(level)), quantity: Quantity(lots: total.shown),
            orders: total.count)
    }

    /// Calls `body` with a side's prices from the best on, until it returns false.
    public borrowing func forEachLevel(
        _ instrument: InstrumentID, _ side: Side, _ body: (LevelView) -> Bool
    ) {
        guard instrument.number <= instrumentsUsed else { return }
        let kind = LadderKind(side)
        let ladder = Ladders.index(instrument.number, kind)
        var level = ladders.best(ladder)
        while level != none, body(view(level: level)) {
            level = ladders.after(ladder, kind, ladders.price(level))
        }
    }

    /// Bytes of open orders and books now, indices included: for the memory benchmark.
    public var bookMemory: Int { orders.memory + ladders.memory }

    // MARK: Views of orders

    func view(_ slot: UInt32) -> OrderView {
        let (hot, cold) = (orders.hot[slot], orders.cold[slot])
        var quoteQuantity: Int128 = 0
        // A stop that is firing is in no level either.
        if hot.level == none, hasFlight(hot.instrument),
            flightTerms[Int(hot.instrument)].slot == slot
        {
            quoteQuantity = flightTerms[Int(hot.instrument)].quoteQuantity
        }
        let isNew = Self.cumQty(hot, cold, quoteQuantity) == 0
        return view(
            hot, cold, isNew ? .new : .partiallyFilled, leaves: hot.leaves,
            quoteQuantity: quoteQuantity)
    }

    /// An order's traded lots; the quantity of an order by quote amount counts only these.
    @inline(__always) private static func cumQty(
        _ hot: HotOrder, _ cold: ColdOrder, _ quoteQuantity: Int128
    ) -> Int64 {
        quoteQuantity != 0 ? hot.quantity : hot.quantity - cold.preventedQuantity - hot.leaves
    }

    func view(
        _ hot: HotOrder, _ cold: ColdOrder, _ status: OrderStatus, leaves: Int64,
        quoteQuantity: Int128 = 0
    ) -> OrderView {
        OrderView(
            order: OrderID(hot.id), account: AccountID(hot.account),
            instrument: InstrumentID(hot.instrument), side: hot.side, type: hot.type,
            timeInForce: hot.timeInForce, selfTradePrevention: hot.selfTradePrevention,
            status: status, isWorking: hot.isWorking, price: Price(ticks: hot.price),
            stopPrice: Price(ticks: cold.stopPrice), quantity: Quantity(lots: hot.quantity),
            cumQty: Quantity(lots: Self.cumQty(hot, cold, quoteQuantity)),
            preventedQuantity: Quantity(lots: cold.preventedQuantity),
            leavesQty: Quantity(lots: leaves), displayQuantity: Quantity(lots: cold.display),
            quoteQuantity: Amount(units: quoteQuantity), cumQuote: Amount(units: cold.cumQuote),
            expireTime: cold.expireTime, createdTime: cold.createdTime,
            updatedTime: hot.updatedTime, workingTime: cold.workingTime, clOrdID: cold.clOrdID,
            strategyID: cold.strategyID, strategyType: cold.strategyType)
    }
}

// MARK: Custody

extension Engine {
    /// An asset's network.
    public borrowing func network(_ asset: AssetID, _ network: NetworkID) -> NetworkView? {
        custody.networks[NetworkKey(asset: asset.number, network: network.number)]
    }

    /// Each asset's networks, in the order of both.
    public borrowing func forEachNetwork(_ body: (NetworkView) -> Void) {
        for network in custody.networks.sorted(by: { $0.key < $1.key }) { body(network.value) }
    }

    /// A chain.
    public borrowing func chain(_ network: NetworkID) -> ChainView? {
        custody.chains[network.number]
    }

    /// All chains, by network.
    public borrowing func forEachChain(_ body: (ChainView) -> Void) {
        for chain in custody.chains.sorted(by: { $0.key < $1.key }) { body(chain.value) }
    }

    /// Where an asset's coins on a chain are kept that the host does not need; nil: nowhere.
    public borrowing func coldStorage(
        _ asset: AssetID, _ network: NetworkID
    ) -> ColdStorageView? {
        custody.cold[NetworkKey(asset: asset.number, network: network.number)]
    }

    /// All cold storages, by asset and chain.
    public borrowing func forEachColdStorage(_ body: (ColdStorageView) -> Void) {
        for cold in custody.cold.sorted(by: { $0.key < $1.key }) { body(cold.value) }
    }

    /// Whether withdrawals of an asset are stopped.
    public borrowing func isWithdrawalStopped(_ asset: AssetID) -> Bool {
        custody.stopped.contains(asset.number)
    }

    /// The index of an account's deposit address on a chain; nil: it has none.
    public borrowing func addressIndex(_ account: AccountID, _ network: NetworkID) -> UInt32? {
        custody.addressIndex(account.number, network.number)
    }

    /// The accounts with a deposit address on a chain, in the order of their indices, from 1.
    public borrowing func addressees(_ network: NetworkID) -> [AccountID] {
        (custody.addresses[network.number] ?? []).map { AccountID($0) }
    }

    /// An open withdrawal.
    public borrowing func withdrawal(_ id: WithdrawalID) -> WithdrawalView? {
        custody.withdrawals[id.number]
    }

    /// All open withdrawals, by id. O(withdrawals × log).
    public borrowing func forEachWithdrawal(_ body: (WithdrawalView) -> Void) {
        for withdrawal in custody.withdrawals.values.sorted(by: { $0.id < $1.id }) {
            body(withdrawal)
        }
    }

    /// A signed transaction that is not settled.
    public borrowing func payment(_ id: TransactionID) -> PaymentView? { custody.payments[id] }

    /// All signed transactions that are not settled, in the order of the log.
    public borrowing func forEachPayment(_ body: (PaymentView) -> Void) {
        for payment in custody.payments.values.sorted(by: { $0.sequence < $1.sequence }) {
            body(payment)
        }
    }
}

// MARK: Operators

extension Engine {
    /// Operators with a key, in the order of the log, those without a role included.
    public var operatorViews: [OperatorView] { operators.list }

    /// How many endorse a proposal beside its proposer.
    public var endorsements: UInt8 { operators.endorsements }

    /// Open proposals, in the order of the log.
    public var proposals: [ProposalView] { operators.proposals }

    /// The end of the audit chain.
    public var auditHead: AuditHead { operators.head }

    /// The end of the audit chain that an operator of this name names as seen in what it signs: one
    /// that stays known for an hour, whatever others do, unless its roles are newer.
    public func auditHead(for name: Text40) -> AuditHead {
        guard let mark = operators.marks.last, let known = operators.find(name),
            mark.count >= known.since
        else { return operators.head }
        return mark
    }

    /// The command that the last record applied because it was proposed; nil: none.
    public var appliedProposal: Command? {
        guard let applied = operators.applied, applied.sequence == sequence else { return nil }
        return applied.command
    }
}
