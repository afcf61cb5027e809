// Commands of every kind: plain ones for golden bytes, random ones for fuzzing.

import Slabs
import Terms
import Wire

/// Makes commands from a source of numbers: a counter for plain ones, random ones for fuzzing.
struct WireSamples {
    /// The next number.
    var next: () -> UInt64
    /// Whether fields that came later than their kind are left empty, as in earlier records.
    var isFirst = false

    /// Values that count up, so that each field's bytes are its own.
    static func counting() -> WireSamples {
        var count: UInt64 = 0
        let next: () -> UInt64 = {
            count += 1
            return count &* 0x0101_0101_0101_0101
        }
        return WireSamples(next: next, isFirst: true)
    }

    /// Random values, many of them at the ends of their ranges.
    static func random(seed: UInt64) -> WireSamples {
        var random = SplitMix64(seed: seed)
        return WireSamples {
            let value = random.next()
            switch random.next() % 8 {
            case 0: return 0
            case 1: return .max
            case 2: return 1 << 63
            case 3: return value % 256
            default: return value
            }
        }
    }

    private func integer<T: FixedWidthInteger>() -> T { T(truncatingIfNeeded: next()) }

    private func wide() -> Int128 {
        Int128(truncatingIfNeeded: next()) << 64 | Int128(truncatingIfNeeded: next())
    }

    private func choice<E: CaseIterable>() -> E where E.AllCases == [E] {
        E.allCases[Int(next() % UInt64(E.allCases.count))]
    }

    private func flag() -> Bool { next() & 1 == 1 }

    private func text<T: FixedText>(most: Int = T.capacity) -> T {
        let count = Int(next() % UInt64(most + 1))
        let bytes = (0..<count).map { _ in UInt8(0x20 + next() % 0x5F) }
        guard let text = T(ascii: bytes) else { preconditionFailure("printable and short") }
        return text
    }

    private func audit() -> Audit {
        let letters = ["a", "é", "→", "😀", " ", "\n", "\u{0}"]
        var reason = ""
        for _ in 0..<next() % 90 {
            let letter = letters[Int(next() % 7)]
            if reason.utf8.count + letter.utf8.count <= Limits.reasonBytesMax { reason += letter }
        }
        return Audit(operatorName: text(), reason: reason)
    }

    private func blob(most: Int) -> [UInt8] {
        (0..<Int(next() % UInt64(most + 1))).map { _ in integer() }
    }

    /// A command of this kind.
    func command(_ kind: CommandKind) -> Command {
        switch kind {
        case .genesis, .tick, .hashMark, .epochMark, .setRules, .openSession, .closeSession:
            system(kind)
        case .place: .place(place())
        case .cancel: .cancel(cancel())
        case .amend:
            .amend(
                Amend(
                    account: AccountID(integer()), instrument: InstrumentID(integer()),
                    order: OrderID(integer()), price: Price(ticks: integer()),
                    quantity: Quantity(lots: integer()), clOrdID: text(), newClOrdID: text(),
                    keepsPriority: flag(), deadline: integer()))
        case .cancelReplace:
            .cancelReplace(CancelReplace(stopOnFailure: flag(), cancel: cancel(), place: place()))
        case .massCancel:
            .massCancel(
                MassCancel(
                    account: AccountID(integer()), instrument: InstrumentID(integer()),
                    side: flag() ? choice() : nil, deadline: integer()))
        case .creditDeposit:
            .creditDeposit(
                CreditDeposit(
                    account: AccountID(integer()), asset: AssetID(integer()),
                    network: NetworkID(isFirst ? 0 : integer()),
                    transactionHigh: UInt128(truncatingIfNeeded: wide()),
                    transactionLow: UInt128(truncatingIfNeeded: wide()), output: integer(),
                    amount: Amount(units: wide())))
        case .requestWithdrawal:
            .requestWithdrawal(
                RequestWithdrawal(
                    account: AccountID(integer()), asset: AssetID(integer()),
                    network: NetworkID(integer()), amount: Amount(units: wide()),
                    feeMost: Amount(units: wide()), address: text(),
                    tag: text(), clientID: text(), requester: text(),
                    keyID: isFirst ? Text64() : text(), deadline: integer()))
        case .cancelWithdrawal:
            .cancelWithdrawal(
                CancelWithdrawal(
                    account: AccountID(integer()), withdrawal: WithdrawalID(integer())))
        case .assignAddress:
            .assignAddress(
                AssignAddress(account: AccountID(integer()), network: NetworkID(integer())))
        case .noteDeposit, .signWithdrawals, .settleTransaction, .dropTransaction,
            .stopWithdrawals, .checkBlock:
            wallet(kind)
        case .setOperator, .setCustodyPolicy, .propose, .endorse, .withdrawProposal, .signDecision:
            operators(kind)
        case .setWithdrawalPolicy, .setWithdrawalLimits, .addWithdrawalAddress,
            .removeWithdrawalAddress, .setWithdrawalTerms:
            withdrawalRules(kind)
        default: administration(kind)
        }
    }

    private func half() -> UInt128 { UInt128(truncatingIfNeeded: wide()) }

    private func digest() -> Digest256 { Digest256(high: half(), low: half()) }

    private func seal() -> OperatorSeal {
        OperatorSeal(
            name: text(), key: OperatorKey(high: half(), low: half()),
            seen: AuditHead(count: integer(), digest: digest()),
            signature: OperatorSignature(first: digest(), second: digest()))
    }

    private func operators(_ kind: CommandKind) -> Command {
        switch kind {
        case .setOperator:
            return .setOperator(
                SetOperator(
                    name: text(), key: OperatorKey(high: half(), low: half()), approves: flag(),
                    administers: flag(), audit: audit()))
        case .setCustodyPolicy:
            return .setCustodyPolicy(SetCustodyPolicy(endorsements: integer(), audit: audit()))
        case .propose:
            let inner = Command.setCustodyPolicy(
                SetCustodyPolicy(endorsements: integer(), audit: audit()))
            var proposal = Propose(
                id: ProposalID(half()), deadline: integer(), inner, seal: seal())
            if flag() { (proposal.proposedKind, proposal.payload) = (integer(), blob(most: 300)) }
            return .propose(proposal)
        case .endorse:
            return .endorse(
                Endorse(
                    proposal: ProposalID(half()), deadline: integer(), digest: digest(),
                    seal: seal()))
        case .withdrawProposal:
            return .withdrawProposal(
                WithdrawProposal(proposal: ProposalID(half()), seal: seal()))
        default:
            return .signDecision(
                SignDecision(
                    withdrawal: WithdrawalID(integer()), deadline: integer(),
                    approves: flag(), account: AccountID(integer()), asset: AssetID(integer()),
                    network: NetworkID(integer()), amount: Amount(units: wide()),
                    fee: Amount(units: wide()), address: text(), tag: text(),
                    reason: audit().reason, seal: seal()))
        }
    }

    private func withdrawalRules(_ kind: CommandKind) -> Command {
        switch kind {
        case .setWithdrawalPolicy:
            .setWithdrawalPolicy(
                SetWithdrawalPolicy(addressDelay: integer(), keyFreeze: integer(), audit: audit()))
        case .setWithdrawalLimits:
            .setWithdrawalLimits(
                SetWithdrawalLimits(
                    account: AccountID(integer()), tier: integer() / 2, asset: AssetID(integer()),
                    dayCountMax: integer(), amountMax: Amount(units: wide()),
                    dayAmountMax: Amount(units: wide()), monthAmountMax: Amount(units: wide()),
                    audit: audit()))
        case .setWithdrawalTerms:
            .setWithdrawalTerms(
                SetWithdrawalTerms(
                    account: AccountID(integer()), tier: integer() / 2, asset: AssetID(integer()),
                    network: NetworkID(integer()), minimum: Amount(units: wide()),
                    fee: Amount(units: wide()), audit: audit()))
        case .addWithdrawalAddress:
            .addWithdrawalAddress(
                AddWithdrawalAddress(
                    account: AccountID(integer()), network: NetworkID(integer()), address: text(),
                    tag: text(), label: text(), audit: audit()))
        default:
            .removeWithdrawalAddress(
                RemoveWithdrawalAddress(
                    account: AccountID(integer()), network: NetworkID(integer()), address: text(),
                    tag: text(), audit: audit()))
        }
    }

    private func transaction() -> TransactionID {
        TransactionID(
            high: UInt128(truncatingIfNeeded: wide()), low: UInt128(truncatingIfNeeded: wide()))
    }

    private func wallet(_ kind: CommandKind) -> Command {
        switch kind {
        case .noteDeposit:
            .noteDeposit(
                NoteDeposit(
                    account: AccountID(integer()), asset: AssetID(integer()),
                    network: NetworkID(integer()), transaction: transaction(), output: integer(),
                    amount: Amount(units: wide()), confirmations: integer(), status: choice()))
        case .signWithdrawals:
            .signWithdrawals(
                SignWithdrawals(
                    asset: AssetID(integer()), network: NetworkID(integer()),
                    transaction: transaction(), replaces: transaction(),
                    withdrawals: (0...next() % 3).map { _ in WithdrawalID(integer()) },
                    bytes: blob(most: 300)))
        case .settleTransaction:
            .settleTransaction(
                SettleTransaction(
                    transaction: transaction(), costAsset: AssetID(integer()),
                    cost: Amount(units: wide()), block: integer()))
        case .dropTransaction: .dropTransaction(DropTransaction(transaction: transaction()))
        case .checkBlock:
            .checkBlock(
                CheckBlock(
                    network: NetworkID(integer()), stage: choice(), addresses: integer(),
                    height: integer(),
                    block: BlockID(
                        high: UInt128(truncatingIfNeeded: wide()),
                        low: UInt128(truncatingIfNeeded: wide())), chainRecord: integer()))
        default:
            .stopWithdrawals(StopWithdrawals(asset: AssetID(integer()), reason: audit().reason))
        }
    }

    private func place() -> Place {
        Place(
            account: AccountID(integer()), instrument: InstrumentID(integer()), side: choice(),
            type: choice(), timeInForce: choice(), selfTradePrevention: choice(),
            price: Price(ticks: integer()), quantity: Quantity(lots: integer()),
            stopPrice: Price(ticks: integer()), displayQuantity: Quantity(lots: integer()),
            expireTime: integer(), quoteQuantity: Amount(units: wide()), clOrdID: text(),
            deadline: integer(), strategyID: integer(), strategyType: integer())
    }

    private func cancel() -> Cancel {
        Cancel(
            account: AccountID(integer()), instrument: InstrumentID(integer()),
            order: OrderID(integer()), clOrdID: text(), restriction: choice(), cancelID: text(),
            deadline: integer())
    }

    private func system(_ kind: CommandKind) -> Command {
        switch kind {
        case .genesis:
            .genesis(
                Genesis(
                    rules: integer(), limits: limits(), journalHigh: integer(),
                    journalLow: integer(), hashKeyHigh: integer(), hashKeyLow: integer()))
        case .hashMark: .hashMark(HashMark(eventHash: integer()))
        case .epochMark:
            .epochMark(
                EpochMark(
                    priorEpoch: integer(), cause: choice(), replicaHigh: integer(),
                    replicaLow: integer(), attemptHigh: integer(), attemptLow: integer(),
                    commitPoint: integer(), eventHash: integer(), formatLevel: integer()))
        case .setRules: .setRules(SetRules(version: integer()))
        case .closeSession: .closeSession(CloseSession(session: SessionID(integer())))
        case .openSession: .openSession(OpenSession(name: text()))
        default: .tick(Tick())
        }
    }

    private func limits() -> EngineLimits {
        EngineLimits(
            assets: integer(), instruments: integer(), accounts: integer(),
            openOrders: integer(), apiKeys: integer(), sessions: integer(),
            feeTiers: integer(), orderLimits: integer(), references: integer(),
            turnSteps: integer())
    }

    private func administration(_ kind: CommandKind) -> Command {
        switch kind {
        case .setAsset: .setAsset(SetAsset(code: text(), scale: integer(), audit: audit()))
        case .setInstrument: .setInstrument(instrument())
        case .setInstrumentState:
            .setInstrumentState(
                SetInstrumentState(
                    instrument: InstrumentID(integer()), state: choice(), audit: audit()))
        case .setFees:
            .setFees(
                SetFees(
                    tier: integer(), instrument: InstrumentID(integer()),
                    maker: FeeRate(e8: integer()), taker: FeeRate(e8: integer()), audit: audit()))
        case .openAccount: .openAccount(OpenAccount(name: text(), audit: audit()))
        case .setAccountLimits:
            .setAccountLimits(
                SetAccountLimits(
                    account: AccountID(integer()), openOrdersMax: integer(),
                    messagesPerSecondMax: integer(), audit: audit()))
        case .setOrderLimits:
            .setOrderLimits(
                SetOrderLimits(
                    account: AccountID(integer()), instrument: InstrumentID(integer()),
                    orderQuantityMax: Quantity(lots: integer()),
                    orderNotionalMax: Amount(units: wide()), audit: audit()))
        case .setReferencePrice:
            .setReferencePrice(
                SetReferencePrice(
                    instrument: InstrumentID(integer()), price: Price(ticks: integer()),
                    audit: audit()))
        case .raiseLimits: .raiseLimits(RaiseLimits(limits: limits(), audit: audit()))
        case .transferFees:
            .transferFees(
                TransferFees(
                    account: AccountID(integer()), asset: AssetID(integer()),
                    amount: Amount(units: wide()), reference: text(), audit: audit()))
        case .setAccountTier:
            .setAccountTier(
                SetAccountTier(account: AccountID(integer()), tier: integer(), audit: audit()))
        case .setKillSwitch:
            .setKillSwitch(
                SetKillSwitch(account: AccountID(integer()), isOn: flag(), audit: audit()))
        case .adjustBalance:
            .adjustBalance(
                AdjustBalance(
                    account: AccountID(integer()), asset: AssetID(integer()),
                    amount: Amount(units: wide()), reference: text(), audit: audit()))
        case .addAPIKey:
            .addAPIKey(
                AddAPIKey(
                    account: AccountID(integer()), permissions: Permissions(rawValue: integer()),
                    algorithm: choice(), keyID: text(),
                    sealedSecret: blob(most: Limits.sealedSecretBytesMax), audit: audit()))
        case .revokeAPIKey: .revokeAPIKey(RevokeAPIKey(keyID: text(), audit: audit()))
        case .setNetwork:
            .setNetwork(
                SetNetwork(
                    asset: AssetID(integer()), network: NetworkID(integer()),
                    takesDeposits: flag(), takesWithdrawals: flag(), approvals: integer(),
                    confirmations: integer(), minimum: Amount(units: wide()),
                    fee: Amount(units: wide()), approvalsAbove: Amount(units: wide()),
                    name: text(), audit: audit()))
        case .decideWithdrawal:
            .decideWithdrawal(
                DecideWithdrawal(
                    withdrawal: WithdrawalID(integer()), approves: flag(), audit: audit()))
        case .setChain:
            .setChain(
                SetChain(
                    network: NetworkID(integer()), firstBlock: integer(), chain: text(),
                    key: audit().reason.prefix(40).description, audit: audit()))
        case .setColdStorage:
            .setColdStorage(
                SetColdStorage(
                    asset: AssetID(integer()), network: NetworkID(integer()),
                    ceiling: Amount(units: wide()), target: Amount(units: wide()),
                    descriptor: audit().reason.prefix(40).description, audit: audit()))
        case .resumeWithdrawals:
            .resumeWithdrawals(ResumeWithdrawals(asset: AssetID(integer()), audit: audit()))
        default: .voidSequence(VoidSequence(sequence: integer(), audit: audit()))
        }
    }

    private func instrument() -> SetInstrument {
        SetInstrument(
            symbol: text(), base: AssetID(integer()), quote: AssetID(integer()),
            tickMantissa: integer(), tickScale: integer(), lotUnits: integer(), state: choice(),
            priceMin: Price(ticks: integer()), priceMax: Price(ticks: integer()),
            quantityMin: Quantity(lots: integer()), quantityMax: Quantity(lots: integer()),
            notionalMin: Amount(units: wide()), notionalMax: Amount(units: wide()),
            referencePrice: Price(ticks: integer()), bandUp: integer(), bandDown: integer(),
            selfTradePrevention: choice(), audit: audit())
    }
}
