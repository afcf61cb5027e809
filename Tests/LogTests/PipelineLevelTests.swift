// Goal: the log uses what a release brings only once all that execute the log know it; a release
// that does not know what a log uses does not start on it, and says what to do.

import Engine
import Follower
import Journal
import Link
import Pipeline
import Platform
import Terms
import Testing
import Wire

@Suite(.serialized) struct PipelineLevelTests {
    /// The kinds of a journal's records.
    private static func kinds(_ place: PipelinePlace) throws -> [CommandKind?] {
        let reader = JournalReader(directory: place.path + "/journal", from: 1)
        var kinds: [CommandKind?] = []
        while try unsafe reader.next(
            upTo: .max,
            { run in
                unsafe Records.forEach(run) { header, _ in
                    kinds.append(CommandKind(rawValue: header.kind))
                }
            })
        {}
        return kinds
    }

    private static func wait(_ isTrue: () -> Bool) {
        let isSo = becomes(isTrue)
        #expect(isSo)
    }

    /// This release's rules, and those of later ones.
    private static var now: UInt32 { SetRules.current }
    private static var next: UInt32 { now + 1 }

    /// What a start by a release that knows only this one's rules says.
    private static func refusal(_ place: PipelinePlace) -> String? {
        do {
            _ = try RunningPipeline(place, rulesKnown: now)
            return nil
        } catch { return "\(error)" }
    }

    @Test func `without a peer the rules rise at the start, once`() throws {
        let place = try PipelinePlace()
        try RunningPipeline(place, rulesKnown: Self.now).stop()
        #expect(!(try Self.kinds(place).contains(.setRules)))
        for _ in 0..<2 {
            let running = try RunningPipeline(place, rulesKnown: Self.next)
            Self.wait { running.pipeline.rules == Self.next }
            var desk = try TestDesk(running.connect(), "desk")
            try desk.submit(TestDesk.place(1))
            try running.stop()
        }
        #expect(try Self.kinds(place).filter { $0 == .setRules }.count == 1)
    }

    @Test func `an earlier release does not start on a log that uses more than it knows`() throws {
        let place = try PipelinePlace()
        var running = try RunningPipeline(place, rulesKnown: Self.next)
        Self.wait { running.pipeline.rules == Self.next }
        try running.stop()
        let said = try #require(Self.refusal(place))
        #expect(
            said.contains(
                "uses format 2, rules \(Self.next), this version knows format 2, rules "
                    + "\(Self.now): install"))
        // Nor where a snapshot stands for the record that says so.
        running = try RunningPipeline(place, rulesKnown: Self.next)
        try running.stop(snapshot: true)
        #expect(
            Self.refusal(place)?.contains("this version knows format 2, rules \(Self.now)")
                == true)
    }

    @Test func `a later format in a term's first record stops an earlier release as well`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        #expect(running.pipeline.raise(epoch: 5, TermStart(format: 3)))
        try running.stop()
        #expect(Self.refusal(place)?.contains("uses format 3, rules ") == true)
    }

    @Test func `one of two raises the rules only as far as its owner says`() throws {
        let place = try PipelinePlace()
        try RunningPipeline(place, rulesKnown: Self.now).stop()
        let running = try RunningPipeline(place, follows: true, rulesKnown: Self.next + 1)
        #expect(running.pipeline.lead(epoch: 9, TermStart(cause: .failover)))
        running.pipeline.setRole(.primary)
        // Several turns by time.
        Clock.sleep(nanos: 1_200_000_000)
        #expect(running.pipeline.rules == Self.now)
        running.pipeline.raiseRules(to: Self.now)
        running.pipeline.raiseRules(to: Self.next)
        Self.wait { running.pipeline.rules == Self.next }
        // It never goes back, and not beyond what the engine knows.
        running.pipeline.raiseRules(to: Self.now)
        running.pipeline.raiseRules(to: Self.next + 5)
        Self.wait { running.pipeline.rules == Self.next + 1 }
        try running.stop()
        let kinds = try Self.kinds(place).filter { $0 == .setRules || $0 == .epochMark }
        #expect(kinds.suffix(3) == [.epochMark, .setRules, .setRules])
    }

    /// A signed transaction is the largest record that there is.
    @Test func `the largest command goes through the Link into the log and to a follower`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place, rulesKnown: Self.next)
        Self.wait { running.pipeline.rules == Self.next }
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        let payment = SignWithdrawals(
            asset: AssetID(1), network: NetworkID(1), transaction: TransactionID(high: 1, low: 2),
            withdrawals: (1...UInt64(Limits.payeesMax)).map { WithdrawalID($0) },
            bytes: [UInt8](repeating: 0xA5, count: Limits.transactionBytesMax))
        var wallet = try TestDesk(running.connect(as: .wallet), "wallet/desk")
        let ack = try wallet.submit(payment)
        #expect(ack.refusal == .networkUnknown && ack.isLogged)
        #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
        let client = try running.connect("reader", wantsAcks: false)
        var follower = Follower(client.welcome, rulesKnown: Self.next)
        try client.send(follower.subscription)
        while follower.engine.sequence < ack.sequence + 1 {
            let frame = try #require(try client.receive(timeoutNanos: patience))
            _ = unsafe try follower.receive(frame) { _, _, _, _ in }
        }
        try running.stop()
        let kinds = try Self.kinds(place)
        #expect(kinds.filter { $0 == .signWithdrawals }.count == 1)
    }
}
