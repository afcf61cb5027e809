// The worst cases, small: each is what it says, leaves a sound engine, and no turn is far too long.

import Bench
import Engine
import Glibc
import Testing

/// What this thread had of a CPU, ns.
private let clock: @Sendable () -> UInt64 = {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

@Suite(.serialized) struct WorstTests {
    @Test(arguments: WorstCase.allCases)
    func `a worst case is applied whole and leaves a sound engine`(_ known: WorstCase) {
        let venue = known.run(.small(clock))
        #expect(venue.surprises == 0)
        #expect(venue.kinds.contains { !$0.nanos.isEmpty })
        #expect(venue.engine.checkInvariants() == nil)
        #expect(venue.engine.nextTimer == nil || known == .raise)
    }

    @Test func `of two runs the shorter turn counts`() {
        let (first, second) = (
            WorstCase.expiry.run(.small(clock)).kinds, WorstCase.expiry.run(.small(clock)).kinds
        )
        var own = first
        for i in own.indices { own[i].keepShorter(second[i]) }
        for i in own.indices {
            #expect(own[i].longest <= min(first[i].longest, second[i].longest))
            #expect(own[i].percentile(perMille: 999) <= own[i].longest)
        }
    }

    @Test func `a search finds longer turns, and its recipe can be applied again`() throws {
        var search = WorstSearch(seed: 3, scale: .small(clock))
        let isFound = search.step()
        #expect(isFound)
        let first = search.longest
        for _ in 0..<12 { _ = search.step() }
        #expect(search.tried == 13 && search.longest >= first)
        let text = try #require(search.worst).text
        let recipe = try #require(WorstRecipe(text))
        #expect(recipe.text == text)
        let turns = recipe.run(.small(clock))
        #expect(turns.contains { $0.name == search.kind })
        #expect(WorstRecipe("") == nil && WorstRecipe("zz") == nil)
    }
}
