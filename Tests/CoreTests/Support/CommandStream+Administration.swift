// The opening of a random log, and what operators do in the middle of it.

import Engine
import Terms
import Wire

extension CommandStream {
    /// Assets, instruments, fees, accounts and funds.
    ///
    /// The fourth instrument is at the end of what the arithmetic takes: one tick times one lot is
    /// 10^18 units, and price times quantity reaches 2^120.
    mutating func openingCommands() -> [Command] {
        var all: [Command] = [
            .genesis(
                Genesis(
                    rules: firstRules, limits: twin.limits, journalHigh: 7, journalLow: 8,
                    hashKeyHigh: 9,
                    hashKeyLow: 10)),
            .setAsset(SetAsset(code: Text16("BTC")!, scale: 8, audit: audit)),
            .setAsset(SetAsset(code: Text16("USDT")!, scale: 6, audit: audit)),
            .setAsset(SetAsset(code: Text16("ETH")!, scale: 18, audit: audit)),
            .setAsset(SetAsset(code: Text16("WHOLE")!, scale: 0, audit: audit)),
        ]
        for number in 1...4 { all.append(.setInstrument(terms(UInt16(number)))) }
        for tier in 0..<3 {
            all.append(
                .setFees(
                    SetFees(
                        tier: UInt16(tier), maker: FeeRate(e8: [0, -12_345, 333_333][tier]),
                        taker: FeeRate(e8: [0, 98_765, 1_234_567][tier]), audit: audit)))
        }
        for name in ["ann", "ben", "cat", "dan", "eve"] {
            all.append(.openAccount(OpenAccount(name: Text40(name)!, audit: audit)))
        }
        for account in 1...5 {
            all.append(
                .setAccountTier(
                    SetAccountTier(
                        account: AccountID(UInt32(account)), tier: UInt16(account % 3),
                        audit: audit)))
            for asset in 1...4 {
                all.append(credit(AccountID(UInt32(account)), AssetID(UInt16(asset))))
            }
        }
        for asset in 1...4 { all.append(.setNetwork(network(AssetID(UInt16(asset))))) }
        for account in 1...5 {
            all.append(
                .addAPIKey(
                    AddAPIKey(
                        account: AccountID(UInt32(account)),
                        permissions: [
                            .withdraw, .withdrawAnywhere,
                        ], algorithm: .ed25519, keyID: Text64("wide-\(account)")!,
                        sealedSecret: [4], audit: audit)))
        }
        all.append(.openSession(OpenSession(name: Text40("gateway/1")!)))
        return all
    }

    private mutating func credit(_ account: AccountID, _ asset: AssetID) -> Command {
        // About forty orders' worth; of the last asset and ether also as much as there can be.
        let usual: [Int128] = [
            150_000_000, 4_000_000, 3_000_000_000_000_000_000, 200,
        ]
        var units = usual[Int(asset.number) - 1] * Int128(random.within(1...3) * (isDeep ? 50 : 1))
        if asset.number == 4, random.once(in: 2) { units = 1 << random.pick([31, 50, 60]) }
        if asset.number == 3, random.once(in: 2) { units = 1 << random.pick([100, 117, 118]) }
        return .adjustBalance(
            AdjustBalance(
                account: account, asset: asset, amount: Amount(units: units),
                reference: reference(), audit: audit))
    }

    /// Mostly a new one.
    private mutating func reference() -> Text64 {
        if references > 0, random.once(in: 20) {
            return Text64(random.once(in: 4) ? "" : "wire \(random.within(1...references))")!
        }
        references += 1
        return Text64("wire \(references)")!
    }

    /// Terms of one of the four instruments, with limits that vary.
    private mutating func terms(_ number: UInt16) -> SetInstrument {
        let symbol = Text16(["BTCUSDT", "ETHBTC", "ETHUSDT", "WHOLEETH"][Int(number) - 1])!
        var terms = SetInstrument(
            symbol: symbol, base: AssetID([1, 3, 3, 4][Int(number) - 1]),
            quote: AssetID([2, 1, 2, 3][Int(number) - 1]),
            tickMantissa: [1, 1, 5, 1][Int(number) - 1],
            tickScale: [2, 5, 2, 0][Int(number) - 1],
            lotUnits: [100_000, 1_000_000_000_000_000, 10_000_000_000_000_000, 1][Int(number) - 1],
            priceMax: Price(ticks: number == 4 ? 1 << 30 : 1_000_000),
            quantityMax: Quantity(lots: number == 4 ? 1 << 30 : 1_000),
            selfTradePrevention: random.pick(SelfTradePrevention.allCases.dropLast()),
            audit: audit)
        if number == 4, random.once(in: 3) {
            // Long quantities instead of high prices; orders of the other kind stay in the book.
            terms.priceMax.ticks = 1 << 12
            terms.quantityMax.lots = 1 << 48
        }
        if isDeep { return terms }
        if random.once(in: 2), number != 4 {
            terms.bandUp = Int32(random.pick([0, 50_000, 100_000, 1_000_000]))
            terms.bandDown = Int32(random.pick([0, 30_000, 100_000, 999_999]))
            terms.referencePrice.ticks = random.pick([0, 100, 97])
        }
        if random.once(in: 3), number != 4 {
            terms.notionalMin.units = random.pick([0, 1_500, 40_000])
            terms.notionalMax.units = random.pick([0, 200_000, 1 << 100])
            terms.quantityMin.lots = random.pick([1, 1, 2])
        }
        return terms
    }

    mutating func administration(_ kind: CommandKind) -> Command {
        switch kind {
        case .openSession:
            let names = [
                "gateway/1", "gateway/2", "operator/zoe", "operator/yan", "operator/xia", "wallet",
                "operator", "",
            ]
            return .openSession(OpenSession(name: Text40(random.pick(names))!))
        case .closeSession:
            let last = Int64(twin.lastSession)
            return .closeSession(
                CloseSession(session: SessionID(UInt32(random.within(max(0, last - 4)...last)))))
        case .setAsset:
            let code = Text16(random.pick(["BTC", "ETH", "", "DOGE", "XRP", "ADA", "SOL"]))!
            return .setAsset(
                SetAsset(code: code, scale: random.pick([8, 18, 6, 19]), audit: audit))
        case .setInstrument: return .setInstrument(changedTerms())
        case .setInstrumentState: return .setInstrumentState(changedState())
        case .setFees: return .setFees(changedFees())
        case .openAccount:
            let name = random.pick(["ann", "", "fay", "gus", "hal", "ida", "jim", "kay", "lee"])
            return .openAccount(OpenAccount(name: Text40(name)!, audit: audit))
        case .setAccountLimits: return .setAccountLimits(changedLimits())
        case .setOrderLimits: return .setOrderLimits(changedOrderLimits())
        case .setReferencePrice:
            let instrument = instrument()
            var price = price(instrument)
            if random.once(in: 8) { price.ticks = random.pick([0, -1, 1 << 50, .min, .max]) }
            return .setReferencePrice(
                SetReferencePrice(instrument: instrument, price: price, audit: audit))
        case .transferFees: return .transferFees(transfer())
        case .creditDeposit: return .creditDeposit(deposit())
        case .raiseLimits: return .raiseLimits(RaiseLimits(limits: raised(), audit: audit))
        case .setAccountTier:
            return .setAccountTier(
                SetAccountTier(
                    account: account(), tier: random.pick([0, 1, 2, 2, 3, 900]), audit: audit))
        case .setKillSwitch:
            // What is on goes off soon, or nothing would trade.
            if twin.isKilled || random.once(in: 8) {
                return killSwitch(AccountID(0), !twin.isKilled)
            }
            if let killed = twin.accounts.first(where: { $0.view.isKilled }) {
                return killSwitch(killed.view.id, false)
            }
            return killSwitch(account(), random.pick([true, true, false]))
        case .adjustBalance: return adjustment()
        case .addAPIKey:
            return .addAPIKey(
                AddAPIKey(
                    account: account(), permissions: permissions(),
                    algorithm: random.pick(KeyAlgorithm.allCases), keyID: keyID(),
                    sealedSecret: [1, 2, 3], audit: audit))
        default: return .revokeAPIKey(RevokeAPIKey(keyID: keyID(), audit: audit))
        }
    }

    /// Off where it is on, on where it is off: while its orders are still to end.
    func killSwitchAgain(_ account: AccountID) -> Command {
        let isOn = account.number == 0 ? twin.isKilled : twin.account(account)!.view.isKilled
        return killSwitch(account, !isOn)
    }

    private func killSwitch(_ account: AccountID, _ isOn: Bool) -> Command {
        .setKillSwitch(SetKillSwitch(account: account, isOn: isOn, audit: audit))
    }

    private mutating func permissions() -> Permissions {
        random.pick([
            .read, [.read, .trade], [.withdraw], [.withdraw], [.withdraw, .withdrawAnywhere],
        ])
    }

    private mutating func keyID() -> Text64 {
        Text64(random.once(in: 10) ? "" : "key-\(random.within(1...90))")!
    }

    private mutating func changedTerms() -> SetInstrument {
        var t = terms(UInt16(random.within(1...4)))
        switch random.within(0...15) {
        case 0: t.symbol = Text16(random.pick(["", "NEW1", "NEW2", "NEW3", "NEW4", "NEW5"]))!
        case 1: t.base = AssetID(random.pick([0, 2, 60, .max]))
        case 2: t.tickMantissa = random.pick([0, -1, 3, 1_000_000_000_000_000_001, .max])
        case 3: t.lotUnits = random.pick([0, -1, 7, .max])
        case 4: t.tickScale = random.pick([0, 18, 19, 255])
        case 5: t.priceMax.ticks = random.pick([0, 50, 104, 1 << 48, 1 << 49, .max])
        case 6:
            t.quantityMax.lots = random.pick([0, 10, 1 << 33, 1 << 50, 1 << 51, 1 << 60, 1 << 61])
        case 7: t.priceMin.ticks = random.pick([0, -1, 97, .max])
        case 8: t.quantityMin.lots = random.pick([0, -1, 4, .max])
        case 9: t.notionalMin.units = random.pick([-1, .max, 1])
        case 10: t.notionalMax.units = random.pick([-1, .max, 1])
        case 11: t.referencePrice.ticks = random.pick([-1, .max, 1])
        case 12: t.bandUp = random.pick([-1, 1_000_000_000, 1_000_000_001])
        case 13: t.bandDown = random.pick([-1, 999_999, 1_000_000])
        case 14: t.state = random.pick(InstrumentState.allCases)
        default: break
        }
        return t
    }

    private mutating func changedState() -> SetInstrumentState {
        let paused = twin.instruments.filter { $0.state != .trading }
        if !paused.isEmpty, !random.once(in: 4) {
            return SetInstrumentState(
                instrument: random.pick(paused).id, state: .trading, audit: audit)
        }
        return SetInstrumentState(
            instrument: random.once(in: 6) ? InstrumentID(0) : instrument(),
            state: random.pick(InstrumentState.allCases), audit: audit)
    }

    private mutating func changedFees() -> SetFees {
        let most = Limits.feeRateMax
        let rates: [Int32] = [
            0, 1, -1, 7, -99, 10_000, 123_457, -123_456, 9_999_999, most, -most,
        ]
        var fees = SetFees(
            tier: random.pick([0, 1, 2]),
            instrument: random.once(in: 3) ? InstrumentID(0) : instrument(),
            maker: FeeRate(e8: random.pick(rates)), taker: FeeRate(e8: random.pick(rates)),
            audit: audit)
        if fees.maker.e8 + fees.taker.e8 < 0, !random.once(in: 4) {
            fees.taker.e8 = -fees.maker.e8
        }
        if random.once(in: 12) { fees.tier = random.pick([8, 32, .max]) }
        if random.once(in: 12) { fees.maker.e8 = random.pick([.min, .max, most + 1, -most - 1]) }
        return fees
    }

    private mutating func changedLimits() -> SetAccountLimits {
        var limits = SetAccountLimits(
            account: random.once(in: 3) ? AccountID(0) : account(), audit: audit)
        if random.once(in: 2) { return limits }
        limits.openOrdersMax = random.pick([0, 3, 8, 30])
        limits.messagesPerSecondMax = random.pick([0, 0, 2, 10, 50])
        return limits
    }

    private mutating func changedOrderLimits() -> SetOrderLimits {
        var limits = SetOrderLimits(
            account: random.once(in: 3) ? AccountID(0) : account(), instrument: instrument(),
            audit: audit)
        if random.once(in: 2) { return limits }
        limits.orderQuantityMax.lots = random.pick([0, 0, 10, 200, -1, 1 << 50])
        limits.orderNotionalMax.units = random.pick([0, 0, 20_000_000, 1 << 100, -1])
        return limits
    }

    private mutating func transfer() -> TransferFees {
        let account = account()
        let asset = AssetID(
            random.pick(weighted: [(40, random.pick([1, 2, 3, 4])), (1, 50), (1, 0)]))
        let have = twin.balance(account, asset).available.units
        let fees = twin.assetOrNil(asset) == nil ? 0 : twin.houses[Int(asset.number) - 1].fees.units
        return TransferFees(
            account: account, asset: asset,
            amount: Amount(
                units: random.pick([
                    0, fees, fees, fees / 2, fees + 1, -have / 9, -have - 1, -1, .min, .max,
                    Limits.amountUnitsMax, -Limits.amountUnitsMax - 1,
                ])), reference: reference(), audit: audit)
    }

    private mutating func deposit() -> CreditDeposit {
        let asset = AssetID(
            random.pick(weighted: [(40, random.pick([1, 2, 3, 4])), (1, 50), (1, 0)]))
        let known = twin.networks.filter { $0.asset == asset }
        let network =
            known.isEmpty || random.once(in: 12)
            ? NetworkID(UInt16(random.within(0...3))) : random.pick(known).network
        let kept: UInt128 = random.once(in: 6) ? 1 << 127 : 0
        return CreditDeposit(
            account: account(), asset: asset, network: network,
            transactionHigh: UInt128(random.within(0...4)) | kept,
            transactionLow: UInt128(random.within(0...1)) << 100,
            output: random.pick([0, 0, 1, .max]),
            amount: Amount(
                units: random.pick([0, -1, 1, 1_000, 150_000, Limits.amountUnitsMax, .min, .max])))
    }

    private mutating func raised() -> EngineLimits {
        var limits = twin.limits
        switch random.within(0...11) {
        case 0: limits.assets += 1
        case 1: limits.instruments += 1
        case 2: limits.accounts += 1
        case 3: limits.openOrders += UInt32(random.within(1...9))
        case 4: limits.apiKeys += 2
        case 5: limits.sessions += 1
        case 6: limits.feeTiers += 1
        case 7: limits.orderLimits += 1
        case 8: limits.references += 40
        case 9: limits.turnSteps += 1
        case 10: limits.openOrders -= 1
        default: limits.assets = 70_000
        }
        return limits
    }

    private mutating func adjustment() -> Command {
        let account = account()
        let asset = AssetID(
            random.pick(weighted: [(40, random.pick([1, 2, 3, 4])), (1, 50), (1, 0)]))
        if random.once(in: 2), asset.number >= 1, asset.number <= 4 {
            return credit(account, asset)
        }
        let have = twin.balance(account, asset).available.units
        let amount = random.pick([
            0, 1, -1, -have, -have - 1, -have / 2, Limits.amountUnitsMax,
            -Limits.amountUnitsMax - 1, .min, .max, 1_000_000,
        ])
        return .adjustBalance(
            AdjustBalance(
                account: account, asset: asset, amount: Amount(units: amount),
                reference: reference(), audit: audit))
    }
}
