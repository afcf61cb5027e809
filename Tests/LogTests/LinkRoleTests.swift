// Goal: a connection submits in sessions of its role only, and throws nobody out of another's.

import Link
import Secrets
import Terms
import Testing

@Suite struct LinkRoleTests {
    @Test
    func `a gateway closes nobody in an operator's session, an operator closes a gateway in its`()
        throws
    {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        let running = try RunningPipeline(try PipelinePlace(), tcpKey: key)
        func remote() throws -> LinkClient {
            try LinkClient.connect(
                host: "127.0.0.1", port: running.listeners[1].port, key: key,
                name: try #require(Text40("remote")))
        }
        var own = try TestDesk(running.connect(), "operator/own")
        try own.prepare()
        // In a session of another role: refused, and its owner goes on.
        var thief = TestDesk(try remote(), session: own.session, number: own.number)
        #expect(throws: LinkError.self) { try thief.submit(TestDesk.place(1)) }
        #expect(try own.submit(TestDesk.place(2)).refusal == .none)
        // A session that nobody submits in now is not there for another role either.
        func leave() throws -> SessionID {
            var desk = try TestDesk(running.connect(), "operator/closed")
            try desk.submit(TestDesk.place(3))
            return desk.session
        }
        var late = TestDesk(try remote(), session: try leave(), number: 1)
        var refused = false
        do {
            refused = try late.submit(TestDesk.place(4)).refusal == .sessionUnknown
        } catch LinkError.refused(let refusal) {
            refused = refusal.code == .access
        }
        #expect(refused)
        // An operator may go on in a gateway's session: whoever was in it is closed.
        var gateway = try TestDesk(remote(), "gateway/1")
        #expect(try gateway.submit(TestDesk.place(5)).refusal == .none)
        var taken = TestDesk(
            try running.connect(), session: gateway.session, number: gateway.number)
        #expect(try taken.submit(TestDesk.place(6)).refusal == .none)
        #expect(throws: LinkError.self) { try gateway.submit(TestDesk.place(7)) }
        try running.stop()
    }

    @Test func `a user has the highest of its own and its groups' roles, or none`() {
        var users = LinkUsers()
        users.users = [(10, .gateway), (11, .observer), (12, .operator)]
        users.groups = [(20, .operator), (21, .observer)]
        let rows: [(UInt32, [UInt32], LinkRole?)] = [
            (0, [], .operator), (99, [], .operator), (1, [], nil), (1, [10, 12], nil),
            (10, [], .gateway), (11, [], .observer), (12, [], .operator), (20, [], nil),
            (1, [5, 20], .operator), (1, [21], .observer), (10, [21], .gateway),
            (11, [20, 21], .operator),
        ]
        for (user, groups, role) in rows {
            #expect(users.role(user: user, groups: groups, own: 99) == role, "\(user) \(groups)")
        }
        #expect(LinkUsers().role(user: 10, groups: [20], own: 99) == nil)
        #expect(users.hasAny(.gateway) && !users.hasAny(.wallet) && users.hasAny(.observer))
        #expect(!LinkUsers().hasAny(.gateway))
    }
}
