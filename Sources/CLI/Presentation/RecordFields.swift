// The fields of each command, for people and programs.

package import JSON
package import Terms
package import Wire

extension Command {
    /// The payload's fields, by name.
    package var fields: [JSONValue.Member] {
        switch self {
        case .genesis, .tick, .hashMark, .epochMark, .setRules, .openSession, .closeSession:
            systemFields
        case .place, .cancel, .amend, .cancelReplace, .massCancel: orderFields
        case .adjustBalance, .transferFees, .creditDeposit: moneyFields
        case .openAccount, .setAccountLimits, .setOrderLimits, .setAccountTier, .setKillSwitch,
            .addAPIKey, .revokeAPIKey:
            accountFields
        case .setAsset, .setInstrument, .setInstrumentState, .setReferencePrice, .setFees,
            .voidSequence, .raiseLimits:
            venueFields
        case .setNetwork, .decideWithdrawal, .resumeWithdrawals, .requestWithdrawal,
            .cancelWithdrawal, .assignAddress, .noteDeposit, .signWithdrawals, .settleTransaction,
            .dropTransaction, .stopWithdrawals, .setChain, .checkBlock, .setColdStorage:
            custodyFields
        case .setOperator, .setCustodyPolicy, .propose, .endorse, .withdrawProposal, .signDecision:
            operatorFields
        case .setWithdrawalPolicy, .setWithdrawalLimits, .addWithdrawalAddress,
            .removeWithdrawalAddress, .setWithdrawalTerms:
            withdrawalRuleFields
        }
    }

    private var systemFields: [JSONValue.Member] {
        switch self {
        case .genesis(let c):
            [
                .init("format", .number(c.format)), .init("rules", .number(c.rules)),
                .init("journal", .string(Readable.hex(c.journalHigh) + Readable.hex(c.journalLow))),
                .init("limits", c.limits.json),
            ]
        case .hashMark(let c): [.init("eventHash", .string(Readable.hex(c.eventHash)))]
        case .epochMark(let c):
            [
                .init("priorEpoch", .number(c.priorEpoch)), .init("cause", .string("\(c.cause)")),
                .init("replica", .string(Readable.hex(c.replicaHigh) + Readable.hex(c.replicaLow))),
                .init("commitPoint", .number(c.commitPoint)),
                .init("eventHash", .string(Readable.hex(c.eventHash))),
                .init("formatLevel", .number(c.formatLevel)),
            ]
        case .setRules(let c): [.init("version", .number(c.version))]
        case .openSession(let c): [.init("name", .string("\(c.name)"))]
        case .closeSession(let c): [.init("closes", .number(c.session.number))]
        default: []
        }
    }

    private var venueFields: [JSONValue.Member] {
        switch self {
        case .setAsset(let c):
            [.init("code", .string("\(c.code)")), .init("scale", .number(c.scale))] + c.audit.json
        case .setInstrument(let c): c.json + c.audit.json
        case .setInstrumentState(let c):
            [
                .init("instrument", .number(c.instrument.number)),
                .init("state", .string("\(c.state)")),
            ] + c.audit.json
        case .setFees(let c):
            [
                .init("tier", .number(c.tier)), .init("instrument", .number(c.instrument.number)),
                .init("makerE8", .number(c.maker.e8)), .init("takerE8", .number(c.taker.e8)),
            ] + c.audit.json
        case .setReferencePrice(let c):
            [
                .init("instrument", .number(c.instrument.number)),
                .init("priceTicks", .number(c.price.ticks)),
            ] + c.audit.json
        case .voidSequence(let c): [.init("voids", .number(c.sequence))] + c.audit.json
        case .raiseLimits(let c): [.init("limits", c.limits.json)] + c.audit.json
        default: []
        }
    }

    private var accountFields: [JSONValue.Member] {
        switch self {
        case .openAccount(let c): [.init("name", .string("\(c.name)"))] + c.audit.json
        case .setAccountLimits(let c):
            [
                .init("account", .number(c.account.number)),
                .init("openOrdersMax", .number(c.openOrdersMax)),
                .init("messagesPerSecondMax", .number(c.messagesPerSecondMax)),
            ] + c.audit.json
        case .setOrderLimits(let c):
            [
                .init("account", .number(c.account.number)),
                .init("instrument", .number(c.instrument.number)),
                .init("orderQuantityMaxLots", .number(c.orderQuantityMax.lots)),
                .init("orderNotionalMaxUnits", .number(c.orderNotionalMax.units)),
            ] + c.audit.json
        case .setAccountTier(let c):
            [.init("account", .number(c.account.number)), .init("tier", .number(c.tier))]
                + c.audit.json
        case .setKillSwitch(let c):
            [.init("account", .number(c.account.number)), .init("isOn", .bool(c.isOn))]
                + c.audit.json
        case .addAPIKey(let c):
            [
                .init("account", .number(c.account.number)),
                .init("permissions", .array(c.permissions.names.map { .string($0) })),
                .init("algorithm", .string("\(c.algorithm)")),
                .init("keyID", .string("\(c.keyID)")),
                .init("sealedSecretBytes", .number(c.sealedSecret.count)),
            ] + c.audit.json
        case .revokeAPIKey(let c): [.init("keyID", .string("\(c.keyID)"))] + c.audit.json
        default: []
        }
    }

    private var moneyFields: [JSONValue.Member] {
        switch self {
        case .adjustBalance(let c):
            Self.booking(c.account, c.asset, c.amount) + [
                .init("reference", .string("\(c.reference)"))
            ] + c.audit.json
        case .transferFees(let c):
            Self.booking(c.account, c.asset, c.amount) + [
                .init("reference", .string("\(c.reference)"))
            ] + c.audit.json
        case .creditDeposit(let c):
            Self.booking(c.account, c.asset, c.amount) + [
                .init(
                    "transaction",
                    TransactionID(high: c.transactionHigh, low: c.transactionLow).json),
                .init("outputIndex", .number(c.output)),
            ] + (c.network.number == 0 ? [] : [.init("network", .number(c.network.number))])
        default: []
        }
    }

    static func booking(
        _ account: AccountID, _ asset: AssetID, _ amount: Amount
    ) -> [JSONValue.Member] {
        [
            .init("account", .number(account.number)), .init("asset", .number(asset.number)),
            .init("amountUnits", .number(amount.units)),
        ]
    }

    private var orderFields: [JSONValue.Member] {
        switch self {
        case .place(let c): c.json
        case .cancel(let c): c.json
        case .amend(let c):
            Self.target(c.account, c.instrument, c.order, c.clOrdID)
                + Self.present([
                    ("priceTicks", Int128(c.price.ticks)),
                    ("quantityLots", Int128(c.quantity.lots)), ("deadline", Int128(c.deadline)),
                ]) + Self.present("newClOrdID", c.newClOrdID)
        case .cancelReplace(let c):
            [
                .init("stopOnFailure", .bool(c.stopOnFailure)),
                .init("cancel", .object(c.cancel.json)), .init("place", .object(c.place.json)),
            ]
        case .massCancel(let c):
            [
                .init("account", .number(c.account.number)),
                .init("instrument", .number(c.instrument.number)),
                .init("side", c.side.map { .string("\($0)") } ?? .null),
            ] + Self.present([("deadline", Int128(c.deadline))])
        default: []
        }
    }

    fileprivate static func target(
        _ account: AccountID, _ instrument: InstrumentID, _ order: OrderID, _ clOrdID: Text40
    ) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("account", .number(account.number)),
            .init("instrument", .number(instrument.number)),
        ]
        if order.number != 0 { members.append(.init("order", .number(order.number))) }
        if !clOrdID.isEmpty { members.append(.init("clOrdID", .string("\(clOrdID)"))) }
        return members
    }

    /// The members whose value is not zero.
    fileprivate static func present(_ values: [(String, Int128)]) -> [JSONValue.Member] {
        values.filter { $0.1 != 0 }.map { .init($0.0, .number($0.1)) }
    }

    /// The member, where its text is not empty.
    static func present(_ name: String, _ text: Text40) -> [JSONValue.Member] {
        text.isEmpty ? [] : [.init(name, .string("\(text)"))]
    }
}

extension EngineLimits {
    /// The limits by the names of the configuration.
    package var json: JSONValue {
        [
            "assets": .number(assets), "instruments": .number(instruments),
            "accounts": .number(accounts), "open_orders": .number(openOrders),
            "api_keys": .number(apiKeys), "sessions": .number(sessions),
            "fee_tiers": .number(feeTiers), "order_limits": .number(orderLimits),
            "references": .number(references), "turn_steps": .number(turnSteps),
        ]
    }
}

extension Audit {
    var json: [JSONValue.Member] {
        [.init("operator", .string("\(operatorName)")), .init("reason", .string(reason))]
    }
}

extension Place {
    fileprivate var json: [JSONValue.Member] {
        Command.target(account, instrument, OrderID(0), clOrdID) + [
            .init("side", .string("\(side)")), .init("type", .string("\(type)")),
            .init("timeInForce", .string("\(timeInForce)")),
            .init("selfTradePrevention", .string("\(selfTradePrevention)")),
        ]
            + Command.present([
                ("priceTicks", Int128(price.ticks)), ("quantityLots", Int128(quantity.lots)),
                ("stopPriceTicks", Int128(stopPrice.ticks)),
                ("displayQuantityLots", Int128(displayQuantity.lots)),
                ("expireTime", Int128(expireTime)), ("quoteQuantityUnits", quoteQuantity.units),
                ("deadline", Int128(deadline)), ("strategyId", Int128(strategyID)),
                ("strategyType", Int128(strategyType)),
            ])
    }
}

extension Cancel {
    fileprivate var json: [JSONValue.Member] {
        Command.target(account, instrument, order, clOrdID)
            + (restriction == .none ? [] : [.init("restriction", .string("\(restriction)"))])
            + Command.present("cancelID", cancelID)
            + Command.present([("deadline", Int128(deadline))])
    }
}

extension SetInstrument {
    fileprivate var json: [JSONValue.Member] {
        [
            .init("symbol", .string("\(symbol)")), .init("base", .number(base.number)),
            .init("quote", .number(quote.number)), .init("tickMantissa", .number(tickMantissa)),
            .init("tickScale", .number(tickScale)), .init("lotUnits", .number(lotUnits)),
            .init("state", .string("\(state)")),
            .init("selfTradePrevention", .string("\(selfTradePrevention)")),
            .init("priceMinTicks", .number(priceMin.ticks)),
            .init("priceMaxTicks", .number(priceMax.ticks)),
            .init("quantityMinLots", .number(quantityMin.lots)),
            .init("quantityMaxLots", .number(quantityMax.lots)),
            .init("notionalMinUnits", .number(notionalMin.units)),
            .init("notionalMaxUnits", .number(notionalMax.units)),
            .init("referencePriceTicks", .number(referencePrice.ticks)),
            .init("bandUpE6", .number(bandUp)), .init("bandDownE6", .number(bandDown)),
        ]
    }
}
