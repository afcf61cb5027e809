// Goal: what an operator takes out of the list binds nothing any more and stays counted; nothing
// else changes, and whatever is cut off leaves a list that is whole.

import Payments
import Platform
import Signing
import Terms
import Testing
import UTXO

@Suite struct ForgettingTests {
    private let limits = [
        SpendingLimit(
            chain: Text40("bitcoin")!, capacity: DecimalText("0.25")!, refill: DecimalText("0.1")!)
    ]

    @Test func `a dropped payment binds until it is forgotten`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let venue = try SignerVenue()
        let ids = venue.withdraw(2)
        let signer = try venue.signer(directory)
        let lost = try #require(
            venue.ask(signer, try venue.request([ids[0]], from: [0])).payment)
        let other = try #require(
            venue.ask(signer, try venue.request([ids[1]], from: [1])).payment)
        venue.log(lost)
        venue.log(other)
        venue.drop(lost)
        let request = try venue.request([ids[0]], from: [2])
        #expect(venue.ask(try venue.signer(directory), request) == .signed(lost))
        try SignedList(directory.place).forget(lost.transaction, limits: limits)
        let again = try venue.signer(directory)
        #expect(again.list.entries.map(\.payment) == [other])
        // It is used all the same: 0.1 of what is left is too much.
        #expect(venue.ask(again, request).refusal == .limit)
        let later = venue.ask(again, request, host: 3_600_000_000_000)
        #expect(later.payment.map { $0 != lost } == true)
        let kept = try File(directory.place.forgottenFile, .read).read(count: 100_000)
        #expect(String(decoding: kept, as: UTF8.self).contains(lost.transaction.hex))
    }

    @Test func `a payment that the log still has cannot be forgotten in silence`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let venue = try SignerVenue()
        let ids = venue.withdraw(1)
        let payment = try #require(
            venue.ask(try venue.signer(directory), try venue.request(ids, from: [0])).payment)
        venue.log(payment)
        try SignedList(directory.place).forget(payment.transaction, limits: limits)
        let signer = PaymentSigner(
            try SignedList(directory.place), master: venue.master, limits: limits)
        let now = SpendingMoment(host: 0, monotonic: 0)
        let why = signer.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now)
        #expect(why?.contains(payment.transaction.hex) == true)
        venue.drop(payment)
        let then = signer.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now)
        #expect(then == nil)
    }

    @Test func `what is not in the list is not forgotten, and the list stays`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let list = try SignedList(directory.place)
        #expect(list.rewrite(list.base, [.numbered(1, paying: [1], from: [1])]))
        #expect(list.append(.numbered(2, paying: [2], from: [2])))
        let before = try directory.contents()
        #expect(throws: SignedListError.self) {
            try SignedList(directory.place).forget(.numbered(9), limits: limits)
        }
        #expect(try directory.contents() == before)
        for number in [1, 2] {
            try SignedList(directory.place).forget(.numbered(number), limits: limits)
        }
        let after = try SignedList(directory.place)
        #expect(after.entries.isEmpty && after.base.used == [Text40("bitcoin")!: 100])
        let kept = try File(directory.place.forgottenFile, .read).read(count: 100_000)
        #expect(kept.count { $0 == 0x0A } == 2)
    }

    @Test func `a forgetting that is cut off leaves either list`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let list = try SignedList(directory.place)
        #expect(list.rewrite(list.base, [.numbered(1, paying: [1], from: [1])]))
        let before = try directory.contents()
        try SignedList(directory.place).forget(.numbered(1), limits: limits)
        let after = try directory.contents()
        // Of the files some are new: each in the order in which it is written.
        let order = ["signed.forgotten", "signed", "signed.floor"]
        for count in 0...order.count {
            var files = before
            for name in order[..<count] { files[name] = after[name] }
            try directory.put(files)
            let found = try SignedList(directory.place)
            #expect(found.entries.count == (count < 2 ? 1 : 0))
        }
    }
}
