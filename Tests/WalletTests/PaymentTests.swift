// Goal: the wallet and the signer know the wallet's coins by the log alone; what the signer signs
// pays exactly what the log says, whatever is changed of a request on its way.

import Addresses
import Engine
import Payments
import Slabs
import Terms
import Testing
import UTXO
import Wire

@Suite struct PaymentTests {
    @Test func `a withdrawal is planned, signed and settled, and the coins are what is left`()
        throws
    {
        let venue = try PaymentVenue()
        try venue.deposit(1, 300_000_000)
        #expect(venue.withdraw(1, 100_000_000, to: 9).refusal == .none)
        let payment = try venue.pay(try venue.request())
        let transaction = try UTXOTransaction(payment.bytes, on: venue.chain)
        #expect(transaction.id == payment.transaction)
        let coins = try #require(venue.table.coins(PaymentVenue.network))
        let open = try #require(coins.payments[payment.transaction])
        #expect(open.change != nil && open.fee > 0)
        #expect(coins.total == 300_000_000)
        #expect(coins.free.count == 1)
        try venue.settle(payment.transaction)
        let after = try #require(venue.table.coins(PaymentVenue.network))
        #expect(after.payments.isEmpty && after.coins.count == 1)
        #expect(after.total == 200_000_000 - Int128(open.fee))
        #expect(venue.engine.checkInvariants() == nil)
        #expect(try venue.proposal() == .nothing)
    }

    @Test func `what cannot be paid says why`() throws {
        let venue = try PaymentVenue()
        #expect(try venue.proposal() == .nothing)
        try venue.deposit(1, 100_000)
        #expect(venue.withdraw(1, 99_000, to: 9).refusal == .none)
        guard case .short(waiting: 1, let missing) = try venue.proposal(rate: 50_000) else {
            Issue.record("the fee is not there")
            return
        }
        #expect(missing > 0)
        try venue.deposit(2, 1_000_000)
        #expect(venue.withdraw(2, 10, to: 9).refusal == .none)
        let request = try venue.request()
        #expect(request.withdrawals == [WithdrawalID(1)])
        _ = try venue.pay(request)
        guard case .unpayable(WithdrawalID(2), let why) = try venue.proposal() else {
            Issue.record("dust is not paid")
            return
        }
        #expect(why.contains("relay"))
    }

    @Test func `one that is too large does not hold up the rest for ever`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 1_000_000)
        try venue.deposit(2, 1_000_000)
        for account in 1...2 as ClosedRange<UInt32> {
            #expect(venue.withdraw(account, 900_000, to: UInt8(account)).refusal == .none)
        }
        let first = try venue.request()
        #expect(first.withdrawals.count == 2)
        _ = try venue.pay(first)
        #expect(try venue.proposal() == .nothing)
    }

    /// A request, and the same with one thing changed.
    @Test func `nothing that is changed of a request is signed`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 50_000_000) }
        try venue.deposit(2, 80_000_000)
        for number in 1...3 as ClosedRange<UInt8> {
            #expect(venue.withdraw(1, 30_000_000 + Int64(number), to: number).refusal == .none)
        }
        let request = try venue.request()
        #expect(venue.refusal(request) == nil)
        let transaction = try UTXOTransaction(request.transaction, on: venue.chain)
        func changed(_ change: (inout UTXOTransaction) -> Void) -> SigningRequest {
            var (transaction, request) = (transaction, request)
            change(&transaction)
            request.transaction = transaction.bytes
            return request
        }
        let thief = [0x00, 0x14] + [UInt8](repeating: 0xEE, count: 20)
        for index in transaction.outputs.indices {
            #expect(venue.refusal(changed { $0.outputs[index].script = thief }) == .outputs)
            #expect(venue.refusal(changed { $0.outputs[index].script = [] }) == .outputs)
            let less = changed { $0.outputs[index].amount -= 1 }
            let own = try venue.table.coins(PaymentVenue.network)?.script(
                .change(of: request.withdrawals))
            let isChange = transaction.outputs[index].script == own
            #expect(venue.refusal(less) == (isChange ? nil : .outputs))
            let gone = changed { $0.outputs.remove(at: index) }
            #expect(venue.refusal(gone) == (isChange ? .fee : .outputs))
            let twice = changed { $0.outputs.append($0.outputs[index]) }
            #expect([.outputs, .coins].contains(venue.refusal(twice)))
        }
        let more = changed {
            $0.outputs.append(UTXOTransaction.TransactionOutput(amount: 1_000, script: thief))
        }
        #expect(venue.refusal(more) == .outputs)
        #expect(venue.refusal(changed { $0.inputs.append($0.inputs[0]) }) == .coins)
        #expect(
            venue.refusal(changed { $0.inputs[0].outPoint.output += 1 }) == .coins)
        #expect(venue.refusal(changed { $0.inputs[0].scriptSig = [1] }) == .malformed)
        #expect(
            venue.refusal(changed { $0.inputs[0].witness = [[1]] }) == .malformed)
        func asked(_ change: (inout SigningRequest) -> Void) -> SigningRefusal? {
            var request = request
            change(&request)
            return venue.refusal(request)
        }
        #expect(asked { $0.network = NetworkID(2) } == .otherKey)
        #expect(asked { $0.asset = AssetID(2) } == .notPayable)
        #expect(asked { $0.sequence += 1 } == .behind)
        #expect(asked { $0.withdrawals.removeLast() } == .outputs)
        #expect(asked { $0.withdrawals.append(WithdrawalID(99)) } == .notPayable)
        #expect(asked { $0.replaces = TransactionID(high: 1, low: 1) } == .notPayable)
        #expect(asked { $0.transaction.removeLast() } == .malformed)
        #expect(asked { $0.transaction = [] } == .malformed)
    }

    @Test func `the signer's key, stops, kills, refusals and spent coins are looked at`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 50_000_000)
        try venue.deposit(2, 50_000_000)
        #expect(venue.withdraw(1, 10_000_000, to: 1).refusal == .none)
        let request = try venue.request()
        let other = try testAccount(0)
        guard
            case .failure(let rejection) = ReviewedPayment.review(
                request, venue.engine, venue.table, key: other)
        else {
            Issue.record("another key signed")
            return
        }
        #expect(rejection.refusal == .otherKey)
        try venue.must(
            .stopWithdrawals(StopWithdrawals(asset: PaymentVenue.asset, reason: "test")))
        #expect(venue.refusal(request) == .notPayable)
        #expect(try venue.proposal() == .nothing)
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        try venue.must(
            .resumeWithdrawals(ResumeWithdrawals(asset: PaymentVenue.asset, audit: audit)))
        #expect(venue.refusal(request) == nil)
        _ = try venue.pay(request)
        // The same again: it is signed already. And for another withdrawal: the coins are spent.
        #expect(venue.refusal(request) == .notPayable)
        #expect(venue.withdraw(2, 10_000_000, to: 1).refusal == .none)
        var second = request
        second.withdrawals = [WithdrawalID(2)]
        #expect(venue.refusal(second) == .coins)
    }

    @Test func `what conflicts with an earlier transaction spends one of its coins`() throws {
        let venue = try PaymentVenue()
        let coins = try (0..<5).map { _ in try venue.deposit(1, 20_000_000) }
        #expect(venue.withdraw(1, 10_000_000, to: 1).refusal == .none)
        let small = coins[2]
        let earlier = EarlierTransaction(withdrawals: [WithdrawalID(1)], inputs: [small])
        // Two of the same coin are satisfied by it once; one of other withdrawals asks for nothing.
        let other = EarlierTransaction(
            withdrawals: [WithdrawalID(9)],
            inputs: [OutPoint(TransactionID(high: 99, low: 7), 0)])
        guard
            case .request(let request) = try venue.proposal(
                conflicts: [earlier, earlier, other])
        else {
            Issue.record("there are coins enough")
            return
        }
        let transaction = try UTXOTransaction(request.transaction, on: venue.chain)
        #expect(transaction.inputs.contains { $0.outPoint == small })
        #expect(venue.refusal(try venue.proved(request)) == nil)
    }

    @Test func `the change of a payment that was dropped is no coin, and not gone`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 20_000_000)
        #expect(venue.withdraw(1, 3_000_000, to: 1).refusal == .none)
        let payment = try venue.pay(try venue.request())
        func coins() throws -> ChainCoins {
            try #require(venue.table.coins(PaymentVenue.network))
        }
        let open = try #require(try coins().payments[payment.transaction])
        let change = OutPoint(payment.transaction, try #require(open.change))
        try venue.must(.dropTransaction(DropTransaction(transaction: payment.transaction)))
        #expect(try coins().coins[change] == nil && coins().isGone(change) == false)
        #expect(try coins().isFree(open.inputs[0]))
        let saved = try #require(CoinTable(saved: venue.table.saved))
        #expect(saved.coins(PaymentVenue.network)?.isGone(change) == false)
        // Signed again it is a coin again; once it is final, what it spent is gone.
        try venue.must(
            .signWithdrawals(
                SignWithdrawals(
                    asset: payment.asset, network: payment.network,
                    transaction: payment.transaction, withdrawals: payment.withdrawals,
                    bytes: payment.bytes)))
        #expect(try coins().coins[change] != nil)
        try venue.settle(payment.transaction)
        #expect(try coins().isGone(open.inputs[0]) && !coins().isGone(change))
    }

    @Test func `saved coins are the same, and bytes that are not saved coins are none`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<4 { try venue.deposit(1, 20_000_000) }
        #expect(venue.withdraw(1, 30_000_000, to: 1).refusal == .none)
        let payment = try venue.pay(try venue.request())
        let saved = venue.table.saved
        let again = try #require(CoinTable(saved: saved))
        #expect(again.saved == saved && again.sequence == venue.sequence)
        for count in 0..<saved.count { #expect(CoinTable(saved: Array(saved[..<count])) == nil) }
        var random = SplitMix64(seed: WalletFuzz.seed)
        for _ in 0..<1_000 { _ = CoinTable(saved: random.damaged(saved))?.saved }
        // It goes on as the other does.
        venue.table = again
        try venue.settle(payment.transaction)
        #expect(venue.table.coins(PaymentVenue.network)?.payments.isEmpty == true)
    }

    @Test func `a signer's table keeps no bytes of payments, and knows the same coins`() throws {
        let venues = try [true, false].map { try PaymentVenue(keepsBytes: $0) }
        for venue in venues {
            try venue.deposit(1, 50_000_000)
            #expect(venue.withdraw(1, 30_000_000, to: 1).refusal == .none)
            _ = try venue.pay(try venue.request())
        }
        let all = try venues.map {
            try #require($0.table.coins(PaymentVenue.network)?.payments.values.first)
        }
        #expect(!all[0].bytes.isEmpty && all[1].bytes.isEmpty)
        #expect(all[0].inputs == all[1].inputs && all[0].fee == all[1].fee)
        #expect(all[0].change == all[1].change)
        let small = try #require(CoinTable(saved: venues[1].table.saved, keepsBytes: false))
        #expect(small.saved == venues[1].table.saved)
        #expect(small.saved.count + all[0].bytes.count == venues[0].table.saved.count)
    }

    @Test func `requests and answers keep their values, and others are none`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 20_000_000)
        #expect(venue.withdraw(1, 3_000_000, to: 1).refusal == .none)
        let request = try venue.request()
        #expect(SigningRequest(request.json) == request)
        let answer = SigningAnswer.signed(try venue.sign(request))
        #expect(SigningAnswer(answer.json) == answer)
        for refusal in SigningRefusal.allCases {
            let answer = SigningAnswer.refused(refusal, "why")
            #expect(SigningAnswer(answer.json) == answer)
        }
        var many = request
        many.withdrawals = (1...UInt64(Limits.payeesMax) + 1).map { WithdrawalID($0) }
        #expect(SigningRequest(many.json) == nil)
        many.withdrawals = [WithdrawalID(2), WithdrawalID(1)]
        #expect(SigningRequest(many.json) == nil)
    }

    /// Random withdrawals, payments, settlements and drops, beside a list of what should be there.
    @Test func `coins are what deposits brought and payments left`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        for round in 0..<30 {
            let venue = try PaymentVenue()
            var (came, left, cost) = (Int128(0), Int128(0), Int128(0))
            var open: [(TransactionID, Int128)] = []
            for _ in 0..<60 {
                switch random.below(6) {
                case 0, 1:
                    let units = random.amount(1_000...50_000_000)
                    try venue.deposit(UInt32(1 + random.below(3)), units)
                    came += Int128(units)
                case 2, 3:
                    _ = venue.withdraw(
                        UInt32(1 + random.below(3)), random.amount(1...40_000_000),
                        to: UInt8(random.below(250)))
                case 4:
                    guard case .request(let request) = try venue.proposal(random.next()) else {
                        break
                    }
                    let paid = request.withdrawals.reduce(Int128(0)) {
                        $0 + (venue.engine.withdrawal($1)?.amount.units ?? 0)
                    }
                    open.append((try venue.pay(try venue.proved(request)).transaction, paid))
                default:
                    guard !open.isEmpty else { break }
                    let (id, paid) = open.remove(at: random.below(open.count))
                    let coins = try #require(venue.table.coins(PaymentVenue.network))
                    let payment = try #require(coins.payments[id])
                    // A parent is final before what spends its change.
                    guard payment.inputs.allSatisfy({ coins.payments[$0.transaction] == nil })
                    else {
                        open.append((id, paid))
                        break
                    }
                    cost += Int128(payment.fee)
                    left += paid
                    try venue.settle(id)
                }
                let coins = try #require(venue.table.coins(PaymentVenue.network))
                #expect(coins.total == came - left - cost, WalletFuzz.replay(round))
                #expect(venue.engine.checkInvariants() == nil)
            }
        }
    }
}
