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

    @Test func `a connection has one session, however many it names`() throws {
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
            guard case .acks(let acks) = try greedy.receive(timeoutNanos: 5 * second) else { break }
            acked += acks.count { $0.refusal == .sessionUnknown }
        }
        #expect(acked == 5_000)
        let again = try running.connect()
        #expect(try again.status().sessions == 2)
        var moved = TestDesk(again, session: desk.session, number: desk.number)
        #expect(try moved.submit(TestDesk.place(1)).refusal == .none)
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
        #expect(throws: LinkFault.self) {
            try squatter.execute(TestDesk.place(1), session: next, number: 1)
        }
        #expect(try opened.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }
}
