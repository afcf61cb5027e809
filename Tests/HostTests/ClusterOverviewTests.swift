// Goal: the ops page shows both hosts of a cluster, what the peer's agent sent as of then, and of a
// loss no more than is known.

import Agent
import AgentAPI
import JSON
import Terms
import Testing

@Suite struct ClusterOverviewTests {
    /// 2026-11-27T00:00:00Z.
    private static let midnight: Int64 = 1_795_737_600_000_000_000
    private static let now = midnight + 100_000_000_000

    private func document(_ changes: [String: JSONValue]) throws -> ClusterDocument {
        var members: [String: JSONValue] = [
            "host": "a", "peer": "b", "role": "primary", "epoch": .number(3),
            "sentence": "leads epoch 3 with b in sync", "primary": "a",
            "inSync": .strings(["a", "b"]), "recordEpoch": .number(3), "floor": .number(10),
            "lagRecords": .number(2), "lagNanos": .number(4_000_000), "end": .number(12),
            "released": .number(10), "atRiskRecords": .number(0), "paused": .bool(false),
            "peerOut": .bool(false), "serviceAddress": "10.0.0.9/24", "serviceHere": .bool(true),
            "changes": .array([]), "primaryChanges": .array([]), "etcd": .array([]),
        ]
        for (name, value) in changes { members[name] = value }
        let json = JSONValue.object(
            members.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
        return try #require(ClusterDocument(json))
    }

    private func peer(reachable: Bool, fault: String? = nil) -> JSONValue {
        let change: JSONValue = [
            "time": .number(Self.midnight), "epoch": .number(3), "what": "followed",
            "why": "follows a in epoch 3, in sync",
        ]
        return [
            "reachable": .bool(reachable), "since": .number(Self.midnight), "fault": .orNull(fault),
            "documentTime": .number(Self.midnight - 1_000_000_000),
            "document": [
                "host": "b", "peer": "a", "role": "standby", "epoch": .number(3),
                "sentence": "follows a in epoch 3, in sync", "primary": "a",
                "inSync": .strings(["a", "b"]), "recordEpoch": .number(3), "floor": .number(10),
                "end": .number(11), "released": .number(10), "paused": .bool(true),
                "peerOut": .bool(false), "serviceHere": .bool(false), "changes": .array([change]),
            ],
        ]
    }

    private func row(_ overview: ClusterOverview, _ name: String) -> [String]? {
        (overview.hosts + overview.facts).first { $0.first == name }.map { Array($0.dropFirst()) }
    }

    @Test func `a document is read as it was written, with the peer's`() throws {
        var peer = ClusterDocument(
            host: "b", role: "standby", epoch: 3, sentence: "follows a in epoch 3, in sync")
        (peer.end, peer.isPaused, peer.isServiceHere) = (11, true, false)
        peer.changes = [ClusterChange(time: 5, epoch: 3, what: "followed", why: "it follows")]
        var own = ClusterDocument(host: "a", role: "primary", epoch: 3, sentence: "leads epoch 3")
        (own.peer, own.primary, own.inSync) = ("b", "a", ["a", "b"])
        (own.recordEpoch, own.record, own.setChangedAt) = (3, "3 a a,b", 17)
        (own.atRiskRecords, own.floor, own.lagRecords, own.lagNanos) = (0, 10, 2, 4_000)
        (own.muteNanos, own.end, own.endEpoch, own.released) = (9, 12, 3, 10)
        (own.replica, own.etcdCluster) = ("00ff", "12ab")
        (own.process, own.version) = (77, "1.2.3")
        (own.level, own.logLevel) = (
            LogLevel(format: 1, rules: 2), LogLevel(format: 1, rules: 1)
        )
        (own.pauseOrderedAt, own.watchdog, own.isBarred) = (8, "inactive", true)
        (own.etcdFault, own.matchdFault) = ("it is silent", "it is gone")
        own.etcd = [ClusterArbiter(name: "x", leads: true, fault: nil, since: 4)]
        own.gateways = [ClusterGateway(name: "g", address: "10.0.0.5", since: 6)]
        own.removedGateways = [RemovedGateway(name: "h", time: 7)]
        (own.serviceAddress, own.isServiceHere) = ("10.0.0.9/24", true)
        var handover = ClusterHandover(number: 2, time: 30, to: "a", epoch: 3)
        (handover.from, handover.cause, handover.why) = ("b", "forced", "an operator forced it")
        (handover.proof, handover.pauseNanos) = ("seen off", 12)
        own.primaryChanges = [handover]
        #expect(ClusterDocument(own.json) == own)
        #expect(own.json["peerAgent"] == nil, "an agent without a peer shows none")
        (own.isPeerReachable, own.peerSince, own.peerFault) = (false, 20, "it is silent")
        (own.peerReapedEpoch, own.peerDocumentTime, own.peerDocument) = (2, 21, peer)
        #expect(ClusterDocument(own.json) == own)
        #expect(ClusterDocument(peer.json) == peer)
    }

    @Test func `both hosts stand side by side`() throws {
        let shown = ClusterOverview(
            try document(["peerAgent": peer(reachable: true)]), at: Self.now)
        #expect(shown.hosts.first == ["", "a (this host)", "b"])
        #expect(shown.hosts.allSatisfy { $0.count == 3 })
        #expect(row(shown, "role") == ["primary", "standby"])
        #expect(row(shown, "in sync") == ["yes", "yes"])
        #expect(row(shown, "lag") == ["-", "2 records, 4 ms"])
        #expect(row(shown, "claims") == ["allowed", "paused until resume"])
        #expect(row(shown, "its agent") == ["answers", "answers"])
        #expect(row(shown, "primary") == ["a, epoch 3"])
        #expect(row(shown, "service address") == ["10.0.0.9/24 is on a"])
        #expect(
            row(shown, "lost if it failed now")
                == ["0 records: both hosts have all that was acknowledged"])
        #expect(shown.changes.last?.prefix(2) == ["2026-11-27T00:00:00Z", "b"])
    }

    @Test func `a peer whose agent is away is shown as of its last word, and leads no more`() throws
    {
        let shown = ClusterOverview(
            try document(["peerAgent": peer(reachable: false, fault: "it is silent")]), at: Self.now
        )
        #expect(row(shown, "role") == ["primary", "standby"])
        #expect(
            row(shown, "its agent")?.last
                == "does not answer since 2026-11-27T00:00:00Z (100 s ago): it is silent; what is "
                + "below is of 2026-11-26T23:59:59Z (101 s ago)")
        // On the standby: of the primary that it does not reach nothing is said as if it were so.
        let alone = ClusterOverview(
            try document([
                "role": "standby", "atRiskRecords": .null, "serviceHere": .bool(false),
                "peerAgent": peer(reachable: false),
            ]), at: Self.now)
        #expect(row(alone, "primary") == ["no host that answers leads; by the record it was a"])
        #expect(row(alone, "lost if it failed now") == ["unknown"])
        #expect(
            row(alone, "service address")
                == ["10.0.0.9/24 is on no host that answers; of b it is not known"])
        let never = ClusterOverview(
            try document(["peerAgent": ["reachable": .bool(false)]]), at: Self.now)
        #expect(row(never, "role") == ["primary", "unknown"])
    }

    @Test func `what a primary alone would lose is counted, or not known`() throws {
        let alone: [String: JSONValue] = [
            "inSync": .strings(["a"]), "setChanged": .number(Self.midnight),
            "atRiskRecords": .number(7),
        ]
        let counted = ClusterOverview(try document(alone), at: Self.now)
        #expect(
            row(counted, "lost if it failed now")
                == ["7 records at most: a is alone in sync since 2026-11-27T00:00:00Z"])
        let unknown = ClusterOverview(
            try document(alone.merging(["atRiskRecords": .null]) { $1 }), at: Self.now)
        #expect(row(unknown, "lost if it failed now")?.first?.hasPrefix("unknown: a was") == true)
    }

    @Test func `the last change says when, from where, why and how long`() throws {
        let change: JSONValue = [
            "number": .number(2), "time": .number(Self.midnight), "from": "b", "to": "a",
            "epoch": .number(3), "cause": "grace", "why": "the former primary gave no sign",
            "pauseNanos": .number(1_234_000_000),
        ]
        let shown = ClusterOverview(
            try document(["primaryChanges": .array([change])]), at: Self.now)
        #expect(
            row(shown, "last change") == [
                "2026-11-27T00:00:00Z: from b to a, epoch 3: the former primary gave no sign; no "
                    + "command was acknowledged for 1234 ms"
            ])
    }

    @Test func `members of etcd are counted, and texts are no markup`() throws {
        let members: JSONValue = .array([
            [
                "name": "a", "leads": .bool(true), "fault": .null, "since": .number(Self.midnight),
            ],
            [
                "name": "w", "leads": .bool(false), "fault": "<b>&\"'",
                "since": .number(Self.midnight),
            ],
        ])
        let shown = ClusterOverview(try document(["etcd": members]), at: Self.now)
        let text = try #require(row(shown, "arbiter")?.first)
        #expect(text.hasPrefix("1 of 2 members of etcd answer. a: yes, leads; w: no, since "))
        #expect(!shown.html.contains("<b>"))
        #expect(shown.html.contains("&lt;b&gt;&amp;&quot;&#39;"))
    }
}
