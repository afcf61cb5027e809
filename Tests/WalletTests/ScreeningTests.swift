// Goal: what the owner's screening service has released goes out for ten minutes, and no longer
// without another answer of it.

import Custodian
import Engine
import Nodes
import Platform
import Synchronization
import Terms
import Testing
import Wire

/// A service that releases everything, and counts how often it is asked.
private final class ReleasingScreen: WithdrawalScreen, Sendable {
    let count = Atomic(0)

    func answer(_ question: ScreeningQuestion) -> ScreeningAnswer {
        count.add(1, ordering: .sequentiallyConsistent)
        return .releases
    }
}

@Suite(.timeLimit(.minutes(1))) struct ScreeningTests {
    @Test func `a release counts for ten minutes, and then it is asked for again`() throws {
        let venue = try PaymentVenue()
        try venue.deposit(1, 1_000_000)
        let outcome = venue.apply(
            .requestWithdrawal(
                RequestWithdrawal(
                    account: AccountID(1), asset: PaymentVenue.asset,
                    network: PaymentVenue.network, amount: Amount(units: 10_000),
                    address: try #require(Text64("there")), requester: try #require(Text40("ops"))))
        )
        #expect(outcome.refusal == .none)
        let waiting: Set<WithdrawalID> = [WithdrawalID(outcome.id)]
        let chain = try #require(Text40("litecoin-regtest"))
        let screen = ReleasingScreen()
        let screening = try Screening(screen)
        func released(_ now: Int64) -> Set<WithdrawalID> {
            screening.verdict(waiting, venue.engine, chain: chain, now: now).released
        }
        #expect(released(Clock.monotonicNanos()).isEmpty, "nothing goes out before it is asked")
        while released(Clock.monotonicNanos()).isEmpty { Clock.sleep(nanos: 1_000_000) }
        let (asked, minute) = (Clock.monotonicNanos(), Int64(60_000_000_000))
        #expect(screen.count.load(ordering: .sequentiallyConsistent) == 1)
        #expect(released(asked + 9 * minute) == waiting)
        #expect(screen.count.load(ordering: .sequentiallyConsistent) == 1)
        #expect(released(asked + 10 * minute).isEmpty)
        while released(Clock.monotonicNanos()).isEmpty { Clock.sleep(nanos: 1_000_000) }
        #expect(screen.count.load(ordering: .sequentiallyConsistent) == 2)
    }
}
