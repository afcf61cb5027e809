// Goal: a sample carries the stamps of its own way, and nothing of anyone else's.

import Link
import Pipeline
import Platform
import Terms
import Testing

@Suite(.serialized) struct LatencyTraceTests {
    private static func commit(_ began: Int64) -> LatencyTrace.Commit {
        var commit = LatencyTrace.Commit()
        (commit.began, commit.written, commit.synced) = (began, began + 1, began + 2)
        return commit
    }

    @Test func `a sample is stamped by the turn and the commit that took it`() throws {
        let scratch = try JournalScratch()
        let path = scratch.file("trace")
        let trace = try LatencyTrace(path)
        let start = Clock.monotonicNanos()
        trace.begin(7, 41, 100, at: start)
        // Within a millisecond no other is taken.
        trace.begin(7, 42, 200, at: start + 1)
        trace.begin(7, 43, 300, at: start + LatencyTrace.intervalNanos)
        trace.apply(99, 999, taken: start + 5)
        trace.apply(100, 1000, taken: start + 6)
        trace.commit(999, Self.commit(start + 10), prior: .init())
        trace.release(999)
        #expect(try LatencyTrace.read(path).isEmpty)
        let later = Clock.monotonicNanos() + 1_000_000_000
        trace.commit(1000, Self.commit(later), prior: Self.commit(start - 10))
        trace.release(1000)
        let first = try #require(try LatencyTrace.read(path).first)
        #expect((first.session, first.number) == (7, 41))
        #expect(first[.received] == start)
        #expect(first[.taken] == start + 6)
        #expect(first[.applied] > start && first[.applied] < later)
        // The commit before was over when it came.
        #expect(first[.priorWritten] == first[.applied] && first[.priorSynced] == first[.applied])
        #expect((first[.began], first[.written], first[.synced]) == (later, later + 1, later + 2))
        #expect(first[.released] >= first[.applied])
        trace.apply(300, 1200, taken: start + 20)
        trace.commit(1200, Self.commit(later + 20), prior: Self.commit(later + 10))
        trace.release(1200)
        let samples = try LatencyTrace.read(path)
        #expect(samples.map(\.number) == [41, 43])
        #expect(samples[1][.priorWritten] == later + 11 && samples[1][.priorSynced] == later + 12)
    }

    @Test func `unreleased samples are not awaited, and the file holds the last ones`() throws {
        let scratch = try JournalScratch()
        let path = scratch.file("trace")
        let trace = try LatencyTrace(path)
        func begin(_ number: Int) {
            trace.begin(
                1, UInt64(number), UInt64(number), at: Int64(number) * LatencyTrace.intervalNanos)
        }
        let many = LatencyTrace.pendingMax + 10
        for number in 1...many { begin(number) }
        trace.apply(.max, 1, taken: 1)
        trace.commit(1, Self.commit(1), prior: .init())
        trace.release(1)
        #expect(try LatencyTrace.read(path).count == LatencyTrace.pendingMax)
        for number in many..<many + LatencyTrace.capacity {
            begin(number)
            trace.apply(.max, 1, taken: 1)
            trace.commit(1, Self.commit(1), prior: .init())
            trace.release(1)
        }
        let samples = try LatencyTrace.read(path)
        #expect(samples.count == LatencyTrace.capacity - LatencyTrace.pendingMax)
        #expect(samples.last?.number == UInt64(many + LatencyTrace.capacity - 1))
    }

    @Test func `a pipeline stamps what passes through it in order`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/trace"
        let running = try RunningPipeline(place) { options in
            options.trace = try? LatencyTrace(path)
        }
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        for price in 1...20 {
            Clock.sleep(nanos: 2 * LatencyTrace.intervalNanos)
            try desk.submit(TestDesk.place(Int64(price)))
        }
        try running.stop()
        let samples = try LatencyTrace.read(path)
        // Each order was sent when the one before it was acknowledged, and more than one interval
        // after it.
        #expect(samples.filter { $0.session == desk.session.number }.count >= 20)
        #expect(samples.last?.number == desk.number)
        for sample in samples {
            #expect(sample.stamps == sample.stamps.sorted(), "\(sample)")
            #expect(sample[.received] > 0)
        }
    }

    @Test func `a file that is not a trace is refused`() throws {
        let scratch = try JournalScratch()
        try scratch.put([1, 2, 3], scratch.file("trace"))
        #expect(throws: SystemError.self) { try LatencyTrace.read(scratch.file("trace")) }
    }
}
