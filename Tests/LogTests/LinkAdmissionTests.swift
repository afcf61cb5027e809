// Goal: whoever fills the Link's connections, an operator gets in, and nobody in use is thrown out
// by its like.

import Link
import Pipeline
import Testing

private let second: Int64 = 1_000_000_000

private func seat(
    _ role: LinkRole, idle: Int64 = 100, ready: Bool = true, follows: Bool = false
) -> LinkSeat {
    LinkSeat(role: role, isReady: ready, isFollowing: follows, lastUsed: -idle * second)
}

@Suite struct LinkAdmissionTests {
    @Test func `an operator gets a connection even when all are in use`() {
        for filler in [
            seat(.observer), seat(.observer, idle: 0, follows: true), seat(.gateway),
            seat(.wallet), seat(.operator), seat(.operator, idle: 0, ready: false),
            seat(.gateway, idle: 0, ready: false),
        ] {
            let seats: [LinkSeat?] = Array(repeating: filler, count: 64)
            guard case .evict = LinkAdmission.decide(.operator, seats, at: 0) else {
                Issue.record("refused beside \(filler)")
                continue
            }
        }
    }

    @Test func `a connection in use is not closed for one of equal rank`() {
        for role in [LinkRole.gateway, .wallet, .operator] {
            for filler in [seat(role, idle: 0), seat(role, follows: true)] {
                let seats: [LinkSeat?] = Array(repeating: filler, count: 64)
                #expect(LinkAdmission.decide(role, seats, at: 0) == .refuse)
            }
        }
    }

    @Test func `operators' connections are not to be had by others`() {
        for role in [LinkRole.observer, .gateway, .wallet] {
            var seats: [LinkSeat?] = Array(repeating: nil, count: 64)
            var count = 0
            while LinkAdmission.decide(role, seats, at: 0) == .free {
                seats[count] = seat(role, idle: 0)
                count += 1
            }
            #expect(count == (role == .observer ? 32 : 56))
            #expect(LinkAdmission.decide(role, seats, at: 0) == .refuse)
            #expect(LinkAdmission.decide(.operator, seats, at: 0) == .free)
        }
    }

    @Test func `the least useful gives way first`() {
        let rows: [(LinkRole, [LinkSeat?], LinkAdmission)] = [
            (.operator, [seat(.observer), seat(.gateway, ready: false)], .evict(1)),
            (.operator, [seat(.gateway), seat(.observer, idle: 0)], .evict(1)),
            (.operator, [seat(.gateway, idle: 5), seat(.gateway, idle: 9)], .evict(1)),
            (.operator, [seat(.operator), seat(.gateway, idle: 2)], .evict(1)),
            (.gateway, [seat(.operator), seat(.observer, follows: true)], .evict(1)),
            (.observer, [seat(.operator), seat(.observer, idle: 0)], .refuse),
            (.observer, [seat(.gateway), seat(.observer, idle: 3)], .evict(1)),
            (.gateway, [seat(.operator, idle: 0), seat(.gateway, idle: 3)], .evict(1)),
        ]
        for (role, seats, expected) in rows {
            #expect(LinkAdmission.decide(role, seats, at: 0) == expected, "\(role) \(seats)")
        }
    }
}
