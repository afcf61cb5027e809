// Goal: whoever submits much, or names many sessions, keeps nobody else from submitting, operators
// least of all.

import Glibc
import Link
import Pipeline
import Platform
import Secrets
import Synchronization
import Terms
import Testing
import Wire

private let second: Int64 = 1_000_000_000

@Suite(.serialized) struct LinkShareTests {
    /// A pipeline that gateways reach over TCP, and a way to connect as one.
    private static func start() throws -> (RunningPipeline, () throws -> LinkClient) {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        let running = try RunningPipeline(try PipelinePlace(), tcpKey: key)
        let port = running.listeners[1].port
        return (
            running,
            {
                try LinkClient.connect(
                    host: "127.0.0.1", port: port, key: key, name: try #require(Text40("remote")))
            }
        )
    }

    /// Whether matchd takes not all of this within a second.
    private static func isFull(_ client: LinkClient, _ out: inout LinkEncoder) throws -> Bool {
        do throws(LinkError) {
            try client.send(&out, timeoutNanos: second)
            return false
        } catch {
            guard error == .timedOut else { throw error }
            return true
        }
    }

    @Test func `a flood of gateways' commands leaves operators the end of the ring`() throws {
        let (running, remote) = try Self.start()
        let client = try running.connect()
        var desk = try TestDesk(client, "operator/desk")
        try desk.prepare()
        let watch = try running.connect()
        let flood = try TestDesk(try remote(), "gateway/flood")
        running.sink.isStalled.store(true, ordering: .releasing)
        var out = LinkEncoder()
        var (sent, isFull, full) = (UInt64(0), false, UInt64(0))
        while !isFull, sent < 400_000 {
            if out.isEmpty {
                for _ in 0..<1_000 {
                    sent += 1
                    out.submit(session: flood.session, number: sent, TestDesk.place(1))
                }
            }
            guard try Self.isFull(flood.client, &out) else { continue }
            // A machine that was busy elsewhere has only taken nothing yet.
            let before = full
            full = try watch.status().ingressFill
            isFull = full > 0 && full == before
        }
        #expect(isFull)
        // The ring is 2 MiB.
        #expect(full > 300 && full <= 500, "\(full)")
        var kill = LinkEncoder()
        for number in UInt64(1)...500 {
            kill.submit(session: desk.session, number: desk.number + number, TestDesk.place(2))
        }
        try client.send(&kill)
        #expect(try becomes { try watch.status().ingressFill >= full + 20 }, "\(full)")
        running.sink.isStalled.store(false, ordering: .releasing)
        var acked = 0
        while acked < 500 {
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                break
            }
            acked += acks.count { $0.isLogged }
        }
        #expect(acked == 500)
        try running.stop()
    }

    @Test func `a connection has few sessions, however many it names`() throws {
        let (running, remote) = try Self.start()
        var desk = try TestDesk(try running.connect(), "operator/desk")
        try desk.prepare()
        let greedy = try remote()
        var out = LinkEncoder()
        for session in UInt32(1_000)..<6_000 {
            out.submit(session: SessionID(session), number: 1, TestDesk.place(1))
        }
        try greedy.send(&out)
        var acked = 0
        while acked < 5_000 {
            guard case .acks(let acks) = try greedy.receive(timeoutNanos: patience) else { break }
            acked += acks.count { $0.refusal == .sessionUnknown }
        }
        #expect(acked == 5_000)
        let again = try running.connect()
        #expect(try again.status().sessions == 33)
        var moved = TestDesk(again, session: desk.session, number: desk.number)
        #expect(try moved.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `a gateway uses up no number of an operator's or a wallet's session`() throws {
        let (running, remote) = try Self.start()
        /// Opens sessions over a connection that is gone afterwards.
        func open() throws -> (desk: SessionID, last: UInt64, others: [SessionID]) {
            let client = try running.connect()
            var desk = try TestDesk(client, "operator/desk")
            try desk.prepare()
            let wallet = try TestDesk(running.connect(as: .wallet), "wallet/1")
            let gateway = try TestDesk(client, "gateway/1")
            return (desk.session, desk.number, [wallet.session, gateway.session])
        }
        let (desk, last, others) = try open()
        let thief = try remote()
        for (session, number) in [(desk, last + 1), (others[0], 1)] {
            let ack = try thief.execute(TestDesk.place(1), session: session, number: number)
            #expect(ack.refusal == .sessionUnknown && !ack.isLogged)
        }
        // What gateways opened is theirs.
        let own = try thief.execute(TestDesk.place(1), session: others[1], number: 1)
        #expect(own.refusal == .none && own.isLogged)
        // Its owner goes on where it was, and nobody is in its way.
        var again = TestDesk(try running.connect(), session: desk, number: last)
        #expect(try again.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `gateways leave the last places for sessions to operators`() throws {
        let (running, remote) = try Self.start()
        let (gateway, desk) = (try remote(), try running.connect())
        // Room for 16, of which a quarter is for operators.
        for number in 0..<14 {
            let ack = try gateway.openSession(try #require(Text40("gateway/\(number)")))
            #expect(ack.refusal == (number < 12 ? .none : .tableFull), "\(number)")
        }
        // One that is open already takes no place.
        let again = try gateway.openSession(try #require(Text40("gateway/3")))
        #expect(again.refusal == .none)
        for number in 0..<5 {
            let ack = try desk.openSession(try #require(Text40("operator/\(number)")))
            #expect(ack.refusal == (number < 4 ? .none : .tableFull), "\(number)")
        }
        try running.stop()
    }

    @Test func `who named a session's number before it was opened has no part in it`() throws {
        let (running, remote) = try Self.start()
        var desk = try TestDesk(try running.connect(), "operator/desk")
        try desk.prepare()
        let squatter = try remote()
        let next = SessionID(desk.session.number + 1)
        #expect(
            try squatter.execute(TestDesk.place(1), session: next, number: 1).refusal
                == .sessionUnknown)
        var opened = try TestDesk(try running.connect(), "operator/late")
        #expect(opened.session == next)
        #expect(throws: LinkError.self) {
            try squatter.execute(TestDesk.place(1), session: next, number: 1)
        }
        #expect(try opened.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }
}
