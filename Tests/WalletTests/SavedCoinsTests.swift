// Goal: saved coins come back as they were, and nothing that was changed is taken for some.

import Payments
import Terms
import Testing
import Wire

@Suite struct SavedCoinsTests {
    @Test func `saved coins come back whole or not at all`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 20_000_000) }
        #expect(venue.withdraw(1, 30_000_000, to: 1).refusal == .none)
        _ = try venue.pay(try venue.request())
        let bytes = SavedCoins(venue.table, journalHigh: 1, journalLow: 2).bytes
        let again = try #require(SavedCoins(bytes))
        #expect(again.coins.saved == venue.table.saved)
        #expect(again.journalHigh == 1 && again.journalLow == 2 && again.bytes == bytes)
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 0x20
            #expect(SavedCoins(changed) == nil)
            #expect(SavedCoins(Array(bytes[..<place])) == nil)
        }
        #expect(SavedCoins(bytes + [0]) == nil)
    }
}
