// Goal: a payment that waits for too long is replaced by one that pays the same for more, which can
// never be final beside it; whichever is final settles both.

import Addresses
import Engine
import Payments
import Terms
import Testing
import UTXO
import Wire

@Suite struct BumpTests {
    private func bump(
        _ venue: PaymentVenue, _ payment: TransactionID, rate: Int64 = 1_000,
        absent: Set<OutPoint> = [], isInBlock: (TransactionID) -> Bool = { _ in false }
    ) throws -> BumpProposal {
        var conditions = PaymentConditions(
            feeRate: try #require(UTXOFeeRate(perKilobyte: rate)), seed: 1)
        conditions.absent = absent
        return BumpProposal(
            payment, PaymentVenue.network, try coins(venue), sequence: venue.sequence, conditions,
            relayFee: try #require(UTXOFeeRate(perKilobyte: 1_000)), isInBlock: isInBlock)
    }

    private func coins(_ venue: PaymentVenue) throws -> ChainCoins {
        try #require(venue.table.coins(PaymentVenue.network))
    }

    private func request(_ venue: PaymentVenue, _ proposal: BumpProposal) throws -> SigningRequest {
        guard case .request(let request) = proposal else { throw PaymentVenue.NoRequest() }
        return try venue.proved(request)
    }

    private func why(_ proposal: BumpProposal) -> String? {
        if case .none(let why) = proposal { why } else { nil }
    }

    private func venue() throws -> (PaymentVenue, SignedPayment) {
        let venue = try PaymentVenue()
        try venue.deposit(1, 50_000_000)
        try venue.deposit(2, 50_000_000)
        #expect(venue.withdraw(1, 20_000_000, to: 1).refusal == .none)
        #expect(venue.withdraw(2, 10_000_000, to: 2).refusal == .none)
        return (venue, try venue.pay(try venue.request()))
    }

    @Test(arguments: [0, 1, 2]) func `whichever is final settles all`(final: Int) throws {
        let (venue, first) = try venue()
        var payments = [first]
        for _ in 0..<2 {
            let last = try #require(payments.last)
            let old = try UTXOTransaction(last.bytes, on: venue.chain)
            let before = try #require(try coins(venue).payments[last.transaction])
            let request = try request(venue, try bump(venue, last.transaction))
            #expect(request.replaces == last.transaction)
            #expect(request.withdrawals == last.withdrawals)
            let payment = try venue.pay(request)
            payments.append(payment)
            let new = try UTXOTransaction(payment.bytes, on: venue.chain)
            let after = try #require(try coins(venue).payments[payment.transaction])
            // BIP125: rules 2, 3 and 4, and a higher rate.
            #expect(Set(new.inputs.map(\.outPoint)).isSuperset(of: old.inputs.map(\.outPoint)))
            #expect(after.fee >= before.fee + Int64(new.virtualSize))
            #expect(after.fee * Int64(old.virtualSize) > before.fee * Int64(new.virtualSize))
            #expect(after.time > before.time)
            func payees(_ transaction: UTXOTransaction, _ change: UInt32?) -> Set<Int64> {
                Set(
                    transaction.outputs.enumerated()
                        .filter { UInt32($0.offset) != change }.map(\.element.amount))
            }
            #expect(payees(old, before.change) == payees(new, after.change))
        }
        let saved = try #require(CoinTable(saved: venue.table.saved))
        #expect(saved.saved == venue.table.saved)
        let settled = payments[final]
        let fee = try #require(try coins(venue).payments[settled.transaction]?.fee)
        try venue.settle(settled.transaction)
        let left = try coins(venue)
        #expect(left.payments.isEmpty && left.total == 70_000_000 - Int128(fee))
        #expect(left.free.count == left.coins.count)
        #expect(venue.engine.checkInvariants() == nil)
        #expect(why(try bump(venue, first.transaction)) == "it is not open any more")
    }

    @Test func `change that is used up asks for another coin, which is in a block`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 20_000_000)
        #expect(venue.withdraw(1, 19_990_000, to: 1).refusal == .none)
        let first = try venue.pay(try venue.request())
        let inputs = try #require(try coins(venue).payments[first.transaction]).inputs
        guard case .none(let missing) = try bump(venue, first.transaction, rate: 400_000) else {
            Issue.record("there is nothing to pay it from")
            return
        }
        #expect(missing.contains("missing"))
        let coin = try venue.deposit(2, 30_000_000)
        #expect(why(try bump(venue, first.transaction, rate: 400_000, absent: [coin])) == missing)
        let request = try request(venue, try bump(venue, first.transaction, rate: 400_000))
        let transaction = try UTXOTransaction(request.transaction, on: venue.chain)
        #expect(Set(transaction.inputs.map(\.outPoint)) == Set(inputs + [coin]))
        #expect(venue.refusal(request) == nil)
        // The change of a payment that no block has is not added (rule 2).
        #expect(venue.withdraw(2, 1_000_000, to: 3).refusal == .none)
        let second = try venue.pay(try venue.request { $0 != first.transaction })
        #expect(why(try bump(venue, first.transaction, rate: 400_000)) == missing)
        let later = try bump(venue, first.transaction, rate: 400_000) { $0 == second.transaction }
        #expect(why(later) == nil)
    }

    @Test func `a payment whose change another one spends is not replaced`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 50_000_000)
        #expect(venue.withdraw(1, 20_000_000, to: 1).refusal == .none)
        let first = try venue.pay(try venue.request())
        #expect(why(try bump(venue, first.transaction)) == nil)
        // There is no other coin.
        #expect(venue.withdraw(1, 5_000_000, to: 4).refusal == .none)
        _ = try venue.pay(try venue.request())
        #expect(
            why(try bump(venue, first.transaction)) == "another payment spends its change already")
    }

    @Test func `replacements are bounded in number and in what they cost`() throws {
        let (venue, first) = try venue()
        var last = first
        for _ in 0..<Limits.replacementsMax {
            last = try venue.pay(try request(venue, try bump(venue, last.transaction)))
        }
        let none = try bump(venue, last.transaction)
        #expect(why(none)?.contains("\(Limits.replacementsMax) times") == true)
        #expect(try coins(venue).payments.count == Limits.replacementsMax + 1)
        let (other, dear) = try self.venue()
        let top = try request(
            other, try bump(other, dear.transaction, rate: PaymentProposal.feePerKilobyteMax))
        let paid = try other.pay(top)
        let above = try bump(other, paid.transaction, rate: UTXOFeeRate.maximum)
        #expect(why(above)?.contains("at most") == true)
    }

    @Test func `a replacement that shares no coin with each before it is not signed`() throws {
        let (venue, first) = try venue()
        let request = try request(venue, try bump(venue, first.transaction))
        var transaction = try UTXOTransaction(request.transaction, on: venue.chain)
        let coin = try venue.deposit(3, 40_000_000)
        transaction.inputs = [
            UTXOTransaction.TransactionInput(outPoint: coin, sequence: PaymentPlan.replaceable)
        ]
        var other = request
        other.transaction = transaction.bytes
        #expect(venue.refusal(try venue.proved(other)) == .coins)
        // Nor one that spends what the replaced payment would give back.
        let change = try #require(try coins(venue).payments[first.transaction]?.change)
        var own = request
        transaction = try UTXOTransaction(request.transaction, on: venue.chain)
        transaction.inputs.append(
            UTXOTransaction.TransactionInput(
                outPoint: OutPoint(first.transaction, change), sequence: PaymentPlan.replaceable))
        own.transaction = transaction.bytes
        #expect(venue.refusal(try venue.proved(own)) == .coins)
    }
}
