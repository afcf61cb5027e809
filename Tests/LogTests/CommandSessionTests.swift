// Goal: a daemon's session goes on for as long as its replica fits the log: through late answers,
// refusals, lost connections and hosts whose term is over, and each call returns in bounded time.

import Engine
import Follower
import Glibc
import Link
import Pipeline
import Platform
import Synchronization
import Terms
import Testing
import Wire

/// A replica that fails on request.
private final class FaultyReplica: LogReplica {
    private var follower: Follower
    /// What the next frames, or greetings, come to.
    var faults: [FollowerError] = []
    var staleGreetings = 0
    /// Asks for the log behind a record that the log does not have.
    var isForked = false

    init(_ welcome: LinkWelcome) { follower = Follower(welcome) }

    var isCaughtUp: Bool { follower.isCaughtUp }
    var sequence: UInt64 { follower.engine.sequence }

    var subscription: LinkFrame {
        isForked
            ? .subscribe(LinkSubscription(from: sequence + 1, epoch: 0, crc: 7))
            : follower.subscription
    }

    func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        if !faults.isEmpty { throw faults.removeFirst() }
        return unsafe try follower.receive(frame, each)
    }

    func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        if staleGreetings > 0 {
            staleGreetings -= 1
            throw .staleEpoch(seen: 2, found: 1)
        }
        try follower.reconnected(welcome)
    }
}

/// What a session's callbacks saw.
private final class Seen {
    var sequences: [UInt64] = []
    var kinds: [UInt16] = []
    var attempts = 0
    var losses = 0
    /// The newest connection's socket.
    var descriptor: Int32 = -1
}

private typealias TestSession = CommandSession<FaultyReplica>

private func session(
    _ place: PipelinePlace, _ seen: Seen, name: String = "operator/main",
    nanosMax: Int64 = patience
) throws -> TestSession {
    try unsafe CommandSession(
        try #require(Text40(name)),
        connect: { name, nanos throws(LinkError) in
            seen.attempts += 1
            let client = try LinkClient.connect(
                unix: place.socket, name: name, wantsAcks: false, timeoutNanos: nanos)
            seen.descriptor = client.descriptor
            return client
        },
        replica: { FaultyReplica($0) }, replicaNanosMax: nanosMax,
        lost: { _ in seen.losses += 1 },
        see: { header, _, _, _ in
            seen.sequences.append(header.sequence)
            seen.kinds.append(header.kind)
        })
}

private func account(_ name: String) throws -> OpenAccount {
    OpenAccount(
        name: try #require(Text40(name)),
        audit: Audit(operatorName: try #require(Text40("test")), reason: "test"))
}

/// The error of a call that is to fail.
private func failure(_ work: () throws(CommandSessionError) -> Void) -> CommandSessionError? {
    do throws(CommandSessionError) { try work() } catch { return error }
    return nil
}

private func isLate(_ error: CommandSessionError?, uncertain: Bool) -> Bool {
    guard case .late(_, let id) = error else { return false }
    return (id != nil) == uncertain
}

extension Seen {
    /// Whether each record from the first one seen to `end` was seen once, in order.
    func isWhole(to end: UInt64) -> Bool {
        guard let first = sequences.first, first <= end else { return false }
        return sequences == Array(first...end)
    }

    func count(_ kind: CommandKind) -> Int { kinds.count { $0 == kind.rawValue } }
}

@Suite(.serialized) struct CommandSessionTests {
    @Test func `a late command submitted again is in the log once, whatever happened meanwhile`()
        throws
    {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        try session.begin()
        for round in 0..<20 {
            let command = try account("late \(round)")
            running.sink.isStalled.store(true, ordering: .releasing)
            for _ in 0...round % 2 {
                let error = failure { () throws(CommandSessionError) in
                    _ = try session.submit(command, within: 30_000_000)
                }
                #expect(isLate(error, uncertain: true))
            }
            if round % 3 == 1 {
                shutdown(seen.descriptor, Int32(SHUT_RDWR))
                try session.follow(nanos: 10_000_000)
            }
            running.sink.isStalled.store(false, ordering: .releasing)
            if round % 4 == 3 {
                // It comes while nobody waits for it.
                while seen.count(.openAccount) <= round { try session.follow(nanos: 10_000_000) }
            }
            let logged = try session.submit(command)
            #expect(logged.outcome.refusal == .none && logged.sequence != 0)
            #expect(seen.count(.openAccount) == round + 1)
        }
        // Once its outcome was returned, the same command is another one.
        let again = try session.submit(try account("late 19"))
        #expect(again.sequence != 0 && seen.count(.openAccount) == 21)
        #expect(seen.isWhole(to: session.replica.sequence))
        try running.stop()
    }

    @Test func `another command waits for a late one, and is not sent when that lasts`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        try session.begin()
        running.sink.isStalled.store(true, ordering: .releasing)
        for round in 0..<40 {
            let error = failure { () throws(CommandSessionError) in
                _ = try session.submit(try! account("a\(round)"), within: 5_000_000)
            }
            #expect(isLate(error, uncertain: round == 0))
        }
        running.sink.isStalled.store(false, ordering: .releasing)
        let logged = try session.submit(try account("b"))
        #expect(logged.outcome.refusal == .none)
        #expect(seen.count(.openAccount) == 2)
        try running.stop()
    }

    @Test func `what matchd refuses without a record comes back, and may be tried again`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        try session.begin()
        running.sink.isFull.store(true, ordering: .releasing)
        // Until the journal's thread has looked at its disk, commands are taken.
        var taken = 0
        let command = try account("a")
        let isRefused = try becomes {
            let logged = try session.submit(command)
            if logged.sequence != 0 { taken += 1 }
            return logged.sequence == 0 && logged.outcome.refusal == .diskReserve
        }
        #expect(isRefused)
        running.sink.isFull.store(false, ordering: .releasing)
        let isTaken = try becomes {
            try session.submit(try account("b")).outcome.refusal == .none
        }
        #expect(isTaken)
        #expect(seen.count(.openAccount) == taken + 1)
        try running.stop()
    }

    @Test func `a session that was refused is asked for again`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var others: [SessionID] = []
        var number: UInt64 = 0
        while true {
            number += 1
            let ack = try client.execute(
                OpenSession(name: try #require(Text40("w\(number)"))), session: SessionID(0),
                number: number)
            guard ack.refusal == .none else { break }
            others.append(SessionID(UInt32(ack.id)))
        }
        let seen = Seen()
        let session = try session(running.place, seen)
        for _ in 0..<3 {
            let error = failure { () throws(CommandSessionError) in
                _ = try session.submit(try! account("a"))
            }
            guard case .refused(.tableFull) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        number += 1
        _ = try client.execute(
            CloseSession(session: try #require(others.first)), session: SessionID(0),
            number: number)
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        try running.stop()
    }

    @Test func `a command that matchd may not take does not stay for ever`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        // An operator names who asked for a withdrawal.
        let denied = RequestWithdrawal(
            account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
            amount: Amount(units: 1), address: try #require(Text64("x")))
        let error = failure { () throws(CommandSessionError) in _ = try session.submit(denied) }
        guard case .link(.refused(let refusal)) = error,
            refusal.code == .access || refusal.code == .malformed
        else {
            Issue.record("\(String(describing: error))")
            return
        }
        var logged = try session.submit(try account("b"))
        if logged.outcome.refusal == .sessionUnknown {
            logged = try session.submit(try account("b"))
        }
        #expect(logged.outcome.refusal == .none)
        #expect(seen.count(.openAccount) == 2 && seen.count(.requestWithdrawal) == 0)
        #expect(seen.isWhole(to: session.replica.sequence))
        try running.stop()
    }

    @Test func `a session that another one of its name replaced says so, without a record`() throws
    {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let first = try session(running.place, seen)
        #expect(try first.submit(try account("a")).outcome.refusal == .none)
        let second = try session(running.place, Seen())
        #expect(try second.submit(try account("b")).outcome.refusal == .none)
        var logged = try first.submit(try account("c"))
        if logged.outcome.refusal == .sessionUnknown {
            #expect(logged.sequence == 0)
            logged = try first.submit(try account("c"))
        }
        #expect(logged.outcome.refusal == .none && logged.sequence != 0)
        #expect(try second.submit(try account("d")).sequence == 0)
        try running.stop()
    }

    @Test(arguments: [FollowerError.diverged(sequence: 5), .forked("cut"), .otherJournal])
    func `a replica that failed ends the session, with the same error each time`(
        _ fault: FollowerError
    ) throws {
        let running = try RunningPipeline(try PipelinePlace())
        let session = try session(running.place, Seen())
        try session.begin()
        session.replica.faults = [fault]
        for _ in 0..<3 {
            let error = failure { () throws(CommandSessionError) in
                _ = try session.submit(try! account("a"))
            }
            guard case .replica(fault) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        let error = failure { () throws(CommandSessionError) in
            try session.follow(nanos: 1_000_000)
        }
        guard case .replica(fault) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(session.hasEnded && !session.isConnected && session.replica.faults.isEmpty)
        try running.stop()
    }

    @Test func `a log that lacks the replica's record ends the session`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        session.replica.isForked = true
        shutdown(seen.descriptor, Int32(SHUT_RDWR))
        for _ in 0..<2 {
            let error = failure { () throws(CommandSessionError) in
                _ = try session.submit(try! account("b"))
            }
            guard case .replica(.forked) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        try running.stop()
    }

    @Test func `a torn feed is repaired by the next connection`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        try session.begin()
        session.replica.faults = [.gap(expected: 1, found: 2)]
        let error = failure { () throws(CommandSessionError) in
            _ = try session.submit(try! account("a"))
        }
        guard case .replica(.gap) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!session.hasEnded)
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        #expect(seen.count(.openAccount) == 1 && seen.isWhole(to: session.replica.sequence))
        try running.stop()
    }

    @Test func `a host whose term is over is left for the next one`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let seen = Seen()
        let session = try session(running.place, seen)
        try session.begin()
        session.replica.staleGreetings = 3
        shutdown(seen.descriptor, Int32(SHUT_RDWR))
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        #expect(seen.attempts == 5 && seen.losses == 1)
        // In the middle of a connection as well.
        session.replica.faults = [.staleEpoch(seen: 2, found: 1)]
        #expect(try session.submit(try account("b")).outcome.refusal == .none)
        session.replica.staleGreetings = .max
        shutdown(seen.descriptor, Int32(SHUT_RDWR))
        let error = failure { () throws(CommandSessionError) in
            _ = try session.submit(try! account("c"), within: 300_000_000)
        }
        #expect(isLate(error, uncertain: true))
        session.replica.staleGreetings = 0
        #expect(try session.submit(try account("c")).outcome.refusal == .none)
        #expect(seen.count(.openAccount) == 3)
        try running.stop()
    }

    @Test func `following takes no longer than it says while matchd is away`() throws {
        let place = try PipelinePlace()
        let seen = Seen()
        var running = try RunningPipeline(place)
        let session = try session(place, seen)
        #expect(try session.submit(try account("a")).outcome.refusal == .none)
        #expect(try session.follow(nanos: 1_000_000))
        try running.stop()
        seen.attempts = 0
        let began = Clock.monotonicNanos()
        #expect(try !session.follow(nanos: 500_000_000))
        let nanos = Clock.monotonicNanos() - began
        #expect(nanos >= 490_000_000 && nanos < 1_500_000_000)
        #expect(seen.attempts >= 2 && seen.attempts <= 7)
        #expect(!session.isConnected && !session.isCaughtUp && seen.losses == 1)
        guard case .notRunning = session.linkError else {
            Issue.record("\(String(describing: session.linkError))")
            return
        }
        for _ in 0..<100 { #expect(try !session.follow(nanos: 0)) }
        #expect(seen.attempts <= 20, "no spinning")
        running = try RunningPipeline(place)
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        let isBack = try becomes {
            try session.follow(nanos: 10_000_000) && session.isCaughtUp
                && session.replica.sequence >= running.pipeline.released
        }
        #expect(isBack && session.linkError == nil)
        #expect(seen.isWhole(to: session.replica.sequence))
        // What comes ends it early, if that is wanted.
        try desk.submit(TestDesk.place(1))
        let from = Clock.monotonicNanos()
        try session.follow(nanos: patience, untilRecord: true)
        #expect(Clock.monotonicNanos() - from < patience / 2)
        try running.stop()
    }

    @Test func `a matchd that takes a connection and does not greet holds a call for a second`()
        throws
    {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        let session = try session(place, Seen())
        try running.stop()
        let listener = try UnixSocket.listen(place.socket, mode: 0o600, backlog: 1)
        defer { close(listener) }
        for _ in 0..<4 {
            let began = Clock.monotonicNanos()
            #expect(try !session.follow(nanos: 110_000_000))
            #expect(Clock.monotonicNanos() - began < 3_000_000_000)
        }
    }

    @Test func `a session without a wait is brought up to date by following`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        let seen = Seen()
        let session = try session(running.place, seen, nanosMax: 0)
        #expect(!session.isCaughtUp)
        let isCaughtUp = try becomes {
            try session.follow(nanos: 1_000_000)
            return session.isCaughtUp
        }
        #expect(isCaughtUp && seen.isWhole(to: session.replica.sequence))
        #expect(session.replica.sequence > 5)
        try running.stop()
    }

    @Test func `a replica is caught up with what matchd reported on this connection`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect(wantsAcks: false)
        let follower = FaultyReplica(client.welcome)
        #expect(!follower.isCaughtUp)
        try client.send(follower.subscription)
        while !follower.isCaughtUp {
            let frame = try #require(try client.receive(timeoutNanos: patience))
            _ = unsafe try follower.receive(frame) { _, _, _, _ in }
        }
        let sequence = follower.sequence
        var welcome = client.welcome
        try follower.reconnected(welcome)
        #expect(!follower.isCaughtUp, "nothing was reported yet")
        func report(_ released: UInt64) throws {
            _ = unsafe try follower.receive(
                .position(released: released, time: 0, epoch: welcome.epoch)
            ) { _, _, _, _ in }
        }
        try report(sequence)
        #expect(follower.isCaughtUp)
        try report(sequence + 1)
        #expect(!follower.isCaughtUp)
        try report(sequence)
        #expect(!follower.isCaughtUp, "what is released stays released")
        welcome.released = sequence + 2
        try follower.reconnected(welcome)
        #expect(!follower.isCaughtUp)
        try running.stop()
    }
}
