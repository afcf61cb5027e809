// Goal: what a verb that was not done in time says of its future is what the agent's document says.

import AgentAPI
import BoursectlCommands
import JSON
import Testing

@Suite struct OrderOutlookTests {
    /// Host a as its agent shows it, b beside it.
    private func document(
        _ role: String, primary: String = "a", epoch: Int64 = 5, isOut: Bool = false
    ) throws -> ClusterDocument {
        try #require(
            ClusterDocument([
                "host": "a", "peer": "b", "role": .string(role), "epoch": .number(epoch),
                "recordEpoch": .number(epoch), "primary": .string(primary), "sentence": "waits",
                "inSync": .strings(["a"]), "floor": .number(1), "paused": .bool(false),
                "peerOut": .bool(isOut), "changes": .array([]),
            ]))
    }

    private func outlook(
        _ verb: ClusterVerb, from: ClusterDocument, to now: ClusterDocument, seconds: Int64 = 30
    ) -> OrderOutlook {
        OrderOutlook(verb, from, now, after: seconds * 1_000_000_000)
    }

    @Test func `a switchover is done once the other host leads`() throws {
        let leads = try document("primary")
        let follows = try document("learner", primary: "b", epoch: 6)
        #expect(outlook(.switchover, from: leads, to: follows) == .done("b leads epoch 6"))
        #expect(outlook(.switchover, from: leads, to: try document("handingOver")) == .open)
        #expect(outlook(.switchover, from: leads, to: leads) != .open)
    }

    @Test func `a failover that was not begun in time is dropped`() throws {
        let standby = try document("standby", primary: "b")
        #expect(outlook(.failover, from: standby, to: standby, seconds: 9) == .open)
        #expect(outlook(.failover, from: standby, to: standby) != .open)
        #expect(
            outlook(.failover, from: standby, to: try document("claiming", primary: "b")) == .open)
        #expect(
            outlook(.failover, from: standby, to: try document("promoting", epoch: 6))
                == .done("a leads epoch 6, and takes no commands yet"))
        #expect(
            outlook(.failover, from: standby, to: try document("standby", primary: "b", epoch: 6))
                == .dropped("b leads epoch 6 since"))
    }

    @Test func `another verb, or another primary, ends what the standby waits for`() throws {
        let leads = try document("primary")
        let isOut = try document("primary", isOut: true)
        let follows = try document("standby", primary: "b", epoch: 6)
        #expect(outlook(.standbyAdd, from: leads, to: leads) == .open)
        #expect(
            outlook(.standbyAdd, from: leads, to: isOut) == .dropped("b was taken out again"))
        #expect(outlook(.standbyRemove, from: leads, to: isOut) == .open)
        #expect(
            outlook(.standbyRemove, from: isOut, to: leads) == .dropped("b was let in again"))
        for verb in [ClusterVerb.standbyAdd, .standbyRemove] {
            #expect(outlook(verb, from: leads, to: follows) == .dropped("b leads epoch 6 since"))
        }
        #expect(outlook(.pause, from: leads, to: leads) != .open)
    }
}
