// Goal: the log's state comes back as it was written, and nothing that was changed or cut off is
// taken for one; a log of another hash is another log.

import Engine
import Journal
import Payments
import Platform
import Signing
import Terms
import Testing
import Wire

@Suite struct FollowedStateTests {
    @Test func `a state comes back whole or not at all`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let venue = try SignerVenue()
        let ids = venue.withdraw(1)
        let signer = try venue.signer(directory)
        venue.log(try #require(venue.ask(signer, try venue.request(ids, from: [0])).payment))
        let path = directory.place.followedFile
        #expect(FollowedState(path) == nil)
        let position = SignedPosition(generation: 3, bytes: 400)
        try FollowedState.save(venue.engine, venue.coins, of: SignerVenue.journal, position, path)
        let state = try #require(FollowedState(path))
        #expect(state.journal == SignerVenue.journal && state.list == position)
        #expect(state.coins.saved == venue.coins.saved && state.coins.hash == venue.coins.hash)
        let engine = unsafe state.engine.withUnsafeBytes {
            unsafe Engine(snapshot: $0)?.stateHash()
        }
        #expect(engine == venue.engine.stateHash())
        let whole = try File(path, .read).read(count: 1 << 20)
        for place in stride(from: 0, to: whole.count, by: max(1, whole.count / 200)) {
            var changed = whole
            changed[place] ^= 0x10
            try File.replace(path, with: changed)
            #expect(FollowedState(path) == nil)
            try File.replace(path, with: Array(whole[..<place]))
            #expect(FollowedState(path) == nil)
        }
        try File.replace(path, with: whole + [0])
        #expect(FollowedState(path) == nil)
    }

    @Test func `every record of a log is in its hash`() throws {
        let (venue, other) = (try SignerVenue(), try SignerVenue())
        #expect(venue.coins.hash == other.coins.hash)
        #expect(venue.coins.hash != [UInt8](repeating: 0, count: 32))
        // Records that concern no coin, and that differ in a name.
        let audit = Audit(operatorName: Text40("olga")!, reason: "test")
        venue.apply(OpenAccount(name: Text40("ben")!, audit: audit))
        other.apply(OpenAccount(name: Text40("bea")!, audit: audit))
        #expect(venue.coins.hash != other.coins.hash)
        #expect(venue.coins.sequence == other.coins.sequence)
        #expect(SeenRecord(venue.coins) != SeenRecord(other.coins))
    }

    @Test func `positions of a list are in the order of time`() {
        let order = [(0, 90), (1, 10), (1, 11), (2, 0)].map {
            SignedPosition(generation: $0.0, bytes: $0.1)
        }
        #expect(order == order.sorted() && order[0] < order[3])
    }
}
