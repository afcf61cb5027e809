// Goal: a signer signs what the log says is to be paid, once, and no more than its limit; whenever
// it or its wallet dies.

import Payments
import Platform
import Signing
import Terms
import Testing
import UTXO
import Wire

@Suite struct PaymentSignerTests {
    private let hour: Int64 = 3_600_000_000_000

    private func world() throws -> (SignerVenue, SignerDirectory) {
        let directory = try SignerDirectory()
        try directory.place.begin()
        return (try SignerVenue(), directory)
    }

    @Test func `a payment that is lost before it is in the log is given again`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let request = try venue.request(ids, from: [0])
        let first = try #require(venue.ask(try venue.signer(directory), request).payment)
        #expect(first.withdrawals == ids)
        // The wallet forgot it, the signer started again, and others coins are chosen.
        let again = try venue.signer(directory)
        #expect(venue.ask(again, try venue.request(ids, from: [1])) == .signed(first))
        #expect(venue.ask(again, request) == .signed(first))
        #expect(again.list.entries.count == 1)
        // With one of its coins both cannot be final.
        let bump = venue.ask(again, try venue.request(ids, from: [0, 1], fee: 2_000)).payment
        #expect(bump != nil && bump != first)
        // In the log, it is given as it is.
        venue.log(first)
        #expect(venue.ask(again, request) == .signed(first))
    }

    @Test func `what is not proved is not signed, and what was signed needs no proof`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let signer = try venue.signer(directory)
        var request = try venue.request(ids, from: [0])
        let previous = request.previous
        request.previous = []
        #expect(venue.ask(signer, request).refusal == .unproved)
        #expect(signer.list.entries.isEmpty)
        request.previous = previous
        let payment = try #require(venue.ask(signer, request).payment)
        request.previous = []
        #expect(venue.ask(signer, request) == .signed(payment))
    }

    @Test func `what was signed is not given where it may not be paid any more`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let signer = try venue.signer(directory)
        let request = try venue.request(ids, from: [0])
        #expect(venue.ask(signer, request).payment != nil)
        venue.apply(StopWithdrawals(asset: venue.asset, reason: "test"))
        #expect(venue.ask(signer, request).refusal == .notPayable)
    }

    @Test func `the limit holds over restarts, and refills with time`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(4)
        var signer = try venue.signer(directory)
        for number in 0..<2 {
            let request = try venue.request([ids[number]], from: [number])
            #expect(venue.ask(signer, request).payment != nil)
        }
        let third = try venue.request([ids[2]], from: [2])
        for _ in 0..<3 {
            #expect(venue.ask(signer, third).refusal == .limit)
            signer = try venue.signer(directory)
        }
        // 0.20002 of 0.25 are used: 0.05003 have to come back, at 0.1 an hour.
        #expect(venue.ask(signer, third, host: hour / 2).refusal == .limit)
        #expect(venue.ask(signer, third, host: hour / 2 + hour / 1_000).payment != nil)
        let all = try venue.request([ids[3]], from: [3])
        #expect(venue.ask(try venue.signer(directory, limit: ("0.05", "1")), all).refusal == .limit)
    }

    @Test func `a replacement counts what it pays more`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory, limit: ("0.2001", "0"))
        let first = try #require(
            venue.ask(signer, try venue.request(ids, from: [0], fee: 1_000)).payment)
        venue.log(first)
        let bump = try venue.request(
            ids, from: [0], fee: 10_000, replaces: first.transaction)
        #expect(venue.ask(signer, bump).payment?.replaces == first.transaction)
        #expect(signer.list.entries.map(\.counted) == [20_001_000, 9_000])
        let more = try venue.request(ids, from: [0], fee: 10_001, replaces: first.transaction)
        #expect(venue.ask(signer, more).refusal == .limit)
    }

    @Test func `a chain without a limit is not signed for`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let signer = PaymentSigner(
            try SignedList(directory.place), master: venue.master, limits: [])
        #expect(venue.ask(signer, try venue.request(ids, from: [0])).refusal == .behind)
        let now = SpendingMoment(host: 0, monotonic: 0)
        let why = signer.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now)
        #expect(why == nil)
        #expect(venue.ask(signer, try venue.request(ids, from: [0])).refusal == .limit)
        #expect(signer.list.entries.isEmpty)
    }

    @Test(arguments: [("BTC", 0, 1), ("BTC", 1, 7), ("LTC", 0, 1)])
    func `no log has a limit of its own`(code: String, others: Int, network: UInt16) throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory, limit: ("0.25", "0"))
        for number in 0..<2 {
            let request = try venue.request([ids[number]], from: [number])
            #expect(venue.ask(signer, request).payment != nil)
        }
        // Another asset, or another number of it, on the same chain.
        let forged = try SignerVenue(code: code, others: others, network: NetworkID(network))
        let more = forged.withdraw(3)
        let again = try forged.signer(directory, limit: ("0.25", "0"))
        #expect(forged.ask(again, try forged.request([more[2]], from: [2])).refusal == .limit)
        #expect(again.list.entries.map(\.counted) == [10_001_000, 10_001_000])
    }

    @Test func `what was signed with one that is cancelled since blocks nobody`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(3)
        let signer = try venue.signer(directory, limit: ("10", "0"))
        let first = try #require(
            venue.ask(signer, try venue.request([ids[0], ids[1]], from: [0, 1])).payment)
        venue.cancel(ids[0])
        let other = try venue.request([ids[1]], from: [2])
        #expect(venue.ask(signer, other) == .earlier([first]))
        let second = try #require(
            venue.ask(signer, try venue.request([ids[1]], from: [1])).payment)
        // One of a set that was cancelled as a whole is not payable, as ever.
        #expect(venue.ask(signer, try venue.request([ids[0]], from: [0])).refusal == .notPayable)
        // Both in the order of their signing, where the second cannot be given either.
        venue.log(
            try #require(venue.ask(signer, try venue.request([ids[2]], from: [1, 3])).payment))
        #expect(venue.ask(signer, other) == .earlier([first, second]))
    }

    @Test func `what can never be final demands nothing, and has counted`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(3)
        let signer = try venue.signer(directory, limit: ("0.5", "0"))
        let first = try #require(
            venue.ask(signer, try venue.request([ids[0], ids[1]], from: [0])).payment)
        venue.cancel(ids[0])
        let other = try #require(
            venue.ask(signer, try venue.request([ids[2]], from: [0])).payment)
        venue.log(other)
        #expect(venue.ask(signer, try venue.request([ids[1]], from: [1])).earlier == [first])
        venue.settle(other)
        let request = try venue.request([ids[1]], from: [1])
        #expect(venue.ask(signer, request).payment?.withdrawals == [ids[1]])
        #expect(signer.list.entries.map(\.counted) == [20_001_000, 10_001_000, 10_001_000])
    }

    @Test func `what spends the change of a dropped payment can be final all the same`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory, limit: ("10", "0"))
        let parent = try #require(
            venue.ask(signer, try venue.request([ids[0]], from: [0])).payment)
        venue.log(parent)
        let child = try #require(
            venue.ask(
                signer,
                try venue.request(
                    [ids[1]], spending: [OutPoint(parent.transaction, 1)],
                    of: SignerVenue.coin - 10_001_000)
            ).payment)
        venue.log(child)
        venue.drop(child)
        venue.drop(parent)
        // Somebody may have the bytes of both, and the parent may be given again.
        #expect(venue.ask(signer, try venue.request([ids[1]], from: [1])) == .earlier([child]))
        #expect(venue.ask(signer, try venue.request([ids[0]], from: [0])).payment == parent)
    }

    @Test func `a withdrawal is signed so often and no more`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory, limit: ("10", "0"))
        var last: SignedPayment?
        for number in 0...Limits.replacementsMax {
            let request = try venue.request(ids, from: [0], fee: 1_000 + Int64(number))
            let payment = try #require(venue.ask(signer, request).payment)
            #expect(payment != last)
            last = payment
        }
        #expect(signer.list.entries.count == 16)
        let further = try venue.request(ids, from: [0], fee: 2_000)
        #expect(venue.ask(signer, further).payment == last)
        venue.cancel(ids[0])
        let alone = try venue.request([ids[1]], from: [0])
        #expect(venue.ask(signer, alone).refusal == .signedBefore)
        #expect(signer.list.entries.count == 16)
    }

    @Test func `a full list signs nothing until something in it is closed`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory)
        func entry(_ number: Int, bytes: Int) -> SignedEntry {
            .numbered(number, paying: [Int(ids[0].number)], from: [9], bytes: bytes)
        }
        let list = signer.list
        let size = Limits.transactionBytesMax
        #expect(list.rewrite(list.base, [entry(100, bytes: size)]))
        let (whole, frame) = (list.base.entryBytes, list.base.entryBytes - 2 * size)
        let count = SignedList.bytesMax / whole
        // Less than another entry is left.
        let last = (SignedList.bytesMax % whole - frame - 1_000) / 2
        let large = (0..<count).map { entry(100 + $0, bytes: size) }
        #expect(list.rewrite(list.base, large + [entry(999, bytes: last)]))
        let generation = list.base.generation
        let request = try venue.request([ids[1]], from: [0])
        for _ in 0..<2 { #expect(venue.ask(signer, request).refusal == .notKept) }
        #expect(list.fault == nil && list.base.generation == generation)
        venue.cancel(ids[0])
        #expect(venue.ask(signer, request).payment != nil)
        #expect(list.entries.count == 1 && list.base.generation == generation + 1)
    }

    @Test func `nothing leaves that cannot be kept`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let signer = try venue.signer(directory)
        signer.list.file = try File("/dev/full", .write)
        let request = try venue.request(ids, from: [0])
        for _ in 0..<2 { #expect(venue.ask(signer, request).refusal == .notKept) }
        #expect(venue.ask(try venue.signer(directory), request).payment != nil)
    }

    @Test func `closed withdrawals are dropped at a start, and what they used stays`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory)
        for (number, id) in ids.enumerated() {
            let payment = try #require(
                venue.ask(signer, try venue.request([id], from: [number])).payment)
            venue.log(payment)
            if number == 0 {
                venue.settle(payment)
            }
        }
        let again = try venue.signer(directory)
        #expect(again.list.entries.map(\.payment.withdrawals) == [[ids[1]]])
        #expect(again.list.base.journal == SignerVenue.journal)
        #expect(again.list.base.used == [Text40("bitcoin")!: 20_002_000])
        let third = venue.withdraw(1)
        #expect(venue.ask(again, try venue.request(third, from: [2])).refusal == .limit)
    }

    @Test func `a list that lacks a payment of the log signs nothing`() throws {
        let (venue, directory) = try world()
        let ids = venue.withdraw(1)
        let before = try directory.contents()
        let payment = try #require(
            venue.ask(try venue.signer(directory), try venue.request(ids, from: [0])).payment)
        venue.log(payment)
        // An older copy of list and floor.
        try directory.put(before)
        let old = PaymentSigner(
            try SignedList(directory.place), master: venue.master, limits: [])
        let now = SpendingMoment(host: 0, monotonic: 0)
        let why = old.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now)
        #expect(why?.contains(payment.transaction.hex) == true)
        #expect(!old.hasBegun)
    }
}
