// Goal: transfers are planned where the log says so and nobody waits, and the signer signs no other
// ones: to the wallet's own address, or to the next one of the cold storage that the log names.

import Addresses
import Engine
import Keys
import Payments
import Terms
import Testing
import UTXO
import Wire

@Suite struct TransferTests {
    private func venue() throws -> PaymentVenue {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 30_000_000) }
        try venue.setCold(try PaymentVenue.descriptor())
        return venue
    }

    private func transaction(_ request: SigningRequest, _ venue: PaymentVenue) throws
        -> UTXOTransaction
    {
        try UTXOTransaction(request.transaction, on: venue.chain)
    }

    private func words(_ proposal: TransferProposal) -> String? {
        if case .none(let words) = proposal { words } else { nil }
    }

    // MARK: Plans

    @Test func `the same state gives the same plan, of coins that a block has`() throws {
        let venue = try venue()
        let request = try venue.transferRequest()
        #expect(try venue.transferRequest() == request)
        // Change of a payment that no block has is not moved.
        #expect(venue.withdraw(1, 10_000_000, to: 1).refusal == .none)
        _ = try venue.pay(try venue.request())
        // Nor does it count before it is final, but what a block has of it may be spent.
        for _ in 0..<2 { try venue.deposit(1, 15_000_000) }
        let all = try #require(try? venue.transferRequest())
        let change = try venue.coins.payments.keys
        #expect(
            try transaction(all, venue).inputs.contains { change.contains($0.outPoint.transaction) }
        )
        if case .request(let some) = try venue.transfer(isInBlock: { _ in false }) {
            #expect(
                try !transaction(some, venue).inputs.contains {
                    change.contains($0.outPoint.transaction)
                })
        }
    }

    @Test func `stops, and a descriptor that nobody can read, leave coins where they are`() throws {
        let venue = try venue()
        try venue.setCold("wpkh(nonsense)")
        #expect(words(try venue.transfer())?.contains("descriptor") == true)
        try venue.setCold("")
        #expect(try venue.transfer() == .nothing)
        try venue.setCold(try PaymentVenue.descriptor())
        #expect(try venue.transfer() != .nothing)
        try venue.must(
            .stopWithdrawals(StopWithdrawals(asset: PaymentVenue.asset, reason: "test")))
        #expect(try venue.transfer() == .nothing)
    }

    @Test func `inputs are bounded, and what is left comes next`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<10 { try venue.deposit(1, 30_000_000) }
        try venue.setCold(try PaymentVenue.descriptor())
        guard case .request(let request) = try venue.transfer(inputsMax: 4) else {
            throw PaymentVenue.NoRequest()
        }
        let first = try transaction(request, venue)
        #expect(first.inputs.count == 4 && first.outputs.count == 1)
        let moved = try venue.pay(try venue.proved(request))
        try venue.settle(moved.transaction)
        let rest = try transaction(try venue.transferRequest(), venue)
        // 180,000,000 are left, of which 20,000,000 stay.
        #expect(rest.inputs.count == 6 && rest.outputs.count == 2)
    }

    @Test func `less than is worth it is not moved`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 30_000_000)
        try venue.setCold(try PaymentVenue.descriptor(), ceiling: 29_999_999, target: 29_999_999)
        #expect(try venue.transfer() == .nothing)
        try venue.deposit(1, 30_000_000)
        #expect(try venue.transfer() != .nothing)
    }

    @Test func `many small coins become one, while it is cheap`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 40_000_000)
        for number in 0..<9 { try venue.deposit(1, 100_000 + Int64(number)) }
        // Not worth its fee.
        try venue.deposit(1, 100)
        let terms = ConsolidationTerms(above: 8, feePerKilobyteMax: 5_000)
        #expect(try venue.transfer(rate: 5_001, merging: terms) == .nothing)
        #expect(
            try venue.transfer(merging: ConsolidationTerms(above: 11, feePerKilobyteMax: 5_000))
                == .nothing)
        let payment = try venue.pay(try venue.transferRequest(merging: terms))
        let merged = try UTXOTransaction(payment.bytes, on: venue.chain)
        #expect(merged.inputs.count == 8 && merged.outputs.count == 1)
        #expect(try merged.outputs[0].script == venue.coins.script(.change(of: [])))
        try venue.settle(payment.transaction)
        #expect(try venue.coins.coins.count == 4)
        #expect(try venue.coins.coins.values.map(\.amount).max() == 40_000_000)
        #expect(try venue.transfer(merging: terms) == .nothing)
    }

    @Test func `of many coins the smallest are merged, those beyond the largest too`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 40_000_000)
        for number in 0..<30 { try venue.deposit(1, 100_000 + Int64(number)) }
        let terms = ConsolidationTerms(above: 20, feePerKilobyteMax: 5_000)
        guard case .request(let request) = try venue.transfer(merging: terms, inputsMax: 5) else {
            throw PaymentVenue.NoRequest()
        }
        let known = try venue.coins
        let merged = try transaction(request, venue).inputs.compactMap { known.amount($0.outPoint) }
        #expect(merged.sorted() == (0..<5).map { 100_000 + $0 })
        // Those that a payment spends are not free.
        #expect(
            try venue.transfer(merging: ConsolidationTerms(above: 31, feePerKilobyteMax: 5_000))
                == .nothing)
    }

    @Test func `no more goes to cold storage than is asked for`() throws {
        let venue = try venue()
        func moved(_ most: Int64) throws -> TransferProposal {
            let conditions = PaymentConditions(
                feeRate: try #require(UTXOFeeRate(perKilobyte: 5_000)), seed: 0)
            let found = venue.engine.network(PaymentVenue.asset, PaymentVenue.network)
            return TransferProposal(
                try #require(found), venue.engine, venue.table, conditions, most: most,
                isInBlock: { _ in true })
        }
        guard case .request(let request) = try moved(1_000_000) else {
            throw PaymentVenue.NoRequest()
        }
        let made = try transaction(request, venue)
        let coin = try #require(
            try venue.coins.outputs(ofTransfer: made, id: made.id).cold?.coin)
        #expect(990_000...1_000_000 ~= coin.amount)
        // What is worth no transaction is said: it never moves.
        #expect(words(try moved(1_000))?.contains("limit") == true)
    }

    @Test func `cold storage with the wallet's own keys is none`() throws {
        let venue = try venue()
        let account = try venue.master.descendant(.hardened(84), .hardened(1), .hardened(0))
        let own = account.publicKey.text(isTest: true)
        let receiving = try account.publicKey.child(0).text(isTest: true)
        var all = ["wpkh(\(own)/0/*)", "wpkh(\(own)/1/*)", "wpkh(\(receiving)/*)"]
        for index in 1...3 as ClosedRange<UInt32> {
            let script = try venue.coins.script(CoinPlace(branch: .deposits, index: index))
            all.append(try #require(UTXODestination(script: script)).address(on: venue.chain))
        }
        let change = try venue.coins.script(.change(of: []))
        all.append(try #require(UTXODestination(script: change)).address(on: venue.chain))
        for text in all {
            try venue.setCold(text)
            #expect(try venue.coins.storages.count == 1, "\(text)")
            #expect(words(try venue.transfer())?.contains("own") == true, "\(text)")
        }
    }

    @Test func `what a transfer brought to cold storage is nobody's deposit`() throws {
        let venue = try venue()
        let payment = try venue.pay(try venue.transferRequest())
        let cold = try #require(try venue.coins.payments[payment.transaction]?.cold)
        let place = OutPoint(payment.transaction, cold.output)
        #expect(try venue.coins.isCold(place))
        let before = try venue.coins.coins.count
        try venue.must(
            .creditDeposit(
                CreditDeposit(
                    account: AccountID(1), asset: PaymentVenue.asset,
                    network: PaymentVenue.network, transactionHigh: payment.transaction.high,
                    transactionLow: payment.transaction.low, output: cold.output,
                    amount: Amount(units: Int128(cold.coin.amount)))))
        #expect(try venue.coins.coins.count == before)
    }

    // MARK: Reviews

    @Test func `nothing that is changed of a transfer is signed`() throws {
        let venue = try venue()
        let request = try venue.transferRequest()
        #expect(venue.refusal(request) == nil)
        let good = try transaction(request, venue)
        let cold = try #require(try venue.coins.storage(0)?.descriptor)
        func changed(_ change: (inout UTXOTransaction) throws -> Void) throws -> SigningRefusal? {
            var (made, bad) = (good, request)
            try change(&made)
            bad.transaction = made.bytes
            return venue.refusal(try venue.proved(bad))
        }
        let coldPlace = try #require(
            good.outputs.firstIndex { $0.script == (try? cold.script(0)) })
        // Another output, another index, another place of the wallet's own, and one more.
        let foreign = try UTXODestination("\(venue.address(3))", on: venue.chain).script
        let own = try venue.coins.script(.change(of: []))
        for script in [
            foreign, try cold.script(1), try venue.coins.script(.change(of: [WithdrawalID(1)])),
            try venue.coins.script(CoinPlace(branch: .deposits, index: 1)),
        ] {
            #expect(try changed { $0.outputs[coldPlace].script = script } == .outputs)
            #expect(
                try changed {
                    $0.outputs[coldPlace].amount -= 10_000
                    $0.outputs.append(
                        UTXOTransaction.TransactionOutput(amount: 10_000, script: script))
                } == .outputs)
        }
        for script in [own, try cold.script(0)] {
            #expect(
                try changed {
                    $0.outputs[coldPlace].amount -= 10_000
                    $0.outputs.append(
                        UTXOTransaction.TransactionOutput(amount: 10_000, script: script))
                } == .outputs)
        }
        // A foreign coin, a coin twice, a fee that is none or too high.
        #expect(
            try changed { $0.inputs[0].outPoint = OutPoint(TransactionID(high: 1, low: 2), 0) }
                == .coins)
        #expect(try changed { $0.inputs.append($0.inputs[0]) } != nil)
        #expect(try changed { $0.outputs[coldPlace].amount -= 10_000_000 } == .fee)
        #expect(
            try changed { made in
                let paid = made.outputs.reduce(0) { $0 + $1.amount }
                made.outputs[coldPlace].amount += 90_000_000 - paid
            } == .fee)
        // More than is above the target; no proof; not the wallet's form.
        #expect(
            try changed { made in
                let fee = 90_000_000 - made.outputs.reduce(0) { $0 + $1.amount }
                made.outputs = [
                    UTXOTransaction.TransactionOutput(
                        amount: 90_000_000 - fee, script: try cold.script(0))
                ]
            } == .notPayable)
        var unproved = request
        unproved.previous = []
        #expect(venue.refusal(unproved) == .unproved)
        #expect(try changed { $0.lockTime = 1 } == .malformed)
        var replacing = request
        replacing.replaces = TransactionID(high: 1, low: 1)
        #expect(venue.refusal(replacing) == .malformed)
    }

    @Test func `what the log names no more, or is within its band, is not signed for`() throws {
        let venue = try venue()
        let request = try venue.transferRequest()
        try venue.setCold(try PaymentVenue.descriptor(1))
        #expect(venue.refusal(request) == .outputs)
        try venue.setCold(try PaymentVenue.descriptor(), ceiling: 90_000_000, target: 0)
        #expect(venue.refusal(request) == .notPayable)
        try venue.setCold("")
        #expect(venue.refusal(request) == .outputs)
        try venue.setCold(try PaymentVenue.descriptor())
        #expect(venue.refusal(request) == nil)
        // Another payment has its coins, or withdrawals are stopped.
        #expect(venue.withdraw(1, 60_000_000, to: 1).refusal == .none)
        _ = try venue.pay(try venue.request())
        #expect(venue.refusal(request) == .coins)
        try venue.must(
            .stopWithdrawals(StopWithdrawals(asset: PaymentVenue.asset, reason: "test")))
        #expect(venue.refusal(request) == .notPayable)
    }

    @Test func `what goes to cold storage leaves, unless the host names it itself`() throws {
        let venue = try venue()
        let request = try venue.transferRequest()
        let all = try transaction(request, venue)
        let cold = try #require(try venue.coins.storage(0)?.descriptor)
        let moved = all.outputs.first { $0.script == (try? cold.script(0)) }?.amount ?? 0
        let fee = 90_000_000 - all.outputs.reduce(0) { $0 + $1.amount }
        func leaving(_ pins: [ColdPin]) throws -> Int64 {
            try ReviewedPayment.review(
                request, venue.engine, venue.table, key: venue.master, pins: pins
            ).get().leaving
        }
        func pin(
            _ asset: String = "LTC", _ chain: String = "litecoin-regtest", _ account: UInt32 = 0
        ) throws -> ColdPin {
            try ColdPin(
                asset: try #require(Text16(asset)), chain: try #require(Text40(chain)),
                try PaymentVenue.descriptor(account))
        }
        #expect(moved > 0 && fee > 0)
        #expect(try leaving([]) == moved + fee)
        #expect(try leaving([pin()]) == fee)
        #expect(
            try leaving([
                pin("BTC"), pin("LTC", "litecoin-test"), pin("LTC", "litecoin-regtest", 1),
            ])
                == moved + fee)
        #expect(throws: ColdPinError.self) { _ = try pin("LTC", "dogecoin") }
        let merging = ConsolidationTerms(above: 1, feePerKilobyteMax: 5_000)
        try venue.setCold("")
        let merged = try venue.transferRequest(merging: merging)
        let reviewed = try venue.review(merged).get()
        let paid = try transaction(merged, venue).outputs.reduce(0) { $0 + $1.amount }
        #expect(reviewed.leaving == Int64(reviewed.inputs.count) * 30_000_000 - paid)
    }

    @Test func `change that is not final does not raise what is above the ceiling`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 60_000_000)
        try venue.deposit(1, 30_000_000)
        try venue.setCold(try PaymentVenue.descriptor())
        let request = try venue.transferRequest()
        #expect(venue.refusal(request) == nil)
        #expect(venue.withdraw(1, 45_000_000, to: 1).refusal == .none)
        let payment = try venue.pay(try venue.request())
        // 45,000,000 are left, of which the change is not there yet.
        #expect(try venue.coins.settledFree <= 30_000_000)
        #expect(try venue.transfer() == .nothing)
        try venue.settle(payment.transaction)
        try venue.deposit(1, 10_000_000)
        #expect(try venue.transfer() != .nothing)
    }

    @Test func `a payment's replacement may be no transfer, and a merge needs two coins`() throws {
        let venue = try venue()
        let coin = try #require(try venue.coins.free.map(\.outPoint).min())
        let own = try venue.coins.script(.change(of: []))
        let made = venue.transaction([coin], [(29_999_000, own)])
        let request = SigningRequest(
            network: PaymentVenue.network, asset: PaymentVenue.asset, sequence: venue.sequence,
            withdrawals: [], transaction: made.bytes)
        #expect(venue.refusal(try venue.proved(request)) == .outputs)
    }
}
