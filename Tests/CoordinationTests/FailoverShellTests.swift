// Goal: two shells around a real etcd and two scripted matchds do what the core decides, in its
// order, through faults of hosts, link and etcd; and show why.

import Control
import Coordination
import Failover
import Synchronization
import Terms
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct FailoverShellTests {
    @Test func `starts a pair: one leads with the other in sync, and puts the floor`() async throws
    {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        let record = try await world.read()
        #expect(record.record?.primary == primary.name)
        #expect(record.record?.inSync.count == 2)
        #expect(record.record?.epoch ?? 0 > 1)
        try await world.wait("the floor is the commit point") {
            try await world.read().floor == primary.report?.commitPoint
        }
        let calls = primary.calls
        let steps = [
            "lead", "reconcile wallet \(record.record?.epoch ?? 0)", "take address", "open link",
        ]
        let places = steps.map { step in calls.firstIndex(of: step) ?? -1 }
        #expect(places == places.sorted() && places[0] >= 0, "\(calls)")
        #expect(!standby.calls.contains("open link") && !standby.calls.contains("take address"))
        let status = world.status(of: primary)
        #expect(status.role == .primary)
        try await world.wait("it shows the pair in sync, and etcd's record") {
            let status = world.status(of: primary)
            return status.sentence == "leads epoch \(status.epoch) with \(standby.name) in sync"
                && status.lagRecords == 0 && status.lagNanos == 0 && status.etcdFault == nil
                && status.record == record.record
        }
        let opened = try #require(status.changes.last { $0.transition == .opened })
        #expect(opened.epoch == status.epoch)
        #expect(world.status(of: standby).role == .standby)
        await world.stop()
    }

    @Test func `removes a standby that died, and goes on alone only when that is known`()
        async throws
    {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        let end = try #require(primary.report?.end)
        await world.kill(standby)
        try await world.wait("the primary leads alone") {
            world.status(of: primary).sentence.hasSuffix(" alone")
        }
        #expect(try await world.read().record?.inSync == [primary.inSync])
        #expect(primary.report?.requirement == nil && primary.isOpen)
        #expect(primary.report?.end == end)
        #expect(primary.transitions.suffix(2) == [.removing, .removed])
        let reasons = world.status(of: primary).changes.filter { $0.transition == .removing }
        #expect(reasons.last?.sentence.hasSuffix("it gives no echo") == true)
        await world.stop()
    }

    @Test func `does not go on alone while etcd has no majority, and does with it`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        for index in [0, 1] { world.etcd.stop(index) }
        try await world.wait("both show that etcd is away") {
            world.status(of: primary).etcdFault != nil && world.status(of: standby).etcdFault != nil
        }
        #expect(primary.isOpen && world.status(of: primary).role == .primary, "trading goes on")
        #expect(world.status(of: standby).role == .standby)
        try await world.wait("etcd has given no answer for long") {
            let status = world.status(of: primary)
            return status.answeredAt.map { status.at.since($0) > 3_000_000_000 } ?? true
        }
        #expect(await primary.obey(.switchover) == .noArbiter)
        await world.kill(standby)
        try await world.wait("the primary cannot remove it") {
            world.status(of: primary).sentence.hasPrefix("cannot remove \(standby.name)")
        }
        #expect(primary.report?.requirement == standby.replica)
        try await world.wait("its lease ends") { primary.report?.holdsLease == false }
        for index in [0, 1] { world.etcd.resume(index) }
        try await world.wait("the primary leads alone") {
            world.status(of: primary).sentence.hasSuffix(" alone")
        }
        #expect(world.status(of: primary).etcdFault == nil)
        await world.stop()
    }

    @Test func `claims when the primary's host is lost`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        let old = world.status(of: primary).epoch
        await world.kill(primary)
        try await world.wait("the standby leads") { standby.isOpen }
        let record = try await world.read().record
        #expect(record?.epoch == old + 1 && record?.inSync == [standby.inSync])
        let claim: [FailoverTransition] = [.promised, .claimed, .led, .opened]
        #expect(Array(standby.transitions.suffix(4)) == claim)
        let change = world.status(of: standby).primaryChanges.changes.last
        #expect(change?.from == primary.name && change?.to == standby.name)
        #expect(change?.epoch == old + 1 && change?.cause == .grace)
        #expect(change?.pauseNanos ?? 0 > 0)
        let first = world.status(of: standby).changes.last { $0.transition == .promised }
        #expect(first?.sentence.contains("the primary gives no sign") == true)
        // The old primary returns as a learner, and is added.
        world.revive(primary, process: 2)
        try await world.wait("both are in sync again") {
            try await world.read().record?.inSync.count == 2
        }
        #expect(standby.isOpen && !primary.isOpen)
        await world.stop()
    }

    @Test func `claims at once when the peer's agent reports the end of matchd`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        primary.crashMatchd()
        try await world.wait("the standby leads") { standby.isOpen }
        #expect(primary.calls.contains { $0.hasPrefix("report reaped ") })
        let first = world.status(of: standby).changes.last { $0.transition == .promised }
        #expect(first?.sentence.contains("the primary's process ended") == true)
        let drop = try #require(primary.calls.lastIndex(of: "leave address"))
        let report = try #require(primary.calls.lastIndex { $0.hasPrefix("report reaped") })
        #expect(drop < report, "what gives up a role goes first")
        await world.stop()
    }

    @Test func `lets exactly one win when the link is cut`() async throws {
        let world = try await ShellWorld()
        var (primary, standby) = try await world.started()
        for round in 1...5 {
            world.pair.cutLink(true)
            try await world.wait("one is alone in round \(round)") {
                guard let record = try await world.read().record else { return false }
                let winner = record.primary == primary.name ? primary : standby
                return record.inSync == [winner.inSync] && winner.isOpen
                    && winner.report?.requirement == nil
            }
            if try await world.read().record?.primary == standby.name {
                swap(&primary, &standby)
            }
            #expect(!standby.isOpen || standby.report?.holdsLease == false)
            world.pair.cutLink(false)
            for host in world.pair.hosts {
                _ = await host.obey(.standbyAdd)
            }
            try await world.wait("both are in sync again after round \(round)") {
                if standby.report?.state == .stopped { world.restart(standby) }
                return try await world.read().record?.inSync.count == 2
            }
        }
        await world.stop()
    }

    @Test func `switches over, and moves the address`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        let old = world.status(of: primary).epoch
        #expect(await standby.obey(.switchover) == .notPrimary)
        // A standby whose record is of the epoch before lets the handover pass.
        try await world.wait("the standby has read this epoch's record") {
            world.status(of: standby).record?.epoch == old
        }
        try await world.wait("the standby leads") {
            // One that takes too long, as on a busy machine, is given up: it is asked for again.
            if !standby.isOpen { _ = await primary.obey(.switchover) }
            return standby.isOpen
        }
        try await world.wait("the old primary follows in sync") {
            world.status(of: primary).role == .standby
        }
        let record = try await world.read().record
        #expect(record?.primary == standby.name && record?.inSync.count == 2)
        #expect(record?.epoch ?? 0 > old)
        #expect(primary.report?.process == ProcessNumber(1), "its process follows as it is")
        #expect(
            !primary.state.withLock { $0.hasAddress } && standby.state.withLock { $0.hasAddress })
        await world.stop()
    }

    @Test func `opens nothing before the wallet is reconciled`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        standby.state.withLock { $0.isWalletStuck = true }
        await world.kill(primary)
        try await world.wait("the wallet is asked") {
            standby.calls.contains { $0.hasPrefix("reconcile wallet") }
        }
        try await Task.sleep(for: .milliseconds(300))
        #expect(!standby.isOpen && !standby.calls.contains("take address"))
        #expect(world.status(of: standby).role == .promoting)
        standby.state.withLock { $0.isWalletStuck = false }
        try await world.wait("it opens") { standby.isOpen }
        await world.stop()
    }

    @Test func `takes no role from a garbled record, a newer one or another etcd, and says why`()
        async throws
    {
        let world = try await ShellWorld(starts: false)
        let text = try #require(try await world.read().record).text
        try world.etcd.control("put", "/bourse/record", "{}")
        world.start(world.pair.hosts[0])
        let host = world.pair.hosts[0]
        try await world.wait("it says that the record is garbled") {
            world.status(of: host).etcdFault?.contains("garbled: it has no version") == true
        }
        try world.etcd.control(
            "put", "/bourse/record", text.replacing("\"version\":1", with: "\"version\":2"))
        try await world.wait("it says that the record is newer") {
            world.status(of: host).etcdFault?.contains("it is of version 2") == true
        }
        #expect(world.status(of: host).role == .starting)
        #expect(!host.calls.contains("lead") && !host.calls.contains("promise"))
        try world.etcd.control("put", "/bourse/record", text)
        try await world.wait("it leads or waits") { world.status(of: host).etcdFault == nil }
        await world.stop()

        let other = try await ShellWorld(starts: false)
        other.pair.hosts[0].state.withLock { $0.report?.cluster = 1 }
        other.start(other.pair.hosts[0])
        try await other.wait("it says that etcd is another's") {
            other.status(of: other.pair.hosts[0]).sentence
                .hasPrefix("takes no role: etcd is of another cluster than this host's journal")
        }
        await other.stop()
    }

    @Test func `adopts a primary at work when the agent starts anew`() async throws {
        let world = try await ShellWorld()
        let (primary, standby) = try await world.started()
        let epoch = world.status(of: primary).epoch
        await world.restartAgent(primary)
        try await world.wait("the new agent leads on") {
            world.status(of: primary).sentence
                == "leads epoch \(epoch) with \(standby.name) in sync"
        }
        #expect(primary.isOpen)
        #expect(try await world.read().record?.epoch == epoch)
        await world.stop()
    }
}
