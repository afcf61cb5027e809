// Goal: what an operator has to know of a running pipeline, and of an auditor that waits, is said
// once for each change.

import Audit
import Journal
import Pipeline
import Platform
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

    @Test func `what the journal cannot do is said once, and that it can again`() {
        var watch = PipelineWatch(from: start, markPath: "m")
        var view = start
        view.sink.space = .stopped
        view.snapshotsFault = .stopped
        let news = watch.take(view)
        #expect(news.map(\.severity) == [.error, .error])
        #expect(
            news.first?.description
                == "the disk's free space cannot be read: \(JournalError.stopped)")
        let same = watch.take(view)
        #expect(same == [])
        view.sink.space = nil
        let again = watch.take(view)
        #expect(again.map(\.severity) == [.notice])
    }

    @Test func `space that cannot be read is a fault, and no full disk`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        let (journal, away) = (place.path + "/journal", place.path + "/away")
        let free = running.inner.freeBytes()
        #expect(free != nil && running.inner.faults == JournalSinkFaults())
        try Directory.rename(journal, to: away)
        let none = running.inner.freeBytes()
        #expect(none == nil)
        #expect(running.inner.faults.space != nil)
        #expect(!running.inner.isBelowReserve)
        try Directory.rename(away, to: journal)
        let again = running.inner.freeBytes()
        #expect(again != nil && running.inner.faults.space == nil)
        _ = try running.stop()
    }

    @Test func `snapshots that cannot be listed are a fault, and not only absent`() throws {
        let place = try PipelinePlace()
        let file = place.path + "/no-directory"
        try File.replace(file, with: [])
        let history = JournalHistory(
            directory: place.path + "/journal", snapshots: SnapshotStore(directory: file),
            identity: JournalIdentity(high: 0, low: 1))
        let found = history.snapshot(atMost: .max)
        #expect(found == nil && history.fault != nil)
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
