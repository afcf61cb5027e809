// Goal: the two sides of an asset agree at every record of a wallet's life, and each thing that is
// missing shows.

import Deposits
import Engine
import Nodes
import Payments
import Slabs
import Terms
import Testing
import Wire

@Suite struct ReconciliationTests {
    private func sides(_ venue: PaymentVenue) throws -> Reconciliation {
        let sides = Reconciliation(
            PaymentVenue.asset, venue.engine, holdings: { venue.table.coins($0)?.total })
        return try #require(sides)
    }

    @Test func `both sides agree at each step of a payment`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 500_000_000)
        try venue.deposit(2, 300_000_000)
        #expect(try sides(venue).custody == 800_000_000)
        #expect(try sides(venue).difference == 0)
        #expect(venue.withdraw(1, 120_000_000, to: 7).refusal == .none)
        #expect(try sides(venue).difference == 0)
        let payment = try venue.pay(venue.request())
        let signed = try sides(venue)
        #expect(signed.difference == 0)
        #expect(signed.owed == 800_000_000)
        try venue.settle(payment.transaction)
        let settled = try sides(venue)
        #expect(settled.difference == 0)
        #expect(settled.custody < 680_000_000)
        // The fee of the withdrawal is 1,000 base units, and the miner took as many or more.
        #expect(settled.ofHouse == 1_000 - (680_000_000 - settled.custody))
    }

    @Test func `a cost beyond the transaction's fee is missing, whoever books it`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 500_000_000)
        #expect(venue.withdraw(1, 120_000_000, to: 7).refusal == .none)
        let payment = try venue.pay(venue.request())
        let fee = try #require(
            venue.table.coins(PaymentVenue.network)?.payments[payment.transaction]?.fee)
        try venue.must(
            .settleTransaction(
                SettleTransaction(
                    transaction: payment.transaction, costAsset: PaymentVenue.asset,
                    cost: Amount(units: Int128(fee) + 77), block: 1)))
        var found = try sides(venue)
        #expect(found.difference == 77)
        found.overcharged = venue.table.overcharged[PaymentVenue.asset] ?? 0
        #expect(found.overcharged == 77 && found.difference == 0)
        // A thief who takes as much is seen.
        found.vanished = 77
        #expect(found.difference == -77)
        #expect(CoinTable(saved: venue.table.saved)?.overcharged == venue.table.overcharged)
    }

    @Test func `a booking by hand is missing on the chain, and one that takes out is too much`()
        throws
    {
        let venue = try PaymentVenue()
        try venue.deposit(1, 500_000_000)
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "by hand")
        func book(_ units: Int128, _ reference: String) throws {
            try venue.must(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(1), asset: PaymentVenue.asset,
                        amount: Amount(units: units), reference: try #require(Text64(reference)),
                        audit: audit)))
        }
        try book(25, "1")
        #expect(try sides(venue).difference == -25)
        var stated = try sides(venue)
        stated.elsewhere = 25
        #expect(stated.difference == 0)
        try book(-30, "2")
        #expect(try sides(venue).difference == 5)
    }

    @Test func `an asset with a chain that is not known is not compared`() throws {
        let venue = try PaymentVenue()
        let sides = Reconciliation(PaymentVenue.asset, venue.engine, holdings: { _ in nil })
        #expect(sides == nil)
    }

    @Test func `the reader keeps what blocks spend of coins and of deposits that wait`() {
        let chain = SimulatedChain()
        let node = SimulatedNode(chain, seed: 1)
        let terms = ReaderTerms(
            record: 1, firstBlock: 1, checkedHeight: 0, checkedBlock: .none, confirmations: 3,
            addresses: 1)
        let coin = TransactionID(high: 7, low: 7)
        let thief = TransactionID(high: 8, low: 8)
        let deposit = chain.payment([1], 50)
        let other = chain.payment([9], 60)
        func spend(_ transaction: TransactionID, _ index: UInt32) -> ChainSpend {
            ChainSpend(spender: thief, transaction: transaction, index: index)
        }
        chain.mine([deposit, other], spends: [spend(coin, 0), spend(coin, 1)])
        chain.mine([], spends: [spend(deposit.transaction, 0), spend(other.transaction, 0)])
        var reader = ChainReader()
        _ = reader.read(
            node, terms, account: { $0 == [1] ? AccountID(1) : nil },
            isCoin: { $0 == coin && $1 == 1 })
        #expect(reader.spends.map(\.spend) == [spend(coin, 1), spend(deposit.transaction, 0)])
        #expect(reader.spends.map(\.height) == [1, 2])
        chain.reorganise(depth: 2) { _ in false }
        _ = reader.read(
            node, terms, account: { $0 == [1] ? AccountID(1) : nil },
            isCoin: { $0 == coin && $1 == 1 })
        #expect(reader.spends.isEmpty)
    }
}
