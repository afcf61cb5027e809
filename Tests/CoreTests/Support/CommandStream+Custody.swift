// Random commands of custody: mostly what is possible next, now and then what is not.

import Engine
import Slabs
import Terms
import Wire

extension CommandStream {
    mutating func custody(_ kind: CommandKind) -> Command {
        switch kind {
        case .setNetwork: return .setNetwork(network(assetID()))
        case .decideWithdrawal:
            let waiting = twin.withdrawals.filter { $0.status == .requested }
            let id =
                random.once(in: 5) || waiting.isEmpty ? withdrawalID() : random.pick(waiting).id
            return .decideWithdrawal(
                DecideWithdrawal(
                    withdrawal: id, approves: !random.once(in: 6), audit: operatorAudit()))
        case .resumeWithdrawals:
            let stopped = twin.stopped.isEmpty ? assetID() : random.pick(twin.stopped)
            return .resumeWithdrawals(ResumeWithdrawals(asset: stopped, audit: audit))
        case .assignAddress:
            return .assignAddress(AssignAddress(account: account(), network: chain()))
        case .requestWithdrawal: return .requestWithdrawal(withdrawal())
        case .cancelWithdrawal:
            let id = withdrawalID()
            let owner = twin.withdrawal(id)?.account
            return .cancelWithdrawal(
                CancelWithdrawal(
                    account: random.once(in: 5) ? account() : owner ?? account(), withdrawal: id))
        case .noteDeposit:
            return .noteDeposit(
                NoteDeposit(
                    account: account(), asset: assetID(), network: chain(),
                    transaction: transactionID(), output: random.pick([0, 1]),
                    amount: Amount(units: random.pick([0, -1, 1, 7, .max, 1 << 120])),
                    confirmations: UInt32(random.within(0...9)),
                    status: random.pick(DepositStatus.allCases)))
        case .signWithdrawals: return .signWithdrawals(payment())
        case .settleTransaction:
            return .settleTransaction(
                SettleTransaction(
                    transaction: openTransaction(), costAsset: assetID(),
                    cost: Amount(units: random.pick([0, 1, 300, 300, -1, .max, 1 << 120])),
                    block: UInt64(random.within(0...99))))
        case .dropTransaction:
            return .dropTransaction(DropTransaction(transaction: openTransaction()))
        case .setChain:
            return .setChain(
                SetChain(
                    network: chain(), firstBlock: random.pick([1, 1, 5, 0, .max, 1 << 53]),
                    chain: Text40(random.once(in: 20) ? "" : random.pick(["regtest", "signet"]))!,
                    key: random.once(in: 20) ? "" : random.pick(["xpub1", "xpub1", "xpub2"]),
                    audit: audit))
        case .setColdStorage:
            let ceiling: Int128 = random.pick([1, 9, 9, 1 << 120, 0, -1, 1 << 120 + 1])
            return .setColdStorage(
                SetColdStorage(
                    asset: assetID(), network: chain(), ceiling: Amount(units: ceiling),
                    target: Amount(units: random.pick([0, 1, 9, 1 << 120, -1])),
                    descriptor: random.once(in: 3) ? "" : random.pick(["cold", "colder"]),
                    audit: audit))
        case .checkBlock:
            let network = chain()
            let next = twin.chain(network)?.nextBlock ?? 1
            let ahead = UInt64(random.within(0...3))
            let known = twin.addresses.count { $0.network == network }
            return .checkBlock(
                CheckBlock(
                    network: network, stage: random.pick([.credited, .final]),
                    addresses: UInt32(max(0, random.once(in: 4) ? known - 1 : known)),
                    height: random.pick([
                        next + ahead, next + ahead, next - 1, 0, .max,
                        twin.chain(network)?.finalHeight ?? 1,
                        twin.chain(network)?.finalHeight ?? 1,
                    ]),
                    block: random.pick(
                        [.none, BlockID(high: 0, low: 1)]
                            + Array(
                                repeating: BlockID(high: 1, low: 2), count: 6)),
                    chainRecord: (twin.chain(network)?.record ?? 1)
                        - (random.once(in: 20) ? 1 : 0)))
        default: return .stopWithdrawals(StopWithdrawals(asset: assetID(), reason: "it differs"))
        }
    }

    mutating func network(_ asset: AssetID) -> SetNetwork {
        var terms = SetNetwork(
            asset: asset, network: chain(), takesWithdrawals: !random.once(in: 6),
            approvals: random.pick([0, 1, 2, 3]), confirmations: 2,
            minimum: Amount(units: random.pick([1, 1, 10])),
            fee: Amount(units: random.pick([0, 1, 3])),
            approvalsAbove: Amount(units: random.pick([0, 20])), name: Text16("LTC")!,
            audit: audit)
        switch random.within(0...40) {
        case 0: terms.name = Text16()
        case 1: terms.network = NetworkID(0)
        case 2: terms.confirmations = 0
        case 3: terms.approvals = random.pick([8, 9, .max])
        case 4: terms.minimum.units = random.pick([0, -1, .min, .max, 1 << 120])
        case 5: terms.fee.units = random.pick([-1, .min, .max, 1 << 120])
        case 6: terms.approvalsAbove.units = random.pick([-1, .min, .max, 1 << 120])
        default: break
        }
        return terms
    }

    private mutating func withdrawal() -> RequestWithdrawal {
        let known = twin.networks.isEmpty || random.once(in: 8) ? nil : random.pick(twin.networks)
        let account = account()
        let asset = known?.asset ?? assetID()
        let have = twin.balance(account, asset).available.units
        var request = RequestWithdrawal(
            account: account, asset: asset, network: known?.network ?? chain(),
            amount: Amount(units: random.pick([1, 5, 19, 20, 21, have / 50 + 1, have / 9])),
            address: Text64("somewhere-\(random.within(0...9))")!,
            clientID: random.once(in: 2) ? Text40() : Text40("w\(random.within(0...60))")!,
            requester: random.once(in: 3) ? operatorAudit().operatorName : Text40(),
            deadline: random.once(in: 20) ? twin.timestamp + random.within(-1...1) : 0)
        if twin.rules > 2, request.requester.isEmpty { name(&request) }
        switch random.within(0...40) {
        case 0: request.address = Text64()
        case 1: request.amount.units = random.pick([0, -1, .min, .max, 1 << 120, have, have + 1])
        case 2...4: request.feeMost = Amount(units: random.pick([0, 1, 2, 3, -1]))
        default: break
        }
        return request
    }

    /// Names the key that signed, mostly one of the account, and mostly a destination that it has.
    private mutating func name(_ request: inout RequestWithdrawal) {
        let account = request.account
        let own = twin.keys.filter { $0.account == account && $0.permissions.contains(.withdraw) }
        let any = random.once(in: 30) || own.isEmpty ? twin.keys : own
        guard !any.isEmpty, !random.once(in: 60) else { return }
        let key = random.pick(any)
        request.keyID = key.keyID
        let book = twin.book.filter { $0.account == account || random.once(in: 20) }
        if key.permissions.contains(.withdrawAnywhere) || book.isEmpty { return }
        let entry = random.pick(book)
        request.address = entry.address
        if !random.once(in: 10) { (request.network, request.tag) = (entry.network, entry.tag) }
    }

    mutating func withdrawalRules(_ kind: CommandKind) -> Command {
        let entry = twin.book.isEmpty || random.once(in: 6) ? nil : random.pick(twin.book)
        switch kind {
        case .setWithdrawalPolicy:
            let seconds: [UInt32] = [0, 0, 0, 1, 60, 4_000, 7_776_000, 7_776_001]
            return .setWithdrawalPolicy(
                SetWithdrawalPolicy(
                    addressDelay: random.pick(seconds),
                    keyFreeze: random.pick(weighted: [
                        (8, 0), (8, 1), (8, 30), (1, 100_000), (1, .max),
                    ]), audit: audit))
        case .setWithdrawalLimits:
            let amounts: [Int128] = [0, 0, 20, 21, 200, 1_000, 1 << 40, 1 << 70, 1 << 120]
            func amount(_ random: inout SplitMix64) -> Amount {
                Amount(
                    units: random.once(in: 40)
                        ? random.pick([-1, .max, 1 << 120 + 1]) : random.pick(amounts))
            }
            let isNone = random.once(in: 3)
            let isOfAll = random.once(in: 2)
            let tiers: [UInt16] = [0, 1, 1, 2, 7, 8]
            let tier = random.once(in: isOfAll ? 2 : 40) ? random.pick(tiers) : nil
            return .setWithdrawalLimits(
                SetWithdrawalLimits(
                    account: isOfAll ? AccountID(0) : account(), tier: tier, asset: assetID(),
                    dayCountMax: isNone ? 0 : random.pick([0, 1, 3, 9, .max]),
                    amountMax: isNone ? .zero : amount(&random),
                    dayAmountMax: isNone ? .zero : amount(&random),
                    monthAmountMax: isNone ? .zero : amount(&random), audit: audit))
        case .setWithdrawalTerms:
            let known =
                twin.networks.isEmpty || random.once(in: 8) ? nil : random.pick(twin.networks)
            let isOfTier = random.once(in: 2)
            let tiers: [UInt16] = [0, 0, 1, 2, 7, 8]
            let isRemoved = random.once(in: 5)
            return .setWithdrawalTerms(
                SetWithdrawalTerms(
                    account: isOfTier ? AccountID(0) : account(),
                    tier: isOfTier || random.once(in: 40) ? random.pick(tiers) : nil,
                    asset: known?.asset ?? assetID(), network: known?.network ?? chain(),
                    minimum: Amount(
                        units: random.pick(weighted: [
                            (isRemoved ? 200 : 1, 0), (10, 1), (10, 9), (4, 1 << 40), (1, -1),
                            (1, .max),
                        ])),
                    fee: Amount(
                        units: random.pick(weighted: [
                            (isRemoved ? 200 : 0, 0),
                            (10, 0), (10, 1), (10, 4), (2, 1 << 70), (1, -1), (1, 1 << 120 + 1),
                        ])), audit: audit))
        case .addWithdrawalAddress:
            return .addWithdrawalAddress(
                AddWithdrawalAddress(
                    account: account(), network: chain(),
                    address: Text64(
                        random.once(in: 40) ? "" : "somewhere-\(random.within(0...40))")!,
                    tag: Text40(random.once(in: 4) ? "memo" : "")!, label: Text40("home")!,
                    audit: audit))
        default:
            return .removeWithdrawalAddress(
                RemoveWithdrawalAddress(
                    account: random.once(in: 8) ? account() : entry?.account ?? account(),
                    network: random.once(in: 8) ? chain() : entry?.network ?? chain(),
                    address: entry?.address ?? Text64("nowhere")!, tag: entry?.tag ?? Text40(),
                    audit: audit))
        }
    }

    private mutating func payment() -> SignWithdrawals {
        if random.once(in: 5) { return transfer() }
        if !twin.payments.isEmpty, random.once(in: 3) {
            let before = random.pick(twin.payments)
            return SignWithdrawals(
                asset: before.asset, network: before.network, transaction: transactionID(),
                replaces: before.id,
                withdrawals: random.once(in: 8)
                    ? before.withdrawals.dropLast() + [withdrawalID()] : before.withdrawals,
                bytes: [2, 0, 0])
        }
        let ready = twin.withdrawals.filter { $0.status == .approved }
        let first = ready.isEmpty ? nil : random.pick(ready)
        var ids = ready.filter {
            $0.asset == first?.asset && $0.network == first?.network && random.once(in: 2)
        }.map(\.id)
        if ids.isEmpty || random.once(in: 10) { ids.append(withdrawalID()) }
        if !random.once(in: 30) { ids = Set(ids).sorted() }
        return SignWithdrawals(
            asset: first?.asset ?? assetID(), network: first?.network ?? chain(),
            transaction: random.once(in: 40) ? .none : transactionID(),
            replaces: random.once(in: 30) ? transactionID() : .none, withdrawals: ids,
            bytes: random.once(in: 40) ? [] : [2, 0, 0, 0, 1])
    }

    /// One of the wallet's own, now and then in the place of another payment.
    private mutating func transfer() -> SignWithdrawals {
        let network = twin.networks.isEmpty ? nil : random.pick(twin.networks)
        let open = twin.payments.filter { $0.isTransfer || random.once(in: 8) }
        return SignWithdrawals(
            asset: random.once(in: 6) ? assetID() : network?.asset ?? assetID(),
            network: network?.network ?? chain(),
            transaction: random.once(in: 40) ? .none : transactionID(),
            replaces: open.isEmpty || random.once(in: 2) ? .none : random.pick(open).id,
            withdrawals: [], bytes: random.once(in: 40) ? [] : [2, 0, 0])
    }

    private mutating func assetID() -> AssetID {
        AssetID(random.pick(weighted: [(40, random.pick([1, 2, 3, 4])), (1, 50), (1, 0)]))
    }

    private mutating func chain() -> NetworkID {
        NetworkID(random.pick(weighted: [(30, random.pick([1, 1, 2])), (1, 3), (1, 0)]))
    }

    private mutating func withdrawalID() -> WithdrawalID {
        if !twin.withdrawals.isEmpty, !random.once(in: 6) {
            return random.pick(twin.withdrawals).id
        }
        return WithdrawalID(UInt64(random.within(0...Int64(twin.lastWithdrawal) + 1)))
    }

    private mutating func transactionID() -> TransactionID {
        TransactionID(high: UInt128(random.within(0...60)), low: UInt128(random.within(0...1)) << 9)
    }

    private mutating func openTransaction() -> TransactionID {
        twin.payments.isEmpty || random.once(in: 8)
            ? transactionID() : random.pick(twin.payments).id
    }

    private mutating func operatorAudit() -> Audit {
        Audit(
            operatorName: Text40(
                random.once(in: 20) ? "" : random.pick(["olga", "otto", "omar"]))!,
            reason: "r")
    }
}
