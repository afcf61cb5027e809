// Goal: over real connections and disks, a standby's journal becomes its primary's, record for
// record, whatever it held and however often the link breaks; it acknowledges only what is on its
// disk and equal; and it never gives up what was released, unless a forced failover said so.

import Failover
import Glibc
import Journal
import Pipeline
import Platform
import Replication
import Synchronization
import Terms
import Testing

@Suite(.serialized) struct ReplicationTests {
    // MARK: Catching up

    @Test func `a standby with nothing gets all of it`() throws {
        let disk = try ReplicaDisk()
        try disk.write(upTo: 3_000)
        let log = try TestPrimaryLog(disk, epoch: 2)
        let pair = try ReplicationPair(log, try ReplicaDisk(), isEmpty: true)
        pair.settle()
        try log.add(100)
        pair.settle()
        #expect(log.end == 3_101)
        #expect(pair.standby.client.status.promise == 2)
        #expect(pair.standby.log.state.withLock { $0.promises } == [2])
        try pair.finish()
    }

    @Test func `a standby in the middle gets the rest, and cuts nothing`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        try a.write(upTo: 2_000, commit: 1_500)
        try b.write(upTo: 1_200, commit: 700)
        let log = try TestPrimaryLog(a, epoch: 2, commit: 1_500)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        #expect(b.cuts().isEmpty)
        try pair.finish()
    }

    @Test(arguments: [901, 950, 999])
    func `an old tail is cut where it begins to differ, and kept aside`(from: UInt64) throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: from - 1, commit: 900) }
        try a.write(upTo: 1_000)
        try b.write(upTo: 1_100, salt: 5)
        let log = try TestPrimaryLog(a, epoch: 2, commit: 900)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        let cuts = pair.standby.log.state.withLock { $0.cuts }
        #expect(cuts.map(\.last) == [from - 1])
        #expect(cuts.map(\.isForced) == [false])
        #expect(!b.cuts().isEmpty)
        try pair.finish()
    }

    @Test func `what stands behind the primary's end is cut`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        try a.write(upTo: 50, commit: 40)
        try b.write(upTo: 90, commit: 40)
        // The same records up to 50; then the primary began its term.
        let log = try TestPrimaryLog(a, epoch: 2, commit: 40)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        #expect(pair.standby.log.state.withLock { $0.cuts.map(\.last) } == [50])
        try pair.finish()
    }

    @Test(arguments: [(9_000, 9_100), (500, 30_000)] as [(UInt64, UInt64)])
    func `the last that is equal is found far behind what is known to be released`(
        same: UInt64, end: UInt64
    ) throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        // Several frames of points, none known to be released.
        for disk in [a, b] { try disk.write(upTo: same) }
        try b.write(upTo: end, salt: 1)
        let log = try TestPrimaryLog(a, epoch: 2)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        #expect(pair.standby.log.state.withLock { $0.cuts.map(\.last) } == [same])
        try pair.finish()
    }

    // MARK: Cuts that may not be

    @Test func `a standby stops before it cuts what was released`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 90) }
        try b.write(upTo: 200, salt: 1, commit: 150)
        try a.write(upTo: 150)
        let before = try b.records()
        let log = try TestPrimaryLog(a, epoch: 2, commit: 90)
        let pair = try ReplicationPair(log, b)
        eventually { pair.standby.client.status.state == .stopped }
        let reason = try #require(pair.standby.client.status.reason)
        #expect(reason.contains("which was released here (all up to 150)"))
        eventually { pair.primary.notes.all.contains { $0.contains("released here") } }
        pair.standby.stop()
        pair.primary.server.stop()
        #expect(log.heard.withLock { $0.acknowledgements.isEmpty })
        #expect(try b.records() == before)
        #expect(b.cuts().isEmpty)
    }

    @Test func `a forced failover's cut goes below what was released, and no further`() throws {
        for (from, isAllowed) in [(101, true), (60, true), (120, false)] as [(UInt64, Bool)] {
            let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
            for disk in [a, b] { try disk.write(upTo: 100, commit: 50) }
            try b.write(upTo: 200, salt: 1, commit: 150)
            let forced = ForcedStart(epoch: 7, from: from)
            let log = try TestPrimaryLog(a, epoch: 7, forced: forced, commit: 50)
            let pair = try ReplicationPair(log, b)
            if isAllowed {
                pair.settle()
                let cuts = pair.standby.log.state.withLock { $0.cuts }
                #expect(cuts.map(\.last) == [100])
                #expect(cuts.map(\.isForced) == [true])
                #expect(cuts[0].reason.contains("forced failover to epoch 7"))
                try pair.finish()
            } else {
                eventually { pair.standby.client.status.state == .stopped }
                pair.standby.stop()
                pair.primary.server.stop()
                #expect(try b.records().count == 200)
            }
        }
    }

    // MARK: Acknowledging

    @Test func `only what is on the disk is acknowledged`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let pair = try ReplicationPair(log, b)
        log.require(b.replica)
        pair.settle()
        eventually { log.commitPoint == 101 }
        pair.standby.log.isHung.store(true, ordering: .releasing)
        try log.add(50)
        eventually { pair.standby.log.last.sequence == 151 }
        eventually { pair.primary.server.peer?.waitingSince != nil }
        Clock.sleep(nanos: 100_000_000)
        #expect(log.commitPoint == 101)
        #expect(log.heard.withLock { $0.acknowledgements.allSatisfy { $0.matched <= 101 } })
        pair.standby.log.isHung.store(false, ordering: .releasing)
        eventually { log.commitPoint == 151 }
        eventually { pair.primary.server.peer?.waitingSince == nil }
        // And the standby knows it soon, without more records.
        eventually { pair.standby.client.status.position.visible == 151 }
        try pair.finish()
    }

    @Test func `sealed records go out before they are on the primary's disk`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let pair = try ReplicationPair(log, b)
        log.require(b.replica)
        pair.settle()
        try log.add(20, isDurable: false)
        eventually { log.heard.withLock { $0.acknowledgements.last?.matched == 121 } }
        #expect(log.commitPoint == 101)
        #expect(pair.standby.client.status.position.visible <= 101)
        try log.sync()
        #expect(log.commitPoint == 121)
        try pair.finish()
    }

    @Test func `a standby with a tail from memory joins again before the primary's disk has it`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let primary = try PrimaryHost(log)
        let proxy = try CuttingProxy(primary.address, cutAfter: [40_000])
        let standby = try StandbyHost(try TestStandbyLog(b), to: proxy.address)
        try standby.follow()
        eventually { primary.server.peer?.matched == 101 }
        try log.add(20, isDurable: false)
        eventually { primary.server.peer?.matched == 121 }
        while proxy.cuts.load(ordering: .relaxed) == 0 {
            try log.add(20, isDurable: false)
            Clock.sleep(nanos: 20_000_000)
        }
        let end = log.end
        Clock.sleep(nanos: 50_000_000)
        try log.sync()
        eventually { primary.server.peer?.matched == end }
        #expect(standby.log.state.withLock { $0.cuts.isEmpty })
        standby.stop()
        proxy.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    @Test func `unconfirmed, it takes records and says nothing`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let primary = try PrimaryHost(log)
        let standby = try StandbyHost(try TestStandbyLog(b), to: primary.address)
        try standby.follow(isConfirmed: false)
        try log.add(50)
        eventually { standby.log.durable == 151 }
        Clock.sleep(nanos: 200_000_000)
        #expect(log.heard.withLock { $0.acknowledgements.isEmpty && $0.echoes.isEmpty })
        #expect(standby.client.status.heardAt == nil)
        try standby.follow(isConfirmed: true)
        eventually { primary.server.peer?.matched == 151 }
        eventually { standby.client.status.heardAt != nil }
        standby.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    // MARK: Beacons

    @Test func `beacons come back with the time of their sending, unless the primary hangs`() throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        let start = Clock.monotonicNanos()
        // The link itself outlasts the silence.
        let pair = try ReplicationPair(log, b) { $0.silenceNanos = 60_000_000_000 }
        eventually { log.heard.withLock { $0.echoes.count >= 5 } }
        let sent = log.heard.withLock { $0.echoes.map(\.sentAt.nanos) }
        #expect(sent == sent.sorted())
        #expect(sent.allSatisfy { $0 >= start && $0 <= Clock.monotonicNanos() })
        #expect(log.heard.withLock { $0.echoes.allSatisfy { $0.epoch == 2 } })
        log.setProgress(false)
        // What was on its way arrives first.
        let count = log.settledEchoes()
        let heard = pair.standby.client.status.heardAt
        Clock.sleep(nanos: 300_000_000)
        #expect(log.heard.withLock { $0.echoes.count } == count)
        #expect(pair.standby.client.status.heardAt == heard)
        log.setProgress(true)
        eventually { log.heard.withLock { $0.echoes.count > count } }
        pair.settle()
        try pair.finish()
    }

    @Test func `a sealed primary is handed over once all of it is acknowledged`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        pair.standby.log.isHung.store(true, ordering: .releasing)
        try log.add(5)
        log.set { $0.sealedEnd = log.end }
        eventually { pair.standby.client.status.sealedEnd == 16 }
        #expect(!pair.standby.client.status.isHandedOver)
        pair.standby.log.isHung.store(false, ordering: .releasing)
        eventually { pair.standby.client.status.isHandedOver }
        try pair.finish()
    }

    // MARK: Terms and processes

    @Test func `a primary below the promise is refused with it, and followed when it raises`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        let primary = try PrimaryHost(log)
        let standby = try StandbyHost(try TestStandbyLog(b), to: primary.address, promise: 5)
        try standby.follow()
        eventually { primary.server.peer?.promise == 5 }
        Clock.sleep(nanos: 200_000_000)
        #expect(standby.log.last.sequence == 10)
        #expect(log.heard.withLock { $0.acknowledgements.isEmpty && $0.echoes.isEmpty })
        log.heard.withLock { $0.gate.begin(epoch: 6, requiring: nil) }
        log.set { $0.epoch = 6 }
        try log.add(1)
        eventually { primary.server.peer?.matched == log.end }
        #expect(primary.server.peer?.promise == 0)
        #expect(standby.client.status.promise == 6)
        standby.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    @Test func `a promise out of proportion is sent away, and raises nothing`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        try a.write(upTo: 10, commit: 10)
        let primary = try PrimaryHost(try TestPrimaryLog(a, epoch: 3, commit: 10))
        let highest = 3 + ClusterRecord.leapMax
        let absurd = try StandbyHost(
            try TestStandbyLog(b), to: primary.address, promise: highest + 1)
        try absurd.follow(3)
        eventually { primary.notes.all.contains { $0.contains("out of all proportion to 3") } }
        #expect(primary.server.peer?.promise ?? 0 == 0)
        absurd.stop()
        let standby = try StandbyHost(
            try TestStandbyLog(try ReplicaDisk()), to: primary.address, process: 2,
            promise: highest)
        try standby.follow(3)
        eventually { primary.server.peer?.promise == highest }
        standby.stop()
        primary.server.stop()
    }

    @Test func `after a promise nothing of the term below it is acknowledged or echoed`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        let pair = try ReplicationPair(log, b) { $0.silenceNanos = 60_000_000_000 }
        pair.settle()
        eventually { pair.standby.client.status.heardAt != nil }
        try pair.standby.client.promise(3)
        let (heard, end) = (pair.standby.client.status.heardAt, log.end)
        #expect(pair.standby.client.status.state == .promised)
        let echoes = log.settledEchoes()
        try log.add(5)
        eventually { pair.primary.server.peer?.promise == 3 }
        Clock.sleep(nanos: 200_000_000)
        #expect(pair.standby.client.status.heardAt == heard)
        #expect(log.heard.withLock { $0.echoes.count } == echoes)
        #expect(log.heard.withLock { $0.acknowledgements.allSatisfy { $0.matched <= end } })
        // The claim was lost: a later term is followed.
        log.heard.withLock { $0.gate.begin(epoch: 4, requiring: nil) }
        log.set { $0.epoch = 4 }
        try log.add(1)
        pair.settle()
        #expect(pair.standby.client.status.state == .following(isConfirmed: true))
        try pair.finish()
    }

    @Test func `a blank disk or an old image, as another replica, counts its processes anew`()
        throws
    {
        let disks = [try ReplicaDisk(), try ReplicaDisk(), try ReplicaDisk()]
        for disk in disks { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(disks[0], epoch: 2, commit: 10)
        let primary = try PrimaryHost(log)
        let first = try StandbyHost(try TestStandbyLog(disks[1]), to: primary.address, process: 6)
        try first.follow()
        eventually { primary.server.peer?.matched == 11 }
        first.stop()
        let second = try StandbyHost(
            try TestStandbyLog(disks[2]), to: primary.address, process: 2)
        try second.follow()
        eventually { log.heard.withLock { $0.acknowledgements.last?.process.number == 2 } }
        try log.add(10)
        eventually { primary.server.peer?.matched == log.end }
        second.stop()
        primary.server.stop()
    }

    @Test func `a newer process takes the place of an older one, never the other way`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        let primary = try PrimaryHost(log)
        let first = try StandbyHost(try TestStandbyLog(b), to: primary.address, process: 5)
        try first.follow()
        eventually { primary.server.peer?.matched == 11 }
        first.stop()
        let second = try StandbyHost(try TestStandbyLog(b), to: primary.address, process: 6)
        try second.follow()
        eventually { log.heard.withLock { $0.acknowledgements.last?.process.number == 6 } }
        // A clone of the earlier process, which still runs somewhere.
        let copy = try ReplicaDisk()
        try copy.write(upTo: 10, commit: 10)
        let old = try StandbyHost(
            try TestStandbyLog(copy), to: primary.address, process: 5, replica: b.replica)
        try old.client.follow(epoch: 0, isConfirmed: true, forced: nil, replica: b.replica)
        eventually { old.notes.all.contains { $0.contains("is older than one that has joined") } }
        try log.add(10)
        eventually { primary.server.peer?.matched == log.end }
        #expect(log.heard.withLock { $0.acknowledgements.last?.process.number == 6 })
        #expect(
            log.heard.withLock { heard in
                let fives = heard.acknowledgements.lastIndex { $0.process.number == 5 } ?? 0
                return fives < heard.acknowledgements.firstIndex { $0.process.number == 6 } ?? 0
            })
        old.stop()
        second.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    @Test func `a replica that lacks what it acknowledged gets nothing before it is removed`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 50, commit: 50) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 50)
        let primary = try PrimaryHost(log)
        let first = try StandbyHost(try TestStandbyLog(b), to: primary.address)
        try first.follow()
        log.require(b.replica)
        try log.add(50)
        eventually { primary.server.peer?.matched == 101 }
        first.stop()
        // An old image of the same disk.
        let image = try ReplicaDisk()
        try image.write(upTo: 60, commit: 50)
        let second = try StandbyHost(
            try TestStandbyLog(image), to: primary.address, process: 2, replica: b.replica)
        try second.client.follow(epoch: 2, isConfirmed: true, forced: nil, replica: b.replica)
        eventually { primary.server.peer?.lacksAcknowledged == true }
        Clock.sleep(nanos: 200_000_000)
        #expect(second.log.last.sequence == 60)
        log.require(nil)
        eventually { primary.server.peer?.matched == 101 }
        #expect(primary.server.peer?.lacksAcknowledged == false)
        second.stop()
        primary.server.stop()
        #expect(try a.records() == image.records())
    }

    @Test func `another journal, or this host's own disk, is refused with the way out`() throws {
        let a = try ReplicaDisk()
        try a.write(upTo: 10)
        let log = try TestPrimaryLog(a, epoch: 2)
        let primary = try PrimaryHost(log)
        let b = try ReplicaDisk()
        let standby = try StandbyHost(
            try TestStandbyLog(b), to: primary.address, replica: a.replica)
        try standby.client.follow(
            epoch: 0, isConfirmed: true, forced: nil, replica: a.replica)
        eventually { standby.notes.all.contains { $0.contains("a copy of its disk") } }
        standby.stop()
        primary.server.stop()
    }

    @Test func `each side hears what the other's release knows of logs`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let primary = try PrimaryHost(try TestPrimaryLog(a, epoch: 2, commit: 10)) {
            $0.level = LogLevel(format: 5, rules: 6)
        }
        let standby = try StandbyHost(TestStandbyLog(b), to: primary.address) {
            $0.level = LogLevel(format: 7, rules: 8)
        }
        try standby.follow()
        eventually { primary.server.peer?.level == LogLevel(format: 7, rules: 8) }
        eventually { standby.client.status.primaryLevel == LogLevel(format: 5, rules: 6) }
        standby.stop()
        primary.server.stop()
    }

    @Test(arguments: [LogLevel(format: 2, rules: 1), LogLevel(format: 1, rules: 2)])
    func `a standby whose release does not know what the log uses is rejected with the way out`(
        known: LogLevel
    ) throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 10)
        log.set { $0.level = LogLevel(format: 2, rules: 2) }
        let primary = try PrimaryHost(log)
        let standby = try StandbyHost(TestStandbyLog(b), to: primary.address) { $0.level = known }
        try standby.follow()
        eventually {
            standby.notes.all.contains {
                $0.contains("knows logs of \(known), and this one uses format 2, rules 2: install")
            }
        }
        #expect(primary.server.peer == nil)
        standby.stop()
        primary.server.stop()
    }

    @Test func `a standby of another etcd cluster is rejected, one of none is not`() throws {
        for (own, other, isTaken) in [(UInt64(1), UInt64(2), false), (1, 1, true), (1, 0, true)] {
            let (a, b) = (try ReplicaDisk(cluster: own), try ReplicaDisk(cluster: other))
            for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
            let primary = try PrimaryHost(try TestPrimaryLog(a, epoch: 2, commit: 10))
            let standby = try StandbyHost(try TestStandbyLog(b), to: primary.address)
            try standby.follow()
            if isTaken {
                eventually { primary.server.peer?.matched ?? 0 >= 10 }
            } else {
                eventually { standby.notes.all.contains { $0.contains("cluster join there") } }
                #expect(primary.server.peer == nil)
            }
            standby.stop()
            primary.server.stop()
        }
    }

    @Test func `a host with another name, or a stranger, is not served`() throws {
        let a = try ReplicaDisk()
        try a.write(upTo: 10)
        let log = try TestPrimaryLog(a, epoch: 2)
        let primary = try PrimaryHost(log)
        let disk = try ReplicaDisk()
        let standby = try StandbyHost(
            try TestStandbyLog(disk, isEmpty: true), to: primary.address, name: "gamma")
        try standby.follow()
        eventually { primary.notes.all.contains { $0.contains("is not for beta") } }
        // Strangers that keep silent hold nobody up.
        let silent = try (0..<4).map { _ in
            try TCPSocket.connect(primary.address, timeoutNanos: 60_000_000_000)
        }
        let good = try StandbyHost(
            try TestStandbyLog(try ReplicaDisk(), isEmpty: true), to: primary.address)
        try good.follow()
        eventually { primary.server.peer?.matched == 11 }
        for socket in silent { close(socket) }
        standby.stop()
        good.stop()
        primary.server.stop()
        #expect(standby.log.last.sequence == 0)
    }

    @Test func `a thread that serves records looks for callers once in a beacon's time`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 10, commit: 10) }
        let beacon: Int64 = 1_000_000_000
        let pair = try ReplicationPair(try TestPrimaryLog(a, epoch: 2, commit: 10), b) {
            $0.timing.beaconNanos = beacon
            $0.silenceNanos = 20 * beacon
        }
        pair.settle()
        let port = try #require(
            pair.primary.address.split(separator: ":").last.flatMap { UInt16($0) })
        let (start, before) = (Clock.monotonicNanos(), AcceptCalls.count(port))
        #expect(before > 0)
        // Each needs a turn of its own at the least: the one that takes its acknowledgement.
        for _ in 0..<200 {
            try pair.log.add(1)
            pair.settle()
        }
        let calls = AcceptCalls.count(port) - before
        let beacons = Int((Clock.monotonicNanos() - start) / beacon)
        #expect(calls <= beacons + 1, "accept(2) was called \(calls) times in \(beacons) s")
        try pair.finish()
    }
}
