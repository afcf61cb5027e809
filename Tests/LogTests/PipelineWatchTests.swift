// Goal: what an operator has to know of a running pipeline, and of an auditor that waits, is said
// once for each change.

import Audit
import Pipeline
import Testing

@Suite struct PipelineWatchTests {
    private let start: PipelineView = {
        var view = PipelineView()
        view.clock.jumps = 3
        return view
    }()

    @Test func `nothing is news while nothing changes`() {
        var watch = PipelineWatch(from: start, markPath: "m")
        var view = start
        for _ in 0..<3 {
            (view.turns, view.durable, view.commands) = (view.turns + 1, view.durable + 9, 7)
            let news = watch.take(view)
            #expect(news == [])
        }
    }

    @Test func `a clock that is apart is news at the start, and as it is followed again`() {
        var view = start
        (view.clock.offset, view.clock.isApart) = (-61_250_000_000, true)
        var watch = PipelineWatch(from: view, markPath: "/run/bourse/matchd.mark")
        let apart = watch.take(view)
        #expect(apart.map(\.severity) == [.error])
        #expect(
            apart.first?.description
                == "the host's clock is -61.2 s from the log's, which does not follow it: put the "
                + "host's right; if it is right, stop matchd, remove /run/bourse/matchd.mark and "
                + "start it again")
        let same = watch.take(view)
        #expect(same == [])
        (view.clock.offset, view.clock.isApart) = (150_000_000, false)
        let near = watch.take(view)
        #expect(near.map(\.severity) == [.notice])
        #expect(
            near.first?.description
                == "the host's clock is 0.1 s from the log's, which follows it again")
    }

    @Test func `each jump, poisoned command, unread journal and full disk is said once`() {
        var watch = PipelineWatch(from: start, markPath: "m")
        var view = start
        (view.clock.jumps, view.clock.lastJump) = (4, 2_000_000_000)
        view.poisoned = 2
        view.unreadable = (1, SinkError("no"))
        view.isBelowReserve = true
        let news = watch.take(view)
        #expect(news.map(\.severity) == [.error, .critical, .error, .error])
        #expect(
            news.map(\.description) == [
                "the host's clock jumped by 2.0 s",
                "refused a command with which matchd had died twice (2 so far)",
                "trading goes on, but the log can't be read back for a follower: no; see "
                    + "`boursectl journal verify` (1 so far)",
                "disk space is below the reserve: only cancels are taken; free some",
            ])
        let same = watch.take(view)
        #expect(same == [])
        view.isBelowReserve = false
        let free = watch.take(view)
        #expect(free.map(\.severity) == [.notice])
    }

    @Test func `an auditor waits longer and longer, and not at all while there is more`() {
        var pace = AuditPace()
        var waits: [Int32] = []
        for _ in 0..<8 { waits.append(pace.waitMillis(isAhead: false)) }
        #expect(waits == [20, 40, 80, 160, 320, 640, 1_000, 1_000])
        let ahead = pace.waitMillis(isAhead: true)
        let again = pace.waitMillis(isAhead: false)
        #expect((ahead, again) == (0, 20))
    }
}
