// Goal: the wallet moves its own coins by the log as well, and no move of them pays, ends or holds
// up what customers asked for. Before rules 3 there were none.

import Engine
import Terms
import Testing
import Wire

@Suite struct TransferTests {
    private let venue = Venue()

    init() throws {
        for (asset, network) in [(Venue.gold, 1), (Venue.dollar, 1), (Venue.gold, 2)] {
            try set(asset, UInt16(network))
        }
    }

    private func set(
        _ asset: AssetID, _ network: UInt16, takesWithdrawals: Bool = true
    ) throws {
        let terms = SetNetwork(
            asset: asset, network: NetworkID(network), takesWithdrawals: takesWithdrawals,
            confirmations: 2, minimum: Amount(units: 10), fee: Amount(units: 3),
            name: try #require(Text16("CHAIN")), audit: Venue.audit)
        #expect(venue.apply(.setNetwork(terms)).refusal == .none)
    }

    private static func id(_ number: UInt128) -> TransactionID {
        number == 0 ? .none : TransactionID(high: 7, low: number)
    }

    private func sign(
        _ number: UInt128, _ ids: [UInt64] = [], replaces: UInt128 = 0,
        _ change: (inout SignWithdrawals) -> Void = { _ in }
    ) -> Refusal {
        var payment = SignWithdrawals(
            asset: Venue.gold, network: NetworkID(1), transaction: Self.id(number),
            replaces: Self.id(replaces), withdrawals: ids.map { WithdrawalID($0) }, bytes: [1])
        change(&payment)
        return venue.apply(.signWithdrawals(payment)).refusal
    }

    private func settle(_ number: UInt128, cost: Int128 = 0) -> Outcome {
        venue.apply(
            .settleTransaction(
                SettleTransaction(
                    transaction: Self.id(number), costAsset: Venue.gold,
                    cost: Amount(units: cost), block: 9)))
    }

    private func drop(_ number: UInt128) -> Refusal {
        venue.apply(.dropTransaction(DropTransaction(transaction: Self.id(number)))).refusal
    }

    private func request() throws -> UInt64 {
        venue.apply(
            .requestWithdrawal(
                RequestWithdrawal(
                    account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                    amount: Amount(units: 50), address: try #require(Text64("gld1qplace")),
                    requester: try #require(Text40("ops"))))
        ).id
    }

    private var open: [UInt128] {
        var ids: [UInt128] = []
        venue.engine.forEachPayment { ids.append($0.id.low) }
        return ids.sorted()
    }

    @Test func `a transfer is open until it settles, and costs the house`() {
        #expect(sign(1) == .none)
        #expect(venue.events.count == 1)
        let view = venue.engine.payment(Self.id(1))
        #expect(view?.isTransfer == true && view?.network == NetworkID(1))
        #expect(settle(1, cost: 4) == Outcome(id: 0))
        #expect(venue.events.count == 1)
        let house = venue.house(Venue.gold)
        #expect(house.chain.units == -4 && house.inTransit == .zero && house.fees == .zero)
        #expect(house.external.units == -3_000_000 + 4)
        #expect(settle(1).refusal == .transactionUnknown)
        #expect(sign(1) == .referenceDuplicate, "its chain has it")
        #expect(sign(1) { $0.network = NetworkID(2) } == .none, "another chain does not")
        #expect(drop(1) == .none && drop(1) == .transactionUnknown)
        #expect(sign(1) { $0.network = NetworkID(2) } == .none, "what was dropped may come again")
    }

    @Test func `each reason to refuse a transfer, in order`() throws {
        #expect(try request() == 1 && sign(9, [1]) == .none)
        #expect(sign(1) == .none)
        #expect(sign(0) { $0.asset = AssetID(9) } == .assetUnknown)
        #expect(sign(0) { $0.network = NetworkID(9) } == .networkUnknown)
        #expect(
            sign(2) { ($0.asset, $0.network) = (Venue.dollar, NetworkID(2)) } == .networkUnknown)
        #expect(sign(0, replaces: 5) == .termsInvalid)
        #expect(sign(1) { $0.bytes = [] } == .termsInvalid)
        #expect(sign(1, replaces: 5) == .referenceDuplicate)
        #expect(sign(2, replaces: 5) == .transactionUnknown)
        #expect(sign(2, replaces: 9) == .termsInvalid, "a payment is no transfer")
        #expect(sign(2, [1], replaces: 1) == .termsInvalid, "nor the other way round")
        #expect(sign(2, replaces: 1) { $0.network = NetworkID(2) } == .termsInvalid)
        #expect(sign(2, replaces: 1) { $0.asset = Venue.dollar } == .none, "of any asset there")
        #expect(open == [1, 2, 9])
    }

    @Test func `a transfer ends alone`() throws {
        #expect(try request() == 1 && sign(9, [1]) == .none)
        #expect(sign(1) == .none && sign(2) == .none && sign(3, replaces: 2) == .none)
        #expect(settle(2).refusal == .none)
        #expect(open == [1, 3, 9], "what replaced it is dropped apart")
        #expect(drop(3) == .none && drop(1) == .none)
        #expect(settle(9).id == 1 && open.isEmpty)
        // Nor does a payment that settles end a transfer.
        #expect(try request() == 2 && sign(10, [2]) == .none && sign(4) == .none)
        #expect(settle(10).id == 1 && open == [4])
    }

    @Test func `what stops withdrawals does not hold the wallet's own`() throws {
        try set(Venue.gold, 1, takesWithdrawals: false)
        let stop = StopWithdrawals(asset: Venue.gold, reason: "it differs")
        #expect(venue.apply(.stopWithdrawals(stop)).refusal == .none)
        #expect(
            venue.apply(
                .setKillSwitch(SetKillSwitch(account: AccountID(0), isOn: true, audit: Venue.audit))
            ).refusal == .none)
        #expect(sign(1) == .none, "to cold storage above all")
    }

    @Test func `transfers leave room for payments`() throws {
        #expect(try request() == 1)
        for n in 1...UInt128(Limits.transfersMax) {
            #expect(sign(n, replaces: n % 2 == 0 ? n - 1 : 0) == .none)
        }
        #expect(sign(5_000) == .tableFull && sign(5_000, replaces: 1) == .tableFull)
        #expect(sign(5_000, [1]) == .none)
        #expect(drop(7) == .none && sign(7) == .none)
    }

    /// Byte for byte what a program before rules 3 made of it.
    @Test(arguments: [1, 2] as [UInt32])
    func `under older rules a payment of nothing is malformed`(_ rules: UInt32) throws {
        var now = Engine(limits: .small, rulesKnown: SetRules.next)
        var before = Engine(limits: .small, rulesKnown: SetRules.next)
        let genesis = Genesis(
            rules: rules, limits: .small, journalHigh: 1, journalLow: 2, hashKeyHigh: 3,
            hashKeyLow: 4)
        let transfer = SignWithdrawals(
            asset: AssetID(1), network: NetworkID(1), transaction: Self.id(1), withdrawals: [],
            bytes: [1])
        let commands: [any CommandPayload] = [genesis, transfer, transfer]
        for (n, command) in commands.enumerated() {
            let header = RecordHeader(
                sequence: UInt64(n + 1), timestamp: 1, kind: type(of: command).kind)
            var bytes = command.recordBytes(header)
            let outcome = unsafe bytes.withUnsafeBytes { unsafe now.apply(record: $0) }
            // Nothing that decodes: what its kind's bytes were to it.
            if n > 0 { bytes[40] = 0xEE }
            let expected = unsafe bytes.withUnsafeBytes { unsafe before.apply(record: $0) }
            #expect(outcome == expected && outcome.refusal == (n > 0 ? .malformed : .none))
        }
        let hashes = (now.eventHash, before.eventHash, now.stateHash(), before.stateHash())
        #expect(hashes.0 == hashes.1 && hashes.2 == hashes.3)
        let header = RecordHeader(sequence: 4, timestamp: 1, kind: .signWithdrawals)
        #expect(now.apply(header, .signWithdrawals(transfer)).refusal == .malformed)
        let raise = RecordHeader(sequence: 5, timestamp: 1, kind: .setRules)
        #expect(now.apply(raise, .setRules(SetRules(version: 3))).refusal == .none)
        let again = RecordHeader(sequence: 6, timestamp: 1, kind: .signWithdrawals)
        #expect(now.apply(again, .signWithdrawals(transfer)).refusal == .assetUnknown)
    }
}
