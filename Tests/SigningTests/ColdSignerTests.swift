// Goal: what goes to cold storage that this host does not name itself counts as any payment does,
// and what was signed and lost is given again.

import Engine
import Payments
import Platform
import Signing
import Terms
import Testing
import UTXO
import Wire

@Suite struct ColdSignerTests {
    private static let address = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"

    private func world(
        ceiling: Int64 = 500_000_000, target: Int64 = 400_000_000
    ) throws -> (SignerVenue, SignerDirectory) {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let venue = try SignerVenue()
        setCold(venue, Self.address, ceiling: ceiling, target: target)
        return (venue, directory)
    }

    private func setCold(
        _ venue: SignerVenue, _ descriptor: String, ceiling: Int64 = 500_000_000,
        target: Int64 = 400_000_000
    ) {
        venue.apply(
            SetColdStorage(
                asset: venue.asset, network: venue.network,
                ceiling: Amount(units: Int128(ceiling)), target: Amount(units: Int128(target)),
                descriptor: descriptor,
                audit: Audit(operatorName: Text40("olga")!, reason: "test")))
    }

    private func signer(
        _ venue: SignerVenue, _ directory: SignerDirectory, limit: (String, String),
        isPinned: Bool = false
    ) throws -> PaymentSigner {
        let pins =
            try isPinned
            ? [ColdPin(asset: Text16("BTC")!, chain: Text40("bitcoin")!, Self.address)] : []
        let signer = PaymentSigner(
            try SignedList(directory.place), master: venue.master,
            limits: try SignerVenue.limits(limit), pins: pins)
        let now = SpendingMoment(host: 0, monotonic: 0)
        #expect(
            signer.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now) == nil)
        return signer
    }

    /// A transfer of these deposits to cold storage.
    private func request(
        _ venue: SignerVenue, from deposits: [Int], fee: Int64 = 1_000
    ) throws -> SigningRequest {
        let coins = try #require(venue.coins.coins(venue.network))
        let found = venue.engine.coldStorage(venue.asset, venue.network)
        let terms = try #require(found)
        let storage = try #require(coins.storage(named: terms.descriptor))
        let transaction = UTXOTransaction(
            inputs: deposits.map {
                UTXOTransaction.TransactionInput(
                    outPoint: OutPoint(venue.deposits[$0].id, 0), sequence: 0xFFFF_FFFD)
            },
            outputs: [
                UTXOTransaction.TransactionOutput(
                    amount: Int64(deposits.count) * SignerVenue.coin - fee,
                    script: try coins.nextScript(storage))
            ], lockTime: 0)
        return SigningRequest(
            network: venue.network, asset: venue.asset, sequence: venue.engine.sequence,
            withdrawals: [], transaction: transaction.bytes,
            previous: deposits.map { venue.deposits[$0].bytes })
    }

    @Test func `cold storage that the log alone names counts against the limit`() throws {
        let (venue, directory) = try world()
        // Half of it is for withdrawals.
        let signer = try signer(venue, directory, limit: ("5", "0"))
        #expect(venue.ask(signer, try request(venue, from: [0, 1])).payment != nil)
        #expect(venue.ask(signer, try request(venue, from: [2])).refusal == .aboveLimit)
        // So it is after a restart.
        let again = try self.signer(venue, directory, limit: ("5", "0"))
        #expect(venue.ask(again, try request(venue, from: [2])).refusal == .aboveLimit)
        let ids = venue.withdraw(1)
        #expect(venue.ask(again, try venue.request(ids, from: [2])).payment != nil)
    }

    @Test func `what refills is told from what never fits`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("3", "1"))
        #expect(venue.ask(signer, try request(venue, from: [0, 1])).refusal == .aboveLimit)
        #expect(venue.ask(signer, try request(venue, from: [0])).payment != nil)
        #expect(venue.ask(signer, try request(venue, from: [2])).refusal == .limit)
    }

    @Test func `a transfer that another host signed counts as its payments do`() throws {
        let (venue, directory) = try world()
        let first = try signer(venue, directory, limit: ("10", "0"))
        let other = try SignerDirectory()
        try other.place.begin()
        let second = try signer(venue, other, limit: ("5", "0"))
        let transfer = try #require(venue.ask(first, try request(venue, from: [0, 1])).payment)
        venue.log(transfer)
        venue.show(transfer, to: second)
        #expect(venue.ask(second, try request(venue, from: [2])).refusal == .aboveLimit)
        #expect(second.list.entries.map(\.counted) == [200_000_000])
    }

    @Test func `of cold storage that the host names only the fee counts`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("0.00002", "0"), isPinned: true)
        for deposit in [0, 1] {
            let payment = venue.ask(signer, try request(venue, from: [deposit])).payment
            venue.log(try #require(payment))
        }
        #expect(venue.ask(signer, try request(venue, from: [2])).refusal == .limit)
        #expect(signer.list.entries.map(\.counted) == [1_000, 1_000])
        // Another one is not it.
        let other = try self.signer(
            venue, directory, limit: ("0.5", "0"), isPinned: true)
        setCold(venue, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
        #expect(venue.ask(other, try request(venue, from: [2])).refusal == .aboveLimit)
    }

    @Test func `what never got into the log is given again for any of its coins`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("10", "0"))
        let first = try #require(venue.ask(signer, try request(venue, from: [0, 1])).payment)
        let again = try self.signer(venue, directory, limit: ("10", "0"))
        #expect(venue.ask(again, try request(venue, from: [1, 2], fee: 2_000)) == .signed(first))
        #expect(again.list.entries.count == 1)
        // In the log it is given as it is; dropped, another one may spend its coins.
        venue.log(first)
        #expect(venue.ask(again, try request(venue, from: [0, 1])) == .signed(first))
        venue.drop(first)
        let next = try #require(
            venue.ask(again, try request(venue, from: [0, 1], fee: 3_000)).payment)
        #expect(next.transaction != first.transaction && again.list.entries.count == 2)
        // It counts beside the first one, whose bytes somebody may have.
        #expect(again.list.entries.map(\.counted) == [200_000_000, 200_000_000])
        #expect(venue.ask(again, try request(venue, from: [0, 1])) == .signed(next))
    }

    @Test func `what may not be signed any more is not given`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("10", "0"))
        let request = try request(venue, from: [0, 1])
        let first = try #require(venue.ask(signer, request).payment)
        setCold(venue, "")
        #expect(venue.ask(signer, request).refusal == .outputs)
        setCold(venue, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
        let other = venue.ask(signer, try self.request(venue, from: [1, 2])).payment
        #expect(other != nil && other?.transaction != first.transaction)
    }

    @Test func `a coin is signed so often and no more`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("1000", "0"))
        for number in 0...Limits.replacementsMax {
            let asked = try request(venue, from: [0, 1], fee: 1_000 + Int64(number))
            let payment = try #require(venue.ask(signer, asked).payment)
            venue.log(payment)
            venue.drop(payment)
        }
        let last = try request(venue, from: [1], fee: 5_000)
        #expect(venue.ask(signer, last).refusal == .signedBefore)
    }

    @Test func `a transfer hinders neither payments nor a start`() throws {
        let (venue, directory) = try world()
        let signer = try signer(venue, directory, limit: ("10", "0"))
        let transfer = try #require(venue.ask(signer, try request(venue, from: [0])).payment)
        venue.log(transfer)
        // A list that lacks it begins, as the other host's does.
        let other = try SignerDirectory()
        try other.place.begin()
        let second = try self.signer(venue, other, limit: ("10", "0"))
        #expect(second.list.entries.isEmpty)
        let ids = venue.withdraw(1)
        #expect(venue.ask(second, try venue.request(ids, from: [1])).payment != nil)
        let others = venue.withdraw(1)
        #expect(venue.ask(second, try venue.request(others, from: [0])).refusal == .coins)
        // What it signed is dropped from the list once its coins are gone.
        venue.settle(transfer)
        let again = try self.signer(venue, directory, limit: ("10", "0"))
        #expect(again.list.entries.isEmpty)
    }
}
