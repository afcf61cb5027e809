// Goal: a withdrawal is paid once or its money is back; whatever the wallet and the operators send,
// in whatever order, every amount has one owner, and the engine and its twin agree on it.

import Engine
import Terms
import Testing
import Wire

/// A venue whose gold goes out by chain 1, with two approvals above 100 units and a charge of 3.
private final class Vault {
    let venue = Venue()
    private var transactions: UInt128 = 0

    init() {
        set()
        for account in [Venue.ann, Venue.ben] {
            #expect(venue.addKey(account).refusal == .none)
            let entry = AddWithdrawalAddress(
                account: account, network: NetworkID(1), address: Text64("gld1qplace")!,
                tag: Text40(), label: Text40(), audit: Venue.audit)
            #expect(venue.apply(.addWithdrawalAddress(entry)).refusal == .none)
        }
    }

    static func audit(_ name: String) -> Audit {
        Audit(operatorName: Text40(name)!, reason: "test")
    }

    func set(takesWithdrawals: Bool = true, _ change: (inout SetNetwork) -> Void = { _ in }) {
        var terms = SetNetwork(
            asset: Venue.gold, network: NetworkID(1), takesWithdrawals: takesWithdrawals,
            approvals: 2, confirmations: 2, minimum: Amount(units: 10), fee: Amount(units: 3),
            approvalsAbove: Amount(units: 100), name: Text16("GLD")!, audit: Venue.audit)
        change(&terms)
        #expect(venue.apply(.setNetwork(terms)).refusal == .none)
    }

    func request(
        _ units: Int128, account: AccountID = Venue.ann, id: String = "", requester: String = "",
        _ change: (inout RequestWithdrawal) -> Void = { _ in }
    ) -> Outcome {
        var request = RequestWithdrawal(
            account: account, asset: Venue.gold, network: NetworkID(1),
            amount: Amount(units: units), address: Text64("gld1qplace")!, clientID: Text40(id)!,
            requester: Text40(requester)!,
            keyID: requester.isEmpty ? Venue.key(account) : Text64())
        change(&request)
        return venue.apply(.requestWithdrawal(request))
    }

    func decide(_ id: UInt64, by name: String, approves: Bool = true) -> Refusal {
        venue.apply(
            .decideWithdrawal(
                DecideWithdrawal(
                    withdrawal: WithdrawalID(id), approves: approves, audit: Self.audit(name)))
        ).refusal
    }

    static func id(_ number: UInt128) -> TransactionID { TransactionID(high: 7, low: number) }

    func sign(
        _ number: UInt128, _ ids: [UInt64], replaces: UInt128 = 0,
        _ change: (inout SignWithdrawals) -> Void = { _ in }
    ) -> Refusal {
        var payment = SignWithdrawals(
            asset: Venue.gold, network: NetworkID(1), transaction: Self.id(number),
            replaces: replaces == 0 ? .none : Self.id(replaces),
            withdrawals: ids.map { WithdrawalID($0) }, bytes: [1, 2, 3])
        change(&payment)
        return venue.apply(.signWithdrawals(payment)).refusal
    }

    func settle(_ number: UInt128, cost: Int128 = 0, asset: AssetID = Venue.gold) -> Refusal {
        venue.apply(
            .settleTransaction(
                SettleTransaction(
                    transaction: Self.id(number), costAsset: asset, cost: Amount(units: cost),
                    block: 9))
        ).refusal
    }

    func drop(_ number: UInt128) -> Refusal {
        venue.apply(.dropTransaction(DropTransaction(transaction: Self.id(number)))).refusal
    }

    func cancel(_ id: UInt64, _ account: AccountID = Venue.ann) -> Refusal {
        venue.apply(
            .cancelWithdrawal(CancelWithdrawal(account: account, withdrawal: WithdrawalID(id)))
        ).refusal
    }

    func stop(_ asset: AssetID = Venue.gold) -> Refusal {
        venue.apply(.stopWithdrawals(StopWithdrawals(asset: asset, reason: "it differs"))).refusal
    }

    /// Ann's gold: available, withdrawing; the house's in transit, fees, chain.
    var money: [Int128] {
        let (own, house) = (venue.balance(Venue.ann, Venue.gold), venue.house(Venue.gold))
        return [
            own.available.units - 1_000_000, own.withdrawing.units, house.inTransit.units,
            house.fees.units, house.chain.units,
        ]
    }
}

@Suite struct CustodyTests {
    @Test func `a withdrawal's money moves from its account over transit to outside`() {
        let vault = Vault()
        #expect(vault.request(50).id == 1)
        #expect(vault.money == [-53, 53, 0, 0, 0])
        #expect(vault.sign(1, [1]) == .none)
        #expect(vault.money == [-53, 0, 53, 0, 0])
        #expect(vault.settle(1, cost: 2) == .none)
        #expect(vault.money == [-53, 0, 0, 3, -2])
        #expect(vault.settle(1) == .transactionUnknown, "once")
        #expect(vault.venue.house(Venue.gold).external.units == -3_000_000 + 50 + 2)
    }

    @Test func `what is refused, cancelled or dropped gives its money back`() {
        let vault = Vault()
        #expect(vault.request(500).id == 1 && vault.request(60).id == 2)
        #expect(vault.decide(1, by: "olga", approves: false) == .none)
        #expect(vault.cancel(2) == .none)
        #expect(vault.money == [0, 0, 0, 0, 0])
        #expect(vault.request(60).id == 3)
        #expect(vault.sign(1, [3]) == .none)
        #expect(vault.drop(1) == .none && vault.drop(1) == .transactionUnknown)
        #expect(vault.money == [-63, 63, 0, 0, 0])
        #expect(vault.cancel(3) == .stateInvalid, "what paid it may be final all the same")
        #expect(vault.decide(3, by: "olga", approves: false) == .none)
        #expect(vault.money == [0, 0, 0, 0, 0])
    }

    @Test func `only a replacement pays what is paid already, and one of them counts`() {
        let vault = Vault()
        for units in [50, 60, 70] as [Int128] { #expect(vault.request(units).refusal == .none) }
        #expect(vault.sign(1, [1, 2]) == .none)
        #expect(vault.sign(1, [3]) == .referenceDuplicate)
        #expect(vault.sign(2, [1]) == .stateInvalid)
        #expect(vault.sign(2, [2, 3]) == .stateInvalid)
        #expect(vault.sign(2, [1], replaces: 1) == .termsInvalid)
        #expect(vault.sign(2, [1, 2], replaces: 9) == .transactionUnknown)
        #expect(vault.sign(2, [1, 2], replaces: 1) == .none)
        #expect(vault.sign(3, [1, 2], replaces: 2) == .none)
        #expect(vault.cancel(1) == .stateInvalid)
        #expect(vault.decide(1, by: "olga", approves: false) == .stateInvalid)
        #expect(vault.drop(1) == .none)
        #expect(vault.money[2] == 116, "the others still pay it")
        #expect(vault.settle(2, cost: 1) == .none)
        #expect(vault.settle(3) == .transactionUnknown)
        #expect(vault.sign(4, [1]) == .withdrawalUnknown)
        // What has settled once settles nothing again, whatever it is said to pay.
        #expect(vault.sign(2, [3]) == .referenceDuplicate)
        #expect(vault.sign(3, [3]) == .none && vault.drop(3) == .none)
        #expect(vault.money == [-53 - 63 - 73, 73, 0, 6, -1])
    }

    @Test func `two operators approve a large one, and neither asked for it`() {
        let vault = Vault()
        #expect(vault.request(100).id == 1)
        #expect(vault.decide(1, by: "olga") == .stateInvalid, "it needs none")
        #expect(vault.request(101, requester: "otto").id == 2)
        #expect(vault.sign(1, [2]) == .stateInvalid)
        #expect(vault.decide(2, by: "") == .nameInvalid)
        #expect(vault.decide(2, by: "otto") == .approvalInvalid)
        #expect(vault.decide(2, by: "olga") == .none)
        #expect(vault.decide(2, by: "olga") == .approvalInvalid)
        #expect(vault.sign(1, [2]) == .stateInvalid)
        #expect(vault.decide(2, by: "omar") == .none)
        #expect(vault.decide(2, by: "ola") == .stateInvalid, "it has enough")
        #expect(vault.decide(3, by: "olga") == .withdrawalUnknown)
        // Terms that change do not change what was asked for.
        vault.set { ($0.approvals, $0.fee) = (8, Amount(units: 900)) }
        #expect(vault.sign(1, [2]) == .none && vault.settle(1) == .none)
        #expect(vault.money[3] == 3)
    }

    @Test func `each reason to refuse a request, in order`() {
        let vault = Vault()
        let venue = vault.venue
        #expect(vault.request(20, id: "first").refusal == .none)
        var change: [(Refusal, (inout RequestWithdrawal) -> Void)] = [
            (.deadlinePassed, { $0.deadline = venue.now - 1 }),
            (.accountUnknown, { $0.account = AccountID(9) }),
            (.assetUnknown, { $0.asset = AssetID(9) }),
            (.networkUnknown, { $0.network = NetworkID(2) }),
            (.addressInvalid, { $0.address = Text64() }),
            (.amountInvalid, { $0.amount.units = 9 }),
            (.referenceDuplicate, { $0.clientID = Text40("first")! }),
            (.insufficientFunds, { $0.amount.units = Limits.amountUnitsMax }),
            (.none, { _ in }),
        ]
        // With everything wrong from a row on, it is that row's.
        while !change.isEmpty {
            let rest = change
            let refusal = vault.request(20) { request in for row in rest { row.1(&request) } }
                .refusal
            // A large amount is no small one.
            #expect(refusal == rest[0].0 || rest[0].0 == .amountInvalid)
            change.removeFirst()
        }
        for units in [9, 0, -1, .min, Limits.amountUnitsMax + 1, .max] as [Int128] {
            #expect(vault.request(units).refusal == .amountInvalid)
        }
        #expect(vault.request(20, account: Venue.ben, id: "first").refusal == .none, "its own ids")
        vault.set(takesWithdrawals: false)
        #expect(vault.request(20).refusal == .withdrawalsStopped)
        #expect(vault.sign(1, [1]) == .withdrawalsStopped)
        vault.set()
        venue.apply(
            .setKillSwitch(SetKillSwitch(account: Venue.ann, isOn: true, audit: Venue.audit)))
        #expect(vault.request(20).refusal == .accountKilled)
        venue.apply(
            .setKillSwitch(SetKillSwitch(account: AccountID(0), isOn: true, audit: Venue.audit)))
        #expect(vault.request(20).refusal == .venueKilled)
    }

    @Test func `a stop holds what is not signed until an operator ends it`() {
        let vault = Vault()
        func resume(_ asset: AssetID = Venue.gold) -> Refusal {
            vault.venue.apply(
                .resumeWithdrawals(ResumeWithdrawals(asset: asset, audit: Venue.audit))
            ).refusal
        }
        for _ in 0..<2 { #expect(vault.request(20).refusal == .none) }
        #expect(vault.sign(1, [1]) == .none)
        #expect(resume() == .stateInvalid && resume(AssetID(9)) == .assetUnknown)
        #expect(vault.stop(AssetID(9)) == .assetUnknown)
        #expect(vault.stop() == .none && vault.stop() == .none)
        #expect(vault.request(20).refusal == .withdrawalsStopped)
        #expect(vault.sign(2, [2]) == .withdrawalsStopped)
        // What may be broadcast goes on to its end, also by a replacement.
        #expect(vault.sign(2, [1], replaces: 1) == .none && vault.settle(2) == .none)
        #expect(resume() == .none)
        #expect(vault.sign(3, [2]) == .none)
    }

    @Test func `a payment is replaced a bounded number of times`() {
        let vault = Vault()
        #expect(vault.request(50).id == 1)
        #expect(vault.sign(1, [1]) == .none)
        for number in 0..<UInt128(Limits.replacementsMax) {
            #expect(vault.sign(2 + number, [1], replaces: 1 + number) == .none)
        }
        #expect(vault.sign(99, [1], replaces: 1) == .tableFull)
        #expect(vault.settle(7) == .none)
        #expect(vault.money == [-53, 0, 0, 3, 0])
    }

    @Test func `a kill switch stops what is not signed`() {
        let vault = Vault()
        let venue = vault.venue
        func kill(_ account: AccountID, _ isOn: Bool) {
            venue.apply(
                .setKillSwitch(SetKillSwitch(account: account, isOn: isOn, audit: Venue.audit)))
        }
        for _ in 0..<2 { #expect(vault.request(20).refusal == .none) }
        #expect(vault.sign(1, [1]) == .none)
        kill(Venue.ann, true)
        #expect(vault.sign(2, [2]) == .accountKilled)
        #expect(vault.sign(2, [1], replaces: 1) == .none)
        kill(AccountID(0), true)
        #expect(vault.sign(3, [2]) == .venueKilled)
        kill(AccountID(0), false)
        kill(Venue.ann, false)
        #expect(vault.sign(3, [2]) == .none)
    }

    /// What comes in keeps its room, however many ids customers use up.
    @Test func `clients' ids leave room for deposits`() {
        let vault = Vault()
        var most = 0
        for number in 0... {
            let outcome = vault.request(10, id: "w\(number)")
            if outcome.refusal == .tableFull { break }
            #expect(vault.cancel(outcome.id) == .none)
            most = number + 1
        }
        #expect(most <= Int(EngineLimits.small.references) / 4 * 3)
        #expect(vault.request(10).refusal == .none, "without an id")
        let deposit = CreditDeposit(
            account: Venue.ann, asset: Venue.gold, network: NetworkID(1), transactionHigh: 1,
            transactionLow: 2, output: 3, amount: Amount(units: 4))
        #expect(vault.venue.apply(.creditDeposit(deposit)).refusal == .none)
    }

    /// Transactions of two chains may have one id, and a token the log index of an output.
    @Test func `an output is credited once a chain, and only on a chain of its asset`() {
        let vault = Vault()
        vault.set { $0.network = NetworkID(2) }
        func credit(_ network: UInt16) -> Refusal {
            let deposit = CreditDeposit(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(network),
                transactionHigh: 1, transactionLow: 2, output: 3, amount: Amount(units: 4))
            return vault.venue.apply(.creditDeposit(deposit)).refusal
        }
        #expect(credit(0) == .networkUnknown && credit(3) == .networkUnknown)
        for network in 1...2 as ClosedRange<UInt16> {
            #expect(credit(network) == .none)
            #expect(credit(network) == .referenceDuplicate)
        }
    }

    @Test func `a credit says its chain where earlier ones had nothing`() {
        var deposit = CreditDeposit(
            account: Venue.ann, asset: Venue.gold, transactionHigh: 1, transactionLow: 2,
            output: 3, amount: Amount(units: 4))
        let before = deposit.payloadBytes()
        deposit.network = NetworkID(0x0201)
        let after = deposit.payloadBytes()
        #expect(before[6...7] == [0, 0] && after[6...7] == [1, 2])
        #expect(after[..<6] == before[..<6] && after[8...] == before[8...])
    }

    @Test func `a chain is read forwards, again on demand, and keeps its key`() {
        let venue = Vault().venue
        func set(_ first: UInt64 = 10, _ change: (inout SetChain) -> Void = { _ in }) -> Refusal {
            var chain = SetChain(
                network: NetworkID(1), firstBlock: first, chain: Text40("regtest")!, key: "xpub1",
                audit: Venue.audit)
            change(&chain)
            return venue.apply(.setChain(chain)).refusal
        }
        func check(_ height: UInt64, _ change: (inout CheckBlock) -> Void = { _ in }) -> Refusal {
            var block = CheckBlock(
                network: NetworkID(1), addresses: 0, height: height,
                block: BlockID(high: 0, low: UInt128(height) + 1),
                chainRecord: venue.engine.chain(NetworkID(1))?.record ?? 0)
            change(&block)
            return venue.apply(.checkBlock(block)).refusal
        }
        #expect(check(10) == .networkUnknown)
        #expect(set { $0.network = NetworkID(0) } == .termsInvalid)
        #expect(set { $0.chain = Text40() } == .termsInvalid)
        #expect(set { $0.key = "" } == .termsInvalid)
        #expect(set(0) == .termsInvalid && set(Limits.blockMax + 1) == .termsInvalid)
        #expect(set() == .none)
        #expect(check(9) == .stateInvalid && check(12) == .none)
        for height in [0, 11, 12] as [UInt64] { #expect(check(height) == .stateInvalid) }
        #expect(check(13) { $0.block = .none } == .termsInvalid)
        #expect(check(Limits.blockMax + 1) == .termsInvalid)
        #expect(check(13) { $0.network = NetworkID(2) } == .networkUnknown)
        #expect(check(13) == .none)
        #expect(venue.engine.chain(NetworkID(1))?.nextBlock == 14)
        // What is final is not replaced, and does not go back.
        func final(_ height: UInt64, _ change: (inout CheckBlock) -> Void = { _ in }) -> Refusal {
            check(height) {
                $0.stage = .final
                change(&$0)
            }
        }
        #expect(final(13) == .stateInvalid && final(16) == .none && final(16) == .none)
        #expect(venue.engine.chain(NetworkID(1))?.nextBlock == 14)
        #expect(venue.engine.chain(NetworkID(1))?.finalHeight == 16)
        #expect(final(15) == .stateInvalid, "a later one is final")
        #expect(final(16) { $0.block = BlockID(high: 1, low: 1) } == .stateInvalid)
        #expect(check(16) { $0.block = BlockID(high: 1, low: 1) } == .stateInvalid)
        #expect(check(14) == .none && check(16) == .none && check(17) == .none)
        #expect(venue.engine.chain(NetworkID(1))?.finalHeight == 17)
        // Nobody has an address of it yet.
        #expect(set { $0.key = "xpub2" } == .none)
        #expect(venue.engine.chain(NetworkID(1))?.nextBlock == 10)
        let address = AssignAddress(account: Venue.ann, network: NetworkID(1))
        #expect(venue.apply(.assignAddress(address)).refusal == .none)
        #expect(set { $0.key = "xpub3" } == .stateInvalid)
        #expect(
            set {
                $0.key = "xpub2"
                $0.chain = Text40("main")!
            } == .stateInvalid)
        #expect(check(20) == .stateInvalid, "ann's address was not looked for")
        #expect(check(20) { $0.addresses = 1 } == .none)
        let before = venue.engine.chain(NetworkID(1))?.record ?? 0
        #expect(set(5) { $0.key = "xpub2" } == .none)
        // What was found on the chain as it was set before does not skip what is read again.
        let late = check(21) {
            $0.addresses = 1
            $0.chainRecord = before
        }
        #expect(late == .stateInvalid)
        #expect(set { ($0.network, $0.key) = (NetworkID(2), "xpub2") } == .referenceDuplicate)
        #expect(set { ($0.network, $0.key) = (NetworkID(2), "xpub3") } == .none)
        #expect(venue.engine.chain(NetworkID(1))?.nextBlock == 5)
    }

    @Test func `no higher fee is taken than was agreed to`() {
        let vault = Vault()
        #expect(vault.request(50) { $0.feeMost = Amount(units: 3) }.refusal == .none)
        vault.set { $0.fee = Amount(units: 4) }
        #expect(vault.request(50) { $0.feeMost = Amount(units: 3) }.refusal == .termsInvalid)
        #expect(vault.request(50) { $0.feeMost = Amount(units: 5) }.refusal == .none)
    }

    @Test func `an account has bounded open withdrawals, and closed ones make room`() {
        let vault = Vault()
        for _ in 0..<Limits.withdrawalsOfAccountMax { _ = vault.request(10) }
        #expect(vault.request(10).refusal == .tableFull)
        #expect(vault.request(10, account: Venue.ben).refusal == .none)
        #expect(vault.cancel(1) == .none)
        #expect(vault.request(10).refusal == .none)
        #expect(vault.cancel(2, Venue.ben) == .withdrawalUnknown)
        #expect(vault.cancel(2, AccountID(9)) == .accountUnknown)
    }

    @Test func `a payment is well formed`() {
        let vault = Vault()
        for _ in 0..<3 { #expect(vault.request(20).refusal == .none) }
        #expect(vault.sign(1, [1]) { $0.asset = AssetID(9) } == .assetUnknown)
        #expect(vault.sign(1, [1]) { $0.network = NetworkID(2) } == .networkUnknown)
        #expect(vault.sign(1, [2, 1]) == .termsInvalid)
        #expect(vault.sign(1, [1, 1]) == .termsInvalid)
        #expect(vault.sign(1, [1]) { $0.transaction = .none } == .termsInvalid)
        #expect(vault.sign(1, [1]) { $0.bytes = [] } == .termsInvalid)
        #expect(vault.sign(1, [1, 4]) == .withdrawalUnknown)
        #expect(vault.sign(1, [1, 2, 3]) == .none)
        for cost in [-1, Limits.amountUnitsMax + 1, .min, .max] as [Int128] {
            #expect(vault.settle(1, cost: cost) == .amountInvalid)
        }
        #expect(vault.settle(1, cost: 1, asset: AssetID(9)) == .assetUnknown)
        #expect(vault.settle(2) == .transactionUnknown)
        #expect(vault.settle(1, cost: 5, asset: Venue.dollar) == .none)
        #expect(vault.venue.house(Venue.dollar).chain.units == -5)
    }

    @Test func `a payment has room for as much as it may have, and for no more`() {
        func decoded(_ payees: Int, _ bytes: Int) -> Command? {
            let payment = SignWithdrawals(
                asset: Venue.gold, network: NetworkID(1), transaction: Vault.id(1),
                withdrawals: (0..<UInt64(payees)).map { WithdrawalID($0 + 1) },
                bytes: [UInt8](repeating: 7, count: bytes))
            let payload = payment.payloadBytes()
            #expect(payload.count <= Limits.recordBytesMax - RecordHeader.size)
            let command = unsafe payload.withUnsafeBytes {
                unsafe Command(kind: .signWithdrawals, payload: $0)
            }
            #expect(command == nil || command == .signWithdrawals(payment))
            return command
        }
        let (payees, bytes) = (Limits.payeesMax, Limits.transactionBytesMax)
        #expect(decoded(payees, bytes) != nil && decoded(1, 1) != nil)
        #expect(decoded(payees + 1, bytes) == nil)
        #expect(decoded(payees, bytes + 1) == nil)
        #expect(decoded(0, bytes) != nil && decoded(0, bytes + 1) == nil)
    }

    @Test func `addresses count up on each chain, and an account keeps its own`() {
        let vault = Vault()
        let venue = vault.venue
        func assign(_ account: AccountID, _ network: UInt16 = 1) -> Outcome {
            venue.apply(
                .assignAddress(AssignAddress(account: account, network: NetworkID(network))))
        }
        #expect(assign(Venue.ben).id == 1 && assign(Venue.ann).id == 2)
        #expect(assign(Venue.ben).id == 1 && venue.events.isEmpty)
        #expect(assign(AccountID(9)).refusal == .accountUnknown)
        #expect(assign(Venue.cat, 2).refusal == .networkUnknown)
        vault.set { $0.network = NetworkID(2) }
        #expect(assign(Venue.cat, 2).id == 1)
    }

    @Test func `a deposit is noted until it is credited`() {
        let vault = Vault()
        let venue = vault.venue
        func note(_ change: (inout NoteDeposit) -> Void = { _ in }) -> Refusal {
            var note = NoteDeposit(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                transaction: Vault.id(1), output: 1, amount: Amount(units: 5), confirmations: 0,
                status: .pending)
            change(&note)
            return venue.apply(.noteDeposit(note)).refusal
        }
        #expect(note { $0.account = AccountID(9) } == .accountUnknown)
        #expect(note { $0.asset = AssetID(9) } == .assetUnknown)
        #expect(note { $0.network = NetworkID(9) } == .networkUnknown)
        #expect(note { $0.amount.units = 0 } == .amountInvalid)
        #expect(note() == .none && note { $0.status = .gone } == .none)
        let before = venue.balance(Venue.ann, Venue.gold)
        venue.apply(
            .creditDeposit(
                CreditDeposit(
                    account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                    transactionHigh: 7, transactionLow: 1, output: 1, amount: Amount(units: 5))))
        #expect(venue.balance(Venue.ann, Venue.gold).available.units == before.available.units + 5)
        #expect(note() == .referenceDuplicate)
        #expect(note { $0.output = 2 } == .none)
    }

    @Test func `a network's terms are in their ranges`() {
        let vault = Vault()
        let wrong: [(Refusal, (inout SetNetwork) -> Void)] = [
            (.assetUnknown, { $0.asset = AssetID(9) }), (.nameInvalid, { $0.name = Text16() }),
            (.termsInvalid, { $0.network = NetworkID(0) }),
            (.termsInvalid, { $0.confirmations = 0 }),
            (.termsInvalid, { $0.approvals = Limits.approvalsMax + 1 }),
            (.termsInvalid, { $0.minimum.units = 0 }), (.termsInvalid, { $0.minimum.units = .max }),
            (.termsInvalid, { $0.fee.units = -1 }), (.termsInvalid, { $0.fee.units = .max }),
            (.termsInvalid, { $0.approvalsAbove.units = -1 }),
        ]
        for (refusal, change) in wrong {
            var terms = SetNetwork(
                asset: Venue.gold, network: NetworkID(1), confirmations: 1,
                minimum: Amount(units: 1), fee: .zero, name: Text16("GLD")!, audit: Venue.audit)
            change(&terms)
            #expect(vault.venue.apply(.setNetwork(terms)).refusal == refusal)
        }
        for number in 2...UInt16(Limits.networksMax) {
            vault.set { $0.network = NetworkID(number) }
        }
        let more = SetNetwork(
            asset: Venue.gold, network: NetworkID(999), confirmations: 1,
            minimum: Amount(units: 1), fee: .zero, name: Text16("GLD")!, audit: Venue.audit)
        #expect(vault.venue.apply(.setNetwork(more)).refusal == .tableFull)
    }

    /// What was credited before networks were named is not credited on one of them.
    @Test func `a credit counts over a change of the rules`() throws {
        let venue = Venue(rules: 1)
        func credit(_ network: UInt16) -> Refusal {
            let deposit = CreditDeposit(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(network),
                transactionHigh: 1, transactionLow: 2, output: 3, amount: Amount(units: 4))
            return venue.apply(.creditDeposit(deposit)).refusal
        }
        #expect(credit(1) == .malformed)
        #expect(credit(0) == .none)
        #expect(venue.apply(.setRules(SetRules(version: 2))).refusal == .none)
        let terms = SetNetwork(
            asset: Venue.gold, network: NetworkID(1), confirmations: 1,
            minimum: Amount(units: 1), fee: .zero, name: Text16("GLD")!, audit: Venue.audit)
        #expect(venue.apply(.setNetwork(terms)).refusal == .none)
        #expect(credit(1) == .referenceDuplicate)
        let note = NoteDeposit(
            account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
            transaction: TransactionID(high: 1, low: 2), output: 3, amount: Amount(units: 4),
            confirmations: 1, status: .pending)
        #expect(venue.apply(.noteDeposit(note)).refusal == .referenceDuplicate)
    }

    /// A log that began before custody goes on as it did until its rules are raised.
    @Test func `under older rules its commands are unknown`() throws {
        var engine = Engine(limits: .small, rulesKnown: SetRules.next)
        var sequence: UInt64 = 0
        func apply(_ command: Command) -> Refusal {
            sequence += 1
            let header = RecordHeader(sequence: sequence, timestamp: 1, kind: command.kind)
            if sequence % 2 == 0 { return engine.apply(header, command).refusal }
            return unsafe command.payload.recordBytes(header).withUnsafeBytes {
                unsafe engine.apply(record: $0).refusal
            }
        }
        #expect(
            apply(
                .genesis(
                    Genesis(
                        rules: 1, limits: .small, journalHigh: 1, journalLow: 2, hashKeyHigh: 3,
                        hashKeyLow: 4))) == .none)
        let stop = Command.stopWithdrawals(StopWithdrawals(asset: AssetID(1), reason: ""))
        for _ in 0..<2 { #expect(apply(stop) == .malformed) }
        #expect(apply(.setRules(SetRules(version: 2))) == .none)
        for _ in 0..<2 { #expect(apply(stop) == .assetUnknown) }
    }
}
