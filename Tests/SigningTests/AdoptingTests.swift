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

    @Test func `a payment under withdrawals that it does not pay is not adopted`() throws {
        let hosts = try TwoHosts()
        let venue = hosts.venue
        let ids = venue.withdraw(2)
        let real = try #require(hosts.ask(0, try venue.request([ids[0]], from: [0])).payment)
        var forged = real
        forged.withdrawals = [ids[1]]
        hosts.log(forged, to: [1])
        #expect(hosts.signers[1].list.entries.isEmpty)
        venue.drop(forged)
        hosts.log(real, to: [1])
        #expect(hosts.signers[1].list.entries.map(\.payment) == [real])
    }

    @Test func `what spends the change of a dropped payment is adopted`() throws {
        let hosts = try TwoHosts()
        let venue = hosts.venue
        let ids = venue.withdraw(2)
        let first = try #require(hosts.ask(0, try venue.request([ids[0]], from: [0])).payment)
        hosts.log(first)
        let second = try #require(
            hosts.ask(
                0,
                try venue.request(
                    [ids[1]], spending: [OutPoint(first.transaction, 1)], of: 89_999_000)
            ).payment)
        venue.drop(first)
        hosts.log(second)
        #expect(hosts.signers[1].list.entries.map(\.payment) == [first, second])
        let saved = venue.coins.saved
        #expect(CoinTable(saved: saved)?.saved == saved)
        venue.drop(second)
        let other = try venue.request([ids[1]], from: [2])
        #expect(hosts.ask(1, other) == .earlier([second]))
    }

    @Test func `a forged twin keeps a signer from beginning, and hides nothing`() throws {
        let hosts = try TwoHosts()
        let venue = hosts.venue
        let ids = venue.withdraw(1)
        let real = try #require(hosts.ask(0, try venue.request(ids, from: [0])).payment)
        var forged = real
        let place = try #require(forged.bytes.indices.dropLast(40).last)
        forged.bytes[place] ^= 1
        let late = PaymentSigner(
            try SignedList(hosts.directories[1].place), master: venue.master,
            limits: try SignerVenue.limits(hosts.limit))
        func begin() -> String? {
            late.begin(
                venue.engine, venue.coins, journal: SignerVenue.journal, now: now,
                isOwn: { _ in false })
        }
        venue.log(forged)
        venue.show(forged, to: late)
        #expect(begin()?.contains(real.transaction.hex) == true && !late.hasBegun)
        venue.drop(forged)
        venue.log(real)
        venue.show(real, to: late)
        #expect(begin() == nil && late.list.entries.map(\.payment) == [real])
    }

    @Test func `what is adopted counts by its time, and never beyond two buckets`() throws {
        let hour: Int64 = 3_600_000_000_000
        let hosts = try TwoHosts(limit: ("0.25", "0.1"))
        let venue = hosts.venue
        let other = try SignerDirectory()
        try other.place.begin()
        let generous = try venue.signer(other, limit: ("10", "0"))
        let ids = venue.withdraw(9)
        for number in 0..<8 {
            let request = try venue.request([ids[number]], from: [number])
            let payment = try #require(venue.ask(generous, request).payment)
            venue.log(payment)
            venue.show(payment, to: hosts.signers[0])
            // The link was away for ten hours.
            if number < 2 { venue.show(payment, to: hosts.signers[1], host: 10 * hour) }
        }
        let last = try venue.request([ids[8]], from: [9])
        // Of 0.8 coins that came at once 0.5 count: 0.1 more fit once 0.35 are refilled.
        #expect(hosts.ask(0, last, host: 3 * hour).refusal == .limit)
        #expect(hosts.ask(0, last, host: 4 * hour).payment != nil)
        #expect(hosts.ask(1, last, host: 10 * hour).payment != nil)
    }

    @Test func `of EVM chains it is adopted where it pays, and given to who asks for it`() throws {
        typealias Venue = EVMSignerVenue
        let venue = try Venue()
        let directories = try [SignerDirectory(), SignerDirectory()]
        for directory in directories { try directory.place.begin() }
        let signers = try directories.map { try venue.signer($0) }
        let (id, other) = (venue.withdraw(), venue.withdraw(Venue.token))
        let transaction = try venue.transaction()
        let real = try #require(venue.ask(signers[0], venue.request(id, transaction)).payment)
        var forged = real
        (forged.asset, forged.withdrawals) = (Venue.token, [other])
        for payment in [forged, real] {
            venue.log(payment)
            venue.show(payment, to: signers[1])
            venue.drop(payment)
        }
        // The same one cannot pay twice; another nonce could.
        let next = venue.request(id, try venue.transaction(nonce: 1))
        #expect(venue.ask(signers[1], next) == .earlier([real]))
        #expect(venue.ask(signers[1], venue.request(id, transaction)) == .signed(real))
        #expect(signers[1].list.entries.map(\.payment) == [real])
    }

    @Test func `a settlement of an EVM chain costs its gas at most, in the chain's coin`() throws {
        typealias Venue = EVMSignerVenue
        let venue = try Venue()
        let directory = try SignerDirectory()
        try directory.place.begin()
        let signer = try venue.signer(directory)
        venue.apply(
            SetAsset(
                code: Text16("BTC")!, scale: 8,
                audit: Audit(operatorName: Text40("olga")!, reason: "test")))
        let bitcoin = AssetID(3)
        // 21,000 of gas at 30 gwei are 63,000 units of 10 gwei.
        for (nonce, (asset, cost)) in [(Venue.coin, 63_005), (bitcoin, 100)].enumerated() {
            let id = venue.withdraw()
            let request = venue.request(id, try venue.transaction(nonce: UInt64(nonce)))
            let payment = try #require(venue.ask(signer, request).payment)
            venue.log(payment)
            venue.apply(
                SettleTransaction(
                    transaction: payment.transaction, costAsset: asset,
                    cost: Amount(units: Int128(cost)), block: 9))
        }
        #expect(venue.coins.overcharged == [Venue.coin: 5, bitcoin: 100])
    }
}

extension EVMSignerVenue {
    /// Shows a signer the record by which a payment came into the log, as following it does.
    func show(_ payment: SignedPayment, to signer: PaymentSigner) {
        let command = SignWithdrawals(
            asset: payment.asset, network: payment.network, transaction: payment.transaction,
            replaces: payment.replaces, withdrawals: payment.withdrawals, bytes: payment.bytes)
        let header = RecordHeader(
            sequence: engine.sequence, timestamp: 0, session: SessionID(0), number: 0,
            kind: SignWithdrawals.kind)
        let bytes = command.recordBytes(header)
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe signer.see(header, bytes, Outcome(), engine, coins) {
                SpendingMoment(host: 0, monotonic: 0)
            }
        }
    }
}
