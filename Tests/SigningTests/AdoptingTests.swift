// Goal: what another host's signer signed binds this one as its own signatures do, counts once
// against the same limits, and nothing that nobody signed does either.

import Engine
import Payments
import Platform
import Signing
import Terms
import Testing
import UTXO
import Wire

/// Two signers of one seed that follow one log, each with a list of its own.
private struct TwoHosts {
    let venue: SignerVenue
    let directories: [SignerDirectory]
    let limit: (String, String)
    let signers: [PaymentSigner]

    init(limit: (String, String) = ("10", "0")) throws {
        let venue = try SignerVenue()
        self.venue = venue
        self.limit = limit
        directories = try [SignerDirectory(), SignerDirectory()]
        signers = try directories.map { directory in
            try directory.place.begin()
            return try venue.signer(directory, limit: limit)
        }
    }

    /// Brings a payment into the log, where both signers see it.
    func log(_ payment: SignedPayment, to seen: [Int] = [0, 1]) {
        venue.log(payment)
        for host in seen {
            venue.show(payment, to: signers[host])
            signers[host].keepAdopted(venue.engine, venue.coins, journal: nil)
        }
    }

    func ask(_ host: Int, _ request: SigningRequest, host time: Int64 = 0) -> SigningAnswer {
        venue.ask(signers[host], request, host: time)
    }
}

@Suite struct AdoptingTests {
    private let now = SpendingMoment(host: 0, monotonic: 0)

    @Test func `a payment of the other host's binds when it was dropped`() throws {
        let hosts = try TwoHosts()
        let venue = hosts.venue
        let ids = venue.withdraw(1)
        let first = try #require(hosts.ask(0, try venue.request(ids, from: [0, 1])).payment)
        hosts.log(first)
        venue.drop(first)
        // Neither from other coins, nor the same again: somebody may have its bytes.
        #expect(hosts.ask(1, try venue.request(ids, from: [2])) == .earlier([first]))
        #expect(hosts.ask(1, try venue.request(ids, from: [0, 1])) == .earlier([first]))
        let second = try #require(hosts.ask(1, try venue.request(ids, from: [1, 2])).payment)
        #expect(second != first)
        // It is on the disk: a start without the log's records knows it.
        let again = try venue.signer(hosts.directories[1])
        #expect(again.list.entries.map(\.isAdopted) == [true, false])
        #expect(again.list.entries[0].inputs.count == 2)
        #expect(venue.ask(again, try venue.request(ids, from: [3])).payment == second)
    }

    @Test func `a payment that the log has is given to whoever asks for it`() throws {
        let hosts = try TwoHosts()
        let ids = hosts.venue.withdraw(1)
        let first = try #require(hosts.ask(0, try hosts.venue.request(ids, from: [0])).payment)
        hosts.log(first)
        #expect(hosts.ask(1, try hosts.venue.request(ids, from: [2])) == .signed(first))
    }

    @Test func `both hosts have one meter`() throws {
        let hosts = try TwoHosts(limit: ("0.25", "0"))
        let venue = hosts.venue
        let ids = venue.withdraw(4)
        for number in 0..<2 {
            let payment = try #require(
                hosts.ask(0, try venue.request([ids[number]], from: [number])).payment)
            hosts.log(payment)
        }
        #expect(hosts.ask(1, try venue.request([ids[2]], from: [2])).refusal == .limit)
        let counted = hosts.signers[1].list.entries.map(\.counted)
        #expect(counted == [10_001_000, 10_001_000])
        // A replacement that both know counts what it pays more.
        let bump = try venue.request(
            [ids[0]], from: [0], fee: 3_000,
            replaces: hosts.signers[0].list.entries[0].payment.transaction)
        let second = try #require(hosts.ask(1, bump).payment)
        hosts.log(second)
        #expect(hosts.signers[0].list.entries.map(\.counted) == [10_001_000, 10_001_000, 2_000])
    }

    @Test func `what came while a signer was away is adopted at its start and counts`() throws {
        let hosts = try TwoHosts(limit: ("0.25", "0.1"))
        let venue = hosts.venue
        let ids = venue.withdraw(3)
        let payments = try (0..<2).map { number in
            let request = try venue.request([ids[number]], from: [number])
            return try #require(hosts.ask(0, request).payment)
        }
        let late = PaymentSigner(
            try SignedList(hosts.directories[1].place), master: venue.master,
            limits: try SignerVenue.limits(hosts.limit))
        for payment in payments {
            hosts.log(payment, to: [0])
            venue.show(payment, to: late)
        }
        venue.settle(payments[0])
        // Before it is known which host led, and where it was this one, nothing is signed.
        for isOwn: Bool? in [nil, true] {
            let why = late.begin(
                venue.engine, venue.coins, journal: SignerVenue.journal, now: now,
                isOwn: { _ in isOwn })
            #expect(why?.contains(payments[1].transaction.hex) == true && !late.hasBegun)
        }
        let why = late.begin(
            venue.engine, venue.coins, journal: SignerVenue.journal, now: now,
            isOwn: { _ in false })
        #expect(why == nil)
        // The settled one binds nothing; the open one does.
        #expect(late.list.entries.map(\.payment) == [payments[1]])
        #expect(venue.ask(late, try venue.request([ids[2]], from: [3])).refusal == .limit)
        venue.drop(payments[1])
        #expect(venue.ask(late, try venue.request([ids[1]], from: [3])) == .earlier([payments[1]]))
    }

    @Test func `what no key of the wallet's signed is not adopted`() throws {
        let hosts = try TwoHosts(limit: ("0.25", "0"))
        let venue = hosts.venue
        let ids = venue.withdraw(1)
        let real = try #require(hosts.ask(0, try venue.request(ids, from: [0])).payment)
        // The same transaction with a signature that is another's.
        var forged = real
        let place = try #require(forged.bytes.indices.dropLast(40).last)
        forged.bytes[place] ^= 1
        venue.log(forged)
        venue.show(forged, to: hosts.signers[1])
        venue.drop(forged)
        let request = try venue.request(ids, from: [2])
        #expect(hosts.ask(1, request).payment.map { $0 != real } == true)
        #expect(hosts.signers[1].list.entries.count == 1)
    }

    @Test func `what an operator took out of the list is not adopted again`() throws {
        let hosts = try TwoHosts()
        let venue = hosts.venue
        let ids = venue.withdraw(1)
        let first = try #require(hosts.ask(0, try venue.request(ids, from: [0])).payment)
        hosts.log(first)
        venue.drop(first)
        hosts.signers[1].keepAdopted(venue.engine, venue.coins, journal: nil)
        try SignedList(hosts.directories[1].place).forget(first.transaction, limits: [])
        let again = PaymentSigner(
            try SignedList(hosts.directories[1].place), master: venue.master,
            limits: try SignerVenue.limits(hosts.limit))
        // It reads that part of the log once more.
        venue.show(first, to: again)
        let why = again.begin(
            venue.engine, venue.coins, journal: SignerVenue.journal, now: now,
            isOwn: { _ in false })
        #expect(why == nil && again.list.entries.isEmpty)
        #expect(venue.ask(again, try venue.request(ids, from: [2])).payment != nil)
    }
}
