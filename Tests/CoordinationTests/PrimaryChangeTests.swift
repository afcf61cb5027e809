// Goal: a change of the primary is noted once, with what was seen of its pause, and the hosts agree
// on the changes however they hear of them.

import Coordination
import Failover
import JSON
import Terms
import Testing

@Suite struct PrimaryChangeTests {
    private let a = HostName("a")
    private let b = HostName("b")

    private func at(_ millis: Int64) -> BootTime { BootTime(nanos: millis * 1_000_000) }

    private func report(_ state: MatchdState) -> MatchdReport {
        MatchdReport(
            process: ProcessNumber(1), state: state, epoch: 2, replica: ReplicaID(high: 0, low: 1),
            promise: 2, end: 9, endEpoch: 2, durable: 9, commitPoint: 9)
    }

    private func standby(heard millis: Int64, isHandedOver: Bool = false) -> MatchdReport {
        var report = report(.following(isConfirmed: true))
        report.heardAt = at(millis)
        report.isHandedOver = isHandedOver
        return report
    }

    @Test func `a pause begins with the last beacon of a primary that is lost`() throws {
        var watch = HandoverWatch()
        watch.note(standby(heard: 100), at: at(110))
        watch.note(standby(heard: 150), at: at(160))
        watch.note(standby(heard: 150), at: at(900))
        watch.claimed(.grace, from: a)
        watch.note(report(.leading), at: at(1_000))
        let opened = watch.opened(by: b, epoch: 3, at: at(1_100), realtimeNanos: 5)
        let change = try #require(opened)
        #expect(change.pauseNanos == 950_000_000)
        #expect(change.from == a && change.to == b && change.cause == .grace && change.epoch == 3)
        // It is complete: what follows is no other change.
        let none1 = watch.opened(by: b, epoch: 4, at: at(1_200), realtimeNanos: 5)
        #expect(none1 == nil)
    }

    @Test func `in a switchover it begins as the primary holds intake, whatever it still sends`() {
        var watch = HandoverWatch()
        watch.note(standby(heard: 100), at: at(110))
        watch.notePeer(isMute: true, at: at(120))
        watch.note(standby(heard: 150), at: at(160))
        watch.note(standby(heard: 200, isHandedOver: true), at: at(210))
        watch.claimed(.switchover, from: a)
        let change = watch.opened(by: b, epoch: 3, at: at(250), realtimeNanos: 5)
        #expect(change?.pauseNanos == 150_000_000)
        // The primary's word counts, also where it comes behind beacons that were no sign.
        watch.note(standby(heard: 900), at: at(910))
        watch.notePeer(isMute: true, servedAt: at(400), at: at(920))
        watch.note(standby(heard: 950), at: at(960))
        watch.claimed(.switchover, from: a)
        let late = watch.opened(by: b, epoch: 5, at: at(1_000), realtimeNanos: 5)
        #expect(late?.pauseNanos == 600_000_000)
        // A word that is not repeated counts no more.
        watch.notePeer(isMute: true, at: at(2_000))
        watch.note(standby(heard: 5_100), at: at(5_110))
        watch.claimed(.grace, from: a)
        let last = watch.opened(by: b, epoch: 7, at: at(5_200), realtimeNanos: 5)
        #expect(last?.pauseNanos == 100_000_000)
    }

    @Test func `a host that led before it, or of whose claim nothing is known, changes nothing`() {
        var watch = HandoverWatch()
        watch.claimed(.restart, from: b)
        let none2 = watch.opened(by: b, epoch: 3, at: at(1), realtimeNanos: 5)
        #expect(none2 == nil)
        let none3 = watch.opened(by: b, epoch: 4, at: at(2), realtimeNanos: 5)
        #expect(none3 == nil)
        watch.claimed(.grace, from: a)
        watch.demoted()
        let none4 = watch.opened(by: b, epoch: 5, at: at(3), realtimeNanos: 5)
        #expect(none4 == nil)
    }

    @Test func `a claim after one that never opened goes on with the same change`() {
        var watch = HandoverWatch()
        watch.note(standby(heard: 100), at: at(110))
        watch.claimed(.grace, from: a)
        watch.claimed(.alone, from: b)
        let change = watch.opened(by: b, epoch: 4, at: at(600), realtimeNanos: 5)
        #expect(change?.from == a && change?.cause == .alone && change?.pauseNanos == 500_000_000)
    }

    @Test func `what proved that the former primary was off is part of the reason`() throws {
        var watch = HandoverWatch()
        watch.claimed(.forced, from: a, proof: "the power of a is off: /sbin/f, status off")
        watch.claimed(.alone, from: b)
        let opened = watch.opened(by: b, epoch: 3, at: at(1), realtimeNanos: 5)
        var history = PrimaryHistory()
        history.add(try #require(opened))
        let why = history.json.rows { $0["why"]?.text }
        #expect(
            why == ["its own matchd had ended; the power of a is off: /sbin/f, status off"])
        #expect(PrimaryHistory(history.json) == history)
        watch.claimed(.forced, from: a)
        let next = watch.opened(by: b, epoch: 4, at: at(2), realtimeNanos: 5)
        #expect(next?.proof == nil)
    }

    @Test func `without a sign of the former primary the pause is not known`() {
        var watch = HandoverWatch()
        watch.claimed(.forced, from: a)
        let change = watch.opened(by: b, epoch: 3, at: at(600), realtimeNanos: 5)
        #expect(change != nil && change?.pauseNanos == nil)
    }

    /// A history of changes to these hosts in these epochs.
    private func history(_ epochs: UInt32...) -> PrimaryHistory {
        var history = PrimaryHistory()
        for epoch in epochs {
            var watch = HandoverWatch()
            watch.claimed(.grace, from: epoch % 2 == 0 ? a : b)
            let host = epoch % 2 == 0 ? b : a
            if let change = watch.opened(by: host, epoch: epoch, at: at(1), realtimeNanos: 5) {
                history.add(change)
            }
        }
        return history
    }

    @Test func `the hosts agree, whoever hears what when`() {
        var (one, other) = (history(2), history(2))
        one.add(history(3).changes[0])
        other.take(one)
        other.take(one)
        #expect(other == one && one.count == 2)
        // A host with a new disk goes on counting where the other one is.
        var blank = PrimaryHistory()
        blank.take(one)
        #expect(blank == one)
        var late = PrimaryHistory()
        late.take(history(2, 3, 4))
        #expect(late.count == 3 && late.changes.map(\.epoch) == [2, 3, 4])
    }

    @Test func `it is bounded and goes through its text`() throws {
        var long = PrimaryHistory()
        for epoch in 2..<40 { long.add(history(UInt32(epoch)).changes[0]) }
        #expect(long.changes.count == PrimaryHistory.changesMax && long.count == 38)
        let text = long.json.compact
        let json = try #require(JSONValue(parsing: text.utf8))
        #expect(PrimaryHistory(json) == long)
        #expect(PrimaryHistory(.array(Array(repeating: [:], count: 2))) == nil)
        #expect(text.utf8.count < 8_192)
    }
}
